//! Failures of the network, in the words of [`Error`].

use std::time::Duration;

use super::connect::ConnectFault;
use super::progress::Progress;
use crate::error::{Component, Error, Execution, Kind};

pub(super) fn unconnected(fault: &ConnectFault) -> Error {
    let (reason, what, lasting) = match fault {
        ConnectFault::Timeout => (
            "CONNECT_TIMEOUT",
            "did not accept a connection in time".to_owned(),
            false,
        ),
        ConnectFault::Dns(why) => ("DNS_FAILED", format!("has no address ({why})"), false),
        ConnectFault::Tcp(why) => ("CONNECT_FAILED", format!("cannot be reached ({why})"), false),
        ConnectFault::Tls { why, lasting } => (
            "TLS_FAILED",
            format!("is there, but TLS with it failed ({why})"),
            *lasting,
        ),
        ConnectFault::Http(why) => (
            "CONNECT_FAILED",
            format!("does not speak HTTP as agreed ({why})"),
            false,
        ),
    };
    network(
        reason,
        format!("The upstream {what}; nothing was sent."),
        Execution::NotStarted,
    )
    .transient(!lasting)
}

/// The connection ended before the answer's head was whole.
pub(super) fn lost(progress: &Progress, why: &dyn std::error::Error) -> Error {
    network(
        "CONNECTION_LOST",
        format!(
            "The connection to the upstream was lost {} ({}).",
            progress.received().describe(),
            root_cause(why)
        ),
        progress.execution(),
    )
}

/// The connection ended within the answer's body.
pub(super) fn cut(progress: &Progress, why: &dyn std::error::Error) -> Error {
    let message = format!("The upstream's answer was cut off ({}).", root_cause(why));
    network("RESPONSE_CUT", message, progress.execution()).with(|facts| facts.kind = Kind::Internal)
}

pub(super) fn attempt_timed_out(bound: Duration, progress: &Progress) -> Error {
    let message = format!("The upstream did not answer within {} ms.", bound.as_millis());
    network("ATTEMPT_TIMEOUT", message, progress.execution())
        .with(|facts| facts.kind = Kind::DeadlineExceeded)
}

pub(super) fn too_large(limit: usize, progress: &Progress) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        "RESPONSE_TOO_LARGE",
        format!("The upstream's answer is larger than {limit} bytes; raise limits.max_response_size if that is right."),
    )
    .component(Component::Sidecar)
    .execution(progress.execution())
}

/// A request that HTTP cannot carry; a mistake of ours.
pub(super) fn unsendable(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Kind::Internal,
        "SIDECAR_BUG",
        format!("The request cannot be sent as HTTP ({why}); it is a bug of the sidecar. Nothing was sent."),
    )
}

fn network(reason: &'static str, message: String, execution: Execution) -> Error {
    Error::new(Kind::Unavailable, reason, message)
        .component(Component::Network)
        .execution(execution)
        .transient(true)
}

/// The innermost cause, which names the system's own error.
fn root_cause(fault: &dyn std::error::Error) -> String {
    let mut cause = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
