//! Huawei FunctionGraph, on Huawei Cloud and Open Telekom Cloud: functions, versions, aliases and
//! runs.
//!
//! Facts: FunctionGraph API reference (Huawei Cloud intl 2024-03-28 and zh 2025-08-29, Open Telekom
//! Cloud 2026-04) and the official SDKs 3.1.219, read 2026-10. Where nobody states a fact the
//! comment says INFERRED, and decoding is tolerant.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::de::IgnoredAny;
use url::Url;

use super::lenient::{self, Clock, List, Member};
use super::status::{Unreadable, not_understood};
use super::{Absence, fall_over};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::names::Pattern;
use crate::proto::*;
use crate::transport::{Request, Response, Transport};

mod access;
mod action;
mod action_put;
mod action_read;
mod activation;
mod async_config;
mod auth;
mod config;
mod diagnose;
mod ecs_metadata;
mod endpoint;
mod envelope;
mod errors;
mod function;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod guard;
mod iam;
mod invoke;
mod outcome;
mod package;

mod rules;
mod sign;
mod temporary;
mod time;
mod trial;
mod version;
mod wire;

#[cfg(test)]
pub(super) use errors::{ROWS as ERROR_ROWS, RUN_ROWS};

pub use access::Access;
pub use auth::Auth;
pub use config::{Config, KeySources};
pub use ecs_metadata::EcsMetadata;
pub use endpoint::{Endpoint, REGIONS, Region, functions_host, iam_host};
pub use sign::{
    Algorithm, Difference, EMPTY_HASH, Explained, Parts, Signer, date, difference, hash,
    payload_hash, told_canonical,
};
pub use temporary::{Asker, TemporaryKeys};
pub use trial::KeyTrial;

use auth::{Identity, Judge, Proof, Sealed};
use endpoint::Place;

/// The only type that the newest documents allow (`functiongraph_06_0125` zh 2025-08-29).
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a target's configuration says about FunctionGraph.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is, and who the sidecar is there; one for all threads.
    pub access: Access,
    /// How long a run is waited for when the caller does not say.
    pub wait: Duration,
    /// Actions whose repetition does no harm.
    pub idempotent_actions: Vec<Pattern>,
}

/// One project of Huawei Cloud or Open Telekom Cloud.
#[derive(Debug)]
pub struct FunctionGraph {
    access: Access,
    wait: Duration,
    idempotent_actions: Vec<Pattern>,
    transport: Transport,
}

impl FunctionGraph {
    /// Puts the parts together; opens no connection.
    #[must_use]
    pub fn new(settings: Settings, transport: Transport) -> Self {
        let Settings {
            access,
            wait,
            idempotent_actions,
        } = settings;
        Self {
            access,
            wait,
            idempotent_actions,
            transport,
        }
    }

    async fn place(&self, call: &mut Call) -> Result<&Place> {
        self.access.place(call).await
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

    /// Sends a request that is judged by code and status alone.
    async fn send(&self, call: &mut Call, place: &Place, request: Request) -> Result<Response> {
        self.send_judged(call, place, &request, errors::judge).await
    }

    /// Sends with the present proof, and once more with a new one if that is refused and there is a
    /// new one: never in a loop, as refused signatures lock the key.
    async fn send_judged(
        &self,
        call: &mut Call,
        place: &Place,
        request: &Request,
        judge: Judge,
    ) -> Result<Response> {
        let project = Some(&place.project_header);
        match self.access.identity() {
            Identity::Keys(keys) => {
                let exchange = Sealed {
                    proof: keys.proof(&request.body).await,
                    project,
                    judge,
                };
                let credentials = &keys.credentials;
                fall_over::send(
                    &self.transport,
                    call,
                    request,
                    credentials,
                    exchange,
                    Sealed::with,
                )
                .await
            }
            Identity::Token(tokens) => {
                let token = tokens.get(call.deadline).await?;
                let sealed = |header: &HeaderValue| Sealed {
                    proof: Proof::Token(header.clone()),
                    project,
                    judge,
                };
                let first = self
                    .transport
                    .send(call, request, &sealed(&token.value.header))
                    .await;
                if !fall_over::refused(&first, request) {
                    return first;
                }
                match tokens.renew(token.generation, call.deadline).await {
                    Ok(fresh) if fresh.generation > token.generation => {
                        self.transport
                            .send(call, request, &sealed(&fresh.value.header))
                            .await
                    }
                    _ => first,
                }
            }
        }
    }

    async fn get(&self, call: &mut Call, place: &Place, url: Url) -> Result<Response> {
        self.send(
            call,
            place,
            self.request(Method::GET, url, Bytes::new(), true),
        )
        .await
    }

    /// A body of JSON, read member by member. INFERRED: a time without a zone is UTC, as the
    /// asynchronous records document.
    fn read<'a, T: Member<'a>>(&self, response: &'a Response) -> Result<T> {
        lenient::read(response.json(), None, Clock::UTC, self.transport.metrics())
            .map_err(|what| self.not_understood(response, what))
    }

    /// The list that an answer is about.
    fn list<T>(&self, response: &Response, list: List<T>, counted: Option<i64>) -> Result<Vec<T>> {
        list.items(counted)
            .map_err(|what| self.not_understood(response, what))
    }

    /// An answer that has nothing to say beside its status: no body, or JSON. A page with a good
    /// status is some proxy's word and proves nothing.
    fn done(&self, response: &Response) -> Result<()> {
        if response.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        self.read::<IgnoredAny>(response).map(drop)
    }

    fn not_understood(&self, response: &Response, why: impl Into<Unreadable>) -> Error {
        not_understood(response, why)
            .with(|facts| facts.upstream_request_id = auth::request_id(&response.headers))
    }
}

/// A header of FunctionGraph's own by its lower-case name, as text.
fn header_text<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response
        .headers
        .get(name)?
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

super::provider! {
    FunctionGraph, "functiongraph";
    list_packages(ListPackagesRequest) -> ListPackagesResponse;
    get_package(GetPackageRequest) -> GetPackageResponse;
    put_package(PutPackageRequest) -> PutPackageResponse;
    delete_package(DeletePackageRequest) -> DeletePackageResponse;
    list_actions(ListActionsRequest) -> ListActionsResponse;
    get_action(GetActionRequest) -> GetActionResponse;
    put_action(PutActionRequest) -> PutActionResponse;
    delete_action(DeleteActionRequest) -> DeleteActionResponse;
    publish_action_version(PublishActionVersionRequest) -> PublishActionVersionResponse;
    list_action_versions(ListActionVersionsRequest) -> ListActionVersionsResponse;
    put_action_alias(PutActionAliasRequest) -> PutActionAliasResponse;
    list_action_aliases(ListActionAliasesRequest) -> ListActionAliasesResponse;
    delete_action_alias(DeleteActionAliasRequest) -> DeleteActionAliasResponse;
    get_async_invoke_config(GetAsyncInvokeConfigRequest) -> GetAsyncInvokeConfigResponse;
    put_async_invoke_config(PutAsyncInvokeConfigRequest) -> PutAsyncInvokeConfigResponse;
    delete_async_invoke_config(DeleteAsyncInvokeConfigRequest) -> DeleteAsyncInvokeConfigResponse;
    invoke(InvokeRequest) -> InvokeResponse;
    invoke_async(InvokeAsyncRequest) -> InvokeAsyncResponse;
    get_activation(GetActivationRequest) -> GetActivationResponse;
    list_activations(ListActivationsRequest) -> ListActivationsResponse;
    cancel_activation(CancelActivationRequest) -> CancelActivationResponse;
}

/// Why the cloud or the sidecar has no such operation.
fn absence(operation: &str) -> Absence {
    match operation {
        "FireTrigger" => Absence::NotInCloud("run the function itself with Invoke or InvokeAsync"),
        "LinkAction" | "UnlinkAction" => Absence::NotInCloud(
            "a trigger belongs to one function, and is made and deleted with it",
        ),
        "GetTriggerActivation" | "ListTriggerActivations" => {
            Absence::NotInCloud("list the function's asynchronous runs with ListActivations")
        }
        _ => Absence::NotOffered(
            "make triggers in the console, with Terraform or with the official SDK",
        ),
    }
}
