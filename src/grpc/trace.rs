//! W3C trace context in the caller's metadata; nothing else of the metadata goes on.
//!
//! `traceparent` is checked, because a broken one would break the trace of everything behind us
//! (W3C Trace Context, level 2); `tracestate` only travels with a good one. `baggage` (W3C Baggage)
//! stands for itself.

use http::HeaderName;
use opentelemetry::trace::{SpanId, TraceId};
use tonic::metadata::MetadataMap;

use super::headers::{BAGGAGE, TRACEPARENT, TRACESTATE};
use crate::telemetry::{IncomingTrace, Propagation, TraceParent};

/// Longest `tracestate` and `baggage` passed on, in bytes (W3C: at least 512 and at most 8192 must
/// be kept).
const MAX_LENGTH: usize = 8192;

/// What the caller says of its trace, as far as it is to be heard.
pub(super) fn incoming(metadata: &MetadataMap, propagation: Propagation) -> IncomingTrace {
    let mut incoming = IncomingTrace::default();
    if propagation.trace_context
        && let Some(parent) = metadata
            .as_ref()
            .get(&TRACEPARENT)
            .and_then(|value| parent(value.to_str().ok()?))
    {
        incoming.parent = Some(parent);
        incoming.tracestate = list(metadata, &TRACESTATE);
    }
    if propagation.baggage {
        incoming.baggage = list(metadata, &BAGGAGE);
    }
    incoming
}

/// A header that may come in several lines, which are one list.
fn list(metadata: &MetadataMap, name: &HeaderName) -> Option<String> {
    let mut lines = metadata.as_ref().get_all(name).iter();
    let mut all = lines.next()?.to_str().ok()?.to_owned();
    for line in lines {
        all.push(',');
        all.push_str(line.to_str().ok()?);
    }
    (!all.is_empty() && all.len() <= MAX_LENGTH).then_some(all)
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, lower case, neither id zero; later versions may have more
/// behind.
fn parent(text: &str) -> Option<TraceParent> {
    let mut parts = text.split('-');
    let mut hex = |len: usize| {
        parts.next().filter(|part| {
            part.len() == len
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let trace_id = TraceId::from_hex(trace).ok()?;
    let span_id = SpanId::from_hex(span).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (trace_id != TraceId::INVALID && span_id != SpanId::INVALID).then(|| TraceParent {
        text: text.to_owned(),
        trace_id,
        span_id,
        sampled: flags & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_good_parent_is_heard() {
        let heard = parent(GOOD).unwrap();
        assert_eq!(
            heard.trace_id.to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(heard.span_id.to_string(), "00f067aa0ba902b7");
        assert!(heard.sampled && heard.text == GOOD);
        assert!(!parent(&GOOD.replace("-01", "-02")).unwrap().sampled);
        // A version that is to come may say more.
        assert!(parent(&format!("01{}-x", &GOOD[2..])).is_some());
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(parent(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_are_joined_and_a_state_needs_a_parent() {
        let mut metadata = MetadataMap::new();
        metadata.append("tracestate", "a=b".parse().unwrap());
        metadata.append("tracestate", "c=d".parse().unwrap());
        metadata.append("baggage", "tenant=1".parse().unwrap());
        metadata.append("baggage", "user=2".parse().unwrap());
        metadata.insert("authorization", "secret".parse().unwrap());
        let heard = incoming(&metadata, Propagation::ALL);
        assert_eq!((heard.parent, heard.tracestate), (None, None));
        assert_eq!(heard.baggage.as_deref(), Some("tenant=1,user=2"));
        metadata.insert("traceparent", GOOD.parse().unwrap());
        let heard = incoming(&metadata, Propagation::ALL);
        assert_eq!(heard.tracestate.as_deref(), Some("a=b,c=d"));
        let silent = Propagation {
            trace_context: false,
            baggage: false,
        };
        let heard = incoming(&metadata, silent);
        assert!(heard.parent.is_none() && heard.tracestate.is_none() && heard.baggage.is_none());
    }

    #[test]
    fn what_is_too_long_is_left_out() {
        let mut metadata = MetadataMap::new();
        metadata.insert("baggage", "x".repeat(MAX_LENGTH + 1).parse().unwrap());
        assert!(incoming(&metadata, Propagation::ALL).baggage.is_none());
    }
}
