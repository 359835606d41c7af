//! A bounded number of requests in flight, and a bounded queue before them; the rest is refused
//! before work starts.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::settings::Limits;
use crate::call::Call;
use crate::error::{Error, Execution, Kind, Result, reason};
use crate::telemetry::metrics::Histogram;

mod turns;

use turns::{Place, Turns};

/// Bounds of the pause that a refused caller is told.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Time that a call is taken to hold its slot as long as none has given one back to the queue.
const UNKNOWN_HOLD: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Limiter {
    slots: Arc<Slots>,
    limits: Limits,
    /// Calls refused because the queue was full.
    pub(super) queue_full: AtomicU64,
    /// Calls refused because their turn did not come in time.
    pub(super) queue_timeout: AtomicU64,
    /// How long calls waited that had to.
    waits: Histogram,
}

#[derive(Debug)]
struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Slots that nobody holds; none while a call waits.
    free: usize,
    waiting: Turns<oneshot::Sender<Slot>>,
    /// Mean time that a call holds a slot, as seen while others wait.
    hold: Option<Duration>,
}

/// One request's leave to be in flight; when dropped it goes to the call whose turn it is.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    since: Instant,
}

/// A call in the queue; dropped, it leaves the queue.
struct Waiter {
    slots: Arc<Slots>,
    place: Place,
    slot: oneshot::Receiver<Slot>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        let state = State {
            free: limits.max_in_flight,
            waiting: Turns::new(),
            hold: None,
        };
        Self {
            slots: Arc::new(Slots(Mutex::new(state))),
            limits: *limits,
            queue_full: AtomicU64::new(0),
            queue_timeout: AtomicU64::new(0),
            waits: Histogram::new(&[]),
        }
    }

    /// The same, with the waits told to `waits`.
    pub(super) fn telling(self, waits: Histogram) -> Self {
        Self { waits, ..self }
    }

    /// Calls that hold a slot.
    pub(super) fn in_flight(&self) -> usize {
        self.limits
            .max_in_flight
            .saturating_sub(self.slots.lock().free)
    }

    /// Calls that wait for one.
    pub(super) fn queued(&self) -> usize {
        self.slots.lock().waiting.len()
    }

    /// The longest that a call waits for leave to send.
    pub(super) fn patience(&self, call: &Call) -> Duration {
        let left = call.remaining();
        self.limits
            .queue_timeout
            .map_or(left, |bound| bound.min(left))
    }

    /// Waits for a slot within the queue's bounds and the caller's deadline; callers and `action`s
    /// take turns, and calls of one caller and action are served in their order. A caller that goes
    /// away leaves the queue at once.
    pub(super) async fn enter(&self, call: &Call, action: &str) -> Result<Slot> {
        let waiter = {
            let mut state = self.slots.lock();
            if state.free > 0 {
                state.free -= 1;
                drop(state);
                return Ok(Slot::new(&self.slots));
            }
            if state.waiting.len() >= self.limits.max_queue {
                let pause = self.pause(&state);
                drop(state);
                self.queue_full.fetch_add(1, Ordering::Relaxed);
                let why = match self.limits.max_queue {
                    0 => "no call may wait for one (limits.max_queue is 0)".to_owned(),
                    queue => format!("{queue} calls wait already (limits.max_queue)"),
                };
                return Err(self.refused(reason::QUEUE_FULL, &why, pause));
            }
            let (sender, slot) = oneshot::channel();
            let mut hash = DefaultHasher::new();
            action.hash(&mut hash);
            Waiter {
                place: state.waiting.add(call.caller, hash.finish(), sender),
                slots: Arc::clone(&self.slots),
                slot,
            }
        };
        self.wait(waiter, call).await
    }

    async fn wait(&self, mut waiter: Waiter, call: &Call) -> Result<Slot> {
        let patience = self.patience(call);
        let began = Instant::now();
        let waited = tokio::time::timeout(patience, &mut waiter.slot).await;
        self.waits.observe_time(began.elapsed());
        match waited {
            Ok(Ok(slot)) => Ok(slot),
            _ if call.remaining().is_zero() => Err(Call::out_of_time(Execution::NotStarted)),
            _ => {
                self.queue_timeout.fetch_add(1, Ordering::Relaxed);
                let pause = self.pause(&self.slots.lock());
                let why = format!("none came free within {} ms", patience.as_millis());
                Err(self.refused(reason::QUEUE_TIMEOUT, &why, pause))
            }
        }
    }

    /// When a refused caller may find room: the time in which the queue is served, half as much
    /// more or less at random, so that callers that were refused together do not come back
    /// together.
    fn pause(&self, state: &State) -> Duration {
        let hold = state.hold.unwrap_or(UNKNOWN_HOLD).as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "calls at once are far below 2^53"
        )]
        let rounds =
            (state.waiting.len().max(1) as f64) / (self.limits.max_in_flight.max(1) as f64);
        let pause = hold * rounds * (0.5 + fastrand::f64());
        let pause = Duration::try_from_secs_f64(pause)
            .unwrap_or(LONGEST_PAUSE)
            .clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        // Whole milliseconds, as gRPC's own pushback has them.
        pause - Duration::from_nanos(u64::from(pause.subsec_nanos() % 1_000_000))
    }

    fn refused(&self, reason: &'static str, why: &str, pause: Duration) -> Error {
        let slots = self.limits.max_in_flight;
        Error::new(
            Kind::ResourceExhausted,
            reason,
            format!(
                "Nothing was sent: all slots of this target are taken ({slots}, limits.max_in_flight), and {why}. Slow down, or \
                 raise these limits if the cloud can take more."
            ),
        )
        .transient(true)
        .with(|facts| {
            facts.retry_after = Some(pause);
            facts.quota = Some(("target".to_owned(), format!("limits.max_in_flight: {slots} calls, and {why}")));
        })
    }
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn new(slots: &Arc<Slots>) -> Self {
        Self {
            slots: Arc::clone(slots),
            since: Instant::now(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let next = {
            let mut state = self.slots.lock();
            let Some(next) = state.waiting.next() else {
                state.free += 1;
                return;
            };
            state.note_hold(self.since.elapsed());
            next
        };
        // Not under the lock: when the waiter has just gone away, the slot is dropped here and goes
        // to the next one.
        drop(next.send(Slot::new(&self.slots)));
    }
}

impl State {
    /// A moving mean: the latest sixteen or so.
    fn note_hold(&mut self, held: Duration) {
        self.hold = Some(match self.hold {
            Some(mean) => (mean * 15 + held) / 16,
            None => held,
        });
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.slots.lock().waiting.remove(self.place);
    }
}

#[cfg(test)]
mod tests;
