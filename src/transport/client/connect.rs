//! A name → addresses → TCP → TLS → HTTP: a fresh connection, within one bound of time. Nothing of
//! a request is sent.
//!
//! Every connection looks the name up anew, so that changes in DNS are followed as connections are
//! replaced.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::http1::Http1;
use super::http2::Http2;
use super::origin::OriginContext;
use super::race;
use super::resolver::{Resolver, is_local};
use super::wire::Stream;
use crate::transport::tls::Tls;

/// Opens connections to one origin.
pub(super) struct Connector {
    resolver: Resolver,
    tls: Option<Tls>,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    timeout: Duration,
    max_age: Duration,
    /// The server asked for HTTP/1.1 although it offers HTTP/2 (`HTTP_1_1_REQUIRED`).
    only_http1: AtomicBool,
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
    /// The handshake failed; `lasting` when trying again cannot help, as with a certificate that is
    /// not trusted.
    Tls { why: String, lasting: bool },
    /// The server does not speak HTTP.
    Http(String),
    /// It took too long.
    Timeout,
    /// This process has no descriptor, port or thread left.
    Local(String),
}

impl Connector {
    pub(super) fn new(
        (host, port): (String, u16),
        tls: Option<Tls>,
        resolver: Resolver,
        (timeout, max_age): (Duration, Duration),
    ) -> Self {
        Self {
            resolver,
            tls,
            host,
            port,
            timeout,
            max_age,
            only_http1: AtomicBool::new(false),
        }
    }

    /// Connects.
    pub(super) async fn connect(
        &self,
        origin: &Arc<OriginContext>,
    ) -> Result<Connected, ConnectFault> {
        timeout_at(Instant::now() + self.timeout, self.open(origin))
            .await
            .unwrap_or(Err(ConnectFault::Timeout))
    }

    /// Whether the server can choose its protocol: only in the TLS handshake.
    pub(super) fn negotiates(&self) -> bool {
        self.tls.is_some() && !self.only_http1.load(Ordering::Relaxed)
    }

    /// Offers HTTP/1.1 alone from now on; true the first time.
    pub(super) fn leave_http2(&self) -> bool {
        !self.only_http1.swap(true, Ordering::Relaxed)
    }

    async fn open(&self, origin: &Arc<OriginContext>) -> Result<Connected, ConnectFault> {
        let began = Instant::now();
        let socket = self.reach().await?;
        // A TLS handshake takes several round trips: it must not make a call's time look too short.
        origin.round_trip.note(began.elapsed());
        let Some(tls) = &self.tls else {
            return http1(Stream::Plain(socket), self.retirement()).await;
        };
        let tls = TlsConnector::from(self.offer(tls));
        let stream = tls
            .connect(self.server_name()?, socket)
            .await
            .map_err(|fault| {
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
        let retires = self.retirement();
        if http2 {
            let connection = Http2::open(stream, retires, Arc::clone(origin)).await?;
            return Ok(Connected::Http2(connection));
        }
        http1(stream, retires).await
    }

    /// A TCP connection. A quarter of the time goes to the name at most, when addresses of before
    /// are known.
    async fn reach(&self) -> Result<TcpStream, ConnectFault> {
        let addresses = match self.host.parse::<IpAddr>() {
            Ok(address) => [address].into(),
            Err(_) => {
                let found = self.resolver.addresses(&self.host, self.timeout / 4).await;
                found.map_err(|fault| {
                    if fault.local {
                        ConnectFault::Local(fault.why)
                    } else {
                        ConnectFault::Dns(fault.why)
                    }
                })?
            }
        };
        let order = self.resolver.in_order(&addresses, self.port);
        race::connect(order, &self.resolver).await.map_err(|fault| {
            if is_local(&fault) {
                ConnectFault::Local(fault.to_string())
            } else if fault.kind() == std::io::ErrorKind::TimedOut {
                ConnectFault::Timeout
            } else {
                ConnectFault::Tcp(fault.to_string())
            }
        })
    }

    fn offer(&self, tls: &Tls) -> Arc<ClientConfig> {
        let config = tls.config();
        if self.negotiates() {
            return config;
        }
        let mut config = ClientConfig::clone(&config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    fn server_name(&self) -> Result<ServerName<'static>, ConnectFault> {
        ServerName::try_from(self.host.clone()).map_err(|fault| ConnectFault::Tls {
            why: format!("{}: {fault}", self.host),
            lasting: true,
        })
    }

    /// Spread over a fifth, so that connections made together do not end together.
    fn retirement(&self) -> Instant {
        Instant::now() + self.max_age.mul_f64(0.9 + 0.2 * fastrand::f64())
    }
}

impl ConnectFault {
    /// The server refused the handshake although the client's side of it had ended.
    pub(super) fn refused(alert: AlertDescription) -> Self {
        Self::Tls {
            why: format!("the server refuses the handshake: {alert:?}"),
            lasting: true,
        }
    }
}

async fn http1(stream: Stream, retires: Instant) -> Result<Connected, ConnectFault> {
    Http1::open(stream, retires)
        .await
        .map(Connected::Http1)
        .map_err(|fault| ConnectFault::Http(fault.to_string()))
}
