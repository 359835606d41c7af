//! Whatever a call is doing when its time is over, the answer is `DEADLINE_EXCEEDED`, never
//! `CANCELLED`, and says what may have happened.

use std::time::{Duration, Instant};

use faas_sidecar::env::Env;
use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Step, http, steps};
use crate::support::bench::{Bench, QUICK, connect, hello, start, success, within};
use crate::support::cloud::{Cloud, keys, on_both_clouds, ran};
use crate::support::details::{bare, told, told_by};
use crate::support::raw;
use crate::support::upstream::Upstream;

const INVOKE: &str = "/faas.v1.InvocationService/Invoke";
const SHORT: Duration = Duration::from_millis(250);

on_both_clouds! {
    while_the_request_itself_comes_in,
    in_the_queue,
    while_connecting,
    while_the_answers_head_comes_in,
    while_the_answers_body_comes_in,
    before_a_pause_that_would_outlast_it_the_failure_itself_is_told,
}

/// `-/hello` within a short time.
async fn late(bench: &Bench) -> tonic::Status {
    bench
        .invocations()
        .invoke(within(SHORT, hello()))
        .await
        .unwrap_err()
}

async fn while_the_request_itself_comes_in(cloud: Cloud) {
    let bench = Bench::on(cloud, QUICK).await;
    let address = bench.sidecar.tcp().unwrap();
    let began = Instant::now();
    let status = raw::call(address, INVOKE, "200m", &hello(), Duration::from_secs(30)).await;
    let told = bare(&status);
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "not_started",
        "sidecar",
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    // Where calls have ids, one that nobody has read may repeat one that ran.
    let named = InvokeRequest {
        request_id: "order-1".to_owned(),
        ..hello()
    };
    bench.upstream.push(steps([Step::Stall]));
    bench
        .invocations()
        .invoke(within(SHORT, named.clone()))
        .await
        .unwrap_err();
    let status = raw::call(address, INVOKE, "200m", &named, Duration::from_secs(30)).await;
    let told = bare(&status);
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert!(
        told.message.contains("under its request_id"),
        "{}",
        told.message
    );
    // Time that went by on the way in is gone.
    bench.upstream.push(steps([Step::Stall]));
    let began = Instant::now();
    let status = raw::call(
        address,
        INVOKE,
        "600m",
        &hello(),
        Duration::from_millis(400),
    )
    .await;
    bare(&status).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(bench.upstream.received().len(), 2);
}

#[tokio::test]
async fn however_short_the_time_is() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap();
    for timeout in ["0m", "1n", "500u", "1m", "2m", "5m", "10m"] {
        for _ in 0..10 {
            bench.upstream.push(steps([Step::Stall]));
            let status = raw::call(address, INVOKE, timeout, &hello(), Duration::ZERO).await;
            assert_eq!(
                status.code(),
                Code::DeadlineExceeded,
                "{timeout}: {status:?}"
            );
            bare(&status);
        }
    }
}

/// Where the request itself says how long the cloud may take.
#[tokio::test]
async fn what_cannot_be_heard_of_is_not_started() {
    let bench = Bench::on(Cloud::Ncp21, QUICK).await;
    let address = bench.sidecar.tcp().unwrap();
    // Less than a millisecond is left for the cloud when the answer's way back is kept free.
    let status = raw::call(address, INVOKE, "1m", &hello(), Duration::ZERO).await;
    bare(&status).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "not_started",
        "sidecar",
    );
    assert!(bench.upstream.received().is_empty());
}

async fn in_the_queue(cloud: Cloud) {
    let bench = Bench::on(
        cloud,
        &format!("{QUICK}\nlimits: {{max_in_flight: 1, queue_timeout: 20s}}"),
    )
    .await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let running = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    told_by(cloud, &late(&bench).await).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "not_started",
        "sidecar",
    );
    assert_eq!(bench.upstream.received().len(), 1);
    running.abort();
}

async fn while_connecting(cloud: Cloud) {
    // It accepts in the kernel, and never answers the handshake.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!(
        "base_url: \"https://{}\", timeouts: {{connect: 20s}}",
        silent.local_addr().unwrap()
    );
    let sidecar = start(
        &format!("listen: \"127.0.0.1:0\"\n{}", cloud.main(&there)),
        &keys(),
    );
    let mut client = invocation_service_client::InvocationServiceClient::new(connect(&sidecar));
    let status = client.invoke(within(SHORT, hello())).await.unwrap_err();
    told_by(cloud, &status).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "not_started",
        "sidecar",
    );
}

async fn while_the_answers_head_comes_in(cloud: Cloud) {
    let bench = Bench::on(cloud, QUICK).await;
    bench
        .upstream
        .push(ran(cloud, "{}").cut_after(12, Step::Stall));
    told_by(cloud, &late(&bench).await).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    bench.upstream.wait_hung_up(1).await;
}

async fn while_the_answers_body_comes_in(cloud: Cloud) {
    let bench = Bench::on(cloud, QUICK).await;
    bench
        .upstream
        .push(ran(cloud, r#"{"a":"b"}"#).half(Step::Stall));
    // A head of FunctionGraph names the run.
    let execution = if cloud.is_ncp() {
        "unknown"
    } else {
        "completed"
    };
    told_by(cloud, &late(&bench).await).assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        execution,
        "sidecar",
    );
    bench.upstream.wait_hung_up(1).await;
}

async fn before_a_pause_that_would_outlast_it_the_failure_itself_is_told(cloud: Cloud) {
    let bench = Bench::on(cloud, QUICK).await;
    bench
        .upstream
        .push(http(503, "{}").header("Retry-After", "10"));
    let request = InvokeRequest {
        idempotent: true,
        ..hello()
    };
    let began = Instant::now();
    let request = within(Duration::from_secs(5), request);
    let told = told_by(
        cloud,
        &bench.invocations().invoke(request).await.unwrap_err(),
    );
    assert_eq!(
        (told.code, told.execution()),
        (Code::Unavailable, "unknown")
    );
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn while_the_sidecar_logs_in() {
    let iam = Upstream::start().await;
    iam.push(steps([Step::Stall]));
    let login = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("username", "robot"),
        ("password", "secret-enough"),
        ("domain", "acme"),
    ] {
        std::fs::write(login.path().join(name), value).unwrap();
    }
    let text = format!(
        "listen: \"127.0.0.1:0\"\ntargets:\n  main:\n    provider: functiongraph\n    region: cn-north-4\n    base_url: {url}\n    \
         iam_url: {url}\n    credentials: {{source: iam_password, directory: {}}}\n",
        login.path().display(),
        url = iam.url(),
    );
    let sidecar = start(&text, &Env::fixed::<String, String>([]));
    let mut client = invocation_service_client::InvocationServiceClient::new(connect(&sidecar));
    for request in [within(SHORT, hello()), within(SHORT, hello())] {
        let told = bare(&client.invoke(request).await.unwrap_err());
        assert_eq!(
            (told.code, told.execution()),
            (Code::DeadlineExceeded, "not_started")
        );
    }
    assert_eq!(iam.received().len(), 1, "one login, whoever waits for it");
}

#[tokio::test]
async fn the_wait_sent_upstream_shrinks_with_the_time_that_the_queue_took() {
    let bench = Bench::quick("limits: {max_in_flight: 1, queue_timeout: 20s}").await;
    bench
        .upstream
        .push(success("{}").after(Duration::from_millis(800)));
    bench.upstream.push(success("{}"));
    let mut client = bench.invocations();
    let running = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    let request = within(Duration::from_secs(2), hello());
    bench.invocations().invoke(request).await.unwrap();
    running.await.unwrap().unwrap();
    let asked: u64 = bench.upstream.received()[1]
        .query("timeout")
        .unwrap()
        .parse()
        .unwrap();
    // Of 2 s about 1.2 are left, and a quarter is kept for the way back; without the queue it would
    // be 1460.
    assert!((300..1000).contains(&asked), "{asked}");
}

#[tokio::test]
async fn an_attempt_is_never_held_longer_than_configured() {
    let bench = Bench::quick("timeouts: {attempt: 10s}").await;
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    // A fifth is kept for the way there and back; the rest of the wait is spent asking for the
    // record.
    assert_eq!(bench.upstream.only().query("timeout").unwrap(), "8000");
    let bench = Bench::quick("timeouts: {attempt: 300ms}\nwait: 20s").await;
    bench.upstream.push(steps([Step::Stall]));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::DeadlineExceeded,
        "ATTEMPT_TIMEOUT",
        "unknown",
        "network",
    );
}
