//! The command line's own gRPC client: one connection to a running sidecar.

mod failure;

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use tower::util::BoxCloneService;

use super::address::Address;
use super::reach::Reach;
use crate::error::root_cause;
use crate::proto::health::health_client::HealthClient;
use crate::proto::invocation_service_client::InvocationServiceClient;
use crate::transport::Tls;

pub(super) use failure::{ClientFailure, failure};

/// The largest message accepted and sent: more than a sidecar's own default, so that its limit is
/// what speaks.
pub(super) const MAX_MESSAGE: usize = 64 << 20;
/// A sidecar is near: one that takes longer to accept a connection is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// A server speaks first on HTTP/2 (RFC 9113 §3.4); one that does not within this time is believed
/// to let us in.
const WELCOME: Duration = Duration::from_secs(1);

/// A client of one of our services, with the message limits of this program.
macro_rules! limited {
    ($client:ident, $channel:expr) => {
        $client::new($channel)
            .max_decoding_message_size($crate::cli::client::MAX_MESSAGE)
            .max_encoding_message_size($crate::cli::client::MAX_MESSAGE)
    };
}
#[cfg(feature = "emulator")]
pub(super) use limited;

/// One connection, and when everything asked over it must be answered.
#[derive(Debug)]
pub(super) struct Client {
    channel: Channel,
    deadline: Option<Instant>,
    token: Option<MetadataValue<Ascii>>,
}

impl Client {
    /// Connects; `timeout` bounds this and the calls that follow together.
    pub(super) async fn connect(
        reach: &Reach,
        timeout: Option<Duration>,
    ) -> Result<Self, ClientFailure> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let address = &reach.address;
        let token = reach.token().map_err(misconfigured)?;
        let endpoint = match address {
            Address::Tcp(host) | Address::Tls(host) => {
                Endpoint::from_shared(format!("http://{host}"))
            }
            Address::Unix(path) => Endpoint::from_shared(format!("unix:{}", path.display())),
        }
        .map_err(|why| absent(address, &why))?
        .tcp_nodelay(true);
        // A Unix socket ignores the endpoint's own connect timeout, hence this one.
        let patience = timeout.unwrap_or(CONNECT).min(CONNECT);
        let connecting = async {
            match (reach.tls().map_err(misconfigured)?, address) {
                (Some(tls), Address::Tls(host)) => {
                    let connector = secure(&tls, host).map_err(misconfigured)?;
                    Ok(endpoint.connect_with_connector(connector).await)
                }
                _ => Ok(endpoint.connect().await),
            }
        };
        match tokio::time::timeout(patience, connecting).await {
            Ok(Err(fault)) => Err(fault),
            Ok(Ok(Ok(channel))) => Ok(Self {
                channel,
                deadline,
                token,
            }),
            Ok(Ok(Err(why))) => Err(absent(address, &why)),
            Err(_) => Err(unreachable(
                address,
                &format!("no answer within {patience:?}"),
            )),
        }
    }

    /// A request that carries what is left of the time as its deadline, and the token.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        request
    }

    /// The service that runs functions.
    pub(super) fn invocation(&self) -> InvocationServiceClient<Channel> {
        limited!(InvocationServiceClient, self.channel.clone())
    }

    /// The health service.
    pub(super) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }

    /// The connection, for clients of other services.
    #[cfg(feature = "emulator")]
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// Connects to `host:port` with TLS; the library's own TLS would bring its own set of crates.
fn secure(tls: &Tls, host: &str) -> Result<Secure, String> {
    let bare = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = ServerName::try_from(bare.trim_matches(['[', ']']).to_owned())
        .map_err(|why| format!("{bare} is no name that a certificate can hold ({why})"))?;
    let (connector, host) = (TlsConnector::from(tls.config()), host.to_owned());
    Ok(BoxCloneService::new(service_fn(move |_: http::Uri| {
        let (connector, host, name) = (connector.clone(), host.clone(), name.clone());
        async move {
            let socket = TcpStream::connect(host).await?;
            socket.set_nodelay(true)?;
            let stream = connector.connect(name, socket).await?;
            Ok(TokioIo::new(welcomed(stream).await?))
        }
    })))
}

type Stream = BufReader<TlsStream<TcpStream>>;
type Secure = BoxCloneService<http::Uri, TokioIo<Stream>, io::Error>;

/// Waits for the server's first word. With TLS 1.3 it judges a client's certificate when the
/// client's handshake is over: a refusal comes in place of that word, and whoever asked before
/// would try again and again.
async fn welcomed(stream: TlsStream<TcpStream>) -> io::Result<Stream> {
    let mut stream = BufReader::new(stream);
    match timeout(WELCOME, stream.fill_buf()).await {
        Ok(Err(why)) => Err(why),
        Ok(Ok([])) => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "it closed the connection right after the TLS handshake",
        )),
        Ok(Ok(_)) | Err(_) => Ok(stream),
    }
}

/// A file that the arguments name is wrong.
fn misconfigured(why: String) -> ClientFailure {
    ClientFailure {
        code: "FAILED_PRECONDITION".to_owned(),
        message: why,
        reason: "CLIENT_FILE_UNUSABLE".to_owned(),
        details: vec![("execution".to_owned(), "not_started".to_owned())],
        fields: Vec::new(),
    }
}

fn absent(address: &Address, why: &tonic::transport::Error) -> ClientFailure {
    // "transport error" says nothing; the system's own word is at the end of the chain.
    unreachable(address, &root_cause(why))
}

fn unreachable(address: &Address, why: &str) -> ClientFailure {
    // rustls' words: of an alert that came, and of its own judgement of the server.
    let message = if why.contains("fatal alert") {
        format!(
            "the sidecar at {address} refuses this client ({why}); if it has tls.client_ca_file, show a certificate of that \
             authority with --cert-file and --key-file"
        )
    } else if why.contains("invalid peer certificate") {
        format!(
            "the certificate at {address} is not to be trusted ({why}); name the authority that signed it with --ca-file, and \
             the sidecar by a name that the certificate holds"
        )
    } else {
        format!(
            "no sidecar answers at {address} ({why}); start one with `faas-sidecar serve`, or say where it is with --address"
        )
    };
    ClientFailure {
        code: "UNAVAILABLE".to_owned(),
        message,
        reason: "SIDECAR_UNREACHABLE".to_owned(),
        details: vec![("execution".to_owned(), "not_started".to_owned())],
        fields: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_absent_sidecar_is_named_with_the_systems_word() {
        let directory = tempfile::tempdir().unwrap();
        let reach = Reach::plain(Address::Unix(directory.path().join("none.sock")));
        let failure = Client::connect(&reach, None).await.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.reason.as_str()),
            ("UNAVAILABLE", "SIDECAR_UNREACHABLE")
        );
        assert!(
            failure.message.contains("none.sock") && failure.message.contains("No such file"),
            "{}",
            failure.message
        );
    }
}
