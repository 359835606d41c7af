//! When something that ends is fetched again, how long to wait after a failure, and how long an old
//! key is kept.

use std::time::Duration;

/// How long before its end a value is fetched again: a fifth of its life, at most this, and up to
/// half as much again at random, so that many sidecars started together do not ask together.
pub(super) const AHEAD_MAX: Duration = Duration::from_secs(30 * 60);
/// Pause after a failed fetch; it doubles with each failure in a row.
const PAUSE: Duration = Duration::from_secs(1);
/// The same when the login itself was refused: clouds lock accounts after a few of those.
pub(super) const PAUSE_REFUSED: Duration = Duration::from_secs(15);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How long before its end a value with this life is fetched again.
pub(super) fn ahead(life: Duration) -> Duration {
    (life / 5)
        .min(AHEAD_MAX)
        .mul_f64(1.0 + 0.5 * fastrand::f64())
}

/// How long to wait after the `in_row`th failure in a row (from 1).
pub(super) fn pause(in_row: u32, refused: bool) -> Duration {
    let first = if refused { PAUSE_REFUSED } else { PAUSE };
    first
        .saturating_mul(
            1_u32
                .checked_shl(in_row.saturating_sub(1))
                .unwrap_or(u32::MAX),
        )
        .min(PAUSE_MAX)
}

/// The times of a rotation. The defaults are for clouds; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Files are looked at this often even when nobody says that they changed.
    pub poll: Duration,
    /// The same while there are no keys at all.
    pub poll_missing: Duration,
    /// Changed files count when they have not changed for this long.
    pub settle: Duration,
    /// Keys without an end are asked for again after this.
    pub refetch: Duration,
    /// A source is asked out of turn, since its key was refused, no more often than this.
    pub ask_again: Duration,
    /// When a refused key is tried again, as the cloud may not know a new one everywhere at once.
    /// Few, since clouds lock a key after five refusals (Huawei Cloud, API Gateway manual, 0301).
    pub trials: [Duration; 2],
    /// A key that cannot be tried (network, upstream failing) is taken as it is after this.
    pub patience: Duration,
    /// The key before stays at hand until this long after the present one was first accepted.
    pub keep_previous: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
            poll_missing: Duration::from_secs(1),
            settle: Duration::from_millis(250),
            refetch: Duration::from_secs(15 * 60),
            ask_again: Duration::from_secs(10),
            trials: [Duration::from_secs(15), Duration::from_secs(60)],
            patience: Duration::from_secs(60),
            keep_previous: Duration::from_secs(10 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_fetched_well_before_its_end_and_not_by_all_at_once() {
        for life in [60, 3600, 86_400].map(Duration::from_secs) {
            for _ in 0..50 {
                let ahead = ahead(life);
                assert!(
                    ahead >= (life / 5).min(AHEAD_MAX) && ahead <= life * 3 / 10,
                    "{ahead:?}"
                );
            }
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let seconds = |in_row, refused| pause(in_row, refused).as_secs();
        assert_eq!([1, 2, 3, 40].map(|n| seconds(n, false)), [1, 2, 4, 300]);
        assert_eq!([1, 2, 9].map(|n| seconds(n, true)), [15, 30, 300]);
    }
}
