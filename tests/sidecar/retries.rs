//! What is sent again, when, and how often; what never is.

use std::time::Duration;

use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Answer, Step, content, fault, html, http, steps};
use crate::support::bench::{Bench, hello, shown, success, within};
use crate::support::details::told;

fn list() -> ListPackagesRequest {
    ListPackagesRequest::default()
}

fn throttled() -> crate::support::answer::Http {
    fault(429, "410", "Throttle Limited")
}

#[tokio::test]
async fn a_refused_connection_is_retried_and_told_as_not_started() {
    let mut bench = Bench::new().await;
    bench.upstream.shut().await;
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Unavailable,
        "CONNECT_FAILED",
        "not_started",
        "network",
    );
    assert_eq!(told.attempts, Some(3));
    assert!(told.pushback.unwrap() > 0 && told.retry_after.is_some());
    assert!(
        told.message.contains("nothing was sent"),
        "{}",
        told.message
    );
}

#[tokio::test]
async fn reads_puts_and_deletes_are_retried_after_5xx_and_lost_connections() {
    // Half of these requests fail, which would open the circuit.
    let bench = Bench::quick("breaker: {enabled: false}").await;
    let failures = || -> Vec<Answer> {
        vec![
            html(503).into(),
            steps([Step::Close]),
            steps([Step::Reset]),
            html(500).into(),
            fault(500, "900", "x").into(),
        ]
    };
    for failure in failures() {
        bench.upstream.push(failure);
        bench.upstream.push(content("[]"));
        let answer = bench.packages().list_packages(list()).await.unwrap();
        assert_eq!(answer.metadata().get("faas-attempts").unwrap(), "2");
    }
    for failure in failures() {
        bench.upstream.push(failure);
        bench.upstream.push(content(r#"{"name":"p"}"#));
        let request = PutPackageRequest {
            package_name: "p".to_owned(),
            ..Default::default()
        };
        bench.packages().put_package(request).await.unwrap();
    }
    for failure in failures() {
        bench.upstream.push(failure);
        bench.upstream.push(http(204, "").until_close());
        let request = DeletePackageRequest {
            package_name: "p".to_owned(),
            ..Default::default()
        };
        bench.packages().delete_package(request).await.unwrap();
    }
    assert!(
        bench
            .upstream
            .received()
            .iter()
            .all(|request| request.signed)
    );
    assert_eq!(
        (bench.upstream.received().len(), bench.upstream.unused()),
        (30, 0)
    );
}

#[tokio::test]
async fn a_run_is_never_sent_again_once_its_bytes_have_left() {
    for failure in [
        Answer::from(html(500)),
        html(502).into(),
        html(503).into(),
        html(504).into(),
        fault(503, "500", "Endpoint Error").into(),
        fault(504, "510", "Endpoint Timeout").into(),
        steps([Step::Close]),
        steps([Step::Reset]),
        success("{}").cut_after(10, Step::Close),
        success("{}").half(Step::Reset),
    ] {
        let bench = Bench::new().await;
        bench.upstream.push(failure.clone());
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        assert_eq!(
            (told.attempts, told.pushback),
            (Some(1), Some(-1)),
            "{failure:?}"
        );
        assert_ne!(told.execution(), "not_started", "{failure:?}");
        assert_eq!(bench.upstream.received().len(), 1);
    }
}

#[tokio::test]
async fn a_run_on_a_kept_connection_that_the_server_has_closed_is_sent_once() {
    let bench = Bench::new().await;
    bench.assert_healthy().await;
    bench.upstream.push(steps([Step::Close]));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(Code::Unavailable, "CONNECTION_LOST", "unknown", "network");
    let received = bench.upstream.received();
    assert_eq!(received.len(), 2);
    assert_eq!(
        received[0].connection, received[1].connection,
        "the connection was not kept"
    );
}

#[tokio::test]
async fn firing_and_linking_are_sent_once_too() {
    let bench = Bench::new().await;
    bench.upstream.push(html(503));
    let request = FireTriggerRequest {
        trigger_name: "t".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        bench
            .triggers()
            .fire_trigger(request)
            .await
            .unwrap_err()
            .code(),
        Code::Unavailable
    );
    bench.upstream.push(html(503));
    let request = LinkActionRequest {
        trigger_name: "t".to_owned(),
        action_name: "a".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        bench
            .triggers()
            .link_action(request)
            .await
            .unwrap_err()
            .code(),
        Code::Unavailable
    );
    assert_eq!(bench.upstream.received().len(), 2);
}

#[tokio::test]
async fn a_run_that_the_caller_calls_idempotent_is_retried() {
    let bench = Bench::new().await;
    bench.upstream.push(steps([Step::Close]));
    bench.upstream.push(html(502));
    bench.upstream.push(success(r#"{"n":1}"#));
    let run = bench
        .invoke(InvokeRequest {
            idempotent: true,
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(shown(&run.result), r#"{"n":1}"#);
    assert_eq!(bench.upstream.received().len(), 3);
}

#[tokio::test]
async fn a_run_that_the_configuration_lists_as_idempotent_is_retried() {
    let bench = Bench::quick("idempotent_actions: [\"reports/*\", \"-/ping\"]").await;
    for (package, action) in [("reports", "daily"), ("", "ping")] {
        bench.upstream.push(html(503));
        bench.upstream.push(success("{}"));
        let request = InvokeRequest {
            package_name: package.to_owned(),
            action_name: action.to_owned(),
            ..hello()
        };
        bench.invoke(request).await.unwrap();
    }
    assert_eq!(bench.upstream.received().len(), 4);
    bench.upstream.push(html(503));
    bench.invoke(hello()).await.unwrap_err();
    assert_eq!(bench.upstream.received().len(), 5);
    // When all attempts fail the caller hears that it may repeat the call too.
    for _ in 0..3 {
        bench.upstream.push(html(503));
    }
    let request = InvokeRequest {
        action_name: "ping".to_owned(),
        ..hello()
    };
    let told = told(&bench.invoke(request).await.unwrap_err());
    assert!(told.pushback.unwrap() > 0);
}

#[tokio::test]
async fn a_429_is_retried_even_for_a_run() {
    for refusal in [
        throttled(),
        fault(429, "420", "Rate Limited"),
        html(429),
        fault(429, "99999", "NEW_LIMIT"),
    ] {
        let bench = Bench::new().await;
        bench.upstream.push(refusal);
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
        assert_eq!(bench.upstream.received().len(), 2);
    }
}

#[tokio::test]
async fn a_429_that_lasts_is_resource_exhausted_with_the_upstreams_pause() {
    let bench = Bench::quick("timeouts: {request: 2s}").await;
    bench.upstream.push(throttled().header("Retry-After", "7"));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "THROTTLE_LIMITED",
        "not_started",
        "gateway",
    );
    assert_eq!(
        (told.retry_after, told.pushback),
        (Some(Duration::from_secs(7)), Some(7000))
    );
    // Seven seconds do not fit into the call's two, so it was not waited for.
    assert_eq!(told.attempts, Some(1));
}

#[tokio::test]
async fn a_used_up_quota_is_not_retried() {
    let bench = Bench::new().await;
    bench.upstream.push(fault(429, "400", "Quota Exceeded"));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "QUOTA_EXCEEDED",
        "not_started",
        "gateway",
    );
    assert!(told.quota && told.pushback == Some(-1) && told.attempts == Some(1));
}

#[tokio::test]
async fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    let bench = Bench::new().await;
    bench.upstream.push(throttled().header("Retry-After", "1"));
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    let received = bench.upstream.received();
    let pause = received[1].at - received[0].at;
    assert!(
        pause >= Duration::from_secs(1) && pause < Duration::from_secs(2),
        "{pause:?}"
    );
    // A date that has passed is no reason to wait.
    bench
        .upstream
        .push(throttled().header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"));
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    let received = bench.upstream.received();
    assert!(received[3].at - received[2].at < Duration::from_secs(1));
}

#[tokio::test]
async fn each_attempt_is_signed_afresh() {
    let bench =
        Bench::with("retry: {initial_backoff: 40ms, max_backoff: 40ms, max_attempts: 4}").await;
    for _ in 0..2 {
        bench
            .upstream
            .push(html(503).after(Duration::from_millis(5)));
    }
    bench.upstream.push(content("[]"));
    bench.packages().list_packages(list()).await.unwrap();
    let received = bench.upstream.received();
    assert!(received.iter().all(|request| request.signed));
    let unique = |name| {
        let mut values: Vec<_> = received
            .iter()
            .map(|request| request.header(name).unwrap())
            .collect();
        values.dedup();
        values.len()
    };
    assert_eq!(
        (
            unique("x-ncp-apigw-timestamp"),
            unique("x-ncp-apigw-signature-v2")
        ),
        (3, 3)
    );
    assert_eq!(unique("x-ncp-iam-access-key"), 1);
}

#[tokio::test]
async fn attempts_end_with_max_attempts() {
    let bench = Bench::with(
        "retry: {max_attempts: 2, initial_backoff: 1ms, budget: {min_per_second: 100}}",
    )
    .await;
    for _ in 0..2 {
        bench.upstream.push(html(503));
    }
    let told = told(&bench.packages().list_packages(list()).await.unwrap_err());
    told.assert(
        Code::Unavailable,
        "UPSTREAM_UNAVAILABLE",
        "unknown",
        "gateway",
    );
    assert_eq!(
        (told.attempts, told.metadata["http_status"].as_str()),
        (Some(2), "503")
    );
    assert!(told.pushback.unwrap() > 0, "a read may be repeated");
    assert_eq!(bench.upstream.received().len(), 2);
}

#[tokio::test]
async fn an_outage_spends_the_budget_of_retries() {
    let bench =
        Bench::with("retry: {max_attempts: 10, initial_backoff: 1ms, max_backoff: 1ms, budget: {ratio: 0, min_per_second: 0}}")
            .await;
    for _ in 0..5 {
        bench.upstream.push(html(503));
        let status = bench.packages().list_packages(list()).await.unwrap_err();
        assert_eq!(told(&status).attempts, Some(1));
    }
}

#[tokio::test]
async fn retries_stay_within_the_deadline() {
    let bench =
        Bench::with("retry: {max_attempts: 10, initial_backoff: 1s, max_backoff: 1s}").await;
    bench.upstream.push(throttled().header("Retry-After", "10"));
    let began = std::time::Instant::now();
    let request = within(Duration::from_secs(8), list());
    let status = bench.packages().list_packages(request).await.unwrap_err();
    // The pause would outlast the deadline, so the truth is told at once.
    assert_eq!(
        (status.code(), told(&status).attempts),
        (Code::ResourceExhausted, Some(1))
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn lasting_refusals_are_not_retried() {
    for answer in [
        html(400),
        html(401),
        html(403),
        html(404),
        html(409),
        html(302),
        fault(403, "80002", "SUB_ACC_NO_PERMISSION"),
    ] {
        let bench = Bench::new().await;
        bench.upstream.push(answer);
        let told = told(&bench.packages().list_packages(list()).await.unwrap_err());
        assert_eq!(
            (told.attempts, told.pushback),
            (Some(1), Some(-1)),
            "{}",
            told.reason
        );
    }
}

#[tokio::test]
async fn a_busy_subnet_is_unavailable_and_a_put_is_tried_again() {
    let bench = Bench::new().await;
    for code in ["81312", "81313", "81314"] {
        bench.upstream.push(fault(500, code, "NAT_BUSY"));
    }
    let request = DeleteActionRequest {
        action_name: "a".to_owned(),
        ..Default::default()
    };
    let told = told(&bench.actions().delete_action(request).await.unwrap_err());
    told.assert(Code::Unavailable, "NAT_BUSY", "unknown", "service");
    assert_eq!(
        (told.attempts, told.metadata["upstream_code"].as_str()),
        (Some(3), "81314")
    );
}

#[tokio::test]
async fn what_an_earlier_attempt_may_have_done_is_not_forgotten() {
    // First cut off after the bytes had left, then refused: the first may have run.
    let bench = Bench::with("retry: {max_attempts: 2, initial_backoff: 1ms}").await;
    bench.upstream.push(steps([Step::Close]));
    bench.upstream.push(throttled());
    let told = told(
        &bench
            .invoke(InvokeRequest {
                idempotent: true,
                ..hello()
            })
            .await
            .unwrap_err(),
    );
    told.assert(
        Code::ResourceExhausted,
        "THROTTLE_LIMITED",
        "unknown",
        "gateway",
    );
    assert!(
        told.message
            .ends_with("An earlier attempt may have been carried out."),
        "{}",
        told.message
    );
    // First answered by half, then refused.
    bench.upstream.push(success("{}").half(Step::Close));
    bench.upstream.push(throttled());
    let status = bench
        .invoke(InvokeRequest {
            idempotent: true,
            ..hello()
        })
        .await
        .unwrap_err();
    assert_eq!(
        crate::support::details::told(&status).execution(),
        "unknown"
    );
}

#[tokio::test]
async fn the_slots_of_a_target_are_bounded_and_the_queue_is_too() {
    let bench =
        Bench::quick("limits: {max_in_flight: 1, max_queue: 1, queue_timeout: 200ms}").await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let held =
        tokio::spawn(async move { client.invoke(within(Duration::from_secs(2), hello())).await });
    bench.upstream.wait_received(1).await;
    let (first, second) = tokio::join!(bench.invoke(hello()), bench.invoke(hello()));
    let mut reasons = Vec::new();
    for status in [first.unwrap_err(), second.unwrap_err()] {
        let told = told(&status);
        assert_eq!(
            (told.code, told.execution(), told.attempts),
            (Code::ResourceExhausted, "not_started", Some(0))
        );
        assert!(told.quota && told.retry_after.is_some());
        assert!(
            told.pushback.unwrap() > 0,
            "nothing was sent, so it may be repeated"
        );
        reasons.push(told.reason);
    }
    reasons.sort();
    assert_eq!(reasons, ["QUEUE_FULL", "QUEUE_TIMEOUT"]);
    held.abort();
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_deadline_that_ends_in_the_queue_is_deadline_exceeded() {
    let bench = Bench::quick("limits: {max_in_flight: 1, queue_timeout: 10s}").await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let held = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    let status = bench
        .invocations()
        .invoke(within(Duration::from_millis(300), hello()))
        .await
        .unwrap_err();
    told(&status).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "not_started",
        "sidecar",
    );
    held.abort();
}
