//! SDK-HMAC-SHA256 against a second, naive writing of the same rules: split, decode, sort, encode,
//! join.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use crate::credentials::{KeyPair, Secret};
use crate::provider::functiongraph::{Parts, Signer, hash, payload_hash};

const DATE: &str = "20240102T030405Z";
const SECRET: &str = "test-secret-key-not-real-000000000000001";

/// Input: a method, a path with its query, and headers, one a line; the body behind an empty line.
pub fn signature(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let method = match lines.next() {
        Some("POST") => "POST",
        Some("PUT") => "PUT",
        _ => "GET",
    };
    let target = lines.next().unwrap_or_default().trim_start_matches('/');
    let Ok(url) = Url::parse(&format!("https://host.example/{target}")) else {
        return;
    };
    let mut headers = vec![(
        HeaderName::from_static("x-sdk-date"),
        HeaderValue::from_static(DATE),
    )];
    for line in lines.take(20) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
        else {
            continue;
        };
        if headers.iter().all(|(known, _)| *known != name) {
            headers.push((name, value));
        }
    }
    let borrowed: Vec<_> = headers.iter().map(|(name, value)| (name, value)).collect();
    let keys = KeyPair {
        access_key: "AK".to_owned(),
        secret_key: Secret::new(SECRET.to_owned()),
        security_token: None,
    };
    let payload = payload_hash(&borrowed, body.as_bytes());
    let parts = Parts {
        method,
        url: &url,
        headers: &borrowed,
        date: DATE,
        payload_hash: &payload,
    };
    let signer = Signer::new(&keys).expect("any secret keys an HMAC");
    let told = signer.explain(&parts);
    assert_eq!(told.authorization, signer.sign(&parts));

    let canonical = naive(method, &url, &headers, &payload);
    assert_eq!(
        told.canonical_request.as_bytes(),
        String::from_utf8_lossy(&canonical).as_bytes(),
        "{url}"
    );
    let text = format!(
        "SDK-HMAC-SHA256\n{DATE}\n{}",
        hex::encode(Sha256::digest(&canonical))
    );
    let mut mac =
        Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any secret keys an HMAC");
    mac.update(text.as_bytes());
    assert_eq!(told.signature, hex::encode(mac.finalize().into_bytes()));
    assert_eq!(
        hash(body.as_bytes()),
        hex::encode(Sha256::digest(body.as_bytes()))
    );
}

fn naive(method: &str, url: &Url, headers: &[(HeaderName, HeaderValue)], payload: &str) -> Vec<u8> {
    let segments: Vec<String> = decoded(url.path().as_bytes())
        .split(|byte| *byte == b'/')
        .map(encoded)
        .collect();
    let mut path = segments.join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    let mut pairs = Vec::new();
    for pair in url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let mut halves = pair.splitn(2, '=');
        let mut half = || {
            let plus = halves.next().unwrap_or_default().replace('+', " ");
            String::from_utf8_lossy(&decoded(plus.as_bytes())).into_owned()
        };
        pairs.push((half(), half()));
    }
    pairs.sort();
    let query: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encoded(key.as_bytes()), encoded(value.as_bytes())))
        .collect();
    let mut named: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !name.as_str().contains('_'))
        .collect();
    named.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    let mut out = format!("{method}\n{path}\n{}\n", query.join("&")).into_bytes();
    for (name, value) in &named {
        out.extend_from_slice(name.as_str().as_bytes());
        out.push(b':');
        out.extend_from_slice(value.as_bytes().trim_ascii());
        out.push(b'\n');
    }
    let names: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
    out.extend_from_slice(format!("\n{}\n{payload}", names.join(";")).as_bytes());
    out
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let escape = text
            .get(at + 1..at + 3)
            .filter(|digits| text[at] == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .map(|digits| std::str::from_utf8(digits).expect("hexadecimal digits are text"));
        match escape {
            Some(digits) => {
                out.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                at += 3;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

fn encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(*byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
