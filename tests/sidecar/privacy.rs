//! What goes on and what stays of a call's metadata: trace headers alone pass through. That no
//! secret shows anywhere is `tests/redaction`.

use faas_sidecar::proto::*;
use tonic::Request;

use crate::support::answer::{content, html};
use crate::support::bench::{Bench, keys};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn with_metadata(pairs: &[(&'static str, &str)]) -> Request<ListPackagesRequest> {
    let mut request = Request::new(ListPackagesRequest::default());
    for (name, value) in pairs {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn trace_headers_pass_through_and_nothing_else_of_the_metadata() {
    let bench = Bench::whole("tracing: {baggage: [tenant]}", "", &keys()).await;
    bench.upstream.push(content("[]"));
    let request = with_metadata(&[
        ("traceparent", PARENT),
        ("tracestate", "vendor=1,other=2"),
        ("baggage", "user=caller-canary,tenant=42"),
        ("authorization", "Bearer caller-canary"),
        ("cookie", "session=caller-canary"),
        ("x-ncp-iam-access-key", "caller-canary"),
        ("x-ncp-apigw-signature-v2", "caller-canary"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-custom", "caller-canary"),
    ]);
    bench.packages().list_packages(request).await.unwrap();
    let received = bench.upstream.only();
    assert_eq!(received.header("traceparent"), Some(PARENT));
    assert_eq!(received.header("tracestate"), Some("vendor=1,other=2"));
    assert_eq!(received.header("baggage"), Some("tenant=42"));
    assert!(!String::from_utf8_lossy(&received.head).contains("canary"));
    let mut names = received.header_names();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "baggage",
            "content-type",
            "host",
            "traceparent",
            "tracestate",
            "user-agent",
            "x-ncp-apigw-signature-v2",
            "x-ncp-apigw-timestamp",
            "x-ncp-iam-access-key",
        ]
    );
    assert!(received.signed);
}

#[tokio::test]
async fn a_broken_traceparent_is_not_passed_on() {
    let bench = Bench::new().await;
    for parent in [
        "00-0-0-0",
        "garbage",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        bench.upstream.push(content("[]"));
        let request = with_metadata(&[("traceparent", parent), ("tracestate", "a=b")]);
        bench.packages().list_packages(request).await.unwrap();
        let received = bench.upstream.received().pop().unwrap();
        assert_eq!(
            (
                received.header("traceparent"),
                received.header("tracestate")
            ),
            (None, None),
            "{parent}"
        );
    }
}

#[tokio::test]
async fn a_trace_goes_with_every_attempt_and_every_look() {
    let bench = Bench::new().await;
    bench.upstream.push(html(503));
    bench.upstream.push(content("[]"));
    bench
        .packages()
        .list_packages(with_metadata(&[("traceparent", PARENT)]))
        .await
        .unwrap();
    let received = bench.upstream.received();
    assert!(
        received
            .iter()
            .all(|request| request.header("traceparent") == Some(PARENT))
    );
}
