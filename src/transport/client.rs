//! The HTTP client: the only file that knows reqwest.
//!
//! Follows no redirect (a signature is good for one host and path), takes no proxy from the environment, decompresses
//! nothing, repeats nothing by itself, and reads no more than the limit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::{Instant, timeout_at};

use super::settings::Settings;
use super::{Request, Response};
use crate::call::Call;
use crate::error::{Component, Error, Execution, Kind, Result};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("faas-sidecar/", env!("CARGO_PKG_VERSION")));

/// The roots a target trusts.
#[derive(Debug)]
pub enum TlsRoots<'a> {
    /// Plain HTTP: none are needed.
    None,
    /// Mozilla's, built in, so that an image without a CA bundle works.
    Web,
    /// A PEM bundle instead.
    File(&'a Path),
}

/// One target's connections.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    max_response_size: usize,
}

impl Client {
    /// Prepares connections; opens none.
    ///
    /// # Errors
    /// When the CA file cannot be read.
    pub fn new(settings: &Settings) -> std::result::Result<Self, String> {
        let roots = match (&settings.ca_file, settings.tls) {
            (_, false) => TlsRoots::None,
            (Some(file), true) => TlsRoots::File(file),
            (None, true) => TlsRoots::Web,
        };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config(&roots)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.timeouts.connect)
            .pool_idle_timeout(settings.timeouts.idle)
            .tcp_nodelay(true)
            .build()
            .map_err(|fault| format!("the HTTP client cannot be built: {fault}"))?;
        Ok(Self {
            http,
            max_response_size: settings.limits.max_response_size,
        })
    }

    /// Sends one signed attempt and reads its answer, within `bound` and the caller's deadline. A failure comes with the
    /// headers of the answer, as far as it came.
    pub(super) async fn send(
        &self,
        call: &Call,
        request: &Request,
        signature: Vec<(HeaderName, HeaderValue)>,
        bound: Duration,
    ) -> std::result::Result<Response, (Error, HeaderMap)> {
        let attempt_ends = Instant::now() + bound;
        let ends = attempt_ends.min(call.deadline);
        let over = |execution| {
            if ends == call.deadline {
                Call::out_of_time(execution)
            } else {
                attempt_timed_out(bound, execution)
            }
        };
        let outgoing = self.http.execute(build(call, request, signature));
        let mut incoming = match timeout_at(ends, outgoing).await {
            Err(_) => return Err((over(Execution::Unknown), HeaderMap::new())),
            Ok(Err(fault)) => return Err((connection_failed(&fault), HeaderMap::new())),
            Ok(Ok(incoming)) => incoming,
        };
        let status = incoming.status();
        let headers = std::mem::take(incoming.headers_mut());
        // The head of a good answer came: the work was done, whatever becomes of the rest.
        let execution = if status.is_success() {
            Execution::Completed
        } else {
            Execution::Unknown
        };
        let body = timeout_at(ends, self.read(incoming))
            .await
            .map_err(|_| over(execution))
            .and_then(|read| read.map_err(|error| error.execution(execution)));
        match body {
            Ok(body) => Ok(Response {
                status,
                headers,
                body,
            }),
            Err(error) => Err((
                error.with(|facts| facts.http_status = Some(status.as_u16())),
                headers,
            )),
        }
    }

    async fn read(&self, mut incoming: reqwest::Response) -> Result<Bytes> {
        let limit = self.max_response_size;
        let expected = incoming.content_length().unwrap_or(0);
        if expected > limit as u64 {
            return Err(too_large(limit));
        }
        let Some(first) = incoming.chunk().await.map_err(|fault| cut(&fault))? else {
            return Ok(Bytes::new());
        };
        // Most answers come in one piece, which needs no copy.
        if first.len() as u64 == expected {
            return Ok(first);
        }
        let mut body = BytesMut::from(first);
        loop {
            if body.len() > limit {
                return Err(too_large(limit));
            }
            match incoming.chunk().await.map_err(|fault| cut(&fault))? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(body.freeze()),
            }
        }
    }
}

fn build(call: &Call, request: &Request, signature: Vec<(HeaderName, HeaderValue)>) -> reqwest::Request {
    let mut outgoing = reqwest::Request::new(request.method.clone(), request.url.clone());
    let headers = outgoing.headers_mut();
    headers.reserve(8 + request.headers.len());
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in request.headers.iter().cloned().chain(signature) {
        headers.insert(name, value);
    }
    // After signing, and never signed: a hop may rewrite them.
    for (name, value) in &call.trace {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    if !request.body.is_empty() {
        *outgoing.body_mut() = Some(reqwest::Body::from(request.body.clone()));
    }
    outgoing
}

/// The roots that a target trusts.
pub(super) fn root_store(roots: &TlsRoots<'_>) -> std::result::Result<rustls::RootCertStore, String> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        TlsRoots::None => {}
        TlsRoots::Web => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        TlsRoots::File(file) => {
            let broken = |why: String| format!("ca_file {}: {why}", file.display());
            let certificates =
                CertificateDer::pem_file_iter(file).map_err(|fault| broken(fault.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|fault| broken(fault.to_string()))?;
                store
                    .add(certificate)
                    .map_err(|fault| broken(fault.to_string()))?;
            }
            if store.is_empty() {
                return Err(broken("holds no certificate".to_owned()));
            }
        }
    }
    Ok(store)
}

fn tls_config(roots: &TlsRoots<'_>) -> std::result::Result<rustls::ClientConfig, String> {
    let store = root_store(roots)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| format!("TLS: {fault}"))?
        .with_root_certificates(store)
        .with_no_client_auth();
    // The server chooses; with HTTP/2 all calls of a thread share one connection.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn connection_failed(fault: &reqwest::Error) -> Error {
    let cause = root_cause(fault);
    if fault.is_connect() {
        let (reason, what) = if fault.is_timeout() {
            (
                "CONNECT_TIMEOUT",
                "did not accept a connection in time".to_owned(),
            )
        } else if fault.is_dns() {
            ("DNS_FAILED", format!("has no address ({cause})"))
        } else {
            ("CONNECT_FAILED", format!("cannot be reached ({cause})"))
        };
        return network(
            reason,
            format!("The upstream {what}; nothing was sent."),
            Execution::NotStarted,
        );
    }
    network(
        "CONNECTION_LOST",
        format!("The connection to the upstream ended before an answer came ({cause})."),
        Execution::Unknown,
    )
}

fn cut(fault: &reqwest::Error) -> Error {
    let message = format!("The upstream's answer was cut off ({}).", root_cause(fault));
    network("RESPONSE_CUT", message, Execution::Unknown).with(|facts| facts.kind = Kind::Internal)
}

fn attempt_timed_out(bound: Duration, execution: Execution) -> Error {
    let message = format!("The upstream did not answer within {} ms.", bound.as_millis());
    network("ATTEMPT_TIMEOUT", message, execution).with(|facts| facts.kind = Kind::DeadlineExceeded)
}

fn too_large(limit: usize) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        "RESPONSE_TOO_LARGE",
        format!("The upstream's answer is larger than {limit} bytes; raise limits.max_response_size if that is right."),
    )
    .component(Component::Sidecar)
    .execution(Execution::Unknown)
}

fn network(reason: &'static str, message: String, execution: Execution) -> Error {
    Error::new(Kind::Unavailable, reason, message)
        .component(Component::Network)
        .execution(execution)
        .transient(true)
}

/// The innermost cause, which names the system's own error; the outer ones repeat the URL.
fn root_cause(fault: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
