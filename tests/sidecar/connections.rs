//! When connections are used again, when they are not, and what a failing one proves about the run
//! it carried.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;
use tonic::Code;

use crate::support::answer::Step;
use crate::support::bench::{Bench, connect, hello, start, within};
use crate::support::cloud::{Cloud, keys, on_both_clouds, ran};
use crate::support::details::told_by;

use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;

/// One attempt only, so that what is seen is no retry.
const ONCE: &str = "retry: {max_attempts: 1}";

on_both_clouds! {
    a_connection_that_the_server_closed_while_idle_costs_nobody_a_run,
    bytes_that_nobody_asked_for_end_a_connection_before_its_next_run,
    the_servers_own_idle_bound_is_kept,
    an_idle_connection_is_closed_at_our_own_bound_though_nobody_calls,
    a_connection_grows_no_older_than_its_bound,
    a_name_without_an_address_is_told_and_nothing_is_sent,
    a_handshake_that_does_not_end_is_a_connect_timeout,
    a_deadline_that_ends_while_connecting_is_told_as_not_started,
    calls_that_wait_for_the_same_connection_fail_together,
}

async fn runs(bench: &Bench, count: usize, pause: Duration) -> Vec<usize> {
    for _ in 0..count {
        bench.invoke(hello()).await.unwrap();
        sleep(pause).await;
    }
    bench
        .upstream
        .received()
        .iter()
        .map(|one| one.connection)
        .collect()
}

async fn a_connection_that_the_server_closed_while_idle_costs_nobody_a_run(cloud: Cloud) {
    let bench = Bench::on(cloud, ONCE).await;
    for _ in 0..5 {
        bench.upstream.push(ran(cloud, "{}").then(Step::Close));
    }
    // No `Connection: close` was said, and the run may not be repeated: only the look before
    // writing saves it.
    assert_eq!(
        runs(&bench, 5, Duration::from_millis(5)).await,
        [0, 1, 2, 3, 4]
    );
}

async fn bytes_that_nobody_asked_for_end_a_connection_before_its_next_run(cloud: Cloud) {
    let bench = Bench::on(cloud, ONCE).await;
    bench.upstream.push(ran(cloud, "{}").then(Step::Write(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
    )));
    bench.upstream.push(ran(cloud, "{\"second\":true}"));
    bench.invoke(hello()).await.unwrap();
    sleep(Duration::from_millis(20)).await;
    let second = bench.invoke(hello()).await.unwrap();
    assert!(crate::support::bench::shown(&second.result).contains("second"));
    assert_ne!(
        bench.upstream.received()[0].connection,
        bench.upstream.received()[1].connection
    );
}

async fn the_servers_own_idle_bound_is_kept(cloud: Cloud) {
    let bench = Bench::on(cloud, ONCE).await;
    for _ in 0..2 {
        bench
            .upstream
            .push(ran(cloud, "{}").header("Keep-Alive", "timeout=1, max=100"));
    }
    assert_eq!(runs(&bench, 2, Duration::from_millis(700)).await, [0, 1]);
}

async fn an_idle_connection_is_closed_at_our_own_bound_though_nobody_calls(cloud: Cloud) {
    let bench = Bench::on(cloud, &format!("{ONCE}\ntimeouts: {{idle: 200ms}}")).await;
    bench.upstream.push(ran(cloud, "{}").then(Step::Stall));
    bench.invoke(hello()).await.unwrap();
    bench.upstream.wait_hung_up(1).await;
}

async fn a_connection_grows_no_older_than_its_bound(cloud: Cloud) {
    let bench = Bench::on(
        cloud,
        &format!("{ONCE}\ntimeouts: {{max_connection_age: 200ms}}"),
    )
    .await;
    for _ in 0..20 {
        bench.upstream.push(ran(cloud, "{}"));
    }
    let began = tokio::time::Instant::now();
    let used = runs(&bench, 20, Duration::from_millis(50)).await;
    let connections = used.last().unwrap() + 1;
    // At least a second has passed; an age may be cut short by a tenth or so.
    let most = usize::try_from(began.elapsed().as_millis() / 150).unwrap() + 1;
    assert!((3..=most).contains(&connections), "{used:?}");
}

async fn a_name_without_an_address_is_told_and_nothing_is_sent(cloud: Cloud) {
    // A label of 64 characters: no resolver need be asked.
    let text = format!(
        "base_url: \"http://{}.invalid\", allow_plaintext: true, {ONCE}",
        "a".repeat(64)
    );
    let sidecar = start(
        &format!("listen: \"127.0.0.1:0\"\n{}", cloud.main(&text)),
        &keys(),
    );
    let mut client = InvocationServiceClient::new(connect(&sidecar));
    let told = told_by(cloud, &client.invoke(hello()).await.unwrap_err());
    told.assert(Code::Unavailable, "DNS_FAILED", "not_started", "network");
}

/// A sidecar that leads to a TLS port which accepts and then says nothing.
async fn silent(cloud: Cloud, settings: &str) -> (TcpListener, faas_sidecar::app::Sidecar) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!(
        "base_url: \"https://{}\", {ONCE}{settings}",
        listener.local_addr().unwrap()
    );
    let sidecar = start(
        &format!("listen: \"127.0.0.1:0\"\n{}", cloud.main(&there)),
        &keys(),
    );
    (listener, sidecar)
}

async fn a_handshake_that_does_not_end_is_a_connect_timeout(cloud: Cloud) {
    let (_listener, sidecar) = silent(cloud, ", timeouts: {connect: 200ms}").await;
    let mut client = InvocationServiceClient::new(connect(&sidecar));
    let told = told_by(cloud, &client.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Unavailable,
        "CONNECT_TIMEOUT",
        "not_started",
        "network",
    );
}

async fn a_deadline_that_ends_while_connecting_is_told_as_not_started(cloud: Cloud) {
    let (_listener, sidecar) = silent(cloud, "").await;
    let mut client = InvocationServiceClient::new(connect(&sidecar));
    let request = within(Duration::from_millis(300), hello());
    let told = told_by(cloud, &client.invoke(request).await.unwrap_err());
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "not_started",
        "sidecar",
    );
    assert!(
        told.message.contains("nothing was sent"),
        "{}",
        told.message
    );
}

async fn calls_that_wait_for_the_same_connection_fail_together(cloud: Cloud) {
    let (_listener, sidecar) = silent(cloud, ", timeouts: {connect: 300ms}").await;
    let client = InvocationServiceClient::new(connect(&sidecar));
    let began = tokio::time::Instant::now();
    let calls = (0..50).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(hello()).await.unwrap_err() }
    });
    for status in futures_util::future::join_all(calls).await {
        told_by(cloud, &status).assert(
            Code::Unavailable,
            "CONNECT_TIMEOUT",
            "not_started",
            "network",
        );
    }
    // Fifty of them one after the other would take fifteen seconds.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}
