//! May it be repeated, and after what pause? One budget counts the sidecar's retries and the
//! application's own.
//!
//! A call that the sidecar refused before it sent anything is not repeated upstream when its caller
//! tries again: that first request costs the upstream what any first try costs. So each such
//! refusal lets one retry of a caller pass without charge. All requests together stay at most the
//! calls made plus what the budget pays.

mod budget;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::budget::Budget;
use super::settings::Retry;
use crate::call::{Call, Unsent};
use crate::error::{Error, Kind, Result, reason};

/// One target's rules, with the budget that all of its calls share.
#[derive(Debug)]
pub(super) struct Policy {
    rules: Retry,
    budget: Budget,
    /// Calls that the target's load rules refused.
    pub(super) unsent: Unsent,
    pub(super) counts: Counts,
}

/// What became of the retries so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The sidecar's own, paid for.
    pub(super) own: AtomicU64,
    /// The application's own, paid for.
    pub(super) callers: AtomicU64,
    /// The sidecar's own that the budget stopped.
    pub(super) own_refused: AtomicU64,
    /// The application's own that the budget stopped.
    pub(super) callers_refused: AtomicU64,
}

/// What follows a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt after this pause.
    Retry(Duration),
    /// The error is the answer.
    Stop,
    /// The error is the answer although it could be repeated: the budget is spent.
    Spent,
}

impl Policy {
    pub(super) fn new(rules: &Retry) -> Self {
        Self {
            rules: *rules,
            budget: Budget::new(rules.budget.ratio, rules.budget.min_per_second),
            unsent: Unsent::default(),
            counts: Counts::default(),
        }
    }

    /// Lets a new request in: a caller's first try earns its share of a retry; a caller's own retry
    /// earns nothing and pays for itself, once a call, unless it repeats a call that was refused
    /// before anything was sent.
    pub(super) fn admit(&self, call: &mut Call) -> Result<()> {
        if call.previous_attempts == 0 {
            self.budget.deposit();
            return Ok(());
        }
        if call.retry_paid {
            return Ok(());
        }
        if self.unsent.excuse(call) {
            return Ok(());
        }
        if !self.budget.withdraw() {
            self.counts.callers_refused.fetch_add(1, Ordering::Relaxed);
            return Err(spent(call.previous_attempts));
        }
        self.counts.callers.fetch_add(1, Ordering::Relaxed);
        call.retry_paid = true;
        Ok(())
    }

    /// What follows attempt number `attempt`, which failed with `error`, when `left` remains of the
    /// deadline.
    ///
    /// Full jitter (a random pause up to a doubling bound), after the upstream's `Retry-After` if
    /// it named one: many calls were told the same moment, and must not all come at it. When the
    /// pause would outlast the deadline the answer is given now: waiting could not help.
    pub(super) fn next(
        &self,
        attempt: u32,
        idempotent: bool,
        error: &Error,
        left: Duration,
    ) -> Next {
        if attempt >= self.rules.max_attempts || !error.may_retry(idempotent) {
            return Next::Stop;
        }
        let bound = self
            .rules
            .initial_backoff
            .saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX))
            .min(self.rules.max_backoff);
        let asked = error.retry_after.unwrap_or_default();
        let pause = asked.saturating_add(bound.mul_f64(fastrand::f64()));
        if pause >= left {
            return Next::Stop;
        }
        // The first is free (gRFC A6 calls it transparent): an upstream that says goodbye refuses
        // many at once.
        if error.unprocessed && attempt == 1 {
            return Next::Retry(pause);
        }
        if self.budget.withdraw() {
            self.counts.own.fetch_add(1, Ordering::Relaxed);
            Next::Retry(pause)
        } else {
            self.counts.own_refused.fetch_add(1, Ordering::Relaxed);
            Next::Spent
        }
    }
}

fn spent(previous: u32) -> Error {
    Error::new(
        Kind::Unavailable,
        reason::RETRY_BUDGET_EXHAUSTED,
        format!(
            "Nothing was sent: this is the caller's retry number {previous}, and the target's retries, the caller's and \
             the sidecar's together, are spent. Answer your own caller now; raise retry.budget only if the upstream can \
             take more."
        ),
    )
    .transient(true)
    .with(|facts| {
        facts.retries_spent = true;
        facts.retry_after = Some(Duration::from_secs(1));
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings;
    use super::*;
    use crate::error::Execution;
    use tokio::time::Instant;

    const RULES: Retry = Retry {
        max_attempts: 3,
        initial_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_millis(150),
        budget: budget(0.1, 10),
    };
    const LONG: Duration = Duration::from_secs(60);

    const fn budget(ratio: f64, min_per_second: u32) -> settings::Budget {
        settings::Budget {
            ratio,
            min_per_second,
        }
    }

    fn error(execution: Execution) -> Error {
        Error::new(Kind::Unavailable, "TEST", "test")
            .transient(true)
            .execution(execution)
    }

    fn call(previous_attempts: u32) -> Call {
        let mut call = Call::new(Instant::now() + LONG);
        call.previous_attempts = previous_attempts;
        call
    }

    fn pause(next: &Next) -> Duration {
        match next {
            Next::Retry(pause) => *pause,
            stopped => panic!("{stopped:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_surely_did_not_start_is_repeated_up_to_the_limit() {
        let policy = Policy::new(&RULES);
        let error = error(Execution::NotStarted);
        for attempt in 1..3 {
            assert!(pause(&policy.next(attempt, false, &error, LONG)) <= RULES.max_backoff);
        }
        assert_eq!(policy.next(3, false, &error, LONG), Next::Stop);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_repetition_of_what_was_not_processed_is_free() {
        let policy = Policy::new(&Retry {
            budget: budget(0.1, 0),
            ..RULES
        });
        let refused = error(Execution::NotStarted).with(|facts| facts.unprocessed = true);
        for _ in 0..100 {
            assert!(pause(&policy.next(1, false, &refused, LONG)) <= RULES.max_backoff);
        }
        assert_eq!(policy.next(2, false, &refused, LONG), Next::Spent);
        let failed = error(Execution::NotStarted);
        assert_eq!(policy.next(1, false, &failed, LONG), Next::Spent);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_is_random_up_to_a_bound_that_doubles() {
        let policy = Policy::new(&Retry {
            max_attempts: 9,
            max_backoff: Duration::from_millis(300),
            budget: budget(0.1, 1000),
            ..RULES
        });
        let error = error(Execution::NotStarted);
        for (attempt, bound) in [(1, 100), (2, 200), (3, 300), (8, 300)] {
            let pauses: Vec<_> = (0..200)
                .map(|_| pause(&policy.next(attempt, false, &error, LONG)))
                .collect();
            let bound = Duration::from_millis(bound);
            assert!(
                pauses.iter().all(|pause| *pause <= bound),
                "attempt {attempt}"
            );
            // Spread over the whole range: the chance that none of 200 falls in a quarter of it is
            // 1e-25.
            assert!(
                pauses.iter().any(|pause| *pause < bound / 4),
                "attempt {attempt}"
            );
            assert!(
                pauses.iter().any(|pause| *pause > bound * 3 / 4),
                "attempt {attempt}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_unknown_is_repeated_only_when_idempotent() {
        let policy = Policy::new(&RULES);
        for execution in [Execution::Unknown, Execution::Completed] {
            assert_eq!(policy.next(1, false, &error(execution), LONG), Next::Stop);
            pause(&policy.next(1, true, &error(execution), LONG));
        }
        let lasting = error(Execution::NotStarted).transient(false);
        assert_eq!(policy.next(1, true, &lasting, LONG), Next::Stop);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_kept_and_never_passes_the_deadline() {
        let policy = Policy::new(&RULES);
        let asked = Duration::from_secs(7);
        let slow = error(Execution::NotStarted).with(|facts| facts.retry_after = Some(asked));
        let pauses: Vec<_> = (0..20)
            .map(|_| pause(&policy.next(1, false, &slow, LONG)))
            .collect();
        assert!(
            pauses
                .iter()
                .all(|pause| (asked..=asked + RULES.initial_backoff).contains(pause))
        );
        assert!(
            pauses.iter().any(|pause| *pause != pauses[0]),
            "all come at once: {pauses:?}"
        );
        assert_eq!(
            policy.next(1, false, &slow, Duration::from_secs(5)),
            Next::Stop
        );
        assert_eq!(policy.next(1, false, &slow, asked), Next::Stop);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_spends_the_budget_and_no_more() {
        let policy = Policy::new(&Retry {
            budget: budget(0.1, 0),
            ..RULES
        });
        let error = error(Execution::NotStarted);
        let mut retries = 0;
        for _ in 0..1000 {
            policy.admit(&mut call(0)).unwrap();
            match policy.next(1, false, &error, LONG) {
                Next::Retry(_) => retries += 1,
                next => assert_eq!(next, Next::Spent),
            }
        }
        assert!(
            (90..=110).contains(&retries),
            "{retries} retries of 1000 calls"
        );
        assert_eq!(policy.counts.own.load(Ordering::Relaxed), retries);
        assert_eq!(
            policy.counts.own_refused.load(Ordering::Relaxed),
            1000 - retries
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_callers_own_retries_pay_from_the_same_budget_and_earn_nothing() {
        let policy = Policy::new(&Retry {
            budget: budget(0.1, 0),
            ..RULES
        });
        for _ in 0..100 {
            policy.admit(&mut call(0)).unwrap();
        }
        let mut admitted = 0;
        for previous in (1..=4).cycle().take(400) {
            match policy.admit(&mut call(previous)) {
                Ok(()) => admitted += 1,
                Err(error) => {
                    assert_eq!(
                        (error.kind, error.reason.as_ref(), error.execution),
                        (
                            Kind::Unavailable,
                            "RETRY_BUDGET_EXHAUSTED",
                            Execution::NotStarted
                        )
                    );
                    assert!(error.retries_spent && error.retry_after.is_some());
                }
            }
        }
        assert!(
            (9..=11).contains(&admitted),
            "{admitted} retries of 100 calls"
        );
        // Nothing is left for the sidecar's own.
        assert_eq!(
            policy.next(1, false, &error(Execution::NotStarted), LONG),
            Next::Spent
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_of_several_requests_pays_once() {
        let policy = Policy::new(&Retry {
            budget: budget(1.0, 0),
            ..RULES
        });
        policy.admit(&mut call(0)).unwrap();
        let mut retry = call(1);
        for _ in 0..5 {
            policy.admit(&mut retry).unwrap();
        }
        assert!(policy.admit(&mut call(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_repetition_of_what_was_refused_unsent_is_not_charged_and_no_other_is() {
        let policy = Policy::new(&Retry {
            budget: budget(0.1, 0),
            ..RULES
        });
        assert!(policy.admit(&mut call(1)).is_err());
        policy.unsent.note(&call(0));
        let mut repeated = call(2);
        policy.admit(&mut repeated).unwrap();
        policy.admit(&mut repeated).unwrap();
        assert!(policy.admit(&mut call(1)).is_err());
        assert_eq!(policy.counts.callers.load(Ordering::Relaxed), 0);
    }
}
