//! When a call must be answered.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::Extensions;

/// Kept back so that our own answer reaches the caller before its clock runs out. Without it the server library's
/// timer fires first, and its answer is CANCELLED.
const MARGIN: Duration = Duration::from_millis(50);

/// When the caller must have its answer by its own word: `grpc-timeout`, less a margin, from the arrival of its headers.
/// The server library counts from there too, so a body that comes slowly must not put our end behind its.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(pub(super) Instant);

impl Asked {
    /// Reads the headers of a call that has just arrived.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let asked = parse(headers.get("grpc-timeout")?.to_str().ok()?)?;
        Some(Self(
            Instant::now() + asked.saturating_sub(MARGIN.min(asked / 10)),
        ))
    }
}

/// The sooner of the caller's word and the target's longest call.
pub(super) fn deadline(extensions: &Extensions, longest: Duration) -> Instant {
    let longest = Instant::now() + longest;
    extensions
        .get::<Asked>()
        .map_or(longest, |asked| asked.0.min(longest))
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
        let left = |timeout: Option<&'static str>| {
            let (mut headers, mut extensions) = (HeaderMap::new(), Extensions::new());
            if let Some(timeout) = timeout {
                headers.insert("grpc-timeout", timeout.parse().unwrap());
                extensions.insert(Asked::read(&headers).unwrap());
            }
            deadline(&extensions, Duration::from_secs(310)) - Instant::now()
        };
        assert_eq!(left(None), Duration::from_secs(310));
        assert_eq!(left(Some("10S")), Duration::from_millis(9950));
        assert_eq!(left(Some("20m")), Duration::from_millis(18));
        assert_eq!(left(Some("1H")), Duration::from_secs(310));
    }
}
