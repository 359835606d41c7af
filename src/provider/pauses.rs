//! Pauses between two looks at something that is not over yet.

use std::time::Duration;

use crate::call::Call;
use crate::error::{Error, Execution};

/// First pause between two looks.
const FIRST: Duration = Duration::from_millis(250);
/// Longest pause between two looks: a run that takes minutes is told a few seconds late, and costs
/// six requests a minute.
const LONGEST: Duration = Duration::from_secs(10);

/// The caller's time was over before the run was. `unknown` speaks of the run that was watched: who
/// reads `not_started` here would start it again.
pub(super) fn not_over_yet() -> Error {
    Call::out_of_time(Execution::Unknown).with(|facts| {
        "The call ran out of time before the run was seen to end; it may go on. Watch it again, or ask with GetActivation."
            .clone_into(&mut facts.message);
    })
}

/// Growing pauses with a little jitter, so that many waiting calls do not look at the same moment.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(0.9 + 0.2 * fastrand::f64());
        self.0 = self.0.mul_f64(1.6).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at a run of so many seconds.
    fn looks(seconds: u64) -> usize {
        let mut pauses = Pauses::new();
        let mut at = Duration::ZERO;
        std::iter::from_fn(|| {
            at += pauses.next();
            (at < Duration::from_secs(seconds)).then_some(())
        })
        .count()
    }

    #[test]
    fn a_run_of_ten_minutes_costs_some_seventy_looks_and_a_short_one_is_seen_soon() {
        for _ in 0..100 {
            let (long, minute, second) = (looks(600), looks(60), looks(1));
            assert!((58..=78).contains(&long), "{long} looks in 10 minutes");
            assert!((10..=15).contains(&minute), "{minute} looks in a minute");
            assert!((2..=3).contains(&second), "{second} looks in a second");
        }
    }
}
