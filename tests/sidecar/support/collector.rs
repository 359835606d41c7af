//! A collector of traces: OTLP over gRPC and over HTTP on real sockets, keeping what it is sent.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faas_sidecar::env::Env;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as Sent;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;

use super::tls::Authority;
use super::upstream::{ACCESS_KEY, SECRET_KEY};

/// One span as it arrived.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    /// 2 = server, 3 = client.
    pub kind: i32,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub flags: u32,
    pub state: String,
    /// 0 = unset, 2 = error; and its description.
    pub status: (i32, String),
    pub started: u64,
    pub ended: u64,
    pub attributes: BTreeMap<String, String>,
    pub events: Vec<(String, BTreeMap<String, String>)>,
    pub resource: BTreeMap<String, String>,
    pub scope: String,
    pub schema: String,
}

/// A request's headers and its message's bytes.
pub type Taken = (BTreeMap<String, String>, Vec<u8>);

#[derive(Clone, Default)]
struct State {
    spans: Arc<Mutex<Vec<Span>>>,
    /// Each request's path or method, its headers and its bytes.
    requests: Arc<Mutex<Vec<Taken>>>,
    /// Exports that are refused for now.
    refusals: Arc<AtomicU32>,
    /// Spans that are rejected of each export that is taken.
    rejected: Arc<AtomicI64>,
}

/// The running collector; it ends when dropped.
pub struct Collector {
    address: String,
    protocol: &'static str,
    state: State,
    _serving: JoinSet<()>,
}

impl Collector {
    pub async fn http() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State::default();
        let mut serving = JoinSet::new();
        let kept = state.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let state = kept.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| post(state.clone(), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            address,
            protocol: "http/protobuf",
            state,
            _serving: serving,
        }
    }

    pub async fn grpc() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State::default();
        let mut serving = JoinSet::new();
        let service = TraceServiceServer::new(state.clone())
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
        serving.spawn(async move {
            let _ = tonic::transport::Server::builder()
                .serve_with_incoming(service, TcpListenerStream::new(listener))
                .await;
        });
        Self {
            address,
            protocol: "grpc",
            state,
            _serving: serving,
        }
    }

    /// The upstream's keys, and the variables that lead to this collector; further ones win.
    pub fn env(&self, more: &[(&str, &str)]) -> Env {
        let mut variables = BTreeMap::from([
            ("NCLOUD_ACCESS_KEY_ID".to_owned(), ACCESS_KEY.to_owned()),
            ("NCLOUD_SECRET_ACCESS_KEY".to_owned(), SECRET_KEY.to_owned()),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
                format!("http://{}", self.address),
            ),
            (
                "OTEL_EXPORTER_OTLP_PROTOCOL".to_owned(),
                self.protocol.to_owned(),
            ),
            ("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "10".to_owned()),
        ]);
        for (name, value) in more {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        Env::fixed(variables)
    }

    /// The next exports are refused as by a collector that is busy.
    pub fn refuse(&self, exports: u32) {
        self.state.refusals.store(exports, Ordering::SeqCst);
    }

    /// So many spans of each export are rejected, with a word of the collector's.
    pub fn reject(&self, spans: i64) {
        self.state.rejected.store(spans, Ordering::SeqCst);
    }

    /// Over HTTP with TLS, as `localhost`.
    pub async fn tls(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let acceptor = tokio_rustls::TlsAcceptor::from(authority.server(&["http/1.1"]));
        let state = State::default();
        let mut serving = JoinSet::new();
        let kept = state.clone();
        serving.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // Who does not trust the certificate ends the handshake.
                let Ok(socket) = acceptor.accept(socket).await else {
                    continue;
                };
                let state = kept.clone();
                let service = service_fn(move |request| post(state.clone(), request));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            }
        });
        Self {
            address,
            protocol: "http/protobuf",
            state,
            _serving: serving,
        }
    }

    /// Its base URL, as over plain HTTP.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn spans(&self) -> Vec<Span> {
        self.state.spans.lock().unwrap().clone()
    }

    /// Waits until so many spans have come.
    pub async fn wait(&self, count: usize) -> Vec<Span> {
        for _ in 0..1000 {
            let spans = self.spans();
            if spans.len() >= count {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} spans did not come: {:#?}", self.spans());
    }

    /// Each request's headers, and all that came as bytes.
    pub fn requests(&self) -> Vec<Taken> {
        self.state.requests.lock().unwrap().clone()
    }
}

async fn post(
    state: State,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<bytes::Bytes>>, Infallible> {
    if state.refuses() {
        let mut refused = http::Response::new(Full::default());
        *refused.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        return Ok(refused);
    }
    let mut headers = headers(request.headers());
    headers.insert(":path".to_owned(), request.uri().path().to_owned());
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let plain = match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => {
            let mut plain = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
            std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
            plain
        }
        _ => bytes.to_vec(),
    };
    // Metrics have a receiver of their own (`metrics_otlp.rs`).
    if headers[":path"] != "/v1/metrics" {
        if headers[":path"] != "/v1/traces" {
            // Numbers come to the same place; others look at them.
            state.requests.lock().unwrap().push((headers, plain));
            return Ok(http::Response::new(Full::default()));
        }
        let message = ExportTraceServiceRequest::decode(&plain[..]).unwrap();
        state.keep(headers, message);
    }
    let answer = state.answer().encode_to_vec();
    Ok(http::Response::new(Full::new(answer.into())))
}

#[tonic::async_trait]
impl TraceService for State {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let headers = headers(&request.metadata().clone().into_headers());
        if self.refuses() {
            return Err(tonic::Status::unavailable("busy"));
        }
        self.keep(headers, request.into_inner());
        Ok(tonic::Response::new(self.answer()))
    }
}

fn headers(headers: &http::HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                value.to_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

impl State {
    fn refuses(&self) -> bool {
        self.refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    }

    fn answer(&self) -> ExportTraceServiceResponse {
        let rejected_spans = self.rejected.load(Ordering::SeqCst);
        let partial = ExportTracePartialSuccess {
            rejected_spans,
            error_message: "no quota".to_owned(),
        };
        ExportTraceServiceResponse {
            partial_success: (rejected_spans > 0).then_some(partial),
        }
    }

    fn keep(&self, headers: BTreeMap<String, String>, message: ExportTraceServiceRequest) {
        self.requests
            .lock()
            .unwrap()
            .push((headers, message.encode_to_vec()));
        let mut spans = self.spans.lock().unwrap();
        for resource in message.resource_spans {
            let from = attributes(&resource.resource.unwrap_or_default().attributes);
            for scope in resource.scope_spans {
                let name = scope.scope.unwrap_or_default().name;
                for sent in scope.spans {
                    spans.push(span(sent, &from, &name, &scope.schema_url));
                }
            }
        }
    }
}

fn span(sent: Sent, resource: &BTreeMap<String, String>, scope: &str, schema: &str) -> Span {
    Span {
        name: sent.name,
        kind: sent.kind,
        trace: hex::encode(sent.trace_id),
        id: hex::encode(sent.span_id),
        parent: hex::encode(sent.parent_span_id),
        flags: sent.flags,
        state: sent.trace_state,
        status: sent
            .status
            .map(|status| (status.code, status.message))
            .unwrap_or_default(),
        started: sent.start_time_unix_nano,
        ended: sent.end_time_unix_nano,
        attributes: attributes(&sent.attributes),
        events: sent
            .events
            .into_iter()
            .map(|event| (event.name, attributes(&event.attributes)))
            .collect(),
        resource: resource.clone(),
        scope: scope.to_owned(),
        schema: schema.to_owned(),
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|pair| (pair.key.clone(), value(pair.value.as_ref())))
        .collect()
}

fn value(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::BoolValue(value)) => value.to_string(),
        Some(any_value::Value::IntValue(value)) => value.to_string(),
        Some(any_value::Value::DoubleValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}
