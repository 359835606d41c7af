use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, header};

use super::retry_after;

#[test]
fn retry_after_is_seconds_or_a_date_and_nonsense_is_absent() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
    for (text, expected) in [
        ("7", Some(Duration::from_secs(7))),
        (" 0 ", Some(Duration::ZERO)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Duration::from_secs(7))),
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
