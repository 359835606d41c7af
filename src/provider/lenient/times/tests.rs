use super::super::{Millis, quietly};
use super::*;

const SEOUL: Clock = Clock {
    zone: match UtcOffset::from_hms(9, 0, 0) {
        Ok(zone) => zone,
        Err(_) => UtcOffset::UTC,
    },
    numbers: Numbers::Millis,
};

fn at(json: &str, clock: Clock) -> Option<Timestamp> {
    quietly(json.as_bytes(), clock)
}

#[test]
fn every_spelling_means_the_same_moment() {
    for text in [
        "2019-10-25 15:17:27",
        "2019-10-25T15:17:27",
        "2019-10-25T15:17:27Z",
        "2019-10-25 15:17:27Z",
        "2019-10-25T15:17:27.000Z",
        "2019-10-25T15:17:27 UTC",
        "2019-10-25T23:17:27+08:00",
        "2019-10-25 23:17:27+0800",
        "2019-10-25 23:17:27.5 +0800 CST",
        "2019-10-25T10:17:27-05",
        "2019-10-25151727",
        "1572016647",
        "1572016647123",
        " 2019-10-25T15:17:27 ",
    ] {
        let found = at(&format!("{text:?}"), Clock::UTC).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(found.seconds, 1_572_016_647, "{text}");
    }
    for number in [
        "1572016647",
        "1572016647.4",
        "1.572016647e9",
        "1572016647123",
    ] {
        assert_eq!(
            at(number, Clock::UTC).unwrap().seconds,
            1_572_016_647,
            "{number}"
        );
    }
}

#[test]
fn a_zone_that_is_named_counts_before_the_regions() {
    let seconds = |text: &str| at(&format!("{text:?}"), SEOUL).unwrap().seconds;
    assert_eq!(seconds("2024-04-24T14:27:30"), 1_713_936_450);
    assert_eq!(seconds("2024-04-24T05:27:30Z"), 1_713_936_450);
    assert_eq!(seconds("2024-04-24T05:27:30.099Z"), 1_713_936_450);
    assert_eq!(seconds("2024-04-24T13:27:30+08:00"), 1_713_936_450);
    let millis = Timestamp {
        seconds: 1_713_936_450,
        nanos: 99_000_000,
    };
    for json in [
        "1713936450099",
        "\"1713936450099\"",
        "1.713936450099e12",
        "\"2024-04-24T05:27:30.099Z\"",
    ] {
        assert_eq!(at(json, SEOUL), Some(millis), "{json}");
    }
}

#[test]
fn a_zero_time_is_none_and_a_time_that_protobuf_has_not_is_none_too() {
    for json in [
        "0",
        "\"0\"",
        "0.0",
        "null",
        "\"\"",
        "\"0001-01-01T00:00:00Z\"",
        "\"0001-01-01T08:00:00+08:00\"",
        "\"0001-01-01 00:00:00\"",
        "\"1970-01-01T00:00:00Z\"",
        "\"0000-00-00 00:00:00\"",
        "-1",
        "1713936450099000000",
        "9223372036854775807",
        "-9223372036854775808",
        "99999999999999999999999",
        "1e300",
        "1e999",
        "\"1e300\"",
        "\"NaN\"",
        "\"inf\"",
        "\"yesterday\"",
        "\"2019-10-25\"",
        "\"2019-99-25 15:17:27\"",
        "\"2019-10-25T15:17:27+99:00\"",
        "\"2019-10-25T15:17:27 o'clock\"",
        "\"9999-12-31T23:59:59-01:00\"",
        "\"函数函数函数函数函数函数函数\"",
        "true",
        "{}",
        "[]",
    ] {
        for clock in [Clock::UTC, SEOUL] {
            assert_eq!(at(json, clock), None, "{json} {clock:?}");
        }
    }
    assert_eq!(at("\"1970-01-01T09:00:00\"", SEOUL), None);
    assert_eq!(at("\"9999-12-31T23:59:59Z\"", SEOUL).unwrap().seconds, LAST);
    assert_eq!(at("12", Clock::UTC), None);
}

#[test]
fn durations_are_those_of_protobuf() {
    let span =
        |json: &str| quietly(json.as_bytes(), SEOUL).map(|Millis(span)| (span.seconds, span.nanos));
    for (json, expected) in [
        ("0", Some((0, 0))),
        ("3", Some((0, 3_000_000))),
        ("\"1500\"", Some((1, 500_000_000))),
        ("1500.25", Some((1, 500_250_000))),
        ("999.9999999", Some((1, 0))),
        ("1.5e3", Some((1, 500_000_000))),
        ("315576000000000", Some((SECONDS_MAX, 0))),
        ("315576000000001", None),
        ("9223372036854775807", None),
        ("-1", None),
        ("-0.5", None),
        ("1e300", None),
        ("\"\"", None),
        ("\"soon\"", None),
        ("null", None),
    ] {
        assert_eq!(span(json), expected, "{json}");
    }
    let at = |seconds, nanos| Timestamp { seconds, nanos };
    assert_eq!(between(&at(1, 500_000_000), &at(3, 0)), from_millis(1500.0));
    assert_eq!(between(&at(3, 0), &at(1, 0)), None);
    assert_eq!(between(&at(i64::MIN, 0), &at(i64::MAX, 0)), None);
    assert_eq!(from_millis(f64::NAN), None);
    assert_eq!(at_millis(i64::MIN), None);
}
