//! NCP's decoders under bytes that nobody chose. See `fuzzing`.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{errors, time, wire};
use crate::proto::Platform;
use crate::provider::ncp::{ApiVersion, Endpoint, Region, Site};
use crate::transport::Response;

/// An answer: one byte chooses the status, the rest is the body.
pub(crate) fn answer(data: &[u8]) {
    let (first, body) = data.split_first().unwrap_or((&0, &[]));
    let status = StatusCode::from_u16(200 + 10 * u16::from(first % 40)).unwrap_or(StatusCode::OK);
    let error = errors::classify(status, body);
    assert!(
        !error.message.is_empty() && !error.message.contains(['<', '\n', '\r']),
        "{}",
        error.message
    );
    assert!(
        error.message.chars().count() < 1200 && error.reason.len() < 400,
        "{}",
        error.message
    );
    let response = Response {
        status,
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body),
    };
    let _ = serde_json::from_slice::<wire::Envelope<Vec<wire::Package<'_>>>>(&response.body);
    let _ = serde_json::from_slice::<wire::Envelope<wire::Package<'_>>>(&response.body);
    let _ = serde_json::from_slice::<wire::Envelope<wire::Action<'_>>>(&response.body);
    let _ = serde_json::from_slice::<wire::Envelope<wire::ActionList>>(&response.body)
        .map(|list| list.content.into_items());
    let _ = serde_json::from_slice::<wire::Envelope<wire::ActivationList>>(&response.body);
    let _ = serde_json::from_slice::<wire::Envelope<wire::Activation<'_>>>(&response.body);
    let _ = serde_json::from_slice::<wire::Envelope<wire::Fired>>(&response.body);
    let _ = serde_json::from_slice::<wire::Envelope<wire::Linked>>(&response.body);
}

/// A time in a body, as JSON.
pub(crate) fn time(text: &str) {
    let endpoint = Endpoint::new(
        Site::Public,
        Region::Kr,
        ApiVersion::V20,
        None,
        Platform::Unspecified,
    );
    if let (Ok(endpoint), Ok(at)) = (endpoint, serde_json::from_str::<wire::Time>(text))
        && let Some(at) = time::timestamp(&at, &endpoint)
    {
        assert!((0..1_000_000_000).contains(&at.nanos), "{at:?}");
    }
}
