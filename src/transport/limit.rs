//! A bounded number of requests in flight, and a bounded queue before them; the rest is refused before work starts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::settings::Limits;
use crate::call::Call;
use crate::error::{Error, Execution, Kind, Result};
use crate::telemetry::metrics::Histogram;

#[derive(Debug)]
pub(super) struct Limiter {
    slots: Semaphore,
    waiting: AtomicUsize,
    limits: Limits,
    /// Calls refused because the queue was full.
    pub(super) queue_full: AtomicU64,
    /// Calls refused because their turn did not come in time.
    pub(super) queue_timeout: AtomicU64,
    /// How long calls waited that had to.
    waits: Histogram,
}

/// Takes a place in the queue and gives it back when dropped, however the wait ends.
struct Place<'a>(&'a AtomicUsize);

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            slots: Semaphore::new(limits.max_in_flight),
            waiting: AtomicUsize::new(0),
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
            .saturating_sub(self.slots.available_permits())
    }

    /// Calls that wait for one.
    pub(super) fn queued(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The longest that a call waits for leave to send.
    pub(super) fn patience(&self, call: &Call) -> Duration {
        self.limits.queue_timeout.min(call.remaining())
    }

    /// Waits for a slot within the queue's bounds and the caller's deadline; first come, first served. A caller that
    /// goes away leaves the queue at once.
    pub(super) async fn enter(&self, call: &Call) -> Result<SemaphorePermit<'_>> {
        if let Ok(permit) = self.slots.try_acquire() {
            return Ok(permit);
        }
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limits.max_queue {
            drop(place);
            self.queue_full.fetch_add(1, Ordering::Relaxed);
            let why = match self.limits.max_queue {
                0 => "no call may wait for one (limits.max_queue is 0)".to_owned(),
                queue => format!("{queue} calls wait already (limits.max_queue)"),
            };
            return Err(self.refused("QUEUE_FULL", &why));
        }
        let patience = self.patience(call);
        let began = Instant::now();
        let waited = tokio::time::timeout(patience, self.slots.acquire()).await;
        self.waits.observe_time(began.elapsed());
        match waited {
            Ok(Ok(permit)) => Ok(permit),
            _ if call.remaining().is_zero() => Err(Call::out_of_time(Execution::NotStarted)),
            _ => {
                self.queue_timeout.fetch_add(1, Ordering::Relaxed);
                Err(self.refused(
                    "QUEUE_TIMEOUT",
                    &format!("none came free within {} ms", patience.as_millis()),
                ))
            }
        }
    }

    fn refused(&self, reason: &'static str, why: &str) -> Error {
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
            facts.retry_after = Some(Duration::from_millis(100));
            facts.quota = Some(("target".to_owned(), format!("limits.max_in_flight: {slots} calls, and {why}")));
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
            queue_timeout: Duration::from_secs(1),
            max_response_size: 1,
            adaptive_rate: false,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once_and_a_wait_ends() {
        let limiter = limiter(1, 1);
        let held = limiter.enter(&call(60)).await.unwrap();
        let (first, second) = (call(60), call(60));
        let (waited, full) = tokio::join!(limiter.enter(&first), limiter.enter(&second));
        assert_eq!(waited.unwrap_err().reason, "QUEUE_TIMEOUT");
        let full = full.unwrap_err();
        assert_eq!(full.reason, "QUEUE_FULL");
        assert!(
            full.message.contains("calls wait already (limits.max_queue)"),
            "{}",
            full.message
        );
        drop(held);
        assert!(limiter.enter(&call(60)).await.is_ok());
        assert_eq!(limiter.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn without_a_queue_the_refusal_says_so() {
        let limiter = limiter(1, 0);
        let _held = limiter.enter(&call(60)).await.unwrap();
        let full = limiter.enter(&call(60)).await.unwrap_err();
        assert!(full.message.contains("limits.max_queue is 0"), "{}", full.message);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_ends_in_the_queue_is_out_of_time() {
        let limiter = limiter(1, 1);
        let _held = limiter.enter(&call(60)).await.unwrap();
        let caller = Call::new(Instant::now() + Duration::from_millis(500));
        assert_eq!(
            limiter.enter(&caller).await.unwrap_err().kind,
            Kind::DeadlineExceeded
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_over_is_refused_at_once() {
        let limiter = limiter(1, 1);
        let _held = limiter.enter(&call(60)).await.unwrap();
        let before = Instant::now();
        let error = limiter.enter(&call(0)).await.unwrap_err();
        assert_eq!(
            (error.kind, error.execution),
            (Kind::DeadlineExceeded, Execution::NotStarted)
        );
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first_and_nobody_passes_the_queue() {
        let limiter = limiter(1, 10);
        let held = limiter.enter(&call(60)).await.unwrap();
        let served = std::sync::Mutex::new(Vec::new());
        let wait = |name: &'static str, call: Call| {
            let (limiter, served) = (&limiter, &served);
            async move {
                let _slot = limiter.enter(&call).await.unwrap();
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
        let _held = limiter.enter(&call(60)).await.unwrap();
        let caller = call(60);
        let gone = tokio::time::timeout(Duration::from_millis(10), limiter.enter(&caller)).await;
        assert!(gone.is_err());
        assert_eq!(limiter.waiting.load(Ordering::Relaxed), 0);
    }
}
