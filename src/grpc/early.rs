//! An answer whose head leaves before its message: a run whose id is known while the call still
//! waits for its outcome.
//!
//! gRPC allows a server to send its metadata first. The id must not be lost with the sidecar that
//! waits, so it goes out then, as `faas-activation-id`; every other answer goes out whole, and this
//! costs it nothing.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use super::deadline::MARGIN;
use super::headers::{GRPC_ENCODING, GRPC_STATUS};
use super::observe::CallObserver;

/// The metadata that names the run of a call, in the head that leaves early and in the trailers
/// after it.
pub(super) const ACTIVATION_ID: HeaderName = HeaderName::from_static("faas-activation-id");

/// The answer to one request.
#[derive(Debug)]
pub struct Answered {
    /// The answer itself.
    pub response: http::Response<Body>,
    /// When what has not been sent of it is of no use to the caller any more; `None` = never.
    pub send_by: Option<Instant>,
}

type Work = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// An answer on its way.
pub struct Pending {
    work: Option<Work>,
    observer: Option<CallObserver>,
    /// The messages of the answer may be packed with gzip, which its head must say.
    packs: bool,
}

impl Pending {
    /// An answer that is asked for only after something else, in one future.
    pub fn after(work: impl Future<Output = Answered> + Send + 'static) -> Self {
        Self::new(work, None, false)
    }

    /// `observer` tells of the call's run, if anybody watches the call.
    pub(super) fn new(
        work: impl Future<Output = Answered> + Send + 'static,
        observer: Option<CallObserver>,
        packs: bool,
    ) -> Self {
        Self {
            work: Some(Box::pin(work)),
            observer,
            packs,
        }
    }

    /// The head of an answer that is not there yet, with the answer to come as its body.
    fn early(&mut self, activation_id: HeaderValue) -> Option<Answered> {
        let work = self.work.take()?;
        let due = self.observer.as_ref().and_then(CallObserver::is_due);
        let mut response = http::Response::new(Body::new(DelayedBody::Work(work)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(ACTIVATION_ID, activation_id);
        if self.packs {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        }
        Some(Answered {
            response,
            send_by: due.map(|due| due + MARGIN),
        })
    }
}

impl Future for Pending {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(work) = &mut this.work else {
            return Poll::Pending;
        };
        if let Poll::Ready(answer) = work.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        let started = this
            .observer
            .as_ref()
            .and_then(|call| call.started(context.waker()));
        match started.and_then(|id| this.early(id)) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }
    }
}

/// An answer that is made when its caller takes it: descriptors are large, and nobody needs to read
/// them.
pub(super) fn later(work: impl Future<Output = Answered> + Send + 'static) -> http::Response<Body> {
    let mut response = http::Response::new(Body::new(DelayedBody::Work(Box::pin(work))));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// The rest of an answer whose head has left.
enum DelayedBody {
    Work(Work),
    Body(Body),
    Over,
}

impl http_body::Body for DelayedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match &mut *self {
                Self::Work(work) => {
                    let answer = ready!(work.as_mut().poll(context));
                    let (head, body) = answer.response.into_parts();
                    if head.headers.contains_key(&GRPC_STATUS) {
                        *self = Self::Over;
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers(head.headers)))));
                    }
                    *self = Self::Body(body);
                }
                Self::Body(body) => return Pin::new(body).poll_frame(context),
                Self::Over => return Poll::Ready(None),
            }
        }
    }
}

/// An error has no body, and its metadata in its head: there the head has left, they are trailers.
fn trailers(mut head: HeaderMap) -> HeaderMap {
    for name in [&CONTENT_TYPE, &GRPC_ENCODING] {
        head.remove(name);
    }
    head
}
