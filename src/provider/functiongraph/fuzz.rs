//! FunctionGraph's decoders under bytes that nobody chose. See `fuzzing`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{errors, outcome, sign, wire};
use crate::proto::JsonEncoding;
use crate::provider::lenient::{self, Clock};
use crate::telemetry::metrics::TargetMetrics;
use crate::transport::Response;

/// An answer: one byte chooses the status, lines `name:value` follow, and behind an empty line the
/// body.
pub(crate) fn answer(data: &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let status = StatusCode::from_u16(200 + 10 * u16::from(first % 40)).unwrap_or(StatusCode::OK);
    let end = rest.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((&[][..], rest), |end| (&rest[..end], &rest[end + 2..]));
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(20) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.insert(name, value);
        }
    }
    let response = Response {
        status,
        headers,
        body: Bytes::copy_from_slice(body),
    };
    for error in [
        errors::judge(&response).err(),
        outcome::judge(&response).err(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(
            !error.message.is_empty() && !error.message.contains(['<', '\n', '\r']),
            "{}",
            error.message
        );
        assert!(
            !error.message.contains("canonicalRequest"),
            "{}",
            error.message
        );
        assert!(
            error.message.len() < 3_000 && error.reason.len() < 64,
            "{}",
            error.message
        );
    }
    let metrics = TargetMetrics::unread();
    for encoding in [JsonEncoding::Text, JsonEncoding::Value] {
        let _ = outcome::read(&response, encoding, true, &metrics);
    }
    let _ = lenient::quietly::<wire::action::Functions>(&response.body, Clock::UTC);
    let _ = lenient::quietly::<wire::action::Function>(&response.body, Clock::UTC);
    let _ = lenient::quietly::<Vec<wire::action::Alias>>(&response.body, Clock::UTC);
    let _ = lenient::quietly::<wire::Records>(&response.body, Clock::UTC);
    let _ = lenient::quietly::<wire::AsyncConfig>(&response.body, Clock::UTC);
    let _ = lenient::quietly::<wire::Accepted>(&response.body, Clock::UTC);
}

/// What a gateway says it signed: two such texts differ exactly when they are two.
pub(crate) fn gateway_words(data: &[u8]) {
    let words = String::from_utf8_lossy(data);
    let Some(canonical) = sign::told_canonical(&words) else {
        return;
    };
    assert_eq!(sign::difference(&canonical, &canonical), None);
    let ours = "GET\n/v2/p/\na=1\nhost:h\n\nhost\ne3b0";
    if let Some(found) = sign::difference(ours, &canonical) {
        assert!(!format!("{found:?}").is_empty());
    }
}
