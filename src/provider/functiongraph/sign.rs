//! SDK-HMAC-SHA256: the signature of Huawei Cloud's public APIs.
//!
//! Huawei docs: "API Request Signing Guide"; `huaweicloudsdkcore` 3.1.219 `signer/signer.py` (read
//! 2026-10). The path is decoded and encoded again for the canonical form, which ends in a slash
//! that never travels. All test vectors, with every intermediate text:
//! `tests/conformance/functiongraph/sign-vectors.json`.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use crate::credentials::KeyPair;

mod canonical;
mod difference;

pub(super) use canonical::encode;
pub use difference::{Difference, difference, told_canonical};

/// The one algorithm spoken here.
const ALGORITHM: &str = "SDK-HMAC-SHA256";
/// Names the body's hash in the caller's place; its value is signed as it stands.
const CONTENT_HASH: &str = "x-sdk-content-sha256";
/// SHA-256 of nothing.
pub const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A signing algorithm of Huawei Cloud's SDKs that can be asked for by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// SDK-HMAC-SHA256: all that FunctionGraph needs, on Huawei Cloud and on Open Telekom Cloud.
    #[default]
    SdkHmacSha256,
}

impl FromStr for Algorithm {
    type Err = String;

    /// Reads the name as it stands in an `Authorization` header; others are refused by name.
    fn from_str(name: &str) -> Result<Self, String> {
        let why = match name {
            ALGORITHM => return Ok(Self::SdkHmacSha256),
            "V11-HMAC-SHA256" => {
                "it is for hosts outside the myhuaweicloud.com pattern, and FunctionGraph takes the other everywhere"
            }
            "SDK-HMAC-SM3" | "SDK-SM2-SM3" => {
                "it is for regions of the Chinese commercial cryptography scheme"
            }
            "SDK-ECDSA-P256-SHA256" => {
                "it is an option of the SDKs that no FunctionGraph region demands"
            }
            _ => "no such algorithm is documented",
        };
        Err(format!(
            "signing algorithm {name} is not supported: {why}. Use {ALGORITHM}"
        ))
    }
}

/// One credential, its HMAC already keyed: signing costs no key schedule, and the secret is not
/// read again.
#[derive(Clone)]
pub struct Signer {
    /// `SDK-HMAC-SHA256 Access={AK}, SignedHeaders=`
    opening: String,
    mac: Hmac<Sha256>,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The very URL that is sent.
    pub url: &'a Url,
    /// The headers to sign, `x-sdk-date` among them; `host` is not added. A name with `_` is
    /// skipped, as the SDKs do.
    pub headers: &'a [(&'a HeaderName, &'a HeaderValue)],
    /// The value of `x-sdk-date`.
    pub date: &'a str,
    /// The body's hash, see [`payload_hash`].
    pub payload_hash: &'a str,
}

/// Every intermediate text of one signature, to explain a refusal. Holds header values: not for
/// logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Method, path, query, headers, their names and the body's hash.
    pub canonical_request: String,
    /// Algorithm, date and the hash of the canonical request.
    pub string_to_sign: String,
    /// The names of the signed headers.
    pub signed_headers: String,
    /// Lower-case hexadecimal HMAC of the string to sign.
    pub signature: String,
    /// The value of the `Authorization` header.
    pub authorization: String,
}

impl Signer {
    /// Prepares a key pair. The secret is used as its bytes stand; no key is derived.
    ///
    /// # Errors
    /// Never for a real key; HMAC takes any length.
    pub fn new(keys: &KeyPair) -> Result<Self, String> {
        let mac = Hmac::new_from_slice(keys.secret_key.reveal().as_bytes())
            .map_err(|fault| fault.to_string())?;
        Ok(Self {
            opening: format!("{ALGORITHM} Access={}, SignedHeaders=", keys.access_key),
            mac,
        })
    }

    /// The value of the `Authorization` header.
    #[must_use]
    pub fn sign(&self, parts: &Parts<'_>) -> String {
        let (canonical, names) = canonical::request(parts);
        self.authorization(&names, &self.signature(parts.date, &canonical))
    }

    /// The same, with everything on the way to it.
    #[must_use]
    pub fn explain(&self, parts: &Parts<'_>) -> Explained {
        let (canonical, signed_headers) = canonical::request(parts);
        let signature = self.signature(parts.date, &canonical);
        Explained {
            string_to_sign: format!("{ALGORITHM}\n{}\n{}", parts.date, hash(&canonical)),
            authorization: self.authorization(&signed_headers, &signature),
            canonical_request: String::from_utf8_lossy(&canonical).into_owned(),
            signed_headers,
            signature,
        }
    }

    fn signature(&self, date: &str, canonical: &[u8]) -> String {
        let mut mac = self.mac.clone();
        for part in [ALGORITHM, "\n", date, "\n", &hash(canonical)] {
            mac.update(part.as_bytes());
        }
        hex::encode(mac.finalize().into_bytes())
    }

    fn authorization(&self, names: &str, signature: &str) -> String {
        let mut value = String::with_capacity(self.opening.len() + names.len() + 80);
        for part in [&self.opening, names, ", Signature=", signature] {
            value.push_str(part);
        }
        value
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

/// Lower-case hexadecimal SHA-256.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        EMPTY_HASH.to_owned()
    } else {
        hex::encode(Sha256::digest(bytes))
    }
}

/// The last line of the canonical request: a hash that the headers name, or the body's own.
#[must_use]
pub fn payload_hash(headers: &[(&HeaderName, &HeaderValue)], body: &[u8]) -> String {
    let named = headers
        .iter()
        .find(|(name, _)| name.as_str() == CONTENT_HASH)
        .and_then(|(_, value)| value.to_str().ok());
    match named {
        Some(named) if !body.is_empty() => named.to_owned(),
        _ => hash(body),
    }
}

/// `YYYYMMDD'T'HHMMSS'Z'` in UTC, the value of `x-sdk-date`.
#[must_use]
pub fn date(at: SystemTime) -> String {
    let at = time::OffsetDateTime::from(at);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests;
