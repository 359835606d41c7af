//! One `request_id`, one call (AIP-155): a second call with the same id joins the first or gets its
//! answer.
//!
//! The work runs in a task of its own, so that it goes on when its first caller hangs up: that
//! caller's retry must find it. A shutdown waits for such tasks too. What may be started again is
//! forgotten at once; everything else is kept for a while, bounded in number and bytes. When
//! answers outgrow their bytes the oldest lose their content and keep their id, so that nothing
//! runs twice for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::call::{Call, StartListener};
use crate::error::{Error, Execution, Faults, Kind, reason};
use crate::telemetry::metrics::Repeats;

mod key;
mod outcome;

pub(super) use key::{Key, check_request_id, fingerprint};
pub(super) use outcome::Outcome;
use outcome::lost;

/// How long, how many, how much.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// How long an answer is kept.
    pub duration: Duration,
    /// Ids remembered, those in flight included; beyond that the oldest ended one is forgotten
    /// before its time.
    pub max_entries: usize,
    /// Bytes of answers kept; beyond that the oldest lose their content. An id without its answer
    /// takes about half a KiB.
    pub max_bytes: usize,
}

/// The calls with a `request_id`.
#[derive(Debug)]
pub struct Dedup {
    window: Window,
    counts: Repeats,
    /// Calls in flight.
    running: watch::Sender<usize>,
    state: Mutex<State>,
}

/// A call in flight.
#[derive(Debug)]
pub struct Running {
    /// Operation, target and `package/action`.
    pub about: String,
    /// When it started.
    pub since: Instant,
    /// The first digits of its key's hash; tells calls with different request ids apart without
    /// showing the ids.
    pub key: String,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Ended calls, oldest first.
    ended: VecDeque<Ended>,
    /// So many of the oldest have lost their content.
    emptied: usize,
    bytes: usize,
    /// When the operator was told that ids are forgotten early.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Ended {
    at: Instant,
    key: Key,
    size: usize,
}

#[derive(Debug)]
struct Entry {
    /// SHA-256 of the whole request: to be answered with another's outcome is worse than the
    /// microsecond.
    fingerprint: [u8; 32],
    progress: watch::Receiver<Progress>,
    /// What it is about, and since when; only while it is in flight.
    running: Option<(String, Instant)>,
}

/// How far a call has come, for everyone who waits for it.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The run that it waits for.
    started: Option<Arc<str>>,
    outcome: Option<Arc<Outcome>>,
}

/// Tells everyone who waits for a call of its run.
#[derive(Debug)]
struct Begun(watch::Sender<Progress>);

impl StartListener for Begun {
    fn started(&self, activation_id: &str) {
        self.0
            .send_modify(|progress| progress.started = Some(activation_id.into()));
    }
}

/// Books a call as lost when its task ends without an outcome, as by a panic: it may have run.
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
            counts: Repeats::default(),
            running: watch::Sender::new(0),
            state: Mutex::default(),
        }
    }

    /// True when a call with a `request_id` is in flight, or its answer remembered.
    pub(super) fn remembers_any(&self) -> bool {
        !self.lock().entries.is_empty()
    }

    /// The same, counted.
    #[must_use]
    pub fn counted(self, counts: Repeats) -> Self {
        Self { counts, ..self }
    }

    /// Waits until no call is in flight, whether or not somebody waits for it.
    pub async fn ended(&self) {
        // The sender lives as long as this.
        let _ = self
            .running
            .subscribe()
            .wait_for(|running| *running == 0)
            .await;
    }

    /// The calls in flight, oldest first.
    #[must_use]
    pub fn running(&self) -> Vec<Running> {
        let mut running: Vec<_> = self
            .lock()
            .entries
            .iter()
            .filter_map(|(key, entry)| {
                let (about, since) = entry.running.clone()?;
                let key = hex::encode(&key.0[..4]);
                Some(Running { about, since, key })
            })
            .collect();
        running.sort_by_key(|running| running.since);
        running
    }

    /// Joins the call with this key, or starts it with `work`, which tells its listener of its run.
    /// `fingerprint` is that of the whole request: another one under the same id is refused.
    /// `about` says in the log what the call is. `caller` hears of the run as soon as it is known,
    /// whoever started it.
    pub(super) async fn run<F>(
        self: &Arc<Self>,
        key: Key,
        fingerprint: [u8; 32],
        deadline: Instant,
        about: String,
        caller: Option<&dyn StartListener>,
        work: impl FnOnce(Arc<dyn StartListener>) -> F,
    ) -> Result<Arc<Outcome>, Error>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut progress = self.enter(key, fingerprint, about, work)?;
        let outcome = async {
            loop {
                let Progress { started, outcome } = progress.borrow_and_update().clone();
                if let (Some(id), Some(caller)) = (started, caller) {
                    caller.started(&id);
                }
                if let Some(outcome) = outcome {
                    return outcome;
                }
                if progress.changed().await.is_err() {
                    return Arc::new(lost());
                }
            }
        };
        timeout_at(deadline, outcome)
            .await
            .map_err(|_| Call::out_of_time(Execution::Unknown))
    }

    fn enter<F>(
        self: &Arc<Self>,
        key: Key,
        fingerprint: [u8; 32],
        about: String,
        work: impl FnOnce(Arc<dyn StartListener>) -> F,
    ) -> Result<watch::Receiver<Progress>, Error>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut state = self.lock();
        state.forget(Instant::now(), &self.window, 0);
        if let Some(entry) = state.entries.get(&key) {
            if entry.fingerprint != fingerprint {
                self.counts.refused.inc();
                return Err(Faults::single(
                    "request_id",
                    "was used for a different request; use a new id for each request, and the same one only to repeat it.",
                ));
            }
            let ended = entry.progress.borrow().outcome.is_some();
            let count = if ended {
                &self.counts.answered
            } else {
                &self.counts.joined
            };
            count.inc();
            return Ok(entry.progress.clone());
        }
        state.forget(Instant::now(), &self.window, 1);
        if state.entries.len() >= self.window.max_entries {
            self.counts.refused.inc();
            return Err(full(self.window.max_entries));
        }
        self.counts.started.inc();
        let (sender, receiver) = watch::channel(Progress::default());
        state.entries.insert(
            key,
            Entry {
                fingerprint,
                progress: receiver.clone(),
                running: Some((about, Instant::now())),
            },
        );
        drop(state);
        self.running.send_modify(|running| *running += 1);
        let mut in_flight = InFlight {
            dedup: Arc::clone(self),
            key,
            ended: false,
        };
        let begun = Arc::new(Begun(sender));
        let work = work(Arc::clone(&begun) as Arc<dyn StartListener>);
        tokio::spawn(async move {
            let outcome = Arc::new(work.await);
            in_flight.ended = true;
            in_flight.dedup.end(in_flight.key, &outcome);
            // Whoever joined before keeps what it waits for, whatever the books have room for.
            begun
                .0
                .send_modify(|progress| progress.outcome = Some(outcome));
        });
        Ok(receiver)
    }

    fn end(&self, key: Key, outcome: &Outcome) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.get_mut(&key) {
            entry.running = None;
        }
        if outcome.may_start_again() {
            state.entries.remove(&key);
            return;
        }
        let size = outcome.size();
        state.bytes += size;
        state.ended.push_back(Ended {
            at: Instant::now(),
            key,
            size,
        });
        state.forget(Instant::now(), &self.window, 0);
        state.empty(&self.window, (key, outcome));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the books are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops ended calls that are too old, and the oldest of them until there is room for so many
    /// more; never one in flight.
    fn forget(&mut self, now: Instant, window: &Window, room: usize) {
        while let Some(oldest) = self.ended.front() {
            let crowded = self.entries.len() + room > window.max_entries;
            let old = now.duration_since(oldest.at) >= window.duration;
            if !crowded && !old {
                return;
            }
            if !old
                && self
                    .told
                    .is_none_or(|told| now.duration_since(told) >= window.duration)
            {
                self.told = Some(now);
                warn!(
                    max_entries = window.max_entries,
                    "request ids are forgotten before their window is over, and a repeated call may run twice: raise request_ids.max_entries"
                );
            }
            if let Some(Ended { key, size, .. }) = self.ended.pop_front() {
                self.entries.remove(&key);
                self.bytes -= size;
                self.emptied = self.emptied.saturating_sub(1);
            }
        }
    }

    /// Takes the oldest answers' content while all together are too large. The newest is not in its
    /// channel yet.
    fn empty(&mut self, window: &Window, (newest, outcome): (Key, &Outcome)) {
        while self.bytes > window.max_bytes {
            let Some(oldest) = self.ended.get_mut(self.emptied) else {
                return;
            };
            self.emptied += 1;
            self.bytes -= oldest.size;
            oldest.size = 0;
            if let Some(entry) = self.entries.get_mut(&oldest.key) {
                let mut progress = entry.progress.borrow().clone();
                let emptied = match &progress.outcome {
                    _ if oldest.key == newest => outcome.emptied(),
                    Some(kept) => kept.emptied(),
                    None => continue,
                };
                progress.outcome = Some(Arc::new(emptied));
                entry.progress = watch::channel(progress).1;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.dedup.end(self.key, &lost());
        }
        self.dedup.running.send_modify(|running| *running -= 1);
    }
}

fn full(max: usize) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        reason::TOO_MANY_REQUEST_IDS,
        format!("{max} calls with a request_id are in flight, as many as the sidecar keeps; try again when some have ended."),
    )
    .transient(true)
    .with(|facts| facts.quota = Some(("sidecar".to_owned(), "request ids in flight".to_owned())))
}

#[cfg(test)]
mod tests;
