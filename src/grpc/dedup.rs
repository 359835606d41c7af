//! One `request_id`, one call (AIP-155): a second call with the same id joins the first or gets its answer.
//!
//! The work runs in a task of its own, so that it goes on when its first caller hangs up: that caller's retry must find
//! it. What surely did not start is forgotten at once; everything else is kept for a while, bounded in number and bytes.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::observe::CallFacts;
use crate::call::Call;
use crate::error::{Error, Execution, Faults, Kind};

/// How long, how many, how much.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// How long an answer is kept.
    pub duration: Duration,
    /// Ids remembered, those in flight included.
    pub max_entries: usize,
    /// Bytes of answers kept.
    pub max_bytes: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(600),
            max_entries: 10_000,
            max_bytes: 16 << 20,
        }
    }
}

/// The calls with a `request_id`.
#[derive(Debug, Default)]
pub struct Dedup {
    window: Window,
    state: Mutex<State>,
}

/// Operation, target, id.
pub(super) type Key = (&'static str, String, String);

/// What a call came to, as each of its callers gets it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<Bytes, Error>,
    pub(super) facts: CallFacts,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Ended calls, oldest first.
    ended: VecDeque<(Instant, Key, usize)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    fingerprint: u64,
    outcome: watch::Receiver<Option<Arc<Outcome>>>,
}

/// Takes a call off the books when its task ends without an outcome.
struct InFlight {
    dedup: Arc<Dedup>,
    key: Key,
    ended: bool,
}

impl Dedup {
    /// Remembers calls within `window`.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self {
            window,
            state: Mutex::default(),
        }
    }

    /// Joins the call with this key, or starts it with `work`. `message` is the whole request: another one under the
    /// same id is refused.
    pub(super) async fn run<F>(
        self: &Arc<Self>,
        key: Key,
        message: &[u8],
        deadline: Instant,
        work: impl FnOnce() -> F,
    ) -> Result<Arc<Outcome>, Error>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut outcome = self.enter(key, message, work)?;
        match timeout_at(deadline, outcome.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => Ok(outcome.clone().unwrap_or_else(|| Arc::new(lost()))),
            Ok(Err(_)) => Ok(Arc::new(lost())),
            Err(_) => Err(Call::out_of_time(Execution::Unknown)),
        }
    }

    fn enter<F>(
        self: &Arc<Self>,
        key: Key,
        message: &[u8],
        work: impl FnOnce() -> F,
    ) -> Result<watch::Receiver<Option<Arc<Outcome>>>, Error>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let fingerprint = fingerprint(message);
        let mut state = self.lock();
        state.forget(Instant::now(), &self.window);
        if let Some(entry) = state.entries.get(&key) {
            if entry.fingerprint != fingerprint {
                return Err(Faults::single(
                    "request_id",
                    "was used for a different request; use a new id for each request, and the same one only to repeat it.",
                ));
            }
            return Ok(entry.outcome.clone());
        }
        if state.entries.len() >= self.window.max_entries {
            return Err(full(self.window.max_entries));
        }
        let (sender, receiver) = watch::channel(None);
        state.entries.insert(
            key.clone(),
            Entry {
                fingerprint,
                outcome: receiver.clone(),
            },
        );
        drop(state);
        let mut in_flight = InFlight {
            dedup: Arc::clone(self),
            key,
            ended: false,
        };
        let work = work();
        tokio::spawn(async move {
            let outcome = Arc::new(work.await);
            in_flight.ended = true;
            in_flight.dedup.end(&in_flight.key, &outcome);
            sender.send_replace(Some(outcome));
        });
        Ok(receiver)
    }

    fn end(&self, key: &Key, outcome: &Outcome) {
        let mut state = self.lock();
        match &outcome.result {
            // Nothing happened, so that a repetition is a first call.
            Err(error) if error.execution == Execution::NotStarted => {
                state.entries.remove(key);
            }
            result => {
                let size = result.as_ref().map_or(256, Bytes::len);
                state.bytes += size;
                state.ended.push_back((Instant::now(), key.clone(), size));
                state.forget(Instant::now(), &self.window);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the books are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops ended calls that are too old, or too many, or too large together; never one in flight.
    fn forget(&mut self, now: Instant, window: &Window) {
        while let Some((at, ..)) = self.ended.front() {
            let crowded = self.entries.len() >= window.max_entries || self.bytes > window.max_bytes;
            if !crowded && now.duration_since(*at) < window.duration {
                return;
            }
            if let Some((_, key, size)) = self.ended.pop_front() {
                self.entries.remove(&key);
                self.bytes -= size;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.dedup.lock().entries.remove(&self.key);
        }
    }
}

fn fingerprint(message: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}

fn full(max: usize) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        "TOO_MANY_REQUEST_IDS",
        format!("{max} calls with a request_id are in flight, as many as the sidecar keeps; try again when some have ended."),
    )
    .transient(true)
    .with(|facts| facts.quota = Some(("sidecar".to_owned(), "request ids in flight".to_owned())))
}

fn lost() -> Outcome {
    let error = Error::new(
        Kind::Internal,
        "SIDECAR_BUG",
        "The call ended without an outcome; it is a bug of the sidecar.",
    )
    .execution(Execution::Unknown);
    Outcome {
        result: Err(error),
        facts: CallFacts::default(),
    }
}

#[cfg(test)]
mod tests;
