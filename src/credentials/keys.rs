//! An access key with its secret: what is well-formed, and how to tell two apart without showing
//! either.

use sha2::{Digest as _, Sha256};

use super::Secret;

/// An access key with its secret.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The key's public half; it travels in every request.
    pub access_key: String,
    /// The secret half; it only ever feeds an HMAC.
    pub secret_key: Secret,
    /// For temporary keys of clouds that have one.
    pub security_token: Option<Secret>,
}

/// Tells pairs apart. A hash, so that remembering a refused pair keeps no secret.
pub(super) type Digest = [u8; 32];

impl KeyPair {
    /// Takes a pair whose parts can be sent.
    ///
    /// # Errors
    /// One sentence naming the part (never its value): empty, or holding a character that no key
    /// has. A file that is being written, an HTML page and a base64 blob with line ends all show
    /// so.
    pub fn checked(
        access_key: &str,
        secret_key: &str,
        security_token: Option<&str>,
    ) -> Result<Self, String> {
        for (name, text) in [
            ("access key id", Some(access_key)),
            ("secret key", Some(secret_key)),
            ("security token", security_token),
        ] {
            let Some(text) = text else { continue };
            if text.is_empty() {
                return Err(format!("the {name} is empty."));
            }
            if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!(
                    "the {name} holds a space, a line end or another character that no key has."
                ));
            }
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            secret_key: Secret::copied(secret_key),
            security_token: security_token.map(Secret::copied),
        })
    }

    /// Names the key where it must be recognised and not shown: the first eight hex digits of
    /// SHA-256 of its id.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.access_key)
    }

    pub(super) fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for part in [
            self.access_key.as_str(),
            self.secret_key.reveal(),
            self.security_token.as_ref().map_or("", Secret::reveal),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }

    /// True when one half is that of `other` and the other half is not: clouds make both together,
    /// so such a pair is of two generations, caught between the writing of two files.
    pub(super) fn mixes_with(&self, other: &Self) -> bool {
        (self.access_key == other.access_key)
            != (self.secret_key.reveal() == other.secret_key.reveal())
    }
}

/// Names a key by its id alone, which travels in every request anyway: the first eight hex digits
/// of its SHA-256.
#[must_use]
pub fn fingerprint(access_key: &str) -> String {
    let mut text = hex::encode(Sha256::digest(access_key.as_bytes()));
    text.truncate(8);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: &str, secret: &str) -> KeyPair {
        KeyPair::checked(id, secret, None).unwrap()
    }

    #[test]
    fn parts_that_no_key_has_are_named_and_not_shown() {
        for (id, secret, token, part) in [
            ("", "canary", None, "access key id is empty"),
            ("id", "canary half\n", None, "secret key holds"),
            ("id", "canary\0", None, "secret key holds"),
            ("id", "s", Some("canary é"), "security token holds"),
        ] {
            let why = KeyPair::checked(id, secret, token).unwrap_err();
            assert!(why.contains(part) && !why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_id_alone() {
        // `printf id | sha256sum`
        assert_eq!(pair("id", "x").fingerprint(), "a5614527");
        assert_eq!(pair("id", "x").fingerprint(), pair("id", "y").fingerprint());
        assert_ne!(pair("id", "x").digest(), pair("id", "y").digest());
        assert_ne!(pair("ab", "c").digest(), pair("a", "bc").digest());
    }

    #[test]
    fn halves_of_two_generations_are_seen() {
        let old = pair("id-1", "secret-1");
        assert!(pair("id-2", "secret-1").mixes_with(&old));
        assert!(pair("id-1", "secret-2").mixes_with(&old));
        assert!(!pair("id-2", "secret-2").mixes_with(&old));
        assert!(!old.mixes_with(&old));
    }
}
