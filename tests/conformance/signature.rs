//! Signature v2 of NAVER Cloud: each fixture with every intermediate, by the signer and by a second
//! computation.

use faas_sidecar::credentials::{KeyPair, Secret};
use faas_sidecar::provider::ncp::Signer;
use serde::Deserialize;

use crate::support::signature;

#[derive(Deserialize)]
struct Vector {
    id: String,
    source: String,
    method: String,
    target: String,
    timestamp: String,
    access_key: String,
    secret_key: String,
    string_to_sign: String,
    string_to_sign_bytes: usize,
    string_to_sign_hex: String,
    signature: String,
}

fn check(fixtures: &str, count: usize) {
    let vectors: Vec<Vector> = serde_json::from_str(fixtures).unwrap();
    assert_eq!(vectors.len(), count);
    for vector in vectors {
        let Vector {
            id,
            method,
            target,
            timestamp,
            ..
        } = &vector;
        assert!(!vector.source.is_empty(), "{id} names no source");
        let keys = KeyPair {
            access_key: vector.access_key.clone(),
            secret_key: Secret::new(vector.secret_key.clone()),
            security_token: None,
        };
        let signer = Signer::new(&keys).unwrap();
        let text = signer.string_to_sign(method, target, timestamp);
        assert_eq!(text, vector.string_to_sign, "{id}");
        assert_eq!(text.len(), vector.string_to_sign_bytes, "{id}");
        assert_eq!(hex::encode(&text), vector.string_to_sign_hex, "{id}");
        assert_eq!(
            signer.sign(method, target, timestamp),
            vector.signature,
            "{id}"
        );
        // A signer serves many requests: the first must not colour the second.
        assert_eq!(
            signer.clone().sign(method, target, timestamp),
            vector.signature,
            "{id}"
        );

        let [method, target, timestamp] = [method, target, timestamp].map(String::as_bytes);
        let again =
            signature::string_to_sign(method, target, timestamp, vector.access_key.as_bytes());
        assert_eq!(hex::encode(&again), vector.string_to_sign_hex, "{id}");
        assert_eq!(
            signature::sign(vector.secret_key.as_bytes(), &again),
            vector.signature,
            "{id}"
        );
        assert!(
            !format!("{signer:?}{keys:?}").contains(&vector.secret_key),
            "{id}"
        );
    }
}

#[test]
fn the_fifteen_vectors_of_the_reference() {
    check(include_str!("ncp/vectors.json"), 15);
}

#[test]
fn a_secret_in_hangul_a_wrong_method_and_a_wrong_timestamp_and_the_sts_call() {
    check(include_str!("ncp/extras.json"), 4);
}

#[test]
fn the_two_vectors_that_others_have_published() {
    check(include_str!("ncp/public.json"), 2);
}

#[test]
fn secrets_of_any_length_are_hashed_as_hmac_asks() {
    for length in [0, 1, 63, 64, 65, 128, 1000] {
        let secret = "s".repeat(length);
        let keys = KeyPair {
            access_key: "a".to_owned(),
            secret_key: Secret::new(secret.clone()),
            security_token: None,
        };
        let text = signature::string_to_sign(b"GET", b"/", b"1", b"a");
        let expected = signature::sign(secret.as_bytes(), &text);
        assert_eq!(
            Signer::new(&keys).unwrap().sign("GET", "/", "1"),
            expected,
            "{length}"
        );
    }
}
