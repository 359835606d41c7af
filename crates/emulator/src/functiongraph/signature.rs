//! Checks SDK-HMAC-SHA256 over a request as it was received (API Request Signing Guide).
//!
//! Code of this room alone, written from the guide and not from the sidecar's signer. Only this
//! algorithm is served: `V11-HMAC-SHA256` and the SM3 and ECDSA variants are for other hosts.

use chrono::NaiveDateTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::http::Request;
use crate::query::decode;

const ALGORITHM: &str = "SDK-HMAC-SHA256";
const DATE: &str = "x-sdk-date";
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const CONTENT: &str = "x-sdk-content-sha256";
/// Sent instead of a hash by the official clients for bodies that are not JSON.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// Their values are left out of what a refusal shows.
const SECRETS: [&str; 3] = ["x-security-token", "x-auth-token", "cookie"];

/// What a request says about its signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim<'a> {
    pub(super) access_key: &'a str,
    /// Lower-case names in the order in which they were listed.
    signed: Vec<&'a str>,
    signature: &'a str,
    date: &'a str,
    /// The time of `date`, in milliseconds since 1970.
    pub(super) time_ms: i64,
}

impl<'a> Claim<'a> {
    /// Reads `Authorization` and `X-Sdk-Date`; an error is a sentence on what is wrong with them.
    pub(super) fn read(request: &'a Request, authorization: &'a str) -> Result<Self, String> {
        let (algorithm, fields) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if algorithm != ALGORITHM {
            return Err(format!(
                "the algorithm is `{algorithm}`, and only {ALGORITHM} is served"
            ));
        }
        let mut parts = fields.split(", ");
        let mut field = |name: &str| {
            parts
                .next()
                .and_then(|part| part.strip_prefix(name)?.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    format!("Authorization is not `{ALGORITHM} Access=…, SignedHeaders=…, Signature=…`: {name} is missing")
                })
        };
        let (access_key, signed, signature) = (
            field("Access")?,
            field("SignedHeaders")?,
            field("Signature")?,
        );
        let signed: Vec<_> = signed.split(';').collect();
        if !signed.contains(&DATE) {
            return Err("X-Sdk-Date is not among the signed headers".into());
        }
        let date = request
            .header(DATE)
            .ok_or_else(|| "the header X-Sdk-Date is missing".to_owned())?
            .trim();
        let time = NaiveDateTime::parse_from_str(date, DATE_FORMAT)
            .map_err(|_| format!("X-Sdk-Date `{date}` is not YYYYMMDD'T'HHMMSS'Z'"))?;
        Ok(Self {
            access_key,
            signed,
            signature,
            date,
            time_ms: time.and_utc().timestamp_millis(),
        })
    }

    pub(super) fn signs(&self, header: &str) -> bool {
        self.signed.contains(&header)
    }

    /// Compares the signature; an error shows what should have been signed.
    pub(super) fn verify(&self, request: &Request, secret_key: &str) -> Result<(), String> {
        let payload = payload_hash(request)?;
        let canonical = self.canonical(request, &payload, false)?;
        let text = format!(
            "{ALGORITHM}\n{}\n{}",
            self.date,
            hex::encode(Sha256::digest(canonical))
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes())
            .map_err(|_| "the secret key cannot be used".to_owned())?;
        mac.update(text.as_bytes());
        let claimed = hex::decode(self.signature)
            .map_err(|_| "the signature is not hexadecimal".to_owned())?;
        let lower = !self.signature.bytes().any(|byte| byte.is_ascii_uppercase());
        if lower && mac.verify_slice(&claimed).is_ok() {
            return Ok(());
        }
        let shown = self.canonical(request, &payload, true)?;
        Err(format!(
            "the signature is not that of {:?} with the secret key of {}; canonicalRequest: {}",
            text,
            self.access_key,
            shown.replace('\n', "|")
        ))
    }

    /// Steps 2 to 8 of the guide.
    fn canonical(&self, request: &Request, payload: &str, hide: bool) -> Result<String, String> {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let mut names = self.signed.clone();
        names.sort_unstable();
        let mut headers = String::new();
        for name in &names {
            let values: Vec<_> = request
                .headers
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
                .collect();
            if values.is_empty() {
                return Err(format!("the signed header {name} was not received"));
            }
            // INFERRED: the guide does not say how a repeated header is written.
            let value = if hide && SECRETS.contains(name) {
                "<hidden>".into()
            } else {
                values.join(",")
            };
            headers.push_str(&format!("{name}:{value}\n"));
        }
        Ok(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{payload}",
            request.method.to_ascii_uppercase(),
            canonical_path(path),
            canonical_query(query),
            names.join(";"),
        ))
    }
}

/// Step 7. INFERRED: a hash that the client names must be that of the body.
fn payload_hash(request: &Request) -> Result<String, String> {
    let actual = hex::encode(Sha256::digest(&request.body));
    match request.header(CONTENT) {
        Some(named) if !request.body.is_empty() && named != UNSIGNED && named != actual => Err(
            format!("X-Sdk-Content-Sha256 is {named}, but the body has {actual}"),
        ),
        Some(named) if !request.body.is_empty() => Ok(named.to_owned()),
        _ => Ok(actual),
    }
}

/// Step 3: decode, split, encode every segment, end in a slash.
fn canonical_path(raw: &str) -> String {
    let decoded = decode(raw);
    let mut path = decoded.split('/').map(encode).collect::<Vec<_>>().join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

/// Step 4: sorted by the decoded key, then by the decoded value.
fn canonical_query(raw: &str) -> String {
    let mut pairs: Vec<_> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    pairs.join("&")
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
