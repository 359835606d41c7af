//! Records of runs (NCP docs: getactionactivationlist, getactionactivationdetail,
//! getactivationlist), and what an activation means wherever it stands.
//!
//! A record becomes visible 30–40 s after the run's end (LIVE, 2026-09).

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::action::ActionName;
use super::poll::is_record_pending;
use super::proof::Activations;
use super::{Ncp, poll, rules, time, wire};
use crate::call::Call;
use crate::error::{Error, Execution, Faults, Result};
use crate::names::NcpActivationId;
use crate::proto::*;
use crate::provider::Observer;
use crate::provider::lenient::{self, Millis, Present, Raw};
use crate::provider::runs::set_json;
use crate::provider::status::about;
use crate::provider::watch;
use crate::transport::Response;

mod window;

pub(in crate::provider::ncp) use window::Window;

impl Ncp {
    pub(super) async fn get_activation(
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
        let activation = self
            .read_record(call, (&action, &id, platform, encoding), None)
            .await?;
        Ok(GetActivationResponse {
            activation: Some(activation),
        })
    }

    /// One look at an activation's record; `bound` is that of one attempt, if not the target's own.
    pub(super) async fn read_record(
        &self,
        call: &mut Call,
        (action, id, platform, encoding): poll::Record<'_>,
        bound: Option<Duration>,
    ) -> Result<Activation> {
        let path = format!("{}/activations/{id}", action.path());
        let url = self.endpoint.url(&path, platform, &[]);
        let mut request = self.request(Method::GET, url, Bytes::new(), true);
        request.attempt_timeout = bound;
        let sent = self.send_as(call, &request, &Activations).await;
        let response =
            sent.map_err(|error| explain_pending(error).resource("activation", id.as_str()))?;
        let mut activation = self.activation_of(&response, encoding)?;
        of_run(&mut activation, id)?;
        about("action", &activation.action_name, action.name())?;
        Ok(of_action(activation, action))
    }

    pub(super) async fn watch_activation(
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
        let record = (&action, &id, platform, encoding);
        watch::watch(call, poll::Watched(self, record), observer).await
    }

    pub(super) async fn list_activations(
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
        let (items, next_page_token, total_count) = self
            .page_of_records(call, &path, platform, &window)
            .await
            .map_err(|error| match &action {
                Some(action) => error.resource("action", action.full()),
                None => error,
            })?;
        let activations = items
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

    pub(super) fn list_item(
        &self,
        item: wire::ActivationItem,
        package: &str,
        name: &str,
    ) -> Activation {
        let word = item.status.0;
        let success = item
            .success
            .0
            .unwrap_or_else(|| word.as_deref().is_some_and(is_success));
        Activation {
            activation_id: item
                .activation_id
                .0
                .as_deref()
                .and_then(NcpActivationId::read)
                .map(|id| id.to_string())
                .unwrap_or_default(),
            package_name: package.to_owned(),
            action_name: item.name.0.unwrap_or_else(|| name.to_owned()),
            start_time: item.start,
            end_time: item.end,
            duration: item.duration.map(|Millis(took)| took),
            status: status(word.as_deref(), success).into(),
            status_text: word.unwrap_or_default(),
            success,
            ..Activation::default()
        }
    }

    /// An activation of `action`, from the answer of its run.
    pub(super) fn activation(
        &self,
        response: &Response,
        action: &ActionName,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        self.activation_of(response, encoding)
            .map(|activation| of_action(activation, action))
    }

    /// An activation as the upstream names it. Without a `response` it is still running.
    pub(super) fn activation_of(
        &self,
        response: &Response,
        encoding: JsonEncoding,
    ) -> Result<Activation> {
        let found = self.run_content(response)?;
        // What is no id is not handed out as one; of a run that is over the outcome counts without
        // it.
        let id = found
            .activation_id
            .0
            .as_deref()
            .and_then(NcpActivationId::read);
        let mut activation = Activation {
            init_duration: found.init_duration(),
            activation_id: id.map(|id| id.to_string()).unwrap_or_default(),
            action_name: found.name.0.unwrap_or_default(),
            namespace: found.namespace.0.unwrap_or_default(),
            subject: found.subject.0.unwrap_or_default(),
            start_time: found.start,
            end_time: found.end,
            duration: found.duration.map(|Millis(took)| took),
            logs: found.logs,
            status: ActivationStatus::Running.into(),
            ..Activation::default()
        };
        let text;
        let outcome = match found.response {
            Some(wire::Answered::Object(outcome)) => Some(outcome),
            Some(wire::Answered::Text(inner)) => {
                text = inner;
                let clock = time::clock(&self.endpoint);
                lenient::welcome(text.as_bytes(), "response", clock, self.transport.metrics())
            }
            Some(wire::Answered::Unreadable) => None,
            None if activation.activation_id.is_empty() => {
                return Err(
                    self.not_understood(response, "neither a usable activation id nor a response")
                );
            }
            None => return Ok(activation),
        };
        // The run has ended: only how cannot be read.
        let Some(outcome) = outcome else {
            activation.status = ActivationStatus::Unspecified.into();
            "the response of the run cannot be read".clone_into(&mut activation.status_text);
            return Ok(activation);
        };
        let word = outcome.status.0;
        activation.success = outcome
            .success
            .0
            .unwrap_or_else(|| word.as_deref().is_some_and(is_success));
        activation.status = status(word.as_deref(), activation.success).into();
        activation.status_text = word.unwrap_or_default();
        match outcome.result {
            None => {}
            Some(Present(Raw::Text(result))) => set_json(&mut activation, result, encoding)?,
            Some(Present(Raw::Bytes(bytes))) => {
                activation.result_bytes = Bytes::copy_from_slice(bytes);
            }
        }
        Ok(activation)
    }
}

/// Under the names of the request: the answer to a run may leave them out.
fn of_action(mut activation: Activation, action: &ActionName) -> Activation {
    action.package().clone_into(&mut activation.package_name);
    action.name().clone_into(&mut activation.action_name);
    activation
}

/// The record of this run, which it may leave unsaid.
///
/// # Errors
/// When it is of another run.
pub(super) fn of_run(activation: &mut Activation, id: &NcpActivationId) -> Result<()> {
    if !activation.activation_id.eq_ignore_ascii_case(id.as_str()) {
        about("activation", &activation.activation_id, id.as_str())?;
    }
    id.as_str().clone_into(&mut activation.activation_id);
    Ok(())
}

fn is_success(status: &str) -> bool {
    status.eq_ignore_ascii_case("success")
}

/// The words are those of Apache OpenWhisk, which NCP runs; NCP documents only "status String".
fn status(text: Option<&str>, success: bool) -> ActivationStatus {
    let word = text
        .unwrap_or_default()
        .to_ascii_lowercase()
        .replace('_', " ");
    match word.as_str() {
        _ if success => ActivationStatus::Success,
        "application error" => ActivationStatus::ApplicationError,
        "action developer error" | "developer error" => ActivationStatus::DeveloperError,
        "whisk internal error" | "internal error" => ActivationStatus::SystemError,
        _ => ActivationStatus::Unspecified,
    }
}

/// Not-found may only mean "not visible yet", so the caller is told to ask again.
pub(super) fn explain_pending(error: Error) -> Error {
    if !is_record_pending(&error) {
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
