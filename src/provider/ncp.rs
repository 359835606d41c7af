//! NAVER Cloud Functions: all operations of both API generations.
//!
//! Facts: NCP API documents "Cloud Functions" (compute-cloudfunctions and
//! compute-cloudfunctions-v2), read 2026-10. Where nobody states a fact the comment says INFERRED,
//! and decoding is tolerant.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde::de::IgnoredAny;
use url::Url;

use super::checks::to_body;
use super::lenient::{self, List, Member};
use super::status::{Unreadable, json_fault, not_understood};
use super::{Absence, fall_over, paging, races};
use crate::call::Call;
use crate::credentials::{Credentials, KeyPair};
use crate::error::{Error, Result};
use crate::names::Pattern;
use crate::proto::*;
use crate::transport::{Protocol, Request, Response, Transport};

mod action;
mod action_put;
mod activation;
mod auth;
mod config;
mod diagnose;
mod endpoint;
mod errors;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod invoke;
mod package;
mod poll;
mod proof;
mod rules;
mod server_role;
mod sign;
mod sts;
mod time;
mod trial;
mod trigger;
mod trigger_put;
mod trigger_read;
mod wire;

pub use config::{Config, KeySources, Subnet};
#[cfg(test)]
pub(super) use errors::ROWS as ERROR_ROWS;

pub use endpoint::{ApiVersion, Endpoint, Region, Site};
pub use server_role::ServerRole;
pub use sign::Signer;
pub use sts::{Sts, sts_host};
pub use trial::KeyTrial;

use auth::{Form, Key, Keys, Plain, Prepared, Sealed};

/// Sent on every request, GET and DELETE included, as the newest documents ask.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a target's configuration says about NCP.
#[derive(Debug)]
pub struct Settings {
    /// Where the API is.
    pub endpoint: Endpoint,
    /// How long a run is waited for when the caller does not say.
    pub wait: Duration,
    /// Actions whose repetition does no harm.
    pub idempotent_actions: Vec<Pattern>,
}

/// One NCP account at one place.
#[derive(Debug)]
pub struct Ncp {
    endpoint: Endpoint,
    wait: Duration,
    idempotent_actions: Vec<Pattern>,
    transport: Transport,
    keys: Keys,
}

impl Ncp {
    /// Puts the parts together; opens no connection.
    #[must_use]
    pub fn new(settings: Settings, transport: Transport, credentials: Credentials) -> Self {
        Self {
            endpoint: settings.endpoint,
            wait: settings.wait,
            idempotent_actions: settings.idempotent_actions,
            transport,
            keys: Keys::new(credentials),
        }
    }

    /// How requests are signed and their answers judged, for one who sends them by a transport of
    /// their own.
    pub fn protocol(&self) -> impl Protocol + '_ {
        Sealed::new(Key::Current(&self.keys), &Plain, &self.transport)
    }

    /// The upstream's time.
    fn now(&self) -> SystemTime {
        self.transport.now()
    }

    fn request(&self, method: Method, url: Url, body: Bytes, idempotent: bool) -> Request {
        Request {
            method,
            url,
            body,
            headers: vec![(header::CONTENT_TYPE, JSON)],
            idempotent,
            attempt_timeout: None,
        }
    }

    async fn send(&self, call: &mut Call, request: Request) -> Result<Response> {
        self.send_as(call, &request, &Plain).await
    }

    /// Sends with the present key; if that is refused, once more with the other of two live keys.
    async fn send_as(
        &self,
        call: &mut Call,
        request: &Request,
        form: &dyn Form,
    ) -> Result<Response> {
        let exchange = Sealed::new(Key::Current(&self.keys), form, &self.transport);
        let sign_with = |_: &Sealed<'_>, generation, keys: &KeyPair| {
            let prepared = Box::new(Prepared::new(generation, keys)?);
            Ok(Sealed::new(Key::This(prepared), form, &self.transport))
        };
        let credentials = &self.keys.credentials;
        fall_over::send(
            &self.transport,
            call,
            request,
            credentials,
            exchange,
            sign_with,
        )
        .await
    }

    async fn get(&self, call: &mut Call, url: Url) -> Result<Response> {
        self.send(call, self.request(Method::GET, url, Bytes::new(), true))
            .await
    }

    /// Deletes what the URL names; that it is gone already after an earlier attempt is a success.
    async fn delete(&self, call: &mut Call, url: Url) -> Result<()> {
        self.deleted(call, self.request(Method::DELETE, url, Bytes::new(), true))
            .await
    }

    /// The same with a request that has a body.
    async fn deleted(&self, call: &mut Call, request: Request) -> Result<()> {
        match self.send(call, request).await {
            Err(error) if races::is_deleted(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(response) => self.done(&response),
        }
    }

    /// Creates or replaces what `url` names; `look` reads the same. A put that meets another one is
    /// refused as if the name were taken (INFERRED from Apache OpenWhisk, "Concurrent modification
    /// to resource detected"). If the resource is there, it is put again.
    async fn put(&self, call: &mut Call, url: Url, look: Url, body: Bytes) -> Result<Response> {
        for _ in 1..races::ROUNDS {
            let request = self.request(Method::PUT, url.clone(), body.clone(), true);
            match self.send(call, request).await {
                Err(error) if races::is_taken(&error) => {
                    if self.get(call, look.clone()).await.is_err() {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
        self.send(call, self.request(Method::PUT, url, body, true))
            .await
    }

    /// The answer to a deletion is 204 without a body; JSON is taken too, but a page is some
    /// proxy's word and proves nothing.
    fn done(&self, response: &Response) -> Result<()> {
        if response.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        serde_json::from_slice::<IgnoredAny>(response.json())
            .map(|_| ())
            .map_err(|fault| self.not_understood(response, json_fault(&fault)))
    }

    /// The list that an answer is about. INFERRED: under `content` a list of none may be left out.
    fn list<T>(&self, response: &Response, list: List<T>) -> Result<Vec<T>> {
        list.items(Some(0))
            .map_err(|what| self.not_understood(response, what))
    }

    /// What stands under `content`.
    fn content<'a, T: Member<'a>>(&self, response: &'a Response) -> Result<T> {
        self.read(response, Some("content"))
            .map_err(|what| self.not_understood(response, what))
    }

    /// The whole answer, or what stands under `name`.
    fn read<'a, T: Member<'a>>(
        &self,
        response: &'a Response,
        name: Option<&'static str>,
    ) -> Result<T, Unreadable> {
        let clock = time::clock(&self.endpoint);
        lenient::read(response.json(), name, clock, self.transport.metrics())
    }

    /// An activation, in its envelope or without.
    fn run_content<'a>(&self, response: &'a Response) -> Result<wire::Activation<'a>> {
        match self.content(response) {
            Ok(activation) => Ok(activation),
            Err(error) => self
                .read(response, None)
                .ok()
                .filter(|bare: &wire::Activation<'a>| bare.activation_id.0.is_some())
                .ok_or(error),
        }
    }

    fn not_understood(&self, response: &Response, why: impl Into<Unreadable>) -> Error {
        not_understood(response, why)
            .with(|facts| facts.upstream_request_id = auth::request_id(&response.headers))
    }
}

super::provider! {
    Ncp, "ncp";
    list_packages(ListPackagesRequest) -> ListPackagesResponse;
    get_package(GetPackageRequest) -> GetPackageResponse;
    put_package(PutPackageRequest) -> PutPackageResponse;
    delete_package(DeletePackageRequest) -> DeletePackageResponse;
    list_actions(ListActionsRequest) -> ListActionsResponse;
    get_action(GetActionRequest) -> GetActionResponse;
    put_action(PutActionRequest) -> PutActionResponse;
    delete_action(DeleteActionRequest) -> DeleteActionResponse;
    invoke(InvokeRequest) -> InvokeResponse;
    invoke_async(InvokeAsyncRequest) -> InvokeAsyncResponse;
    get_activation(GetActivationRequest) -> GetActivationResponse;
    list_activations(ListActivationsRequest) -> ListActivationsResponse;
    list_triggers(ListTriggersRequest) -> ListTriggersResponse;
    get_trigger(GetTriggerRequest) -> GetTriggerResponse;
    put_trigger(PutTriggerRequest) -> PutTriggerResponse;
    delete_trigger(DeleteTriggerRequest) -> DeleteTriggerResponse;
    fire_trigger(FireTriggerRequest) -> FireTriggerResponse;
    link_action(LinkActionRequest) -> LinkActionResponse;
    unlink_action(UnlinkActionRequest) -> UnlinkActionResponse;
    get_trigger_activation(GetTriggerActivationRequest) -> GetTriggerActivationResponse;
    list_trigger_activations(ListTriggerActivationsRequest) -> ListTriggerActivationsResponse;
}

/// Why the cloud or the sidecar has no such operation.
fn absence(operation: &str) -> Absence {
    match operation {
        "CancelActivation" => Absence::NotInCloud(
            "a run cannot be stopped; it ends at the action's own limits.timeout",
        ),
        "GetAsyncInvokeConfig" | "PutAsyncInvokeConfig" | "DeleteAsyncInvokeConfig" => {
            Absence::NotInCloud("asynchronous runs have no settings")
        }
        "PublishActionVersion" | "ListActionVersions" => Absence::NotOffered(
            "versions are part of NAVER's API v3, and the target speaks 2.1 or 2.0; use another action name for each",
        ),
        _ => Absence::NotInCloud("actions have no aliases; use another action name for each"),
    }
}
