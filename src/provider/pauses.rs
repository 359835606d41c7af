//! Pauses between two looks at something that is not over yet.

use std::time::Duration;

/// First pause between two looks.
const FIRST: Duration = Duration::from_millis(250);
/// Longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(5);

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
