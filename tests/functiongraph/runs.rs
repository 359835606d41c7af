//! Synchronous and asynchronous runs.

use std::time::Duration;

use faas_sidecar::call::Call;
use faas_sidecar::error::{Execution, Kind};
use faas_sidecar::proto::*;
use faas_sidecar::provider::Provider as _;
use tokio::time::Instant;

use crate::support::*;

const GOOD: &str = r#"{"request_id":"r","result":"{\"ok\":true}","log":"one\ntwo","status":200}"#;

fn hello() -> InvokeRequest {
    InvokeRequest {
        action_name: "hello".to_owned(),
        ..InvokeRequest::default()
    }
}

fn hello_async() -> InvokeAsyncRequest {
    InvokeAsyncRequest {
        action_name: "hello".to_owned(),
        ..InvokeAsyncRequest::default()
    }
}

#[tokio::test]
async fn a_run_sends_the_event_itself_and_answers_the_result() {
    let (provider, upstream) =
        bench([with(answer(200, GOOD), &[("X-Cff-Request-Id", "run-1")])]).await;
    let request = InvokeRequest {
        package_name: "tools".to_owned(),
        version: "v1".to_owned(),
        arguments: text(r#"{"body": {"n": 1.0}}"#),
        include_logs: true,
        memory_mb: 2048,
        ..hello()
    };
    let activation = provider
        .invoke(&mut call(), request)
        .await
        .unwrap()
        .activation
        .unwrap();
    let sent = upstream.only();
    assert_eq!(
        (sent.method(), rest(&sent).as_str()),
        ("POST", "/tools%3Ahello%3Av1/invocations")
    );
    assert_eq!(sent.body, br#"{"body": {"n": 1.0}}"#);
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-cff-request-version", "v1"),
        ("x-cff-log-type", "tail"),
        ("x-cff-instance-memory", "2048"),
        ("x-project-id", PROJECT),
    ] {
        assert_eq!(sent.header(name), Some(value));
    }
    assert!(activation.success);
    assert_eq!(
        (
            activation.package_name.as_str(),
            activation.action_name.as_str()
        ),
        ("tools", "hello")
    );
    assert_eq!(
        (activation.version.as_str(), activation.namespace.as_str()),
        ("v1", PROJECT)
    );
    assert_eq!(
        (
            activation.activation_id.as_str(),
            activation.upstream_request_id.as_str()
        ),
        ("run-1", "gateway-1")
    );
    assert_eq!(shown(activation.result.as_ref()), r#"{"ok":true}"#);
    assert_eq!(activation.logs, ["one", "two"]);
}

#[tokio::test]
async fn without_logs_and_memory_their_headers_stay_away() {
    let (provider, upstream) = bench([answer(200, GOOD)]).await;
    let activation = provider
        .invoke(&mut call(), hello())
        .await
        .unwrap()
        .activation
        .unwrap();
    let sent = upstream.only();
    assert_eq!(
        (
            sent.header("x-cff-log-type"),
            sent.header("x-cff-instance-memory")
        ),
        (None, None)
    );
    assert_eq!(rest(&sent), "/default%3Ahello/invocations");
    assert!(activation.logs.is_empty() && activation.version.is_empty());
}

#[tokio::test]
async fn all_faults_come_together_and_nothing_is_sent() {
    let (provider, upstream) = bench([]).await;
    let request = InvokeRequest {
        platform: Platform::Vpc.into(),
        package_name: "a b".to_owned(),
        action_name: "1x".to_owned(),
        version: "!".to_owned(),
        arguments: text("[1]"),
        result_encoding: 9,
        wait: Some(prost_types::Duration {
            seconds: 0,
            nanos: 0,
        }),
        memory_mb: 100,
        ..InvokeRequest::default()
    };
    let error = provider.invoke(&mut call(), request).await.unwrap_err();
    let mut fields: Vec<_> = error
        .violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    fields.sort_unstable();
    let expected = [
        "action_name",
        "arguments",
        "memory_mb",
        "package_name",
        "platform",
        "result_encoding",
        "version",
        "wait",
    ];
    assert_eq!(fields, expected);
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn events_beyond_the_limits_are_refused_before_they_are_sent() {
    let (provider, upstream) =
        bench([answer(200, GOOD), answer(202, r#"{"request_id":"r"}"#)]).await;
    let event = |size: usize| text(&format!(r#"{{"a":"{}"}}"#, "x".repeat(size - 8)));
    let (large, small) = (6 << 20, 256 << 10);
    let sync = |arguments| InvokeRequest {
        arguments,
        ..hello()
    };
    let error = provider
        .invoke(&mut call(), sync(event(large + 1)))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.violations[0].field.as_str()),
        (Kind::InvalidArgument, "arguments")
    );
    let later = |arguments| InvokeAsyncRequest {
        arguments,
        ..hello_async()
    };
    let error = provider
        .invoke_async(&mut call(), later(event(small + 1)))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.violations[0].field.as_str()),
        (Kind::InvalidArgument, "arguments")
    );
    assert!(upstream.received().is_empty());
    provider
        .invoke(&mut call(), sync(event(large)))
        .await
        .unwrap();
    provider
        .invoke_async(&mut call(), later(event(small)))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_may_have_run_is_sent_again_only_if_that_does_no_harm() {
    for (idempotent, listed, attempts) in [
        (false, vec![], 1),
        (true, vec![], 2),
        (false, vec!["-/hello"], 2),
        (false, vec!["default/*"], 2),
    ] {
        let upstream = upstream([fault(500, "FSS.0500", "x"), answer(200, GOOD)]).await;
        let provider = Make {
            idempotent: listed,
            ..Make::default()
        }
        .build(&upstream, &upstream);
        let run = provider
            .invoke(
                &mut call(),
                InvokeRequest {
                    idempotent,
                    ..hello()
                },
            )
            .await;
        assert_eq!(upstream.received().len(), attempts);
        match run {
            Ok(_) => assert_eq!(attempts, 2),
            Err(error) => assert_eq!(
                (error.kind, error.execution),
                (Kind::Internal, Execution::Unknown)
            ),
        }
    }
}

#[tokio::test]
async fn a_wait_that_ends_says_what_is_known_and_what_to_do() {
    let (provider, upstream) = bench([]).await;
    upstream.push(steps([Step::Stall]));
    let wait = Some(prost_types::Duration {
        seconds: 0,
        nanos: 200_000_000,
    });
    let mut call = call();
    let deadline = call.deadline;
    let error = provider
        .invoke(&mut call, InvokeRequest { wait, ..hello() })
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::DeadlineExceeded, Execution::Unknown)
    );
    assert!(error.message.contains("InvokeAsync"), "{}", error.message);
    assert_eq!(call.deadline, deadline);
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let (provider, upstream) = bench([]).await;
    let error = provider
        .invoke(&mut Call::new(Instant::now()), hello())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::DeadlineExceeded, Execution::NotStarted)
    );
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn the_gateways_wall_is_an_error_that_nobody_repeats() {
    let (provider, upstream) = bench([fault(504, "APIGW.0201", "Backend timeout.")]).await;
    let error = provider
        .invoke(
            &mut call(),
            InvokeRequest {
                idempotent: true,
                ..hello()
            },
        )
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::DeadlineExceeded, Execution::Unknown)
    );
    assert!(
        error.message.contains("90 s") && error.message.contains("InvokeAsync"),
        "{}",
        error.message
    );
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn an_asynchronous_run_is_queued_under_its_id() {
    let (provider, upstream) = bench([answer(202, r#"{"request_id":"run-7"}"#)]).await;
    let request = InvokeAsyncRequest {
        version: "!blue".to_owned(),
        memory_mb: 256,
        ..hello_async()
    };
    let activation = provider
        .invoke_async(&mut call(), request)
        .await
        .unwrap()
        .activation
        .unwrap();
    assert_eq!(
        (activation.activation_id.as_str(), activation.status()),
        ("run-7", ActivationStatus::Queued)
    );
    assert!(!activation.success && activation.result.is_none());
    let sent = upstream.only();
    assert_eq!(rest(&sent), "/default%3Ahello%3A%21blue/invocations-async");
    assert_eq!(sent.body, b"{}");
    assert_eq!(
        (
            sent.header("x-cff-instance-memory"),
            sent.header("x-cff-request-version")
        ),
        (Some("256"), None)
    );
}

#[tokio::test]
async fn an_asynchronous_answer_without_an_id_is_no_success() {
    let (provider, _upstream) = bench([answer(202, "null")]).await;
    let error = provider
        .invoke_async(&mut call(), hello_async())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::Internal, Execution::Unknown)
    );
}

#[tokio::test]
async fn a_connection_that_is_refused_did_not_run_and_is_tried_again() {
    let mut gone = upstream([]).await;
    gone.shut().await;
    let provider = Make::default().build(&gone, &gone);
    let mut call = Call::new(Instant::now() + Duration::from_secs(5));
    let error = provider.invoke(&mut call, hello()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::Unavailable, Execution::NotStarted)
    );
    assert_eq!(call.attempts, 3);
}
