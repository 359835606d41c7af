//! A name → addresses → TCP → TLS → HTTP: a fresh connection, within one bound of time. Nothing of a request is sent.
//!
//! Every connection looks the name up anew, so that changes in DNS are followed as connections are replaced.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::{Service, ServiceExt as _};

use super::http1::Http1;
use super::http2::Http2;
use super::round_trip::RoundTrip;
use super::wire::Stream;
use crate::transport::tls::Tls;

/// A peer that vanished without a word is noticed by the system after this, even on an idle connection.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Opens connections to one origin.
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: Option<Tls>,
    address: Uri,
    timeout: Duration,
    max_age: Duration,
    round_trip: Arc<RoundTrip>,
}

/// What was agreed on.
pub(super) enum Connected {
    Http1(Http1),
    Http2(Http2),
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(super) enum ConnectFault {
    /// The name has no address.
    Dns(String),
    /// No address accepts.
    Tcp(String),
    /// The handshake failed; `lasting` when trying again cannot help, as with a certificate that is not trusted.
    Tls { why: String, lasting: bool },
    /// The server does not speak HTTP.
    Http(String),
    /// It took too long.
    Timeout,
}

impl Connector {
    pub(super) fn new(
        address: Uri,
        tls: Option<Tls>,
        timeout: Duration,
        max_age: Duration,
        round_trip: Arc<RoundTrip>,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        Self {
            tcp,
            tls,
            address,
            timeout,
            max_age,
            round_trip,
        }
    }

    /// Connects.
    pub(super) async fn connect(&self) -> Result<Connected, ConnectFault> {
        let began = Instant::now();
        let connected = timeout_at(began + self.timeout, self.open())
            .await
            .unwrap_or(Err(ConnectFault::Timeout))?;
        self.round_trip.note(began.elapsed());
        Ok(connected)
    }

    /// Whether the server can choose its protocol: only in the TLS handshake.
    pub(super) fn negotiates(&self) -> bool {
        self.tls.is_some()
    }

    async fn open(&self) -> Result<Connected, ConnectFault> {
        let retires = self.retirement();
        let tcp = self.tcp.clone().oneshot(self.address.clone());
        let socket = tcp.await.map_err(|fault| unconnected(&fault))?.into_inner();
        let Some(tls) = &self.tls else {
            return http1(Stream::Plain(socket), retires).await;
        };
        let tls = TlsConnector::from(tls.config());
        let stream = tls.connect(self.server_name()?, socket).await.map_err(|fault| {
            let lasting = fault
                .get_ref()
                .is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>);
            ConnectFault::Tls {
                why: fault.to_string(),
                lasting,
            }
        })?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let stream = Stream::Tls(Box::new(stream));
        if http2 {
            let connection = Http2::open(stream, retires)
                .await
                .map_err(|fault| ConnectFault::Http(fault.to_string()))?;
            return Ok(Connected::Http2(connection));
        }
        http1(stream, retires).await
    }

    fn server_name(&self) -> Result<ServerName<'static>, ConnectFault> {
        let host = self.address.host().unwrap_or_default();
        // Without its brackets an IPv6 address is a name that certificates know.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(host.to_owned()).map_err(|fault| ConnectFault::Tls {
            why: format!("{host}: {fault}"),
            lasting: true,
        })
    }

    /// Spread over a fifth, so that connections made together do not end together.
    fn retirement(&self) -> Instant {
        Instant::now() + self.max_age.mul_f64(0.9 + 0.2 * fastrand::f64())
    }
}

async fn http1(stream: Stream, retires: Instant) -> Result<Connected, ConnectFault> {
    Http1::open(stream, retires)
        .await
        .map(Connected::Http1)
        .map_err(|fault| ConnectFault::Http(fault.to_string()))
}

fn unconnected(fault: &(dyn StdError + 'static)) -> ConnectFault {
    let mut cause = fault;
    let mut unresolved = false;
    loop {
        unresolved |= cause.is::<Unresolved>();
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    let timed_out = cause
        .downcast_ref::<std::io::Error>()
        .is_some_and(|fault| fault.kind() == std::io::ErrorKind::TimedOut);
    match (unresolved, timed_out) {
        (true, _) => ConnectFault::Dns(cause.to_string()),
        (_, true) => ConnectFault::Timeout,
        _ => ConnectFault::Tcp(cause.to_string()),
    }
}

/// The system's resolver, whose failures can be told from the others.
#[derive(Clone, Debug)]
struct Resolver(GaiResolver);

#[derive(Debug)]
struct Unresolved(std::io::Error);

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = Unresolved;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Unresolved)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let answer = self.0.call(name);
        Box::pin(async move { answer.await.map_err(Unresolved) })
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Unresolved {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        None
    }
}
