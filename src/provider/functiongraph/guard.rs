//! Keeps a wrong key from locking itself: the cloud locks an access key for five minutes after more
//! than five refused signatures in a row (API Gateway manual, 0301), for every program that uses
//! it.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::errors::{self, LOCKED};
use crate::error::{Component, Error, Kind, Result, reason};

/// Refusals in a row after which the sidecar stops by itself: fewer than the cloud's five, as other
/// programs may use the key too.
const STOP_AFTER: u32 = 3;

/// How many generations of keys are watched: two can be live at once, and a third may still be
/// answered.
const GENERATIONS: usize = 4;

/// Refusals of each generation of keys: they are different keys to the cloud, so a call that goes
/// from one to the other and back must not wipe either's count.
#[derive(Debug, Default)]
pub(super) struct Guard(Mutex<Vec<Refusals>>);

#[derive(Debug)]
struct Refusals {
    generation: u64,
    in_row: u32,
    last: Instant,
}

impl Guard {
    /// Lets an attempt pass, unless these keys were refused too often. After the pause one may try
    /// again.
    pub(super) fn admit(&self, generation: u64) -> Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(refusals) = all
            .iter_mut()
            .find(|refusals| refusals.generation == generation)
        else {
            return Ok(());
        };
        if refusals.in_row < STOP_AFTER {
            return Ok(());
        }
        let over = refusals.last + LOCKED;
        let now = Instant::now();
        if now >= over {
            // Whoever else comes while this one tries must wait.
            refusals.last = now;
            return Ok(());
        }
        Err(Error::new(
            Kind::Unauthenticated,
            reason::ACCESS_KEY_HELD_BACK,
            format!(
                "The cloud refused the sidecar's last {STOP_AFTER} signatures, and locks the key after five; nothing was \
                 sent. Correct the key or the clock; the sidecar tries again after five minutes, or at once with a new key."
            ),
        )
        .component(Component::Sidecar)
        .with(|facts| facts.retry_after = Some(over.saturating_duration_since(now))))
    }

    /// Notes an answer: a refused signature counts, any other answer shows that the key is good.
    pub(super) fn note(&self, generation: u64, error: Option<&Error>) {
        let refused = error.is_some_and(|error| {
            matches!(
                error.reason.as_ref(),
                errors::SIGNATURE_REFUSED
                    | errors::SIGNATURE_EXPIRED
                    | errors::ACCESS_KEY_LOCKED
                    | reason::AUTHENTICATION_FAILED
            ) && error.kind == Kind::Unauthenticated
        });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all
            .iter()
            .position(|refusals| refusals.generation == generation);
        if refused {
            // Removed and put back at the end: the first is the one that was refused longest ago.
            let before = found.map_or(0, |at| all.remove(at).in_row);
            if all.len() == GENERATIONS {
                all.remove(0);
            }
            all.push(Refusals {
                generation,
                in_row: before + 1,
                last: Instant::now(),
            });
        } else if let Some(at) = found
            && error.is_none_or(|error| error.http_status.is_some_and(|status| status < 500))
        {
            all.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Error {
        Error::new(Kind::Unauthenticated, "SIGNATURE_REFUSED", "")
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_is_held_back_before_the_cloud_locks_it() {
        let guard = Guard::default();
        for _ in 0..STOP_AFTER {
            guard.admit(1).unwrap();
            guard.note(1, Some(&refusal()));
        }
        let error = guard.admit(1).unwrap_err();
        assert_eq!(error.reason, "ACCESS_KEY_HELD_BACK");
        assert!(error.retry_after.unwrap() <= LOCKED);
        // A new key is another matter.
        guard.admit(2).unwrap();
        // After the pause one attempt passes, and only one.
        tokio::time::advance(LOCKED).await;
        guard.admit(1).unwrap();
        assert!(guard.admit(1).is_err());
        guard.note(1, None);
        guard.admit(1).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_answer_between_starts_the_count_anew() {
        let guard = Guard::default();
        for _ in 0..10 {
            guard.note(1, Some(&refusal()));
            guard.note(1, None);
            guard.admit(1).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_live_keys_are_counted_apart() {
        let guard = Guard::default();
        for _ in 0..STOP_AFTER {
            guard.note(2, Some(&refusal()));
            guard.note(1, None);
        }
        assert!(
            guard.admit(2).is_err(),
            "the good key's answers must not wipe the bad key's refusals"
        );
        guard.admit(1).unwrap();
        for generation in 3..20 {
            guard.note(generation, Some(&refusal()));
        }
        assert_eq!(guard.0.lock().unwrap().len(), GENERATIONS);
    }
}
