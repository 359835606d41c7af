//! A look at the way to a host, step by step, on connections of its own: name, TCP, TLS. Sends no
//! request.
//!
//! The data path does all of this at once and tells the first failure in a sentence; here each step
//! is told by itself, with what was observed.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::tls::Tls;

pub mod certificate;

use certificate::Certificate;

/// Why a step failed: a symbol for programs, and what was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub problem: Problem,
    /// The observation, in one sentence without an end mark.
    pub fact: String,
}

/// What can go wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The name has no address, or no name server answered.
    NoAddress,
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    Timeout,
    /// Any other failure of the network.
    Network,
    /// The server's certificate is for other names.
    WrongName,
    /// The certificate has ended or is not good yet.
    Expired,
    /// Nobody that we trust vouches for the certificate.
    Untrusted,
    /// The server does not speak TLS there, or no version in common.
    NotTls,
    /// A configured certificate file cannot be used.
    BadFiles,
}

/// A TLS session as it was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// Name of the cipher suite.
    pub cipher: String,
    /// `h2`, `http/1.1`, or nothing.
    pub alpn: Option<String>,
}

/// What a handshake showed; the chain is there even when it was refused.
#[derive(Debug)]
pub struct Handshake {
    /// The server's own certificate first.
    pub chain: Vec<Certificate>,
    /// The session, or why there is none.
    pub outcome: Result<Session, Failure>,
}

/// The addresses of a name.
///
/// # Errors
/// When it has none in time.
pub async fn resolve(host: &str, port: u16, ends: Instant) -> Result<Vec<SocketAddr>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match timeout_at(ends, tokio::net::lookup_host((bare, port))).await {
        Err(_) => Err(failure(Problem::Timeout, "no name server answered in time")),
        Ok(Err(why)) => Err(failure(
            Problem::NoAddress,
            format!("{host} has no address ({why})"),
        )),
        Ok(Ok(found)) => {
            let mut found: Vec<_> = found.collect();
            found.dedup();
            if found.is_empty() {
                return Err(failure(
                    Problem::NoAddress,
                    format!("{host} has no address"),
                ));
            }
            Ok(found)
        }
    }
}

/// The first address that accepts a connection, with how long it took.
///
/// # Errors
/// When none does.
pub async fn connect(
    addresses: &[SocketAddr],
    bound: Duration,
    ends: Instant,
) -> Result<(TcpStream, SocketAddr, Duration), Failure> {
    let mut last = failure(Problem::NoAddress, "there is no address to connect to");
    for address in addresses {
        let began = Instant::now();
        last = match timeout_at(ends.min(began + bound), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address, began.elapsed())),
            Ok(Err(why)) if why.kind() == std::io::ErrorKind::ConnectionRefused => {
                failure(Problem::Refused, format!("{address} refuses connections"))
            }
            Ok(Err(why)) => failure(
                Problem::Network,
                format!("{address} cannot be reached ({why})"),
            ),
            Err(_) => {
                let waited = began.elapsed().as_millis();
                failure(
                    Problem::Timeout,
                    format!("{address} did not answer within {waited} ms"),
                )
            }
        };
    }
    Err(last)
}

/// A handshake with the very roots, protocols and client certificate of the data path. The
/// connection is closed again.
pub async fn handshake(stream: TcpStream, host: &str, tls: &Tls, ends: Instant) -> Handshake {
    let seen = Arc::<Mutex<Vec<Certificate>>>::default();
    let outcome = agree(stream, host, tls, ends, Arc::clone(&seen)).await;
    let chain = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    Handshake { chain, outcome }
}

async fn agree(
    stream: TcpStream,
    host: &str,
    tls: &Tls,
    ends: Instant,
    seen: Arc<Mutex<Vec<Certificate>>>,
) -> Result<Session, Failure> {
    let config = tls
        .watched(|inner| Arc::new(Recording { inner, seen }))
        .map_err(|why| failure(Problem::BadFiles, why))?;
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(bare).map_err(|_| {
        failure(
            Problem::WrongName,
            format!("{host} is no name that a certificate can hold"),
        )
    })?;
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout_at(ends, connecting).await {
        Err(_) => Err(failure(
            Problem::Timeout,
            "the server did not finish the TLS handshake in time",
        )),
        Ok(Err(why)) => Err(refused(&why)),
        Ok(Ok(stream)) => {
            let (_, session) = stream.get_ref();
            Ok(Session {
                version: session
                    .protocol_version()
                    .and_then(|version| version.as_str())
                    .unwrap_or("unknown")
                    .replace('_', "."),
                cipher: session
                    .negotiated_cipher_suite()
                    .and_then(|suite| suite.suite().as_str())
                    .unwrap_or("unknown")
                    .to_owned(),
                alpn: session
                    .alpn_protocol()
                    .map(|name| String::from_utf8_lossy(name).into_owned()),
            })
        }
    }
}

fn refused(why: &std::io::Error) -> Failure {
    let tls = why
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let problem = match tls {
        Some(rustls::Error::InvalidCertificate(fault)) => match fault {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Problem::Expired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Problem::WrongName
            }
            _ => Problem::Untrusted,
        },
        Some(_) => Problem::NotTls,
        None if why.kind() == std::io::ErrorKind::UnexpectedEof => Problem::NotTls,
        None => Problem::Network,
    };
    let words = tls.map_or_else(|| why.to_string(), ToString::to_string);
    failure(problem, format!("the TLS handshake failed ({words})"))
}

fn failure(problem: Problem, fact: impl Into<String>) -> Failure {
    Failure {
        problem,
        fact: fact.into(),
    }
}

/// Verifies as always, and keeps the chain.
struct Recording {
    inner: Arc<WebPkiServerVerifier>,
    seen: Arc<Mutex<Vec<Certificate>>>,
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = std::iter::once(end_entity)
            .chain(intermediates)
            .filter_map(|der| certificate::read(der))
            .collect();
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

impl Handshake {
    /// The certificate of the chain that ends first.
    #[must_use]
    pub fn first_to_end(&self) -> Option<(&Certificate, SystemTime)> {
        self.chain
            .iter()
            .filter_map(|found| Some((found, found.not_after?)))
            .min_by_key(|(_, end)| *end)
    }
}
