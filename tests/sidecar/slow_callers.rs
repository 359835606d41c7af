//! Callers that connect and say nothing, fall silent, send half a message, or are too many.

use std::time::Duration;

use bytes::Bytes;
use faas_sidecar::proto::ListPackagesRequest;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};

use crate::support::answer::{Step, content, steps};
use crate::support::bench::{Bench, hello, keys, success};
use crate::support::frames::*;

const SOON: Duration = Duration::from_secs(10);

async fn bench(settings: &str) -> (Bench, String) {
    let bench = Bench::whole(&format!("connections: {{{settings}}}"), "", &keys()).await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    (bench, address)
}

#[tokio::test]
async fn who_does_not_begin_in_time_is_cut_off() {
    let (bench, address) = bench("handshake_timeout: 1s").await;
    let mut silent = connect(&address).await;
    let mut halting = connect(&address).await;
    halting.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    for stream in [&mut silent, &mut halting] {
        // The server may say its settings first.
        let end = timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
        assert!(end.is_ok(), "the connection is still open");
    }
    bench.assert_healthy().await;
}

#[tokio::test]
async fn an_idle_connection_is_sent_away_and_its_caller_finds_back() {
    let (bench, address) = bench("idle_timeout: 1s").await;
    bench.assert_healthy().await;
    let mut idle = begin(&address).await;
    let (kinds, code) = {
        let read = async {
            loop {
                match next(&mut idle).await {
                    Some((GOAWAY, _, payload)) => {
                        break (
                            GOAWAY,
                            u32::from_be_bytes(payload[4..8].try_into().unwrap()),
                        );
                    }
                    Some(_) => {}
                    None => panic!("ended without GOAWAY"),
                }
            }
        };
        timeout(SOON / 2, read).await.unwrap()
    };
    assert_eq!((kinds, code), (GOAWAY, 0), "no error");
    // The client's own connection has been idle for as long.
    sleep(Duration::from_millis(1500)).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_connection_of_age_is_sent_away_and_its_call_in_flight_is_answered() {
    let (bench, address) = bench("max_age: 1s").await;
    bench
        .upstream
        .push(success("{}").after(Duration::from_millis(2500)));
    let mut busy = begin(&address).await;
    let message = [0, 0, 0, 0, 3, 0x22, 1, b'a'];
    let call = [
        frame(HEADERS, END_HEADERS, 1, &invoke()),
        frame(DATA, 1, 1, &message),
    ]
    .concat();
    busy.write_all(&call).await.unwrap();
    let mut seen = Vec::new();
    let read = async {
        loop {
            match next(&mut busy).await {
                Some((kind @ (GOAWAY | DATA), ..)) => seen.push(kind),
                Some(_) => {}
                None => break,
            }
        }
    };
    // It ends by itself when the answer is out; the pings of a graceful end go unanswered here.
    let _ = timeout(SOON / 2, read).await;
    assert_eq!(seen.first(), Some(&GOAWAY), "{seen:?}");
    assert!(seen.contains(&DATA), "{seen:?}");
    // The client's own connection is as old.
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_caller_that_is_gone_without_a_word_is_found_out_and_its_call_stopped() {
    let (bench, address) = bench("keepalive_interval: 1s, keepalive_timeout: 1s").await;
    bench.upstream.push(steps([Step::Stall]));
    let mut gone = begin(&address).await;
    // An Invoke of the action `a`, whole: field 4, one byte.
    let message = [0, 0, 0, 0, 3, 0x22, 1, b'a'];
    let call = [
        frame(HEADERS, END_HEADERS, 1, &invoke()),
        frame(DATA, 1, 1, &message),
    ]
    .concat();
    gone.write_all(&call).await.unwrap();
    bench.upstream.wait_received(1).await;
    // It reads no more, as if the network had swallowed it: the ping stays without an answer.
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn half_a_message_is_given_up_with_a_reason() {
    let (bench, address) = bench("message_timeout: 1s").await;
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let half = tokio_stream::once(Ok::<_, std::convert::Infallible>(Frame::data(
        Bytes::from_static(&[0, 0, 0, 0, 9, 0x22]),
    )));
    let request = http::Request::post(format!("http://{address}/faas.v1.InvocationService/Invoke"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(StreamBody::new(Box::pin(
            half.chain(tokio_stream::pending()),
        )))
        .unwrap();
    let answer = timeout(SOON, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("grpc-status"),
        (Code::DeadlineExceeded as i32).to_string()
    );
    assert!(
        header("grpc-message").contains("connections.message_timeout"),
        "{answer:?}"
    );
    assert!(answer.headers().contains_key("grpc-status-details-bin"));
    assert!(bench.upstream.received().is_empty());
    bench.assert_healthy().await;
}

#[tokio::test]
async fn streams_beyond_the_bound_wait_and_large_metadata_is_refused() {
    let (bench, _) = bench("max_streams: 1, max_header_size: 4KiB").await;
    // The client knows the bound once it has heard the server's settings.
    bench.assert_healthy().await;
    bench
        .upstream
        .push(content("[]").after(Duration::from_millis(300)));
    bench.upstream.push(content("[]"));
    let calls = (0..2).map(|_| {
        let mut client = bench.packages();
        async move { client.list_packages(ListPackagesRequest::default()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    let seen = bench.upstream.received();
    assert!(
        seen[2].at - seen[1].at >= Duration::from_millis(250),
        "both ran at once"
    );

    let mut request = Request::new(hello());
    request
        .metadata_mut()
        .insert("x-large", "v".repeat(5 << 10).parse().unwrap());
    bench.invocations().invoke(request).await.unwrap_err();
    assert_eq!(bench.upstream.received().len(), 3);
    bench.assert_healthy().await;
}

#[tokio::test]
async fn who_has_not_begun_holds_no_drain_back() {
    let (bench, address) = bench("handshake_timeout: 60s").await;
    let silent = connect(&address).await;
    let mut halting = connect(&address).await;
    halting.write_all(b"PRI * HTTP").await.unwrap();
    // Both have been accepted when a later one is answered.
    bench.assert_healthy().await;
    let began = tokio::time::Instant::now();
    assert!(
        bench.sidecar.drain().await,
        "the drain did not end by itself"
    );
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    drop((silent, halting));
}
