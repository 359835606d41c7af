//! When a call must be answered.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::Status;

use super::headers::GRPC_TIMEOUT;
use super::status::{Context, status};
use crate::error::{Error, Kind, reason};

/// Kept back so that our own answer reaches the caller before its clock runs out. Without it the
/// server library's timer fires first, and its answer is CANCELLED.
pub(super) const MARGIN: Duration = Duration::from_millis(50);

/// When the caller must have its answer by its own word: `grpc-timeout`, less a margin, from the
/// arrival of its headers. The server library counts from there too, so a body that comes slowly
/// must not put our end behind its.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallerDeadline(pub(super) Instant);

impl CallerDeadline {
    /// Reads the headers of a call that has just arrived; `None` when they name no time.
    ///
    /// # Errors
    /// When they name something that is no time: read as none it would let a call go on that its
    /// caller gave up.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, Status> {
        let mut all = headers.get_all(&GRPC_TIMEOUT).iter();
        let Some(header) = all.next() else {
            return Ok(None);
        };
        let once = all.next().is_none();
        let asked = header.to_str().ok().filter(|_| once).and_then(parse);
        let asked = asked.ok_or_else(malformed)?;
        Ok(Some(Self(
            Instant::now() + asked.saturating_sub(MARGIN.min(asked / 10)),
        )))
    }
}

/// A mistake of the caller's library or of a hop, as `INVALID_ARGUMENT`: nothing of it lies with
/// the sidecar or the cloud.
fn malformed() -> Status {
    let error = Error::new(
        Kind::InvalidArgument,
        reason::GRPC_TIMEOUT_MALFORMED,
        "Nothing was started: grpc-timeout must stand once, as one to eight digits and a unit of H, M, S, m, u or n.",
    );
    status(&error, &Context::default())
}

/// The sooner of the caller's word and the target's longest call.
pub(super) fn deadline(asked: Option<CallerDeadline>, longest: Duration) -> Instant {
    let longest = Instant::now() + longest;
    asked.map_or(longest, |asked| asked.0.min(longest))
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
            let mut headers = HeaderMap::new();
            if let Some(timeout) = timeout {
                headers.insert("grpc-timeout", timeout.parse().unwrap());
            }
            let asked = CallerDeadline::read(&headers).unwrap();
            deadline(asked, Duration::from_secs(310)) - Instant::now()
        };
        assert_eq!(left(None), Duration::from_secs(310));
        assert_eq!(left(Some("10S")), Duration::from_millis(9950));
        assert_eq!(left(Some("20m")), Duration::from_millis(18));
        assert_eq!(left(Some("1H")), Duration::from_secs(310));
    }

    #[test]
    fn what_is_no_time_is_refused_and_not_read_as_none() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("grpc-timeout", value.parse().unwrap());
            }
            CallerDeadline::read(&headers).map(|asked| asked.is_some())
        };
        assert!(!read(&[]).unwrap());
        assert!(read(&["5S"]).unwrap() && read(&["0m"]).unwrap());
        for values in [
            &["abc"][..],
            &["-1S"],
            &["+1S"],
            &["123456789m"],
            &["5s"],
            &["5"],
            &[""],
            &["S"],
            &["1.5S"],
            &["1 S"],
            &["5S,5S"],
            &["5S", "5S"],
            &["5S", "6S"],
        ] {
            let refused = read(values).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{values:?}");
        }
    }
}
