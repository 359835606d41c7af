//! `faas.v1.InvocationService`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::Services;
use super::edge::{Edge, unary};
use super::lent::Started;
use super::status::panicked;
use crate::proto::invocation_service_server::InvocationService;
use crate::proto::*;

/// One unary method whose `request_id` makes repeated calls one.
macro_rules! once {
    ($services:expr, $request:expr, $method:ident, $label:literal, $id:expr, $idempotent:expr) => {{
        use prost::Message as _;
        let (metadata, mut extensions, message) = $request.into_parts();
        let mut edge = $crate::grpc::edge::Edge::open(
            $services,
            &metadata,
            &mut extensions,
            &message,
            $idempotent,
        )?;
        if let Err(unusable) = $crate::grpc::dedup::usable(&$id) {
            return Err(edge.status(&unusable));
        }
        let key = $crate::grpc::dedup::Key::new($label, &edge.target.name, &$id);
        let fingerprint = $crate::grpc::dedup::fingerprint(&message.encode_to_vec());
        let (target, deadline, mut lent) = (
            std::sync::Arc::clone(&edge.target),
            edge.call.deadline,
            edge.lend(),
        );
        let about = $crate::grpc::subject::Subject::subject(&message);
        let about = format!("{} {} {about}", $label, target.name);
        let work = |listener| async move {
            lent.call.listener = Some(listener);
            let result = target.provider.$method(&mut lent.call, message).await;
            lent.end(result)
        };
        let caller = edge.call.listener.as_deref();
        let outcome = $services
            .dedup
            .run(key, fingerprint, deadline, about, caller, work)
            .await;
        let outcome = match outcome {
            Ok(outcome) => edge.room(outcome.size()).await.map(|()| outcome),
            Err(late) => Err(late),
        };
        let result = outcome.and_then(|outcome| {
            edge.deliver(&outcome.facts);
            let answer = outcome.result.clone()?;
            prost::Message::decode(answer).map_err(|fault: prost::DecodeError| {
                $crate::error::Error::new(
                    $crate::error::Kind::Internal,
                    "SIDECAR_BUG",
                    fault.to_string(),
                )
            })
        });
        edge.close(result)
    }};
}
pub(super) use once;

impl Started for InvokeResponse {
    fn activation_id(&self) -> &str {
        self.activation
            .as_ref()
            .map_or("", |run| &run.activation_id)
    }
}

impl Started for InvokeAsyncResponse {
    fn activation_id(&self) -> &str {
        self.activation
            .as_ref()
            .map_or("", |run| &run.activation_id)
    }
}

impl Started for FireTriggerResponse {
    fn activation_id(&self) -> &str {
        &self.activation_id
    }
}

#[tonic::async_trait]
impl InvocationService for Services {
    async fn invoke(
        &self,
        request: Request<InvokeRequest>,
    ) -> Result<Response<InvokeResponse>, Status> {
        let message = request.get_ref();
        let (id, idempotent) = (message.request_id.clone(), message.idempotent);
        if id.is_empty() {
            return unary!(self, request, invoke, idempotent);
        }
        once!(self, request, invoke, "Invoke", id, idempotent)
    }

    async fn invoke_async(
        &self,
        request: Request<InvokeAsyncRequest>,
    ) -> Result<Response<InvokeAsyncResponse>, Status> {
        let message = request.get_ref();
        let (id, idempotent) = (message.request_id.clone(), message.idempotent);
        if id.is_empty() {
            return unary!(self, request, invoke_async, idempotent);
        }
        once!(self, request, invoke_async, "InvokeAsync", id, idempotent)
    }

    async fn get_activation(
        &self,
        request: Request<GetActivationRequest>,
    ) -> Result<Response<GetActivationResponse>, Status> {
        unary!(self, request, get_activation, true)
    }

    async fn list_activations(
        &self,
        request: Request<ListActivationsRequest>,
    ) -> Result<Response<ListActivationsResponse>, Status> {
        unary!(self, request, list_activations, true)
    }

    type WatchActivationStream =
        Pin<Box<dyn Stream<Item = Result<WatchActivationResponse, Status>> + Send>>;

    async fn watch_activation(
        &self,
        request: Request<WatchActivationRequest>,
    ) -> Result<Response<Self::WatchActivationStream>, Status> {
        let (metadata, mut extensions, message) = request.into_parts();
        let mut edge = Edge::open(self, &metadata, &mut extensions, &message, true)?;
        // A watched activation has few states, so the channel stays short whatever the reader does.
        let (states, receiver) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut observer = |activation| {
                states
                    .send(Ok(WatchActivationResponse {
                        activation: Some(activation),
                    }))
                    .is_ok()
            };
            let target = Arc::clone(&edge.target);
            let result = target
                .provider
                .watch_activation(&mut edge.call, message, &mut observer)
                .await;
            let failure = result.err().map(|error| edge.status(&error));
            // Before the stream ends, since its trailers tell of the call.
            drop(edge);
            if let Some(status) = failure {
                let _ = states.send(Err(status));
            }
        });
        Ok(Response::new(Box::pin(Watched { receiver, task })))
    }

    async fn cancel_activation(
        &self,
        request: Request<CancelActivationRequest>,
    ) -> Result<Response<CancelActivationResponse>, Status> {
        unary!(self, request, cancel_activation, true)
    }
}

/// The states as a stream; the watching task ends with it, so that a caller that goes away costs
/// nothing more.
struct Watched {
    receiver: mpsc::UnboundedReceiver<Result<WatchActivationResponse, Status>>,
    task: JoinSet<()>,
}

impl Stream for Watched {
    type Item = Result<WatchActivationResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.receiver.poll_recv(context) {
            // No more states: the task has ended, or panicked, which must not look like an end.
            Poll::Ready(None) => self.task.poll_join_next(context).map(|ended| match ended {
                Some(Err(fault)) if fault.is_panic() => Some(Err(panicked())),
                _ => None,
            }),
            state => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    fn watched(work: impl FnOnce() + Send + 'static) -> Watched {
        let (states, receiver) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _ = states.send(Ok(WatchActivationResponse::default()));
            work();
        });
        Watched { receiver, task }
    }

    #[tokio::test]
    async fn a_watch_that_panics_ends_with_an_error_and_others_end_without() {
        let states: Vec<_> = watched(|| {}).collect().await;
        assert!(states.len() == 1 && states[0].is_ok());
        let states: Vec<_> = watched(|| panic!("on purpose")).collect().await;
        assert!(states.len() == 2 && states[0].is_ok());
        assert_eq!(
            states[1].as_ref().unwrap_err().code(),
            tonic::Code::Internal
        );
    }
}
