//! Error answers of FunctionGraph, its gateway and IAM: the code first, the HTTP status second,
//! unknown codes passed through.
//!
//! FunctionGraph docs: appendix "Error Codes" (Open Telekom Cloud edition, 2026-04); API Gateway
//! user manual "Error Codes"; IAM API reference. The same meaning comes with several HTTP statuses,
//! so the code decides. What may be repeated is INFERRED from the meanings: the vendor says it of
//! throttling alone.

use std::time::Duration;

use http::StatusCode;

use crate::error::{Component, Error, Execution, Kind, Scope};
use crate::provider::diagnosis::Cause;
use crate::provider::inner_error;
use crate::provider::status::by_http_status;
use crate::transport::{Response, retry_after, server_failed};

mod inner;
mod said;
mod table;

pub(super) use inner::{Fault, fault_of};
pub(super) use said::{Said, is_code, read, signed_text};

use table::{GATEWAY, Row, SERVICE};

/// A key is locked for five minutes after more than five refused signatures in a row (gateway 0301,
/// "AK access failed to reach the limit").
pub(super) const LOCKED: Duration = Duration::from_secs(300);

/// How far off a signature's time was at least when `error` is about it: the gateway says so in
/// words of its own (`signature expired`), and takes 15 minutes (API Request Signing Guide).
/// INFERRED: a gateway with other words means the same by a refusal that names no cause.
pub(super) fn clock_fault(error: &Error) -> Option<Duration> {
    match error.reason.as_ref() {
        "SIGNATURE_EXPIRED" => Some(Duration::from_secs(60)),
        "AUTHENTICATION_FAILED" if error.kind == Kind::Unauthenticated => {
            Some(Duration::from_secs(14 * 60))
        }
        _ => None,
    }
}

/// Accepts a success, or says what the answer means.
pub(super) fn judge(response: &Response) -> Result<(), Error> {
    if response.status.is_success() && !inner_error::reported(response.json()) {
        Ok(())
    } else {
        Err(classify(response, &read(response.json())))
    }
}

/// The meaning of an answer that is no success.
pub(super) fn classify(response: &Response, said: &Said) -> Error {
    let status = response.status;
    let row = said.number().and_then(|(family, number)| {
        let table = if family == "FSS" { SERVICE } else { GATEWAY };
        table
            .iter()
            .find(|row| row.0 == number && family != "IAM")
            .map(|row| (row, family))
    });
    let error = match row {
        Some((row, "FSS")) => service(row, status, said),
        Some((row, _)) => gateway(row, status, said),
        None => unknown(status, said),
    };
    error.with(|facts| {
        facts.http_status = Some(status.as_u16());
        facts.upstream_code.clone_from(&said.code);
        facts.violations.clone_from(&said.violations);
        if let Some(pause) = retry_after(&response.headers, crate::clock::now()) {
            facts.retry_after = Some(pause);
        }
        if facts.upstream_request_id.is_none() {
            facts.upstream_request_id.clone_from(&said.request_id);
        }
    })
}

fn service(&(code, reason, kind, sentence): &Row, status: StatusCode, said: &Said) -> Error {
    let has = |words: &str| said.message.to_ascii_lowercase().contains(words);
    match code {
        429 if has("disabled") => {
            return told(
                Kind::FailedPrecondition,
                "FUNCTION_DISABLED",
                "The function is disabled.",
                said,
            )
            .component(Component::Service);
        }
        403 if has("invalid token") => return refused("TOKEN_REFUSED", TOKEN, Component::Service),
        // Samples show "not permit" under 400, 401 and 403 alike.
        401 if has("permit") => {
            return told(
                Kind::PermissionDenied,
                "PERMISSION_DENIED",
                table::PERMISSION,
                said,
            )
            .component(Component::Service);
        }
        1128 if has("not exist") => {
            return told(
                Kind::NotFound,
                "FUNCTION_NOT_FOUND",
                "There is no such function.",
                said,
            )
            .component(Component::Service);
        }
        _ => {}
    }
    let transient = matches!(code, 408 | 429 | 500 | 502..=504 | 1115 | 1169);
    let execution = match (kind, code) {
        (_, 1162) => Execution::Completed,
        // An initializer is code of the function, and may have run.
        (_, 1401..=1405) => Execution::Unknown,
        (Kind::Internal | Kind::Unavailable | Kind::DeadlineExceeded, _) => Execution::Unknown,
        _ => Execution::NotStarted,
    };
    // Codes above 1000 each speak of one function or its network. The limits behind 0429 are per
    // function too (400 instances each, user manual "Quotas"), which nobody can tell from an
    // overload of the service (INFERRED).
    let scope = if code == 429 || code > 1000 {
        Scope::Resource
    } else {
        Scope::Upstream
    };
    told(kind, reason, sentence, said)
        .component(Component::Service)
        .scope(scope)
        .execution(execution)
        .transient(transient || (server_failed(status) && kind == Kind::Internal && code < 1000))
        .with(|facts| {
            if code == 429 {
                facts.retry_after = Some(between(1.0, 3.0));
            } else if kind == Kind::ResourceExhausted {
                facts.quota = Some(("project".to_owned(), sentence.to_owned()));
            }
        })
}

fn gateway(&(code, reason, kind, sentence): &Row, status: StatusCode, said: &Said) -> Error {
    match code {
        201 => return bad_gateway(status, said),
        301 => return authentication(said),
        307 => return refused("TOKEN_REFUSED", TOKEN, Component::Gateway),
        _ => {}
    }
    // Beyond these the request never reached the functions service.
    let execution = if matches!(code, 202 | 203 | 601) {
        Execution::Unknown
    } else {
        Execution::NotStarted
    };
    told(kind, reason, sentence, said)
        .component(Component::Gateway)
        .execution(execution)
        .transient(matches!(code, 202 | 203 | 308 | 601 | 608 | 610 | 613))
        .with(|facts| {
            // The vendor asks for 2 to 5 s (API Gateway manual, 0308).
            if code == 308 {
                facts.retry_after = Some(between(2.0, 5.0));
            }
        })
}

/// 0201 stands for requests too large or malformed, and for back ends that failed: the status tells
/// them apart.
fn bad_gateway(status: StatusCode, said: &Said) -> Error {
    let (kind, reason, sentence) = match status.as_u16() {
        504 => (
            Kind::DeadlineExceeded,
            "BACKEND_TIMEOUT",
            "The functions service did not answer the gateway in time.",
        ),
        502 => (
            Kind::Unavailable,
            "BACKEND_UNAVAILABLE",
            "The gateway could not reach the functions service.",
        ),
        200..=299 | 500.. => (
            Kind::Internal,
            "BACKEND_FAILED",
            "The functions service answered the gateway unexpectedly.",
        ),
        413 => (
            Kind::InvalidArgument,
            "REQUEST_TOO_LARGE",
            "The body is larger than the gateway accepts (12 MB); put large code into OBS and give code_url.",
        ),
        414 => (
            Kind::InvalidArgument,
            "URI_TOO_LONG",
            "The URL is longer than the gateway accepts (32 KB).",
        ),
        494 => (
            Kind::InvalidArgument,
            "HEADERS_TOO_LARGE",
            "The headers are larger than the gateway accepts.",
        ),
        _ => (
            Kind::InvalidArgument,
            "BAD_REQUEST",
            "The gateway could not read the request.",
        ),
    };
    // A good status does not tell the two apart either.
    let failed = server_failed(status) || status.is_success();
    told(kind, reason, sentence, said)
        .component(Component::Gateway)
        .execution(if failed {
            Execution::Unknown
        } else {
            Execution::NotStarted
        })
        .transient(failed)
}

const TOKEN: &str = "The cloud refused the sidecar's token, and a new one too if there was one; check the user's rights \
                     and the region.";

/// 0301 says what is wrong in words alone. They are matched and never passed on: they may hold the
/// signed text.
fn authentication(said: &Said) -> Error {
    let words = said.message.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["failed to reach the limit"]) {
        let sentence = "The cloud has locked the access key for 5 minutes after several refused signatures; check the \
                        secret key before then.";
        return refused("ACCESS_KEY_LOCKED", sentence, Component::Gateway).with(|facts| {
            facts.retry_after = Some(LOCKED);
            facts.cause = Some(Cause::AccessKeyLocked.symbol());
        });
    }
    // The sidecar always sends one or the other, so a gateway that finds neither did not get it.
    if has(&["x-auth-token not found"]) {
        let sentence = "The gateway found neither signature nor token, and the sidecar sent one: something on the way takes \
                        the header out.";
        return refused("AUTHENTICATION_DROPPED", sentence, Component::Gateway)
            .with(|facts| facts.cause = Some(Cause::AuthenticationDropped.symbol()));
    }
    let (reason, sentence) = if has(&["signature expired"]) {
        (
            "SIGNATURE_EXPIRED",
            "The cloud finds the signature's time more than 15 minutes off; set this machine's clock.",
        )
    } else if has(&[
        "signature fail",
        "verify aksk",
        "signature does not match",
        "verify signature",
    ]) {
        (
            "SIGNATURE_REFUSED",
            "The cloud computed another signature; check that the secret key belongs to the access key, \
          and that nothing on the way rewrites the request.",
        )
    } else if has(&["token"]) {
        ("TOKEN_REFUSED", TOKEN)
    } else if has(&["get secretkey failed", "not exist"]) {
        (
            "ACCESS_KEY_UNKNOWN",
            "The cloud does not know the access key; check it, and that temporary keys have not ended.",
        )
    } else {
        (
            "AUTHENTICATION_FAILED",
            "The cloud refused the sidecar's credentials; check the key, its secret and the clock.",
        )
    };
    refused(reason, sentence, Component::Gateway).with(|facts| {
        facts.cause = match reason {
            "SIGNATURE_EXPIRED" => Some(Cause::ClockSkew.symbol()),
            "ACCESS_KEY_UNKNOWN" => Some(Cause::AccessKeyUnknown.symbol()),
            _ => None,
        };
    })
}

fn unknown(status: StatusCode, said: &Said) -> Error {
    let error = by_http_status(status);
    error.with(|facts| {
        if let Some((family, number)) = said.number() {
            facts.reason = format!("{family}_{number:04}").into();
            if family == "FSS" {
                facts.component = Component::Service;
            }
        }
        facts.message.push_str(&explain(said));
    })
}

fn refused(reason: &'static str, sentence: &str, component: Component) -> Error {
    Error::new(Kind::Unauthenticated, reason, sentence).component(component)
}

fn told(kind: Kind, reason: &'static str, sentence: &str, said: &Said) -> Error {
    Error::new(kind, reason, format!("{sentence}{}", explain(said)))
}

/// The upstream's own words after ours.
fn explain(said: &Said) -> String {
    // Some gateways append the text they signed, which holds header values.
    let words = said
        .message
        .split("canonicalRequest")
        .next()
        .unwrap_or_default();
    match words.trim_end() {
        "" => String::new(),
        words => format!(" It said: {words}"),
    }
}

fn between(from: f64, to: f64) -> Duration {
    Duration::from_secs_f64(from + (to - from) * fastrand::f64())
}

#[cfg(test)]
mod tests;
