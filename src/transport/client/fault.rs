//! Failures of the network, in the words of [`Error`].

use std::time::Duration;

use super::connect::ConnectFault;
use super::http1::{MAX_HEAD, MAX_HEADERS};
use super::progress::{Progress, Received, Stage};
use crate::error::{Component, Error, Execution, Kind, reason, root_cause};

pub(super) fn unconnected(fault: &ConnectFault) -> Error {
    let (reason, what, lasting) = match fault {
        ConnectFault::Local(why) => return exhausted(why),
        ConnectFault::Timeout => (
            reason::CONNECT_TIMEOUT,
            "did not accept a connection in time".to_owned(),
            false,
        ),
        ConnectFault::Dns(why) => (reason::DNS_FAILED, format!("has no address ({why})"), false),
        ConnectFault::Tcp(why) => (
            reason::CONNECT_FAILED,
            format!("cannot be reached ({why})"),
            false,
        ),
        ConnectFault::Tls { why, lasting } => (
            reason::TLS_FAILED,
            format!("is there, but TLS with it failed ({why})"),
            *lasting,
        ),
        ConnectFault::Http(why) => (
            reason::CONNECT_FAILED,
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

/// The system gave this process no descriptor, port or thread: the upstream has no part in it.
fn exhausted(why: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        reason::CONNECT_FAILED,
        format!("The sidecar cannot open a connection: its system refuses it one ({why}); nothing was sent."),
    )
    .component(Component::Sidecar)
    .transient(true)
}

/// The HTTP/1.1 connection ended before the answer's head was whole.
pub(super) fn lost_http1(progress: &Progress, why: &hyper::Error) -> Error {
    if why.is_parse_too_large() {
        return head_too_large(progress);
    }
    match &progress.stage {
        Stage::Http1 { sent, .. } if why.is_parse() && sent.answered() => {
            head_unreadable(progress, why)
        }
        _ => lost(progress, why),
    }
}

/// The HTTP/2 connection, or the stream on it, ended before the answer's head was whole.
pub(super) fn lost_http2(progress: &Progress, why: &h2::Error) -> Error {
    let Stage::Http2 { stream, permit, .. } = &progress.stage else {
        return lost(progress, why);
    };
    let frames = &permit.connection.state.frames;
    // The library ends a stream for its head alone, and a connection for the head that came last.
    let ours = why.is_reset() || why.is_go_away() && frames.answered_last(*stream);
    if !(why.is_library() && ours) {
        lost(progress, why)
    } else if frames.large(*stream) {
        head_too_large(progress)
    } else {
        head_unreadable(progress, why)
    }
}

/// The connection ended before the answer's head was whole.
fn lost(progress: &Progress, why: &dyn std::error::Error) -> Error {
    if let Some(alert) = progress.handshake_refused() {
        return unconnected(&ConnectFault::refused(alert));
    }
    let received = progress.received();
    network(
        reason::CONNECTION_LOST,
        format!(
            "The connection to the upstream was lost {} ({}).",
            received.describe(),
            root_cause(why)
        ),
        progress.execution(),
    )
    .with(|facts| facts.unprocessed = received == Received::Refused)
}

/// An answer came, but its head is beyond all bounds.
pub(super) fn head_too_large(progress: &Progress) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        reason::RESPONSE_HEAD_TOO_LARGE,
        format!(
            "The head of the upstream's answer is larger than {} KiB or has more than {MAX_HEADERS} headers.",
            MAX_HEAD >> 10
        ),
    )
    .component(Component::Sidecar)
    .execution(progress.execution())
}

/// An answer came, but its head is not HTTP.
fn head_unreadable(progress: &Progress, why: &dyn std::error::Error) -> Error {
    let message = format!(
        "The head of the upstream's answer is not valid HTTP ({}).",
        root_cause(why)
    );
    network(
        reason::RESPONSE_NOT_UNDERSTOOD,
        message,
        progress.execution(),
    )
    .with(|facts| facts.kind = Kind::Internal)
}

/// The connection ended within the answer's body.
pub(super) fn cut(progress: &Progress, why: &dyn std::error::Error) -> Error {
    let message = format!("The upstream's answer was cut off ({}).", root_cause(why));
    network(reason::RESPONSE_CUT, message, progress.execution())
        .with(|facts| facts.kind = Kind::Internal)
}

pub(super) fn attempt_timed_out(bound: Duration, progress: &Progress) -> Error {
    let message = format!(
        "The upstream did not answer within {} ms.",
        bound.as_millis()
    );
    network(reason::ATTEMPT_TIMEOUT, message, progress.execution())
        .with(|facts| facts.kind = Kind::DeadlineExceeded)
}

pub(super) fn too_large(limit: usize, progress: &Progress) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        reason::RESPONSE_TOO_LARGE,
        format!("The upstream's answer is larger than {limit} bytes; raise limits.max_response_size if that is right."),
    )
    .component(Component::Sidecar)
    .execution(progress.execution())
}

/// A request that HTTP cannot carry; a mistake of ours.
pub(super) fn unsendable(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Kind::Internal,
        reason::SIDECAR_BUG,
        format!(
            "The request cannot be sent as HTTP ({why}); it is a bug of the sidecar. Nothing was sent."
        ),
    )
}

fn network(reason: &'static str, message: String, execution: Execution) -> Error {
    Error::new(Kind::Unavailable, reason, message)
        .component(Component::Network)
        .execution(execution)
        .transient(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_own_system_refuses_is_not_the_networks_fault() {
        let error = unconnected(&ConnectFault::Local("Too many open files".to_owned()));
        let facts = (
            error.component,
            error.execution,
            &*error.reason,
            error.transient,
        );
        assert_eq!(
            facts,
            (
                Component::Sidecar,
                Execution::NotStarted,
                "CONNECT_FAILED",
                true
            )
        );
        let error = unconnected(&ConnectFault::Tcp("Connection refused".to_owned()));
        assert_eq!(error.component, Component::Network);
    }
}
