//! How far one exchange came, and what that proves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{HeaderMap, StatusCode};
use rustls::AlertDescription;
use tokio::time::Instant;

use super::http1::Sent;
use super::http2::StreamPermit;
use super::pool::Pool;
use crate::error::Execution;
use crate::memory::Held;

/// Filled in while an exchange runs; read when it fails or its time is over.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    /// The head of the answer, once it came.
    pub(super) head: Option<(StatusCode, HeaderMap)>,
    /// Memory that the answer takes, once it is whole.
    pub(super) held: Held,
    /// The exchange came to an end of its own, good or bad; else somebody stopped waiting for it.
    pub(super) ended: bool,
}

/// Where the exchange stands.
#[derive(Default)]
pub(super) enum Stage {
    /// No connection yet: DNS, TCP, TLS, or waiting for a stream of a shared one.
    #[default]
    Connecting,
    /// On an HTTP/1.1 connection of its own.
    Http1 {
        sent: Arc<Sent>,
        pool: Arc<Pool>,
        began: Instant,
    },
    /// On a stream of an HTTP/2 connection.
    Http2 {
        stream: u32,
        permit: StreamPermit,
        /// Exchanges under way on the connection when this one began.
        crowd: usize,
        began: Instant,
    },
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
            Stage::Http1 { sent, .. } => sent.received(),
            Stage::Http2 { stream, permit, .. } => permit.connection.state.frames.received(*stream),
            Stage::Refused => Received::Refused,
        }
    }

    /// True when the server refused the stream only because it allows fewer at once than it had
    /// said.
    pub(super) fn was_too_many(&self) -> bool {
        matches!(&self.stage, Stage::Http2 { permit, crowd, .. } if *crowd > permit.connection.state.allowed())
    }

    /// The server's word that it refused the TLS handshake, which came when the request was under
    /// way.
    pub(super) fn handshake_refused(&self) -> Option<AlertDescription> {
        match &self.stage {
            Stage::Http1 { sent, .. } => sent.handshake.refused(),
            Stage::Http2 { permit, .. } => permit.connection.state.handshake.refused(),
            Stage::Connecting | Stage::Refused => None,
        }
    }

    /// Whether the request may have been carried out. `not_started` only when that is sure.
    pub(super) fn execution(&self) -> Execution {
        match &self.head {
            // What the head proves is the provider's to say.
            Some(_) => Execution::Unknown,
            None => match self.received() {
                Received::Nothing | Received::PartOfHead | Received::Refused => {
                    Execution::NotStarted
                }
                Received::PartOfBody | Received::Request => Execution::Unknown,
            },
        }
    }
}

/// However the wait for an answer ended — the attempt's time, the call's, a caller who left —, a
/// connection on which nothing came meanwhile is looked at before others rely on it.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        match &self.stage {
            Stage::Connecting | Stage::Refused => {}
            Stage::Http1 { sent, pool, began } => {
                let heard =
                    sent.heard.load(Ordering::Relaxed) || sent.received() == Received::Nothing;
                if !heard && began.elapsed() >= pool.origin.round_trip.patience() {
                    pool.fell_silent(*began);
                }
            }
            Stage::Http2 { permit, began, .. } => {
                permit.connection.state.wait_abandoned(began.elapsed());
            }
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
