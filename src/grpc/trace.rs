//! W3C trace context in the caller's metadata; nothing else of the metadata goes on.
//!
//! `traceparent` is checked, because a broken one would break the trace of everything behind us
//! (W3C Trace Context, level 2); the other two only travel with a good one.

use tonic::metadata::MetadataMap;

/// Longest `tracestate` and `baggage` passed on, in bytes (W3C: at least 512 and at most 8192 must be kept).
const MAX_LENGTH: usize = 8192;

/// The headers to pass on.
pub(super) fn context(metadata: &MetadataMap) -> Vec<(&'static str, String)> {
    let read = |name: &'static str| metadata.get(name)?.to_str().ok().map(ToOwned::to_owned);
    let Some(parent) = read("traceparent").filter(|parent| is_traceparent(parent)) else {
        return Vec::new();
    };
    let mut headers = vec![("traceparent", parent)];
    for name in ["tracestate", "baggage"] {
        if let Some(value) = read(name).filter(|value| value.len() <= MAX_LENGTH) {
            headers.push((name, value));
        }
    }
    headers
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, lower case, neither id zero; later versions may have more behind.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |len: usize| {
        parts.next().filter(|part| {
            part.len() == len && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let (Some(version), Some(trace), Some(span), Some(_flags)) = (hex(2), hex(32), hex(16), hex(2)) else {
        return false;
    };
    let zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    version != "ff" && (version != "00" || parts.next().is_none()) && !zero(trace) && !zero(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_parent_is_passed_on() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good));
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
        let mut metadata = MetadataMap::new();
        metadata.insert("tracestate", "a=b".parse().unwrap());
        metadata.insert("authorization", "secret".parse().unwrap());
        assert!(context(&metadata).is_empty());
        metadata.insert("traceparent", good.parse().unwrap());
        assert_eq!(
            context(&metadata),
            [("traceparent", good.to_owned()), ("tracestate", "a=b".to_owned())]
        );
    }
}
