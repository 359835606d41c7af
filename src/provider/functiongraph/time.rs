//! Times as these services write them ↔ protobuf.
//!
//! Seen in samples (FunctionGraph docs and traces, read 2026-10): `2019-10-25 15:37:27`, `2019-10-29171553`,
//! `2024-01-02T03:04:05` (UTC), RFC 3339 with `+08:00`, epoch seconds. Text that is none of these gives no time.

use prost_types::{Duration, Timestamp};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// An upstream time. INFERRED: without a zone it is UTC, as the asynchronous records document.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(Timestamp {
            seconds: at.unix_timestamp(),
            nanos: i32::try_from(at.nanosecond()).unwrap_or(0),
        });
    }
    // Ten digits; with three more they are milliseconds.
    if text.len() >= 10
        && let Ok(epoch) = text.parse::<i64>()
    {
        let seconds = if text.len() >= 13 { epoch / 1000 } else { epoch };
        return Some(Timestamp { seconds, nanos: 0 });
    }
    let plain = |text: &str| {
        let formats = [
            format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
        ];
        formats
            .iter()
            .find_map(|format| PrimitiveDateTime::parse(text, format).ok())
    };
    let dense = |text| {
        PrimitiveDateTime::parse(
            text,
            format_description!("[year]-[month]-[day][hour][minute][second]"),
        )
    };
    let at = text.get(..19).and_then(plain).or_else(|| dense(text).ok())?;
    Some(Timestamp {
        seconds: at.assume_utc().unix_timestamp(),
        nanos: 0,
    })
}

/// A timestamp as queries want it: `YYYY-MM-DDTHH:mm:ss` in UTC. None beyond the years 1970 to 9999.
pub(super) fn query_value(at: &Timestamp) -> Option<String> {
    let utc = OffsetDateTime::from_unix_timestamp(at.seconds)
        .ok()
        .filter(|at| at.unix_timestamp() >= 0)?;
    utc.format(format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second]"
    ))
    .ok()
}

/// Milliseconds, whole or not, as a duration.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded on purpose; casts saturate"
)]
pub(super) fn from_millis(millis: f64) -> Option<Duration> {
    let nanos = (millis * 1e6).round();
    (nanos.is_finite() && nanos >= 0.0).then_some(())?;
    let nanos = nanos as i64;
    Some(Duration {
        seconds: nanos / 1_000_000_000,
        nanos: i32::try_from(nanos % 1_000_000_000).unwrap_or(0),
    })
}

/// What lies between two times; none when it is negative.
pub(super) fn between(start: &Timestamp, end: &Timestamp) -> Option<Duration> {
    let nanos = i64::from(end.nanos) - i64::from(start.nanos);
    let total = end
        .seconds
        .checked_sub(start.seconds)?
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)?;
    (total >= 0).then(|| Duration {
        seconds: total / 1_000_000_000,
        nanos: i32::try_from(total % 1_000_000_000).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_means_the_same_moment() {
        let moment = 1_572_016_647;
        for text in [
            "2019-10-25 15:17:27",
            "2019-10-25T15:17:27",
            "2019-10-25T15:17:27Z",
            "2019-10-25T23:17:27+08:00",
            "2019-10-25151727",
            "1572016647",
            "1572016647123",
        ] {
            assert_eq!(
                timestamp(text).unwrap_or_else(|| panic!("{text}")).seconds,
                moment,
                "{text}"
            );
        }
        for text in [
            "",
            "yesterday",
            "12",
            "2019-10-25",
            "2019-99-25 15:17:27",
            "函数函数函数函数函数函数函数",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        let at = Timestamp {
            seconds: moment,
            nanos: 0,
        };
        assert_eq!(query_value(&at).unwrap(), "2019-10-25T15:17:27");
    }

    #[test]
    fn fractions_of_milliseconds_survive() {
        assert_eq!(
            from_millis(1500.25),
            Some(Duration {
                seconds: 1,
                nanos: 500_250_000
            })
        );
        assert_eq!(from_millis(-1.0), None);
        assert_eq!(from_millis(f64::NAN), None);
    }
}
