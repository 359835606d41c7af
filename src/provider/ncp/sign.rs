//! Signature v2: HMAC-SHA256 over method, request target, timestamp and access key.
//!
//! NCP docs: common-ncpapi ("signature v2"). The body and the headers are not signed. The request
//! target is signed exactly as it is sent: not sorted, not decoded, not encoded again.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::credentials::KeyPair;

/// One credential, its HMAC already keyed: signing costs no key schedule, and the secret is not
/// read again.
#[derive(Clone)]
pub struct Signer {
    access_key: String,
    mac: Hmac<Sha256>,
}

impl Signer {
    /// Prepares a key pair. The secret is used as its bytes stand; it is not base64.
    ///
    /// # Errors
    /// Never for a real key; HMAC takes any length.
    pub fn new(keys: &KeyPair) -> Result<Self, String> {
        let mac = Hmac::new_from_slice(keys.secret_key.reveal().as_bytes())
            .map_err(|fault| fault.to_string())?;
        Ok(Self {
            access_key: keys.access_key.clone(),
            mac,
        })
    }

    /// The access key that goes beside the signature.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The text that is signed, for explaining; [`Signer::sign`] never builds it.
    #[must_use]
    pub fn string_to_sign(&self, method: &str, target: &str, timestamp: &str) -> String {
        format!("{method} {target}\n{timestamp}\n{}", self.access_key)
    }

    /// The signature of one request. `method` in capitals, `target` the path and query as sent,
    /// `timestamp` the very header value: milliseconds since the Unix epoch.
    #[must_use]
    pub fn sign(&self, method: &str, target: &str, timestamp: &str) -> String {
        let mut mac = self.mac.clone();
        for part in [method, " ", target, "\n", timestamp, "\n", &self.access_key] {
            mac.update(part.as_bytes());
        }
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}
