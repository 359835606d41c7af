//! Connections to a collector: HTTP/1.1 or HTTP/2, plain or TLS, with the target path's own rules: no proxy from the
//! environment, no redirect followed, one TLS library.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Compression, Protocol as Encoding, SpanExporter, WithExportConfig as _};
use opentelemetry_otlp::{WithHttpConfig as _, WithTonicConfig as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Channel, Endpoint};

use super::settings::{Protocol, Settings};

/// A collector's answer is a few bytes; more than this is not read.
const MAX_ANSWER: usize = 1 << 20;

/// What carries one signal. Must be made and used inside the runtime that its requests run on.
#[derive(Debug)]
pub enum Connection {
    /// For OTLP over gRPC.
    Grpc(Channel),
    /// For OTLP over HTTP.
    Http(Box<Http>),
}

/// The HTTP client of the exporters.
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    headers: HeaderMap,
    timeout: Duration,
}

/// Why there can be no connection: one sentence, without a secret.
#[derive(Debug)]
pub struct ConnectError(String);

impl Connection {
    /// Prepares a connection; opens none.
    ///
    /// # Errors
    /// When the endpoint is no URL, or a certificate cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, ConnectError> {
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls_config(settings)?);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        match settings.protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(settings.endpoint.clone())
                    .map_err(|fault| ConnectError(format!("its endpoint is no URL ({fault})")))?
                    .connect_timeout(settings.timeout)
                    .timeout(settings.timeout);
                let connector = tls.https_or_http().enable_http2().wrap_connector(tcp);
                Ok(Self::Grpc(endpoint.connect_with_connector_lazy(connector)))
            }
            Protocol::Http => {
                let connector = tls
                    .https_or_http()
                    .enable_http1()
                    .enable_http2()
                    .wrap_connector(tcp);
                Ok(Self::Http(Box::new(Http {
                    client: Client::builder(TokioExecutor::new()).build(connector),
                    headers: settings.headers.clone(),
                    timeout: settings.timeout,
                })))
            }
        }
    }

    /// The exporter of spans over this connection.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn spans(self, settings: &Settings) -> Result<SpanExporter, ConnectError> {
        let compression = settings.gzip.then_some(Compression::Gzip);
        let built = match self {
            Self::Grpc(channel) => {
                let headers = settings.headers.clone();
                let mut builder = SpanExporter::builder()
                    .with_tonic()
                    .with_endpoint(&settings.endpoint)
                    .with_timeout(settings.timeout)
                    .with_channel(channel)
                    .with_interceptor(move |request| Ok(with_headers(request, &headers)));
                if let Some(compression) = compression {
                    builder = builder.with_compression(compression);
                }
                builder.build()
            }
            Self::Http(client) => {
                let mut builder = SpanExporter::builder()
                    .with_http()
                    .with_protocol(Encoding::HttpBinary)
                    .with_endpoint(&settings.endpoint)
                    .with_timeout(settings.timeout)
                    .with_http_client(*client);
                if let Some(compression) = compression {
                    builder = builder.with_compression(compression);
                }
                builder.build()
            }
        };
        built.map_err(|fault| ConnectError(format!("its exporter cannot be built ({fault})")))
    }
}

/// Replaces rather than adds: the exporter's own library reads the same variable of the process.
fn with_headers(mut request: tonic::Request<()>, headers: &HeaderMap) -> tonic::Request<()> {
    let mut all = std::mem::take(request.metadata_mut()).into_headers();
    for (name, value) in headers {
        all.insert(name, value.clone());
    }
    *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(all);
    request
}

#[async_trait]
impl HttpClient for Http {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Full::new);
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        tokio::time::timeout(self.timeout, exchange).await?
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

fn tls_config(settings: &Settings) -> Result<rustls::ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| ConnectError(format!("TLS is not usable ({fault})")))?
        .with_root_certificates(roots(settings.certificate.as_deref())?);
    match &settings.client {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let key_read = PrivateKeyDer::from_pem_file(key).map_err(|fault| unreadable(key, &fault))?;
            builder
                .with_client_auth_cert(certificates(chain)?, key_read)
                .map_err(|fault| ConnectError(format!("its client certificate is not usable ({fault})")))
        }
    }
}

fn roots(file: Option<&Path>) -> Result<rustls::RootCertStore, ConnectError> {
    let mut store = rustls::RootCertStore::empty();
    match file {
        None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|fault| unreadable(file, &fault))?;
            }
        }
    }
    Ok(store)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|fault| unreadable(file, &fault))
}

fn unreadable(file: &Path, fault: &dyn fmt::Display) -> ConnectError {
    ConnectError(format!("{} cannot be used ({fault})", file.display()))
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConnectError {}
