//! Records of asynchronous runs: status and times, never a result (API-Explorer definitions
//! 2026-03-13). They exist only where `enable_async_status_log` is on, and of synchronous runs
//! there is none.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use prost_types::Timestamp;

use super::endpoint::Place;
use super::errors::{self, Fault, fault_of};
use super::function::Function;
use super::{FunctionGraph, async_config, rules, time, wire};
use crate::call::Call;
use crate::clock::epoch_millis;
use crate::error::{Error, Execution, Faults, Kind, Result, reason};
use crate::names::AsyncRequestId;
use crate::proto::*;
use crate::provider::Observer;
use crate::provider::lenient::times;
use crate::provider::paging::{ListPart, Paging, Said};
use crate::provider::watch::{self, LOOK, WatchedRun};

mod window;

use window::Window;

const PATH: &str = "/async-invocations";
/// Items of a page of records: default and most.
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 500;
/// The marker is an offset.
const PAGING: Paging = Paging {
    first: 0,
    numbered: false,
    max: PAGE_MAX,
};
/// Without times the cloud looks back one hour.
const WINDOW_DEFAULT_S: i64 = 3600;
/// The longest run, and so the longest that a record may lie back that someone waits for.
const WINDOW_LONGEST_S: i64 = 72 * 3600;
/// A record may appear later than the answer to the call. INFERRED: within this time.
const BELIEVE_NOT_FOUND: Duration = Duration::from_secs(30);
impl FunctionGraph {
    pub(super) async fn get_activation(
        &self,
        call: &mut Call,
        request: GetActivationRequest,
    ) -> Result<GetActivationResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let id = AsyncRequestId::parse(&request.activation_id, "activation_id", &mut faults);
        rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let (function, id) = (rules::checked(function)?, rules::checked(id)?);
        let place = self.place(call).await?;
        let Some(activation) = self.look(call, place, (&function, &id), None).await? else {
            self.is_recorded(call, place, (&function, &id)).await?;
            return Err(no_record(&id));
        };
        Ok(GetActivationResponse {
            activation: Some(activation),
        })
    }

    /// One record, in the cloud's own window first, and in the widest that can matter then; `bound`
    /// is that of one attempt, if not the target's own.
    async fn look(
        &self,
        call: &mut Call,
        place: &Place,
        (function, id): (&Function, &AsyncRequestId),
        bound: Option<Duration>,
    ) -> Result<Option<Activation>> {
        let begin =
            time::query_value(&self.seconds_from_now(-WINDOW_LONGEST_S)).unwrap_or_default();
        for query in [vec![], vec![("query_begin_time", begin.as_str())]] {
            let query = [vec![("request_id", id.as_str())], query].concat();
            let url = function.url(place, PATH, query)?;
            let mut request = self.request(Method::GET, url, Bytes::new(), true);
            request.attempt_timeout = bound;
            let response = self
                .send(call, place, request)
                .await
                .map_err(|error| function.named(error))?;
            let list: wire::Records = self.read(&response)?;
            // A back end that does not know the filter must not answer for another run.
            let found = self
                .list(&response, list.invocations, list.count)?
                .into_iter()
                .find(|record| record.request_id.0.as_deref() == Some(id.as_str()));
            if let Some(record) = found {
                return Ok(Some(self.activation(record, function, place)));
            }
        }
        Ok(None)
    }

    /// Whether the cloud keeps records of this function's asynchronous runs at all; asked where one
    /// is not found.
    ///
    /// # Errors
    /// When it keeps none, so that there will never be one. What cannot be learnt is no error.
    async fn is_recorded(
        &self,
        call: &mut Call,
        place: &Place,
        (function, id): (&Function, &AsyncRequestId),
    ) -> Result<()> {
        let url = function.url(place, async_config::PATH, vec![])?;
        let mut request = self.request(Method::GET, url, Bytes::new(), true);
        request.attempt_timeout = Some(LOOK);
        let recorded = match self.send(call, place, request).await {
            Ok(response) => self.read_config(&response).map_or(true, |config| {
                // INFERRED: absent is off, as the API reference shows it for a function that was
                // never configured.
                config.enable_async_status_log == Some(true)
            }),
            Err(error) if error.reason == errors::FUNCTION_NOT_FOUND => {
                return Err(function.named(error));
            }
            // INFERRED: a function without settings has no record.
            Err(error) => error.kind != Kind::NotFound || error.upstream_code.is_none(),
        };
        if recorded {
            Ok(())
        } else {
            Err(never_recorded(id))
        }
    }

    pub(super) async fn watch_activation(
        &self,
        call: &mut Call,
        request: WatchActivationRequest,
        observer: Observer<'_>,
    ) -> Result<()> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let id = AsyncRequestId::parse(&request.activation_id, "activation_id", &mut faults);
        rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let (function, id) = (rules::checked(function)?, rules::checked(id)?);
        let place = self.place(call).await?;
        let run = Watched {
            cloud: self,
            place,
            function: &function,
            id: &id,
            knows_whether_recorded: false,
        };
        watch::watch(call, run, observer).await
    }

    pub(super) async fn list_activations(
        &self,
        call: &mut Call,
        request: ListActivationsRequest,
    ) -> Result<ListActivationsResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        if request.action_name.is_empty() {
            faults.add(
                "action_name",
                "is required on functiongraph, which keeps records for each function.",
            );
        }
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let window = Window::parse(&request, &mut faults);
        faults.into_result()?;
        let (function, window) = (rules::checked(function)?, rules::checked(window)?);
        let place = self.place(call).await?;
        let mut part = ListPart::new(PAGING, window.size, window.from.clone());
        while let Some((at, size)) = part.ask() {
            let mut query = vec![("marker", at.as_str()), ("limit", size.as_str())];
            query.extend(
                window
                    .begin
                    .as_deref()
                    .map(|begin| ("query_begin_time", begin)),
            );
            query.extend(window.end.as_deref().map(|end| ("query_end_time", end)));
            let url = function.url(place, PATH, query)?;
            let response = self
                .get(call, place, url)
                .await
                .map_err(|error| function.named(error))?;
            let list: wire::Records = self.read(&response)?;
            let said = Said {
                next: list.next_marker.whole(),
                total: list.count,
            };
            let invocations = self.list(&response, list.invocations, list.count)?;
            part.take(invocations, said, |record| {
                record.request_id.0.as_deref().unwrap_or_default()
            })?;
        }
        let (records, next, total_count) = part.finish();
        let next_page_token = next
            .map(|next| window.token(&next, |shift| self.seconds_from_now(shift)))
            .unwrap_or_default();
        let activations = records
            .into_iter()
            .map(|record| self.activation(record, &function, place))
            .collect();
        Ok(ListActivationsResponse {
            activations,
            next_page_token,
            total_count,
        })
    }

    pub(super) async fn cancel_activation(
        &self,
        call: &mut Call,
        request: CancelActivationRequest,
    ) -> Result<CancelActivationResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let id = AsyncRequestId::parse(&request.activation_id, "activation_id", &mut faults);
        faults.into_result()?;
        let (function, id) = (rules::checked(function)?, rules::checked(id)?);
        let place = self.place(call).await?;
        let url = function.url(place, "/cancel", vec![])?;
        let body = rules::to_body(&wire::Cancel {
            request_id: id.as_str(),
        })?;
        // To cancel twice is to cancel once.
        let outgoing = self.request(Method::POST, url, body, true);
        let sent = self.send(call, place, outgoing).await;
        sent.and_then(|response| self.done(&response))
            .map_err(|error| {
                if is_about_id(&error) {
                    error.resource("activation", id.as_str())
                } else {
                    function.named(error)
                }
            })?;
        Ok(CancelActivationResponse {})
    }

    /// By the cloud's clock.
    fn seconds_from_now(&self, shift: i64) -> Timestamp {
        let seconds = i64::try_from(epoch_millis(self.transport.now()) / 1000).unwrap_or(0);
        Timestamp {
            seconds: seconds + shift,
            nanos: 0,
        }
    }

    fn activation(&self, record: wire::Record, function: &Function, place: &Place) -> Activation {
        let code = record.error_code.filter(|code| *code != 0);
        let status = status(record.status.0.as_deref(), code);
        let (start, end) = (record.start_time, record.end_time);
        // A run that is not over may be written with an end of zero.
        let over = !matches!(status, ActivationStatus::Queued | ActivationStatus::Running);
        let end = end.filter(|end| over && end.seconds > 0);
        let words = [
            record.status.0,
            code.map(|code| code.to_string()),
            record.error_message.0,
        ];
        let mut activation = Activation {
            // What is no id is not handed out as one.
            activation_id: record
                .request_id
                .0
                .as_deref()
                .and_then(AsyncRequestId::read)
                .map(|id| id.to_string())
                .unwrap_or_default(),
            duration: start
                .as_ref()
                .zip(end.as_ref())
                .and_then(|(start, end)| times::between(start, end)),
            start_time: start,
            end_time: end,
            status: status.into(),
            status_text: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
            success: status == ActivationStatus::Success,
            ..Activation::default()
        };
        self.name(&mut activation, function, &place.project);
        activation
    }
}

/// A run whose record is looked at.
struct Watched<'a> {
    cloud: &'a FunctionGraph,
    place: &'a Place,
    function: &'a Function,
    id: &'a AsyncRequestId,
    knows_whether_recorded: bool,
}

#[async_trait]
impl WatchedRun for Watched<'_> {
    async fn look(&mut self, call: &mut Call, watched: Duration) -> Result<Option<Activation>> {
        let (cloud, run) = (self.cloud, (self.function, self.id));
        let found = cloud.look(call, self.place, run, Some(LOOK)).await?;
        if found.is_none() {
            if watched >= BELIEVE_NOT_FOUND {
                return Err(no_record(self.id));
            }
            if !std::mem::replace(&mut self.knows_whether_recorded, true) {
                cloud.is_recorded(call, self.place, run).await?;
            }
        }
        Ok(found)
    }
}

fn status(word: Option<&str>, code: Option<i64>) -> ActivationStatus {
    match word.unwrap_or_default().to_ascii_uppercase().as_str() {
        "WAIT" => ActivationStatus::Queued,
        "RUNNING" => ActivationStatus::Running,
        "SUCCESS" => ActivationStatus::Success,
        "DISCARD" => ActivationStatus::SystemError,
        "FAIL" => match code.map(fault_of) {
            Some(Fault::Cancelled) => ActivationStatus::Cancelled,
            None | Some(Fault::Function) => ActivationStatus::DeveloperError,
            Some(_) => ActivationStatus::SystemError,
        },
        _ => ActivationStatus::Unspecified,
    }
}

/// `FSS.0400 Invalid RequestId` and the like.
fn is_about_id(error: &Error) -> bool {
    matches!(error.kind, Kind::InvalidArgument | Kind::NotFound)
        && error.message.to_ascii_lowercase().contains("requestid")
}

fn no_record(id: &AsyncRequestId) -> Error {
    Error::new(
        Kind::NotFound,
        reason::ACTIVATION_NOT_FOUND,
        "There is no record of this run. The cloud keeps records of asynchronous runs alone, and only while \
         enable_async_status_log is on (PutAsyncInvokeConfig); a synchronous run leaves none.",
    )
    .component(crate::error::Component::Service)
    .resource("activation", id.as_str())
}

/// The run itself may have happened, so that nothing here says `not_started`.
fn never_recorded(id: &AsyncRequestId) -> Error {
    Error::new(
        Kind::FailedPrecondition,
        reason::RUNS_NOT_RECORDED,
        "The cloud keeps no record of this function's runs, because enable_async_status_log is off: switch it on with \
         PutAsyncInvokeConfig, and start the run again with InvokeAsync. A synchronous run (Invoke) leaves no record.",
    )
    .component(crate::error::Component::Service)
    .execution(Execution::Unknown)
    .resource("activation", id.as_str())
}
