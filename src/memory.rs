//! Memory for what callers and clouds make the process hold: one bound for the whole process,
//! counted in bytes.
//!
//! A call is counted with [`CALL`] and its headers from their arrival until its answer is with the
//! caller. A body is counted from before it is read until then, and with [`FACTOR`] times its size,
//! because on its way it exists as frames, as a message, as JSON and as the message sent on. Bodies
//! up to [`SMALL`] are part of the call. A body that translation makes larger counts as what it
//! becomes.
//!
//! A request that finds no room is refused, since nothing has been done for it. An answer is the
//! only trace of work that is done, so it waits for room instead. Answers that wait for each other
//! would wait for ever; so one of them at a time may overdraw. The true bound is therefore: the
//! limit, an eighth more, one answer of the largest size, and what lies in sockets and flow-control
//! windows (`docs/operations/load.md`, "Memory").
//!
//! One peer alone may have the whole limit. An eighth more is there for the others: of that a peer
//! takes no more than one part in `FAIR` of what it leaves free, with what it holds already, so
//! that whoever holds little finds room.
//!
//! Knows nothing of what the bodies are.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use tokio::sync::Notify;

/// What a byte of a body costs in all while its call goes on: the frames it came in, the message,
/// its JSON and the message sent on, of which not all live at once. An estimate from above; the
/// chart's advice on memory uses the same.
pub const FACTOR: usize = 4;

/// Bodies up to this many bytes are not counted.
pub const SMALL: usize = 8 << 10;

/// What a call takes beside its headers and larger bodies: its task, its stream, buffers of the
/// libraries and a small body. Measured: an open call without headers of its own takes 6 KiB, and a
/// small body comes to that.
pub const CALL: usize = 16 << 10;

/// What an exchange with a cloud over HTTP/1.1 takes, which has a connection to itself. Measured:
/// 20 KiB.
pub const EXCHANGE: usize = 20 << 10;

/// What a byte of a call's headers takes, as HTTP/2 counts them, while the call goes on. Measured:
/// 2.1.
pub const HEADER_FACTOR: usize = 2;

/// The room beside the limit, as a part of it; and what a peer that takes of it may hold, as a part
/// of what it leaves free.
const FAIR: usize = 8;

/// The part of the limit that one alone has beside it, so that a message of the largest size has
/// room with its call.
const BESIDE: usize = 64;

/// Of the room, what peers of the network leave to callers on Unix sockets, however many they are:
/// one part in so many.
const LOCAL: usize = 32;

/// The bound that all calls share, as one peer sees it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<View>);

#[derive(Debug)]
struct View {
    pool: Arc<Pool>,
    /// What the peer holds; none for one that is alone.
    share: Option<Share>,
    /// Bytes that it always leaves free.
    leaves: usize,
}

/// What one peer holds of one bound.
#[derive(Clone, Debug, Default)]
pub struct Share(Arc<AtomicUsize>);

#[derive(Debug)]
struct Pool {
    limit: usize,
    /// All the room that there is.
    size: usize,
    /// The part of it that is for those who hold little.
    kept: usize,
    used: AtomicUsize,
    /// An answer is beyond the limit, and by how much: others find the room that they would have
    /// without it.
    overdrawn: AtomicBool,
    beyond: AtomicUsize,
    /// What was counted whatever the bound: it leaves less to those who hold much.
    apart: AtomicUsize,
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
    memory: Option<Memory>,
    /// Size of the body so far.
    size: usize,
    /// Bytes taken for it.
    taken: usize,
    /// Bytes taken beside it, and those counted whatever the bound.
    beside: usize,
    apart: usize,
    /// Of those taken, bytes beyond the limit.
    beyond: usize,
    overdraws: bool,
}

/// How the bound stands, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStats {
    /// The bound in bytes.
    pub limit: usize,
    /// Bytes taken now; above the limit by at most an eighth and one answer.
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
        let pool = Pool {
            limit,
            size: limit.saturating_add(limit / FAIR + limit / BESIDE),
            kept: limit / FAIR,
            used: AtomicUsize::new(0),
            overdrawn: AtomicBool::new(false),
            beyond: AtomicUsize::new(0),
            apart: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            refused: AtomicU64::new(0),
            waited: AtomicU64::new(0),
        };
        Self(Arc::new(View {
            pool: Arc::new(pool),
            share: None,
            leaves: 0,
        }))
    }

    /// The same bound for a peer whose share this is: one of the network, or a `local` one.
    #[must_use]
    pub fn shared(&self, share: &Share, local: bool) -> Self {
        let pool = Arc::clone(&self.0.pool);
        Self(Arc::new(View {
            leaves: if local { 0 } else { pool.size / LOCAL },
            pool,
            share: Some(share.clone()),
        }))
    }

    /// How things stand now.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        let pool = &*self.0.pool;
        MemoryStats {
            limit: pool.limit,
            used: pool.used.load(SeqCst) + pool.beyond.load(SeqCst) + pool.apart.load(SeqCst),
            waiting: pool.waiting.load(SeqCst),
            refused: pool.refused.load(SeqCst),
            waited: pool.waited.load(SeqCst),
        }
    }
}

impl Memory {
    fn refuse(&self, wanted: usize) -> NoRoom {
        let pool = &self.0.pool;
        pool.refused.fetch_add(1, SeqCst);
        NoRoom {
            wanted,
            limit: pool.limit,
        }
    }

    /// Takes it if the peer may and there is room.
    fn take(&self, wanted: usize) -> bool {
        let View {
            pool,
            share,
            leaves,
        } = &*self.0;
        let own = share.as_ref().map(|share| share.add(wanted));
        let apart = pool.apart.load(SeqCst);
        let fits = |used: usize| {
            let sum = used.checked_add(wanted)?;
            let free = pool.size.checked_sub(sum)?;
            let fair = match own {
                None => sum.saturating_add(apart) <= pool.limit,
                Some(own) => free >= pool.kept.saturating_add(apart) || own <= free / FAIR,
            };
            (fair && free >= *leaves).then_some(sum)
        };
        let taken = pool.used.fetch_update(SeqCst, SeqCst, fits).is_ok();
        if let Some(share) = share
            && !taken
        {
            share.0.fetch_sub(wanted, SeqCst);
        }
        taken
    }

    /// Takes it whatever the bound.
    fn add(&self, bytes: usize) {
        self.0.pool.apart.fetch_add(bytes, SeqCst);
        self.note(bytes);
    }

    /// Takes it beyond the limit.
    fn overdraw(&self, bytes: usize) {
        self.0.pool.beyond.fetch_add(bytes, SeqCst);
        self.note(bytes);
    }

    fn note(&self, bytes: usize) {
        if let Some(share) = &self.0.share {
            share.add(bytes);
        }
    }

    /// Waits for room; true = nothing was taken, and it may be taken beyond the limit.
    async fn wait(&self, wanted: usize) -> bool {
        let pool = &*self.0.pool;
        pool.waited.fetch_add(1, SeqCst);
        pool.waiting.fetch_add(1, SeqCst);
        let _waiting = Waiting(&pool.waiting);
        loop {
            // Made before looking: what is freed between the look and the wait wakes it, too.
            let freed = pool.freed.notified();
            if self.take(wanted) {
                return false;
            }
            if pool
                .overdrawn
                .compare_exchange(false, true, SeqCst, SeqCst)
                .is_ok()
            {
                return true;
            }
            freed.await;
        }
    }

    fn give_back(&self, held: &Held) {
        let pool = &*self.0.pool;
        let taken = held.taken + held.beside;
        pool.used.fetch_sub(taken - held.beyond, SeqCst);
        if held.apart > 0 {
            pool.apart.fetch_sub(held.apart, SeqCst);
        }
        if let Some(share) = &self.0.share {
            share.0.fetch_sub(taken + held.apart, SeqCst);
        }
        if held.overdraws {
            pool.beyond.fetch_sub(held.beyond, SeqCst);
            pool.overdrawn.store(false, SeqCst);
        }
        if pool.waiting.load(SeqCst) > 0 {
            pool.freed.notify_waiters();
        }
    }
}

impl Share {
    /// Adds to it; what it comes to.
    fn add(&self, bytes: usize) -> usize {
        self.0.fetch_add(bytes, SeqCst).saturating_add(bytes)
    }
}

/// What a piece of JSON counts as: its length, and what its numbers and brackets become as a
/// protobuf value. A `1,` makes eleven bytes, twice: as the value and as the message that holds it;
/// [`FACTOR`] covers as much as six for each.
#[must_use]
pub fn weight(json: &[u8]) -> usize {
    json.len() + 6 * memchr::memchr3_iter(b',', b'[', b'{', json).count()
}

impl Held {
    /// Room for `bytes` as they are, beside any body, or none.
    ///
    /// # Errors
    /// When there is none.
    pub fn take(&mut self, memory: &Memory, bytes: usize) -> Result<(), NoRoom> {
        if !memory.take(bytes) {
            return Err(memory.refuse(bytes));
        }
        self.beside += bytes;
        self.from(memory);
        Ok(())
    }

    /// Counts `bytes` that are held already, whatever the bound.
    pub fn add(&mut self, memory: &Memory, bytes: usize) {
        memory.add(bytes);
        self.apart += bytes;
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
            if !memory.take(wanted) {
                return Err(memory.refuse(wanted));
            }
            self.took(memory, wanted);
        }
        self.size = size;
        Ok(())
    }

    /// Room for `bytes` more of a body, as soon as there is some: when other bodies are done, or
    /// when this is the one that may overdraw. May be cancelled; then the growth has not happened.
    pub async fn grow(&mut self, memory: &Memory, bytes: usize) {
        let size = self.size.saturating_add(bytes);
        let wanted = self.wanted(size);
        if wanted > 0 {
            if !self.overdraws && !memory.take(wanted) {
                self.overdraws = memory.wait(wanted).await;
            }
            if self.overdraws {
                memory.overdraw(wanted);
                self.beyond += wanted;
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
        if self.memory.is_none() {
            self.memory = Some(memory.clone());
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
        if let Some(memory) = &self.memory {
            memory.give_back(self);
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

#[cfg(test)]
mod tests;
