//! How far one exchange came, and what that proves.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::http1::Sent;
use super::http2::Http2;
use crate::error::Execution;
use crate::memory::Held;

/// Filled in while an exchange runs; read when it fails or its time is over.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    /// The head of the answer, once it came.
    pub(super) head: Option<(StatusCode, HeaderMap)>,
    /// Memory that the answer takes, once it is whole.
    pub(super) held: Held,
}

/// Where the exchange stands.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// No connection yet: DNS, TCP, TLS, or waiting for a stream of a shared one.
    #[default]
    Connecting,
    /// On an HTTP/1.1 connection of its own.
    Http1(Arc<Sent>),
    /// On a stream of an HTTP/2 connection.
    Http2 { stream: u32, connection: Http2 },
    /// The upstream reset the stream with the word that it had not begun.
    Refused,
}

/// How much of the request the upstream can have received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Received {
    /// No byte.
    Nothing,
    /// Not even the whole head: no server can act on that (RFC 9112 §8).
    PartOfHead,
    /// The head, and not all of the body. Whether a server acts on that is its own business.
    PartOfBody,
    /// Everything; or, on HTTP/2, at least the head.
    Request,
    /// The upstream said that it did not process the request (RFC 9113 §6.8, §8.7).
    Refused,
}

impl Progress {
    pub(super) fn received(&self) -> Received {
        match &self.stage {
            Stage::Connecting => Received::Nothing,
            Stage::Http1(sent) => sent.received(),
            Stage::Http2 { stream, connection } => connection.frames.received(*stream),
            Stage::Refused => Received::Refused,
        }
    }

    /// Whether the request may have been carried out. `not_started` only when that is sure.
    pub(super) fn execution(&self) -> Execution {
        match &self.head {
            // What the head proves is the provider's to say.
            Some(_) => Execution::Unknown,
            None => match self.received() {
                Received::Nothing | Received::PartOfHead | Received::Refused => Execution::NotStarted,
                Received::PartOfBody | Received::Request => Execution::Unknown,
            },
        }
    }
}

impl Received {
    /// The end of a sentence that begins with "The connection was lost".
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "before anything was sent",
            Self::PartOfHead => "when only part of the request's head was sent",
            Self::PartOfBody => "when only part of the request was sent",
            Self::Request => "after the request was sent and before an answer came",
            Self::Refused => "and the upstream said that it did not process the request",
        }
    }
}
