//! May it be repeated, and after what pause?

use std::time::Duration;

use tower::retry::budget::{Budget, TpsBudget};

use super::settings::Retry;
use crate::error::Error;

/// Window of the budget: long enough to be steady, short enough to forget an outage (linkerd and tower use 10 s).
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// One target's rules, with the budget that all of its calls share.
#[derive(Debug)]
pub(super) struct Policy {
    rules: Retry,
    budget: TpsBudget,
}

impl Policy {
    pub(super) fn new(rules: &Retry) -> Self {
        // TpsBudget panics outside these ranges; the configuration refuses such values, and this keeps that promise.
        let ratio = rules.budget_ratio.clamp(0.0, 1000.0);
        Self {
            rules: *rules,
            budget: TpsBudget::new(BUDGET_WINDOW, rules.budget_min_per_second, ratio),
        }
    }

    /// Notes a new call, which earns its share of a retry.
    pub(super) fn deposit(&self) {
        self.budget.deposit();
    }

    /// The pause before the next attempt; `None` = stop and answer `error`.
    ///
    /// Full jitter (a random pause up to a doubling bound), never shorter than the upstream's `Retry-After`. When the
    /// pause would outlast the deadline the answer is given now: waiting could not help.
    pub(super) fn next(
        &self,
        attempt: u32,
        idempotent: bool,
        error: &Error,
        left: Duration,
    ) -> Option<Duration> {
        if attempt >= self.rules.max_attempts || !error.may_retry(idempotent) {
            return None;
        }
        let bound = self
            .rules
            .initial_backoff
            .saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX))
            .min(self.rules.max_backoff);
        let pause = bound
            .mul_f64(fastrand::f64())
            .max(error.retry_after.unwrap_or_default());
        (pause < left && self.budget.withdraw()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Execution, Kind};

    const RULES: Retry = Retry {
        max_attempts: 3,
        initial_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_millis(150),
        budget_ratio: 0.1,
        budget_min_per_second: 10,
    };
    const LONG: Duration = Duration::from_secs(60);

    fn error(execution: Execution) -> Error {
        Error::new(Kind::Unavailable, "TEST", "test")
            .transient(true)
            .execution(execution)
    }

    #[tokio::test(start_paused = true)]
    async fn what_surely_did_not_start_is_repeated_up_to_the_limit() {
        let policy = Policy::new(&RULES);
        let error = error(Execution::NotStarted);
        for attempt in 1..3 {
            let pause = policy.next(attempt, false, &error, LONG).unwrap();
            assert!(pause <= RULES.max_backoff);
        }
        assert_eq!(policy.next(3, false, &error, LONG), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_unknown_is_repeated_only_when_idempotent() {
        let policy = Policy::new(&RULES);
        for execution in [Execution::Unknown, Execution::Completed] {
            assert_eq!(policy.next(1, false, &error(execution), LONG), None);
            assert!(policy.next(1, true, &error(execution), LONG).is_some());
        }
        let lasting = error(Execution::NotStarted).transient(false);
        assert_eq!(policy.next(1, true, &lasting, LONG), None);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_kept_and_never_passes_the_deadline() {
        let policy = Policy::new(&RULES);
        let slow =
            error(Execution::NotStarted).with(|facts| facts.retry_after = Some(Duration::from_secs(7)));
        assert_eq!(policy.next(1, false, &slow, LONG), Some(Duration::from_secs(7)));
        assert_eq!(policy.next(1, false, &slow, Duration::from_secs(5)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_spends_the_budget_and_no_more() {
        let policy = Policy::new(&Retry {
            budget_min_per_second: 0,
            ..RULES
        });
        let error = error(Execution::NotStarted);
        let mut retries = 0;
        for _ in 0..1000 {
            policy.deposit();
            retries += u32::from(policy.next(1, false, &error, LONG).is_some());
        }
        assert!((90..=110).contains(&retries), "{retries} retries of 1000 calls");
    }
}
