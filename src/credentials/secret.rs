//! A text that must not be seen.
//!
//! Wiped on drop, and so is every buffer of ours on the way to it: files and documents are read
//! into memory that is wiped too and that never grows, since growing leaves a copy behind. What a
//! library keeps (the HTTP client's read buffer, a header's value) is outside of that promise.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

/// Secret text: wiped on drop, printed as `[secret]`, never serialised.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Copies `text` into memory of exactly its size. The original is the caller's to wipe.
    #[must_use]
    pub fn copied(text: &str) -> Self {
        Self::new(text.to_owned())
    }

    /// The text itself, for an HMAC or a header that is marked sensitive.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::copied(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use sha2::Sha256;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    #[test]
    fn what_holds_a_secret_is_wiped_on_drop() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        wiped(&Secret::copied("x").0);
        // A keyed HMAC is as good as its key; it consists of states of the hash.
        fn by_type<T: ZeroizeOnDrop>() {}
        by_type::<Sha256>();
    }

    #[test]
    fn a_secret_is_read_from_json_and_shown_nowhere() {
        let secret: Secret = serde_json::from_str(r#""can\/ary""#).unwrap();
        assert_eq!(secret.reveal(), "can/ary");
        assert_eq!(format!("{secret:?}"), "[secret]");
        let why = serde_json::from_str::<Secret>("7").unwrap_err().to_string();
        assert!(why.contains("a text"), "{why}");
    }
}
