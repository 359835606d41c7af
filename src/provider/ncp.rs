//! NAVER Cloud Functions: all operations of both API generations.
//!
//! Facts: NCP API documents "Cloud Functions" (compute-cloudfunctions and compute-cloudfunctions-v2), read 2026-10. Where
//! nobody states a fact the comment says INFERRED, and decoding is tolerant.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::checks::to_body;
use super::status::{json_fault, not_understood};
use super::{Observer, Provider, paging};
use crate::call::Call;
use crate::clock::epoch_millis;
use crate::credentials::{Credentials, KeyPair};
use crate::error::{Component, Error, Kind, Result};
use crate::names::Pattern;
use crate::proto::*;
use crate::transport::{Protocol, Request, Response, Transport, retry_after};

mod action;
mod action_put;
mod activation;
mod diagnose;
mod endpoint;
mod errors;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod package;
mod poll;
mod rules;
mod run;
mod sign;
mod time;
mod trigger;
mod trigger_put;
mod trigger_read;
mod wire;

pub use endpoint::{ApiVersion, Endpoint, Region, Site};
pub use sign::Signer;

const TIMESTAMP: HeaderName = HeaderName::from_static("x-ncp-apigw-timestamp");
const ACCESS_KEY: HeaderName = HeaderName::from_static("x-ncp-iam-access-key");
const SIGNATURE: HeaderName = HeaderName::from_static("x-ncp-apigw-signature-v2");
/// The gateway refuses a time that is 5 minutes off (NCP docs: common-ncpapi) with the same words as a wrong key. A little
/// less, as its `Date` counts whole seconds and another of its machines may have answered.
const CLOCK_FAULT: Duration = Duration::from_secs(4 * 60);
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
    credentials: Credentials,
    signer: ArcSwapOption<Prepared>,
}

/// A signer and the generation of keys that it was made from.
#[derive(Debug)]
struct Prepared {
    generation: u64,
    signer: Signer,
    access_key: HeaderValue,
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
            credentials,
            signer: ArcSwapOption::empty(),
        }
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
        self.transport.send(call, &request, self).await
    }

    async fn get(&self, call: &mut Call, url: Url) -> Result<Response> {
        self.send(call, self.request(Method::GET, url, Bytes::new(), true))
            .await
    }

    /// A second delete answers not-found, which after a lost first answer means success; the caller is told the truth
    /// of the last attempt.
    async fn delete(&self, call: &mut Call, url: Url) -> Result<()> {
        let response = self
            .send(call, self.request(Method::DELETE, url, Bytes::new(), true))
            .await?;
        self.done(&response)
    }

    /// The answer to a deletion is 204 without a body; JSON is taken too, but a page is some proxy's word and proves
    /// nothing.
    fn done(&self, response: &Response) -> Result<()> {
        if response.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        serde_json::from_slice::<IgnoredAny>(&response.body)
            .map(|_| ())
            .map_err(|fault| self.not_understood(response, &json_fault(&fault)))
    }

    /// What stands under `content`.
    fn content<'a, T: Deserialize<'a>>(&self, response: &'a Response) -> Result<T> {
        serde_json::from_slice::<wire::Envelope<T>>(&response.body)
            .map(|envelope| envelope.content)
            .map_err(|fault| self.not_understood(response, &json_fault(&fault)))
    }

    /// An activation, in its envelope or (as Apache OpenWhisk answers) without.
    fn run_content<'a>(&self, response: &'a Response) -> Result<wire::Activation<'a>> {
        match self.content(response) {
            Ok(activation) => Ok(activation),
            Err(error) => serde_json::from_slice::<wire::Activation<'a>>(&response.body)
                .ok()
                .filter(|bare| bare.activation_id.is_some())
                .ok_or(error),
        }
    }

    fn not_understood(&self, response: &Response, what: &str) -> Error {
        not_understood(response, what)
            .with(|facts| facts.upstream_request_id = self.request_id(&response.headers))
    }

    fn prepared(&self) -> Result<Arc<Prepared>> {
        let snapshot = self.credentials.current()?;
        if let Some(prepared) = self.signer.load_full()
            && prepared.generation == snapshot.generation
        {
            return Ok(prepared);
        }
        let unusable = |why: String| {
            Error::new(
                Kind::Unauthenticated,
                "CREDENTIALS_UNUSABLE",
                format!("The sidecar's key cannot be used: {why}."),
            )
            .component(Component::Sidecar)
        };
        let keys = snapshot.keys.as_ref().map_err(|why| unusable(why.clone()))?;
        let prepared = Arc::new(Prepared::new(snapshot.generation, keys).map_err(unusable)?);
        self.signer.store(Some(Arc::clone(&prepared)));
        Ok(prepared)
    }
}

impl Prepared {
    fn new(generation: u64, keys: &KeyPair) -> std::result::Result<Self, String> {
        Ok(Self {
            generation,
            signer: Signer::new(keys)?,
            access_key: HeaderValue::from_str(&keys.access_key)
                .map_err(|_| "the access key holds a character that no header can carry".to_owned())?,
        })
    }

    fn sign(&self, request: &Request, now: SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let mut digits = itoa::Buffer::new();
        let timestamp = digits.format(epoch_millis(now));
        let target = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
        let signature = self.signer.sign(request.method.as_str(), target, timestamp);
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|fault| {
                Error::new(
                    Kind::Internal,
                    "SIGNATURE_NOT_SENDABLE",
                    format!("A signature header is not valid: {fault}."),
                )
            })
        };
        Ok(vec![
            (TIMESTAMP, value(timestamp)?),
            (ACCESS_KEY, self.access_key.clone()),
            (SIGNATURE, value(&signature)?),
        ])
    }
}

impl Protocol for Ncp {
    fn sign(&self, request: &Request, now: SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>> {
        self.prepared()?.sign(request, now)
    }

    fn classify(&self, _request: &Request, response: &Response) -> Result<()> {
        if response.status.is_success() {
            return Ok(());
        }
        Err(errors::classify(response.status, &response.body).with(|facts| {
            facts.retry_after = retry_after(&response.headers, self.now());
            facts.upstream_request_id = self.request_id(&response.headers);
        }))
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        ["x-ncp-apigw-request-id", "x-ncp-trace-id"]
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok())
            .map(ToOwned::to_owned)
    }

    fn clock_fault(&self, error: &Error) -> Option<Duration> {
        (error.kind == Kind::Unauthenticated).then_some(CLOCK_FAULT)
    }
}

#[async_trait]
impl Provider for Ncp {
    fn name(&self) -> &'static str {
        "ncp"
    }

    fn instead(&self, operation: &str) -> &'static str {
        match operation {
            "CancelActivation" => "a run cannot be stopped; it ends at the action's own limits.timeout",
            "GetAsyncInvokeConfig" | "PutAsyncInvokeConfig" | "DeleteAsyncInvokeConfig" => {
                "asynchronous runs have no settings"
            }
            _ => "actions have one version and no aliases; use another action name for each",
        }
    }

    async fn list_packages(
        &self,
        call: &mut Call,
        request: ListPackagesRequest,
    ) -> Result<ListPackagesResponse> {
        self.packages(call, request).await
    }
    async fn get_package(&self, call: &mut Call, request: GetPackageRequest) -> Result<GetPackageResponse> {
        self.package(call, request).await
    }
    async fn put_package(&self, call: &mut Call, request: PutPackageRequest) -> Result<PutPackageResponse> {
        self.save_package(call, request).await
    }
    async fn delete_package(
        &self,
        call: &mut Call,
        request: DeletePackageRequest,
    ) -> Result<DeletePackageResponse> {
        self.remove_package(call, request).await
    }
    async fn list_actions(
        &self,
        call: &mut Call,
        request: ListActionsRequest,
    ) -> Result<ListActionsResponse> {
        self.actions(call, request).await
    }
    async fn get_action(&self, call: &mut Call, request: GetActionRequest) -> Result<GetActionResponse> {
        self.action(call, request).await
    }
    async fn put_action(&self, call: &mut Call, request: PutActionRequest) -> Result<PutActionResponse> {
        self.save_action(call, request).await
    }
    async fn delete_action(
        &self,
        call: &mut Call,
        request: DeleteActionRequest,
    ) -> Result<DeleteActionResponse> {
        self.remove_action(call, request).await
    }
    async fn invoke(&self, call: &mut Call, request: InvokeRequest) -> Result<InvokeResponse> {
        self.run(call, request).await
    }
    async fn invoke_async(
        &self,
        call: &mut Call,
        request: InvokeAsyncRequest,
    ) -> Result<InvokeAsyncResponse> {
        self.run_async(call, request).await
    }
    async fn get_activation(
        &self,
        call: &mut Call,
        request: GetActivationRequest,
    ) -> Result<GetActivationResponse> {
        self.record(call, request).await
    }
    async fn list_activations(
        &self,
        call: &mut Call,
        request: ListActivationsRequest,
    ) -> Result<ListActivationsResponse> {
        self.records(call, request).await
    }
    async fn watch_activation(
        &self,
        call: &mut Call,
        request: WatchActivationRequest,
        observer: Observer<'_>,
    ) -> Result<()> {
        self.watch(call, request, observer).await
    }
    async fn list_triggers(
        &self,
        call: &mut Call,
        request: ListTriggersRequest,
    ) -> Result<ListTriggersResponse> {
        self.triggers(call, request).await
    }
    async fn get_trigger(&self, call: &mut Call, request: GetTriggerRequest) -> Result<GetTriggerResponse> {
        self.trigger(call, request).await
    }
    async fn put_trigger(&self, call: &mut Call, request: PutTriggerRequest) -> Result<PutTriggerResponse> {
        self.save_trigger(call, request).await
    }
    async fn delete_trigger(
        &self,
        call: &mut Call,
        request: DeleteTriggerRequest,
    ) -> Result<DeleteTriggerResponse> {
        self.remove_trigger(call, request).await
    }
    async fn fire_trigger(
        &self,
        call: &mut Call,
        request: FireTriggerRequest,
    ) -> Result<FireTriggerResponse> {
        self.fire(call, request).await
    }
    async fn link_action(&self, call: &mut Call, request: LinkActionRequest) -> Result<LinkActionResponse> {
        self.link(call, request).await
    }
    async fn unlink_action(
        &self,
        call: &mut Call,
        request: UnlinkActionRequest,
    ) -> Result<UnlinkActionResponse> {
        self.unlink(call, request).await
    }
    async fn get_trigger_activation(
        &self,
        call: &mut Call,
        request: GetTriggerActivationRequest,
    ) -> Result<GetTriggerActivationResponse> {
        self.firing(call, request).await
    }
    async fn list_trigger_activations(
        &self,
        call: &mut Call,
        request: ListTriggerActivationsRequest,
    ) -> Result<ListTriggerActivationsResponse> {
        self.firings(call, request).await
    }
}
