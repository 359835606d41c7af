//! The body of a request on its way in: it may not take longer than the caller gave its call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;

use super::dedup::Dedup;
use super::status::late;

/// A body that ends with `DEADLINE_EXCEEDED` when it has not come by then. Nobody has seen the
/// request yet, so it started nothing; where ids of other calls are remembered, it may be one of
/// several under a `request_id`, and an earlier one may have.
pub(super) struct DeadlineBody {
    inner: Body,
    deadline: Instant,
    /// The ids that are remembered, if the method has them.
    ids: Option<Arc<Dedup>>,
    /// Made when the body first keeps us waiting, which few do.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl DeadlineBody {
    pub(super) fn new(inner: Body, deadline: Instant, ids: Option<Arc<Dedup>>) -> Self {
        Self {
            inner,
            deadline,
            ids,
            sleep: None,
        }
    }
}

impl http_body::Body for DeadlineBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let deadline = this.deadline;
        let sleep = this
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(sleep.as_mut().poll(context));
        let may_repeat = this.ids.as_ref().is_some_and(|ids| ids.remembers_any());
        Poll::Ready(Some(Err(late(may_repeat))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
