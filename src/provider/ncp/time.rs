//! Times of both generations ↔ protobuf timestamps.
//!
//! 2.1: epoch milliseconds. 2.0: `yyyy-MM-ddTHH:mm:ss` in the region's local time (NCP docs:
//! compute-cloudfunctions getactionactiviation, read 2026-10).

use prost_types::Timestamp;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::endpoint::{ApiVersion, Endpoint};
use crate::provider::lenient::Clock;
use crate::provider::lenient::times::Numbers;

/// How the answers of `endpoint` write times.
pub(super) fn clock(endpoint: &Endpoint) -> Clock {
    Clock {
        zone: offset(endpoint).unwrap_or(UtcOffset::UTC),
        numbers: Numbers::Millis,
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

fn offset(endpoint: &Endpoint) -> Option<UtcOffset> {
    UtcOffset::from_hms(endpoint.utc_offset_hours(), 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::{Region, Site};
    use super::*;
    use crate::proto::Platform;
    use crate::provider::lenient;

    #[test]
    fn local_time_and_milliseconds_mean_the_same_moment() {
        for (region, local) in [
            (Region::Kr, "2024-04-26T14:57:00"),
            (Region::Sg, "2024-04-26T13:57:00"),
        ] {
            let place = |version| {
                Endpoint::new(Site::Public, region, version, None, Platform::Unspecified).unwrap()
            };
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
            let read =
                |json: &str| lenient::quietly::<Timestamp>(json.as_bytes(), clock(&old)).unwrap();
            assert_eq!(read(&format!("{local:?}")).seconds, moment.seconds);
            assert_eq!(read("\"2024-04-26T05:57:00Z\"").seconds, moment.seconds);
            assert_eq!(read("1714111020170"), moment);
        }
    }
}
