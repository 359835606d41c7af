//! Runs ("Executing a Function Synchronously" and "… Asynchronously", `functiongraph_06_0125` and
//! 0126).
//!
//! A synchronous run is held by the gateway for 90 s at most and leaves no record; an asynchronous
//! one leaves its id.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use tokio::time::Instant;

use super::function::Function;
use super::rules::{self, ASYNC_EVENT_MAX, EVENT_MAX};
use super::{FunctionGraph, envelope, errors, outcome, wire};
use crate::call::Call;
use crate::error::{Error, Execution, Faults, Result, reason};
use crate::json;
use crate::names::AsyncRequestId;
use crate::proto::*;
use crate::provider::lenient::{self, Clock};
use crate::provider::{inner_error, runs};
use crate::transport::Response;

const REQUEST_VERSION: HeaderName = HeaderName::from_static("x-cff-request-version");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-cff-log-type");
const INSTANCE_MEMORY: HeaderName = HeaderName::from_static("x-cff-instance-memory");
/// The envelope with log and status; v0, the default, is the bare result.
const V1: HeaderValue = HeaderValue::from_static("v1");
const TAIL: HeaderValue = HeaderValue::from_static("tail");

impl FunctionGraph {
    pub(super) async fn invoke(
        &self,
        call: &mut Call,
        request: InvokeRequest,
    ) -> Result<InvokeResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let encoding = rules::encoding(
            request.result_encoding,
            request.arguments.as_ref(),
            &mut faults,
        );
        let wait = self.wait(request.wait.as_ref(), &mut faults);
        let memory = rules::run_memory(request.memory_mb, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        let event = event(request.arguments, EVENT_MAX, &mut faults);
        faults.into_result()?;
        let (function, wait) = (rules::checked(function)?, rules::checked(wait)?);

        let place = self.place(call).await?;
        let url = function.url(place, "/invocations", Vec::new())?;
        let mut outgoing = self.request(
            Method::POST,
            url,
            event,
            self.is_idempotent(request.idempotent, &function),
        );
        outgoing.headers.push((REQUEST_VERSION, V1));
        if request.include_logs {
            outgoing.headers.push((LOG_TYPE, TAIL));
        }
        outgoing
            .headers
            .extend(memory.map(|memory| (INSTANCE_MEMORY, HeaderValue::from(memory))));
        // The caller's wait bounds the call as a whole, pauses and repeated attempts included.
        let deadline = call.deadline;
        call.deadline = deadline.min(Instant::now() + wait);
        let sent = self
            .send_judged(call, place, &outgoing, outcome::judge)
            .await;
        call.deadline = deadline;

        let told = sent.map_err(not_waited_for).and_then(|response| {
            outcome::read(
                &response,
                encoding,
                request.include_logs,
                self.transport.metrics(),
            )
        });
        self.count(&function, &told);
        let mut activation = told.map_err(|error| function.named(error))?;
        self.name(&mut activation, &function, &place.project);
        Ok(InvokeResponse {
            activation: Some(activation),
        })
    }

    pub(super) async fn invoke_async(
        &self,
        call: &mut Call,
        request: InvokeAsyncRequest,
    ) -> Result<InvokeAsyncResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let memory = rules::run_memory(request.memory_mb, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        let event = event(request.arguments, ASYNC_EVENT_MAX, &mut faults);
        faults.into_result()?;
        let function = rules::checked(function)?;

        let place = self.place(call).await?;
        let url = function.url(place, "/invocations-async", Vec::new())?;
        let mut outgoing = self.request(
            Method::POST,
            url,
            event,
            self.is_idempotent(request.idempotent, &function),
        );
        outgoing
            .headers
            .extend(memory.map(|memory| (INSTANCE_MEMORY, HeaderValue::from(memory))));
        let sent = self
            .send_judged(call, place, &outgoing, judge_accepted)
            .await;
        let told = sent.and_then(|response| self.accepted(call, &response));
        self.count(&function, &told);
        let mut activation = told.map_err(|error| function.named(error))?;
        self.name(&mut activation, &function, &place.project);
        Ok(InvokeAsyncResponse {
            activation: Some(activation),
        })
    }

    /// A run that was accepted: its id in the body, else in a header.
    fn accepted(&self, call: &Call, response: &Response) -> Result<Activation> {
        let body = lenient::welcome(
            response.json(),
            "accepted",
            Clock::UTC,
            self.transport.metrics(),
        );
        let id = accepted_id(body, response)
            .ok_or_else(|| self.not_understood(response, "no usable request_id"))?;
        Ok(Activation {
            activation_id: id.to_string(),
            status: ActivationStatus::Queued.into(),
            upstream_request_id: call.upstream_request_id.clone().unwrap_or_default(),
            ..Activation::default()
        })
    }

    fn count(&self, function: &Function, told: &Result<Activation>) {
        let functions = &self.transport.metrics().functions;
        runs::count(functions, function.package(), function.name(), told);
    }

    /// Fills in what only the request says.
    pub(super) fn name(&self, activation: &mut Activation, function: &Function, project: &str) {
        function.package().clone_into(&mut activation.package_name);
        function.name().clone_into(&mut activation.action_name);
        project.clone_into(&mut activation.namespace);
        // What an alias stood for the cloud does not say.
        if let Some(crate::names::Qualifier::Version(version)) = function.qualifier() {
            version.as_str().clone_into(&mut activation.version);
        }
    }

    fn wait(&self, asked: Option<&prost_types::Duration>, faults: &mut Faults) -> Option<Duration> {
        let wait = match asked {
            None => Some(self.wait),
            Some(asked) => rules::millis(asked).map(Duration::from_millis),
        };
        match (wait, asked) {
            (Some(wait), _) if !wait.is_zero() => return Some(wait),
            (None, Some(asked)) => {
                faults.add("wait", format!("is {}; it must be whole milliseconds, more than 0.", rules::spell(asked)));
            }
            _ => faults.add(
                "wait",
                "is 0: a run that nobody waits for leaves no record here. Use InvokeAsync, or a longer wait (the target's \
                 `wait` counts when the request has none).",
            ),
        }
        None
    }

    fn is_idempotent(&self, asked: bool, function: &Function) -> bool {
        asked
            || (!self.idempotent_actions.is_empty()
                && function.spellings().iter().flatten().any(|name| {
                    self.idempotent_actions
                        .iter()
                        .any(|pattern| pattern.matches(name))
                }))
    }
}

/// Accepts the answer to an asynchronous call that names the run and reports no error, whatever its
/// status: the run was taken, and must not be asked for again.
fn judge_accepted(response: &Response) -> Result<()> {
    let judged = errors::judge(response);
    let names_run =
        || accepted_id(lenient::quietly(response.json(), Clock::UTC), response).is_some();
    if judged.is_err() && !inner_error::reported(response.json()) && names_run() {
        return Ok(());
    }
    judged
}

/// The id of a run that was accepted: in the body, else in a header.
fn accepted_id(body: Option<wire::Accepted>, response: &Response) -> Option<AsyncRequestId> {
    let in_body = body.and_then(|body| AsyncRequestId::read(&body.request_id.0?));
    in_body.or_else(|| AsyncRequestId::read(envelope::run_id(&response.headers)?))
}

/// The event itself, never wrapped: the `body` and `application/json` keys of some samples are
/// artefacts. An empty one is refused upstream, so nothing is `{}`.
fn event(arguments: Option<Json>, limit: usize, faults: &mut Faults) -> Bytes {
    json::object_text(arguments, "arguments", limit, faults)
        .unwrap_or_else(|| Bytes::from_static(b"{}"))
}

/// Our own patience ended before the gateway's.
fn not_waited_for(error: Error) -> Error {
    let ours = error.reason == reason::DEADLINE_EXCEEDED && error.http_status.is_none();
    if !ours || error.execution == Execution::NotStarted {
        return error;
    }
    error.with(|facts| {
        "The wait ended before the function did; it may still be running, and a synchronous run leaves no record to ask \
         for. Wait longer (the gateway holds 90 s at most), or use InvokeAsync."
            .clone_into(&mut facts.message);
    })
}
