//! An answer on its way out: details on every error, trailers on every answer, the body in pieces.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use super::deadline::MARGIN;
use super::early::{ACTIVATION_ID, Answered};
use super::headers::{ATTEMPTS, GRPC_STATUS, GRPC_STATUS_DETAILS, UPSTREAM_REQUEST_ID};
use super::observe::CallGuard;
use super::status::{bare, shown_id, unsendable};
use crate::memory::Held;
use crate::telemetry::AttemptSummary;

/// The largest piece handed to the connection at once. What a caller does not read stays with the
/// answer, where it is counted and given up at the call's deadline, and does not pile up in the
/// connection.
pub const PIECE: usize = 64 << 10;

/// An answer's body. It holds what its call takes of the bound on memory until it has been sent.
pub(super) struct AnswerBody {
    body: Body,
    /// The rest of a frame that is larger than a piece.
    rest: Bytes,
    /// None for a call that nobody watches.
    guard: Option<CallGuard>,
    #[allow(dead_code, reason = "it is its end that counts")]
    held: Held,
}

impl AnswerBody {
    pub(super) fn new(body: Body, guard: Option<CallGuard>, held: Held) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            guard,
            held,
        }
    }
}

impl http_body::Body for AnswerBody {
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

impl AnswerBody {
    fn end(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(guard) = &self.guard else {
            return frame;
        };
        match frame.into_trailers() {
            Ok(trailers) => {
                let mut trailers = trail(trailers, guard.sent());
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

pub(super) fn end(guard: Option<&CallGuard>, code: Code) {
    if let Some(guard) = guard {
        guard.end(code);
    }
}

/// Details on every error, trailers on every answer; what the request takes of the bound on memory
/// it keeps until the answer has been sent.
pub(super) fn finish(
    mut response: http::Response<Body>,
    guard: Option<CallGuard>,
    held: Held,
) -> Answered {
    let at_once = |response| Answered {
        response,
        send_by: None,
    };
    if let Some(status) = without_details(response.headers()) {
        end(guard.as_ref(), status.code());
        return at_once(status.into_http());
    }
    match code(response.headers()) {
        // An error has no body: its trailers are its headers.
        Some(code) => {
            if let Some(id) = guard.as_ref().and_then(CallGuard::started) {
                response.headers_mut().insert(ACTIVATION_ID, id);
            }
            end(guard.as_ref(), code);
            at_once(response)
        }
        None => Answered {
            send_by: guard
                .as_ref()
                .and_then(CallGuard::due)
                .map(|due| due + MARGIN),
            response: response.map(|body| Body::new(AnswerBody::new(body, guard, held))),
        },
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get(&GRPC_STATUS)?.as_bytes()))
}

fn trail(mut trailers: HeaderMap, sent: &AttemptSummary) -> HeaderMap {
    // An answer that cannot be sent (too large) becomes an error only here.
    if let Some(status) = without_details(&trailers) {
        let status = match status.code() {
            Code::ResourceExhausted => unsendable(
                status.message(),
                sent.attempts,
                sent.upstream_request_id.as_deref(),
            ),
            _ => status,
        };
        trailers.clear();
        let _ = status.add_header(&mut trailers);
    }
    trailers.insert(&ATTEMPTS, HeaderValue::from(sent.attempts));
    if let Some(id) = sent
        .upstream_request_id
        .as_deref()
        .and_then(shown_id)
        .and_then(|id| HeaderValue::from_bytes(id.as_encoded_bytes()).ok())
    {
        trailers.insert(&UPSTREAM_REQUEST_ID, id);
    }
    trailers
}

/// An error that the framework made by itself, with details added.
fn without_details(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get(&GRPC_STATUS)?;
    if code == "0" || headers.contains_key(&GRPC_STATUS_DETAILS) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    Some(bare(status.code(), status.message()))
}
