//! One `request_id`, one call: joined while it runs, answered from memory after.

use std::time::Duration;

use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Step, content, fault, html, steps};
use crate::support::bench::{Bench, ID, connect, hello, keys, shown, success, text, within};
use crate::support::details::told;

fn once(id: &str) -> InvokeRequest {
    InvokeRequest {
        request_id: id.to_owned(),
        ..hello()
    }
}

#[tokio::test]
async fn calls_with_one_id_are_one_run_and_get_one_answer() {
    let bench = Bench::new().await;
    bench.upstream.push(
        success(r#"{"n":1}"#)
            .header("x-ncp-trace-id", "t-1")
            .after(Duration::from_millis(200)),
    );
    let (first, second) = tokio::join!(bench.invoke(once("a")), bench.invoke(once("a")));
    assert_eq!(shown(&first.unwrap().result), r#"{"n":1}"#);
    assert_eq!(shown(&second.unwrap().result), r#"{"n":1}"#);
    let third = bench.invocations().invoke(once("a")).await.unwrap();
    assert_eq!(
        third.metadata().get("faas-upstream-request-id").unwrap(),
        "t-1"
    );
    assert_eq!(
        shown(&third.into_inner().activation.unwrap().result),
        r#"{"n":1}"#
    );
    assert_eq!(bench.upstream.received().len(), 1);
    bench.upstream.push(success(r#"{"n":2}"#));
    assert_eq!(
        shown(&bench.invoke(once("b")).await.unwrap().result),
        r#"{"n":2}"#
    );
}

#[tokio::test]
async fn another_request_under_a_used_id_is_refused() {
    let bench = Bench::new().await;
    bench.upstream.push(success("{}"));
    bench.invoke(once("a")).await.unwrap();
    let other = InvokeRequest {
        arguments: Some(text(r#"{"name":"lee"}"#)),
        ..once("a")
    };
    let told = told(&bench.invoke(other).await.unwrap_err());
    assert_eq!(
        (told.code, told.fields.as_slice()),
        (Code::InvalidArgument, &["request_id".to_owned()][..])
    );
    assert_eq!(told.execution(), "not_started");
    assert_eq!(bench.upstream.received().len(), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_finds_its_answer_when_it_comes_back() {
    let bench = Bench::new().await;
    bench
        .upstream
        .push(success(r#"{"n":1}"#).after(Duration::from_millis(300)));
    let mut client = bench.invocations();
    let call = tokio::spawn(async move { client.invoke(once("a")).await });
    bench.upstream.wait_received(1).await;
    call.abort();
    assert_eq!(
        shown(&bench.invoke(once("a")).await.unwrap().result),
        r#"{"n":1}"#
    );
    assert_eq!(
        (bench.upstream.received().len(), bench.upstream.hung_up()),
        (1, 0)
    );
}

#[tokio::test]
async fn a_failure_whose_outcome_is_unknown_is_kept_and_one_that_did_not_start_is_not() {
    let bench = Bench::new().await;
    bench.upstream.push(html(502));
    assert_eq!(
        bench.invoke(once("a")).await.unwrap_err().code(),
        Code::Unavailable
    );
    let again = told(&bench.invoke(once("a")).await.unwrap_err());
    again.assert(
        Code::Unavailable,
        "UPSTREAM_UNAVAILABLE",
        "unknown",
        "gateway",
    );
    assert_eq!(bench.upstream.received().len(), 1);

    bench
        .upstream
        .push(fault(403, "80002", "SUB_ACC_NO_PERMISSION"));
    assert_eq!(
        bench.invoke(once("b")).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    bench.upstream.push(success("{}"));
    bench.invoke(once("b")).await.unwrap();
}

#[tokio::test]
async fn joining_ends_with_the_joiners_own_deadline() {
    let bench = Bench::new().await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let first = tokio::spawn(async move {
        client
            .invoke(within(Duration::from_secs(5), once("a")))
            .await
    });
    bench.upstream.wait_received(1).await;
    let status = bench
        .invocations()
        .invoke(within(Duration::from_millis(200), once("a")))
        .await
        .unwrap_err();
    told(&status).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    first.abort();
}

#[tokio::test]
async fn asynchronous_runs_and_firings_are_kept_apart_and_once_each() {
    let bench = Bench::new().await;
    let only_id = || content(&format!(r#"{{"activationId":"{ID}"}}"#));
    bench.upstream.push(only_id());
    bench.upstream.push(only_id());
    for _ in 0..2 {
        let request = InvokeAsyncRequest {
            action_name: "hello".to_owned(),
            request_id: "a".to_owned(),
            ..InvokeAsyncRequest::default()
        };
        bench.invocations().invoke_async(request).await.unwrap();
        let request = FireTriggerRequest {
            trigger_name: "t".to_owned(),
            request_id: "a".to_owned(),
            ..FireTriggerRequest::default()
        };
        let fired = bench
            .triggers()
            .fire_trigger(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(fired.activation_id, ID);
    }
    assert_eq!(bench.upstream.received().len(), 2);
}

/// Hedging sends a call a second time without waiting (gRFC A6), and retries name the attempts
/// before them.
#[tokio::test]
async fn retries_and_hedges_of_grpc_clients_run_each_call_once() {
    let bench = Bench::new().await;
    let calls = 40;
    for _ in 0..calls {
        bench
            .upstream
            .push(steps([Step::Pause(Duration::from_millis(30)), Step::Echo]));
    }
    let call = |number: usize, attempt: usize| {
        // Each client has a connection of its own, as behind a load balancer.
        let mut client = InvocationServiceClient::new(connect(&bench.sidecar));
        async move {
            let mut request = tonic::Request::new(InvokeRequest {
                arguments: Some(text(&format!(r#"{{"n":{number}}}"#))),
                ..once(&format!("job-{number}"))
            });
            if attempt > 0 {
                let attempts = attempt.to_string().parse().unwrap();
                request
                    .metadata_mut()
                    .insert("grpc-previous-rpc-attempts", attempts);
                tokio::time::sleep(Duration::from_millis(15 * attempt as u64)).await;
            }
            let run = client
                .invoke(request)
                .await
                .unwrap()
                .into_inner()
                .activation
                .unwrap();
            assert_eq!(shown(&run.result), format!(r#"{{"n":{number}}}"#));
        }
    };
    // The original and its hedge at once, a retry while they run, one after they have ended.
    let all = (0..calls).flat_map(|number| [0, 0, 1, 4].map(|attempt| call(number, attempt)));
    futures_util::future::join_all(all).await;
    let mut runs: Vec<_> = bench
        .upstream
        .received()
        .iter()
        .map(|run| run.text().to_owned())
        .collect();
    assert_eq!(runs.len(), calls);
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), calls, "each id ran once");
}

#[tokio::test]
async fn an_answer_that_is_too_large_to_keep_is_told_and_not_made_again() {
    let bench = Bench::whole(
        "request_ids: {window: 5m, max_entries: 10, max_size: 1KiB}",
        "",
        &keys(),
    )
    .await;
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(2000));
    bench.upstream.push(success(&large));
    assert_eq!(shown(&bench.invoke(once("a")).await.unwrap().result), large);
    let told = told(&bench.invoke(once("a")).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "ANSWER_NOT_KEPT",
        "completed",
        "sidecar",
    );
    assert_eq!(
        told.resource,
        Some(("activation".to_owned(), ID.to_owned()))
    );
    assert_eq!(told.pushback, Some(-1));
    assert_eq!(bench.upstream.received().len(), 1);
}

#[tokio::test]
async fn the_window_is_as_long_as_configured() {
    let bench = Bench::whole("request_ids: {window: 1s}", "", &keys()).await;
    bench.upstream.push(success(r#"{"n":1}"#));
    bench.upstream.push(success(r#"{"n":2}"#));
    for expected in [r#"{"n":1}"#, r#"{"n":1}"#] {
        assert_eq!(
            shown(&bench.invoke(once("a")).await.unwrap().result),
            expected
        );
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(
        shown(&bench.invoke(once("a")).await.unwrap().result),
        r#"{"n":2}"#
    );
}

#[tokio::test]
async fn an_idempotent_call_that_failed_for_a_while_may_be_repeated_under_its_id() {
    let bench = Bench::with("retry: {max_attempts: 1}").await;
    let request = || InvokeRequest {
        idempotent: true,
        ..once("a")
    };
    bench.upstream.push(html(502));
    bench.upstream.push(success("{}"));
    assert_eq!(
        bench.invoke(request()).await.unwrap_err().code(),
        Code::Unavailable
    );
    bench.invoke(request()).await.unwrap();
}
