//! When a call must be answered.

use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataMap;

/// Kept back so that our own answer reaches the caller before its clock runs out. Without it the server library's
/// timer fires first, and its answer is CANCELLED.
const MARGIN: Duration = Duration::from_millis(50);

/// The smaller of the caller's `grpc-timeout` (less a margin) and the target's longest call.
pub(super) fn deadline(metadata: &MetadataMap, longest: Duration) -> Instant {
    let asked = metadata
        .get("grpc-timeout")
        .and_then(|value| parse(value.to_str().ok()?));
    let allowed = match asked {
        Some(asked) => asked.saturating_sub(MARGIN.min(asked / 10)).min(longest),
        None => longest,
    };
    Instant::now() + allowed
}

/// `TimeoutValue TimeoutUnit`, at most eight digits (gRPC over HTTP/2, "Requests").
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_protocol() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("123456789S", None),
            ("-1S", None),
            ("S", None),
            ("", None),
            ("1x", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_margin_never_eats_more_than_a_tenth() {
        let mut metadata = MetadataMap::new();
        let left = |metadata: &MetadataMap| deadline(metadata, Duration::from_secs(310)) - Instant::now();
        assert_eq!(left(&metadata), Duration::from_secs(310));
        metadata.insert("grpc-timeout", "10S".parse().unwrap());
        assert_eq!(left(&metadata), Duration::from_millis(9950));
        metadata.insert("grpc-timeout", "20m".parse().unwrap());
        assert_eq!(left(&metadata), Duration::from_millis(18));
        metadata.insert("grpc-timeout", "1H".parse().unwrap());
        assert_eq!(left(&metadata), Duration::from_secs(310));
    }
}
