//! The ways in which this cloud writes times.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, SecondsFormat, Utc};

/// `2019-10-25T15:37:27+08:00`, one of the two forms that samples of functions show.
pub(super) fn local(ms: i64) -> String {
    let zone = FixedOffset::east_opt(8 * 3600).unwrap_or_else(|| Utc.fix());
    utc(ms)
        .with_timezone(&zone)
        .to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// `2019-10-25T07:37:27`: UTC without saying so (asynchronous records, `functiongraph_06_0126`).
pub(super) fn bare(ms: i64) -> String {
    utc(ms).format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Reads what [`bare`] writes.
pub(super) fn parse_bare(text: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()?;
    Some(time.and_utc().timestamp_millis())
}

/// `2019-10-25T07:37:27.123000Z` (tokens of IAM).
pub(super) fn micros(ms: i64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `2019-10-25T07:37:27.123Z` (log lines).
pub(super) fn millis(ms: i64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `20191025T073727Z` (signatures and what the gateway says of them).
pub(super) fn compact(ms: i64) -> String {
    utc(ms).format("%Y%m%dT%H%M%SZ").to_string()
}

/// `v20191025-073727`, the name of a version that was published without one
/// (`functiongraph_06_0112`, 2025).
pub(super) fn version(ms: i64) -> String {
    utc(ms).format("v%Y%m%d-%H%M%S").to_string()
}

fn utc(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        let ms = 1_571_989_047_123;
        assert_eq!(local(ms), "2019-10-25T15:37:27+08:00");
        assert_eq!(bare(ms), "2019-10-25T07:37:27");
        assert_eq!(parse_bare("2019-10-25T07:37:27"), Some(1_571_989_047_000));
        assert_eq!(parse_bare("2019-10-25 07:37:27"), None);
        assert_eq!(micros(ms), "2019-10-25T07:37:27.123000Z");
        assert_eq!(version(ms), "v20191025-073727");
        assert_eq!(compact(ms), "20191025T073727Z");
    }
}
