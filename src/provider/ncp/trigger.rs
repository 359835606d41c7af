//! Triggers (NCP docs: gettriggerlist, gettrigger, puttrigger, deletetrigger, posttrigger,
//! posttriggerlinkaction, deletetriggerlinkaction, gettriggeractivationlist,
//! gettriggeractivationdetail).

use bytes::Bytes;
use http::Method;

use super::activation::{Window, of_run};
use super::paging::Page;
use super::proof::Activations;
use super::rules::{self, PARAMETERS_MAX};
use super::{Ncp, action, to_body, trigger_put, trigger_read, wire};
use crate::call::Call;
use crate::error::{Error, Faults, Result};
use crate::json;
use crate::names::{NcpActivationId, NcpName};
use crate::proto::*;
use crate::provider::status::about;
use crate::transport::{Request, Response};

impl Ncp {
    pub(super) async fn list_triggers(
        &self,
        call: &mut Call,
        request: ListTriggersRequest,
    ) -> Result<ListTriggersResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            ("triggers", platform as i32),
            &mut faults,
        );
        faults.into_result()?;
        let response = self
            .get(call, self.endpoint.url("/triggers", platform, &[]))
            .await?;
        let list: trigger_read::TriggerList = self.content(&response)?;
        let triggers: Vec<_> = self
            .list(&response, list.triggers.or(list.trigger))?
            .into_iter()
            .map(trigger_read::summary)
            .collect();
        let (triggers, next_page_token) = page.take(triggers, |item| &item.name);
        Ok(ListTriggersResponse {
            triggers,
            next_page_token,
        })
    }

    pub(super) async fn get_trigger(
        &self,
        call: &mut Call,
        request: GetTriggerRequest,
    ) -> Result<GetTriggerResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = NcpName::parse(&request.trigger_name, "trigger_name", &mut faults);
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let name = rules::checked(name)?;
        let url = self.endpoint.url(&path(&name), platform, &[]);
        let response = self
            .get(call, url)
            .await
            .map_err(|error| named(error, &name))?;
        Ok(GetTriggerResponse {
            trigger: Some(self.read_trigger(&response, &name, encoding)?),
        })
    }

    pub(super) async fn put_trigger(
        &self,
        call: &mut Call,
        request: PutTriggerRequest,
    ) -> Result<PutTriggerResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = NcpName::parse(&request.trigger_name, "trigger_name", &mut faults);
        let sent = request.trigger.unwrap_or_default();
        let encoding = rules::encoding(
            request.result_encoding,
            sent.parameters.as_ref(),
            &mut faults,
        );
        let put = trigger_put::Put::check(sent, &request.trigger_name, &self.endpoint, &mut faults);
        faults.into_result()?;
        let (name, put) = (rules::checked(name)?, rules::checked(put)?);
        let url = self
            .endpoint
            .url(&path(&name), platform, &[("type", put.kind())]);
        let look = self.endpoint.url(&path(&name), platform, &[]);
        let response = self
            .put(call, url, look, put.body(&self.endpoint)?)
            .await
            .map_err(|error| named(error, &name))?;
        Ok(PutTriggerResponse {
            trigger: Some(self.read_trigger(&response, &name, encoding)?),
        })
    }

    pub(super) async fn delete_trigger(
        &self,
        call: &mut Call,
        request: DeleteTriggerRequest,
    ) -> Result<DeleteTriggerResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = NcpName::parse(&request.trigger_name, "trigger_name", &mut faults);
        faults.into_result()?;
        let name = rules::checked(name)?;
        let url = self.endpoint.url(&path(&name), platform, &[]);
        self.delete(call, url)
            .await
            .map_err(|error| named(error, &name))?;
        Ok(DeleteTriggerResponse {})
    }

    pub(super) async fn fire_trigger(
        &self,
        call: &mut Call,
        request: FireTriggerRequest,
    ) -> Result<FireTriggerResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = NcpName::parse(&request.trigger_name, "trigger_name", &mut faults);
        let arguments =
            json::object_text(request.arguments, "arguments", PARAMETERS_MAX, &mut faults);
        faults.into_result()?;
        let name = rules::checked(name)?;
        let url = self.endpoint.url(&path(&name), platform, &[]);
        let body = arguments.unwrap_or_else(|| Bytes::from_static(b"{}"));
        let request = self.request(Method::POST, url, body, request.idempotent);
        let response = self
            .send_as(call, &request, &Activations)
            .await
            .map_err(|error| named(error, &name))?;
        let fired = self.run_content(&response)?;
        let id = fired
            .activation_id
            .0
            .as_deref()
            .and_then(NcpActivationId::read);
        let id = id.ok_or_else(|| self.not_understood(&response, "no usable activation id"))?;
        Ok(FireTriggerResponse {
            activation_id: id.to_string(),
        })
    }

    pub(super) async fn link_action(
        &self,
        call: &mut Call,
        request: LinkActionRequest,
    ) -> Result<LinkActionResponse> {
        let wanted = (
            request.trigger_name,
            request.package_name,
            request.action_name,
        );
        let (request, name) = self.link_request(Method::POST, request.platform, &wanted)?;
        let response = self
            .send(call, request)
            .await
            .map_err(|error| named(error, &name))?;
        let linked: wire::Linked = self.content(&response)?;
        Ok(LinkActionResponse {
            status: linked.status.0.unwrap_or_default(),
            namespace: linked.namespace.0.unwrap_or_default(),
        })
    }

    pub(super) async fn unlink_action(
        &self,
        call: &mut Call,
        request: UnlinkActionRequest,
    ) -> Result<UnlinkActionResponse> {
        let wanted = (
            request.trigger_name,
            request.package_name,
            request.action_name,
        );
        let (request, name) = self.link_request(Method::DELETE, request.platform, &wanted)?;
        self.deleted(call, request)
            .await
            .map_err(|error| named(error, &name))?;
        Ok(UnlinkActionResponse {})
    }

    /// Both carry a JSON body, the DELETE too.
    fn link_request(
        &self,
        method: Method,
        platform: i32,
        (trigger, package, action): &(String, String, String),
    ) -> Result<(Request, NcpName)> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(platform, &mut faults);
        let name = NcpName::parse(trigger, "trigger_name", &mut faults);
        let action = action::ActionName::parse(package, action, &mut faults);
        faults.into_result()?;
        let (name, action) = (rules::checked(name)?, rules::checked(action)?);
        let body = to_body(&wire::Link {
            action: action.name(),
            package: action.package(),
        })?;
        let url = self
            .endpoint
            .url(&format!("{}/link-action", path(&name)), platform, &[]);
        // Repeating a link that was made answers 80901, so it is not idempotent.
        let idempotent = method == Method::DELETE;
        Ok((self.request(method, url, body, idempotent), name))
    }

    pub(super) async fn get_trigger_activation(
        &self,
        call: &mut Call,
        request: GetTriggerActivationRequest,
    ) -> Result<GetTriggerActivationResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = NcpName::parse(&request.trigger_name, "trigger_name", &mut faults);
        let id = NcpActivationId::parse(&request.activation_id, "activation_id", &mut faults);
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let (name, id) = (rules::checked(name)?, rules::checked(id)?);
        let url = self
            .endpoint
            .url(&format!("{}/activations/{id}", path(&name)), platform, &[]);
        let request = self.request(Method::GET, url, Bytes::new(), true);
        let response = self
            .send_as(call, &request, &Activations)
            .await
            .map_err(|error| {
                super::activation::explain_pending(error).resource("activation", id.as_str())
            })?;
        let mut activation = self.activation_of(&response, encoding)?;
        of_run(&mut activation, &id)?;
        Ok(GetTriggerActivationResponse {
            activation: Some(activation),
        })
    }

    pub(super) async fn list_trigger_activations(
        &self,
        call: &mut Call,
        request: ListTriggerActivationsRequest,
    ) -> Result<ListTriggerActivationsResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = NcpName::parse(&request.trigger_name, "trigger_name", &mut faults);
        let window = Window::check(
            self,
            (request.page_size, &request.page_token),
            (request.start_time, request.end_time),
            ("firings", platform as i32, &request.trigger_name),
            &mut faults,
        );
        faults.into_result()?;
        let (name, window) = (rules::checked(name)?, rules::checked(window)?);
        let (items, next_page_token, total_count) = self
            .page_of_records(
                call,
                &format!("{}/activations", path(&name)),
                platform,
                &window,
            )
            .await
            .map_err(|error| named(error, &name))?;
        let activations = items
            .into_iter()
            .map(|item| self.list_item(item, "", ""))
            .collect();
        Ok(ListTriggerActivationsResponse {
            activations,
            next_page_token,
            total_count,
        })
    }

    fn read_trigger(
        &self,
        response: &Response,
        name: &NcpName,
        encoding: JsonEncoding,
    ) -> Result<Trigger> {
        let mut found: trigger_read::Trigger<'_> = self.content(response)?;
        if !found.is_named() {
            return Err(self.not_understood(response, "neither a name nor a type"));
        }
        let (parameters, inexact) = std::mem::take(&mut found.parameters).answer(encoding)?;
        let mut trigger = trigger_read::read(found, name.as_str(), self.transport.metrics());
        about("trigger", &trigger.name, name.as_str())?;
        (trigger.parameters, trigger.inexact) = (parameters, inexact);
        Ok(trigger)
    }
}

fn path(name: &NcpName) -> String {
    format!("/triggers/{name}")
}

fn named(error: Error, name: &NcpName) -> Error {
    error.resource("trigger", name.as_str())
}
