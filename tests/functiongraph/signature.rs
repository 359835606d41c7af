//! The gateway's check of a signature, written for these tests from the signing guide and from the
//! bytes received.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::support::{ACCESS_KEY, Received, SECRET_KEY};

/// Panics unless the `Authorization` header fits the request's own bytes.
pub fn verify(request: &Received) {
    let authorization = request.header("authorization").unwrap();
    let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
    let (names, signature) = names.split_once(", Signature=").unwrap();
    let (path, query) = request
        .target()
        .split_once('?')
        .unwrap_or((request.target(), ""));
    let mut canonical = format!("{}\n{}/\n{query}\n", request.method(), path);
    for name in names.split(';') {
        canonical.push_str(&format!("{name}:{}\n", request.header(name).unwrap()));
    }
    canonical.push_str(&format!(
        "\n{names}\n{}",
        hex::encode(Sha256::digest(&request.body))
    ));
    let date = request.header("x-sdk-date").unwrap();
    let text = format!(
        "SDK-HMAC-SHA256\n{date}\n{}",
        hex::encode(Sha256::digest(&canonical))
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET_KEY.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let expected = hex::encode(mac.finalize().into_bytes());
    assert_eq!(signature, expected, "{canonical}");
    assert!(authorization.starts_with(&format!(
        "SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders="
    )));
}

/// The names that were signed.
pub fn signed(request: &Received) -> Vec<String> {
    let authorization = request.header("authorization").unwrap();
    let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
    names
        .split(',')
        .next()
        .unwrap()
        .split(';')
        .map(str::to_owned)
        .collect()
}
