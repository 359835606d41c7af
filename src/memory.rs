//! Memory for bodies in flight: one bound for the whole process, counted in bytes.
//!
//! A body is counted from before it is read until its call's answer is with the caller, and with [`FACTOR`] times its
//! size, because on its way it exists as frames, as a message, as JSON and as the message sent on. Bodies up to
//! [`SMALL`] are not counted: a call costs as much whatever its size, and the slots of the targets bound the calls.
//!
//! A request that finds no room is refused, since nothing has been done for it. An answer is the only trace of work that
//! is done, so it waits for room instead. Answers that wait for each other would wait for ever; so one of them at a time
//! may overdraw. The true bound is therefore: the limit, and one answer of the largest size, and what lies in sockets
//! and flow-control windows (`docs/operations.md`, "Memory").
//!
//! Knows nothing of what the bodies are.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use tokio::sync::Notify;

/// What a byte of a body costs in all while its call goes on: the frames it came in, the message, its JSON and the message
/// sent on, of which not all live at once. An estimate from above; the chart's advice on memory uses the same.
pub const FACTOR: usize = 4;

/// Bodies up to this many bytes are not counted.
pub const SMALL: usize = 8 << 10;

/// The bound that all calls share.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    limit: usize,
    used: AtomicUsize,
    /// An answer is beyond the limit.
    overdrawn: AtomicBool,
    /// Answers that wait.
    waiting: AtomicUsize,
    freed: Notify,
    refused: AtomicU64,
    waited: AtomicU64,
}

/// What one body takes of it, given back when dropped. It grows in one [`Memory`] only.
#[derive(Debug, Default)]
pub struct Held {
    /// Where it was taken from; none as long as nothing was.
    pool: Option<Arc<Pool>>,
    /// Size of the body so far.
    size: usize,
    /// Bytes taken.
    taken: usize,
    overdraws: bool,
}

/// How the bound stands, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStats {
    /// The bound in bytes.
    pub limit: usize,
    /// Bytes taken now; above the limit by at most one answer.
    pub used: usize,
    /// Answers that wait for room now.
    pub waiting: usize,
    /// Requests refused since the start (`MEMORY_LIMIT`).
    pub refused: u64,
    /// Answers that had to wait since the start.
    pub waited: u64,
}

/// There is no room for a body of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes that it would take.
    pub wanted: usize,
    /// The bound in bytes.
    pub limit: usize,
}

impl Memory {
    /// A bound of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Pool {
            limit,
            used: AtomicUsize::new(0),
            overdrawn: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            refused: AtomicU64::new(0),
            waited: AtomicU64::new(0),
        }))
    }

    /// How things stand now.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        let pool = &*self.0;
        MemoryStats {
            limit: pool.limit,
            used: pool.used.load(SeqCst),
            waiting: pool.waiting.load(SeqCst),
            refused: pool.refused.load(SeqCst),
            waited: pool.waited.load(SeqCst),
        }
    }
}

impl Held {
    /// Room for `bytes` more of a body, or none.
    ///
    /// # Errors
    /// When there is none; what was taken before stays taken.
    pub fn try_grow(&mut self, memory: &Memory, bytes: usize) -> Result<(), NoRoom> {
        let size = self.size.saturating_add(bytes);
        let wanted = self.wanted(size);
        if wanted > 0 {
            if !memory.0.take(wanted) {
                memory.0.refused.fetch_add(1, SeqCst);
                let limit = memory.0.limit;
                return Err(NoRoom { wanted, limit });
            }
            self.took(memory, wanted);
        }
        self.size = size;
        Ok(())
    }

    /// Room for `bytes` more of a body, as soon as there is some: when other bodies are done, or when this is the one
    /// that may overdraw. May be cancelled; then the growth has not happened.
    pub async fn grow(&mut self, memory: &Memory, bytes: usize) {
        let size = self.size.saturating_add(bytes);
        let wanted = self.wanted(size);
        if wanted > 0 {
            if self.overdraws {
                memory.0.used.fetch_add(wanted, SeqCst);
            } else if !memory.0.take(wanted) {
                self.overdraws = memory.0.wait(wanted).await;
            }
            self.took(memory, wanted);
        }
        self.size = size;
    }

    fn took(&mut self, memory: &Memory, bytes: usize) {
        self.taken += bytes;
        if self.pool.is_none() {
            self.pool = Some(Arc::clone(&memory.0));
        }
    }

    /// True when it takes anything, so that it must be kept as long as the body lives.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.taken > 0
    }

    /// Bytes to take for a body that has grown to `size`.
    fn wanted(&self, size: usize) -> usize {
        if size <= SMALL {
            0
        } else {
            size.saturating_mul(FACTOR) - self.taken
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.give_back(self.taken, self.overdraws);
        }
    }
}

/// Counts a waiting answer for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Pool {
    fn take(&self, wanted: usize) -> bool {
        self.used
            .fetch_update(SeqCst, SeqCst, |used| {
                used.checked_add(wanted).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }

    /// Waits for room; true = taken beyond the limit.
    async fn wait(&self, wanted: usize) -> bool {
        self.waited.fetch_add(1, SeqCst);
        self.waiting.fetch_add(1, SeqCst);
        let _waiting = Waiting(&self.waiting);
        loop {
            // Made before looking: what is freed between the look and the wait wakes it, too.
            let freed = self.freed.notified();
            if self.take(wanted) {
                return false;
            }
            if self
                .overdrawn
                .compare_exchange(false, true, SeqCst, SeqCst)
                .is_ok()
            {
                self.used.fetch_add(wanted, SeqCst);
                return true;
            }
            freed.await;
        }
    }

    fn give_back(&self, taken: usize, overdrawn: bool) {
        self.used.fetch_sub(taken, SeqCst);
        if overdrawn {
            self.overdrawn.store(false, SeqCst);
        }
        if self.waiting.load(SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    const KIB: usize = 1 << 10;

    #[test]
    fn a_small_body_costs_nothing_and_a_large_one_four_times_its_size() {
        let memory = Memory::new(1 << 20);
        let mut held = Held::default();
        held.try_grow(&memory, SMALL).unwrap();
        assert_eq!((held.counts(), memory.stats().used), (false, 0));
        held.try_grow(&memory, 1).unwrap();
        assert_eq!(memory.stats().used, FACTOR * (SMALL + 1));
        held.try_grow(&memory, 10 * KIB).unwrap();
        assert_eq!(memory.stats().used, FACTOR * (SMALL + 1 + 10 * KIB));
        drop(held);
        assert_eq!(memory.stats().used, 0);
    }

    #[test]
    fn a_request_without_room_is_refused_and_takes_nothing() {
        let memory = Memory::new(100 * KIB);
        let mut first = Held::default();
        first.try_grow(&memory, 20 * KIB).unwrap();
        let mut second = Held::default();
        let refusal = second.try_grow(&memory, 6 * KIB + SMALL).unwrap_err();
        assert_eq!(
            refusal,
            NoRoom {
                wanted: FACTOR * 14 * KIB,
                limit: 100 * KIB
            }
        );
        assert_eq!(memory.stats().used, 80 * KIB);
        assert!(Held::default().try_grow(&memory, usize::MAX).is_err());
        drop(first);
        second.try_grow(&memory, 6 * KIB + SMALL).unwrap();
        assert_eq!(memory.stats().refused, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_wait_and_one_at_a_time_overdraws_so_that_all_end() {
        let memory = Memory::new(100 * KIB);
        let mut request = Held::default();
        request.try_grow(&memory, 25 * KIB).unwrap();
        // Each is larger than the whole, and all come at once and grow by turns.
        let readers = (0..10).map(|_| {
            let memory = memory.clone();
            async move {
                let mut held = Held::default();
                for _ in 0..4 {
                    held.grow(&memory, 10 * KIB).await;
                    sleep(Duration::from_millis(1)).await;
                    let used = memory.stats().used;
                    assert!(used <= 100 * KIB + FACTOR * 40 * KIB, "{used}");
                }
            }
        });
        timeout(Duration::from_secs(10), futures_util::future::join_all(readers))
            .await
            .expect("a deadlock");
        drop(request);
        let stats = memory.stats();
        assert_eq!((stats.used, stats.waiting), (0, 0));
        assert!(stats.waited >= 9);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_whose_caller_goes_away_leaves_no_trace() {
        let memory = Memory::new(40 * KIB);
        let mut first = Held::default();
        first.grow(&memory, 10 * KIB).await;
        let mut overdrawing = Held::default();
        overdrawing.grow(&memory, 20 * KIB).await;
        assert_eq!(memory.stats().used, FACTOR * 30 * KIB);
        let mut late = Held::default();
        assert!(
            timeout(Duration::from_millis(5), late.grow(&memory, 20 * KIB))
                .await
                .is_err()
        );
        assert_eq!(memory.stats().waiting, 0);
        drop(late);
        assert_eq!(memory.stats().used, FACTOR * 30 * KIB);
        // The overdraft is free again for the next.
        drop(overdrawing);
        timeout(Duration::from_millis(5), Held::default().grow(&memory, 20 * KIB))
            .await
            .unwrap();
        drop(first);
        assert_eq!(memory.stats().used, 0);
    }

    #[tokio::test]
    async fn many_threads_lose_nothing() {
        let memory = Memory::new(64 * KIB);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let memory = memory.clone();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let calls = (0..50).map(|_| async {
                            for round in 1..20 {
                                let mut held = Held::default();
                                held.grow(&memory, round * KIB).await;
                                tokio::task::yield_now().await;
                                held.grow(&memory, round * KIB).await;
                            }
                        });
                        futures_util::future::join_all(calls).await;
                    });
                })
            })
            .collect();
        for thread in threads {
            tokio::task::spawn_blocking(move || thread.join().unwrap())
                .await
                .unwrap();
        }
        assert_eq!((memory.stats().used, memory.stats().waiting), (0, 0));
    }
}
