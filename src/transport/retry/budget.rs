//! How many retries a target's calls pay for: a share of the calls of the last ten seconds, and a
//! few a second beside.
//!
//! tower's `TpsBudget` is not used: it rounds a ratio of 0.6 up to 1, and forgets after five
//! seconds instead of ten when its calls come a little after a second has ended.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Seconds that count: long enough to be steady, short enough to forget an outage (linkerd and
/// finagle use 10 s).
const WINDOW: u32 = 10;

/// What one retry costs. A call earns its ratio of it, so a ratio is exact to a millionth.
const RETRY: i64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Budget {
    /// What a call earns.
    share: i64,
    /// What may be spent in a window without any call.
    reserve: i64,
    began: Instant,
    /// Earned less spent, by second; each with the second that it is of.
    seconds: Mutex<[(u64, i64); WINDOW as usize]>,
}

impl Budget {
    /// `ratio`: retries for each call; `min_per_second`: retries a second beside.
    pub(super) fn new(ratio: f64, min_per_second: u32) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the configuration refuses ratios beyond 1000, and the cast saturates"
        )]
        let share = (ratio * 1_000_000.0).round() as i64;
        Self {
            share,
            reserve: i64::from(min_per_second) * i64::from(WINDOW) * RETRY,
            began: Instant::now(),
            seconds: Mutex::default(),
        }
    }

    /// A call was made.
    pub(super) fn deposit(&self) {
        self.change(|second, _| second.1 += self.share);
    }

    /// Pays for a retry, if enough was earned.
    pub(super) fn withdraw(&self) -> bool {
        self.change(|second, earned| {
            let enough = self.reserve + earned >= RETRY;
            if enough {
                second.1 -= RETRY;
            }
            enough
        })
    }

    /// Calls `f` with this second's account and what the whole window's come to.
    fn change<T>(&self, f: impl FnOnce(&mut (u64, i64), i64) -> T) -> T {
        let now = self.began.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = seconds
            .iter()
            .filter(|(at, _)| now - at < u64::from(WINDOW));
        let earned = counted.map(|(_, net)| net).sum();
        let second = &mut seconds[usize::try_from(now % u64::from(WINDOW)).unwrap_or_default()];
        if second.0 != now {
            *second = (now, 0);
        }
        f(second, earned)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// Retries that pass when each of `calls` fails.
    fn passed(budget: &Budget, calls: u64) -> u64 {
        (0..calls)
            .map(|_| {
                budget.deposit();
                u64::from(budget.withdraw())
            })
            .sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_ratio_is_exact() {
        for (ratio, retries) in [
            (0.0, 0),
            (0.1, 100),
            (0.15, 150),
            (0.3, 300),
            (0.6, 600),
            (0.75, 750),
            (1.0, 1000),
        ] {
            assert_eq!(passed(&Budget::new(ratio, 0), 1000), retries, "{ratio}");
        }
        let budget = Budget::new(2.5, 0);
        budget.deposit();
        assert_eq!((0..5).filter(|_| budget.withdraw()).count(), 2);
    }

    /// Steps a little longer than a second: a window that is cut at whole steps would end too
    /// early.
    #[tokio::test(start_paused = true)]
    async fn no_ten_seconds_have_more_than_the_reserve_and_the_share() {
        let budget = Budget::new(0.1, 1);
        let mut spent = Vec::new();
        for _ in 0..60 {
            spent.push(passed(&budget, 10));
            advance(Duration::from_millis(1001)).await;
        }
        for window in spent.windows(9) {
            assert!(window.iter().sum::<u64>() <= 9 + 10, "{spent:?}");
        }
        let (all, share) = (spent.iter().sum::<u64>(), 60);
        assert!((share + 50..=share + 70).contains(&all), "{all}: {spent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_earned_is_forgotten_after_the_window() {
        let budget = Budget::new(0.5, 0);
        assert_eq!(passed(&budget, 4), 2);
        (0..10).for_each(|_| budget.deposit());
        advance(Duration::from_secs(9)).await;
        assert!(budget.withdraw());
        advance(Duration::from_secs(2)).await;
        assert!(!budget.withdraw());
        advance(Duration::from_secs(20)).await;
        budget.deposit();
        assert!(!budget.withdraw());
        budget.deposit();
        assert!(budget.withdraw());
    }
}
