//! The connection to a collector, for both signals and both protocols of OTLP: plain or TLS, no
//! proxy from the environment, no redirect followed, one TLS library.
//!
//! OTLP over gRPC and over HTTP carry the same bytes. Over gRPC they stand in one frame (gRPC over
//! HTTP/2, "Length-Prefixed-Message"), and the status of the answer is reported as the HTTP status that
//! means the same to whoever repeats (OTLP, "Failures"): 503 for what may be repeated, 429 with the
//! pause that the collector names, 400 for the rest.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tonic_types::pb;
use tracing::warn;

use super::settings::{Protocol, Settings, Signal};
use crate::telemetry::metrics::Counter;

/// A collector's answer is a few bytes; more than this is not read.
const MAX_ANSWER: usize = 1 << 20;
/// As much of the collector's own words as the log shows, in characters.
const MAX_WORDS: usize = 256;

/// What carries one signal; clones use the same connection.
#[derive(Clone)]
pub struct Collector {
    client: Client<Connector, Full<Bytes>>,
    settings: Arc<Settings>,
    rejected: Counter,
    /// The log was warned of a rejection and nothing was taken whole since.
    warned: Arc<AtomicBool>,
}

/// Opens connections; the certificate files are read again for each, so that a replaced one needs
/// no restart.
#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    settings: Arc<Settings>,
}

impl Collector {
    /// Prepares a connection; opens none. What the collector rejects of an export is counted in
    /// `rejected`.
    #[must_use]
    pub fn new(settings: &Settings, rejected: Counter) -> Self {
        let settings = Arc::new(settings.clone());
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = Connector {
            tcp,
            settings: Arc::clone(&settings),
        };
        Self {
            client: Client::builder(TokioExecutor::new())
                .http2_only(settings.protocol == Protocol::Grpc)
                .build(connector),
            settings,
            rejected,
            warned: Arc::default(),
        }
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let grpc = self.settings.protocol == Protocol::Grpc;
        let mut request = if grpc {
            framed(request, self.settings.signal)?
        } else {
            request
        };
        for (name, value) in &self.settings.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let (head, body) = self
            .client
            .request(request.map(Full::new))
            .await?
            .into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?;
        if !grpc {
            return Ok(Response::from_parts(head, body.to_bytes()));
        }
        let trailers = body
            .trailers()
            .filter(|trailers| trailers.contains_key("grpc-status"));
        let (status, pause) = outcome(head.status, trailers.unwrap_or(&head.headers));
        let bytes = body.to_bytes();
        let mut answer = Response::new(bytes.slice(bytes.len().min(5)..));
        *answer.status_mut() = status;
        if let Some(pause) = pause {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(pause));
        }
        Ok(answer)
    }

    /// Tells of what a collector that answered OK has rejected all the same (OTLP, "Partial
    /// Success"). It is not sent again.
    fn look_for_rejections(&self, answer: &[u8]) {
        // Both signals have the same message there. What is no message says nothing.
        let partial = ExportMetricsServiceResponse::decode(answer)
            .ok()
            .and_then(|answer| answer.partial_success);
        let Some(partial) = partial.filter(|partial| {
            partial.rejected_data_points != 0 || !partial.error_message.is_empty()
        }) else {
            return self.warned.store(false, Ordering::Relaxed);
        };
        let count = u64::try_from(partial.rejected_data_points).unwrap_or_default();
        self.rejected.add(count);
        if !self.warned.swap(true, Ordering::Relaxed) {
            let words: String = partial.error_message.chars().take(MAX_WORDS).collect();
            warn!(
                endpoint = self.settings.shown(),
                rejected = count,
                "the collector rejected {}: {words:?}",
                self.settings.signal.items()
            );
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = tokio::time::timeout(self.settings.timeout, self.exchange(request)).await??;
        if answer.status().is_success() {
            self.look_for_rejections(answer.body());
        }
        Ok(answer)
    }
}

/// The request as gRPC has it; a body that is compressed already is a compressed message.
fn framed(request: Request<Bytes>, signal: Signal) -> Result<Request<Bytes>, HttpError> {
    let (head, body) = request.into_parts();
    let mut uri = head.uri.into_parts();
    uri.path_and_query = Some(signal.method().try_into()?);
    let compressed = head.headers.contains_key(header::CONTENT_ENCODING);
    let mut frame = BytesMut::with_capacity(body.len() + 5);
    frame.put_u8(u8::from(compressed));
    frame.put_u32(u32::try_from(body.len())?);
    frame.put(body);
    let mut request = Request::post(Uri::from_parts(uri)?)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers");
    if compressed {
        request = request.header("grpc-encoding", "gzip");
    }
    Ok(request.body(frame.freeze())?)
}

/// What a gRPC answer means in HTTP's terms, with the pause in seconds that the collector asks for.
fn outcome(status: StatusCode, trailers: &HeaderMap) -> (StatusCode, Option<u64>) {
    let code: Option<u32> = trailers
        .get("grpc-status")
        .and_then(|code| code.to_str().ok()?.parse().ok());
    let pause = pause(trailers);
    match code {
        Some(0) => (StatusCode::OK, None),
        // RESOURCE_EXHAUSTED is final unless the collector says that it can recover.
        Some(8) if pause.is_some() => (StatusCode::TOO_MANY_REQUESTS, pause),
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        Some(1 | 4 | 10 | 11 | 14 | 15) => (StatusCode::SERVICE_UNAVAILABLE, pause),
        Some(_) => (StatusCode::BAD_REQUEST, None),
        // Not from a gRPC server: a proxy's own word, such as 503.
        None if status == StatusCode::OK => (StatusCode::BAD_GATEWAY, None),
        None => (status, None),
    }
}

/// `google.rpc.RetryInfo`, in whole seconds, rounded up.
fn pause(trailers: &HeaderMap) -> Option<u64> {
    let text = trailers.get("grpc-status-details-bin")?.as_bytes();
    let text = text.trim_ascii_end();
    let unpadded = text
        .iter()
        .position(|byte| *byte == b'=')
        .unwrap_or(text.len());
    let bytes = STANDARD_NO_PAD.decode(&text[..unpadded]).ok()?;
    let status = pb::Status::decode(&bytes[..]).ok()?;
    let info = status
        .details
        .iter()
        .find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = pb::RetryInfo::decode(&info.value[..]).ok()?.retry_delay?;
    let whole = u64::try_from(delay.seconds).ok()?;
    Some(whole.saturating_add(u64::from(delay.nanos > 0)))
}

impl tower::Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, HttpError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (tcp, settings) = (self.tcp.clone(), Arc::clone(&self.settings));
        Box::pin(async move {
            // A plain connection reads no file.
            let files = (uri.scheme_str() == Some("https")).then_some(&*settings);
            let tls = HttpsConnectorBuilder::new()
                .with_tls_config(tls_config(files)?)
                .https_or_http();
            let mut connector = match settings.protocol {
                Protocol::Grpc => tls.enable_http2().wrap_connector(tcp),
                Protocol::Http => tls.enable_http1().enable_http2().wrap_connector(tcp),
            };
            tower::Service::call(&mut connector, uri).await
        })
    }
}

/// What is wrong with the certificate files at present: one sentence, without a secret.
///
/// # Errors
/// When a file cannot be read, or holds nothing that can be used.
pub(super) fn look_at_files(settings: &Settings) -> Result<(), String> {
    tls_config(Some(settings))
        .map(drop)
        .map_err(|fault| fault.to_string())
}

/// Without `settings` it is never used: the connection is plain.
fn tls_config(settings: Option<&Settings>) -> Result<rustls::ClientConfig, FileError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match settings {
        Some(settings) => roots(settings.certificate.as_deref())?,
        None => rustls::RootCertStore::empty(),
    };
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| FileError(format!("TLS is not usable ({fault})")))?
        .with_root_certificates(roots);
    match settings.and_then(|settings| settings.client.as_ref()) {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let key_read =
                PrivateKeyDer::from_pem_file(key).map_err(|fault| unreadable(key, &fault))?;
            builder
                .with_client_auth_cert(certificates(chain)?, key_read)
                .map_err(|fault| {
                    FileError(format!("its client certificate is not usable ({fault})"))
                })
        }
    }
}

fn roots(file: Option<&Path>) -> Result<rustls::RootCertStore, FileError> {
    let mut store = rustls::RootCertStore::empty();
    match file {
        None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            for certificate in certificates(file)? {
                store
                    .add(certificate)
                    .map_err(|fault| unreadable(file, &fault))?;
            }
        }
    }
    Ok(store)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match read {
        Ok(none) if none.is_empty() => Err(unreadable(file, &"it holds no certificate")),
        read => read.map_err(|fault| unreadable(file, &fault)),
    }
}

fn unreadable(file: &Path, fault: &dyn fmt::Display) -> FileError {
    FileError(format!("{} cannot be used ({fault})", file.display()))
}

/// Why a file of certificates cannot be used.
#[derive(Debug)]
struct FileError(String);

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FileError {}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(code: &'static str, pause: Option<(i64, i32)>) -> HeaderMap {
        let mut trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            HeaderValue::from_static(code),
        )]);
        if let Some((seconds, nanos)) = pause {
            let info = pb::RetryInfo {
                retry_delay: Some(prost_types::Duration { seconds, nanos }),
            };
            let detail = prost_types::Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: info.encode_to_vec(),
            };
            let status = pb::Status {
                code: 14,
                message: String::new(),
                details: vec![detail],
            };
            let text = STANDARD_NO_PAD.encode(status.encode_to_vec());
            trailers.insert("grpc-status-details-bin", text.parse().unwrap());
        }
        trailers
    }

    #[test]
    fn a_status_is_told_by_what_a_sender_may_do_next() {
        for (code, pause, expected) in [
            ("0", None, (200, None)),
            ("14", None, (503, None)),
            ("14", Some((2, 1)), (503, Some(3))),
            ("8", None, (400, None)),
            ("8", Some((0, 1)), (429, Some(1))),
            ("7", Some((1, 0)), (400, None)),
            ("none", None, (502, None)),
        ] {
            let (status, after) = outcome(StatusCode::OK, &trailers(code, pause));
            assert_eq!((status.as_u16(), after), expected, "{code} {pause:?}");
        }
        let proxy = outcome(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new());
        assert_eq!(proxy, (StatusCode::SERVICE_UNAVAILABLE, None));
    }
}
