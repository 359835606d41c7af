//! What can be told of a key without showing it, and the slips that are seen most when keys are
//! stored.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Cause;
use crate::credentials::{KeyPair, Secret, Status};

/// A key as far as it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// `signature` or `token`.
    pub kind: &'static str,
    /// Where it comes from; no value.
    pub source: String,
    /// Which key it is: the first eight hexadecimal digits of the access key's SHA-256.
    pub fingerprint: Option<String>,
    /// How long ago it was read or handed out.
    pub age: Option<Duration>,
    /// How long it is still good; absent for a key without an end.
    pub expires_in: Option<Duration>,
    /// A security token goes with it.
    pub temporary: bool,
    /// Why there is none.
    pub missing: Option<String>,
    /// What looks wrong with its spelling.
    pub doubt: Option<Cause>,
}

impl KeyReport {
    /// The report on the keys of this status, if there are any.
    #[must_use]
    pub fn on(status: Status, keys: Option<&KeyPair>) -> Self {
        Self {
            kind: "signature",
            temporary: keys.is_some_and(|keys| keys.security_token.is_some()),
            doubt: keys.and_then(doubt),
            ..Self::of(status)
        }
    }

    /// The report on a token.
    #[must_use]
    pub fn of(status: Status) -> Self {
        Self {
            kind: "token",
            source: status.source,
            fingerprint: status.fingerprint,
            age: status.age,
            expires_in: status.expires_in,
            missing: status.ready.err(),
            ..Self::default()
        }
    }
}

/// The spelling of the key, judged without any request.
fn doubt(keys: &KeyPair) -> Option<Cause> {
    let (access, secret) = (keys.access_key.as_str(), keys.secret_key.reveal());
    if unquoted(access).is_some() || unquoted(secret).is_some() {
        return Some(Cause::KeyQuoted);
    }
    if access.chars().any(|c| c.is_whitespace() || c.is_control())
        || secret.chars().any(char::is_control)
    {
        return Some(Cause::CredentialsUnusable);
    }
    // INFERRED: no document gives lengths; with both clouds' keys of this form the access key is
    // the short one, in capitals and digits, and the secret has 40 characters.
    let short = secret.len() == 20
        && secret
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (short && access.len() == 40).then_some(Cause::KeySwapped)
}

/// The key as it was probably meant, for each slip that its spelling allows. A repaired access key
/// is sent as one, so a secret is never repaired into its place.
pub(crate) fn repairs(keys: &KeyPair) -> Vec<(Cause, KeyPair)> {
    let with = |access: Option<String>, secret: Option<String>| KeyPair {
        access_key: access.unwrap_or_else(|| keys.access_key.clone()),
        secret_key: secret.map_or_else(|| keys.secret_key.clone(), Secret::new),
        security_token: keys.security_token.clone(),
    };
    let (access, secret) = (keys.access_key.as_str(), keys.secret_key.reveal());
    let mut found = Vec::new();
    let (plain_access, plain_secret) = (unquoted(access), unquoted(secret));
    if plain_access.is_some() || plain_secret.is_some() {
        found.push((Cause::KeyQuoted, with(plain_access, plain_secret)));
    }
    if let Some(decoded) = decoded(secret) {
        // Whoever encodes one half usually encodes both; an access key is not base64 by chance
        // alone.
        found.push((
            Cause::KeyEncoded,
            with(self::decoded(access), Some(decoded)),
        ));
    }
    found
}

fn unquoted(text: &str) -> Option<String> {
    ['"', '\''].iter().find_map(|mark| {
        let inner = text.strip_prefix(*mark)?.strip_suffix(*mark)?;
        (!inner.is_empty()).then(|| inner.to_owned())
    })
}

/// What base64 of a printable key holds; random keys decode to bytes that are no text.
fn decoded(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    let printable = text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_graphic());
    printable.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(access: &str, secret: &str) -> KeyPair {
        KeyPair {
            access_key: access.to_owned(),
            secret_key: Secret::new(secret.to_owned()),
            security_token: None,
        }
    }

    #[test]
    fn slips_are_seen_in_the_spelling_and_repaired_without_showing_anything() {
        for (access, secret, cause) in [
            (
                "\"AKID0123456789\"",
                "\"secret-0123456789\"",
                Cause::KeyQuoted,
            ),
            ("AKID0123456789", "'secret-0123456789'", Cause::KeyQuoted),
            (
                "QUtJRDAxMjM0NTY3ODk=",
                "c2VjcmV0LTAxMjM0NTY3ODkK",
                Cause::KeyEncoded,
            ),
            (
                "AKID0123456789",
                "c2VjcmV0LTAxMjM0NTY3ODk=",
                Cause::KeyEncoded,
            ),
        ] {
            let found = repairs(&keys(access, secret));
            assert_eq!(found.len(), 1, "{access}");
            assert_eq!(found[0].0, cause);
            assert_eq!(found[0].1.access_key, "AKID0123456789", "{access}");
            assert_eq!(
                found[0].1.secret_key.reveal(),
                "secret-0123456789",
                "{secret}"
            );
        }
        assert!(
            repairs(&keys(
                "AKID0123456789",
                "mZ3kP9vX/2qL+8sT4wY6bN1cR5dF7gH0jK2l"
            ))
            .is_empty()
        );
    }

    #[test]
    fn a_slip_in_the_spelling_is_seen() {
        let doubt = |access, secret| doubt(&keys(access, secret));
        assert_eq!(doubt("A B", "s"), Some(Cause::CredentialsUnusable));
        let secret = "mZ3kP9vX2qL8sT4wY6bN1cR5dF7gH0jK2lQ8uA4e";
        assert_eq!(
            doubt(secret, "TESTACCESSKEY0000001"),
            Some(Cause::KeySwapped)
        );
        assert_eq!(doubt("TESTACCESSKEY0000001", secret), None);
    }
}
