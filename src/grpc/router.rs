//! Path → service, and what must hold for every answer: a panic ends one call only, every error has details, every
//! answer has its trailers.
//!
//! A match on the path replaces the framework's router (5k instructions a call less, `docs/performance.md`).

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
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
use super::early::{ACTIVATION_ID, Pending};
use super::intake::Intake;
use super::methods::{self, Method};
use super::observe::{CallFacts, Guard, Observed};
use super::one_message::OneMessage;
use super::protocol;
use super::reflection::Reflection;
use super::status::{Context, bare, packed_otherwise, panicked, status, unsendable};
use super::{Health, Services};
use crate::memory::{Held, Memory};
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
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest message either way, in bytes.
    pub max_message_size: usize,
    /// Room for the messages in flight, shared with the answers of all targets.
    pub memory: Memory,
}

type Answer = http::Response<Body>;

/// All services of one listener; clones are the same services.
#[derive(Clone, Debug)]
pub struct Router {
    services: Arc<All>,
    tokens: Option<Arc<Tokens>>,
    telemetry: Arc<Telemetry>,
}

#[derive(Debug)]
struct All {
    package: PackageServiceServer<Services>,
    action: ActionServiceServer<Services>,
    invocation: InvocationServiceServer<Services>,
    trigger: TriggerServiceServer<Services>,
    health: HealthServer<Health>,
    reflection: Reflection,
    limits: Limits,
}

/// A service of `faas.v1`: its messages are counted.
enum Own {
    Package,
    Action,
    Invocation,
    Trigger,
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
                    .send_compressed(Gzip)
            };
        }
        let services = All {
            package: limited!(PackageServiceServer),
            action: limited!(ActionServiceServer),
            invocation: limited!(InvocationServiceServer),
            trigger: limited!(TriggerServiceServer),
            health: HealthServer::new(health.clone()),
            reflection: Reflection::default(),
            limits,
        };
        Self {
            services: Arc::new(services),
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
        if let Some(refusal) = protocol::refuse(&request) {
            let refused = async move {
                protocol::hear_out(request.into_body()).await;
                Ok(refusal)
            };
            return Pending::new(refused, None, false);
        }
        let guard = self.watch(&mut request);
        let mut refused = self.refused(&request);
        match Asked::read(request.headers()) {
            Ok(None) => {}
            Ok(Some(asked)) => {
                request.extensions_mut().insert(asked);
                request = request.map(|body| Body::new(Arriving::new(body, asked.0)));
            }
            Err(malformed) => refused = refused.or(Some(malformed)),
        }
        let services = Arc::clone(&self.services);
        let (observed, packs) = (request.extensions().get().cloned(), packs(request.headers()));
        let work = async move {
            if let Some(refused) = refused {
                return Ok(finish(refused.into_http(), guard, Held::default()));
            }
            match AssertUnwindSafe(services.dispatch(request)).catch_unwind().await {
                Ok(answer) => answer.map(|(answer, held)| finish(answer, guard, held)),
                Err(_) => {
                    end(guard.as_ref(), Code::Internal);
                    Ok(panicked().into_http())
                }
            }
        };
        Pending::new(work, observed, packs)
    }

    /// The refusal of a caller without a token that it needs.
    fn refused(&self, request: &http::Request<Body>) -> Option<Status> {
        let tokens = self.tokens.as_ref()?;
        if service(request.uri()) == "grpc.health.v1.Health" {
            return None;
        }
        let refused = tokens.check(request.headers()).err()?;
        Some(status(&refused, &Context::default()))
    }
}

impl All {
    /// The service's own answer, and what its request takes of the bound on memory.
    async fn dispatch(&self, request: http::Request<Body>) -> Result<(Answer, Held), Infallible> {
        let own = match service(request.uri()) {
            "faas.v1.InvocationService" => Own::Invocation,
            "faas.v1.ActionService" => Own::Action,
            "faas.v1.PackageService" => Own::Package,
            "faas.v1.TriggerService" => Own::Trigger,
            _ => return Ok((self.other(request).await?, Held::default())),
        };
        let (mut head, body) = request.into_parts();
        match head.headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
            Some(b"gzip") => {}
            // Most libraries say that they can read gzip, whoever asked. On one machine time is worth more than bytes:
            // an answer is packed for a caller that packed its call, and for no other.
            None | Some(b"identity") => drop(head.headers.remove("grpc-accept-encoding")),
            Some(other) => return Ok((packed_otherwise(other).into_http(), Held::default())),
        }
        let limits = &self.limits;
        let (body, held) = match Intake::read(body, &limits.memory, limits.max_message_size).await {
            Ok(read) => read,
            Err(refusal) => return Ok((refusal.into_http(), Held::default())),
        };
        let request = http::Request::from_parts(head, body);
        let answer = match own {
            Own::Invocation => self.invocation.clone().call(request),
            Own::Action => self.action.clone().call(request),
            Own::Package => self.package.clone().call(request),
            Own::Trigger => self.trigger.clone().call(request),
        };
        Ok((answer.await?, held))
    }

    async fn other(&self, request: http::Request<Body>) -> Result<Answer, Infallible> {
        match service(request.uri()) {
            "grpc.health.v1.Health" => {
                let request = request.map(|body| Body::new(OneMessage::new(body)));
                self.health.clone().call(request).await
            }
            "grpc.reflection.v1.ServerReflection" => self.reflection.v1(request).await,
            "grpc.reflection.v1alpha.ServerReflection" => self.reflection.v1alpha(request).await,
            _ => {
                let message = format!("There is no method {} here.", request.uri().path());
                Ok(bare(Code::Unimplemented, &message).into_http())
            }
        }
    }
}

/// True for a caller that packs its call and can read a packed answer.
fn packs(headers: &HeaderMap) -> bool {
    let read = |name: &str| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let accepted = read("grpc-accept-encoding");
    read("grpc-encoding") == b"gzip"
        && accepted
            .split(|byte| *byte == b',')
            .any(|word| word.trim_ascii() == b"gzip")
}

/// The first part of `/{service}/{method}`.
fn service(uri: &http::Uri) -> &str {
    let path = uri.path().get(1..).unwrap_or_default();
    path.split_once('/').map_or(path, |(service, _)| service)
}

fn end(guard: Option<&Guard>, code: Code) {
    if let Some(guard) = guard {
        guard.end(code);
    }
}

/// Details on every error, trailers on every answer; what the request takes of the bound on memory it keeps until the
/// answer has been sent.
fn finish(mut answer: Answer, guard: Option<Guard>, held: Held) -> Answer {
    if let Some(status) = without_details(answer.headers()) {
        end(guard.as_ref(), status.code());
        return status.into_http();
    }
    let Some(guard) = guard else { return answer };
    match code(answer.headers()) {
        // An error has no body: its trailers are its headers.
        Some(code) => {
            if let Some(id) = guard.started() {
                answer.headers_mut().insert(ACTIVATION_ID, id);
            }
            guard.end(code);
        }
        None => return with_trailers(answer, guard, held),
    }
    answer
}

fn with_trailers(answer: Answer, guard: Guard, held: Held) -> Answer {
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // Lives as long as the body does.
            let _held = &held;
            match frame.into_trailers() {
                Ok(trailers) => {
                    let mut trailers = trail(trailers, &guard.facts());
                    if let Some(id) = guard.started() {
                        trailers.insert(ACTIVATION_ID, id);
                    }
                    guard.end(code(&trailers).unwrap_or(Code::Ok));
                    Frame::trailers(trailers)
                }
                Err(frame) => frame,
            }
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
