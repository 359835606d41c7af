//! What was looked up once and is used by every call: found without a lock, a hash or an
//! allocation.

use std::fmt;

use arc_swap::ArcSwap;

/// Few keys, read always, written when a key is seen for the first time.
pub(super) struct Resolved<K, M> {
    known: ArcSwap<Vec<(K, M)>>,
}

impl<K: Ord + Copy, M: Clone> Resolved<K, M> {
    /// Hands what belongs to `key` to `with`; `make` finds it the first time.
    pub(super) fn with<R>(
        &self,
        key: K,
        make: impl FnOnce() -> M,
        with: impl FnOnce(&M) -> R,
    ) -> R {
        {
            let known = self.known.load();
            if let Ok(at) = known.binary_search_by(|(known, _)| known.cmp(&key)) {
                return with(&known[at].1);
            }
        }
        let made = make();
        self.known.rcu(|known| {
            let mut more = Vec::clone(known);
            if let Err(at) = more.binary_search_by(|(known, _)| known.cmp(&key)) {
                more.insert(at, (key, made.clone()));
            }
            more
        });
        with(&made)
    }
}

impl<K, M> Default for Resolved<K, M> {
    fn default() -> Self {
        Self {
            known: ArcSwap::from_pointee(Vec::new()),
        }
    }
}

impl<K, M> fmt::Debug for Resolved<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} known", self.known.load().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_whatever_the_order() {
        let resolved = Resolved::default();
        for key in [3, 1, 2, 3, 1] {
            assert_eq!(resolved.with(key, || key * 10, |value| *value), key * 10);
        }
        assert_eq!(
            resolved.with(1, || unreachable!("it is known"), |value| *value),
            10
        );
        assert_eq!(format!("{resolved:?}"), "3 known");
    }
}
