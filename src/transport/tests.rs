use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, header};

use super::retry_after;

#[test]
fn retry_after_is_seconds_or_a_date_and_nonsense_is_absent() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
    for (text, expected) in [
        ("7", Some(Duration::from_secs(7))),
        (" 0 ", Some(Duration::ZERO)),
        (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            Some(Duration::from_secs(7)),
        ),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(Duration::ZERO)),
        ("-1", None),
        ("soon", None),
        ("1.5", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        assert_eq!(retry_after(&headers, now), expected, "{text}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}

#[test]
fn a_date_to_retry_after_counts_from_the_answers_own_clock() {
    let machine = UNIX_EPOCH + Duration::from_secs(3_000_000_000);
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_static("Sat, 21 Nov 2026 08:00:30 GMT");
    headers.insert(header::RETRY_AFTER, value);
    assert_eq!(
        retry_after(&headers, machine),
        Some(Duration::ZERO),
        "years ahead"
    );
    headers.insert(
        header::DATE,
        HeaderValue::from_static("Sat, 21 Nov 2026 08:00:00 GMT"),
    );
    assert_eq!(
        retry_after(&headers, machine),
        Some(Duration::from_secs(30))
    );
}
