//! What the sidecar does to an upstream in trouble: it adds no load, gives it a pause, and keeps to
//! its rate.

use std::time::Duration;

use faas_sidecar::proto::*;
use tonic::{Code, Status};

use crate::support::answer::{Step, content, fault, html, steps};
use crate::support::bench::{Bench, hello, success};
use crate::support::details::{Told, told};

/// No pauses between attempts, and no circuit in the way of counting.
const OUTAGE: &str = "retry: {max_attempts: 4, initial_backoff: 1ms, max_backoff: 1ms, budget: {ratio: 0.1, min_per_second: 0}}\nbreaker: {enabled: false}";

/// One try of each call, and a circuit that opens soon and for a short while.
const CIRCUIT: &str =
    "retry: {max_attempts: 1}\nbreaker: {consecutive_failures: 5, open: 2s, max_open: 2s}";

fn list(previous_attempts: Option<&str>) -> tonic::Request<ListPackagesRequest> {
    let mut request = tonic::Request::new(ListPackagesRequest::default());
    if let Some(previous) = previous_attempts {
        request
            .metadata_mut()
            .insert("grpc-previous-rpc-attempts", previous.parse().unwrap());
    }
    request
}

/// A call as a gRPC client with a retry policy of `attempts` makes it (gRFC A6), its pauses left
/// out. `obeys` = it heeds `grpc-retry-pushback-ms`. Answers the last status and how often it
/// asked.
async fn with_own_retries(bench: &Bench, attempts: u32, obeys: bool) -> (Status, u32) {
    let mut client = bench.packages();
    for previous in 0..attempts {
        let text = previous.to_string();
        let request = list((previous > 0).then_some(text.as_str()));
        let status = client.list_packages(request).await.unwrap_err();
        let stop = told(&status).pushback.unwrap() < 0;
        if (obeys && stop) || previous + 1 == attempts {
            return (status, previous + 1);
        }
    }
    unreachable!("a call is made at least once")
}

#[tokio::test]
async fn in_a_total_outage_two_layers_of_retries_together_stay_below_one_and_a_tenth() {
    for obeys in [true, false] {
        let bench = Bench::with(OUTAGE).await;
        let calls: u32 = 200;
        for _ in 0..calls * 2 {
            bench.upstream.push(html(503));
        }
        let (mut asked, mut stopped) = (0, 0);
        for _ in 0..calls {
            let (status, count) = with_own_retries(&bench, 5, obeys).await;
            asked += count;
            let told = told(&status);
            assert_eq!(told.code, Code::Unavailable);
            if told.reason == "RETRY_BUDGET_EXHAUSTED" {
                told.assert(
                    Code::Unavailable,
                    "RETRY_BUDGET_EXHAUSTED",
                    "not_started",
                    "sidecar",
                );
                assert_eq!((told.attempts, told.pushback), (Some(0), Some(-1)));
                assert!(told.retry_after.is_some());
                stopped += 1;
            }
        }
        let sent = bench.upstream.received().len();
        let bound = calls as usize * 11 / 10 + 1;
        assert!(
            (calls as usize..=bound).contains(&sent),
            "{sent} attempts of {calls} calls"
        );
        if obeys {
            // Told to stop with the first answer, nearly every client asks once.
            assert!(asked < calls * 12 / 10, "{asked} asked");
        } else {
            assert_eq!(asked, calls * 5);
            assert!(stopped > 150, "{stopped}");
        }
    }
}

#[tokio::test]
async fn a_clients_own_retry_passes_while_there_is_room_and_nonsense_is_no_retry() {
    let bench = Bench::with(OUTAGE).await;
    for nonsense in ["", "-1", "x", "1.5", "0"] {
        bench.upstream.push(content("[]"));
        bench
            .packages()
            .list_packages(list(Some(nonsense)))
            .await
            .unwrap();
    }
    let status = bench
        .packages()
        .list_packages(list(Some("1")))
        .await
        .unwrap_err();
    assert_eq!(told(&status).reason, "RETRY_BUDGET_EXHAUSTED");
    // Ten first tries have earned one retry; the retries themselves earn nothing.
    for _ in 0..10 {
        bench.upstream.push(content("[]"));
        bench.packages().list_packages(list(None)).await.unwrap();
    }
    bench.upstream.push(content("[]"));
    bench
        .packages()
        .list_packages(list(Some("1")))
        .await
        .unwrap();
    let status = bench
        .packages()
        .list_packages(list(Some("2")))
        .await
        .unwrap_err();
    assert_eq!(told(&status).reason, "RETRY_BUDGET_EXHAUSTED");
    assert_eq!(bench.upstream.received().len(), 16);
}

#[tokio::test]
async fn a_run_that_is_repeated_under_one_request_id_is_a_retry_too() {
    let bench = Bench::with(OUTAGE).await;
    let run = |previous: Option<&str>| {
        let mut request = tonic::Request::new(InvokeRequest {
            request_id: "order-17".to_owned(),
            ..hello()
        });
        if let Some(previous) = previous {
            request
                .metadata_mut()
                .insert("grpc-previous-rpc-attempts", previous.parse().unwrap());
        }
        let mut client = bench.invocations();
        async move { client.invoke(request).await }
    };
    // Refused before anything started, so the id is free again, and the next one is a retry that
    // nothing pays for.
    bench.upstream.push(fault(429, "410", "Throttle Limited"));
    let first = told(&run(None).await.unwrap_err());
    assert_eq!(
        (first.reason.as_str(), first.pushback),
        ("THROTTLE_LIMITED", Some(-1))
    );
    let second = told(&run(Some("1")).await.unwrap_err());
    assert_eq!(second.reason, "RETRY_BUDGET_EXHAUSTED");
    bench.upstream.push(success("{}"));
    run(None).await.unwrap();
    // A retry of what was answered gets that answer, for nothing.
    run(Some("1")).await.unwrap();
    assert_eq!(bench.upstream.received().len(), 2);
}

async fn refused_by_circuit(bench: &Bench) -> Told {
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(Code::Unavailable, "CIRCUIT_OPEN", "not_started", "sidecar");
    assert_eq!(told.attempts, Some(0));
    let pause = told.retry_after.unwrap();
    assert!(
        pause > Duration::ZERO && pause <= Duration::from_secs(2),
        "{pause:?}"
    );
    assert!(
        told.pushback.unwrap() > 0,
        "nothing was sent, so it may be repeated"
    );
    told
}

#[tokio::test]
async fn a_circuit_opens_refuses_without_a_byte_and_closes_after_a_good_probe() {
    let bench = Bench::with(CIRCUIT).await;
    for failure in [
        html(503).into(),
        steps([Step::Reset]),
        html(500).into(),
        steps([Step::Close]),
        fault(500, "900", "Unexpected Error").into(),
    ] {
        bench.upstream.push(failure);
        let told = told(
            &bench
                .packages()
                .list_packages(list(None))
                .await
                .unwrap_err(),
        );
        assert_eq!(told.attempts, Some(1));
    }
    // Every operation of the target: they share the upstream.
    for _ in 0..20 {
        refused_by_circuit(&bench).await;
    }
    assert_eq!(bench.upstream.received().len(), 5);
    let pause = refused_by_circuit(&bench).await.retry_after.unwrap();
    tokio::time::sleep(pause).await;
    bench.upstream.push(html(503));
    let probe = told(&bench.invoke(hello()).await.unwrap_err());
    assert_eq!(probe.reason, "UPSTREAM_UNAVAILABLE");
    let pause = refused_by_circuit(&bench).await.retry_after.unwrap();
    tokio::time::sleep(pause).await;
    for _ in 0..10 {
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
    }
    assert_eq!(bench.upstream.received().len(), 16);
}

#[tokio::test]
async fn a_probe_whose_caller_goes_away_gives_its_place_to_the_next() {
    let bench = Bench::with(CIRCUIT).await;
    for _ in 0..5 {
        bench.upstream.push(html(503));
        bench.invoke(hello()).await.unwrap_err();
    }
    let pause = refused_by_circuit(&bench).await.retry_after.unwrap();
    tokio::time::sleep(pause).await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let probe = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(6).await;
    refused_by_circuit(&bench).await;
    probe.abort();
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn refusals_and_failed_functions_open_no_circuit() {
    let bench = Bench::with(CIRCUIT).await;
    let failed = r#"{"activationId":"0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a","response":{"result":{"error":"no"},"status":"application error","success":false}}"#;
    for answer in [
        fault(404, "80301", "ACTION_NOT_FOUND"),
        fault(401, "210", "Permission Denied"),
        fault(429, "400", "Quota Exceeded"),
        fault(400, "80316", "ACTION_INVALID_RUNTIME_PARAMS"),
        // One function's network, not the cloud.
        fault(500, "81313", "NAT_BEING_CREATED"),
        crate::support::answer::http(502, failed),
    ] {
        for _ in 0..25 {
            bench.upstream.push(answer.clone());
            let _ = bench.invoke(hello()).await;
        }
    }
    assert_eq!(
        bench.upstream.received().len(),
        150,
        "something was not sent"
    );
    bench.assert_healthy().await;
}

#[tokio::test]
async fn short_deadlines_of_callers_open_no_circuit() {
    let bench = Bench::with(CIRCUIT).await;
    for number in 1..=8 {
        bench.upstream.push(steps([Step::Stall]));
        let request = crate::support::bench::within(Duration::from_millis(100), hello());
        let status = bench.invocations().invoke(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        bench.upstream.wait_hung_up(number).await;
    }
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_burst_of_429_slows_the_target_and_its_rate_recovers() {
    let bench = Bench::with("retry: {max_attempts: 1}\nlimits: {queue_timeout: 100ms}").await;
    for _ in 0..20 {
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
    }
    bench
        .upstream
        .push(fault(429, "420", "Rate Limited").header("Retry-After", "30"));
    assert_eq!(
        told(&bench.invoke(hello()).await.unwrap_err()).reason,
        "RATE_LIMITED"
    );
    // About fourteen a second now: of thirty at once a few find room within a tenth of a second.
    for _ in 0..30 {
        bench.upstream.push(success("{}"));
    }
    let calls = (0..30).map(|_| bench.invoke(hello()));
    let outcomes = futures_util::future::join_all(calls).await;
    let shed: Vec<_> = outcomes
        .into_iter()
        .filter_map(Result::err)
        .map(|status| told(&status))
        .collect();
    assert!((20..30).contains(&shed.len()), "{} shed", shed.len());
    assert_eq!(bench.upstream.received().len(), 21 + 30 - shed.len());
    let mut pause = Duration::ZERO;
    for told in &shed {
        told.assert(
            Code::ResourceExhausted,
            "RATE_LIMITED_LOCALLY",
            "not_started",
            "sidecar",
        );
        assert!(told.quota && told.attempts == Some(0) && told.pushback.unwrap() > 0);
        pause = pause.max(told.retry_after.unwrap());
    }
    // Whoever waits as told gets through: the one Retry-After of 30 s was that call's, not the
    // target's.
    assert!(pause < Duration::from_secs(3), "{pause:?}");
    tokio::time::sleep(pause).await;
    bench.invoke(hello()).await.unwrap();
    // Seven seconds are enough for the curve to pass a burst of thirty.
    tokio::time::sleep(Duration::from_secs(7)).await;
    for _ in 0..30 {
        bench.upstream.push(success("{}"));
    }
    let calls = (0..30).map(|_| bench.invoke(hello()));
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
}
