//! Memory for what callers and clouds make the process hold: one bound for the whole process, counted in bytes.
//!
//! A call is counted with [`CALL`] and its headers from their arrival until its answer is with the caller. A body is
//! counted from before it is read until then, and with [`FACTOR`] times its size, because on its way it exists as frames,
//! as a message, as JSON and as the message sent on. Bodies up to [`SMALL`] are part of the call. A body that translation
//! makes larger counts as what it becomes.
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

/// What a call takes beside its headers and larger bodies: its task, its stream, buffers of the libraries and a small body.
/// Measured: an open call without headers of its own takes 6 KiB, and a small body comes to that.
pub const CALL: usize = 16 << 10;

/// What a byte of a call's headers takes, as HTTP/2 counts them, while the call goes on. Measured: 2.1.
pub const HEADER_FACTOR: usize = 2;

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
    /// Bytes taken for it.
    taken: usize,
    /// Bytes taken beside it.
    beside: usize,
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
    /// Calls refused since the start (`MEMORY_LIMIT`).
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

impl Memory {
    fn refuse(&self, wanted: usize) -> NoRoom {
        self.0.refused.fetch_add(1, SeqCst);
        NoRoom {
            wanted,
            limit: self.0.limit,
        }
    }
}

/// What a piece of JSON counts as: its length, and what its numbers and brackets become as a protobuf value. A `1,` makes
/// eleven bytes, twice: as the value and as the message that holds it; [`FACTOR`] covers as much as six for each.
#[must_use]
pub fn weight(json: &[u8]) -> usize {
    let separators = json
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
        .count();
    json.len() + 6 * separators
}

impl Held {
    /// Room for `bytes` as they are, beside any body, or none.
    ///
    /// # Errors
    /// When there is none.
    pub fn take(&mut self, memory: &Memory, bytes: usize) -> Result<(), NoRoom> {
        if !memory.0.take(bytes) {
            return Err(memory.refuse(bytes));
        }
        self.beside += bytes;
        self.from(memory);
        Ok(())
    }

    /// Counts `bytes` that are held already, whatever the bound.
    pub fn add(&mut self, memory: &Memory, bytes: usize) {
        memory.0.used.fetch_add(bytes, SeqCst);
        self.beside += bytes;
        self.from(memory);
    }

    /// Room for `bytes` more of a body, or none.
    ///
    /// # Errors
    /// When there is none; what was taken before stays taken.
    pub fn try_grow(&mut self, memory: &Memory, bytes: usize) -> Result<(), NoRoom> {
        let size = self.size.saturating_add(bytes);
        let wanted = self.wanted(size);
        if wanted > 0 {
            if !memory.0.take(wanted) {
                return Err(memory.refuse(wanted));
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
        self.from(memory);
    }

    fn from(&mut self, memory: &Memory) {
        if self.pool.is_none() {
            self.pool = Some(Arc::clone(&memory.0));
        }
    }

    /// True when a body takes anything, so that it must be kept as long as the body lives.
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
            pool.give_back(self.taken + self.beside, self.overdraws);
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
mod tests;
