//! Actions (NCP docs: getactionlist, getaction, putaction, deleteaction of both generations).

use bytes::Bytes;
use serde_json::value::RawValue;

use super::action_put::{CUSTOM_IMAGE, is_sequence};
use super::paging::Page;
use super::{Ncp, action_put, rules, wire};
use crate::call::Call;
use crate::error::{Faults, Result};
use crate::names::{NcpName, NcpPackage};
use crate::proto::exec::Code;
use crate::proto::*;
use crate::provider::checks::{from_base64, same_action};
use crate::provider::lenient::Millis;
use crate::provider::status::about;

/// A checked action name with its package.
pub(super) struct ActionName {
    package: NcpPackage,
    name: NcpName,
}

impl ActionName {
    pub(super) fn parse(package: &str, name: &str, faults: &mut Faults) -> Option<Self> {
        let package = NcpPackage::parse(package, "package_name", faults);
        let name = NcpName::parse(name, "action_name", faults);
        Some(Self {
            package: package?,
            name: name?,
        })
    }

    pub(super) fn path(&self) -> String {
        format!("/packages/{}/actions/{}", self.package, self.name)
    }

    pub(super) fn package(&self) -> &str {
        self.package.as_str()
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// `package/action`, as configuration patterns and error details spell it.
    pub(super) fn full(&self) -> String {
        format!("{}/{}", self.package, self.name)
    }
}

impl Ncp {
    pub(super) async fn list_actions(
        &self,
        call: &mut Call,
        request: ListActionsRequest,
    ) -> Result<ListActionsResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let package = NcpPackage::parse(&request.package_name, "package_name", &mut faults);
        let scope = ("actions", platform as i32, &request.package_name);
        let page = Page::parse(request.page_size, &request.page_token, scope, &mut faults);
        faults.into_result()?;
        let package = rules::checked(package)?;
        let url = self
            .endpoint
            .url(&format!("/packages/{package}/actions"), platform, &[]);
        let response = self
            .get(call, url)
            .await
            .map_err(|error| error.resource("package", package.as_str()))?;
        let list: wire::ActionList = self.content(&response)?;
        let actions: Vec<_> = self
            .list(&response, list.actions.or(list.action))?
            .into_iter()
            .map(|item| summary(item, package.as_str()))
            .collect();
        let (actions, next_page_token) = page.take(actions, |item| &item.name);
        Ok(ListActionsResponse {
            actions,
            next_page_token,
        })
    }

    pub(super) async fn get_action(
        &self,
        call: &mut Call,
        request: GetActionRequest,
    ) -> Result<GetActionResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let action = ActionName::parse(&request.package_name, &request.action_name, &mut faults);
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        no_version(&request.version, &mut faults);
        faults.into_result()?;
        let action = rules::checked(action)?;
        let url = self.endpoint.url(&action.path(), platform, &[]);
        let response = self
            .get(call, url)
            .await
            .map_err(|error| error.resource("action", action.full()))?;
        let found: wire::Action<'_> = self.content(&response)?;
        if found.name.0.is_none() && found.exec.is_none() {
            return Err(self.not_understood(&response, "neither a name nor exec"));
        }
        let found = read(found, &action, encoding, request.include_code)?;
        Ok(GetActionResponse {
            action: Some(found),
        })
    }

    pub(super) async fn put_action(
        &self,
        call: &mut Call,
        request: PutActionRequest,
    ) -> Result<PutActionResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let action = ActionName::parse(&request.package_name, &request.action_name, &mut faults);
        let sent = request.action.unwrap_or_default();
        let encoding = rules::encoding(
            request.result_encoding,
            sent.parameters.as_ref(),
            &mut faults,
        );
        if let Some(action) = &action {
            same_action(&sent, (action.package(), action.name()), "-", &mut faults);
        }
        let put = action_put::Put::check(sent, &self.endpoint, platform, &mut faults);
        faults.into_result()?;
        let (action, put) = (rules::checked(action)?, rules::checked(put)?);
        let url = self
            .endpoint
            .url(&action.path(), platform, put.query(&self.endpoint));
        let look = self.endpoint.url(&action.path(), platform, &[]);
        let response = self
            .put(call, url, look, put.body(&self.endpoint)?)
            .await
            .map_err(|error| error.resource("action", action.full()))?;
        let made = read(self.content(&response)?, &action, encoding, false)?;
        Ok(PutActionResponse { action: Some(made) })
    }

    pub(super) async fn delete_action(
        &self,
        call: &mut Call,
        request: DeleteActionRequest,
    ) -> Result<DeleteActionResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let action = ActionName::parse(&request.package_name, &request.action_name, &mut faults);
        no_version(&request.version, &mut faults);
        faults.into_result()?;
        let action = rules::checked(action)?;
        let url = self.endpoint.url(&action.path(), platform, &[]);
        self.delete(call, url)
            .await
            .map_err(|error| error.resource("action", action.full()))?;
        Ok(DeleteActionResponse {})
    }
}

/// NCP keeps one version of an action.
pub(super) fn no_version(version: &str, faults: &mut Faults) {
    faults.require(
        version.is_empty(),
        "version",
        || "is for functiongraph targets; ncp actions have no versions.",
    );
}

/// A list item in our words. 2.1 says `type`; 2.0 says `web`, and `sequence` as the runtime.
pub(super) fn summary(item: wire::ActionItem, package: &str) -> ActionSummary {
    let item = match item {
        wire::ActionItem::Name(name) => {
            return ActionSummary {
                name,
                package_name: package.to_owned(),
                ..ActionSummary::default()
            };
        }
        wire::ActionItem::Summary(item) => item,
    };
    let runtime = item.runtime.0.unwrap_or_default();
    ActionSummary {
        name: item.name.0.unwrap_or_default(),
        package_name: package.to_owned(),
        r#type: action_type(item.kind.0.as_deref(), item.web.0, &runtime).into(),
        description: item.description.0.unwrap_or_default(),
        runtime,
    }
}

fn action_type(kind: Option<&str>, web: Option<bool>, runtime: &str) -> ActionType {
    match (kind, runtime == "sequence", web) {
        (Some("basic"), ..) => ActionType::Basic,
        (Some("web"), ..) => ActionType::Web,
        (Some("sequence"), ..) => ActionType::Sequence,
        (Some("sequence-web"), ..) | (None, true, Some(true)) => ActionType::SequenceWeb,
        (None, true, _) => ActionType::Sequence,
        (None, false, Some(true)) => ActionType::Web,
        (None, false, Some(false)) => ActionType::Basic,
        _ => ActionType::Unspecified,
    }
}

fn read(
    found: wire::Action<'_>,
    asked: &ActionName,
    encoding: JsonEncoding,
    include_code: bool,
) -> Result<Action> {
    about(
        "action",
        found.name.0.as_deref().unwrap_or_default(),
        asked.name(),
    )?;
    let (parameters, inexact) = found.parameters.answer(encoding)?;
    let runtime = found
        .exec
        .as_ref()
        .and_then(|exec| exec.kind.0.clone())
        .unwrap_or_default();
    let kind = action_type(found.kind.0.as_deref(), found.web.0, &runtime);
    let mut action = Action {
        name: found.name.0.unwrap_or_else(|| asked.name().to_owned()),
        package_name: asked.package().to_owned(),
        r#type: kind.into(),
        description: found.description.0.unwrap_or_default(),
        parameters,
        exec: found.exec.map(|exec| read_exec(exec, include_code, kind)),
        limits: found.limits.map(|limits| Limits {
            timeout: limits.timeout.map(|Millis(timeout)| timeout),
            memory_mb: limits.memory.unwrap_or_default(),
        }),
        vpc: found
            .vpc
            .into_iter()
            // `{}` stands for none.
            .filter(|vpc| vpc.vpc_no > 0 && vpc.subnet_no > 0)
            .map(|vpc| Vpc {
                vpc_no: vpc.vpc_no,
                subnet_no: vpc.subnet_no,
            })
            .collect(),
        raw_http: found.raw_http.0.unwrap_or_default(),
        custom_options: found.custom_options.0.unwrap_or_default(),
        resource_id: found.resource_id.0.unwrap_or_default(),
        path: found.path.0.unwrap_or_default(),
        version: found.version.0.unwrap_or_default(),
        inexact,
        function_graph: None,
    };
    if is_sequence(kind) {
        // Apache OpenWhisk keeps them of a sequence too, where they have no meaning and a put
        // refuses them.
        (action.parameters, action.inexact, action.limits) = (None, false, None);
        action.vpc.clear();
    }
    if kind != ActionType::Web {
        (action.raw_http, action.custom_options) = (false, false);
    }
    Ok(action)
}

/// What belongs to the kind of action. The code is left out unless asked for: it may be large, and
/// may hold secrets.
fn read_exec(exec: wire::Exec<'_>, include_code: bool, kind: ActionType) -> Exec {
    let runtime = exec.kind.0.unwrap_or_default();
    if is_sequence(kind) {
        return Exec {
            runtime,
            components: exec.components.into_iter().map(component).collect(),
            ..Exec::default()
        };
    }
    let code = exec
        .code
        .filter(|_| include_code)
        .and_then(|raw| read_code(raw, exec.binary.0.unwrap_or_default()));
    let image_uri = exec.image_uri.0.filter(|_| runtime == CUSTOM_IMAGE);
    Exec {
        runtime,
        main: exec.main.0.unwrap_or_default(),
        code,
        image_uri: image_uri.unwrap_or_default(),
        components: Vec::new(),
    }
}

/// A part of a sequence. One that is named alone belongs to no package.
fn component(name: String) -> String {
    if name.contains('/') {
        name
    } else {
        format!("-/{name}")
    }
}

fn read_code(raw: &RawValue, binary: bool) -> Option<Code> {
    let text = serde_json::from_str::<String>(raw.get()).ok()?;
    if binary {
        // What is no base64 is no archive, and no source text either.
        return from_base64(&text).map(|bytes| Code::Archive(Bytes::from(bytes)));
    }
    Some(Code::Source(text))
}
