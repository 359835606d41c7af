//! Path → service, and what must hold for every answer: a panic ends one call only, every error has
//! details, every answer has its trailers.
//!
//! A match on the path replaces the framework's router (5k instructions a call less,
//! `docs/performance.md`).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use super::answer::{end, finish};
use super::auth::{Proof, Tokens};
use super::caller::{Caller, Limits, MemoryBounds, Shares};
use super::deadline::CallerDeadline;
use super::deadline_body::DeadlineBody;
use super::early::{Answered, Pending, later};
use super::headers::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, PREVIOUS_ATTEMPTS};
use super::intake::{Accepted, BufferedBody, no_room};
use super::methods::{Method, Route};
use super::observe::CallObserver;
use super::one_message::OneMessage;
use super::protocol;
use super::reflection::Reflection;
use super::serve::Arrival;
use super::status::{Context, bare, crowded, packed_otherwise, panicked, status};
use super::{Health, Services};
use crate::memory::{CALL, HEADER_FACTOR, Held, Memory};
use crate::proto::health::health_server::HealthServer;
use crate::telemetry::Telemetry;

/// The largest question about health or the API: names are short.
pub(super) const MAX_QUESTION: usize = 8 << 10;
/// What a stream of reflection may hold: descriptors, some of them twice.
const REFLECTION: usize = 256 << 10;

/// All services of one listener; clones are the same services.
#[derive(Clone, Debug)]
pub struct Router {
    services: Arc<ServiceSet>,
    tokens: Option<Arc<Tokens>>,
    telemetry: Arc<Telemetry>,
    caller: Arc<Caller>,
    proof: Proof,
    /// Calls come over a Unix socket.
    local: bool,
}

#[derive(Debug)]
struct ServiceSet {
    faas: Services,
    health: HealthServer<Health>,
    reflection: Reflection,
    bounds: MemoryBounds,
    max_message_size: usize,
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
        let services = ServiceSet {
            faas: services.clone(),
            health: HealthServer::new(health.clone()).max_decoding_message_size(MAX_QUESTION),
            reflection: Reflection::default(),
            bounds: MemoryBounds::new(limits.memory.clone()),
            max_message_size: limits.max_message_size,
        };
        Self {
            caller: services.bounds.caller(0, &Shares::default(), false),
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
            caller: self.services.bounds.caller(number, shares, self.local),
            proof,
            ..self
        }
    }

    /// The same, for callers that must bring one of these tokens; health alone is asked without.
    #[must_use]
    pub fn guarded(self, tokens: Option<Arc<Tokens>>) -> Self {
        Self { tokens, ..self }
    }

    /// Begins to observe a call, if anybody is interested in it.
    fn observe(&self, route: Route) -> Option<CallObserver> {
        let name = route.observed_name()?;
        let invokes = matches!(route, Route::Rpc(method) if method.invokes);
        Some(CallObserver::new(
            &self.telemetry,
            name,
            invokes,
            &self.caller,
        ))
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
        let route = Route::find(request.uri().path());
        let observer = self.observe(route);
        let guard = observer.clone().map(CallObserver::guard);
        let mut refused = self.refused(route, request.headers());
        let mut deadline = None;
        match CallerDeadline::read(request.headers()) {
            Ok(None) => {}
            Ok(Some(asked)) => {
                deadline = Some(asked);
                let takes_id = matches!(route, Route::Rpc(method) if method.takes_request_id);
                let ids = takes_id.then(|| Arc::clone(&self.services.faas.dedup));
                request = request.map(|body| Body::new(DeadlineBody::new(body, asked.0, ids)));
            }
            Err(malformed) => refused = refused.or(Some(malformed)),
        }
        let mut held = Held::default();
        let refused = refused.or_else(|| self.hold(route, request.headers(), &mut held).err());
        let (services, caller) = (Arc::clone(&self.services), Arc::clone(&self.caller));
        let packs = packs(request.headers());
        let arriving = observer.clone();
        let work = async move {
            if let Some(refused) = refused {
                return finish(refused.into_http(), guard, Held::default());
            }
            let answer = match (route, arriving) {
                (Route::Rpc(method), Some(observer)) => {
                    let arrival = Arrival {
                        observer,
                        deadline,
                        max_message_size: services.max_message_size,
                    };
                    let answer = services.call(method, arrival, request, held, &caller.memory);
                    AssertUnwindSafe(answer).catch_unwind().await
                }
                _ => {
                    let answer = services.answer_question(route, request);
                    let answer = AssertUnwindSafe(answer).catch_unwind().await;
                    answer.map(|response| (response, held))
                }
            };
            match answer {
                Ok((response, held)) => finish(response, guard, held),
                Err(_) => {
                    end(guard.as_ref(), Code::Internal);
                    finish(panicked().into_http(), None, Held::default())
                }
            }
        };
        Pending::new(work, observer, packs)
    }

    /// Takes what the call costs of the bound on memory, before anything of its message is read.
    fn hold(&self, route: Route, headers: &HeaderMap, held: &mut Held) -> Result<(), Status> {
        let sizes = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32);
        let mut bytes = CALL + HEADER_FACTOR * sizes.sum::<usize>();
        let memory = match route {
            Route::Health { watch: true } => &self.caller.health_watches,
            Route::Health { watch: false } => &self.caller.health_checks,
            Route::Reflection { .. } => {
                bytes += REFLECTION;
                self.memory()
            }
            Route::Rpc(_) | Route::Unknown => self.memory(),
        };
        held.take(memory, bytes).map_err(|refusal| {
            self.services.note_unsent(headers);
            no_room(refusal)
        })
    }

    /// True for a question about health, which is answered whoever asks and however many ask.
    #[must_use]
    pub fn is_health<B>(request: &http::Request<B>) -> bool {
        let path = request.uri().path();
        matches!(Route::find(path), Route::Health { .. })
    }

    /// Room for a call that must wait before it is answered, or none.
    pub fn hold_back(&self, request: &http::Request<Body>) -> Option<Held> {
        let mut held = Held::default();
        let route = Route::find(request.uri().path());
        self.hold(route, request.headers(), &mut held)
            .ok()
            .map(|()| held)
    }

    /// The answer to a call on a connection that gets no place.
    pub fn refuse_crowded(&self, request: &http::Request<Body>) -> Pending {
        let observer = self.observe(Route::find(request.uri().path()));
        let guard = observer.map(CallObserver::guard);
        let refused = finish(crowded().into_http(), guard, Held::default());
        Pending::new(std::future::ready(refused), None, false)
    }

    /// The refusal of a caller without a token that it needs.
    fn refused(&self, route: Route, headers: &HeaderMap) -> Option<Status> {
        let tokens = self.tokens.as_ref()?;
        if matches!(route, Route::Health { .. }) {
            return None;
        }
        match tokens.check(headers) {
            Ok(()) => {
                self.proof.show();
                None
            }
            Err(refused) => Some(status(&refused, &Context::default())),
        }
    }
}

impl ServiceSet {
    /// The answer of an RPC, and what its request takes of the bound on memory.
    async fn call(
        &self,
        method: &Method,
        arrival: Arrival,
        request: http::Request<Body>,
        mut held: Held,
        memory: &Memory,
    ) -> (http::Response<Body>, Held) {
        let (mut head, body) = request.into_parts();
        let gzip = match head.headers.get(&GRPC_ENCODING).map(HeaderValue::as_bytes) {
            Some(b"gzip") => true,
            // Most libraries say that they can read gzip, whoever asked. On one machine time is
            // worth more than bytes: an answer is packed for a caller that packed its call, and for
            // no other.
            None | Some(b"identity") => {
                head.headers.remove(&GRPC_ACCEPT_ENCODING);
                false
            }
            Some(other) => return (packed_otherwise(other).into_http(), Held::default()),
        };
        let accepted = Accepted {
            max_size: self.max_message_size,
            gzip,
        };
        let body = match BufferedBody::read(body, memory, &mut held, accepted).await {
            Ok(body) => body,
            Err(refusal) => {
                self.note_unsent(&head.headers);
                return (refusal.into_http(), Held::default());
            }
        };
        arrival.observer.hold(std::mem::take(&mut held));
        let request = http::Request::from_parts(head, body);
        ((method.serve)(&self.faas, arrival, request).await, held)
    }

    /// Notes that a call was refused for want of room: its repetition is no retry to the target's
    /// budget.
    fn note_unsent(&self, headers: &HeaderMap) {
        if !headers.contains_key(&PREVIOUS_ATTEMPTS) {
            self.faas.unsent.note_first_try();
        }
    }

    /// The answer of the services beside `faas.v1`.
    async fn answer_question(
        &self,
        route: Route,
        request: http::Request<Body>,
    ) -> http::Response<Body> {
        let answer = match route {
            Route::Health { .. } => {
                let request = request.map(|body| Body::new(OneMessage::new(body)));
                self.health.clone().call(request).await
            }
            Route::Reflection { alpha } => {
                let reflection = self.reflection.clone();
                Ok(later(async move {
                    let Ok(response) = reflection.answer(alpha, request).await;
                    finish(response, None, Held::default())
                }))
            }
            Route::Rpc(_) | Route::Unknown => {
                let message = format!("There is no method {} here.", request.uri().path());
                Ok(bare(Code::Unimplemented, &message).into_http())
            }
        };
        let Ok(response) = answer;
        response
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
