//! Metrics over OTLP, to a receiver on a real socket: over gRPC and HTTP, the same names and
//! numbers as on the page.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faas_sidecar::env::Env;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;

use crate::metrics::Page;
use crate::support::answer::fault;
use crate::support::bench::{Bench, hello, success};
use crate::support::upstream::{ACCESS_KEY, SECRET_KEY};

/// Headers and message of each export, and when it came.
type Exports = Vec<(http::HeaderMap, ExportMetricsServiceRequest, Instant)>;

/// How an export is answered.
#[derive(Clone, Copy)]
enum Reply {
    /// Refused for now, with a pause in seconds if there is one.
    Busy(Option<u32>),
    Never,
    /// Taken but for so many points.
    Partly(i64),
}

/// What came, and what is answered next; taken whole when nothing is scripted.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Exports>>, Arc<Mutex<VecDeque<Reply>>>);

impl Received {
    fn keep(
        &self,
        headers: http::HeaderMap,
        message: ExportMetricsServiceRequest,
    ) -> Option<Reply> {
        self.0
            .lock()
            .unwrap()
            .push((headers, message, Instant::now()));
        self.1.lock().unwrap().pop_front()
    }
}

fn taken(reply: Option<Reply>) -> ExportMetricsServiceResponse {
    let partial_success = match reply {
        Some(Reply::Partly(rejected_data_points)) => Some(ExportMetricsPartialSuccess {
            rejected_data_points,
            error_message: "no quota".to_owned(),
        }),
        _ => None,
    };
    ExportMetricsServiceResponse { partial_success }
}

struct Receiver {
    variables: BTreeMap<&'static str, String>,
    received: Received,
    _serving: JoinSet<()>,
}

impl Receiver {
    async fn start(protocol: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Received::default();
        let mut serving = JoinSet::new();
        let state = received.clone();
        let endpoint = if protocol == "grpc" {
            serving.spawn(async move {
                let service = MetricsServiceServer::new(state)
                    .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
                let _ = tonic::transport::Server::builder()
                    .serve_with_incoming(service, TcpListenerStream::new(listener))
                    .await;
            });
            base
        } else {
            serving.spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((socket, _)) = listener.accept().await {
                    let state = state.clone();
                    connections.spawn(async move {
                        let service = service_fn(move |request| post(state.clone(), request));
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(socket), service)
                            .await;
                    });
                }
            });
            format!("{base}/v1/metrics")
        };
        let variables = BTreeMap::from([
            ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol.to_owned()),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip".to_owned()),
            (
                "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                "authorization=Bearer%20otlp-token".to_owned(),
            ),
            ("OTEL_SERVICE_NAME", "shop".to_owned()),
        ]);
        Self {
            variables,
            received,
            _serving: serving,
        }
    }

    async fn bench(&self, more: &[(&'static str, &str)]) -> Bench {
        let mut variables = self.variables.clone();
        variables.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let quick = "retry: {initial_backoff: 1ms, max_backoff: 2ms}";
        Bench::whole("admin: \"127.0.0.1:0\"", quick, &Env::fixed(variables)).await
    }

    fn last(&self) -> (http::HeaderMap, ExportMetricsServiceRequest) {
        let (headers, message, _) = self.received.0.lock().unwrap().last().unwrap().clone();
        (headers, message)
    }

    fn script(&self, replies: &[Reply]) {
        self.received.1.lock().unwrap().extend(replies);
    }

    fn count(&self) -> usize {
        self.received.0.lock().unwrap().len()
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        use tonic_types::{ErrorDetails, StatusExt as _};
        let headers = request.metadata().clone().into_headers();
        match self.keep(headers, request.into_inner()) {
            Some(Reply::Busy(Some(pause))) => Err(tonic::Status::with_error_details(
                tonic::Code::ResourceExhausted,
                "busy",
                ErrorDetails::with_retry_info(Some(Duration::from_secs(pause.into()))),
            )),
            Some(Reply::Busy(None)) => Err(tonic::Status::unavailable("busy")),
            Some(Reply::Never) => Err(tonic::Status::invalid_argument("never")),
            reply => Ok(tonic::Response::new(taken(reply))),
        }
    }
}

async fn post(
    state: Received,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<bytes::Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/v1/metrics");
    let headers = request.headers().clone();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["content-encoding"], "gzip");
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain).unwrap();
    let message = ExportMetricsServiceRequest::decode(&plain[..]).unwrap();
    let reply = state.keep(headers, message);
    let mut answer = http::Response::new(Full::default());
    match reply {
        Some(Reply::Busy(pause)) => {
            *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            if let Some(pause) = pause {
                answer.headers_mut().insert("retry-after", pause.into());
            }
        }
        Some(Reply::Never) => *answer.status_mut() = http::StatusCode::BAD_REQUEST,
        reply => *answer.body_mut() = Full::new(taken(reply).encode_to_vec().into()),
    }
    Ok(answer)
}

/// A series as the page would write it, by the standard's rules of translation.
fn series(name: &str, attributes: &[KeyValue]) -> String {
    let labels: Vec<_> = attributes
        .iter()
        .map(|pair| {
            let value = match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
                any_value::Value::StringValue(text) => text.clone(),
                any_value::Value::IntValue(number) => number.to_string(),
                other => panic!("{other:?}"),
            };
            format!("{}=\"{value}\"", pair.key.replace('.', "_"))
        })
        .collect();
    if labels.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", labels.join(","))
    }
}

/// What was sent, translated to the samples of a page; of histograms their counts.
fn translated(message: &ExportMetricsServiceRequest) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let number = |value: Option<Value>| match value.unwrap() {
        Value::AsInt(number) => number as f64,
        Value::AsDouble(number) => number,
    };
    for metric in &message.resource_metrics[0].scope_metrics[0].metrics {
        let unit = match metric.unit.as_str() {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let base = format!("{}{unit}", metric.name.replace('.', "_"));
        match metric.data.clone().unwrap() {
            Data::Gauge(gauge) => {
                for point in gauge.data_points {
                    samples.insert(series(&base, &point.attributes), number(point.value));
                }
            }
            Data::Sum(sum) => {
                let name = if sum.is_monotonic {
                    format!("{base}_total")
                } else {
                    base
                };
                for point in sum.data_points {
                    samples.insert(series(&name, &point.attributes), number(point.value));
                }
            }
            Data::Histogram(histogram) => {
                for point in histogram.data_points {
                    let name = format!("{base}_count");
                    samples.insert(series(&name, &point.attributes), point.count as f64);
                }
            }
            other => panic!("{other:?}"),
        }
    }
    samples
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_names_and_numbers_go_out_as_are_on_the_page() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(protocol).await;
        // So rarely that only the last export, at the end, is seen.
        let bench = receiver
            .bench(&[("OTEL_METRIC_EXPORT_INTERVAL", "3600000")])
            .await;
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
        bench.upstream.push(fault(404, "80301", "no such action"));
        bench.invoke(hello()).await.unwrap_err();
        let page = Page::settled(&bench, 2.0).await;
        assert_eq!(receiver.count(), 0);
        assert!(bench.sidecar.drain().await);
        assert_eq!(
            receiver.count(),
            1,
            "what is left is exported at the end ({protocol})"
        );

        let (headers, message) = receiver.last();
        assert_eq!(headers["authorization"], "Bearer otlp-token");
        let sent = translated(&message);
        let moving = |name: &str| {
            name.starts_with("process_")
                || name.contains("_size_bytes")
                || name.contains("credentials_age")
        };
        for (series, value) in &page.samples {
            let parts = ["_bucket{", "_sum{", "_bucket ", "_sum "];
            if moving(series) || parts.iter().any(|part| series.contains(part)) {
                continue;
            }
            assert_eq!(
                sent.get(series),
                Some(value),
                "{series} over {protocol}: {sent:#?}"
            );
        }
        for series in sent.keys() {
            assert!(
                page.samples.contains_key(series),
                "{series} is not on the page"
            );
        }
        let resource = message.resource_metrics[0].resource.clone().unwrap();
        let service = resource
            .attributes
            .iter()
            .find(|one| one.key == "service.name")
            .unwrap();
        assert!(format!("{service:?}").contains("shop"));
        let bytes = message.encode_to_vec();
        for secret in ["otlp-token", ACCESS_KEY, SECRET_KEY, "kim"] {
            assert!(
                !String::from_utf8_lossy(&bytes).contains(secret),
                "{secret}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_repeat_at_the_interval_and_are_cumulative() {
    let receiver = Receiver::start("http/protobuf").await;
    let bench = receiver
        .bench(&[("OTEL_METRIC_EXPORT_INTERVAL", "20")])
        .await;
    let calls = |message: &ExportMetricsServiceRequest| -> f64 {
        let samples = translated(message);
        let ours = samples
            .iter()
            .filter(|(name, _)| name.starts_with("rpc_server_call_duration_seconds_count"));
        ours.map(|(_, value)| value).sum()
    };
    for expected in 1..=3 {
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
        let mut patience = 500;
        while receiver.count() == 0 || calls(&receiver.last().1) < f64::from(expected) {
            patience -= 1;
            assert!(patience > 0, "call {expected} is not exported");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(calls(&receiver.last().1), f64::from(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_up_neither_calls_nor_the_end_and_is_forgiven() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(protocol).await;
        let bench = receiver
            .bench(&[
                ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "100"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "10"),
            ])
            .await;
        for _ in 0..20 {
            bench.upstream.push(success("{}"));
            bench.invoke(hello()).await.unwrap();
        }
        assert_eq!(Page::settled(&bench, 20.0).await.attempts(&[]), 20.0);
        let began = Instant::now();
        assert!(bench.sidecar.drain().await);
        assert!(began.elapsed() < Duration::from_secs(8), "{protocol}");
    }
}

const RARELY: &[(&str, &str)] = &[("OTEL_METRIC_EXPORT_INTERVAL", "3600000")];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_refuses_for_now_is_sent_again_before_the_next_is_due() {
    for protocol in ["grpc", "http/protobuf"] {
        for (script, exports, least) in [
            (&[Reply::Busy(None), Reply::Busy(None)][..], 3, 0),
            (&[Reply::Busy(Some(1))], 2, 1),
            (&[Reply::Never], 1, 0),
        ] {
            let receiver = Receiver::start(protocol).await;
            receiver.script(script);
            let bench = receiver.bench(RARELY).await;
            assert!(bench.sidecar.drain().await);
            let received = receiver.received.0.lock().unwrap();
            assert_eq!(received.len(), exports, "{protocol}");
            let took = received.last().unwrap().2 - received[0].2;
            assert!(took >= Duration::from_secs(least), "{protocol}: {took:?}");
            let numbers = |at: usize| translated(&received[at].1);
            assert_eq!(
                numbers(0),
                numbers(exports - 1),
                "{protocol}: the same message"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_rejects_of_an_export_is_counted() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(protocol).await;
        receiver.script(&[Reply::Partly(5), Reply::Partly(2)]);
        let bench = receiver
            .bench(&[("OTEL_METRIC_EXPORT_INTERVAL", "500")])
            .await;
        let mut patience = 500;
        let series = "faas_sidecar_otlp_rejected_total{signal=\"metrics\"}";
        loop {
            let page = Page::of(&bench).await;
            if page.samples.get(series) == Some(&7.0) {
                break;
            }
            patience -= 1;
            assert!(patience > 0, "{protocol}: {:?}", page.samples.get(series));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_add_up_to_what_was_counted() {
    let receiver = Receiver::start("http/protobuf").await;
    let variables = [
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
    ];
    let bench = receiver.bench(&variables).await;
    for call in 0..6 {
        if call == 3 {
            // What is refused for good comes with the next.
            receiver.script(&[Reply::Never; 4]);
        }
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(bench.sidecar.drain().await);
    let received = receiver.received.0.lock().unwrap();
    let (mut calls, mut delivered, mut last) = (0.0, 0, None);
    for (_, message, _) in received.iter() {
        for metric in &message.resource_metrics[0].scope_metrics[0].metrics {
            match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => {
                    let expected = if sum.is_monotonic { 1 } else { 2 };
                    assert_eq!(sum.aggregation_temporality, expected, "{}", metric.name);
                }
                Data::Histogram(histogram) => {
                    assert_eq!(histogram.aggregation_temporality, 1, "{}", metric.name);
                }
                _ => {}
            }
            if metric.name == "rpc.server.call.duration"
                && let Some(Data::Histogram(histogram)) = &metric.data
            {
                let point = &histogram.data_points[0];
                // A message that was not delivered is told again from the same beginning.
                if last != Some(point.start_time_unix_nano) {
                    calls += delivered as f64;
                }
                (delivered, last) = (point.count, Some(point.start_time_unix_nano));
            }
        }
    }
    calls += delivered as f64;
    assert_eq!(calls, 6.0);
}
