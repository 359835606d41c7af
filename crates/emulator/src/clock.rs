//! The one place of the emulator that reads wall time.
//!
//! Signature windows, activation times and cron all ask this clock, so that a test can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// Wall time with an offset. Clones share the offset.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that runs `offset_ms` milliseconds ahead of the machine's (behind it when negative).
    #[must_use]
    pub fn with_offset(offset_ms: i64) -> Self {
        Self {
            offset_ms: Arc::new(AtomicI64::new(offset_ms)),
        }
    }

    /// Moves every clone of this clock forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(by, Ordering::Relaxed);
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the emulator reads wall time here and nowhere else"
        )]
        let machine = SystemTime::now();
        let now = DateTime::<Utc>::from(machine);
        let offset = chrono::TimeDelta::try_milliseconds(self.offset_ms.load(Ordering::Relaxed));
        offset
            .and_then(|offset| now.checked_add_signed(offset))
            .unwrap_or(now)
    }

    /// The time now in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_move_together() {
        let clock = Clock::with_offset(-60_000);
        let other = clock.clone();
        let before = other.now_ms();
        clock.advance(Duration::from_secs(60));
        let gone = other.now_ms() - before;
        assert!((60_000..65_000).contains(&gone), "{gone}");
    }
}
