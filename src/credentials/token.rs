//! Something that is fetched, used for a while, and fetched again before it ends: tokens and
//! temporary keys.
//!
//! Knows no cloud. One fetch is in flight at a time, whoever asks; it runs by itself, so that a
//! caller who goes away stops nobody else's. While the old value is good it is handed out and never
//! waited for; a failed fetch keeps it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::pace;
use super::status::{Looks, Outcome, Status};
use crate::error::{Component, Error, Kind, Result, reason};

/// A value that is refused so soon after it was fetched would be refused again if fetched again.
const TOO_YOUNG: Duration = Duration::from_secs(10);
/// Where values come from.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// What is fetched.
    type Value: Send + Sync + 'static;

    /// Where it comes from, in a few words, without any value.
    fn describe(&self) -> String;

    /// Fetches a value, within a time of its own.
    ///
    /// # Errors
    /// Why there is none; handed to every caller that waits.
    async fn fetch(&self) -> Result<Fetched<Self::Value>>;
}

/// A value with its life, as its issuer counts it: no clock of ours is asked.
#[derive(Debug)]
pub struct Fetched<V> {
    /// The value.
    pub value: V,
    /// How long it lives from now.
    pub life: Duration,
}

/// A value in use.
#[derive(Debug)]
pub struct Held<V> {
    /// The value.
    pub value: V,
    /// Counts fetches; names this value to [`Renewing::renew`].
    pub generation: u64,
    /// When it came.
    pub fetched: Instant,
    renew: Instant,
    /// When its life is over.
    pub ends: Instant,
}

/// The current value of one source; cheap to clone and to read.
pub struct Renewing<F: Fetch>(Arc<Shared<F>>);

struct Shared<F: Fetch> {
    source: F,
    held: ArcSwapOption<Held<F::Value>>,
    state: Mutex<State>,
    landed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    flying: bool,
    generation: u64,
    failed: Option<Failed>,
    looks: Looks,
}

struct Failed {
    error: Error,
    in_row: u32,
    until: Instant,
}

impl<F: Fetch> Renewing<F> {
    /// A source that is first asked when someone needs its value.
    #[must_use]
    pub fn new(source: F) -> Self {
        Self(Arc::new(Shared {
            source,
            held: ArcSwapOption::empty(),
            state: Mutex::default(),
            landed: watch::Sender::new(()),
        }))
    }

    /// What fetches.
    #[must_use]
    pub fn source(&self) -> &F {
        &self.0.source
    }

    /// What is held now, good or not; nothing is fetched.
    #[must_use]
    pub fn held(&self) -> Option<Arc<Held<F::Value>>> {
        self.0.held.load_full()
    }

    /// The value; waits for a fetch until `deadline` only when there is no good one.
    ///
    /// # Errors
    /// Why the fetch failed, or `DeadlineExceeded` when it has not ended.
    pub async fn get(&self, deadline: Instant) -> Result<Arc<Held<F::Value>>> {
        let now = Instant::now();
        match self.0.held.load_full() {
            Some(held) if now < held.renew => Ok(held),
            Some(held) if now < held.ends => {
                // In the background; when that fails, the next call after a pause tries again.
                let _ = self.launch(&mut self.0.lock());
                Ok(held)
            }
            _ => self.fetched_after(0, deadline).await,
        }
    }

    /// A value newer than `generation`, which was refused; or the same, when that one was new
    /// already.
    ///
    /// # Errors
    /// As [`Renewing::get`].
    pub async fn renew(&self, generation: u64, deadline: Instant) -> Result<Arc<Held<F::Value>>> {
        match self.0.held.load_full() {
            Some(held) if held.generation > generation || held.fetched.elapsed() < TOO_YOUNG => {
                Ok(held)
            }
            _ => self.fetched_after(generation, deadline).await,
        }
    }

    /// What operators may know.
    #[must_use]
    pub fn status(&self) -> Status {
        let now = Instant::now();
        let held = self.0.held.load_full();
        let state = self.0.lock();
        let good = held.as_ref().filter(|held| now < held.ends);
        let ready = match (good, &state.failed) {
            (None, Some(failed)) => Err(failed.error.message.clone()),
            // Nobody has asked yet, or it ended while nobody called: the next call fetches one.
            _ => Ok(()),
        };
        Status {
            source: self.0.source.describe(),
            ready,
            fingerprint: None,
            age: good.map(|held| now - held.fetched),
            expires_in: good.map(|held| held.ends - now),
            generation: good.map_or(0, |held| held.generation),
            previous_kept: false,
            last_refresh: state.looks.last.clone(),
            refreshes: state.looks.counts,
        }
    }

    async fn fetched_after(
        &self,
        generation: u64,
        deadline: Instant,
    ) -> Result<Arc<Held<F::Value>>> {
        // Subscribed before the look, so that a landing in between is not missed.
        let mut landed = self.0.landed.subscribe();
        {
            let mut state = self.0.lock();
            if let Some(held) = self.0.good(generation) {
                return Ok(held);
            }
            self.launch(&mut state)?;
        }
        if timeout_at(deadline, landed.changed()).await.is_err() {
            return Err(waited_too_long());
        }
        self.0
            .good(generation)
            .ok_or_else(|| match &self.0.lock().failed {
                Some(failed) => failed.error.clone(),
                None => waited_too_long(),
            })
    }

    /// Starts a fetch unless one flies.
    fn launch(&self, state: &mut State) -> Result<()> {
        if state.flying {
            return Ok(());
        }
        if let Some(failed) = state
            .failed
            .as_ref()
            .filter(|failed| Instant::now() < failed.until)
        {
            return Err(failed.error.clone());
        }
        state.flying = true;
        let landing = Landing(Arc::clone(&self.0));
        tokio::spawn(async move {
            let outcome = landing.0.source.fetch().await;
            landing.0.keep(outcome);
        });
        Ok(())
    }
}

/// However a fetch ends, a panic included, nobody is left waiting.
struct Landing<F: Fetch>(Arc<Shared<F>>);

impl<F: Fetch> Drop for Landing<F> {
    fn drop(&mut self) {
        self.0.lock().flying = false;
        self.0.landed.send_replace(());
    }
}

impl<F: Fetch> Shared<F> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self, generation: u64) -> Option<Arc<Held<F::Value>>> {
        self.held
            .load_full()
            .filter(|held| held.generation > generation && Instant::now() < held.ends)
    }

    fn keep(&self, outcome: Result<Fetched<F::Value>>) {
        let now = Instant::now();
        let mut state = self.lock();
        let (word, why) = match &outcome {
            Ok(_) => (Outcome::Rotated, None),
            Err(error) => (Outcome::Failed, Some(error.message.clone())),
        };
        state.looks.note(word, why);
        match outcome {
            Ok(Fetched { value, life }) => {
                state.generation += 1;
                state.failed = None;
                self.held.store(Some(Arc::new(Held {
                    value,
                    generation: state.generation,
                    fetched: now,
                    renew: now + life.saturating_sub(pace::ahead(life)),
                    ends: now + life,
                })));
            }
            Err(error) => {
                let in_row = state.failed.as_ref().map_or(0, |failed| failed.in_row) + 1;
                let pause = pace::pause(in_row, error.kind == Kind::Unauthenticated);
                state.failed = Some(Failed {
                    error,
                    in_row,
                    until: now + pause,
                });
            }
        }
    }
}

impl<F: Fetch> Clone for Renewing<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Fetch> fmt::Debug for Renewing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.0.held.load().as_ref().map(|held| held.generation);
        f.debug_struct("Renewing")
            .field("generation", &generation)
            .finish_non_exhaustive()
    }
}

fn waited_too_long() -> Error {
    Error::new(
        Kind::DeadlineExceeded,
        reason::TOKEN_NOT_IN_TIME,
        "The call ran out of time while the sidecar waited for its own login; nothing was sent.",
    )
    .component(Component::Sidecar)
}

#[cfg(test)]
mod tests;
