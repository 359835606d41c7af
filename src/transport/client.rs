//! The HTTP client: one signed attempt, and how far it came.
//!
//! Follows no redirect (a signature is good for one host and path), knows no proxy, decompresses
//! nothing, repeats nothing that may have been received, and reads no more than the limit. Built on
//! hyper's and h2's single connections, because clients with a pool of their own cannot say what
//! was written when an exchange fails (`docs/decisions.md`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use http_body_util::Full;
use tokio::time::{Instant, timeout_at};
use tracing::info;
use url::{Position, Url};

use super::settings::Settings;
use super::tls::Tls;
use super::{Request, Response};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::memory::{EXCHANGE, Held, Memory};
use crate::telemetry::metrics::TargetMetrics;

mod connect;
mod fault;
mod frames;
mod handshake;
mod http1;
mod http2;
mod origin;
mod pool;
mod progress;
mod race;
mod read;
mod resolver;
mod round_trip;
mod wire;

use connect::Connector;
use pool::{Lease, Pool};
use progress::{Progress, Received, Stage};
pub use resolver::Resolver;
use round_trip::RoundTrip;

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("faas-sidecar/", env!("CARGO_PKG_VERSION")));

/// One target's connections.
pub struct Client {
    tls: Option<Tls>,
    connect_timeout: Duration,
    max_age: Duration,
    idle: Duration,
    max_response_size: usize,
    memory: Memory,
    round_trip: Arc<RoundTrip>,
    resolver: Resolver,
    metrics: Arc<TargetMetrics>,
    /// By scheme, host and port; a target has one or two.
    origins: Mutex<HashMap<String, Arc<Origin>>>,
}

/// Where requests go, prepared once.
struct Origin {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    pool: Arc<Pool>,
}

/// The headers of one attempt.
struct Outgoing<'a> {
    call: &'a Call,
    request: &'a Request,
    signature: &'a [(HeaderName, HeaderValue)],
}

impl Client {
    /// Prepares connections; opens none.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            tls: settings.tls.clone(),
            connect_timeout: settings.timeouts.connect,
            max_age: settings.timeouts.max_connection_age,
            idle: settings.timeouts.idle,
            max_response_size: settings.limits.max_response_size,
            memory: settings.memory.clone(),
            round_trip: Arc::new(RoundTrip::new()),
            resolver: settings.resolver.clone(),
            metrics: Arc::clone(&settings.metrics),
            origins: Mutex::default(),
        }
    }

    /// True when a call with so much time left cannot be answered by this upstream any more.
    pub(super) fn hopeless(&self, left: Duration) -> bool {
        self.round_trip.hopeless(left)
    }

    /// Sends one signed attempt and reads its answer, within `bound` and the caller's deadline. The
    /// answer comes with the memory that it takes; a failure with the headers of the answer, as far
    /// as it came.
    pub(super) async fn send(
        &self,
        call: &Call,
        request: &Request,
        signature: &[(HeaderName, HeaderValue)],
        bound: Duration,
    ) -> std::result::Result<(Response, Held), (Error, HeaderMap)> {
        let began = Instant::now();
        let ends = (began + bound).min(call.deadline);
        let mut progress = Progress::default();
        let outgoing = Outgoing {
            call,
            request,
            signature,
        };
        let sent = match timeout_at(ends, self.exchange(&outgoing, &mut progress)).await {
            Ok(sent) => {
                if sent.is_ok() {
                    self.round_trip.note(began.elapsed());
                }
                sent
            }
            Err(_) if ends == call.deadline => Err(Call::out_of_time(progress.execution())),
            Err(_) => Err(fault::attempt_timed_out(bound, &progress)),
        };
        match sent {
            Ok(response) => Ok((response, std::mem::take(&mut progress.held))),
            Err(error) => Err(match progress.head.take() {
                Some((status, headers)) => {
                    let error = error.with(|facts| facts.http_status = Some(status.as_u16()));
                    (error, headers)
                }
                None => (error, HeaderMap::new()),
            }),
        }
    }

    async fn exchange(&self, outgoing: &Outgoing<'_>, progress: &mut Progress) -> Result<Response> {
        let origin = self.origin(&outgoing.request.url)?;
        loop {
            *progress = Progress::default();
            let lease = origin
                .pool
                .lease()
                .await
                .map_err(|fault| fault::unconnected(&fault))?;
            let answer = match lease {
                Lease::Http1(connection) => {
                    self.over_http1(&origin, connection, outgoing, progress)
                        .await
                }
                Lease::Http2(permit) => self.over_http2(&origin, permit, outgoing, progress).await,
            };
            progress.ended = true;
            // A connection that was closed while it idled, or had fewer streams than it had said:
            // nothing was processed, so this is no attempt yet. The next one is younger, or fresh,
            // or waits for a stream, so that this ends.
            if let Some(response) = answer? {
                return Ok(response);
            }
        }
    }

    /// `None`: the connection was no longer there and nothing was written.
    async fn over_http1(
        &self,
        origin: &Origin,
        mut connection: http1::Http1,
        outgoing: &Outgoing<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Response>> {
        progress.stage = Stage::Http1 {
            sent: Arc::clone(&connection.sent),
            pool: Arc::clone(&origin.pool),
            began: Instant::now(),
        };
        let mut held = Held::default();
        held.add(self.room(outgoing.call), EXCHANGE);
        let (reused, body) = (connection.reused, &outgoing.request.body);
        let answer = match connection
            .exchange(outgoing.http1(origin)?, body.len())
            .await
        {
            Ok(answer) => answer,
            Err(_) if reused && progress.received() == Received::Nothing => return Ok(None),
            Err(fault) => return Err(fault::lost_http1(progress, &fault)),
        };
        let (head, body) = answer.into_parts();
        let response = self.rest(outgoing.call, head, body, progress).await?;
        origin.pool.give_back(connection, &response.headers);
        Ok(Some(response))
    }

    /// `None`: the connection was no longer there and nothing was written; or the server had no
    /// stream left, and said so too late.
    async fn over_http2(
        &self,
        origin: &Origin,
        permit: http2::StreamPermit,
        outgoing: &Outgoing<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Response>> {
        let request = outgoing.http2(origin)?;
        let (connection, first) = (permit.connection.clone(), permit.first);
        let begun = connection
            .begin(request, outgoing.request.body.clone())
            .await;
        progress.stage = Stage::Http2 {
            stream: begun.as_ref().map_or(u32::MAX, |exchange| exchange.stream),
            crowd: begun.as_ref().map_or(0, |exchange| exchange.crowd),
            permit,
            began: Instant::now(),
        };
        let exchange = match begun {
            Ok(exchange) => exchange,
            Err(fault) => {
                connection.retire();
                return if first {
                    Err(fault::lost_http2(progress, &fault))
                } else {
                    Ok(None)
                };
            }
        };
        let answer = match exchange.head().await {
            Ok(answer) => answer,
            Err(fault) => {
                if http2::refused(&fault) {
                    if progress.was_too_many() {
                        return Ok(None);
                    }
                    progress.stage = Stage::Refused;
                }
                if http2::wants_http1(&fault) && origin.pool.leave_http2() {
                    info!(origin = %origin.authority, "the cloud asks for HTTP/1.1; HTTP/2 is not used with it any more");
                }
                return Err(fault::lost_http2(progress, &fault));
            }
        };
        let (head, body) = answer.into_parts();
        if head.headers.len() > http1::MAX_HEADERS {
            return Err(fault::head_too_large(progress));
        }
        self.rest(outgoing.call, head, body, progress)
            .await
            .map(Some)
    }

    /// Reads the rest of an answer whose head came.
    async fn rest(
        &self,
        call: &Call,
        head: http::response::Parts,
        body: impl read::Chunks,
        progress: &mut Progress,
    ) -> Result<Response> {
        let expected = content_length(&head.headers);
        let status = head.status;
        progress.head = Some((status, head.headers));
        let mut held = Held::default();
        let room = (self.room(call), &mut held);
        let body = read::whole(body, expected, self.max_response_size, progress, room).await?;
        progress.held = held;
        let headers = progress.head.take().map(|(_, headers)| headers);
        Ok(Response {
            status,
            headers: headers.unwrap_or_default(),
            body,
        })
    }

    /// The bound on memory that the call is counted in.
    fn room<'a>(&'a self, call: &'a Call) -> &'a Memory {
        call.room.as_ref().unwrap_or(&self.memory)
    }

    fn origin(&self, url: &Url) -> Result<Arc<Origin>> {
        let key = &url[..Position::BeforePath];
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = origins.get(key) {
            return Ok(Arc::clone(origin));
        }
        let origin = Arc::new(self.open_origin(url)?);
        origins.insert(key.to_owned(), Arc::clone(&origin));
        Ok(origin)
    }

    fn open_origin(&self, url: &Url) -> Result<Origin> {
        let unsendable = |why: &dyn fmt::Display| fault::unsendable(why);
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let host = HeaderValue::from_str(authority).map_err(|fault| unsendable(&fault))?;
        let authority = Authority::try_from(authority).map_err(|fault| unsendable(&fault))?;
        let (scheme, tls) = match url.scheme() {
            "https" => (Scheme::HTTPS, self.tls.clone()),
            _ => (Scheme::HTTP, None),
        };
        if scheme == Scheme::HTTPS && tls.is_none() {
            return Err(unsendable(&"the target was set up without TLS"));
        }
        let name = match url.host() {
            Some(url::Host::Domain(name)) => name.to_owned(),
            Some(url::Host::Ipv4(address)) => address.to_string(),
            // Without its brackets an IPv6 address is a name that certificates know.
            Some(url::Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let bounds = (self.connect_timeout, self.max_age);
        let connector = Connector::new((name, port), tls, self.resolver.clone(), bounds);
        let (trip, metrics) = (Arc::clone(&self.round_trip), Arc::clone(&self.metrics));
        let facts = origin::OriginContext::new(authority.to_string(), trip, metrics, self.idle);
        Ok(Origin {
            scheme,
            authority,
            host,
            pool: Pool::new(connector, facts),
        })
    }
}

impl Outgoing<'_> {
    fn http1(&self, origin: &Origin) -> Result<http::Request<Full<Bytes>>> {
        let mut outgoing = http::Request::new(Full::new(self.request.body.clone()));
        *outgoing.method_mut() = self.request.method.clone();
        *outgoing.uri_mut() = Uri::from(self.path()?);
        let headers = outgoing.headers_mut();
        headers.reserve(10 + self.request.headers.len());
        headers.insert(header::HOST, origin.host.clone());
        self.add_headers(headers);
        Ok(outgoing)
    }

    fn http2(&self, origin: &Origin) -> Result<http::Request<()>> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(origin.scheme.clone());
        parts.authority = Some(origin.authority.clone());
        parts.path_and_query = Some(self.path()?);
        let mut outgoing = http::Request::new(());
        *outgoing.method_mut() = self.request.method.clone();
        *outgoing.uri_mut() = Uri::from_parts(parts).map_err(|fault| fault::unsendable(&fault))?;
        let headers = outgoing.headers_mut();
        headers.reserve(10 + self.request.headers.len());
        self.add_headers(headers);
        if !self.request.body.is_empty() {
            headers.insert(
                header::CONTENT_LENGTH,
                HeaderValue::from(self.request.body.len()),
            );
        }
        Ok(outgoing)
    }

    /// Byte for byte what was signed.
    fn path(&self) -> Result<PathAndQuery> {
        let path = &self.request.url[Position::BeforePath..Position::AfterQuery];
        PathAndQuery::try_from(path).map_err(|fault| fault::unsendable(&fault))
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // Without this any coding of the answer is allowed (RFC 9110 §12.5.3).
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        for (name, value) in self.request.headers.iter().chain(self.signature) {
            headers.insert(name, value.clone());
        }
        // After signing, and never signed: a hop may rewrite them.
        for (name, value) in &self.call.trace {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(*name, value);
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Client")
            .field("origins", &origins.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
