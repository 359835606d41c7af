//! One `request_id`, one call: joined while it runs, answered from memory after.

use std::time::Duration;

use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Step, content, fault, html, steps};
use crate::support::bench::{Bench, ID, hello, shown, success, text, within};
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
    assert_eq!(third.metadata().get("faas-upstream-request-id").unwrap(), "t-1");
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
    again.assert(Code::Unavailable, "UPSTREAM_UNAVAILABLE", "unknown", "gateway");
    assert_eq!(bench.upstream.received().len(), 1);

    bench.upstream.push(fault(403, "80002", "SUB_ACC_NO_PERMISSION"));
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
    let first = tokio::spawn(async move { client.invoke(within(Duration::from_secs(5), once("a"))).await });
    bench.upstream.wait_received(1).await;
    let status = bench
        .invocations()
        .invoke(within(Duration::from_millis(200), once("a")))
        .await
        .unwrap_err();
    told(&status).assert(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "unknown", "sidecar");
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
        let fired = bench.triggers().fire_trigger(request).await.unwrap().into_inner();
        assert_eq!(fired.activation_id, ID);
    }
    assert_eq!(bench.upstream.received().len(), 2);
}
