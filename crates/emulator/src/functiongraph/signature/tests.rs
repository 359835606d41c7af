//! All vectors of the official client and the published ones, as the requests that would be
//! received.

use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!("../../../../../tests/conformance/functiongraph/sign-vectors.json");

fn request(vector: &Value) -> Request {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut headers: Vec<_> = input["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    headers.push(("Host".into(), text(&input["host"])));
    headers.push(("X-Sdk-Date".into(), text(&input["x_sdk_date"])));
    headers.push(("Authorization".into(), text(&expected["authorization"])));
    let added = expected["headers_added"].as_array().unwrap();
    if added.iter().any(|name| name == "X-Sdk-Content-Sha256") {
        headers.push(("X-Sdk-Content-Sha256".into(), UNSIGNED.into()));
    }
    let body = match input["body_hex"].as_str() {
        Some(digits) => hex::decode(digits).unwrap(),
        None => text(&input["body"]).into_bytes(),
    };
    Request {
        method: text(&input["method"]),
        target: text(&expected["request_uri"]),
        headers,
        body: body.into(),
        too_large: false,
    }
}

fn check(request: &Request, secret: &str) -> Result<(), String> {
    Claim::read(request, request.header("authorization").unwrap())?.verify(request, secret)
}

#[test]
fn accepts_every_vector_and_no_changed_one() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let all = ["vectors", "interop_vectors"].map(|list| file[list].as_array().unwrap());
    let mut checked = 0;
    for vector in all.into_iter().flatten() {
        let (id, secret) = (&vector["id"], vector["input"]["sk"].as_str().unwrap());
        let good = request(vector);
        if vector["algorithm"] != ALGORITHM {
            assert!(
                check(&good, secret)
                    .unwrap_err()
                    .contains("only SDK-HMAC-SHA256"),
                "{id}"
            );
            continue;
        }
        checked += 1;
        assert_eq!(check(&good, secret), Ok(()), "{id}");
        let changed = |change: &dyn Fn(&mut Request)| {
            let mut other = good.clone();
            change(&mut other);
            check(&other, secret).unwrap_err()
        };
        assert!(
            changed(&|r| r.method = "PATCH".into()).contains("is not that of"),
            "{id}"
        );
        assert!(
            changed(&|r| r.target.insert(1, 'x')).contains("canonicalRequest"),
            "{id}"
        );
        assert!(
            check(&good, "other")
                .unwrap_err()
                .contains("is not that of"),
            "{id}"
        );
        if !good.body.is_empty() && good.header(CONTENT).is_none() {
            assert!(
                changed(&|r| r.body = "other".into()).contains("is not that of"),
                "{id}"
            );
        }
        if good.header("content-type").is_some() && vector["id"] != "js-worker-query" {
            let retyped = |r: &mut Request| {
                r.headers.retain(|(name, _)| name != "Content-Type");
                r.headers.push(("content-type".into(), "text/css".into()));
            };
            assert!(changed(&retyped).contains("is not that of"), "{id}");
        }
    }
    assert_eq!(checked, 33);
}

#[test]
fn says_what_is_wrong_and_hides_secrets() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let vector = vectors
        .iter()
        .find(|vector| vector["id"] == "security-token")
        .unwrap();
    let good = request(vector);
    let why = check(&good, "wrong").unwrap_err();
    assert!(
        why.contains("x-security-token:<hidden>|") && !why.contains("EXAMPLE"),
        "{why}"
    );
    let authorization = |text: &str| {
        let read = Claim::read(&good, text);
        read.map(|_| ()).unwrap_err()
    };
    assert!(authorization("Basic abc").contains("algorithm is `Basic`"));
    assert!(authorization("SDK-HMAC-SHA256").contains("Access is missing"));
    assert!(
        authorization("SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=1")
            .contains("not among")
    );
    assert!(
        authorization("SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date")
            .contains("Signature is missing")
    );
    let text = "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-gone;x-sdk-date, Signature=00";
    let claim = Claim::read(&good, text).unwrap();
    assert!(
        claim
            .verify(&good, "s")
            .unwrap_err()
            .contains("x-gone was not received")
    );
    let mut undated = good.clone();
    undated.headers.retain(|(name, _)| name != "X-Sdk-Date");
    assert!(
        check(&undated, "s")
            .unwrap_err()
            .contains("X-Sdk-Date is missing")
    );
    undated
        .headers
        .push(("x-sdk-date".into(), "2024-01-02".into()));
    assert!(
        check(&undated, "s")
            .unwrap_err()
            .contains("is not YYYYMMDD")
    );
    let mut hashed = good;
    hashed.headers.push((CONTENT.into(), "00".into()));
    assert!(
        check(&hashed, "s")
            .unwrap_err()
            .contains("but the body has")
    );
}
