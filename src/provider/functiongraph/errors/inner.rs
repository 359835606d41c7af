//! Codes of a run itself: header `X-Func-Err-Code`, and `error_code` of asynchronous records.
//!
//! The list is that of openYuanrong's frontend, the engine that Huawei published
//! (openeuler-mirror/yuanrong-frontend); that FunctionGraph uses the same numbers is INFERRED. 4208
//! is documented with the cancel API.

use http::StatusCode;

use crate::error::{Component, Error, Execution, Kind, Scope};
use crate::provider::status::by_http_status;

/// Whose fault a failed run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The function's: it threw, did not start, ran out of time or memory, or returned what is not
    /// allowed.
    Function,
    /// The platform's, after the run had begun.
    Platform,
    /// Nobody's: it was cancelled.
    Cancelled,
    /// The call was refused or lost; the function gave no result.
    Call(Kind, &'static str, &'static str, Execution),
    /// The front end's, as an HTTP status.
    Status(StatusCode),
}

impl Fault {
    /// The error of a call that has no result; none when the run itself failed, which is a result.
    pub(crate) fn error(self, code: i64) -> Option<Error> {
        let error = match self {
            Self::Function | Self::Platform | Self::Cancelled => return None,
            Self::Status(status) => by_http_status(status).component(Component::Service),
            Self::Call(kind, reason, sentence, execution) => Error::new(kind, reason, sentence)
                .component(Component::Service)
                .scope(scope_of(code))
                .execution(execution)
                .transient(matches!(kind, Kind::Unavailable | Kind::ResourceExhausted)),
        };
        Some(error.with(|facts| facts.upstream_code = Some(code.to_string())))
    }
}

/// These two speak of the platform, all others of one function and its instances.
fn scope_of(code: i64) -> Scope {
    match code {
        214_503 | 331_404 => Scope::Upstream,
        _ => Scope::Resource,
    }
}

/// What a code other than 0 means.
pub(crate) fn fault_of(code: i64) -> Fault {
    use Execution::{NotStarted, Unknown};
    let call = Fault::Call;
    match code {
        4011 => call(
            Kind::Unavailable,
            "FUNCTION_CIRCUIT_OPEN",
            "The platform has opened the circuit of this function; try again later.",
            NotStarted,
        ),
        4014 => call(
            Kind::Unavailable,
            "WORKER_TIMEOUT",
            "The platform lost its worker.",
            Unknown,
        ),
        4021 => call(
            Kind::ResourceExhausted,
            "TRAFFIC_LIMITED",
            "The platform limits the function's traffic.",
            NotStarted,
        ),
        4022 | 4026 => call(
            Kind::InvalidArgument,
            "BAD_RESOURCE",
            "The platform cannot give the run what it asks for.",
            NotStarted,
        ),
        4024 | 150_424 => call(
            Kind::NotFound,
            "FUNCTION_NOT_FOUND",
            "The platform finds no such function.",
            NotStarted,
        ),
        4036 | 4037 => call(
            Kind::Internal,
            "INSTANCE_BROKEN",
            "The instance's session or credentials are not valid.",
            Unknown,
        ),
        4140 => call(
            Kind::InvalidArgument,
            "BODY_TOO_LARGE",
            "The arguments are larger than the service accepts.",
            NotStarted,
        ),
        4202..=4204 => Fault::Platform,
        4208 => Fault::Cancelled,
        4212 | 4219 | 4222 => call(
            Kind::Unavailable,
            "NETWORK_NOT_READY",
            "The function's VPC could not be set up.",
            NotStarted,
        ),
        150_425 => call(
            Kind::Unavailable,
            "INSTANCE_NOT_FOUND",
            "The platform lost the function's instance.",
            NotStarted,
        ),
        150_429..=150_432 | 211_429 => call(
            Kind::ResourceExhausted,
            "INSTANCES_EXHAUSTED",
            "The function has no free instance; slow down, or raise its concurrency.",
            NotStarted,
        ),
        150_434 => call(
            Kind::FailedPrecondition,
            "FUNCTION_DISABLED",
            "The function is disabled.",
            NotStarted,
        ),
        150_439 => call(
            Kind::Unavailable,
            "BEING_UPGRADED",
            "The function is being upgraded; try again later.",
            NotStarted,
        ),
        214_503 => call(
            Kind::Unavailable,
            "OVERLOADED",
            "The platform is overloaded.",
            NotStarted,
        ),
        331_404 => call(
            Kind::Unavailable,
            "TRY_AGAIN",
            "The platform failed and asks to try again.",
            Unknown,
        ),
        200_400..=200_599 => match u16::try_from(code - 200_000)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
        {
            Some(status) => Fault::Status(status),
            None => Fault::Function,
        },
        // The rest of the 4xxx block speaks of the function's own code.
        4000..=4999 => Fault::Function,
        _ => Fault::Platform,
    }
}
