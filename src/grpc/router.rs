//! Path → service, and what must hold for every answer: a panic ends one call only, every error has
//! details, every answer has its trailers.
//!
//! A match on the path replaces the framework's router (5k instructions a call less,
//! `docs/performance.md`).

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue};
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Status};
use tower::Service;

use super::answer::{end, finish};
use super::arriving::Arriving;
use super::auth::{Proof, Tokens};
use super::caller::{Caller, Limits, Rooms, Shares};
use super::deadline::Asked;
use super::dedup::Dedup;
use super::early::{Answered, Pending, later};
use super::headers::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, PREVIOUS_ATTEMPTS};
use super::intake::{Accepted, Intake, no_room};
use super::methods::{self, Method};
use super::observe::{Guard, Observed};
use super::one_message::OneMessage;
use super::protocol;
use super::reflection::Reflection;
use super::status::{Context, bare, crowded, packed_otherwise, panicked, status};
use super::{Health, Services};
use crate::call::Unsent;
use crate::memory::{CALL, HEADER_FACTOR, Held, Memory};
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

const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION_V1: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// The largest question about health or the API: names are short.
pub(super) const MAX_QUESTION: usize = 8 << 10;
/// What a stream of reflection may hold: descriptors, some of them twice.
const REFLECTION: usize = 256 << 10;

type Response = http::Response<Body>;

/// All services of one listener; clones are the same services.
#[derive(Clone, Debug)]
pub struct Router {
    services: Arc<All>,
    tokens: Option<Arc<Tokens>>,
    telemetry: Arc<Telemetry>,
    caller: Arc<Caller>,
    proof: Proof,
    /// Calls come over a Unix socket.
    local: bool,
}

#[derive(Debug)]
struct All {
    package: PackageServiceServer<Services>,
    action: ActionServiceServer<Services>,
    invocation: InvocationServiceServer<Services>,
    trigger: TriggerServiceServer<Services>,
    health: HealthServer<Health>,
    reflection: Reflection,
    rooms: Rooms,
    ids: Arc<Dedup>,
    max_message_size: usize,
    unsent: Arc<Unsent>,
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
    pub fn new(
        services: &Services,
        health: &Health,
        limits: &Limits,
        telemetry: Arc<Telemetry>,
    ) -> Self {
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
            health: HealthServer::new(health.clone()).max_decoding_message_size(MAX_QUESTION),
            reflection: Reflection::default(),
            rooms: Rooms::new(limits.memory.clone()),
            ids: Arc::clone(&services.dedup),
            max_message_size: size,
            unsent: Arc::clone(&services.unsent),
        };
        Self {
            caller: services.rooms.caller(0, &Shares::default(), false),
            services: Arc::new(services),
            tokens: None,
            telemetry,
            proof: Proof::default(),
            local: false,
        }
    }

    /// The same, for calls over a Unix socket.
    #[must_use]
    pub fn local(self) -> Self {
        Self {
            local: true,
            ..self
        }
    }

    /// The bound on memory that its calls share.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.caller.memory
    }

    /// The same, for the calls of one connection: its number, what its peer holds, and what notes
    /// that a call on it showed a good token.
    #[must_use]
    pub fn on_connection(self, number: u64, shares: &Shares, proof: Proof) -> Self {
        Self {
            caller: self.services.rooms.caller(number, shares, self.local),
            proof,
            ..self
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
        let observed = Observed::new(&self.telemetry, method, &self.caller);
        request.extensions_mut().insert(observed.clone());
        Some(observed.guard())
    }

    /// The answer to one request, whatever becomes of it.
    pub fn answer(&self, mut request: http::Request<Body>) -> Pending {
        if let Some(refusal) = protocol::refuse(&request) {
            let refused = async move {
                protocol::hear_out(request.into_body()).await;
                Answered {
                    response: refusal,
                    send_by: None,
                }
            };
            return Pending::new(refused, None, false);
        }
        let guard = self.watch(&mut request);
        let mut refused = self.refused(&request);
        match Asked::read(request.headers()) {
            Ok(None) => {}
            Ok(Some(asked)) => {
                request.extensions_mut().insert(asked);
                let ids = methods::takes_request_id(request.uri().path())
                    .then(|| Arc::clone(&self.services.ids));
                request = request.map(|body| Body::new(Arriving::new(body, asked.0, ids)));
            }
            Err(malformed) => refused = refused.or(Some(malformed)),
        }
        let mut held = Held::default();
        let refused = refused.or_else(|| self.hold(&request, &mut held).err());
        let (services, caller) = (Arc::clone(&self.services), Arc::clone(&self.caller));
        let (observed, packs) = (
            request.extensions().get().cloned(),
            packs(request.headers()),
        );
        let work = async move {
            if let Some(refused) = refused {
                return finish(refused.into_http(), guard, Held::default());
            }
            match AssertUnwindSafe(services.dispatch(request, held, &caller.memory))
                .catch_unwind()
                .await
            {
                Ok(Ok((response, held))) => finish(response, guard, held),
                Ok(Err(never)) => match never {},
                Err(_) => {
                    end(guard.as_ref(), Code::Internal);
                    finish(panicked().into_http(), None, Held::default())
                }
            }
        };
        Pending::new(work, observed, packs)
    }

    /// Takes what the call costs of the bound on memory, before anything of its message is read.
    fn hold(&self, request: &http::Request<Body>, held: &mut Held) -> Result<(), Status> {
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32);
        let mut bytes = CALL + HEADER_FACTOR * headers.sum::<usize>();
        let memory = match service(request.uri()) {
            HEALTH if request.uri().path().ends_with("/Watch") => &self.caller.health_watches,
            HEALTH => &self.caller.health_checks,
            REFLECTION_V1 | REFLECTION_V1ALPHA => {
                bytes += REFLECTION;
                self.memory()
            }
            _ => self.memory(),
        };
        held.take(memory, bytes).map_err(|refusal| {
            self.services.note_unsent(request.headers());
            no_room(refusal)
        })
    }

    /// True for a question about health, which is answered whoever asks and however many ask.
    #[must_use]
    pub fn is_health<B>(request: &http::Request<B>) -> bool {
        service(request.uri()) == HEALTH
    }

    /// Room for a call that must wait before it is answered, or none.
    pub fn hold_back(&self, request: &http::Request<Body>) -> Option<Held> {
        let mut held = Held::default();
        self.hold(request, &mut held).ok().map(|()| held)
    }

    /// The answer to a call on a connection that gets no place.
    pub fn refuse_crowded(&self, mut request: http::Request<Body>) -> Pending {
        let guard = self.watch(&mut request);
        let refused = finish(crowded().into_http(), guard, Held::default());
        Pending::new(std::future::ready(refused), None, false)
    }

    /// The refusal of a caller without a token that it needs.
    fn refused(&self, request: &http::Request<Body>) -> Option<Status> {
        let tokens = self.tokens.as_ref()?;
        if Self::is_health(request) {
            return None;
        }
        match tokens.check(request.headers()) {
            Ok(()) => {
                self.proof.show();
                None
            }
            Err(refused) => Some(status(&refused, &Context::default())),
        }
    }
}

impl All {
    /// The service's own answer, and what its request takes of the bound on memory.
    async fn dispatch(
        &self,
        request: http::Request<Body>,
        mut held: Held,
        memory: &Memory,
    ) -> Result<(Response, Held), Infallible> {
        let own = match service(request.uri()) {
            "faas.v1.InvocationService" => Own::Invocation,
            "faas.v1.ActionService" => Own::Action,
            "faas.v1.PackageService" => Own::Package,
            "faas.v1.TriggerService" => Own::Trigger,
            _ => return Ok((self.other(request).await?, held)),
        };
        let (mut head, body) = request.into_parts();
        let observed = head.extensions.get::<Observed>().cloned();
        let gzip = match head.headers.get(&GRPC_ENCODING).map(HeaderValue::as_bytes) {
            Some(b"gzip") => true,
            // Most libraries say that they can read gzip, whoever asked. On one machine time is
            // worth more than bytes: an answer is packed for a caller that packed its call, and for
            // no other.
            None | Some(b"identity") => {
                head.headers.remove(&GRPC_ACCEPT_ENCODING);
                false
            }
            Some(other) => return Ok((packed_otherwise(other).into_http(), Held::default())),
        };
        let accepted = Accepted {
            max_size: self.max_message_size,
            gzip,
        };
        let body = match Intake::read(body, memory, &mut held, accepted).await {
            Ok(body) => body,
            Err(refusal) => {
                self.note_unsent(&head.headers);
                return Ok((refusal.into_http(), Held::default()));
            }
        };
        if let Some(observed) = observed {
            observed.hold(std::mem::take(&mut held));
        }
        let request = http::Request::from_parts(head, body);
        let answer = match own {
            Own::Invocation => self.invocation.clone().call(request),
            Own::Action => self.action.clone().call(request),
            Own::Package => self.package.clone().call(request),
            Own::Trigger => self.trigger.clone().call(request),
        };
        Ok((answer.await?, held))
    }

    /// Notes that a call was refused for want of room: its repetition is no retry to the target's
    /// budget.
    fn note_unsent(&self, headers: &HeaderMap) {
        if !headers.contains_key(&PREVIOUS_ATTEMPTS) {
            self.unsent.note_first_try();
        }
    }

    async fn other(&self, request: http::Request<Body>) -> Result<Response, Infallible> {
        match service(request.uri()) {
            HEALTH => {
                let request = request.map(|body| Body::new(OneMessage::new(body)));
                self.health.clone().call(request).await
            }
            name @ (REFLECTION_V1 | REFLECTION_V1ALPHA) => {
                let (reflection, older) = (self.reflection.clone(), name == REFLECTION_V1ALPHA);
                Ok(later(async move {
                    let answer = if older {
                        reflection.v1alpha(request).await
                    } else {
                        reflection.v1(request).await
                    };
                    match answer {
                        Ok(response) => finish(response, None, Held::default()),
                        Err(never) => match never {},
                    }
                }))
            }
            _ => {
                let message = format!("There is no method {} here.", request.uri().path());
                Ok(bare(Code::Unimplemented, &message).into_http())
            }
        }
    }
}

/// True for a caller that packs its call and can read a packed answer.
fn packs(headers: &HeaderMap) -> bool {
    let reads_gzip = |accepted: &HeaderValue| {
        let mut words = accepted.as_bytes().split(|byte| *byte == b',');
        words.any(|word| word.trim_ascii() == b"gzip")
    };
    headers.get(&GRPC_ENCODING).is_some_and(|it| it == "gzip")
        && headers.get(&GRPC_ACCEPT_ENCODING).is_some_and(reads_gzip)
}

/// The first part of `/{service}/{method}`.
fn service(uri: &http::Uri) -> &str {
    let path = uri.path().get(1..).unwrap_or_default();
    path.split_once('/').map_or(path, |(service, _)| service)
}
