//! The keys in use, the key before them, and who waits for them: what calls read and the keeper
//! writes.
//!
//! Two keys can be live at once. The *present* one signs. The *other* one is the last that the
//! cloud is known to take; it stays at hand until the present one has proven itself for a while, so
//! that a call whose signature is refused, and which therefore did nothing, can be signed with it
//! once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::status::{Looks, Outcome, Status};
use super::{KeyPair, pace};
use crate::error::{Component, Error, Kind, reason};

/// One pair of keys. `generation` changes whenever the keys do, so that what was prepared from them
/// can be kept.
#[derive(Debug)]
pub struct Snapshot {
    /// Names the pair; 0 when there is none.
    pub generation: u64,
    /// The keys, or why there are none.
    pub keys: Result<KeyPair, String>,
    since: Instant,
    ends: Option<Instant>,
    proven: AtomicBool,
    /// Refused in a call when there was no other key to try.
    doubted: AtomicBool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    source: String,
    keep_previous: Duration,
    present: ArcSwap<Snapshot>,
    state: Mutex<State>,
    landed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    generations: u64,
    other: Option<Other>,
    /// A key that was refused in a call after it had been taken over: the keeper fetches it from
    /// here.
    suspect: Option<Arc<Snapshot>>,
    failed: Option<(Error, Instant)>,
    looks: Looks,
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Other {
    snapshot: Arc<Snapshot>,
    /// Set once the present key has proven itself.
    until: Option<Instant>,
}

impl Snapshot {
    /// When the keys end; `None` for those that do not.
    #[must_use]
    pub fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// Whether the cloud is known to have taken a signature of it.
    pub(super) fn proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    fn ended(&self) -> bool {
        self.ends.is_some_and(|ends| Instant::now() >= ends)
    }

    fn usable(&self) -> bool {
        self.keys.is_ok() && !self.ended()
    }
}

impl Store {
    /// Without keys, for the reason given.
    pub(super) fn new(source: String, keep_previous: Duration, why: String) -> Self {
        Self {
            source,
            keep_previous,
            present: ArcSwap::from_pointee(Snapshot {
                generation: 0,
                keys: Err(why),
                since: Instant::now(),
                ends: None,
                proven: AtomicBool::new(false),
                doubted: AtomicBool::new(false),
            }),
            state: Mutex::default(),
            landed: watch::Sender::new(()),
        }
    }

    /// The present keys, whatever their state.
    pub(super) fn present(&self) -> Arc<Snapshot> {
        self.present.load_full()
    }

    /// The present keys when they can sign.
    pub(super) fn usable(&self) -> bool {
        self.present.load().usable()
    }

    /// Why there are no keys: the reason of the last failure, for the callers of now.
    pub(super) fn missing(&self) -> Error {
        let present = self.present.load();
        if let Some((error, _)) = &self.lock().failed {
            return error.clone();
        }
        let why = match &present.keys {
            Err(why) => why.clone(),
            Ok(_) => "the keys have come to their end, and no new ones have come yet.".to_owned(),
        };
        no_credentials(&why)
    }

    /// True while a failure is too fresh to ask the source again.
    pub(super) fn pausing(&self) -> bool {
        let now = Instant::now();
        self.lock()
            .failed
            .as_ref()
            .is_some_and(|(_, until)| now < *until)
    }

    /// Wakes when the keeper has ended a look at the source; subscribe before asking.
    pub(super) fn landings(&self) -> watch::Receiver<()> {
        self.landed.subscribe()
    }

    /// Notes that someone asks the source out of turn; false when that was done within `pause`.
    pub(super) fn may_ask(&self, pause: Duration) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let may = state.asked.is_none_or(|asked| now >= asked + pause);
        if may {
            state.asked = Some(now);
        }
        may
    }

    /// Takes new keys into use. `proven`: the cloud has taken them already.
    pub(super) fn promote(&self, keys: KeyPair, life: Option<Duration>, proven: bool) {
        let now = Instant::now();
        {
            let mut state = self.lock();
            state.generations += 1;
            let fresh = Arc::new(Snapshot {
                generation: state.generations,
                keys: Ok(keys),
                since: now,
                ends: life.map(|life| now + life),
                proven: AtomicBool::new(proven),
                doubted: AtomicBool::new(false),
            });
            let old = self.present.swap(fresh);
            let until = proven.then(|| now + self.keep_previous);
            // A key that never proved itself does not push out one that did, and a refused one is
            // no way back.
            let doubted = old.doubted.load(Ordering::Relaxed);
            if old.usable() && !doubted && (old.proven() || state.other.is_none()) {
                state.other = Some(Other {
                    snapshot: old,
                    until,
                });
            } else if let Some(other) = &mut state.other {
                other.until = until;
            }
            state.failed = None;
            state.suspect = None;
        }
        self.report(Outcome::Rotated, None);
    }

    /// The same keys with a new end: some issuers hand out a pair several times.
    pub(super) fn extend(&self, life: Option<Duration>) {
        let now = Instant::now();
        {
            let mut state = self.lock();
            state.failed = None;
            let old = self.present.load_full();
            if let (Some(life), Ok(keys)) = (life, &old.keys) {
                self.present.store(Arc::new(Snapshot {
                    generation: old.generation,
                    keys: Ok(keys.clone()),
                    since: old.since,
                    ends: Some(now + life),
                    proven: AtomicBool::new(old.proven()),
                    doubted: AtomicBool::new(old.doubted.load(Ordering::Relaxed)),
                }));
            }
        }
        self.report(Outcome::Unchanged, None);
    }

    /// Notes a failed look at the source. Callers without keys are told `error` until `in_row`'s
    /// pause is over.
    pub(super) fn fail(&self, error: Error, in_row: u32) -> Duration {
        let pause = pace::pause(
            in_row,
            error.kind == Kind::Unauthenticated && error.http_status.is_some(),
        );
        let why = error.message.clone();
        if self.report(Outcome::Failed, Some(why.clone())) {
            warn!(source = %self.source, why, "credentials: the source gives no usable keys");
        }
        self.lock().failed = Some((error, Instant::now() + pause));
        pause
    }

    /// Notes how a look at the source ended; true when that is news.
    pub(super) fn report(&self, outcome: Outcome, why: Option<String>) -> bool {
        self.lock().looks.note(outcome, why)
    }

    /// Wakes whoever waits for the source.
    pub(super) fn land(&self) {
        self.landed.send_replace(());
    }

    /// The cloud took a signature of `generation`. Cheap when that is old news.
    pub(super) fn accepted(&self, generation: u64) {
        let present = self.present.load();
        if present.generation == generation {
            if present.proven() && !present.doubted.load(Ordering::Relaxed) {
                return;
            }
            let mut state = self.lock();
            present.doubted.store(false, Ordering::Relaxed);
            present.proven.store(true, Ordering::Relaxed);
            if let Some(other) = &mut state.other {
                other.until = Some(Instant::now() + self.keep_previous);
            }
        }
        // That the other key is good changes nothing until the present one is refused.
    }

    /// The cloud refused the present keys, and there are no others: they are no way back from the
    /// next ones.
    pub(super) fn doubt(&self, refused: u64) {
        let present = self.present.load();
        if present.generation == refused {
            present.doubted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether there are no usable keys, or only such as the cloud has refused.
    pub(super) fn wanting(&self) -> bool {
        let present = self.present.load();
        !present.usable() || present.doubted.load(Ordering::Relaxed)
    }

    /// Another key than the one that was refused: the newer one, unless it is untried and there is
    /// one that is not; or the one before.
    pub(super) fn alternative(&self, refused: u64) -> Option<Arc<Snapshot>> {
        let now = Instant::now();
        let state = self.lock();
        let present = self.present.load_full();
        let newer = (present.generation != refused && present.usable()).then_some(present);
        if newer.as_ref().is_some_and(|newer| newer.proven()) {
            return newer;
        }
        let before = state.other.as_ref().filter(|other| {
            other.snapshot.generation != refused
                && other.until.is_none_or(|until| now < until)
                && !other.snapshot.ended()
        });
        before.map(|before| Arc::clone(&before.snapshot)).or(newer)
    }

    /// The cloud refused `refused` and took `taken` for the same request: if `taken` is the key
    /// before, it is the present one again, and the refused one is for the keeper to try later.
    /// True when that happened.
    pub(super) fn fall_back(&self, refused: u64, taken: u64) -> bool {
        let (bad, good);
        {
            let mut state = self.lock();
            let present = self.present.load_full();
            let Some(other) = state.other.take_if(|other| {
                present.generation == refused && other.snapshot.generation == taken
            }) else {
                return false;
            };
            other.snapshot.proven.store(true, Ordering::Relaxed);
            good = other.snapshot.keys.as_ref().map(KeyPair::fingerprint).ok();
            bad = present.keys.as_ref().map(KeyPair::fingerprint).ok();
            self.present.store(other.snapshot);
            state.suspect = Some(present);
        }
        let why = "The cloud refused the newest key in a call and took the one before, which is in use again.";
        warn!(source = %self.source, refused = bad, in_use = good, "credentials: fell back to the key before");
        self.report(Outcome::FellBack, Some(why.to_owned()));
        true
    }

    /// A key that a call was refused with, for the keeper to try again.
    pub(super) fn take_suspect(&self) -> Option<Arc<Snapshot>> {
        self.lock().suspect.take()
    }

    /// Forgets a key before whose time is over; answers when the next is due.
    pub(super) fn prune(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        state.other.take_if(|other| {
            other.until.is_some_and(|until| now >= until) || other.snapshot.ended()
        });
        state.other.as_ref().and_then(|other| other.until)
    }

    /// What operators may know.
    pub(super) fn status(&self) -> Status {
        let present = self.present.load_full();
        let now = Instant::now();
        let ready = if present.usable() {
            Ok(())
        } else {
            Err(self.missing().message.clone())
        };
        let state = self.lock();
        Status {
            source: self.source.clone(),
            ready,
            fingerprint: present.keys.as_ref().map(KeyPair::fingerprint).ok(),
            age: present.keys.is_ok().then(|| now - present.since),
            expires_in: present.ends.map(|ends| ends.saturating_duration_since(now)),
            generation: present.generation,
            previous_kept: state.other.is_some(),
            last_refresh: state.looks.last.clone(),
            refreshes: state.looks.counts,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No key for a call: nothing was sent.
pub(super) fn no_credentials(why: &str) -> Error {
    Error::new(
        Kind::Unauthenticated,
        reason::CREDENTIALS_MISSING,
        format!("The sidecar has no credentials for this target: {why}"),
    )
    .component(Component::Sidecar)
}

#[cfg(test)]
mod tests;
