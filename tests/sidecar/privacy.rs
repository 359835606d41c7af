//! What goes on and what stays: trace headers alone pass through, and no secret shows anywhere.

use std::io::Write;
use std::sync::{Arc, Mutex};

use faas_sidecar::proto::*;
use tonic::Request;

use crate::support::answer::{Step, content, html, http, steps};
use crate::support::bench::{Bench, hello, keys, success, text};
use crate::support::upstream::SECRET_KEY;

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
    let bench = Bench::new().await;
    bench.upstream.push(content("[]"));
    let request = with_metadata(&[
        ("traceparent", PARENT),
        ("tracestate", "vendor=1,other=2"),
        ("baggage", "tenant=42"),
        ("authorization", "Bearer caller-canary"),
        ("cookie", "session=caller-canary"),
        ("x-ncp-iam-access-key", "caller-canary"),
        ("x-ncp-apigw-signature-v2", "caller-canary"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-custom", "caller-canary"),
    ]);
    bench.packages().list_packages(request).await.unwrap();
    let received = bench.upstream.only();
    assert_eq!(received.header("traceparent").as_deref(), Some(PARENT));
    assert_eq!(received.header("tracestate").as_deref(), Some("vendor=1,other=2"));
    assert_eq!(received.header("baggage").as_deref(), Some("tenant=42"));
    assert!(!String::from_utf8_lossy(&received.head).contains("canary"));
    let mut names = received.header_names();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
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
            (received.header("traceparent"), received.header("tracestate")),
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
            .all(|request| request.header("traceparent").as_deref() == Some(PARENT))
    );
}

/// Everything that is logged in this process by any thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_token_argument_or_code_is_logged_told_or_printed() {
    let log = Log::default();
    let writer = log.clone();
    // For the whole process, at the finest level, libraries included: other tests only add to it.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);

    let bench = Bench::new().await;
    let mut shown = format!("{:?} {:?}", bench.sidecar, keys());
    let arguments = Some(text(r#"{"password":"argument-canary"}"#));
    for answer in [
        success(r#"{"token":"result-canary"}"#).into(),
        http(200, r#"{"content":{"exec":"code-canary"}}"#).into(),
        http(500, r#"{"error":{"errorCode":"99999","message":"ODD"}}"#).into(),
        html(401).into(),
        steps([Step::Close]),
    ] {
        bench.upstream.push(answer);
        let request = InvokeRequest {
            arguments: arguments.clone(),
            ..hello()
        };
        shown.push_str(&format!("{request:?}"));
        match bench.invoke(request).await {
            Ok(run) => shown.push_str(&format!("{run:?}")),
            Err(status) => shown.push_str(&format!("{status:?} {status}")),
        }
    }
    let github = GithubSource {
        username: "octo".to_owned(),
        access_token: "ghp_canary".to_owned(),
        repository: "org/repo".to_owned(),
        events: vec!["push".to_owned()],
        link: None,
    };
    let request = PutTriggerRequest {
        trigger_name: "t".to_owned(),
        trigger: Some(Trigger {
            source: Some(trigger::Source::Github(github)),
            ..Trigger::default()
        }),
        ..PutTriggerRequest::default()
    };
    shown.push_str(&format!("{request:?}"));
    bench.upstream.push(html(400));
    shown.push_str(&format!(
        "{:?}",
        bench.triggers().put_trigger(request).await.unwrap_err()
    ));

    let signatures: Vec<_> = bench
        .upstream
        .received()
        .iter()
        .map(|request| request.header("x-ncp-apigw-signature-v2").unwrap())
        .collect();
    assert_eq!(signatures.len(), 6);
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        logged.contains("frame"),
        "the libraries' finest level was not heard"
    );
    for (place, text) in [("shown", &shown), ("logged", &logged)] {
        assert!(!text.contains(SECRET_KEY), "the secret is {place}");
        assert!(!text.contains("canary"), "what callers send is {place}");
        assert!(
            signatures.iter().all(|signature| !text.contains(signature)),
            "a signature is {place}"
        );
    }
}
