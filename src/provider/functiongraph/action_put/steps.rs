//! Puts an action: a look first, then one or two changes, and once more where somebody else created
//! or deleted the function in between.

use bytes::Bytes;
use http::Method;

use super::Put;
use crate::call::Call;
use crate::error::{Error, Execution, Faults, Kind, Result, reason};
use crate::proto::*;
use crate::provider::checks::same_action;
use crate::provider::functiongraph::endpoint::Place;
use crate::provider::functiongraph::errors;
use crate::provider::functiongraph::function::{Function, repeatable};
use crate::provider::functiongraph::wire::action as wire;
use crate::provider::functiongraph::{FunctionGraph, action_read, rules};
use crate::provider::lenient::{self, Clock};
use crate::provider::races::{self, Visibility};
use crate::transport::{Request, Response};

impl FunctionGraph {
    pub(in crate::provider::functiongraph) async fn put_action(
        &self,
        call: &mut Call,
        request: PutActionRequest,
    ) -> Result<PutActionResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let sent = request.action.unwrap_or_default();
        let json = sent
            .function_graph
            .as_ref()
            .and_then(|graph| graph.user_data.as_ref());
        let encoding = rules::encoding(request.result_encoding, json, &mut faults);
        if let Some(function) = &function {
            same_action(
                &sent,
                (function.package(), function.name()),
                "default",
                &mut faults,
            );
        }
        let put = Put::check(sent, &mut faults);
        faults.into_result()?;
        let (function, mut put) = (rules::checked(function)?, rules::checked(put)?);
        let place = self.place(call).await?;
        let url = function.url(place, "/config", vec![])?;
        let mut present = match self.get(call, place, url.clone()).await {
            Ok(response) => Some(self.function(&response).map_err(nothing_changed)?),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(function.named(nothing_changed(error))),
        };
        let mut rounds = 0;
        let action = loop {
            rounds += 1;
            let step = match present.take() {
                None => {
                    self.create(call, place, &function, &mut put, encoding)
                        .await
                }
                Some(found) => {
                    self.update(call, place, &function, &mut put, found, encoding)
                        .await
                }
            };
            let error = match step {
                Err(Unfinished::Changed(error)) if rounds < races::ROUNDS => error,
                Err(Unfinished::Changed(error) | Unfinished::Failed(error)) => break Err(error),
                Ok(action) => break Ok(action),
            };
            // Somebody else created the function, which may not be visible yet, or deleted it.
            if races::is_taken(&error) {
                let request = self.request(Method::GET, url.clone(), Bytes::new(), true);
                match self.send_when_visible(call, place, request).await {
                    Ok(response) => present = Some(self.function(&response)?),
                    Err(_) => break Err(error),
                }
            }
        };
        Ok(PutActionResponse {
            action: Some(action.map_err(|error| function.named(error))?),
        })
    }

    async fn create(
        &self,
        call: &mut Call,
        place: &Place,
        function: &Function,
        put: &mut Put,
        encoding: JsonEncoding,
    ) -> Result<Action, Unfinished> {
        let body = put.create(function.name(), function.package())?;
        let made = self
            .put_body(call, place, Method::POST, place.functions(vec![])?, body)
            .await
            .map_err(|error| Unfinished::of(error, races::is_taken))?;
        let made = if put.has_later() {
            let logs = self
                .function(&made)
                .is_ok_and(|made| made.enable_lts_log.0 == Some(true));
            self.complete_log(call, place, function, put, logs).await?;
            let url = function.url(place, "/config", vec![])?;
            let request = self.request(Method::PUT, url, put.update(function.name())?, true);
            self.send_when_visible(call, place, request)
                .await
                .map_err(|error| {
                    half(
                        error,
                        "The action was created, but without strategy_config and the other update settings",
                    )
                })?
        } else {
            made
        };
        Ok(action_read::action(
            self.function(&made)?,
            None,
            function,
            encoding,
        )?)
    }

    async fn update(
        &self,
        call: &mut Call,
        place: &Place,
        function: &Function,
        put: &mut Put,
        present: wire::Function,
        encoding: JsonEncoding,
    ) -> Result<Action, Unfinished> {
        if let Some(runtime) = present.runtime.0.filter(|runtime| runtime != put.runtime()) {
            let message = format!(
                "The function runs {runtime}, and the runtime of a function cannot change; delete it first, or use another \
                 name."
            );
            return Err(Error::new(
                Kind::FailedPrecondition,
                reason::RUNTIME_CANNOT_CHANGE,
                message,
            )
            .into());
        }
        let logs = present.enable_lts_log.0 == Some(true);
        self.complete_log(call, place, function, put, logs).await?;
        let url = function.url(place, "/config", vec![])?;
        let changed = self
            .put_body(call, place, Method::PUT, url, put.update(function.name())?)
            .await
            .map_err(|error| {
                let error = if put.is_image() {
                    error
                } else {
                    code_not_sent(error)
                };
                Unfinished::of(error, is_missing)
            })?;
        // An image is part of the configuration.
        if put.is_image() {
            return Ok(action_read::action(
                self.function(&changed)?,
                None,
                function,
                encoding,
            )?);
        }
        let found = self.function(&changed).map_err(code_not_sent)?;
        let url = function.url(place, "/code", vec![])?;
        let coded = self
            .put_body(
                call,
                place,
                Method::PUT,
                url,
                put.update_code(function.name())?,
            )
            .await
            .map_err(|error| {
                half(
                    error,
                    "The configuration was changed and stands, but the code was not",
                )
            })?;
        // What is left to say of the code is welcome; the change itself is done.
        let mut code: Option<wire::Code<'_>> =
            lenient::welcome(&coded.body, "code", Clock::UTC, self.transport.metrics());
        if let Some(body) = code.as_mut().and_then(|code| code.func_code.as_mut()) {
            *body = wire::FuncCode::default();
        }
        Ok(action_read::action(found, code, function, encoding)?)
    }

    /// Adds what an update must say of the log and the caller did not; `logs` says whether the
    /// function logs now. Where the cloud does not tell, as before the first run, the update goes
    /// without, and what the cloud says of that counts.
    async fn complete_log(
        &self,
        call: &mut Call,
        place: &Place,
        function: &Function,
        put: &mut Put,
        logs: bool,
    ) -> Result<()> {
        if !put.wants_log(logs) {
            return Ok(());
        }
        let url = function.url(place, "/lts-log-detail", vec![])?;
        if let Ok(response) = self.get(call, place, url).await
            && let Ok(found) = self.read::<wire::LogDetail>(&response)
        {
            put.complete_log(&action_read::log(found));
        }
        Ok(())
    }

    /// Sends a request about a function that was just created, until the cloud sees the function.
    async fn send_when_visible(
        &self,
        call: &mut Call,
        place: &Place,
        request: Request,
    ) -> Result<Response> {
        let mut visibility = Visibility::new();
        loop {
            match self.send(call, place, request.clone()).await {
                Err(error) if is_missing(&error) => {
                    if !visibility.pause(call).await {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }

    pub(in crate::provider::functiongraph) async fn put_body(
        &self,
        call: &mut Call,
        place: &Place,
        method: Method,
        url: url::Url,
        body: Bytes,
    ) -> Result<Response> {
        let idempotent = repeatable(&method);
        self.send(call, place, self.request(method, url, body, idempotent))
            .await
    }
}

/// Why a step of a put did not end it.
enum Unfinished {
    /// It failed.
    Failed(Error),
    /// The function was created or deleted by somebody else after the look.
    Changed(Error),
}

impl Unfinished {
    fn of(error: Error, changed: impl Fn(&Error) -> bool) -> Self {
        if changed(&error) {
            Self::Changed(error)
        } else {
            Self::Failed(error)
        }
    }
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The function itself is missing, and not something that it refers to.
fn is_missing(error: &Error) -> bool {
    matches!(
        error.reason.as_ref(),
        errors::FUNCTION_NOT_FOUND | reason::NOT_FOUND
    )
}

/// A put looks first; whatever became of that, nothing was changed.
fn nothing_changed(error: Error) -> Error {
    error.execution(Execution::NotStarted)
}

/// The configuration's answer is bad, and the code comes after it: the put as a whole was not
/// carried out, even if the configuration surely was.
fn code_not_sent(error: Error) -> Error {
    error.with(|facts| {
        facts.execution = facts.execution.min(Execution::Unknown);
        facts.message = format!("{} The code was not sent.", facts.message);
    })
}

/// The first of two changes stands, so that the operation as a whole may have happened; to repeat
/// it does no harm.
fn half(error: Error, what: &str) -> Error {
    error.with(|facts| {
        facts.execution = Execution::Unknown;
        facts.message = format!("{what}. {} Put the action again.", facts.message);
    })
}
