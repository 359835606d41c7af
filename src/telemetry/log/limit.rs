//! Lines that others can cause: one in a while is written, and says how many were left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets one line through in a while.
#[derive(Debug)]
pub struct LineLimit {
    every: Duration,
    /// When the last line was written, and how many were left out since.
    state: Mutex<(Option<Instant>, u64)>,
}

impl LineLimit {
    /// One line in so much time.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self {
            every,
            state: Mutex::new((None, 0)),
        }
    }

    /// Whether a line may be written now: the number of those that were left out before it.
    pub fn pass(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, left_out) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < self.every) {
            *left_out += 1;
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_in_a_while_says_what_was_left_out() {
        let limit = LineLimit::new(Duration::from_secs(5));
        assert_eq!(limit.pass(), Some(0));
        assert_eq!((limit.pass(), limit.pass()), (None, None));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!((limit.pass(), limit.pass()), (Some(2), None));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(limit.pass(), Some(1));
    }
}
