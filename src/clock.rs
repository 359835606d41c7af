//! The one place that reads wall time; everywhere else time is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall time now.
#[expect(clippy::disallowed_methods, reason = "this is the one allowed read")]
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the Unix epoch; 0 for times before it.
#[must_use]
pub fn epoch_millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
