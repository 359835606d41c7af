//! The gateway before the services: sizes, route, identity, rights (API Gateway user manual, "Error
//! Codes").

use std::sync::Arc;

use async_trait::async_trait;

use super::access::{self, Denial};
use super::cloud::{Call, Cloud, uuid};
use super::codes::{self, Refusal};
use super::options::Access;
use super::route::{self, Operation, Route, Verb};
use super::{alias, async_config, async_invocation, function, iam, invoke, queue, quota, version};
use crate::http::{Reply, Request, Service};
use crate::query::Query;

/// API Gateway "Error Codes", APIG.0201: URI 32 KB, one header 32 KB. The 128 KB of all headers are
/// more than the server reads.
const MAX_URI: usize = 32 << 10;
const MAX_HEADER: usize = 32 << 10;

#[derive(Debug)]
pub(super) struct Gateway {
    cloud: Arc<Cloud>,
}

impl Gateway {
    pub(super) fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }

    async fn admit(&self, request: &Request) -> Result<Reply, Denial> {
        if request.target.len() > MAX_URI {
            return Err(Refusal::from(codes::URI_TOO_LARGE).into());
        }
        if request
            .headers
            .iter()
            .any(|(_, value)| value.len() > MAX_HEADER)
        {
            return Err(Refusal::from(codes::HEADERS_TOO_LARGE).into());
        }
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let (project, operation) = match route::find(&request.method, path) {
            Some(Route::Iam(wanted)) => return iam::answer(&self.cloud, request, wanted),
            Some(Route::Functions(project, operation)) => (project, operation),
            None => {
                return Err(Denial {
                    refusal: codes::NO_API.into(),
                    reason: format!("no operation {} {path}", request.method),
                });
            }
        };
        let identity = access::authenticate(&self.cloud, request)?;
        access::admit(&identity, &project)?;
        if request
            .header("x-project-id")
            .is_some_and(|sent| sent.trim() != project)
        {
            return Err(codes::FORBIDDEN
                .refuse("X-Project-Id is not the project of the path")
                .into());
        }
        if identity.access == Access::ReadOnly && !operation.reads() {
            return Err(Refusal::from(codes::NO_RIGHT).into());
        }
        well_formed(request)?;
        let call = Call {
            request,
            project: self.cloud.project(&project)?,
            query: Query::parse(query),
        };
        Ok(self.dispatch(operation, &call).await?)
    }

    async fn dispatch(&self, operation: Operation, call: &Call<'_>) -> Result<Reply, Refusal> {
        let cloud = &self.cloud;
        let (slot, verb) = match operation {
            Operation::CreateFunction => return function::create(cloud, call),
            Operation::ListFunctions => return function::list(cloud, call),
            Operation::ListQuotas => return quota::list(cloud, call),
            Operation::EnableAsyncStatusLog => return async_config::enable_status_log(),
            Operation::ShowAsyncStatusLog => return async_config::show_status_log(call),
            Operation::On(slot, verb) => (slot, verb),
        };
        let urn = call.urn(&slot)?;
        match verb {
            Verb::Delete => function::delete(cloud, call, &urn),
            Verb::GetConfig => function::get_config(cloud, call, &urn),
            Verb::PutConfig => function::put_config(cloud, call, &urn),
            Verb::GetCode => function::get_code(cloud, call, &urn),
            Verb::PutCode => function::put_code(cloud, call, &urn),
            Verb::PutMaxInstance => function::put_max_instance(cloud, call, &urn),
            Verb::GetLogDetail => function::log_detail(cloud, call, &urn),
            Verb::Publish => version::publish(cloud, call, &urn),
            Verb::ListVersions => version::list(cloud, call, &urn),
            Verb::CreateAlias => alias::create(cloud, call, &urn),
            Verb::ListAliases => alias::list(cloud, call, &urn),
            Verb::GetAlias(name) => alias::get(cloud, call, &urn, &name),
            Verb::PutAlias(name) => alias::put(cloud, call, &urn, &name),
            Verb::DeleteAlias(name) => alias::delete(cloud, call, &urn, &name),
            Verb::Invoke => invoke::invoke(cloud, call, &urn).await,
            Verb::InvokeAsync => queue::submit(cloud, call, &urn),
            Verb::ListInvocations => async_invocation::list(cloud, call, &urn),
            Verb::ListActiveInvocations => async_invocation::list_active(cloud, call, &urn),
            Verb::Cancel => async_invocation::cancel(cloud, call, &urn),
            Verb::GetAsyncConfig => async_config::get(cloud, call, &urn),
            Verb::PutAsyncConfig => async_config::put(cloud, call, &urn),
            Verb::DeleteAsyncConfig => async_config::delete(cloud, call, &urn),
            Verb::ListAsyncConfigs => async_config::list(cloud, call, &urn),
        }
    }
}

/// `application/json` is the only type that the newest pages allow. INFERRED: another one with a
/// body is refused so.
fn well_formed(request: &Request) -> Result<(), Refusal> {
    let kind = request.header("content-type").unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if request.body.is_empty() || kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(codes::PARAMETER.refuse("Content-Type must be application/json"))
}

#[async_trait]
impl Service for Gateway {
    async fn answer(&self, request: &Request) -> Reply {
        let id = uuid();
        let reply = self.admit(request).await.unwrap_or_else(|denial| {
            let mut reply = denial.refusal.reply(&id);
            if denial.refusal.code.is_gateway() {
                reply = reply.with_header("x-emulator-reason", denial.reason);
            }
            reply
        });
        reply.with_header("x-request-id", id)
    }

    fn error(&self, status: Option<u16>, code: Option<&str>) -> Reply {
        let id = uuid();
        codes::for_fault(status, code, &id).with_header("x-request-id", id)
    }

    fn stop(&self) {
        self.cloud.stop.stop();
    }

    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.cloud) == 1
    }
}
