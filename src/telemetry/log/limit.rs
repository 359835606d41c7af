//! Lines that others can cause: one in a while is written, and says how many were left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines about files and settings that are refused: each is told, and whoever writes them again and
/// again fills no log.
pub static REFUSALS: LineLimit = LineLimit::of(100, Duration::from_secs(10));

/// Lets a few lines through in a while.
#[derive(Debug)]
pub struct LineLimit {
    most: u32,
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the first line of this while was written.
    began: Option<Instant>,
    /// Lines written since.
    written: u32,
    left_out: u64,
}

impl LineLimit {
    /// One line in so much time.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self::of(1, every)
    }

    /// So many lines in so much time.
    #[must_use]
    pub const fn of(most: u32, every: Duration) -> Self {
        let state = State {
            began: None,
            written: 0,
            left_out: 0,
        };
        Self {
            most,
            every,
            state: Mutex::new(state),
        }
    }

    /// Whether a line may be written now: the number of those that were left out before it.
    pub fn pass(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .began
            .is_none_or(|began| began.elapsed() >= self.every)
        {
            state.began = Some(Instant::now());
            state.written = 0;
        }
        if state.written == self.most {
            state.left_out += 1;
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.left_out))
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
        let limit = LineLimit::of(2, Duration::from_secs(5));
        let passed = [(); 4].map(|()| limit.pass());
        assert_eq!(passed, [Some(0), Some(0), None, None]);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!((limit.pass(), limit.pass()), (Some(2), Some(0)));
    }
}
