//! Time: the caller's deadline bounds everything, its wait goes upstream, and an id alone is a run
//! that goes on.

use std::time::{Duration, Instant};

use faas_sidecar::proto::*;
use prost_types::Duration as Span;
use tonic::Code;

use crate::support::answer::{Step, content, fault, html, steps};
use crate::support::bench::{Bench, ID, hello, shown, success, within};
use crate::support::details::told;

fn only_id() -> crate::support::answer::Http {
    content(&format!(r#"{{"activationId":"{ID}"}}"#))
}

fn not_yet() -> crate::support::answer::Http {
    fault(404, "80322", "ACTION_ACTIVATION_NOT_FOUND")
}

fn span(millis: i64) -> Option<Span> {
    Some(Span {
        seconds: millis / 1000,
        nanos: i32::try_from(millis % 1000).unwrap() * 1_000_000,
    })
}

async fn asked_timeout(bench: &Bench, request: impl tonic::IntoRequest<InvokeRequest>) -> u64 {
    bench.upstream.push(success("{}"));
    bench.invocations().invoke(request).await.unwrap();
    bench
        .upstream
        .received()
        .pop()
        .unwrap()
        .query("timeout")
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn out_of_time_is_deadline_exceeded_for_every_kind_of_call_and_never_cancelled() {
    let bench = Bench::new().await;
    let short = Duration::from_millis(150);
    for _ in 0..4 {
        bench.upstream.push(steps([Step::Stall]));
    }
    let codes = [
        bench
            .invocations()
            .invoke(within(short, hello()))
            .await
            .unwrap_err(),
        bench
            .packages()
            .list_packages(within(short, ListPackagesRequest::default()))
            .await
            .unwrap_err(),
        bench
            .triggers()
            .list_triggers(within(short, ListTriggersRequest::default()))
            .await
            .unwrap_err(),
        bench
            .actions()
            .list_actions(within(short, ListActionsRequest::default()))
            .await
            .unwrap_err(),
    ];
    for status in codes {
        told(&status).assert(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "unknown",
            "sidecar",
        );
    }
}

#[tokio::test]
async fn the_targets_longest_call_bounds_a_caller_without_a_deadline() {
    let bench = Bench::quick("timeouts: {request: 200ms}").await;
    bench.upstream.push(steps([Step::Stall]));
    let began = Instant::now();
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert!((200..5000).contains(&began.elapsed().as_millis()));
}

#[tokio::test]
async fn the_query_timeout_is_the_wait_asked_for() {
    let bench = Bench::new().await;
    assert_eq!(
        asked_timeout(
            &bench,
            InvokeRequest {
                wait: span(1500),
                ..hello()
            }
        )
        .await,
        1500
    );
    assert_eq!(
        asked_timeout(
            &bench,
            InvokeRequest {
                wait: span(0),
                ..hello()
            }
        )
        .await,
        0
    );
    // Without a word, the target's own wait; the cloud holds a call for at most 60 s.
    assert_eq!(asked_timeout(&bench, hello()).await, 60_000);
    assert_eq!(
        asked_timeout(
            &bench,
            InvokeRequest {
                wait: span(120_000),
                ..hello()
            }
        )
        .await,
        60_000
    );
    let bench = Bench::quick("wait: 5s").await;
    assert_eq!(asked_timeout(&bench, hello()).await, 5000);
}

#[tokio::test]
async fn the_query_timeout_is_what_remains_of_the_deadline_less_a_margin() {
    let bench = Bench::new().await;
    let asked = asked_timeout(&bench, within(Duration::from_secs(10), hello())).await;
    assert!((9000..9900).contains(&asked), "{asked}");
    let asked = asked_timeout(&bench, within(Duration::from_secs(1), hello())).await;
    assert!((500..900).contains(&asked), "{asked}");
    let request = InvokeRequest {
        wait: span(2000),
        ..hello()
    };
    assert_eq!(
        asked_timeout(&bench, within(Duration::from_secs(10), request)).await,
        2000
    );
}

#[tokio::test]
async fn an_id_alone_is_running_and_never_success() {
    let bench = Bench::new().await;
    for status in [200, 202] {
        let answer = crate::support::answer::http(
            status,
            &format!(r#"{{"content":{{"activationId":"{ID}"}}}}"#),
        );
        bench.upstream.push(answer);
        let run = bench
            .invoke(InvokeRequest {
                wait: span(0),
                ..hello()
            })
            .await
            .unwrap();
        assert_eq!(
            (run.status(), run.success, run.activation_id.as_str()),
            (ActivationStatus::Running, false, ID)
        );
        assert_eq!((run.result, run.end_time, run.duration), (None, None, None));
    }
    bench.upstream.push(only_id());
    let request = InvokeAsyncRequest {
        action_name: "hello".to_owned(),
        ..InvokeAsyncRequest::default()
    };
    let run = bench
        .invocations()
        .invoke_async(request)
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(
        (run.status(), run.success),
        (ActivationStatus::Running, false)
    );
    assert_eq!(
        bench
            .upstream
            .received()
            .pop()
            .unwrap()
            .query("timeout")
            .unwrap(),
        "0"
    );
}

#[tokio::test]
async fn while_the_wait_lasts_the_record_is_asked_for_and_not_found_means_not_yet() {
    let bench = Bench::new().await;
    bench.upstream.push(only_id());
    bench.upstream.push(not_yet());
    bench.upstream.push(html(503));
    bench.upstream.push(success(r#"{"payload":"late"}"#));
    let run = bench
        .invoke(InvokeRequest {
            wait: span(10_000),
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(
        (run.status(), run.success),
        (ActivationStatus::Success, true)
    );
    assert_eq!(shown(&run.result), r#"{"payload":"late"}"#);
    let received = bench.upstream.received();
    let lines: Vec<_> = received
        .iter()
        .map(crate::support::upstream::Received::line)
        .collect();
    assert_eq!(
        lines[0],
        "POST /ncf/api/v2/packages/-/actions/hello?platform=vpc&timeout=10000 HTTP/1.1"
    );
    let look =
        format!("GET /ncf/api/v2/packages/-/actions/hello/activations/{ID}?platform=vpc HTTP/1.1");
    assert_eq!(lines[1..], [look.clone(), look.clone(), look]);
}

#[tokio::test]
async fn a_wait_that_ends_while_asking_answers_running() {
    let bench = Bench::new().await;
    bench.upstream.push(only_id());
    for _ in 0..10 {
        bench.upstream.push(not_yet());
    }
    let began = Instant::now();
    let run = bench
        .invoke(InvokeRequest {
            wait: span(700),
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(
        (run.status(), run.activation_id.as_str()),
        (ActivationStatus::Running, ID)
    );
    assert!(
        (600..1500).contains(&began.elapsed().as_millis()),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_look_that_stalls_does_not_outlast_the_wait() {
    let bench = Bench::new().await;
    bench.upstream.push(only_id());
    bench.upstream.push(steps([Step::Stall]));
    let began = Instant::now();
    let run = bench
        .invoke(InvokeRequest {
            wait: span(600),
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(
        (run.status(), run.activation_id.as_str()),
        (ActivationStatus::Running, ID)
    );
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    bench.upstream.wait_hung_up(1).await;
}

#[tokio::test]
async fn a_record_that_may_not_be_read_leaves_the_run_as_running() {
    let bench = Bench::new().await;
    bench.upstream.push(only_id());
    bench
        .upstream
        .push(fault(403, "80002", "SUB_ACC_NO_PERMISSION"));
    let run = bench
        .invoke(InvokeRequest {
            wait: span(5000),
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(run.status(), ActivationStatus::Running);
    assert!(
        run.status_text.contains("cannot be read"),
        "{}",
        run.status_text
    );
}

#[tokio::test]
async fn not_found_on_a_read_says_that_it_may_come() {
    let bench = Bench::new().await;
    bench.upstream.push(not_yet());
    let request = GetActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..GetActivationRequest::default()
    };
    let told = told(
        &bench
            .invocations()
            .get_activation(request)
            .await
            .unwrap_err(),
    );
    told.assert(
        Code::NotFound,
        "ACTION_ACTIVATION_NOT_FOUND",
        "not_started",
        "service",
    );
    assert_eq!(
        told.resource,
        Some(("activation".to_owned(), ID.to_owned()))
    );
    assert!(told.retry_after.is_some() && told.message.contains("not visible yet"));
}

#[tokio::test]
async fn a_watch_tells_each_change_of_state_once_and_ends() {
    let bench = Bench::new().await;
    bench.upstream.push(not_yet());
    bench.upstream.push(html(503));
    bench.upstream.push(not_yet());
    bench.upstream.push(success("{}"));
    let request = WatchActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..WatchActivationRequest::default()
    };
    let mut stream = bench
        .invocations()
        .watch_activation(request)
        .await
        .unwrap()
        .into_inner();
    let mut states = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        let run = message.activation.unwrap();
        assert_eq!(run.activation_id, ID);
        states.push(run.status());
    }
    assert_eq!(
        states,
        [ActivationStatus::Running, ActivationStatus::Success]
    );
    let trailers = stream.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get("faas-attempts").unwrap(), "4");
}

#[tokio::test]
async fn a_watch_ends_with_its_deadline_and_with_a_lasting_error() {
    let bench = Bench::new().await;
    let request = || WatchActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..WatchActivationRequest::default()
    };
    for _ in 0..10 {
        bench.upstream.push(not_yet());
    }
    let answer = bench
        .invocations()
        .watch_activation(within(Duration::from_millis(600), request()))
        .await;
    let mut stream = answer.unwrap().into_inner();
    assert_eq!(
        stream
            .message()
            .await
            .unwrap()
            .unwrap()
            .activation
            .unwrap()
            .status(),
        ActivationStatus::Running
    );
    let over = told(&stream.message().await.unwrap_err());
    // Of the run: who reads not_started would start it again.
    over.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert!(over.message.contains("it may go on"), "{}", over.message);

    let bench = Bench::new().await;
    bench.upstream.push(fault(404, "80301", "ACTION_NOT_FOUND"));
    let mut stream = bench
        .invocations()
        .watch_activation(request())
        .await
        .unwrap()
        .into_inner();
    let told = told(&stream.message().await.unwrap_err());
    told.assert(Code::NotFound, "ACTION_NOT_FOUND", "not_started", "service");
}

#[tokio::test]
async fn a_caller_that_cancels_ends_the_upstream_request() {
    let bench = Bench::new().await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let call = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    assert_eq!(bench.upstream.hung_up(), 0);
    call.abort();
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_caller_that_leaves_a_watch_ends_its_looks() {
    let bench = Bench::new().await;
    bench.upstream.push(steps([Step::Stall]));
    let request = WatchActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..WatchActivationRequest::default()
    };
    let stream = bench.invocations().watch_activation(request).await.unwrap();
    bench.upstream.wait_received(1).await;
    drop(stream);
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}
