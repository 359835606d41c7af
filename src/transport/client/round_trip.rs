//! The least time that anything with the upstream takes: a call with less left cannot be answered,
//! so it is not started.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const LEAST_PATIENCE: Duration = Duration::from_millis(100);
const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// The quickest connect or exchange so far.
#[derive(Debug)]
pub(super) struct RoundTrip {
    micros: AtomicU64,
}

impl RoundTrip {
    pub(super) fn new() -> Self {
        Self {
            micros: AtomicU64::new(0),
        }
    }

    /// Notes how long a connect or an exchange took: neither can be quicker than one round trip.
    pub(super) fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let known = self.micros.load(Relaxed);
        if known == 0 || took < known {
            self.micros.store(took, Relaxed);
        }
    }

    /// How long nothing may come before it says anything: nobody answers quicker than a round trip.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_micros(self.micros.load(Relaxed)).clamp(LEAST_PATIENCE, MOST_PATIENCE)
    }

    /// True when so little is left that no answer can come: less than half of what the quickest
    /// took. Each such word lowers the measure, so that one slow start does not refuse calls for
    /// ever.
    pub(super) fn hopeless(&self, left: Duration) -> bool {
        let known = self.micros.load(Relaxed);
        let hopeless = left.as_micros() < u128::from(known / 2);
        if hopeless {
            self.micros.store(known - known / 16, Relaxed);
        }
        hopeless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn only_what_is_surely_too_short_is_hopeless() {
        let trip = RoundTrip::new();
        assert!(!trip.hopeless(ms(0)), "nothing is known yet");
        for took in [30_000, 100, 2_000] {
            trip.note(ms(took));
        }
        assert!(!trip.hopeless(ms(51)));
        assert!(trip.hopeless(ms(40)));
    }

    #[test]
    fn one_slow_start_does_not_refuse_for_ever() {
        let trip = RoundTrip::new();
        trip.note(ms(30_000));
        let refused = (0..100).take_while(|_| trip.hopeless(ms(1_000))).count();
        assert!((20..60).contains(&refused), "{refused} calls were refused");
        trip.note(ms(20));
        assert!(!trip.hopeless(ms(11)));
    }
}
