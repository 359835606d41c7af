//! Runs (NCP docs: postaction).
//!
//! A run call is held by the cloud for at most 60 s; when the run takes longer the answer is only
//! an id. "Only an id" is RUNNING, never success; while the caller's wait lasts the record is asked
//! for ([`super::poll`]).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;
use url::Url;

use super::action::{ActionName, no_version};
use super::auth::Form;
use super::rules::{self, PARAMETERS_MAX, WAIT_MAX_MS};
use super::{Ncp, poll, proof};
use crate::call::Call;
use crate::error::{Execution, Faults, Result};
use crate::json;
use crate::names::NcpActivationId;
use crate::proto::*;
use crate::provider::runs;
use crate::transport::{Request, Response};

/// What the cloud may take beyond the hold it was asked for before an attempt is given up …
const GRACE: Duration = Duration::from_secs(15);
/// … and this share of `timeouts.attempt`, where that is less.
const GRACE_SHARE: u32 = 5;
/// Kept back of the caller's time, so that the cloud's "only an id" arrives before it is over …
const MARGIN: Duration = Duration::from_millis(500);
/// … and this share of what is left, where that is less.
const MARGIN_SHARE: u32 = 4;

/// A run as the caller asked for it, checked.
struct Asked {
    action: ActionName,
    platform: Platform,
    arguments: Bytes,
    idempotent: bool,
}

/// A run's form. It differs from others in two things: any status may stand over an activation; and
/// the hold that stands in its URL shrinks with the time that is left.
struct Run<'a> {
    ncp: &'a Ncp,
    path: String,
    platform: Platform,
    /// The caller does not wait at all.
    detached: bool,
    /// When the caller's wait is over.
    ends: Instant,
    /// What the first URL asks for.
    held: Duration,
}

impl Ncp {
    pub(super) async fn invoke(
        &self,
        call: &mut Call,
        request: InvokeRequest,
    ) -> Result<InvokeResponse> {
        let mut faults = Faults::new();
        let encoding = rules::encoding(
            request.result_encoding,
            request.arguments.as_ref(),
            &mut faults,
        );
        let wait = match &request.wait {
            None => Some(self.wait),
            Some(wait) => {
                let millis = rules::millis(wait).map(Duration::from_millis);
                faults.require(millis.is_some(), "wait", || {
                    format!(
                        "is {}; it must be whole milliseconds, 0 or more.",
                        rules::spell(wait)
                    )
                });
                millis
            }
        };
        faults.require(
            request.memory_mb == 0,
            "memory_mb",
            || "is for functiongraph targets only.",
        );
        no_version(&request.version, &mut faults);
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let action = ActionName::parse(&request.package_name, &request.action_name, &mut faults);
        let arguments = arguments(request.arguments, &mut faults);
        faults.into_result()?;
        let action = rules::checked(action)?;
        let asked = Asked {
            action,
            platform,
            arguments,
            idempotent: request.idempotent,
        };
        let activation = self
            .start(call, &asked, rules::checked(wait)?, encoding)
            .await?;
        Ok(InvokeResponse {
            activation: Some(activation),
        })
    }

    pub(super) async fn invoke_async(
        &self,
        call: &mut Call,
        request: InvokeAsyncRequest,
    ) -> Result<InvokeAsyncResponse> {
        // A run that nobody waits for.
        let run = InvokeRequest {
            target: request.target,
            platform: request.platform,
            package_name: request.package_name,
            action_name: request.action_name,
            version: request.version,
            arguments: request.arguments,
            wait: Some(prost_types::Duration::default()),
            idempotent: request.idempotent,
            request_id: request.request_id,
            memory_mb: request.memory_mb,
            ..InvokeRequest::default()
        };
        let InvokeResponse { activation } = self.invoke(call, run).await?;
        Ok(InvokeAsyncResponse { activation })
    }

    /// Starts a run as [`Self::begin`] does, and counts it.
    async fn start(
        &self,
        call: &mut Call,
        asked: &Asked,
        wait: Duration,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        let told = self.begin(call, asked, wait, encoding).await;
        let (package, name) = (asked.action.package(), asked.action.name());
        runs::count(&self.transport.metrics().functions, package, name, &told);
        told
    }

    /// Starts a run, waits as long as `wait` and the deadline allow, and answers what is known
    /// then.
    async fn begin(
        &self,
        call: &mut Call,
        asked: &Asked,
        wait: Duration,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        let detached = wait.is_zero();
        let left = call.remaining();
        let wait = wait.min(left.saturating_sub(margin(left)));
        let mut run = Run {
            ncp: self,
            path: asked.action.path(),
            platform: asked.platform,
            detached,
            ends: Instant::now() + wait,
            held: Duration::ZERO,
        };
        run.held = run.hold(wait, left);
        let idempotent = asked.idempotent || self.listed_idempotent(&asked.action);
        let mut request = self.request(
            Method::POST,
            run.url(run.held),
            asked.arguments.clone(),
            idempotent,
        );
        request.attempt_timeout = Some((run.held + GRACE).min(self.transport.attempt_timeout()));
        let response = self
            .send_as(call, &request, &run)
            .await
            .map_err(|error| error.resource("action", asked.action.full()))?;
        let started = self.activation(&response, &asked.action, encoding)?;
        let finished = started.status != i32::from(ActivationStatus::Running);
        if finished || Instant::now() >= run.ends {
            return Ok(started);
        }
        let Some(id) = NcpActivationId::read(&started.activation_id) else {
            return Ok(started);
        };
        call.run_started(id.as_str());
        let record = (&asked.action, &id, asked.platform, encoding);
        // Boxed: few calls come here, and all of them would carry its state.
        Box::pin(poll::until_ended(self, call, started, record, run.ends)).await
    }

    fn listed_idempotent(&self, action: &ActionName) -> bool {
        !self.idempotent_actions.is_empty() && {
            let full = action.full();
            self.idempotent_actions
                .iter()
                .any(|pattern| pattern.matches(&full))
        }
    }
}

impl Run<'_> {
    /// How long the cloud shall hold the call, of a caller who waits for so long and has so much
    /// time left: no longer than the cloud and `timeouts.attempt` allow, and short enough for the
    /// answer to arrive in time.
    fn hold(&self, wait: Duration, left: Duration) -> Duration {
        let attempt = self.ncp.transport.attempt_timeout();
        wait.min(Duration::from_millis(WAIT_MAX_MS))
            .min(attempt.saturating_sub(GRACE.min(attempt / GRACE_SHARE)))
            .min(left.saturating_sub(margin(left)))
    }

    fn url(&self, held: Duration) -> Url {
        let mut digits = itoa::Buffer::new();
        let held = digits.format(held.as_millis());
        self.ncp
            .endpoint
            .url(&self.path, self.platform, &[("timeout", held)])
    }
}

impl Form for Run<'_> {
    /// After a queue or a pause less time is left than the URL was made for.
    fn refit(&self, request: &Request, left: Duration) -> Result<Option<Request>> {
        if self.detached {
            return Ok(None);
        }
        // A hold of 0 would start a run that the caller cannot even hear of.
        if left.saturating_sub(margin(left)) < Duration::from_millis(1) {
            return Err(Call::out_of_time(Execution::NotStarted));
        }
        let held = self.hold(self.ends.saturating_duration_since(Instant::now()), left);
        if self.held <= held + margin(left) / 4 {
            return Ok(None);
        }
        let mut request = request.clone();
        request.url = self.url(held);
        Ok(Some(request))
    }

    fn judge(&self, response: &Response, now: SystemTime) -> Result<()> {
        proof::judge(response, now)
    }
}

fn margin(left: Duration) -> Duration {
    (left / MARGIN_SHARE).min(MARGIN)
}

fn arguments(arguments: Option<Json>, faults: &mut Faults) -> Bytes {
    json::object_text(arguments, "arguments", PARAMETERS_MAX, faults)
        .unwrap_or_else(|| Bytes::from_static(b"{}"))
}
