//! Signature v2 worked out a second time, from the document alone: nothing is shared with the code
//! under test.
//!
//! NCP docs: common-ncpapi. HMAC is built here from its definition (RFC 2104) over SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Block length of SHA-256 in bytes.
const BLOCK: usize = 64;

/// `METHOD SP TARGET LF TIMESTAMP LF ACCESS_KEY`, over the bytes as they are.
pub fn string_to_sign(
    method: &[u8],
    target: &[u8],
    timestamp: &[u8],
    access_key: &[u8],
) -> Vec<u8> {
    [method, b" ", target, b"\n", timestamp, b"\n", access_key].concat()
}

/// The header value for `message` under `secret`.
pub fn sign(secret: &[u8], message: &[u8]) -> String {
    STANDARD.encode(hmac_sha256(secret, message))
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; BLOCK];
    let hashed = Sha256::digest(key);
    let key = if key.len() > BLOCK {
        hashed.as_slice()
    } else {
        key
    };
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    outer.to_vec()
}
