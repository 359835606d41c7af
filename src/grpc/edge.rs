//! What every call shares: pick the target, set the deadline, read the trace context; answer with
//! trailers or a status.

use std::mem;
use std::sync::Arc;

use tokio::time::timeout_at;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::Services;
use super::authorize::{Authorize, authorize};
use super::detached::{DetachedCall, sent};
use super::headers::PREVIOUS_ATTEMPTS;
use super::intake::no_room;
use super::messages::{RpcResponse, has_failed};
use super::observe::{CallObserver, Released};
use super::serve::Arrival;
use super::status::{Context, status};
use super::{deadline, trace};
use crate::call::Call;
use crate::error::{Error, Execution, Result};
use crate::json::grows_by;
use crate::memory::Held;
use crate::target::Target;
use crate::telemetry::metrics::InFlight;
use crate::telemetry::{AttemptSummary, CallFacts};

/// As much of an id that a caller names as is shown, in characters.
const MAX_ID: usize = 256;

/// One call between its arrival and its answer.
pub(super) struct Edge {
    pub(super) target: Arc<Target>,
    pub(super) call: Call,
    observer: CallObserver,
    idempotent: bool,
    /// Shown when the edge has let the call go.
    facts: CallFacts,
    delivered: bool,
    _in_flight: InFlight,
}

impl Edge {
    /// Picks the target, and asks its rules.
    pub(super) fn open<T: Authorize>(
        services: &Services,
        arrival: &Arrival,
        request: Request<T>,
    ) -> Result<(Self, T), Status> {
        let (metadata, _, message) = request.into_parts();
        let observer = arrival.observer.clone();
        let traces = observer.telemetry().traces();
        let begun = traces.begin(trace::incoming(&metadata, traces.propagation()));
        let targets = services.targets.load();
        let mut facts = observer.facts();
        facts.trace = begun.context;
        facts.config_generation = targets.config_generation;
        if observer.telemetry().notes_subjects() {
            facts.subject = message.resource().subject();
            // As the caller wrote it: checked by nobody yet.
            facts.activation_id = message.activation_id().chars().take(MAX_ID).collect();
        }
        let target = match targets.get(message.target()) {
            Ok(target) => target,
            Err(error) => {
                facts.failure = Some((&error).into());
                observer.release(Released {
                    facts,
                    target: None,
                    memory: Held::default(),
                    delivered: false,
                });
                let context = Context {
                    target: message.target(),
                    config_generation: targets.config_generation,
                    ..Context::default()
                };
                return Err(status(&error, &context));
            }
        };
        facts.destination = Some(Arc::clone(&target.destination));
        let mut call = Call::new(deadline::deadline(arrival.deadline, target.request_timeout));
        observer.due(call.deadline);
        call.caller = observer.caller();
        call.room = Some(observer.memory().clone());
        call.trace = begun.headers;
        call.config_generation = targets.config_generation;
        call.previous_attempts = previous_attempts(&metadata);
        call.record = begun.record;
        call.listener = Some(observer.listener());
        if call.previous_attempts > 0 {
            services.unsent.excuse(&mut call);
        }
        let mut edge = Self {
            _in_flight: target.metrics.calls.begin(),
            target,
            call,
            observer,
            idempotent: message.is_idempotent(),
            facts,
            delivered: false,
        };
        let grows = message.json().map_or(0, grows_by);
        if grows > 0 {
            edge.observer.take(grows).map_err(no_room)?;
        }
        let allow = edge.target.allow.as_ref();
        match allow.map(|allow| authorize(&message, allow)) {
            Some(Err(refused)) => Err(edge.status(&refused)),
            _ => Ok((edge, message)),
        }
    }

    /// The answer to the caller.
    pub(super) fn close<T: RpcResponse>(
        mut self,
        result: Result<T>,
    ) -> Result<Response<T>, Status> {
        match result {
            Ok(message) => {
                if let Some(id) = message.activation_id() {
                    id.clone_into(&mut self.facts.activation_id);
                    self.facts.function_failed = message.activation().is_some_and(has_failed);
                }
                Ok(Response::new(message))
            }
            Err(error) => Err(self.status(&error)),
        }
    }

    /// Waits for room for an answer of so many bytes that another task has got.
    ///
    /// # Errors
    /// When the call's time is over before.
    pub(super) async fn make_room(&mut self, bytes: usize) -> Result<()> {
        let growth = self.call.memory.grow(self.observer.memory(), bytes);
        timeout_at(self.call.deadline, growth)
            .await
            .map_err(|_| Call::out_of_time(Execution::Completed))
    }

    /// Takes over what another task made of the call, for the caller's answer.
    pub(super) fn deliver(&mut self, sent: &AttemptSummary) {
        self.call.attempts = sent.attempts;
        self.call
            .upstream_request_id
            .clone_from(&sent.upstream_request_id);
        self.delivered = true;
    }

    /// The status of a failure of this call.
    pub(super) fn status(&mut self, error: &Error) -> Status {
        self.facts.failure = Some(error.into());
        status(
            error,
            &Context {
                target: self.target.name(),
                provider: self.target.provider.name(),
                config_generation: self.call.config_generation,
                attempts: self.call.attempts,
                upstream_request_id: self.call.upstream_request_id.as_deref(),
                idempotent: self.idempotent || self.call.idempotent,
            },
        )
    }

    /// The call as another task carries it on, with the same deadline and trace; what it does is
    /// noted there.
    pub(super) fn detach(&mut self) -> DetachedCall {
        let mut call = Call::new(self.call.deadline);
        call.config_generation = self.call.config_generation;
        call.caller = self.call.caller;
        call.room.clone_from(&self.call.room);
        call.previous_attempts = self.call.previous_attempts;
        call.retry_paid = self.call.retry_paid;
        call.trace.clone_from(&self.call.trace);
        call.record = self.call.record.take();
        DetachedCall::new(call, self.observer.clone())
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let ended = CallFacts::new("", false, self.call.deadline);
        let mut facts = mem::replace(&mut self.facts, ended);
        facts.sent = sent(&mut self.call);
        self.observer.record(self.call.record.take());
        self.observer.release(Released {
            facts,
            target: Some(Arc::clone(&self.target)),
            memory: mem::take(&mut self.call.memory),
            delivered: self.delivered,
        });
    }
}

/// How often the client's own retry policy has sent this call before (gRFC A6, "Retry Attempt
/// Metadata"); what is no plain number is as if absent.
fn previous_attempts(metadata: &MetadataMap) -> u32 {
    metadata
        .as_ref()
        .get(&PREVIOUS_ATTEMPTS)
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_own_retries_are_told_by_a_plain_number() {
        for (text, expected) in [
            ("1", 1),
            ("4", 4),
            ("0", 0),
            ("", 0),
            ("+1", 0),
            ("-1", 0),
            ("1.0", 0),
            (" 1", 0),
            ("one", 0),
            ("99999999999", 0),
        ] {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-previous-rpc-attempts", text.parse().unwrap());
            assert_eq!(previous_attempts(&metadata), expected, "{text:?}");
        }
        assert_eq!(previous_attempts(&MetadataMap::new()), 0);
    }
}
