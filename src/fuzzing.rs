//! One function a fuzz target: bytes that nobody chose, and what must hold for all of them.
//!
//! Built for tests and with the feature `fuzzing`, never into the program. Two drivers run the very
//! same functions: `fuzz/` under libFuzzer, which looks for new paths through the code, and
//! `tests.rs` here in every `cargo test`, which mutates the seeds of `fuzz/corpus` a fixed number
//! of times. A target panics when its property does not hold.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a target reports by a panic; none of this is in the program"
)]

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use prost::Message as _;
use serde_json::Value as Tree;

use crate::error::Faults;
use crate::json::Value;
use crate::names::{
    AliasName, AsyncRequestId, FunctionName, FunctionPackage, FunctionUrn, FunctionVersion,
    NcpActivationId, NcpName, NcpPackage, Pattern, Qualifier,
};
use crate::transport;
use crate::transport::survey::certificate;
use crate::{app, config, grpc, inject, provider};

mod signature;

pub use signature::signature;

/// A target's name, which is also that of its folder in `fuzz/corpus`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("json_text", json_text),
    ("value_wire", value_wire),
    ("names", names),
    ("config", config_text),
    ("ncp_answer", ncp_answer),
    ("functiongraph_answer", functiongraph_answer),
    ("signature", signature),
    ("gateway_words", gateway_words),
    ("page_token", page_token),
    ("times", times),
    ("certificate", certificate_der),
    ("authority", authority),
    ("manifests", manifests),
];

/// JSON text → protobuf wire bytes → JSON text: the same document, and a second time the same
/// bytes.
pub fn json_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok((value, inexact)) = Value::from_json(text) else {
        return;
    };
    let once = value.to_json().expect("what was read can be written");
    let written = std::str::from_utf8(&once).expect("JSON is UTF-8");
    let (again, _) = Value::from_json(written).expect("what was written can be read");
    assert_eq!(again.to_json().expect("again").as_ref(), once.as_ref());
    let ours: Tree = serde_json::from_str(written).expect("what was written is JSON");
    if !inexact {
        let theirs: Tree = serde_json::from_str(text).expect("what was read is JSON");
        assert_eq!(doubles(ours), doubles(theirs), "{text}");
    }
}

/// Numbers by their value: a `google.protobuf.Value` holds doubles, however they were spelt.
fn doubles(tree: Tree) -> Tree {
    match tree {
        Tree::Number(number) => number
            .as_f64()
            .and_then(serde_json::Number::from_f64)
            .map_or(Tree::Null, Tree::Number),
        Tree::Array(items) => items.into_iter().map(doubles).collect(),
        Tree::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, doubles(value)))
            .collect(),
        other => other,
    }
}

/// Wire bytes of a `google.protobuf.Value` → JSON text: refused or well-formed, and kept byte for
/// byte meanwhile.
pub fn value_wire(data: &[u8]) {
    let Ok(value) = Value::decode(data) else {
        return;
    };
    let encoded = value.encode_to_vec();
    assert_eq!(encoded.len(), value.encoded_len());
    let again = Value::decode(encoded.as_slice()).expect("what was encoded can be decoded");
    assert_eq!(again.encode_to_vec(), encoded);
    if let Ok(text) = value.to_json() {
        let text = std::str::from_utf8(&text).expect("JSON is UTF-8");
        assert!(
            serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok(),
            "{text}"
        );
        Value::from_json(text).expect("what was written can be read");
    }
}

/// Names that are accepted are one path segment, and mean what they say.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let faults = &mut Faults::new();
    let plain = |name: &str| {
        assert!(!name.is_empty() && name.is_ascii(), "{name:?}");
        assert!(
            !name.contains(['/', '?', '#', '%', '\\', ' ', '\r', '\n']) && name != "..",
            "{name:?}"
        );
    };
    if let Some(name) = NcpName::parse(text, "name", faults) {
        plain(name.as_str());
        assert_eq!(name.as_str(), text);
    }
    if let Some(package) = NcpPackage::parse(text, "package", faults) {
        plain(package.as_str());
    }
    if let Some(id) = NcpActivationId::parse(text, "id", faults) {
        plain(&id.to_string());
    }
    if let Some(name) = FunctionName::parse(text, "name", faults) {
        plain(name.as_str());
    }
    if let Some(package) = FunctionPackage::parse(text, "package", faults) {
        plain(package.as_str());
    }
    if let Some(version) = FunctionVersion::parse(text, "version", faults) {
        plain(version.as_str());
    }
    if let Some(alias) = AliasName::parse(text, "alias", faults) {
        plain(alias.as_str());
    }
    let _ = Qualifier::parse(text, "version", faults);
    let _ = AsyncRequestId::parse(text, "id", faults);
    let _ = FunctionUrn::parse(text);
    if let Ok(pattern) = Pattern::parse(text) {
        let _ = pattern.matches("package/action");
    }
}

/// A configuration is refused with reasons, or means the same when its effective form is read
/// again.
pub fn config_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match config::parse_text(text) {
        Err(faults) => assert!(!faults.is_empty() && !faults.to_string().is_empty()),
        Ok(config) => {
            let shown = config::effective(&config);
            let again =
                config::parse_text(&shown).unwrap_or_else(|faults| panic!("{faults}\n{shown}"));
            assert_eq!(again, config, "{shown}");
        }
    }
}

/// NCP's answers: every decoder, and the error tables.
pub fn ncp_answer(data: &[u8]) {
    provider::ncp::fuzz::answer(data);
}

/// FunctionGraph's answers: every decoder, and the error tables.
pub fn functiongraph_answer(data: &[u8]) {
    provider::functiongraph::fuzz::answer(data);
}

/// What FunctionGraph's gateway says it signed.
pub fn gateway_words(data: &[u8]) {
    provider::functiongraph::fuzz::gateway_words(data);
}

/// Tokens give back what they were made of, and only to the list that made them.
pub fn page_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    provider::fuzz_page_token(&text);
}

/// Spans and times of headers, and of both clouds' bodies.
pub fn times(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.clone()), (DATE, value)]);
        let _ = transport::retry_after(&headers, now);
        if let Some(date) = transport::date(&headers) {
            assert!(date > SystemTime::UNIX_EPOCH);
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(span) = grpc::fuzz_timeout(text) {
        assert!(text.len() <= 9 && text.len() >= 2, "{text:?} is {span:?}");
    }
    provider::fuzz_time(text);
}

/// Bytes of a certificate: read within their bounds, or not at all.
pub fn certificate_der(data: &[u8]) {
    if let Some(found) = certificate::read(data) {
        assert!(found.subject.chars().count() <= 200 && !found.issuer.contains(char::is_control));
    }
}

/// A caller's bytes on a Unix socket: the same whatever the pieces, and nothing but delimiters
/// changes.
pub fn authority(data: &[u8]) {
    app::fuzz_authority(data);
}

/// Kubernetes manifests with sidecars, and the webhook's requests.
pub fn manifests(data: &[u8]) {
    inject::fuzz::manifests(data);
}

#[cfg(test)]
mod tests;
