//! Path → service, and what must hold for every answer: a panic ends one call only, every error has details, every
//! answer has its trailers.
//!
//! A match on the path replaces the framework's router (5k instructions a call less, `docs/performance.md`).

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Status};
use tower::Service;

use super::arriving::Arriving;
use super::auth::Tokens;
use super::deadline::Asked;
use super::methods::{self, Method};
use super::observe::{CallFacts, Guard, Observed};
use super::reflection::Reflection;
use super::status::{Context, bare, panicked, status, unsendable};
use super::{Health, Services};
use crate::proto::action_service_server::ActionServiceServer;
use crate::proto::health::health_server::HealthServer;
use crate::proto::invocation_service_server::InvocationServiceServer;
use crate::proto::package_service_server::PackageServiceServer;
use crate::proto::trigger_service_server::TriggerServiceServer;
use crate::telemetry::Telemetry;

/// The services of `faas.v1`, as health checks name them.
pub(super) const SERVICES: [&str; 4] = [
    "faas.v1.PackageService",
    "faas.v1.ActionService",
    "faas.v1.InvocationService",
    "faas.v1.TriggerService",
];

/// Bounds of the edge.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message either way, in bytes.
    pub max_message_size: usize,
}

type Answer = http::Response<Body>;
/// An answer on its way.
pub type Pending = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// All services of one listener.
#[derive(Clone, Debug)]
pub struct Router {
    package: PackageServiceServer<Services>,
    action: ActionServiceServer<Services>,
    invocation: InvocationServiceServer<Services>,
    trigger: TriggerServiceServer<Services>,
    health: HealthServer<Health>,
    reflection: Reflection,
    tokens: Option<Arc<Tokens>>,
    telemetry: Arc<Telemetry>,
}

impl Router {
    /// Puts the services behind one path match, within `limits`; `telemetry` sees every call.
    #[must_use]
    pub fn new(services: &Services, health: &Health, limits: Limits, telemetry: Arc<Telemetry>) -> Self {
        let size = limits.max_message_size;
        macro_rules! limited {
            ($server:ident) => {
                $server::new(services.clone())
                    .max_decoding_message_size(size)
                    .max_encoding_message_size(size)
                    .accept_compressed(Gzip)
            };
        }
        Self {
            package: limited!(PackageServiceServer),
            action: limited!(ActionServiceServer),
            invocation: limited!(InvocationServiceServer),
            trigger: limited!(TriggerServiceServer),
            health: HealthServer::new(health.clone()),
            reflection: Reflection::default(),
            tokens: None,
            telemetry,
        }
    }

    /// The same, for callers that must bring one of these tokens; health alone is asked without.
    #[must_use]
    pub fn guarded(self, tokens: Option<Arc<Tokens>>) -> Self {
        Self { tokens, ..self }
    }

    /// Begins to watch a call of ours.
    fn watch(&self, request: &mut http::Request<Body>) -> Option<Guard> {
        let method = match methods::find(request.uri().path()) {
            Method::Known(method) => method,
            Method::Other => "_OTHER",
            Method::Unwatched => return None,
        };
        let observed = Observed::new(&self.telemetry, method);
        request.extensions_mut().insert(observed.clone());
        Some(observed.guard())
    }

    /// The answer to one request, whatever becomes of it.
    pub fn answer(&self, mut request: http::Request<Body>) -> Pending {
        let guard = self.watch(&mut request);
        if let Some(asked) = Asked::read(request.headers()) {
            request.extensions_mut().insert(asked);
            request = request.map(|body| Body::new(Arriving::new(body, asked.0)));
        }
        let answer = self.dispatch(request);
        Box::pin(async move {
            match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(answer) => answer.map(|answer| finish(answer, guard)),
                Err(_) => {
                    end(guard.as_ref(), Code::Internal);
                    Ok(panicked().into_http())
                }
            }
        })
    }

    fn dispatch(&self, request: http::Request<Body>) -> Pending {
        let service = request
            .uri()
            .path()
            .get(1..)
            .and_then(|path| path.split('/').next())
            .unwrap_or_default();
        if let Some(tokens) = &self.tokens
            && service != "grpc.health.v1.Health"
            && let Err(refused) = tokens.check(request.headers())
        {
            let status = status(&refused, &Context::default());
            return Box::pin(std::future::ready(Ok(status.into_http())));
        }
        match service {
            "faas.v1.InvocationService" => self.invocation.clone().call(request),
            "faas.v1.ActionService" => self.action.clone().call(request),
            "faas.v1.PackageService" => self.package.clone().call(request),
            "faas.v1.TriggerService" => self.trigger.clone().call(request),
            "grpc.health.v1.Health" => self.health.clone().call(request),
            "grpc.reflection.v1.ServerReflection" => self.reflection.v1(request),
            "grpc.reflection.v1alpha.ServerReflection" => self.reflection.v1alpha(request),
            _ => {
                let message = format!("There is no method {} here.", request.uri().path());
                Box::pin(std::future::ready(Ok(
                    bare(Code::Unimplemented, &message).into_http()
                )))
            }
        }
    }
}

fn end(guard: Option<&Guard>, code: Code) {
    if let Some(guard) = guard {
        guard.end(code);
    }
}

/// Details on every error, trailers on every answer.
fn finish(answer: Answer, guard: Option<Guard>) -> Answer {
    if let Some(status) = without_details(answer.headers()) {
        end(guard.as_ref(), status.code());
        return status.into_http();
    }
    let Some(guard) = guard else { return answer };
    match code(answer.headers()) {
        // An error has no body: its trailers are its headers.
        Some(code) => guard.end(code),
        None => return with_trailers(answer, guard),
    }
    answer
}

fn with_trailers(answer: Answer, guard: Guard) -> Answer {
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| match frame.into_trailers() {
            Ok(trailers) => {
                let trailers = trail(trailers, &guard.facts());
                guard.end(code(&trailers).unwrap_or(Code::Ok));
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }))
    })
}

fn code(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}

fn trail(mut trailers: HeaderMap, facts: &CallFacts) -> HeaderMap {
    // An answer that cannot be sent (too large) becomes an error only here.
    if let Some(status) = without_details(&trailers) {
        let status = match status.code() {
            Code::ResourceExhausted => unsendable(
                status.message(),
                facts.attempts,
                facts.upstream_request_id.as_deref(),
            ),
            _ => status,
        };
        trailers.clear();
        let _ = status.add_header(&mut trailers);
    }
    trailers.insert("faas-attempts", HeaderValue::from(facts.attempts));
    if let Some(id) = facts
        .upstream_request_id
        .as_deref()
        .and_then(|id| HeaderValue::from_str(id).ok())
    {
        trailers.insert("faas-upstream-request-id", id);
    }
    trailers
}

/// An error that the framework made by itself, with details added.
fn without_details(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get("grpc-status")?;
    if code == "0" || headers.contains_key("grpc-status-details-bin") {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    Some(bare(status.code(), status.message()))
}
