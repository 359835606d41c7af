//! Checks and writing that every provider's operations share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use crate::error::{Error, Faults, Kind, Result, reason};
use crate::json;
use crate::proto::{Action, Json, JsonEncoding};

/// The arm of the answer's JSON; an unknown value is a fault.
pub(super) fn encoding(asked: i32, request: Option<&Json>, faults: &mut Faults) -> JsonEncoding {
    faults.require(
        JsonEncoding::try_from(asked).is_ok(),
        "result_encoding",
        || "is not a known value; use JSON_ENCODING_VALUE, JSON_ENCODING_TEXT or leave it out.",
    );
    json::answer_encoding(asked, request)
}

/// The action's own name and package, if given, are those of the request; `none` is the cloud's
/// word for no package.
pub(super) fn same_action(
    sent: &Action,
    (package, name): (&str, &str),
    none: &str,
    faults: &mut Faults,
) {
    faults.require(
        sent.name.is_empty() || sent.name == name,
        "action.name",
        || format!("is not action_name ({name}); leave it out."),
    );
    let same = match sent.package_name.as_str() {
        "" => true,
        "-" => package == none,
        given => given == package,
    };
    faults.require(same, "action.package_name", || {
        format!("is not package_name ({package}); leave it out.")
    });
}

/// What a check without faults has surely given.
pub(super) fn checked<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| {
        Error::new(
            Kind::Internal,
            reason::UNCHECKED_FIELD,
            "A field was neither accepted nor refused.",
        )
    })
}

/// A duration as whole milliseconds; `None` when it is negative, finer than that, or malformed.
pub(super) fn millis(duration: &prost_types::Duration) -> Option<u64> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u64::try_from(duration.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)?;
    (nanos % 1_000_000 == 0).then_some(())?;
    seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)
}

/// The largest number of seconds of a valid duration, either way
/// (`google/protobuf/duration.proto`).
const MAX_SECONDS: u64 = 315_576_000_000;

/// A duration as a person writes it; one that is malformed by its parts, which the library's own
/// text cannot hold.
pub(super) fn spell(duration: &prost_types::Duration) -> String {
    let (seconds, nanos) = (duration.seconds, duration.nanos);
    if seconds.unsigned_abs() <= MAX_SECONDS && nanos.unsigned_abs() < 1_000_000_000 {
        duration.to_string()
    } else {
        format!("{seconds} s and {nanos} ns")
    }
}

/// The bytes of base64, which may be written in lines.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let one_line: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(one_line).ok()
}

/// A JSON document to send.
pub(super) fn to_body(document: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(document)
        .map(Bytes::from)
        .map_err(|fault| {
            Error::new(
                Kind::Internal,
                reason::REQUEST_NOT_WRITABLE,
                format!("The request cannot be written as JSON: {fault}."),
            )
        })
}

#[cfg(test)]
mod tests {
    use prost_types::Duration;

    use super::*;

    #[test]
    fn every_duration_can_be_spelled() {
        let spelled = |seconds, nanos| spell(&Duration { seconds, nanos });
        assert_eq!(spelled(1, 500_000_000), "1.500s");
        assert_eq!(spelled(-1, -1), "-1.000000001s");
        assert_eq!(spelled(i64::MIN, -1), "-9223372036854775808 s and -1 ns");
        assert_eq!(
            spelled(i64::MAX, i32::MAX),
            "9223372036854775807 s and 2147483647 ns"
        );
        assert_eq!(spelled(0, i32::MIN), "0 s and -2147483648 ns");
    }
}
