//! Many calls at once on a healthy cloud: all are answered, each caller and action gets its turn,
//! and what the sidecar itself refused may be repeated.

use std::time::Duration;

use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::*;

use crate::support::answer::{Step, steps};
use crate::support::bench::{Bench, connect, hello, success, within};
use crate::support::details::told;

const MINUTE: Duration = Duration::from_secs(60);

fn run(action: &str) -> InvokeRequest {
    InvokeRequest {
        action_name: action.to_owned(),
        ..hello()
    }
}

#[tokio::test]
async fn hundreds_of_calls_at_once_wait_for_their_turn_and_all_are_answered() {
    let bench = Bench::with("").await;
    let calls = 450;
    for _ in 0..calls {
        bench
            .upstream
            .push(success("{}").after(Duration::from_millis(400)));
    }
    // 100 slots: the last ones wait for longer than a second, each well within its deadline.
    let calls = (0..calls).map(|_| {
        let mut client = bench.invocations();
        async move { client.invoke(within(MINUTE, hello())).await.map(drop) }
    });
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_flood_of_slow_calls_leaves_other_callers_and_other_actions_alive() {
    let bench = Bench::with("limits: {max_in_flight: 2}").await;
    for _ in 0..82 {
        bench
            .upstream
            .push(success("{}").after(Duration::from_millis(100)));
    }
    let flood: Vec<_> = (0..80)
        .map(|_| {
            let mut client = bench.invocations();
            tokio::spawn(async move { client.invoke(within(MINUTE, run("slow"))).await.map(drop) })
        })
        .collect();
    bench.upstream.wait_received(2).await;
    // The flood takes four seconds.
    let mut other = InvocationServiceClient::new(connect(&bench.sidecar));
    let mut same = bench.invocations();
    let soon = Duration::from_millis(1500);
    let (caller, action) = tokio::join!(
        other.invoke(within(soon, run("slow"))),
        same.invoke(within(soon, run("fast")))
    );
    caller.unwrap();
    action.unwrap();
    for call in flood {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_repetition_of_what_the_sidecar_refused_is_not_charged_to_the_retry_budget() {
    let bench = Bench::with(
        "retry: {max_attempts: 1, budget: {ratio: 0, min_per_second: 0}}\nlimits: {max_in_flight: 1, max_queue: 0}",
    )
    .await;
    let repeated = |previous: &str| {
        let mut request = tonic::Request::new(hello());
        let previous = previous.parse().unwrap();
        request
            .metadata_mut()
            .insert("grpc-previous-rpc-attempts", previous);
        let mut client = bench.invocations();
        async move { client.invoke(request).await }
    };
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let held = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    let refused = told(&bench.invoke(hello()).await.unwrap_err());
    assert_eq!(refused.reason, "QUEUE_FULL");
    assert!(refused.pushback.unwrap() > 0);
    // Refused once more while there is no room.
    assert_eq!(told(&repeated("1").await.unwrap_err()).reason, "QUEUE_FULL");
    held.abort();
    bench.upstream.wait_hung_up(1).await;
    bench.upstream.push(success("{}"));
    repeated("2").await.unwrap();
    // One refusal, one repetition: the next retry has nothing that pays for it.
    let spent = told(&repeated("1").await.unwrap_err());
    assert_eq!(spent.reason, "RETRY_BUDGET_EXHAUSTED");
}
