//! Calls that the sidecar refused before it sent anything: repeating one costs the upstream no more
//! than a first try.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Call;

/// A refused caller comes back within this time or twice as much, or not at all. A storm of
/// refusals must not pay for retries in an outage later on.
const WINDOW: Duration = Duration::from_secs(60);

/// First tries that were refused unsent, and not yet repeated. Each lets one retry of a caller pass
/// without charge: all requests together stay at most the calls made plus what the retry budget
/// pays.
#[derive(Debug)]
pub struct Unsent(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    began: Instant,
    /// In this window and in the one before.
    this: u64,
    before: u64,
}

impl Default for Unsent {
    fn default() -> Self {
        Self(Mutex::new(Counts {
            began: Instant::now(),
            this: 0,
            before: 0,
        }))
    }
}

impl Unsent {
    /// Notes that a call was refused, if it was a first try of which nothing was sent: a retry that
    /// is refused as well stays entitled to one repetition, not to two.
    pub fn note(&self, call: &Call) {
        if call.previous_attempts == 0 && call.attempts == 0 {
            self.note_first_try();
        }
    }

    /// Notes that a first try was refused before it became a call.
    pub fn note_first_try(&self) {
        self.with(|counts| counts.this += 1);
    }

    /// Lets a caller's retry pass without charge, if it may be the repetition of a refused call.
    pub fn excuse(&self, call: &mut Call) -> bool {
        let excused = self.with(|counts| {
            let from = if counts.before > 0 {
                &mut counts.before
            } else {
                &mut counts.this
            };
            let there = *from > 0;
            *from = from.saturating_sub(1);
            there
        });
        call.retry_paid |= excused;
        excused
    }

    fn with<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        // Nothing panics while it is held.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = counts.began.elapsed();
        if passed >= WINDOW {
            counts.before = if passed < WINDOW * 2 { counts.this } else { 0 };
            counts.this = 0;
            counts.began = Instant::now();
        }
        change(&mut counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(previous_attempts: u32) -> Call {
        let mut call = Call::new(Instant::now() + WINDOW);
        call.previous_attempts = previous_attempts;
        call
    }

    #[tokio::test(start_paused = true)]
    async fn each_refused_first_try_excuses_one_retry_for_a_while() {
        let unsent = Unsent::default();
        assert!(!unsent.excuse(&mut call(1)));
        let mut sent = call(0);
        sent.attempts = 1;
        for refused in [call(0), call(1), sent] {
            unsent.note(&refused);
        }
        let mut retry = call(2);
        assert!(unsent.excuse(&mut retry) && retry.retry_paid);
        assert!(!unsent.excuse(&mut call(1)));
        unsent.note(&call(0));
        tokio::time::advance(WINDOW).await;
        assert!(unsent.excuse(&mut call(1)));
        unsent.note(&call(0));
        tokio::time::advance(2 * WINDOW).await;
        assert!(!unsent.excuse(&mut call(1)));
    }
}
