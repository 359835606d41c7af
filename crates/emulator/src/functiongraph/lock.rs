//! Locks an access key after bad signatures in a row.
//!
//! Signing troubleshooting page: after more than 5 failures in a row the answer is "AK access
//! failed to reach the limit, forbidden" for 5 minutes. INFERRED: only wrong signatures count, and
//! a right one starts the count anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Locks {
    keys: Mutex<HashMap<String, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    failures: u32,
    locked_until_ms: i64,
}

impl Locks {
    pub(super) fn is_locked(&self, key: &str, now_ms: i64) -> bool {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.get(key) {
            Some(count) if count.locked_until_ms > now_ms => true,
            Some(count) if count.locked_until_ms > 0 => {
                keys.remove(key);
                false
            }
            _ => false,
        }
    }

    pub(super) fn failed(&self, key: &str, now_ms: i64, limit: u32, lock_ms: i64) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let count = keys.entry(key.to_owned()).or_default();
        count.failures += 1;
        if count.failures >= limit {
            count.locked_until_ms = now_ms.saturating_add(lock_ms);
        }
    }

    pub(super) fn succeeded(&self, key: &str) {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_for_a_while_and_counts_in_a_row() {
        let locks = Locks::default();
        for _ in 0..4 {
            locks.failed("a", 1000, 5, 300);
        }
        assert!(!locks.is_locked("a", 1000));
        locks.succeeded("a");
        for _ in 0..5 {
            assert!(!locks.is_locked("a", 1000));
            locks.failed("a", 1000, 5, 300);
        }
        assert!(locks.is_locked("a", 1299) && !locks.is_locked("b", 1299));
        assert!(!locks.is_locked("a", 1300));
        locks.failed("a", 1300, 5, 300);
        assert!(!locks.is_locked("a", 1300));
    }
}
