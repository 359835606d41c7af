use serde::Deserialize;

use super::*;
use crate::credentials::Secret;
use crate::provider::functiongraph::endpoint;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    interop_vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    algorithm: String,
    input: Input,
    expected: Expected,
}

#[derive(Deserialize)]
struct Input {
    method: String,
    scheme: String,
    host: String,
    path: String,
    query: Vec<(String, String)>,
    headers: std::collections::BTreeMap<String, String>,
    body: Option<String>,
    body_hex: Option<String>,
    ak: String,
    sk: String,
    x_sdk_date: String,
}

#[derive(Deserialize)]
struct Expected {
    canonical_request: String,
    canonical_request_hash: String,
    string_to_sign: String,
    signed_headers: String,
    signature: String,
    authorization: String,
    request_uri: String,
    headers_added: Vec<String>,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../../tests/conformance/functiongraph/sign-vectors.json");
    let File {
        mut vectors,
        interop_vectors,
    } = serde_json::from_str(text).unwrap();
    vectors.extend(interop_vectors);
    vectors
}

/// The request as it would leave, and its signature.
fn explain(input: &Input, signed_headers: &str, added: &[String]) -> (Url, Explained) {
    let query: Vec<_> = input
        .query
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let text = format!(
        "{}://{}{}{}",
        input.scheme,
        input.host,
        input.path,
        endpoint::query(query)
    );
    let url = Url::parse(&text).unwrap();
    let mut headers: Vec<(HeaderName, HeaderValue)> = input
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.parse().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )
        })
        .collect();
    let mut add = |name: &'static str, value: &str| {
        headers.push((
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        ));
    };
    add("x-sdk-date", &input.x_sdk_date);
    if signed_headers.split(';').any(|name| name == "host") {
        add("host", &input.host);
    }
    if added.iter().any(|name| name == "X-Sdk-Content-Sha256") {
        add("x-sdk-content-sha256", "UNSIGNED-PAYLOAD");
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name, value)).collect();
    let body = match (&input.body, &input.body_hex) {
        (_, Some(hex)) => hex::decode(hex).unwrap(),
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    let signer = Signer::new(&KeyPair {
        access_key: input.ak.clone(),
        secret_key: Secret::new(input.sk.clone()),
        security_token: None,
    })
    .unwrap();
    let parts = Parts {
        method: &input.method,
        url: &url,
        headers: &headers,
        date: &input.x_sdk_date,
        payload_hash: &payload_hash(&headers, &body),
    };
    let explained = signer.explain(&parts);
    assert_eq!(signer.sign(&parts), explained.authorization);
    (url, explained)
}

#[test]
fn every_vector_gives_every_intermediate_text() {
    let mut done = 0;
    for vector in vectors()
        .iter()
        .filter(|vector| vector.algorithm == ALGORITHM)
    {
        let Vector {
            id,
            input,
            expected,
            ..
        } = vector;
        let (url, got) = explain(input, &expected.signed_headers, &expected.headers_added);
        assert_eq!(got.canonical_request, expected.canonical_request, "{id}");
        assert_eq!(
            hash(got.canonical_request.as_bytes()),
            expected.canonical_request_hash,
            "{id}"
        );
        assert_eq!(got.string_to_sign, expected.string_to_sign, "{id}");
        assert_eq!(got.signed_headers, expected.signed_headers, "{id}");
        assert_eq!(got.signature, expected.signature, "{id}");
        assert_eq!(got.authorization, expected.authorization, "{id}");
        // What travels is what the SDK sends: signed and sent URL are one.
        assert_eq!(
            &url[url::Position::BeforePath..],
            expected.request_uri,
            "{id}"
        );
        done += 1;
    }
    assert_eq!(done, 33);
}

#[test]
fn other_algorithms_are_refused_by_name() {
    let others: Vec<_> = vectors()
        .into_iter()
        .filter(|vector| vector.algorithm != ALGORITHM)
        .collect();
    assert_eq!(others.len(), 2);
    for name in others
        .iter()
        .map(|vector| vector.algorithm.as_str())
        .chain(["SDK-ECDSA-P256-SHA256", "AWS4"])
    {
        let why = name.parse::<Algorithm>().unwrap_err();
        assert!(
            why.contains(name) && why.contains("Use SDK-HMAC-SHA256"),
            "{why}"
        );
    }
    assert_eq!(ALGORITHM.parse(), Ok(Algorithm::SdkHmacSha256));
}

#[test]
fn dates_are_utc_to_the_second() {
    let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_704_164_645_999);
    assert_eq!(date(at), "20240102T030405Z");
}

#[test]
fn the_signer_prints_no_key() {
    let keys = KeyPair {
        access_key: "id".to_owned(),
        secret_key: Secret::new("canary".to_owned()),
        security_token: None,
    };
    assert!(!format!("{:?}", Signer::new(&keys).unwrap()).contains("canary"));
}
