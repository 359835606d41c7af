//! NCP's decoders under bytes that nobody chose. See `fuzzing`.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{errors, trigger_read, wire};
use crate::provider::lenient::{self, Clock};
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
        error.message.len() < 3_000 && error.reason.len() < 64,
        "{}",
        error.message
    );
    let response = Response {
        status,
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body),
    };
    let clock = Clock::UTC;
    let _ = lenient::quietly::<Vec<wire::Package<'_>>>(&response.body, clock);
    let _ = lenient::quietly::<wire::Action<'_>>(&response.body, clock);
    let _ = lenient::quietly::<wire::ActionList>(&response.body, clock);
    let _ = lenient::quietly::<wire::ActivationList>(&response.body, clock);
    let _ = lenient::quietly::<wire::Activation<'_>>(&response.body, clock)
        .and_then(|activation| activation.init_duration());
    let _ = lenient::quietly::<trigger_read::Trigger<'_>>(&response.body, clock);
}
