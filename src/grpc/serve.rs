//! How an RPC is served: the framework reads and writes its messages, the edge opens and closes the
//! call, the target's provider carries it out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::Services;
use super::authorize::Authorize;
use super::deadline::CallerDeadline;
use super::dedup::{Key, check_request_id, fingerprint};
use super::edge::Edge;
use super::intake::BufferedBody;
use super::messages::RpcResponse;
use super::observe::CallObserver;
use super::status::panicked;
use crate::call::Call;
use crate::error::{Error, Kind, Result, reason};
use crate::proto::{WatchActivationRequest, WatchActivationResponse};
use crate::target::Target;

/// What the router knows of a call beside its request.
pub(super) struct Arrival {
    pub(super) observer: CallObserver,
    pub(super) deadline: Option<CallerDeadline>,
    pub(super) max_message_size: usize,
}

impl Arrival {
    fn codec<Q, A>(&self) -> Grpc<ProstCodec<A, Q>>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        Grpc::new(ProstCodec::default())
            .max_decoding_message_size(self.max_message_size)
            .max_encoding_message_size(self.max_message_size)
            .accept_compressed(Gzip)
            .send_compressed(Gzip)
    }
}

/// An operation of a target's provider.
type Operation<Q, A> = for<'c> fn(&'c Target, &'c mut Call, Q) -> Answering<'c, A>;
type Answering<'c, A> = Pin<Box<dyn Future<Output = Result<A>> + Send + 'c>>;

/// Serves one request with one response.
pub(super) async fn unary<Q, A>(
    services: &Services,
    arrival: Arrival,
    request: http::Request<BufferedBody>,
    operation: Operation<Q, A>,
) -> http::Response<Body>
where
    Q: Message + Default + Authorize + 'static,
    A: Message + Default + RpcResponse + 'static,
{
    let arrival = &arrival;
    let handler = service_fn(move |request: Request<Q>| async move {
        let (mut edge, message) = Edge::open(services, arrival, request)?;
        let result = operation(&edge.target, &mut edge.call, message).await;
        edge.close(result)
    });
    arrival.codec().unary(handler, request).await
}

/// The same, where calls with one `request_id` are one.
pub(super) async fn repeatable<Q, A>(
    services: &Services,
    arrival: Arrival,
    request: http::Request<BufferedBody>,
    name: &'static str,
    operation: Operation<Q, A>,
) -> http::Response<Body>
where
    Q: Message + Default + Authorize + 'static,
    A: Message + Default + RpcResponse + 'static,
{
    let arrival = &arrival;
    let handler = service_fn(move |request: Request<Q>| async move {
        let (mut edge, message) = Edge::open(services, arrival, request)?;
        let result = if message.request_id().is_empty() {
            operation(&edge.target, &mut edge.call, message).await
        } else {
            call_once(services, &mut edge, message, name, operation).await
        };
        edge.close(result)
    });
    arrival.codec().unary(handler, request).await
}

/// Joins the call with the same `request_id`, or starts it.
async fn call_once<Q, A>(
    services: &Services,
    edge: &mut Edge,
    message: Q,
    name: &'static str,
    operation: Operation<Q, A>,
) -> Result<A>
where
    Q: Message + Authorize + 'static,
    A: Message + Default + RpcResponse + 'static,
{
    check_request_id(message.request_id())?;
    let key = Key::new(name, edge.target.name(), message.request_id());
    let fingerprint = fingerprint(&message.encode_to_vec());
    let about = format!(
        "{name} {} {}",
        edge.target.name(),
        message.resource().subject()
    );
    let target = Arc::clone(&edge.target);
    let mut detached = edge.detach();
    let work = |listener| async move {
        detached.call.listener = Some(listener);
        let result = operation(&target, &mut detached.call, message).await;
        detached.end(result)
    };
    let (deadline, caller) = (edge.call.deadline, edge.call.listener.as_deref());
    let outcome = services
        .dedup
        .run(key, fingerprint, deadline, about, caller, work)
        .await?;
    edge.make_room(outcome.size()).await?;
    edge.deliver(&outcome.sent);
    A::decode(outcome.result.clone()?)
        .map_err(|fault| Error::new(Kind::Internal, reason::SIDECAR_BUG, fault.to_string()))
}

/// Serves `WatchActivation`, the one RPC with several responses.
pub(super) async fn streaming(
    services: &Services,
    arrival: Arrival,
    request: http::Request<BufferedBody>,
) -> http::Response<Body> {
    let arrival = &arrival;
    let handler = service_fn(move |request| async move {
        let (edge, message) = Edge::open(services, arrival, request)?;
        Ok(Response::new(watch_activation(edge, message)))
    });
    arrival.codec().server_streaming(handler, request).await
}

fn watch_activation(mut edge: Edge, message: WatchActivationRequest) -> WatchedStates {
    // A watched activation has few states, so the channel stays short whatever the reader does.
    let (states, receiver) = mpsc::unbounded_channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut observer = |activation| {
            let activation = Some(activation);
            states
                .send(Ok(WatchActivationResponse { activation }))
                .is_ok()
        };
        let provider = Arc::clone(&edge.target.provider);
        let result = provider
            .watch_activation(&mut edge.call, message, &mut observer)
            .await;
        let failure = result.err().map(|error| edge.status(&error));
        // Before the stream ends, since its trailers tell of the call.
        drop(edge);
        if let Some(status) = failure {
            let _ = states.send(Err(status));
        }
    });
    WatchedStates { receiver, task }
}

/// The states as a stream; the watching task ends with it, so that a caller that goes away costs
/// nothing more.
struct WatchedStates {
    receiver: mpsc::UnboundedReceiver<Result<WatchActivationResponse, Status>>,
    task: JoinSet<()>,
}

impl Stream for WatchedStates {
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

    fn watched(work: impl FnOnce() + Send + 'static) -> WatchedStates {
        let (states, receiver) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _ = states.send(Ok(WatchActivationResponse::default()));
            work();
        });
        WatchedStates { receiver, task }
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
