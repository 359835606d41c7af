//! Keys, passwords and tokens that nobody else on the machine can guess.

use std::hash::{BuildHasher as _, RandomState};

/// Letters and digits.
pub(super) const ALPHANUMERIC: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Capitals and digits, as access keys have them.
pub(super) const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// So many characters of an alphabet. The hasher of the standard library is keyed by the system's
/// randomness, and its key never leaves this function.
pub(super) fn text(alphabet: &[u8], length: usize) -> String {
    let state = RandomState::new();
    let count = alphabet.len().max(1) as u64;
    let letter = |at: usize| {
        let drawn = usize::try_from(state.hash_one(at) % count).unwrap_or_default();
        char::from(alphabet.get(drawn).copied().unwrap_or(b'0'))
    };
    (0..length).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_differ_and_keep_to_their_alphabet() {
        let (one, other) = (text(CAPITALS, 40), text(CAPITALS, 40));
        assert_eq!((one.len(), other.len()), (40, 40));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| CAPITALS.contains(&byte)));
        let many = text(ALPHANUMERIC, 2000);
        assert!(
            ALPHANUMERIC
                .iter()
                .all(|letter| many.contains(char::from(*letter)))
        );
    }
}
