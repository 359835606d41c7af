//! No secret shows anywhere: canaries go through every path, and every sink is searched, the log at
//! its finest level among them. By itself, since such a log makes everything else in its process
//! slow.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper may fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the upstream has a clock of its own"
)]

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use faas_sidecar::proto::*;

use crate::support::answer::{Answer, Step, html, http, steps};
use crate::support::bench::{Bench, hello, keys, success, text};
use crate::support::collector::Collector;
use crate::support::leak::assert_clean;
use crate::support::page;
use crate::support::upstream::SECRET_KEY;

#[path = "../sidecar/support/mod.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of the whole sidecar; each uses a part"
)]
mod support;

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

/// For the whole process, at the finest level, libraries included: the other test only adds to it.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
});

#[tokio::test]
async fn no_secret_token_argument_or_code_is_logged_told_or_printed() {
    let log = LOG.clone();
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

    let received = bench.upstream.received();
    let signatures: Vec<_> = received
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

#[tokio::test]
async fn no_secret_reaches_a_collector_a_page_or_the_log() {
    const HEADER: &str = "otlp-canary-0123456789";
    const ARGUMENT: &str = "argument-canary-0123456789";
    const RESULT: &str = "result-canary-0123456789";
    const CODE: &str = "code-canary-0123456789";
    let log = LOG.clone();
    for collector in [Collector::http().await, Collector::grpc().await] {
        let env = collector.env(&[
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                &format!("authorization=Bearer%20{HEADER}"),
            ),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ]);
        let bench = Bench::whole(
            "admin: \"127.0.0.1:0\"",
            "retry: {initial_backoff: 1ms}",
            &env,
        )
        .await;
        let mut told = String::new();
        let answers: Vec<Answer> = vec![
            success(&format!(r#"{{"token":"{RESULT}"}}"#)).into(),
            http(200, &format!(r#"{{"content":{{"exec":"{CODE}"}}}}"#)).into(),
            http(400, r#"{"error":{"errorCode":"1","message":"ODD"}}"#).into(),
            html(401).into(),
            html(429).into(),
            html(500).into(),
            success(&format!(r#"{{"token":"{RESULT}"}}"#)).half(Step::Close),
            steps([Step::Close]),
            steps([Step::Reset]),
        ];
        for answer in answers {
            bench.upstream.push(answer);
            let request = InvokeRequest {
                arguments: Some(text(&format!(r#"{{"password":"{ARGUMENT}"}}"#))),
                ..hello()
            };
            if let Err(status) = bench.invoke(request).await {
                told.push_str(&format!("{status:?} {status} {:?}", status.metadata()));
            }
        }
        let put = PutActionRequest {
            action_name: "a".to_owned(),
            action: Some(Action {
                exec: Some(Exec {
                    code: Some(exec::Code::Source(CODE.to_owned())),
                    ..Exec::default()
                }),
                ..Action::default()
            }),
            ..PutActionRequest::default()
        };
        told.push_str(&format!(
            "{:?}",
            bench.actions().put_action(put).await.unwrap_err()
        ));
        let mut pages = String::new();
        for path in ["/config", "/readyz", "/metrics", "/loglevel", "/nothing"] {
            let (head, body) = page::get(bench.sidecar.admin().unwrap(), path).await;
            pages.push_str(&format!("{head}\r\n\r\n{body}"));
        }
        let shown = format!("{:?} {env:?}", bench.sidecar);
        assert!(bench.sidecar.drain().await);
        let exported: Vec<u8> = collector
            .requests()
            .into_iter()
            .flat_map(|(_, bytes)| bytes)
            .collect();
        let logged = log.0.lock().unwrap().clone();
        assert_clean(
            &[
                ("the errors", told.as_bytes()),
                ("the admin pages", pages.as_bytes()),
                ("what Debug prints", shown.as_bytes()),
                ("the traces", &exported),
                ("the log", &logged),
            ],
            &[SECRET_KEY, HEADER, ARGUMENT, RESULT, CODE],
        );
    }
}
