//! What the parts of one connection know of it, and the tasks of its calls.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::SEND_BUFFER;
use crate::grpc::PIECE;
use crate::memory::{Held, Memory};

/// What the parts of one connection know of it.
#[derive(Default)]
pub(super) struct Life {
    /// The caller has begun to speak HTTP/2.
    pub(super) begun: AtomicBool,
    /// Calls being answered.
    pub(super) calls: AtomicUsize,
    /// Calls so far: tells whether one came and went between two looks.
    pub(super) total: AtomicUsize,
    /// Calls that ended before they were answered, and how many of them make a look at the clock.
    abandoned: AtomicUsize,
    look_at: usize,
    /// When the last look was.
    looked: Mutex<Option<Instant>>,
    /// Too many of them within a second.
    pub(super) flooded: Notify,
    /// When the sending of the latest call's answer ends, for the task that carries it.
    latest: Mutex<Option<SendBy>>,
    /// Pieces of answers that were given up, and wait in the connection as long as its caller reads
    /// nothing at all.
    given_up: Mutex<Vec<Held>>,
    any_given_up: AtomicBool,
}

/// Known once the answer is there: when what has not been sent of it is of no use any more.
pub(super) type SendBy = Arc<OnceLock<Instant>>;

/// A call being answered; counted until it is dropped, however it ends.
pub(super) struct Calling {
    pub(super) life: Arc<Life>,
    pub(super) answered: bool,
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.life.calls.fetch_sub(1, Ordering::Relaxed);
        if !self.answered {
            self.life.abandoned();
        }
    }
}

/// Runs each call's task, and ends it when the time to send its answer is over: the stream is
/// reset, and what waits of the answer is freed.
#[derive(Clone)]
pub(super) struct Carrier {
    pub(super) life: Arc<Life>,
    pub(super) memory: Memory,
}

impl<F> hyper::rt::Executor<F> for Carrier
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, call: F) {
        let send_by = self.life.latest().take();
        let carrier = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = call => {}
                () = over(send_by) => carrier.give_up(),
            }
        });
    }
}

impl Carrier {
    /// Counts what the connection may still hold of an answer.
    fn give_up(&self) {
        let mut held = Held::default();
        held.add(&self.memory, SEND_BUFFER + PIECE);
        let mut given_up = self
            .life
            .given_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        given_up.push(held);
        self.life.any_given_up.store(true, Ordering::Relaxed);
    }
}

/// The end of the time to send an answer. No timer runs before the answer is there and the caller
/// does not take it at once.
async fn over(send_by: Option<SendBy>) {
    let mut timer = None;
    std::future::poll_fn(|context| {
        let Some(send_by) = send_by.as_ref().and_then(|send_by| send_by.get()) else {
            // The task that asks has just looked at the call, and does so again when there is an
            // answer.
            return Poll::Pending;
        };
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(*send_by)));
        timer.as_mut().poll(context)
    })
    .await;
}

impl Life {
    /// A connection whose caller may give up so many calls within a second.
    pub(super) fn new(look_at: usize) -> Self {
        Self {
            look_at,
            ..Self::default()
        }
    }

    /// A call ended before it was answered.
    fn abandoned(&self) {
        let before = self.abandoned.fetch_add(1, Ordering::Relaxed);
        if before + 1 < self.look_at {
            return;
        }
        self.abandoned.store(0, Ordering::Relaxed);
        let now = Instant::now();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let last = looked.replace(now);
        if last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            self.flooded.notify_one();
        }
    }

    /// Everything that waited has been written.
    pub(super) fn flushed(&self) {
        if self.any_given_up.load(Ordering::Relaxed) {
            self.any_given_up.store(false, Ordering::Relaxed);
            self.given_up
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
    }

    pub(super) fn latest(&self) -> MutexGuard<'_, Option<SendBy>> {
        // Nothing panics while it is held.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
