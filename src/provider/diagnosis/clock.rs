//! Two clocks that differ, in words and in times. A skew is in milliseconds: positive when this
//! machine is ahead.

use std::time::{Duration, SystemTime};

/// `at` by this machine's clock as the cloud's clock has it.
#[must_use]
pub fn corrected(at: SystemTime, skew_ms: i64) -> SystemTime {
    let by = Duration::from_millis(skew_ms.unsigned_abs());
    if skew_ms > 0 {
        at.checked_sub(by)
            .map_or(SystemTime::UNIX_EPOCH, |at| at.max(SystemTime::UNIX_EPOCH))
    } else {
        at.checked_add(by).unwrap_or(at)
    }
}

/// A sentence on a difference: who is behind, and by how much.
#[must_use]
pub fn told(skew_ms: i64) -> String {
    let apart = skew_ms.unsigned_abs().div_ceil(1000);
    let side = if skew_ms > 0 { "ahead of" } else { "behind" };
    format!("this machine's clock is {apart} s {side} the cloud's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ahead_must_go_back() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(
            (corrected(at, 600_000), corrected(at, -600_000)),
            (after(400), after(1600))
        );
        // Whoever is a century off is not sent before the beginning of time.
        assert_eq!(corrected(at, i64::MAX), SystemTime::UNIX_EPOCH);
        assert_eq!(told(1), "this machine's clock is 1 s ahead of the cloud's");
        assert_eq!(
            told(-600_000),
            "this machine's clock is 600 s behind the cloud's"
        );
    }
}
