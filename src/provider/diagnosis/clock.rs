//! The cloud's clock, by the `Date` header that every HTTP server sends (RFC 9110 §6.6.1).

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::Head;
use crate::transport::date;

/// How far the cloud's clock is ahead of ours, in milliseconds, when an answer with this date came to a request that was
/// sent at `sent` and answered at `came`. Half a second is added, since the header cuts seconds off.
#[must_use]
pub fn ahead_ms(date: SystemTime, sent: SystemTime, came: SystemTime) -> i64 {
    let middle = sent + came.duration_since(sent).unwrap_or_default() / 2;
    let theirs = date + Duration::from_millis(500);
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match theirs.duration_since(middle) {
        Ok(ahead) => millis(ahead),
        Err(behind) => -millis(behind.duration()),
    }
}

/// The head of an answer that came at `came` to a request sent at `sent`.
#[must_use]
pub fn head(status: u16, headers: &HeaderMap, sent: SystemTime, came: SystemTime) -> Head {
    let date = date(headers);
    Head {
        status,
        date,
        uncertainty: came.duration_since(sent).unwrap_or_default() / 2,
        ahead_ms: date.map(|date| ahead_ms(date, sent, came)),
    }
}

/// `at` by the cloud's clock.
#[must_use]
pub fn shifted(at: SystemTime, ahead_ms: i64) -> SystemTime {
    let by = Duration::from_millis(ahead_ms.unsigned_abs());
    if ahead_ms < 0 {
        at.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH)
    } else {
        at.checked_add(by).unwrap_or(at)
    }
}

/// A sentence on a difference: who is behind, and by how much.
#[must_use]
pub fn told(ahead_ms: i64) -> String {
    let apart = Duration::from_secs(ahead_ms.unsigned_abs().div_ceil(1000));
    let side = if ahead_ms < 0 { "ahead of" } else { "behind" };
    format!("this machine's clock is {} s {side} the cloud's", apart.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_taken_from_the_middle_of_the_round_trip() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_784_111_777);
        let read = at;
        let came = at + Duration::from_secs(1);
        assert_eq!(ahead_ms(read, at, came), 0);
        assert_eq!(ahead_ms(read + Duration::from_secs(600), at, came), 600_000);
        assert_eq!(
            ahead_ms(
                read,
                at + Duration::from_secs(600),
                came + Duration::from_secs(600)
            ),
            -600_000
        );
        assert_eq!(told(600_000), "this machine's clock is 600 s behind the cloud's");
        assert_eq!(told(-1), "this machine's clock is 1 s ahead of the cloud's");
        assert_eq!(
            shifted(at, -777_000),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_784_111_000)
        );
    }
}
