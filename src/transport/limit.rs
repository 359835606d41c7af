//! A bounded number of requests in flight, and a bounded queue before them; the rest is refused before work starts.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::settings::Limits;
use crate::call::Call;
use crate::error::{Error, Execution, Kind, Result};
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
        self.limits.max_in_flight.saturating_sub(self.slots.lock().free)
    }

    /// Calls that wait for one.
    pub(super) fn queued(&self) -> usize {
        self.slots.lock().waiting.len()
    }

    /// The longest that a call waits for leave to send.
    pub(super) fn patience(&self, call: &Call) -> Duration {
        let left = call.remaining();
        self.limits.queue_timeout.map_or(left, |bound| bound.min(left))
    }

    /// Waits for a slot within the queue's bounds and the caller's deadline; callers and `action`s take turns, and calls
    /// of one caller and action are served in their order. A caller that goes away leaves the queue at once.
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
                return Err(self.refused("QUEUE_FULL", &why, pause));
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
                Err(self.refused("QUEUE_TIMEOUT", &why, pause))
            }
        }
    }

    /// When a refused caller may find room: the time in which the queue is served, half as much more or less at random,
    /// so that callers that were refused together do not come back together.
    fn pause(&self, state: &State) -> Duration {
        let hold = state.hold.unwrap_or(UNKNOWN_HOLD).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "calls at once are far below 2^53")]
        let rounds = (state.waiting.len().max(1) as f64) / (self.limits.max_in_flight.max(1) as f64);
        let pause = hold * rounds * (0.5 + fastrand::f64());
        Duration::try_from_secs_f64(pause)
            .unwrap_or(LONGEST_PAUSE)
            .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
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
        // Not under the lock: when the waiter has just gone away, the slot is dropped here and goes to the next one.
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
mod tests {
    use super::*;

    fn call(seconds: u64) -> Call {
        Call::new(Instant::now() + Duration::from_secs(seconds))
    }

    fn limiter(max_in_flight: usize, max_queue: usize) -> Limiter {
        Limiter::new(&Limits {
            max_in_flight,
            max_queue,
            queue_timeout: Some(Duration::from_secs(1)),
            max_response_size: 1,
            adaptive_rate: false,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once_and_a_wait_ends() {
        let limiter = limiter(1, 1);
        let held = limiter.enter(&call(60), "/a").await.unwrap();
        let (first, second) = (call(60), call(60));
        let (waited, full) = tokio::join!(limiter.enter(&first, "/a"), limiter.enter(&second, "/a"));
        assert_eq!(waited.unwrap_err().reason, "QUEUE_TIMEOUT");
        let full = full.unwrap_err();
        assert_eq!(full.reason, "QUEUE_FULL");
        assert!(
            full.message.contains("calls wait already (limits.max_queue)"),
            "{}",
            full.message
        );
        drop(held);
        assert!(limiter.enter(&call(60), "/a").await.is_ok());
        assert_eq!(limiter.queued(), 0);
    }

    #[tokio::test]
    async fn without_a_queue_the_refusal_says_so() {
        let limiter = limiter(1, 0);
        let _held = limiter.enter(&call(60), "/a").await.unwrap();
        let full = limiter.enter(&call(60), "/a").await.unwrap_err();
        assert!(full.message.contains("limits.max_queue is 0"), "{}", full.message);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_ends_in_the_queue_is_out_of_time() {
        let limiter = limiter(1, 1);
        let _held = limiter.enter(&call(60), "/a").await.unwrap();
        let caller = Call::new(Instant::now() + Duration::from_millis(500));
        assert_eq!(
            limiter.enter(&caller, "/a").await.unwrap_err().kind,
            Kind::DeadlineExceeded
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_over_is_refused_at_once() {
        let limiter = limiter(1, 1);
        let _held = limiter.enter(&call(60), "/a").await.unwrap();
        let before = Instant::now();
        let error = limiter.enter(&call(0), "/a").await.unwrap_err();
        assert_eq!(
            (error.kind, error.execution),
            (Kind::DeadlineExceeded, Execution::NotStarted)
        );
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first_and_nobody_passes_the_queue() {
        let limiter = limiter(1, 10);
        let held = limiter.enter(&call(60), "/a").await.unwrap();
        let served = Mutex::new(Vec::new());
        let wait = |name: &'static str, call: Call| {
            let (limiter, served) = (&limiter, &served);
            async move {
                let _slot = limiter.enter(&call, "/a").await.unwrap();
                served.lock().unwrap().push(name);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let late = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert_eq!((limiter.queued(), limiter.in_flight()), (3, 1));
            drop(held);
            // The slot is free for nobody but the first in the queue, even now.
            wait("late", call(60)).await;
        };
        tokio::join!(
            wait("first", call(60)),
            wait("second", call(60)),
            wait("third", call(60)),
            late
        );
        assert_eq!(*served.lock().unwrap(), ["first", "second", "third", "late"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_gives_its_place_back() {
        let limiter = limiter(1, 1);
        let _held = limiter.enter(&call(60), "/a").await.unwrap();
        let caller = call(60);
        let gone = tokio::time::timeout(Duration::from_millis(10), limiter.enter(&caller, "/a")).await;
        assert!(gone.is_err());
        assert_eq!(limiter.queued(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_of_its_own_a_call_waits_as_long_as_its_deadline_allows() {
        let mut limiter = limiter(1, 1);
        limiter.limits.queue_timeout = None;
        let held = limiter.enter(&call(600), "/a").await.unwrap();
        let caller = call(300);
        let free = async {
            tokio::time::sleep(Duration::from_secs(299)).await;
            drop(held);
        };
        let (entered, ()) = tokio::join!(limiter.enter(&caller, "/a"), free);
        entered.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_of_another_caller_or_action_gets_the_next_slot_beside_hundreds() {
        let mut limiter = limiter(1, 1000);
        limiter.limits.queue_timeout = None;
        let held = limiter.enter(&call(600), "/slow").await.unwrap();
        let (limiter, served) = (&limiter, &Mutex::new(Vec::new()));
        let wait = |caller: u64, action: &'static str, name: &'static str| async move {
            let mut call = call(600);
            call.caller = caller;
            let _slot = limiter.enter(&call, action).await.unwrap();
            served.lock().unwrap().push(name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let flood = (0..400).map(|_| wait(1, "/slow", "flood"));
        let others = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let free = async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                drop(held);
            };
            tokio::join!(wait(1, "/fast", "action"), wait(2, "/slow", "caller"), free);
        };
        tokio::join!(futures_util::future::join_all(flood), others);
        let served = served.lock().unwrap();
        let at = |name: &str| served.iter().position(|served| *served == name).unwrap();
        assert!(at("action") < 5 && at("caller") < 5, "{:?}", &served[..10]);
        assert_eq!(served.len(), 402);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_caller_is_told_when_the_queue_is_served_and_each_a_time_of_its_own() {
        let mut limiter = limiter(2, 8);
        limiter.limits.queue_timeout = None;
        let limiter = &limiter;
        let run = || async move {
            let call = call(600);
            let _slot = limiter.enter(&call, "/a").await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
        };
        let pauses = async {
            // The queue has been served twice, and is full again.
            tokio::time::sleep(Duration::from_secs(7)).await;
            let more = (0..4).map(|_| run());
            let told = async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let refused = call(600);
                let mut pauses = Vec::new();
                for _ in 0..100 {
                    let error = limiter.enter(&refused, "/a").await.unwrap_err();
                    assert_eq!(error.reason, "QUEUE_FULL");
                    pauses.push(error.retry_after.unwrap());
                }
                pauses
            };
            tokio::join!(futures_util::future::join_all(more), told).1
        };
        let runs = futures_util::future::join_all((0..10).map(|_| run()));
        let (_, pauses) = tokio::join!(runs, pauses);
        // Eight calls of 3 s on two slots: 12 s, half as much more or less.
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(
            *least >= Duration::from_secs(6) && *least < Duration::from_secs(8),
            "{least:?}"
        );
        assert!(
            *most <= Duration::from_secs(18) && *most > Duration::from_secs(16),
            "{most:?}"
        );
    }

    #[tokio::test]
    async fn threads_that_come_wait_and_go_away_lose_no_slot() {
        let limiter = Arc::new(limiter(3, 100_000));
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let limiter = Arc::clone(&limiter);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let calls = (0..200_u64).map(|n| {
                            let limiter = Arc::clone(&limiter);
                            async move {
                                let call = call(60);
                                let entered = limiter.enter(&call, "/a");
                                // Some go away while they wait.
                                let patience = Duration::from_micros((n * 7 + seed) % 400);
                                if let Ok(slot) = tokio::time::timeout(patience, entered).await {
                                    tokio::task::yield_now().await;
                                    drop(slot);
                                }
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
        assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
    }
}
