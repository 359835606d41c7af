//! Requests that are refused before a byte leaves.

use tonic::{Code, Status};

use super::bench::Bench;
use super::details::{Told, told};

/// A refused request: these faults and no others, before a byte left, and the sidecar is well
/// afterwards.
pub async fn assert_refused<T: std::fmt::Debug>(
    bench: &Bench,
    answer: Result<T, Status>,
    fields: &[&str],
) -> Told {
    let told = told(&answer.unwrap_err());
    told.assert(
        Code::InvalidArgument,
        "INVALID_FIELDS",
        "not_started",
        "sidecar",
    );
    assert_eq!(told.fields, fields, "{}", told.message);
    assert_eq!(
        (told.attempts, told.pushback, told.retry_after),
        (Some(0), Some(-1), None)
    );
    assert!(bench.upstream.received().is_empty(), "something was sent");
    told
}
