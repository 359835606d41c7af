//! Metrics over OTLP, to a receiver on a real socket: over gRPC and HTTP, the same names and numbers as on the page.

use std::collections::BTreeMap;
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
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;

use crate::metrics::Page;
use crate::support::answer::fault;
use crate::support::bench::{Bench, hello, success};
use crate::support::upstream::{ACCESS_KEY, SECRET_KEY};

/// Headers and message of each export.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<(http::HeaderMap, ExportMetricsServiceRequest)>>>);

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
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let quick = "retry: {initial_backoff: 1ms, max_backoff: 2ms}";
        Bench::whole("admin: \"127.0.0.1:0\"", quick, &Env::fixed(variables)).await
    }

    fn last(&self) -> (http::HeaderMap, ExportMetricsServiceRequest) {
        self.received.0.lock().unwrap().last().unwrap().clone()
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
        let headers = request.metadata().clone().into_headers();
        self.0.lock().unwrap().push((headers, request.into_inner()));
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
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
    state.0.lock().unwrap().push((headers, message));
    Ok(http::Response::new(Full::default()))
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
            name.starts_with("process_") || name.contains("_size_bytes") || name.contains("credentials_age")
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
            assert!(page.samples.contains_key(series), "{series} is not on the page");
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
            assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_repeat_at_the_interval_and_are_cumulative() {
    let receiver = Receiver::start("http/protobuf").await;
    let bench = receiver.bench(&[("OTEL_METRIC_EXPORT_INTERVAL", "20")]).await;
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
        let began = tokio::time::Instant::now();
        assert!(bench.sidecar.drain().await);
        assert!(began.elapsed() < Duration::from_secs(8), "{protocol}");
    }
}
