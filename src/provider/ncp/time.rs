//! Times of both generations ↔ protobuf timestamps.
//!
//! 2.1: epoch milliseconds. 2.0: `yyyy-MM-ddTHH:mm:ss` in the region's local time (NCP docs: compute-cloudfunctions
//! getactionactiviation, read 2026-10).

use prost_types::{Duration, Timestamp};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::endpoint::{ApiVersion, Endpoint};
use super::wire::Time;

/// An upstream time as a timestamp; text that is no time gives none.
pub(super) fn timestamp(at: &Time, endpoint: &Endpoint) -> Option<Timestamp> {
    match at {
        Time::Millis(millis) => Some(from_millis(*millis)),
        Time::Local(text) => {
            let text = text.get(..19)?;
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
            let local = PrimitiveDateTime::parse(text, format)
                .ok()?
                .assume_offset(offset(endpoint)?);
            Some(Timestamp {
                seconds: local.unix_timestamp(),
                nanos: 0,
            })
        }
    }
}

/// A timestamp as the query value that the generation wants; `None` when it is out of range.
pub(super) fn query_value(at: &Timestamp, endpoint: &Endpoint) -> Option<String> {
    if !(0..1_000_000_000).contains(&at.nanos) {
        return None;
    }
    match endpoint.version {
        ApiVersion::V21 => {
            let millis = at
                .seconds
                .checked_mul(1000)?
                .checked_add(i64::from(at.nanos / 1_000_000))?;
            (millis >= 0).then(|| millis.to_string())
        }
        ApiVersion::V20 => {
            let utc = OffsetDateTime::from_unix_timestamp(at.seconds)
                .ok()
                .filter(|at| at.unix_timestamp() >= 0)?;
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
            utc.to_offset(offset(endpoint)?).format(format).ok()
        }
    }
}

/// Milliseconds since the epoch as a timestamp.
pub(super) fn from_millis(millis: i64) -> Timestamp {
    let nanos = i32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap_or(0);
    Timestamp {
        seconds: millis.div_euclid(1000),
        nanos,
    }
}

/// Milliseconds as a duration.
pub(super) fn duration(millis: i64) -> Duration {
    let nanos = i32::try_from(millis % 1000 * 1_000_000).unwrap_or(0);
    Duration {
        seconds: millis / 1000,
        nanos,
    }
}

fn offset(endpoint: &Endpoint) -> Option<UtcOffset> {
    UtcOffset::from_hms(endpoint.utc_offset_hours(), 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::{Region, Site};
    use super::*;
    use crate::proto::Platform;

    #[test]
    fn local_time_and_milliseconds_mean_the_same_moment() {
        for (region, local) in [
            (Region::Kr, "2024-04-26T14:57:00"),
            (Region::Sg, "2024-04-26T13:57:00"),
        ] {
            let place =
                |version| Endpoint::new(Site::Public, region, version, None, Platform::Unspecified).unwrap();
            let moment = Timestamp {
                seconds: 1_714_111_020,
                nanos: 170_000_000,
            };
            let old = place(ApiVersion::V20);
            assert_eq!(query_value(&moment, &old).unwrap(), local);
            assert_eq!(
                query_value(&moment, &place(ApiVersion::V21)).unwrap(),
                "1714111020170"
            );
            let read = timestamp(&Time::Local(local.to_owned()), &old).unwrap();
            assert_eq!(read.seconds, moment.seconds);
            assert_eq!(timestamp(&Time::Millis(1_714_111_020_170), &old).unwrap(), moment);
        }
    }
}
