//! The body of an answer on its way out: in pieces, and with its trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use super::early::ACTIVATION_ID;
use super::observe::Guard;
use super::router::{code, trail};
use crate::memory::Held;

/// The largest piece handed to the connection at once. What a caller does not read stays with the
/// answer, where it is counted and given up at the call's deadline, and does not pile up in the
/// connection.
pub const PIECE: usize = 64 << 10;

/// An answer's body. It holds what its call takes of the bound on memory until it has been sent.
pub(super) struct Answer {
    body: Body,
    /// The rest of a frame that is larger than a piece.
    rest: Bytes,
    /// None for a call that nobody watches.
    guard: Option<Guard>,
    #[allow(dead_code, reason = "it is its end that counts")]
    held: Held,
}

impl Answer {
    pub(super) fn new(body: Body, guard: Option<Guard>, held: Held) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            guard,
            held,
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) if data.len() > PIECE => self.rest = data,
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(frame) => return Poll::Ready(Some(Ok(self.end(frame)))),
            }
        }
        let length = self.rest.len().min(PIECE);
        // A copy, since a piece that waits in the connection would keep the whole frame.
        let piece = Bytes::copy_from_slice(&self.rest.split_to(length));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Answer {
    fn end(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(guard) = &self.guard else {
            return frame;
        };
        match frame.into_trailers() {
            Ok(trailers) => {
                let mut trailers = trail(trailers, &guard.facts());
                if let Some(id) = guard.started() {
                    trailers.insert(ACTIVATION_ID, id);
                }
                guard.end(code(&trailers).unwrap_or(Code::Ok));
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }
    }
}
