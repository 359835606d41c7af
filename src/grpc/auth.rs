//! Who may call at an address that asks for a bearer token (RFC 6750 §2.1).
//!
//! Kept and compared are digests of equal length, every one of them each time, so that the time an
//! answer takes tells neither a token's length nor how much of it was right. Health is asked
//! without one: probes have none, and it tells nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::error::{Error, Kind, reason};

/// Shorter tokens can be guessed.
const MIN_LENGTH: usize = 16;
/// Far more than a rotation needs; each is compared at each call.
const MAX_TOKENS: usize = 64;

type Sum = [u8; 32];

/// The tokens that are good now; several, so that callers can change over one by one.
pub struct Tokens(ArcSwap<Vec<Sum>>);

/// Whether a connection's caller has shown a good token or certificate; clones are about the same
/// connection.
#[derive(Clone, Debug, Default)]
pub struct Proof(Arc<AtomicBool>);

impl Proof {
    /// From now on it has.
    pub fn show(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True when it has.
    #[must_use]
    pub fn shown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tokens {
    /// Reads a token file: one token a line; empty lines and lines that begin with `#` are left
    /// out.
    ///
    /// # Errors
    /// As [`Tokens::replace`].
    pub fn read(text: &str) -> Result<Self, String> {
        sums(text).map(|sums| Self(ArcSwap::from_pointee(sums)))
    }

    /// Puts the tokens of another text in the place of these: true when they differ.
    ///
    /// # Errors
    /// One sentence that names the line and no token; the present ones stay good.
    pub fn replace(&self, text: &str) -> Result<bool, String> {
        let sums = sums(text)?;
        let differ = **self.0.load() != sums;
        if differ {
            self.0.store(sums.into());
        }
        Ok(differ)
    }

    /// Lets a call with a good token pass.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let value = headers
            .get(header::AUTHORIZATION)
            .map(http::HeaderValue::as_bytes);
        let Some(token) = value.and_then(bearer) else {
            return Err(refused(
                reason::CALLER_TOKEN_MISSING,
                "The call brings no token; send the metadata authorization: Bearer and one of the tokens of auth.token_file.",
            ));
        };
        let sum = Sum::from(Sha256::digest(token));
        let known = self.0.load();
        let good = known
            .iter()
            .fold(Choice::from(0), |good, known| good | known.ct_eq(&sum));
        if bool::from(good) {
            return Ok(());
        }
        Err(refused(
            reason::CALLER_TOKEN_REFUSED,
            "The call's token is none of those that the sidecar knows; it may have been rotated out of auth.token_file.",
        ))
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    // A scheme's letters have no case (RFC 9110 §11.1).
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

fn refused(reason: &'static str, message: &str) -> Error {
    Error::new(Kind::Unauthenticated, reason, message)
}

fn sums(text: &str) -> Result<Vec<Sum>, String> {
    let mut sums = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let token = line.trim();
        if token.is_empty() || token.starts_with('#') {
            continue;
        }
        if token.len() < MIN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "line {} is no token: write at least {MIN_LENGTH} visible ASCII characters without spaces",
                index + 1
            ));
        }
        sums.push(Sum::from(Sha256::digest(token)));
    }
    match sums.len() {
        0 => Err("holds no token; write one a line".to_owned()),
        1..=MAX_TOKENS => Ok(sums),
        count => Err(format!(
            "holds {count} tokens; at most {MAX_TOKENS} are compared at each call"
        )),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.load().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "first-token-0123456789";
    const TWO: &str = "second-token-0123456789";

    fn reason(tokens: &Tokens, value: Option<&str>) -> String {
        let headers = value.map(|value| (header::AUTHORIZATION, value.parse().unwrap()));
        match tokens.check(&headers.into_iter().collect()) {
            Ok(()) => "good".to_owned(),
            Err(error) => error.reason.to_string(),
        }
    }

    #[test]
    fn each_of_several_tokens_is_good_and_nothing_else() {
        let tokens = Tokens::read(&format!("# rotated monthly\n{ONE}\n\n  {TWO}\r\n")).unwrap();
        for good in [format!("Bearer {ONE}"), format!("bearer  {TWO} ")] {
            assert_eq!(reason(&tokens, Some(&good)), "good", "{good}");
        }
        let prefix = &ONE[..ONE.len() - 1];
        for bad in [
            format!("Bearer {prefix}"),
            format!("Bearer {ONE}x"),
            "Bearer ".to_owned(),
        ] {
            assert_eq!(reason(&tokens, Some(&bad)), "CALLER_TOKEN_REFUSED", "{bad}");
        }
        for none in [Some(ONE), Some("Basic Og=="), Some("Bearer"), None] {
            assert_eq!(reason(&tokens, none), "CALLER_TOKEN_MISSING", "{none:?}");
        }
        assert!(!format!("{tokens:?}").contains("token-0"));
    }

    #[test]
    fn a_wrong_file_leaves_the_present_tokens_good_and_repeats_none_of_its_text() {
        let tokens = Tokens::read(ONE).unwrap();
        let many = vec![ONE; MAX_TOKENS + 1].join("\n");
        for wrong in [
            "",
            "# none\n",
            "short-canary",
            "a space-canary 0123456789",
            &many,
        ] {
            let fault = tokens.replace(wrong).unwrap_err();
            assert!(!fault.contains("canary"), "{fault}");
            assert_eq!(
                reason(&tokens, Some(&format!("Bearer {ONE}"))),
                "good",
                "{wrong}"
            );
        }
        assert_eq!(
            (tokens.replace(ONE), tokens.replace(TWO)),
            (Ok(false), Ok(true))
        );
        assert_eq!(
            reason(&tokens, Some(&format!("Bearer {ONE}"))),
            "CALLER_TOKEN_REFUSED"
        );
    }
}
