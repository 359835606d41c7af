//! Runs and their records (NCP docs: postaction, getactionactivationlist, getactionactivationdetail, getactivationlist).
//!
//! A run call is held by the cloud for at most 60 s; when the run takes longer the answer is only an id, and the record
//! becomes visible 30–40 s after the end (LIVE, 2026-09). "Only an id" is RUNNING, never success.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::action::{ActionName, no_version};
use super::rules::{self, PARAMETERS_MAX, WAIT_MAX_MS};
use super::{Ncp, judge_run, poll, time, wire};
use crate::call::Call;
use crate::error::{Error, Execution, Faults, Kind, Result};
use crate::json;
use crate::names::NcpActivationId;
use crate::proto::*;
use crate::provider::Observer;
use crate::provider::status::json_fault;
use crate::transport::Response;

mod window;

pub(in crate::provider::ncp) use window::Window;

/// What the cloud may take beyond the wait it was asked for before an attempt is given up.
const RUN_GRACE: Duration = Duration::from_secs(15);

/// A run as the caller asked for it, checked.
struct Asked {
    action: ActionName,
    platform: Platform,
    arguments: Bytes,
    idempotent: bool,
}

impl Ncp {
    pub(super) async fn run(&self, call: &mut Call, request: InvokeRequest) -> Result<InvokeResponse> {
        let mut faults = Faults::new();
        let encoding = rules::encoding(request.result_encoding, request.arguments.as_ref(), &mut faults);
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
        let activation = self.start(call, &asked, rules::checked(wait)?, encoding).await?;
        Ok(InvokeResponse {
            activation: Some(activation),
        })
    }

    pub(super) async fn run_async(
        &self,
        call: &mut Call,
        request: InvokeAsyncRequest,
    ) -> Result<InvokeAsyncResponse> {
        let mut faults = Faults::new();
        faults.require(
            request.memory_mb == 0,
            "memory_mb",
            || "is for functiongraph targets only.",
        );
        let encoding = json::answer_encoding(0, request.arguments.as_ref());
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
        let activation = self.start(call, &asked, Duration::ZERO, encoding).await?;
        Ok(InvokeAsyncResponse {
            activation: Some(activation),
        })
    }

    /// Starts a run, waits as long as `wait` and the deadline allow, and answers what is known then.
    async fn start(
        &self,
        call: &mut Call,
        asked: &Asked,
        wait: Duration,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        let wait = wait.min(less_margin(call.remaining()));
        let ends = Instant::now() + wait;
        let held = u64::try_from(wait.as_millis())
            .unwrap_or(WAIT_MAX_MS)
            .min(WAIT_MAX_MS);
        let mut digits = itoa::Buffer::new();
        let url = self.endpoint.url(
            &asked.action.path(),
            asked.platform,
            &[("timeout", digits.format(held))],
        );
        let idempotent = asked.idempotent || self.listed_idempotent(&asked.action);
        let mut request = self.request(Method::POST, url, asked.arguments.clone(), idempotent);
        request.attempt_timeout = Some(Duration::from_millis(held) + RUN_GRACE);
        let response = self
            .send_judged(call, &request, judge_run)
            .await
            .map_err(|error| error.resource("action", asked.action.full()))?;
        let started = self.activation(&response, &asked.action, encoding)?;
        let finished = started.status != i32::from(ActivationStatus::Running);
        if finished || Instant::now() >= ends {
            return Ok(started);
        }
        let path = format!("{}/activations/{}", asked.action.path(), started.activation_id);
        let record = (&asked.action, path.as_str(), asked.platform, encoding);
        // Boxed: few calls come here, and all of them would carry its state.
        Box::pin(poll::until_ended(self, call, started, record, ends)).await
    }

    pub(super) async fn record(
        &self,
        call: &mut Call,
        request: GetActivationRequest,
    ) -> Result<GetActivationResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let action = ActionName::parse(&request.package_name, &request.action_name, &mut faults);
        let id = NcpActivationId::parse(&request.activation_id, "activation_id", &mut faults);
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let (action, id) = (rules::checked(action)?, rules::checked(id)?);
        let path = format!("{}/activations/{id}", action.path());
        let activation = self.read_record(call, &path, platform, &action, encoding).await?;
        Ok(GetActivationResponse {
            activation: Some(activation),
        })
    }

    /// One look at an activation's record.
    pub(super) async fn read_record(
        &self,
        call: &mut Call,
        path: &str,
        platform: Platform,
        action: &ActionName,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        let response = self
            .get(call, self.endpoint.url(path, platform, &[]))
            .await
            .map_err(|error| {
                let id = path.rsplit('/').next().unwrap_or_default().to_owned();
                not_yet(error).resource("activation", id)
            })?;
        self.activation(&response, action, encoding)
    }

    pub(super) async fn watch(
        &self,
        call: &mut Call,
        request: WatchActivationRequest,
        observer: Observer<'_>,
    ) -> Result<()> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let action = ActionName::parse(&request.package_name, &request.action_name, &mut faults);
        let id = NcpActivationId::parse(&request.activation_id, "activation_id", &mut faults);
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let (action, id) = (rules::checked(action)?, rules::checked(id)?);
        let path = format!("{}/activations/{id}", action.path());
        poll::watch(
            self,
            call,
            id.as_str(),
            (&action, &path, platform, encoding),
            observer,
        )
        .await
    }

    pub(super) async fn records(
        &self,
        call: &mut Call,
        request: ListActivationsRequest,
    ) -> Result<ListActivationsResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let whole_account = request.action_name.is_empty() && request.package_name.is_empty();
        let action = if whole_account {
            None
        } else {
            ActionName::parse(&request.package_name, &request.action_name, &mut faults)
        };
        let window = Window::check(
            self,
            (request.page_size, &request.page_token),
            (request.start_time, request.end_time),
            (
                "activations",
                platform as i32,
                &request.package_name,
                &request.action_name,
            ),
            &mut faults,
        );
        faults.into_result()?;
        let window = rules::checked(window)?;
        let path = action.as_ref().map_or_else(
            || "/activations".to_owned(),
            |action| format!("{}/activations", action.path()),
        );
        let url = self.endpoint.url(&path, platform, &window.query());
        let response = self.get(call, url).await.map_err(|error| match &action {
            Some(action) => error.resource("action", action.full()),
            None => error,
        })?;
        let list: wire::ActivationList = self.content(&response)?;
        let (total_count, next_page_token) = window.rest(&list);
        let activations = list
            .activations
            .into_iter()
            .map(|item| {
                let (package, name) = action
                    .as_ref()
                    .map_or(("", ""), |action| (action.package(), action.name()));
                self.list_item(item, package, name)
            })
            .collect();
        Ok(ListActivationsResponse {
            activations,
            next_page_token,
            total_count,
        })
    }

    pub(super) fn list_item(&self, item: wire::ActivationItem, package: &str, name: &str) -> Activation {
        let success = item
            .success
            .unwrap_or_else(|| item.status.as_deref().is_some_and(is_success));
        Activation {
            activation_id: item.activation_id,
            package_name: package.to_owned(),
            action_name: item.name.unwrap_or_else(|| name.to_owned()),
            start_time: item
                .start
                .as_ref()
                .and_then(|at| time::timestamp(at, &self.endpoint)),
            end_time: item
                .end
                .as_ref()
                .and_then(|at| time::timestamp(at, &self.endpoint)),
            duration: item.duration.map(|millis| time::duration(millis.0)),
            status: status(item.status.as_deref(), success).into(),
            status_text: item.status.unwrap_or_default(),
            success,
            ..Activation::default()
        }
    }

    fn listed_idempotent(&self, action: &ActionName) -> bool {
        !self.idempotent_actions.is_empty() && {
            let full = action.full();
            self.idempotent_actions
                .iter()
                .any(|pattern| pattern.matches(&full))
        }
    }

    /// An activation of `action`, from the answer of a run or from its record.
    fn activation(
        &self,
        response: &Response,
        action: &ActionName,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        let mut activation = self.activation_of(response, encoding)?;
        action.package().clone_into(&mut activation.package_name);
        action.name().clone_into(&mut activation.action_name);
        Ok(activation)
    }

    /// An activation as the upstream names it. Without a `response` it is still running.
    pub(super) fn activation_of(&self, response: &Response, encoding: JsonEncoding) -> Result<Activation> {
        let found = self.run_content(response)?;
        let mut activation = Activation {
            activation_id: found.activation_id.unwrap_or_default(),
            action_name: found.name.unwrap_or_default(),
            namespace: found.namespace.unwrap_or_default(),
            subject: found.subject.unwrap_or_default(),
            start_time: found
                .start
                .as_ref()
                .and_then(|at| time::timestamp(at, &self.endpoint)),
            end_time: found
                .end
                .as_ref()
                .and_then(|at| time::timestamp(at, &self.endpoint)),
            duration: found.duration.map(|millis| time::duration(millis.0)),
            logs: found.logs.unwrap_or_default(),
            status: ActivationStatus::Running.into(),
            ..Activation::default()
        };
        let text;
        let outcome = match found.response {
            Some(wire::Answered::Object(outcome)) => outcome,
            Some(wire::Answered::Text(inner)) => {
                text = inner;
                serde_json::from_str(&text)
                    .map_err(|fault| self.not_understood(response, &json_fault(&fault)))?
            }
            None if activation.activation_id.is_empty() => {
                return Err(self.not_understood(response, "neither an activation id nor a response"));
            }
            None => return Ok(activation),
        };
        activation.success = outcome
            .success
            .unwrap_or_else(|| outcome.status.as_deref().is_some_and(is_success));
        activation.status = status(outcome.status.as_deref(), activation.success).into();
        activation.status_text = outcome.status.unwrap_or_default();
        if let Some(result) = outcome.result {
            let (result, inexact) = json::answer(result, encoding)?;
            activation.result = Some(result);
            activation.inexact = inexact;
        }
        Ok(activation)
    }
}

fn arguments(arguments: Option<Json>, faults: &mut Faults) -> Bytes {
    json::object_text(arguments, "arguments", PARAMETERS_MAX, faults)
        .unwrap_or_else(|| Bytes::from_static(b"{}"))
}

/// What is left for the upstream when the answer must still travel back.
fn less_margin(left: Duration) -> Duration {
    left.saturating_sub((left / 4).min(Duration::from_millis(500)))
}

fn is_success(status: &str) -> bool {
    status.eq_ignore_ascii_case("success")
}

/// The words are those of Apache OpenWhisk, which NCP runs; NCP documents only "status String".
fn status(text: Option<&str>, success: bool) -> ActivationStatus {
    let word = text.unwrap_or_default().to_ascii_lowercase().replace('_', " ");
    match word.as_str() {
        _ if success => ActivationStatus::Success,
        "application error" => ActivationStatus::ApplicationError,
        "action developer error" | "developer error" => ActivationStatus::DeveloperError,
        "whisk internal error" | "internal error" => ActivationStatus::SystemError,
        _ => ActivationStatus::Unspecified,
    }
}

/// Not-found may only mean "not visible yet", so the caller is told to ask again.
pub(super) fn not_yet(error: Error) -> Error {
    if error.kind != Kind::NotFound || !matches!(error.upstream_code.as_deref(), Some("80322" | "80518")) {
        return error;
    }
    error.with(|facts| {
        facts.retry_after = Some(Duration::from_secs(5));
        facts.execution = Execution::NotStarted;
        facts.message =
            "There is no such activation, or it is not visible yet: the cloud shows an activation 30 to \
                         40 s after it has ended."
                .to_owned();
    })
}
