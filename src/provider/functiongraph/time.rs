//! Times as queries of these services write them.

use prost_types::Timestamp;
use time::OffsetDateTime;
use time::macros::format_description;

/// A timestamp as queries want it: `YYYY-MM-DDTHH:mm:ss` in UTC. None beyond the years 1970 to
/// 9999.
pub(super) fn query_value(at: &Timestamp) -> Option<String> {
    let utc = OffsetDateTime::from_unix_timestamp(at.seconds)
        .ok()
        .filter(|at| at.unix_timestamp() >= 0)?;
    utc.format(format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second]"
    ))
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_whole_seconds_of_utc() {
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        assert_eq!(
            query_value(&at(1_572_016_647)).unwrap(),
            "2019-10-25T15:17:27"
        );
        assert_eq!(query_value(&at(-1)), None);
        assert_eq!(query_value(&at(i64::MAX)), None);
    }
}
