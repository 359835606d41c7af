//! One trace from the application through the sidecar's attempts to the cloud, as a collector
//! receives it.

use std::time::Duration;

use faas_sidecar::env::Env;
use faas_sidecar::proto::*;
use tonic::{Code, Request};

use crate::support::answer::{Step, content, fault, html, steps};
use crate::support::bench::{Bench, ID, hello, success, within};
use crate::support::collector::{Collector, Span};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const QUICK: &str =
    "retry: {initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 100}}";

fn traced<T>(message: T, flags: &str) -> Request<T> {
    let mut request = Request::new(message);
    let parent = format!("00-{TRACE}-{CALLER}-{flags}");
    for (name, value) in [
        ("traceparent", parent.as_str()),
        ("tracestate", "vendor=1"),
        ("baggage", "tenant=42"),
    ] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    request
}

async fn bench(env: &Env) -> Bench {
    Bench::whole("tracing: {baggage: [tenant]}", QUICK, env).await
}

fn server(spans: &[Span]) -> &Span {
    let servers: Vec<_> = spans.iter().filter(|span| span.kind == 2).collect();
    assert_eq!(servers.len(), 1, "{spans:#?}");
    servers[0]
}

fn clients(spans: &[Span]) -> Vec<&Span> {
    spans.iter().filter(|span| span.kind == 3).collect()
}

#[track_caller]
fn assert_has(span: &Span, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(
            span.attributes.get(*key).map(String::as_str),
            Some(*value),
            "{key} of {span:#?}"
        );
    }
}

#[track_caller]
fn assert_lacks(span: &Span, keys: &[&str]) {
    for key in keys {
        assert!(!span.attributes.contains_key(*key), "{key} of {span:#?}");
    }
}

#[tokio::test]
async fn one_trace_shows_the_call_its_attempts_and_their_pauses() {
    for collector in [Collector::http().await, Collector::grpc().await] {
        let bench = bench(&collector.env(&[("OTEL_SERVICE_NAME", "orders-sidecar")])).await;
        bench.upstream.push(html(503));
        bench
            .upstream
            .push(success("{}").header("x-ncp-apigw-request-id", "up-1"));
        let harmless = InvokeRequest {
            idempotent: true,
            ..hello()
        };
        bench
            .invocations()
            .invoke(traced(harmless, "01"))
            .await
            .unwrap();
        let spans = collector.wait(3).await;
        assert_eq!(spans.len(), 3);
        assert!(spans.iter().all(|span| span.trace == TRACE
            && span.scope == "faas-sidecar"
            && span.schema.ends_with("/1.44.0")));
        assert_eq!(spans[0].resource["service.name"], "orders-sidecar");

        let call = server(&spans);
        assert_eq!(
            (
                call.name.as_str(),
                call.parent.as_str(),
                call.state.as_str()
            ),
            ("faas.v1.InvocationService/Invoke", CALLER, "vendor=1")
        );
        assert_eq!((call.flags & 1, call.status.0), (1, 0));
        assert_has(
            call,
            &[
                ("rpc.system.name", "grpc"),
                ("rpc.method", "faas.v1.InvocationService/Invoke"),
                ("rpc.response.status_code", "OK"),
                ("faas_sidecar.target", "main"),
                ("faas_sidecar.attempts", "2"),
                ("faas_sidecar.upstream_request_id", "up-1"),
                ("faas.invoked_name", "-/hello"),
                ("faas.invoked_provider", "naver_cloud"),
                ("faas.invoked_region", "kr"),
                ("faas.invocation_id", ID),
            ],
        );
        assert_lacks(
            call,
            &["error.type", "faas_sidecar.kept", "faas_sidecar.reason"],
        );
        let pauses: Vec<_> = call.events.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(pauses, ["faas_sidecar.back_off"]);

        let attempts = clients(&spans);
        let address = bench.upstream.url();
        let port = address.rsplit(':').next().unwrap().to_owned();
        for attempt in &attempts {
            assert_eq!(
                (attempt.name.as_str(), attempt.parent.as_str()),
                ("POST", call.id.as_str())
            );
            assert_has(
                attempt,
                &[
                    ("http.request.method", "POST"),
                    ("server.address", "127.0.0.1"),
                    ("server.port", &port),
                    ("faas.invoked_name", "-/hello"),
                ],
            );
            assert!(attempt.attributes["url.full"].starts_with(&format!("{address}/")));
            assert!(call.started <= attempt.started && attempt.ended <= call.ended);
        }
        assert_has(
            attempts[0],
            &[
                ("http.response.status_code", "503"),
                ("error.type", "503"),
                ("faas_sidecar.execution", "unknown"),
            ],
        );
        assert_lacks(attempts[0], &["http.request.resend_count"]);
        assert_eq!(attempts[0].status.0, 2);
        assert_has(
            attempts[1],
            &[
                ("http.response.status_code", "200"),
                ("http.request.resend_count", "1"),
            ],
        );
        assert_lacks(attempts[1], &["error.type"]);
        assert_eq!(attempts[1].status.0, 0);

        // The cloud is told of the very attempt that it answers, after signing.
        let received = bench.upstream.received();
        assert!(received.iter().all(|request| request.signed));
        for (request, attempt) in received.iter().zip(&attempts) {
            assert_eq!(
                request.header("traceparent").unwrap(),
                format!("00-{TRACE}-{}-01", attempt.id)
            );
            assert_eq!(request.header("tracestate"), Some("vendor=1"));
            assert_eq!(request.header("baggage"), Some("tenant=42"));
        }
    }
}

#[tokio::test]
async fn a_trace_begins_here_when_the_caller_has_none() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[])).await;
    bench.upstream.push(content("[]"));
    bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    let spans = collector.wait(2).await;
    let (call, attempt) = (server(&spans), clients(&spans)[0]);
    assert_eq!(
        (call.parent.as_str(), call.trace == attempt.trace),
        ("", true)
    );
    assert_eq!(
        bench.upstream.only().header("traceparent").unwrap(),
        format!("00-{}-{}-01", call.trace, attempt.id)
    );
    assert_lacks(attempt, &["faas.invoked_name"]);
}

#[tokio::test]
async fn an_unsampled_success_leaves_no_span_and_passes_the_callers_context_on() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[])).await;
    bench.upstream.push(content("[]"));
    bench
        .packages()
        .list_packages(traced(ListPackagesRequest::default(), "00"))
        .await
        .unwrap();
    assert_eq!(
        bench.upstream.only().header("traceparent").unwrap(),
        format!("00-{TRACE}-{CALLER}-00")
    );
    // A later call's spans show that the first one's never come.
    bench.upstream.push(content("[]"));
    bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    let spans = collector.wait(2).await;
    assert!(spans.iter().all(|span| span.trace != TRACE), "{spans:#?}");
}

#[tokio::test]
async fn failures_and_repetitions_are_kept_even_when_sampling_is_off() {
    let collector = Collector::grpc().await;
    let bench = bench(&collector.env(&[("OTEL_TRACES_SAMPLER", "always_off")])).await;
    bench.upstream.push(content("[]"));
    bench
        .upstream
        .push(fault(404, "80101", "PACKAGE_NOT_FOUND"));
    bench.upstream.push(html(503));
    bench.upstream.push(content("[]"));
    let list = || ListPackagesRequest::default();
    let get = GetPackageRequest {
        package_name: "reports".to_owned(),
        ..GetPackageRequest::default()
    };
    bench.packages().list_packages(list()).await.unwrap();
    let failed = bench
        .packages()
        .get_package(traced(get, "00"))
        .await
        .unwrap_err();
    bench.packages().list_packages(list()).await.unwrap();

    let spans = collector.wait(5).await;
    assert_eq!(spans.len(), 5, "{spans:#?}");
    let kept: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == 2)
        .map(|span| {
            (
                span.attributes["faas_sidecar.kept"].as_str(),
                span.trace == TRACE,
                span.flags & 1,
            )
        })
        .collect();
    assert_eq!(kept, [("failed", true, 0), ("repeated", false, 0)]);
    let call = spans
        .iter()
        .find(|span| span.trace == TRACE && span.kind == 2)
        .unwrap();
    assert_eq!(failed.code(), Code::NotFound);
    // The caller's mistake is no fault of the server (conventions for gRPC), but it is told.
    assert_eq!(call.status.0, 0);
    assert_lacks(call, &["error.type"]);
    assert_has(
        call,
        &[
            ("rpc.response.status_code", "NOT_FOUND"),
            ("faas_sidecar.subject", "reports"),
            ("faas_sidecar.execution", "not_started"),
            ("faas_sidecar.component", "service"),
        ],
    );
    // What was not sampled is not told to the cloud either.
    let received = bench.upstream.received();
    let parents: Vec<_> = received
        .iter()
        .map(|request| request.header("traceparent").unwrap())
        .collect();
    assert!(
        parents.iter().all(|parent| parent.ends_with("-00")),
        "{parents:?}"
    );
    assert_eq!(parents[1], format!("00-{TRACE}-{CALLER}-00"));
}

#[tokio::test]
async fn nothing_unsampled_is_kept_when_so_configured() {
    let collector = Collector::http().await;
    let env = collector.env(&[("OTEL_TRACES_SAMPLER", "parentbased_always_on")]);
    let bench = Bench::whole("tracing: {keep_failures: false}", QUICK, &env).await;
    bench.upstream.push(html(400));
    bench
        .packages()
        .list_packages(traced(ListPackagesRequest::default(), "00"))
        .await
        .unwrap_err();
    bench.upstream.push(html(400));
    bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap_err();
    let spans = collector.wait(2).await;
    assert!(spans.iter().all(|span| span.trace != TRACE), "{spans:#?}");
}

#[tokio::test]
async fn slow_calls_are_kept_when_so_configured() {
    let collector = Collector::http().await;
    let env = collector.env(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    let bench = Bench::whole("tracing: {keep_slower_than: 100ms}", QUICK, &env).await;
    bench.upstream.push(content("[]"));
    bench
        .upstream
        .push(content("[]").after(Duration::from_millis(150)));
    for _ in 0..2 {
        bench
            .packages()
            .list_packages(ListPackagesRequest::default())
            .await
            .unwrap();
    }
    let spans = collector.wait(2).await;
    assert_has(server(&spans), &[("faas_sidecar.kept", "slow")]);
}

#[tokio::test]
async fn a_function_that_failed_and_a_caller_that_left_are_shown() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[("OTEL_TRACES_SAMPLER", "always_off")])).await;
    bench.upstream.push(content(&format!(
        r#"{{"activationId":"{ID}","response":{{"result":{{"error":"x"}},"status":"application error","success":false}}}}"#
    )));
    bench.invoke(hello()).await.unwrap();
    let spans = collector.wait(2).await;
    assert_has(
        server(&spans),
        &[
            ("faas_sidecar.function_failed", "true"),
            ("rpc.response.status_code", "OK"),
        ],
    );

    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let gone = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(2).await;
    gone.abort();
    let spans = collector.wait(4).await;
    let left = server(&spans[2..]);
    assert_has(
        left,
        &[
            ("rpc.response.status_code", "CANCELLED"),
            ("faas_sidecar.kept", "failed"),
        ],
    );
    // An attempt that its caller broke off is no error (conventions for HTTP clients).
    let attempt = clients(&spans[2..])[0];
    assert_eq!(attempt.status.0, 0);
    assert_lacks(attempt, &["error.type", "http.response.status_code"]);
}

#[tokio::test]
async fn calls_that_reach_no_target_are_shown_too() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[])).await;
    let request = ListPackagesRequest {
        target: "absent".to_owned(),
        ..ListPackagesRequest::default()
    };
    bench
        .packages()
        .list_packages(traced(request, "01"))
        .await
        .unwrap_err();
    let spans = collector.wait(1).await;
    let call = server(&spans);
    assert_eq!((call.trace.as_str(), call.parent.as_str()), (TRACE, CALLER));
    assert_has(
        call,
        &[
            ("faas_sidecar.reason", "TARGET_NOT_FOUND"),
            ("rpc.response.status_code", "NOT_FOUND"),
        ],
    );
    assert_lacks(call, &["faas_sidecar.target"]);
}

#[tokio::test]
async fn a_wait_for_a_result_is_one_trace() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[])).await;
    bench
        .upstream
        .push(content(&format!(r#"{{"activationId":"{ID}"}}"#)));
    bench.upstream.push(fault(404, "80322", "NO_ACTIVATION"));
    bench.upstream.push(success("{}"));
    let mut request = traced(hello(), "01");
    request.set_timeout(Duration::from_secs(20));
    bench.invocations().invoke(request).await.unwrap();
    let spans = collector.wait(4).await;
    let call = server(&spans);
    let methods: Vec<_> = clients(&spans)
        .iter()
        .map(|span| span.name.clone())
        .collect();
    assert_eq!(methods, ["POST", "GET", "GET"]);
    assert!(clients(&spans).iter().all(|span| span.parent == call.id));
    assert!(
        clients(&spans)
            .iter()
            .all(|span| !span.attributes.contains_key("http.request.resend_count")),
        "a look is no repetition"
    );
    let polls = call
        .events
        .iter()
        .filter(|(name, _)| name == "faas_sidecar.poll")
        .count();
    assert_eq!(polls, 2);
}

#[tokio::test]
async fn a_call_with_a_request_id_is_one_trace() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[])).await;
    bench.upstream.push(success("{}"));
    let request = InvokeRequest {
        request_id: "r1".to_owned(),
        ..hello()
    };
    bench
        .invocations()
        .invoke(traced(request.clone(), "01"))
        .await
        .unwrap();
    let spans = collector.wait(2).await;
    assert_eq!(clients(&spans)[0].parent, server(&spans).id);
    // The second caller gets the stored answer, and its span no attempts of its own.
    bench
        .invocations()
        .invoke(traced(request, "01"))
        .await
        .unwrap();
    let spans = collector.wait(3).await;
    assert_eq!((spans.len(), spans[2].kind), (3, 2));
}

#[tokio::test]
async fn a_dead_collector_changes_nothing_for_calls() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", dead.local_addr().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        // Accepts connections and never answers; then refuses them.
        for endpoint in [nobody.as_str(), "http://127.0.0.1:9"] {
            let collector = Collector::http().await;
            let bench = bench(&collector.env(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "200"),
            ]))
            .await;
            for _ in 0..20 {
                bench.upstream.push(content("[]"));
                let request = within(Duration::from_secs(5), ListPackagesRequest::default());
                bench.packages().list_packages(request).await.unwrap();
            }
            let began = tokio::time::Instant::now();
            assert!(bench.sidecar.drain().await, "{protocol} {endpoint}");
            assert!(
                began.elapsed() < Duration::from_secs(8),
                "{protocol} {endpoint}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_left_is_exported_when_the_sidecar_ends() {
    let collector = Collector::http().await;
    let bench = bench(&collector.env(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ]))
    .await;
    bench.upstream.push(content("[]"));
    bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    assert!(collector.spans().is_empty());
    assert!(bench.sidecar.drain().await);
    assert_eq!(collector.spans().len(), 2);
    let (headers, _) = &collector.requests()[0];
    assert_eq!(
        (
            headers[":path"].as_str(),
            headers["content-encoding"].as_str()
        ),
        ("/v1/traces", "gzip")
    );
}

#[tokio::test]
async fn headers_for_the_collector_reach_it_and_nobody_else() {
    for collector in [Collector::http().await, Collector::grpc().await] {
        let bench = bench(&collector.env(&[(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20otlp-token",
        )]))
        .await;
        bench.upstream.push(content("[]"));
        bench
            .packages()
            .list_packages(ListPackagesRequest::default())
            .await
            .unwrap();
        collector.wait(2).await;
        let (headers, bytes) = &collector.requests()[0];
        assert_eq!(headers["authorization"], "Bearer otlp-token");
        assert!(!String::from_utf8_lossy(bytes).contains("otlp-token"));
        assert!(!String::from_utf8_lossy(&bench.upstream.only().head).contains("otlp-token"));
        assert!(!format!("{:?}", bench.sidecar).contains("otlp-token"));
    }
}

#[tokio::test]
async fn no_value_of_the_variables_keeps_the_sidecar_from_starting() {
    let protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "\"http://127.0.0.1:4318\""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318 "),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "unix:/run/collector.sock"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:9"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "\u{e9}"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c,\u{0},=,=="),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_TRACES_EXPORTER", "otlp,console"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "sometimes",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "\u{e9},=,%zz=%zz"),
    ] {
        for carrier in ["grpc", "http/protobuf"] {
            let env = Env::fixed([
                ("NCLOUD_ACCESS_KEY_ID", "id"),
                ("NCLOUD_SECRET_ACCESS_KEY", "secret"),
                ("OTEL_TRACES_EXPORTER", "otlp"),
                ("OTEL_METRICS_EXPORTER", "otlp"),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/not/mounted/ca.crt"),
                (protocol, carrier),
                (name, value),
            ]);
            let bench = bench(&env).await;
            bench.upstream.push(success("{}"));
            let _ = bench.invoke(hello()).await;
            assert_eq!(
                bench.upstream.received().len(),
                1,
                "{name}={value} over {carrier}"
            );
        }
    }
}

#[tokio::test]
async fn spans_that_a_collector_refuses_for_now_are_sent_again_and_those_it_rejects_are_counted() {
    for collector in [Collector::grpc().await, Collector::http().await] {
        collector.refuse(2);
        collector.reject(1);
        let top = "admin: \"127.0.0.1:0\"";
        let bench = Bench::whole(top, QUICK, &collector.env(&[])).await;
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
        collector.wait(2).await;
        let series = "faas_sidecar_otlp_rejected_total{signal=\"traces\"}";
        let mut patience = 500;
        while crate::metrics::Page::of(&bench).await.samples.get(series) != Some(&1.0) {
            patience -= 1;
            assert!(patience > 0, "the rejected span is not counted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_certificate_that_comes_later_is_read_when_it_is_there() {
    let authority = crate::support::tls::Authority::new();
    let collector = Collector::tls(&authority).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    let endpoint = collector.address().replace("http://", "https://");
    let env = collector.env(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", file.to_str().unwrap()),
    ]);
    let bench = bench(&env).await;
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(collector.spans().is_empty(), "nothing is trusted yet");
    std::fs::copy(authority.file(), &file).unwrap();
    for _ in 0..500 {
        if !collector.spans().is_empty() {
            return;
        }
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the certificate is not read again");
}
