//! [`Error`] → gRPC status with `google.rpc` details and trailers: the only gRPC code table.

use std::collections::HashMap;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::call::Call;
use crate::error::{Component, Error, Execution, Kind, NAME, reason, short};

/// Domain of every `ErrorInfo.reason`.
pub const DOMAIN: &str = "faas-sidecar";

/// Pause told to callers when the upstream names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// Characters of a message. Trailers are headers, and clients take some 8 KiB of those.
const MESSAGE: usize = 1500;
/// Characters of what is wrong with one field, and bytes of all of them together.
const DESCRIPTION: usize = 400;
const DESCRIPTIONS: usize = 3 << 10;

/// What the edge knows of the call beside its error.
#[derive(Debug, Default)]
pub(super) struct Context<'a> {
    pub(super) target: &'a str,
    pub(super) provider: &'a str,
    /// Which configuration the call saw; 0 = none yet.
    pub(super) config_generation: u64,
    pub(super) attempts: u32,
    pub(super) upstream_request_id: Option<&'a str>,
    pub(super) idempotent: bool,
}

/// The status of a failed call.
pub(super) fn status(error: &Error, context: &Context<'_>) -> Status {
    let pause = error
        .retry_after
        .or(error.transient.then_some(DEFAULT_PAUSE));
    let mut details =
        ErrorDetails::with_error_info(error.reason.as_ref(), DOMAIN, facts(error, context));
    if let Some(pause) = pause {
        details.set_retry_info(Some(pause));
    }
    let mut room = DESCRIPTIONS;
    for (told, violation) in error.violations.iter().enumerate() {
        let field = short(&violation.field, NAME);
        let description = short(&violation.description, DESCRIPTION);
        let Some(left) = room.checked_sub(field.len() + description.len()) else {
            let more = error.violations.len() - told;
            details.add_bad_request_violation("…", format!("{more} more faults are not shown."));
            break;
        };
        room = left;
        details.add_bad_request_violation(field, description);
    }
    if let Some((subject, description)) = &error.quota {
        details.add_quota_failure_violation(short(subject, NAME), short(description, DESCRIPTION));
    }
    if let Some((kind, name)) = &error.resource {
        details.set_resource_info(*kind, short(name, NAME), "", "");
    }
    if let Some((text, link)) = error.help {
        details.add_help_link(text, link);
    }
    let metadata = trailers(error, context, pause);
    Status::with_error_details_and_metadata(
        code(error.kind),
        short(&error.message, MESSAGE),
        details,
        metadata,
    )
}

/// The status of a call that failed before any of our code saw it: an unknown method, a message too
/// large.
pub(super) fn bare(code: Code, message: &str) -> Status {
    let (kind, reason) = match code {
        Code::Unimplemented => (Kind::Unimplemented, reason::METHOD_NOT_FOUND),
        // The health service's answer for a name it does not know; its protocol asks for this code.
        Code::NotFound => (Kind::NotFound, reason::SERVICE_NOT_FOUND),
        // The server library's word for a message over the limit.
        Code::OutOfRange => (Kind::ResourceExhausted, reason::MESSAGE_TOO_LARGE),
        Code::ResourceExhausted => (Kind::ResourceExhausted, reason::MESSAGE_TOO_LARGE),
        Code::InvalidArgument => (Kind::InvalidArgument, reason::MESSAGE_NOT_DECODABLE),
        Code::DeadlineExceeded | Code::Cancelled => {
            (Kind::DeadlineExceeded, reason::DEADLINE_EXCEEDED)
        }
        _ => (Kind::Internal, "INTERNAL"),
    };
    let message = if message.is_empty() {
        "This server has no such method."
    } else {
        message
    };
    let error = Error::new(kind, reason, message);
    status(&error, &Context::default())
}

/// The status of a call in a compression that is not spoken; it names those that are (gRPC's
/// document on compression).
pub(super) fn packed_otherwise(encoding: &[u8]) -> Status {
    let message = format!(
        "The call is compressed with {}; compress it with gzip, or not at all.",
        short(&encoding.escape_ascii().to_string(), NAME)
    );
    let error = Error::new(
        Kind::Unimplemented,
        reason::COMPRESSION_NOT_SUPPORTED,
        message,
    );
    let mut status = status(&error, &Context::default());
    let spoken = MetadataValue::from_static("identity,gzip");
    status.metadata_mut().insert("grpc-accept-encoding", spoken);
    status
}

/// The status of a call that was carried out and whose answer cannot be sent.
pub(super) fn unsendable(
    message: &str,
    attempts: u32,
    upstream_request_id: Option<&str>,
) -> Status {
    let error = Error::new(Kind::ResourceExhausted, reason::MESSAGE_TOO_LARGE, message)
        .execution(Execution::Completed);
    status(
        &error,
        &Context {
            attempts,
            upstream_request_id,
            ..Context::default()
        },
    )
}

/// The status of a call whose time was over before its request had come in. `may_repeat`: it may be
/// one of several under a `request_id`, which nobody has read.
pub(super) fn late(may_repeat: bool) -> Status {
    let mut error = Call::out_of_time(Execution::NotStarted);
    if may_repeat {
        error = error.with(|facts| {
            facts.execution = Execution::Unknown;
            facts
                .message
                .push_str(" An earlier attempt under its request_id may have been carried out.");
        });
    }
    status(&error, &Context::default())
}

/// The status of a call on a connection that gets no place.
pub(super) fn crowded() -> Status {
    let error = Error::new(
        Kind::Unavailable,
        reason::TOO_MANY_CONNECTIONS,
        "Nothing was started: as many connections are open as connections.max allows. Use one connection for many calls, \
         or raise it.",
    )
    .transient(true)
    .component(Component::Sidecar);
    status(&error, &Context::default())
}

/// The status of a call whose handler panicked: the one thing that must never take others with it.
pub(super) fn panicked() -> Status {
    let error = Error::new(
        Kind::Internal,
        reason::SIDECAR_BUG,
        "The sidecar failed on this call; it is a bug of the sidecar. Other calls are not affected.",
    )
    .execution(Execution::Unknown)
    .component(Component::Sidecar);
    status(&error, &Context::default())
}

fn facts(error: &Error, context: &Context<'_>) -> HashMap<String, String> {
    let mut facts = HashMap::from([
        ("execution".to_owned(), error.execution.as_str().to_owned()),
        ("component".to_owned(), error.component.as_str().to_owned()),
        ("attempts".to_owned(), context.attempts.to_string()),
    ]);
    let request_id = error
        .upstream_request_id
        .as_deref()
        .or(context.upstream_request_id);
    let status = error.http_status.map(|status| status.to_string());
    let generation = (context.config_generation > 0).then(|| context.config_generation.to_string());
    for (name, value) in [
        ("target", Some(context.target)),
        ("provider", Some(context.provider)),
        ("config_generation", generation.as_deref()),
        ("http_status", status.as_deref()),
        ("upstream_code", error.upstream_code.as_deref()),
        ("upstream_request_id", request_id),
        ("cause", error.cause),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(name.to_owned(), short(value, NAME).into_owned());
        }
    }
    facts
}

fn trailers(error: &Error, context: &Context<'_>, pause: Option<Duration>) -> MetadataMap {
    let mut trailers = MetadataMap::new();
    trailers.insert("faas-attempts", MetadataValue::from(context.attempts));
    let request_id = error
        .upstream_request_id
        .as_deref()
        .or(context.upstream_request_id);
    if let Some(id) = request_id.and_then(shown_id) {
        trailers.insert("faas-upstream-request-id", id);
    }
    // A client's own retry policy knows codes only; this tells it whether repeating is safe, and
    // whether there is still room for retries: its own and ours count as one.
    let pushback = match pause {
        Some(pause) if error.may_retry(context.idempotent) && !error.retries_spent => {
            i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
        }
        _ => -1,
    };
    trailers.insert("grpc-retry-pushback-ms", MetadataValue::from(pushback));
    trailers
}

/// The upstream's id of a request as a trailer; none when no header can hold it.
pub(super) fn shown_id(id: &str) -> Option<MetadataValue<Ascii>> {
    let end = id.char_indices().nth(NAME).map_or(id.len(), |(end, _)| end);
    id[..end].parse().ok()
}

/// The code as gRPC spells it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => reason::DEADLINE_EXCEEDED,
        Code::NotFound => reason::NOT_FOUND,
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => reason::PERMISSION_DENIED,
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The gRPC code of a kind of failure.
pub(super) fn code(kind: Kind) -> Code {
    match kind {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::ResourceExhausted => Code::ResourceExhausted,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Unavailable => Code::Unavailable,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_status_keeps_its_code_where_the_protocols_ask_for_it() {
        for (code, kept) in [
            (Code::NotFound, Code::NotFound),
            (Code::Unimplemented, Code::Unimplemented),
            (Code::OutOfRange, Code::ResourceExhausted),
            (Code::Unknown, Code::Internal),
        ] {
            let status = bare(code, "why");
            assert_eq!(status.code(), kept, "{code:?}");
            assert!(status.get_error_details().error_info().is_some());
        }
    }

    #[test]
    fn whatever_is_named_the_trailers_stay_small() {
        let long = "한".repeat(100_000);
        let violations = |faults: &mut crate::error::Faults| {
            for _ in 0..1000 {
                faults.add(long.as_str(), long.as_str());
            }
        };
        let mut faults = crate::error::Faults::new();
        violations(&mut faults);
        let bad = faults.into_result().unwrap_err();
        let other = Error::new(Kind::NotFound, "X", long.as_str())
            .resource("action", long.as_str())
            .with(|facts| {
                facts.quota = Some((long.clone(), long.clone()));
                facts.upstream_request_id = Some("i".repeat(50_000));
            });
        for error in [bad, other] {
            let context = Context {
                target: &long,
                ..Context::default()
            };
            let status = status(&error, &context);
            let details = status.details().len();
            assert!(
                details < 16 << 10 && status.message().len() < 5000,
                "{details}"
            );
            let id = status.metadata().get("faas-upstream-request-id");
            assert!(id.is_none_or(|id| id.len() == NAME));
            let told = status.get_error_details();
            assert!(told.bad_request().is_none_or(|bad| {
                bad.field_violations
                    .last()
                    .unwrap()
                    .description
                    .ends_with("are not shown.")
            }));
        }
    }
}
