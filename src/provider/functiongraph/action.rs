//! Functions as actions ("Querying Functions", "Creating a Function", "Deleting a Function":
//! `functiongraph_06_0105`, 0108, 0109, and the calls for configuration and code).

use bytes::Bytes;
use http::Method;

use super::action_put::Put;
use super::endpoint::Place;
use super::function::{Function, repeatable};
use super::rules::PAGE;
use super::wire::action as wire;
use super::{FunctionGraph, action_read, rules};
use crate::call::Call;
use crate::error::{Error, Execution, Faults, Kind, Result};
use crate::names::{FunctionPackage, Qualifier};
use crate::proto::*;
use crate::provider::checks::same_action;
use crate::provider::lenient::{self, Clock};
use crate::provider::paging::{Page, Said, WholeList};
use crate::provider::races::{self, Visibility};
use crate::transport::{Request, Response};

impl FunctionGraph {
    pub(super) async fn actions(
        &self,
        call: &mut Call,
        request: ListActionsRequest,
    ) -> Result<ListActionsResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let package = FunctionPackage::parse(&request.package_name, "package_name", &mut faults);
        let scope = ("actions", package.as_ref().map(FunctionPackage::as_str));
        let page = Page::parse(request.page_size, &request.page_token, scope, &mut faults);
        faults.into_result()?;
        let package = rules::checked(package)?;
        let place = self.place(call).await?;
        let functions = self
            .functions(call, place, Some(&package))
            .await
            .map_err(|error| error.resource("package", package.as_str()))?;
        let actions = functions
            .into_iter()
            .map(|item| action_read::summary(item, package.as_str()))
            .collect();
        let (actions, next_page_token) = page.take(actions, |action: &ActionSummary| &action.name);
        Ok(ListActionsResponse {
            actions,
            next_page_token,
        })
    }

    /// All functions, of one package or of the project.
    pub(super) async fn functions(
        &self,
        call: &mut Call,
        place: &Place,
        package: Option<&FunctionPackage>,
    ) -> Result<Vec<wire::Item>> {
        let (mut list, size) = (WholeList::new(PAGE), PAGE.to_string());
        loop {
            let marker = list.marker();
            let mut query = vec![("marker", marker.as_str()), ("maxitems", size.as_str())];
            query.extend(package.map(|package| ("package_name", package.as_str())));
            let response = self.get(call, place, place.functions(query)?).await?;
            let page: wire::Functions = self.read(&response)?;
            let said = Said {
                next: page.next_marker.whole(),
                total: page.count,
            };
            // Names are unique in a package.
            let id = |item: &wire::Item| match (&item.package.0, &item.func_name.0) {
                (package, Some(name)) => {
                    format!("{}/{name}", package.as_deref().unwrap_or_default())
                }
                (_, None) => String::new(),
            };
            let functions = self.list(&response, page.functions, page.count)?;
            if !list.take(functions, id, said, response.body.len())? {
                break;
            }
        }
        // A back end that does not know the filter must not mix packages.
        let wanted = |item: &wire::Item| match (&item.package.0, package) {
            (Some(theirs), Some(ours)) => theirs == ours.as_str(),
            _ => true,
        };
        Ok(list.into_items().into_iter().filter(wanted).collect())
    }

    pub(super) async fn action(
        &self,
        call: &mut Call,
        request: GetActionRequest,
    ) -> Result<GetActionResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let named = |error: Error| function.named(error);
        let response = self
            .get(call, place, function.url(place, "/config", vec![])?)
            .await
            .map_err(named)?;
        let found = self.function(&response)?;
        let code = if request.include_code {
            Some(
                self.get(call, place, function.url(place, "/code", vec![])?)
                    .await
                    .map_err(named)?,
            )
        } else {
            None
        };
        let code = code
            .as_ref()
            .map(|response| self.read(response))
            .transpose()?;
        let action = action_read::action(found, code, &function, encoding)?;
        Ok(GetActionResponse {
            action: Some(action),
        })
    }

    /// A function's configuration, which names the function.
    fn function(&self, response: &Response) -> Result<wire::Function> {
        let found: wire::Function = self.read(response)?;
        if found.func_name.0.is_none() && found.func_urn.0.is_none() {
            return Err(self.not_understood(response, "neither func_name nor func_urn"));
        }
        Ok(found)
    }

    pub(super) async fn save_action(
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
            return Err(
                Error::new(Kind::FailedPrecondition, "RUNTIME_CANNOT_CHANGE", message).into(),
            );
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

    pub(super) async fn put_body(
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

    pub(super) async fn remove_action(
        &self,
        call: &mut Call,
        request: DeleteActionRequest,
    ) -> Result<DeleteActionResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        match function.as_ref().and_then(Function::qualifier) {
            // It would delete the version behind the alias.
            Some(Qualifier::Alias(_)) => {
                faults.add("version", "is an alias; use DeleteActionAlias.");
            }
            Some(Qualifier::Version(version)) if version.is_latest() => {
                faults.add(
                    "version",
                    "is latest, which cannot be deleted alone; leave it out to delete the whole action.",
                );
            }
            _ => {}
        }
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let url = function.url(place, "", vec![])?;
        self.delete(call, place, url)
            .await
            .map_err(|error| function.named(error))?;
        Ok(DeleteActionResponse {})
    }

    /// A delete without body, which would change the signature. That it is gone already after an
    /// earlier attempt is a success.
    pub(super) async fn delete(&self, call: &mut Call, place: &Place, url: url::Url) -> Result<()> {
        match self
            .send(
                call,
                place,
                self.request(Method::DELETE, url, Bytes::new(), true),
            )
            .await
        {
            Err(error) if races::is_deleted(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(response) => self.done(&response),
        }
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
    matches!(error.reason.as_ref(), "FUNCTION_NOT_FOUND" | "NOT_FOUND")
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
