//! Connections to the cloud, HTTP/2 and HTTP/1.1: how many there are, when one is given up, and
//! what serves meanwhile.

use std::time::Duration;

use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::{InvokeRequest, ListPackagesRequest};
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;

use crate::support::bench::{connect, hello, within};
use crate::support::cloud::{Cloud, on_both_clouds};
use crate::support::details::told_by;
use crate::support::frames::HTTP_1_1_REQUIRED;
use crate::support::http2::{Act, Manner, Upstream};
use crate::support::page;

const ONCE: &str = ", retry: {max_attempts: 1}";
const LONG: Duration = Duration::from_secs(30);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn soon(deadline: u64) -> tonic::Request<InvokeRequest> {
    within(ms(deadline), hello())
}

/// Silent connections that the metrics count.
async fn silent(sidecar: &Sidecar, version: &str) -> f64 {
    let (_, answer) = page::get(sidecar.admin().unwrap(), "/metrics").await;
    let series = format!("network_protocol_version=\"{version}\"");
    let mut lines = answer
        .lines()
        .filter(|line| line.starts_with("faas_sidecar_connections_silent_total"));
    let line = lines
        .find(|line| line.contains(&series))
        .unwrap_or_else(|| panic!("the family has both protocols"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

on_both_clouds! {
    a_silent_connection_is_found_out_once_whatever_ended_the_wait,
    callers_in_a_hurry_leave_the_connection_to_the_others,
    a_server_that_allows_no_stream_gets_no_flood_of_connections,
    a_goodbye_that_leaves_many_streams_out_costs_no_budget,
    a_server_that_wants_http1_gets_it,
    an_old_connection_serves_until_a_younger_one_is_there,
    a_connection_is_made_to_its_end_though_the_call_that_wanted_it_has_gone,
    large_heads_are_read_up_to_one_bound,
}

async fn a_silent_connection_is_found_out_once_whatever_ended_the_wait(cloud: Cloud) {
    for (how, settings) in [
        ("the attempt's time", ", timeouts: {attempt: 600ms}"),
        ("the call's deadline", ""),
        ("a caller who leaves", ""),
    ] {
        let upstream = Upstream::start(cloud, &[Act::Answer, Act::Silence]).await;
        let (sidecar, mut client) = upstream.sidecar(&format!("{ONCE}{settings}"));
        client.invoke(hello()).await.unwrap();
        let mut lost = client.clone();
        match how {
            "the attempt's time" => {
                assert_eq!(
                    told_by(cloud, &lost.invoke(soon(20_000)).await.unwrap_err()).reason,
                    "ATTEMPT_TIMEOUT"
                );
            }
            "the call's deadline" => {
                assert_eq!(
                    told_by(cloud, &lost.invoke(soon(600)).await.unwrap_err()).reason,
                    "DEADLINE_EXCEEDED"
                );
            }
            _ => drop(
                timeout(ms(600), lost.invoke(soon(20_000)))
                    .await
                    .unwrap_err(),
            ),
        }
        let began = Instant::now();
        client.invoke(within(LONG, hello())).await.unwrap();
        assert!(began.elapsed() < ms(10_000), "{how}: {:?}", began.elapsed());
        assert_eq!(upstream.requests(), [2, 1], "{how}");
        // It is given up when the ping has had no answer for a second.
        let counted = async {
            while silent(&sidecar, "2").await < 1.0 {
                sleep(ms(20)).await;
            }
        };
        timeout(LONG, counted).await.unwrap();
        assert_eq!(silent(&sidecar, "2").await, 1.0, "{how}");
    }
}

async fn callers_in_a_hurry_leave_the_connection_to_the_others(cloud: Cloud) {
    let script = [Act::Answer]
        .into_iter()
        .chain(vec![Act::Never; 4])
        .collect::<Vec<_>>();
    let upstream = Upstream::start(cloud, &script).await;
    let (sidecar, mut client) = upstream.sidecar(ONCE);
    client.invoke(hello()).await.unwrap();
    for _ in 0..2 {
        let told = told_by(cloud, &client.invoke(soon(300)).await.unwrap_err());
        told.assert(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "unknown",
            "sidecar",
        );
        timeout(ms(300), client.clone().invoke(hello()))
            .await
            .unwrap_err();
    }
    sleep(ms(1_500)).await;
    client.invoke(hello()).await.unwrap();
    assert_eq!(upstream.requests(), [6]);
    assert_eq!(silent(&sidecar, "2").await, 0.0);
}

#[tokio::test]
async fn an_http1_request_without_an_answer_has_idle_connections_replaced() {
    let manner = Manner {
        protocols: &["http/1.1"],
        run: ms(100),
        ..Manner::default()
    };
    // Three connections; the fourth request finds the one used last dead.
    let script = [Act::Answer, Act::Answer, Act::Answer, Act::Silence];
    let upstream = Upstream::with(manner, &script).await;
    let (sidecar, client) = upstream.sidecar(ONCE);
    let calls = (0..3).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(hello()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    let before = upstream.accepted();
    client.clone().invoke(soon(600)).await.unwrap_err();
    assert_eq!(silent(&sidecar, "1.1").await, 1.0);
    let replaced = async {
        while upstream.requests().len() <= before {
            sleep(ms(10)).await;
        }
    };
    // On a busy machine there may have been one connection for all three, and none to replace.
    drop(timeout(ms(3_000), replaced).await);
    sleep(ms(100)).await;
    for _ in 0..3 {
        client.clone().invoke(hello()).await.unwrap();
    }
    assert_eq!(
        upstream.accepted(),
        before + 1,
        "one young connection serves in place of the idle ones"
    );
    assert_eq!(upstream.requests().last(), Some(&3));
}

#[tokio::test]
async fn more_calls_than_streams_have_further_connections() {
    let manner = Manner {
        streams: Some(5),
        run: ms(500),
        ..Manner::default()
    };
    let upstream = Upstream::with(manner, &[]).await;
    let (_sidecar, client) = upstream.sidecar(ONCE);
    client.clone().invoke(hello()).await.unwrap();
    let calls = (0..15).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(hello()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(
            answer.unwrap().metadata().get("faas-attempts").unwrap(),
            "1"
        );
    }
    let requests = upstream.requests();
    assert!((2..=4).contains(&requests.len()), "{requests:?}");
    assert_eq!(requests.iter().sum::<usize>(), 16);
}

#[tokio::test]
async fn a_limit_that_is_told_late_costs_no_call_and_no_attempt() {
    let manner = Manner {
        streams: Some(10),
        late: ms(50),
        run: ms(50),
        ..Manner::default()
    };
    let upstream = Upstream::with(manner, &[]).await;
    let (_sidecar, client) = upstream.sidecar(ONCE);
    let calls = (0..50).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(hello()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(
            answer.unwrap().metadata().get("faas-attempts").unwrap(),
            "1"
        );
    }
    assert_eq!(upstream.requests().iter().sum::<usize>(), 50);
}

async fn a_server_that_allows_no_stream_gets_no_flood_of_connections(cloud: Cloud) {
    let manner = Manner {
        cloud,
        streams: Some(0),
        // Of the further ones this is known some time after the connection is there.
        late: ms(300),
        late_from: 1,
        ..Manner::default()
    };
    let upstream = Upstream::with(manner, &[]).await;
    let (_sidecar, client) = upstream.sidecar(ONCE);
    let calls = (0..20).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(soon(1_000)).await.unwrap_err() }
    });
    for status in futures_util::future::join_all(calls).await {
        told_by(cloud, &status).assert(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "not_started",
            "sidecar",
        );
    }
    // Two for each thread that serves some of the calls.
    assert!(
        upstream.accepted() <= 4,
        "{} connections",
        upstream.accepted()
    );
    assert_eq!(upstream.requests().iter().sum::<usize>(), 0);
}

async fn a_goodbye_that_leaves_many_streams_out_costs_no_budget(cloud: Cloud) {
    let mut script = vec![Act::Never; 11];
    script[0] = Act::Answer;
    script.push(Act::GoodbyeBefore);
    let upstream = Upstream::start(cloud, &script).await;
    let (_sidecar, client) = upstream.sidecar(", retry: {budget: {ratio: 0, min_per_second: 0}}");
    client.clone().invoke(hello()).await.unwrap();
    // Ten wait, and the goodbye leaves out the eleventh alone: it is sent again though the budget
    // has nothing.
    let ten = (0..10).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(soon(3_000)).await }
    });
    let last = async {
        while upstream.requests() != [11] {
            sleep(ms(5)).await;
        }
        client.clone().invoke(hello()).await
    };
    let (_, last) = tokio::join!(futures_util::future::join_all(ten), last);
    assert_eq!(last.unwrap().metadata().get("faas-attempts").unwrap(), "2");
    assert_eq!(upstream.requests(), [12, 1]);
}

async fn a_server_that_wants_http1_gets_it(cloud: Cloud) {
    let manner = Manner {
        cloud,
        protocols: &["h2", "http/1.1"],
        ..Manner::default()
    };
    let upstream = Upstream::with(manner, &[Act::Reset(HTTP_1_1_REQUIRED)]).await;
    let (sidecar, mut client) = upstream.sidecar(ONCE);
    // Nobody promises that it did nothing, so a run is not repeated.
    let lost = told_by(cloud, &client.invoke(hello()).await.unwrap_err());
    lost.assert(Code::Unavailable, "CONNECTION_LOST", "unknown", "network");
    for _ in 0..3 {
        client.invoke(hello()).await.unwrap();
    }
    assert_eq!(upstream.requests(), [1, 3]);
    drop(sidecar);

    let manner = Manner {
        cloud,
        protocols: &["h2", "http/1.1"],
        ..Manner::default()
    };
    let upstream = Upstream::with(manner, &[Act::Reset(HTTP_1_1_REQUIRED)]).await;
    let (sidecar, _) = upstream.sidecar("");
    let mut packages =
        faas_sidecar::proto::package_service_client::PackageServiceClient::new(connect(&sidecar));
    // The scripted answer is a run's; what counts is that the read was sent again over HTTP/1.1.
    drop(packages.list_packages(ListPackagesRequest::default()).await);
    assert_eq!(upstream.requests(), [1, 1]);
}

async fn an_old_connection_serves_until_a_younger_one_is_there(cloud: Cloud) {
    for protocols in [&["h2"], &["http/1.1"]] {
        // Nobody listens after the first connection.
        let manner = Manner {
            cloud,
            protocols,
            accepts: 1,
            ..Manner::default()
        };
        let upstream = Upstream::with(manner, &[]).await;
        let age = ", timeouts: {max_connection_age: 200ms}";
        let (_sidecar, mut client) = upstream.sidecar(&format!("{ONCE}{age}"));
        let began = Instant::now();
        let mut calls = 0;
        while began.elapsed() < ms(2_000) {
            client.invoke(hello()).await.unwrap();
            calls += 1;
            sleep(ms(20)).await;
        }
        assert_eq!(upstream.requests(), [calls], "{protocols:?}");

        // Where somebody does, it is replaced without a call that waits.
        let manner = Manner {
            cloud,
            protocols,
            handshakes: vec![Duration::ZERO, ms(300)],
            ..Manner::default()
        };
        let upstream = Upstream::with(manner, &[]).await;
        let (_sidecar, mut client) = upstream.sidecar(&format!("{ONCE}{age}"));
        client.invoke(hello()).await.unwrap();
        sleep(ms(250)).await;
        client.invoke(hello()).await.unwrap();
        assert_eq!(upstream.requests(), [2], "{protocols:?}");
        let replaced = async {
            // The second may be old, and replaced, before a call has come.
            while upstream
                .requests()
                .iter()
                .skip(1)
                .all(|served| *served == 0)
            {
                client.invoke(hello()).await.unwrap();
                sleep(ms(20)).await;
            }
        };
        timeout(LONG, replaced).await.unwrap();
    }
}

async fn a_connection_is_made_to_its_end_though_the_call_that_wanted_it_has_gone(cloud: Cloud) {
    for protocols in [&["h2"], &["http/1.1"]] {
        let manner = Manner {
            cloud,
            protocols,
            handshakes: vec![ms(450); 8],
            ..Manner::default()
        };
        let upstream = Upstream::with(manner, &[]).await;
        let (_sidecar, mut client) = upstream.sidecar(ONCE);
        let (mut failed, mut cut) = (0, 0);
        while let Err(status) = client.invoke(soon(400)).await {
            let told = told_by(cloud, &status);
            assert_eq!(told.reason, "DEADLINE_EXCEEDED");
            // A later one may just get to send its request.
            assert!(
                failed > 0 || told.execution() == "not_started",
                "{}",
                told.message
            );
            failed += 1;
            // Over HTTP/1.1 the connection ends with its unfinished exchange.
            cut += usize::from(told.execution() != "not_started");
            assert!(failed < 6, "{protocols:?}: no deadline is long enough");
        }
        assert!(
            failed >= 1,
            "the handshake takes longer than the first call"
        );
        for _ in 0..5 {
            client.invoke(soon(400)).await.unwrap();
        }
        assert!(
            upstream.accepted() <= 1 + cut.max(1),
            "{protocols:?}: {} connections, {cut} ended by their calls",
            upstream.accepted()
        );
    }
}

#[tokio::test]
async fn a_connection_that_becomes_free_goes_to_the_call_that_waits_for_one_being_made() {
    let manner = Manner {
        protocols: &["http/1.1"],
        run: ms(300),
        // The second connection is not there in time.
        handshakes: vec![Duration::ZERO, Duration::from_secs(60)],
        ..Manner::default()
    };
    let upstream = Upstream::with(manner, &[]).await;
    let (_sidecar, client) = upstream.sidecar(&format!("{ONCE}, timeouts: {{connect: 20s}}"));
    client.clone().invoke(hello()).await.unwrap();
    let (mut one, mut two) = (client.clone(), client.clone());
    let began = Instant::now();
    let (one, two) = tokio::join!(one.invoke(hello()), two.invoke(hello()));
    one.unwrap();
    two.unwrap();
    assert!(began.elapsed() < ms(15_000), "{:?}", began.elapsed());
    assert_eq!(upstream.requests(), [3]);
}

async fn large_heads_are_read_up_to_one_bound(cloud: Cloud) {
    let headers = |count: usize, size: usize| {
        let header = |number| (format!("x-{number}"), "v".repeat(size));
        Act::Head((0..count).map(header).collect())
    };
    // 80 KB, and many.
    let good = [headers(80, 1_000), headers(1_000, 10), headers(1, 100_000)];
    let large = [
        headers(200, 1_000),
        headers(1_100, 10),
        headers(1_000, 1_000),
        headers(1, 200_000),
    ];
    let script: Vec<_> = good.iter().chain(&large).cloned().collect();
    let upstream = Upstream::start(cloud, &script).await;
    let (_sidecar, mut client) = upstream.sidecar("");
    for _ in &good {
        client.invoke(hello()).await.unwrap();
    }
    for _ in &large {
        let told = told_by(cloud, &client.invoke(hello()).await.unwrap_err());
        told.assert(
            Code::ResourceExhausted,
            "RESPONSE_HEAD_TOO_LARGE",
            "unknown",
            "sidecar",
        );
    }
    // What HTTP/2 forbids in a head (RFC 9113 §8.2.2).
    let bad = [Act::Head(vec![(
        "connection".to_owned(),
        "close".to_owned(),
    )])];
    let upstream = Upstream::start(cloud, &bad).await;
    let (_sidecar, mut client) = upstream.sidecar("");
    let told = told_by(cloud, &client.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Internal,
        "RESPONSE_NOT_UNDERSTOOD",
        "unknown",
        "network",
    );
}
