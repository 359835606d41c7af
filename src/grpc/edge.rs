//! What every call shares: pick the target, set the deadline, read the trace context; answer with
//! trailers or a status.

use std::any::Any;
use std::mem;
use std::sync::Arc;

use tokio::time::timeout_at;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Response, Status};

use super::Services;
use super::caller::Caller;
use super::headers::PREVIOUS_ATTEMPTS;
use super::intake::no_room;
use super::lent::Lent;
use super::needs::Needs;
use super::observe::{CallFacts, Observed, Seen, failure};
use super::status::{Context, status};
use super::subject::told;
use super::{deadline, trace};
use crate::call::Call;
use crate::error::{Error, Execution, Result};
use crate::json::grows_by;
use crate::target::Target;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::InFlight;

/// As much of an id that a caller names as is shown, in characters.
const MAX_ID: usize = 256;

/// One call between its arrival and its answer.
pub(super) struct Edge {
    pub(super) target: Arc<Target>,
    pub(super) call: Call,
    pub(super) observed: Observed,
    idempotent: bool,
    /// Shown when the edge lets the call go.
    seen: Seen,
    _in_flight: InFlight,
}

impl Edge {
    /// `idempotent` is the operation's own nature or the caller's word.
    pub(super) fn open(
        services: &Services,
        metadata: &MetadataMap,
        extensions: &mut Extensions,
        message: &impl Needs,
        idempotent: bool,
    ) -> Result<Self, Status> {
        let observed = extensions
            .remove::<Observed>()
            .unwrap_or_else(|| Observed::new(&Telemetry::off(), "_OTHER", &Caller::nobody()));
        let traces = observed.telemetry().traces();
        let begun = traces.begin(trace::incoming(metadata, traces.propagation()));
        let targets = services.targets.load();
        let mut seen = Seen {
            context: begun.context,
            config_generation: targets.config_generation,
            ..Seen::default()
        };
        if observed.telemetry().notes_subjects() {
            seen.subject = message.subject();
            // As the caller wrote it: checked by nobody yet.
            seen.activation_id = message.activation_id().chars().take(MAX_ID).collect();
        }
        let target = match targets.get(message.target()) {
            Ok(target) => target,
            Err(error) => {
                seen.failure = Some(failure(&error));
                observed.seen(seen);
                let context = Context {
                    target: message.target(),
                    config_generation: targets.config_generation,
                    ..Context::default()
                };
                return Err(status(&error, &context));
            }
        };
        let mut call = Call::new(deadline::deadline(extensions, target.request_timeout));
        observed.due(call.deadline);
        call.caller = observed.caller();
        call.room = Some(observed.memory().clone());
        call.trace = begun.headers;
        call.config_generation = targets.config_generation;
        call.previous_attempts = previous_attempts(metadata);
        call.record = begun.record;
        call.listener = Some(observed.listener());
        if call.previous_attempts > 0 {
            services.unsent.excuse(&mut call);
        }
        let mut edge = Self {
            _in_flight: target.metrics.calls.begin(),
            target,
            call,
            observed,
            idempotent,
            seen,
        };
        let grows = message.json().map_or(0, grows_by);
        if grows > 0 {
            edge.observed.take(grows).map_err(no_room)?;
        }
        let allowed = edge.target.allow.as_ref().map(|allow| message.check(allow));
        match allowed {
            Some(Err(refused)) => Err(edge.status(&refused)),
            _ => Ok(edge),
        }
    }

    /// The answer to the caller.
    pub(super) fn close<T: Any>(mut self, result: Result<T>) -> Result<Response<T>, Status> {
        match result {
            Ok(message) => {
                if let Some((id, failed)) = told(&message) {
                    self.seen.activation_id = id.to_owned();
                    self.seen.function_failed = failed;
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
    pub(super) async fn room(&mut self, bytes: usize) -> Result<()> {
        let growth = self.call.memory.grow(self.observed.memory(), bytes);
        timeout_at(self.call.deadline, growth)
            .await
            .map_err(|_| Call::out_of_time(Execution::Completed))
    }

    /// Takes over what another task made of the call, for the caller's answer.
    pub(super) fn deliver(&mut self, facts: &CallFacts) {
        self.call.attempts = facts.attempts;
        self.call
            .upstream_request_id
            .clone_from(&facts.upstream_request_id);
        self.seen.delivered = true;
    }

    /// The status of a failure of this call.
    pub(super) fn status(&mut self, error: &Error) -> Status {
        self.seen.failure = Some(failure(error));
        status(
            error,
            &Context {
                target: &self.target.name,
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
    pub(super) fn lend(&mut self) -> Lent {
        let mut call = Call::new(self.call.deadline);
        call.config_generation = self.call.config_generation;
        call.caller = self.call.caller;
        call.room.clone_from(&self.call.room);
        call.previous_attempts = self.call.previous_attempts;
        call.retry_paid = self.call.retry_paid;
        call.trace.clone_from(&self.call.trace);
        call.record = self.call.record.take();
        Lent::new(call, self.observed.clone())
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let mut seen = mem::take(&mut self.seen);
        seen.target = Some(Arc::clone(&self.target));
        seen.config_generation = self.call.config_generation;
        seen.facts = CallFacts {
            attempts: self.call.attempts,
            upstream_request_id: self.call.upstream_request_id.take(),
        };
        seen.memory = mem::take(&mut self.call.memory);
        self.observed.record(self.call.record.take());
        self.observed.seen(seen);
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

/// One unary method: open, ask the provider, close.
macro_rules! unary {
    ($services:expr, $request:expr, $method:ident, $idempotent:expr) => {{
        let (metadata, mut extensions, message) = $request.into_parts();
        let mut edge = $crate::grpc::edge::Edge::open(
            $services,
            &metadata,
            &mut extensions,
            &message,
            $idempotent,
        )?;
        let result = edge.target.provider.$method(&mut edge.call, message).await;
        edge.close(result)
    }};
}

pub(super) use unary;

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
