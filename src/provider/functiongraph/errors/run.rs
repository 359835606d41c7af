//! Codes of a run itself: header `X-Func-Err-Code`, and `error_code` of asynchronous records.
//!
//! The list is that of openYuanrong's frontend, the engine that Huawei published
//! (openeuler-mirror/yuanrong-frontend); that FunctionGraph uses the same numbers is INFERRED. 4208
//! is documented with the cancel API.

use std::ops::RangeInclusive;

use http::StatusCode;

use super::{FUNCTION_DISABLED, FUNCTION_NOT_FOUND};
use crate::error::Kind::{
    FailedPrecondition, Internal, InvalidArgument, NotFound, ResourceExhausted, Unavailable,
};
use crate::error::{Component, Error};
use crate::provider::error_row::{ErrorRow, function, service};
use crate::provider::status::by_http_status;

const CANCELLED: i64 = 4208;
/// The function's code threw, did not start, or ran out of time or memory.
const OF_FUNCTION: RangeInclusive<i64> = 4000..=4999;
const OF_PLATFORM: RangeInclusive<i64> = 4202..=4204;
/// The front end's own status, after this number.
const STATUS: i64 = 200_000;

/// Codes of calls that were refused or lost: the function gave no result. 214503 and 331404 speak
/// of the platform, all others of one function and its instances.
#[rustfmt::skip] // One row per line.
pub(crate) const RUN_ROWS: &[ErrorRow] = &[
    function("4011", "FUNCTION_CIRCUIT_OPEN", Unavailable, "The platform has opened the circuit of this function; try again later.").transient(),
    function("4014", "WORKER_TIMEOUT", Unavailable, "The platform lost its worker.").unknown().transient(),
    function("4021", "TRAFFIC_LIMITED", ResourceExhausted, "The platform limits the function's traffic.").transient(),
    function("4022", "BAD_RESOURCE", InvalidArgument, "The platform cannot give the run what it asks for."),
    function("4024", FUNCTION_NOT_FOUND, NotFound, "The platform finds no such function."),
    function("4026", "BAD_RESOURCE", InvalidArgument, "The platform cannot give the run what it asks for."),
    function("4036", "INSTANCE_BROKEN", Internal, "The instance's session or credentials are not valid.").unknown(),
    function("4037", "INSTANCE_BROKEN", Internal, "The instance's session or credentials are not valid.").unknown(),
    function("4140", "BODY_TOO_LARGE", InvalidArgument, "The arguments are larger than the service accepts."),
    function("4212", "NETWORK_NOT_READY", Unavailable, "The function's VPC could not be set up.").transient(),
    function("4219", "NETWORK_NOT_READY", Unavailable, "The function's VPC could not be set up.").transient(),
    function("4222", "NETWORK_NOT_READY", Unavailable, "The function's VPC could not be set up.").transient(),
    function("150424", FUNCTION_NOT_FOUND, NotFound, "The platform finds no such function."),
    function("150425", "INSTANCE_NOT_FOUND", Unavailable, "The platform lost the function's instance.").transient(),
    function("150429", "INSTANCES_EXHAUSTED", ResourceExhausted, "The function has no free instance; slow down, or raise its concurrency.").transient(),
    function("150430", "INSTANCES_EXHAUSTED", ResourceExhausted, "The function has no free instance; slow down, or raise its concurrency.").transient(),
    function("150431", "INSTANCES_EXHAUSTED", ResourceExhausted, "The function has no free instance; slow down, or raise its concurrency.").transient(),
    function("150432", "INSTANCES_EXHAUSTED", ResourceExhausted, "The function has no free instance; slow down, or raise its concurrency.").transient(),
    function("150434", FUNCTION_DISABLED, FailedPrecondition, "The function is disabled."),
    function("150439", "BEING_UPGRADED", Unavailable, "The function is being upgraded; try again later.").transient(),
    function("211429", "INSTANCES_EXHAUSTED", ResourceExhausted, "The function has no free instance; slow down, or raise its concurrency.").transient(),
    service("214503", "OVERLOADED", Unavailable, "The platform is overloaded.").transient(),
    service("331404", "TRY_AGAIN", Unavailable, "The platform failed and asks to try again.").unknown().transient(),
];

/// Whose fault a failed run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The function's: it threw, did not start, ran out of time or memory, or returned what is not
    /// allowed.
    Function,
    /// The platform's, after the run had begun.
    Platform,
    /// Nobody's: it was cancelled.
    Cancelled,
    /// The call was refused or lost; the function gave no result.
    Call(&'static ErrorRow),
    /// The front end's, as an HTTP status.
    Status(StatusCode),
}

impl Fault {
    /// The error of a call that has no result; none when the run itself failed, which is a result.
    pub(crate) fn error(self, code: i64) -> Option<Error> {
        let error = match self {
            Self::Function | Self::Platform | Self::Cancelled => return None,
            Self::Status(status) => by_http_status(status).component(Component::Service),
            Self::Call(row) => row.error(""),
        };
        Some(error.with(|facts| facts.upstream_code = Some(code.to_string())))
    }
}

/// What a code other than 0 means.
pub(crate) fn fault_of(code: i64) -> Fault {
    if let Some(row) = ErrorRow::find(RUN_ROWS, &code.to_string(), StatusCode::OK, "") {
        return Fault::Call(row);
    }
    let status = |code: i64| StatusCode::from_u16(u16::try_from(code - STATUS).ok()?).ok();
    match code {
        CANCELLED => Fault::Cancelled,
        code if OF_PLATFORM.contains(&code) => Fault::Platform,
        code if OF_FUNCTION.contains(&code) => Fault::Function,
        code => match status(code).filter(|status| (400..=599).contains(&status.as_u16())) {
            Some(status) => Fault::Status(status),
            None => Fault::Platform,
        },
    }
}
