//! A circuit breaker of two signals: failures in a row, and the share of successes in a rolling
//! window.
//!
//! It counts signs of a sick upstream alone (`Sign::of`): lost connections, attempts that ran out
//! of their own time, 5xx of gateway and service. An answer that refuses (4xx, 429), a function
//! that failed, or a failure of one resource shows an upstream that works; a caller that goes away
//! or brought a short deadline shows nothing.
//!
//! While it is open calls are refused before anything is sent, but for one probe a pause. The
//! pauses double, with jitter, so that many sidecars do not probe at the same moment. A run can
//! take minutes, so a probe that takes longer than the next pause does not hold up the one after
//! it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Breaker as Rules;
use crate::error::{Component, Error, Kind, Result, Scope, reason};

mod window;

use window::Window;

/// One target's circuit, shared by all threads.
#[derive(Debug)]
pub(super) struct Breaker {
    rules: Rules,
    /// Mirrors `State::circuit`, so that the usual case takes no lock.
    open: AtomicBool,
    state: Mutex<State>,
    /// Times that it opened.
    pub(super) opened: AtomicU64,
    /// Times that it closed again.
    pub(super) closed: AtomicU64,
    /// Calls refused.
    pub(super) refused: AtomicU64,
}

#[derive(Debug)]
struct State {
    circuit: Circuit,
    /// Failures since the last good sign; those that were in flight together count as one.
    in_row: u32,
    last_failure: Option<Instant>,
    window: Window,
}

#[derive(Debug)]
enum Circuit {
    Closed,
    Open {
        next_probe: Instant,
        /// Pauses so far, this one included.
        pauses: u32,
        /// Probes under way.
        probes: u32,
    },
}

/// What an attempt showed of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It works.
    Good,
    /// It is sick.
    Bad,
    /// Neither.
    None,
}

/// Leave for one attempt; dropped without [`Pass::record`] it gives a probe's place back.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    /// When leave was given.
    pub(super) began: Instant,
    probe: bool,
}

/// The circuit as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// Calls are refused while a probe is under way.
    HalfOpen,
}

impl Sign {
    pub(super) fn of(error: &Error) -> Self {
        match (error.component, error.http_status) {
            (Component::Network, _) if error.unprocessed => Self::None,
            (Component::Network, _) => Self::Bad,
            (Component::Sidecar, _) | (_, None) => Self::None,
            (Component::Gateway | Component::Service, Some(500..))
                if error.scope == Scope::Upstream =>
            {
                Self::Bad
            }
            _ => Self::Good,
        }
    }
}

impl Breaker {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            rules: *rules,
            open: AtomicBool::new(false),
            state: Mutex::new(State {
                circuit: Circuit::Closed,
                in_row: 0,
                last_failure: None,
                window: Window::new(rules.window, Instant::now()),
            }),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Refuses a call that [`Breaker::pass`] would refuse now; takes no probe's place.
    pub(super) fn check(&self) -> Result<()> {
        if !self.open.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.lock().circuit {
            Circuit::Open { next_probe, .. } => self.refuse_before(next_probe, Instant::now()),
            Circuit::Closed => Ok(()),
        }
    }

    /// Leave for one attempt, perhaps as a probe.
    pub(super) fn pass(&self) -> Result<Pass<'_>> {
        let now = Instant::now();
        let mut pass = Pass {
            breaker: self,
            began: now,
            probe: false,
        };
        if !self.open.load(Ordering::Relaxed) {
            return Ok(pass);
        }
        if let Circuit::Open {
            next_probe,
            pauses,
            probes,
        } = &mut self.lock().circuit
        {
            self.refuse_before(*next_probe, now)?;
            *pauses += 1;
            *probes += 1;
            *next_probe = now + self.pause(*pauses);
            pass.probe = true;
        }
        Ok(pass)
    }

    pub(super) fn circuit(&self) -> CircuitState {
        match self.lock().circuit {
            Circuit::Closed => CircuitState::Closed,
            Circuit::Open { probes: 0, .. } => CircuitState::Open,
            Circuit::Open { .. } => CircuitState::HalfOpen,
        }
    }

    fn refuse_before(&self, next_probe: Instant, now: Instant) -> Result<()> {
        let wait = next_probe.saturating_duration_since(now);
        if wait.is_zero() {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(refused(wait))
    }

    /// From half to the whole of a bound that doubles.
    fn pause(&self, number: u32) -> Duration {
        let doubled = 1_u32.checked_shl(number - 1).unwrap_or(u32::MAX);
        let bound = self
            .rules
            .open
            .saturating_mul(doubled)
            .min(self.rules.max_open);
        bound.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    fn record(&self, sign: Sign, pass: &Pass<'_>) {
        if !self.rules.enabled {
            return;
        }
        let now = Instant::now();
        let mut state = self.lock();
        let state = &mut *state;
        if pass.probe {
            self.record_probe(sign, state, now);
        }
        if !matches!(state.circuit, Circuit::Closed) {
            return;
        }
        match sign {
            Sign::None => {}
            Sign::Good => {
                state.in_row = 0;
                state.window.now(now).good += 1;
            }
            Sign::Bad => {
                state.window.now(now).bad += 1;
                // One connection that breaks takes all of its requests with it, which is one
                // failure, not a hundred.
                if state.last_failure.is_none_or(|last| pass.began >= last) {
                    state.in_row += 1;
                    state.last_failure = Some(now);
                }
                if self.trips(state) {
                    state.circuit = Circuit::Open {
                        next_probe: now + self.pause(1),
                        pauses: 1,
                        probes: 0,
                    };
                    self.open.store(true, Ordering::Relaxed);
                    self.opened.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn record_probe(&self, sign: Sign, state: &mut State, now: Instant) {
        let Circuit::Open {
            next_probe,
            pauses,
            probes,
        } = &mut state.circuit
        else {
            return;
        };
        *probes -= 1;
        match sign {
            Sign::Bad => *next_probe = now + self.pause(*pauses),
            // It showed nothing, so the next call may probe at once.
            Sign::None => {
                *pauses = (*pauses - 1).max(1);
                *next_probe = now;
            }
            Sign::Good => {
                state.circuit = Circuit::Closed;
                state.window.clear();
                self.open.store(false, Ordering::Relaxed);
                self.closed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn trips(&self, state: &State) -> bool {
        if self.rules.consecutive_failures > 0 && state.in_row >= self.rules.consecutive_failures {
            return true;
        }
        let sum = state.window.sum();
        let all = sum.good.saturating_add(sum.bad);
        all >= self.rules.min_requests
            && f64::from(sum.good) < f64::from(all) * self.rules.success_rate
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the counts are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Notes what the attempt showed.
    pub(super) fn record(mut self, sign: Sign) {
        self.breaker.record(sign, &self);
        self.probe = false;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.record(Sign::None, self);
        }
    }
}

fn refused(wait: Duration) -> Error {
    // Rounded up: a caller that comes a moment too early would be refused once more.
    let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Error::new(
        Kind::Unavailable,
        reason::CIRCUIT_OPEN,
        format!(
            "Nothing was sent: the target's recent requests failed, so the sidecar gives it a pause; the next one is let \
             through in {millis} ms."
        ),
    )
    .transient(true)
    .with(|facts| facts.retry_after = Some(Duration::from_millis(millis)))
}

#[cfg(test)]
mod tests;
