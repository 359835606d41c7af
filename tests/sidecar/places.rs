//! When connections are short: probes are answered, Unix sockets have places of their own, and who
//! has shown no token goes first. And callers that give up, or do not read: their connection's
//! other calls go on, and what was held is freed.

use std::time::Duration;

use faas_sidecar::proto::health::HealthCheckRequest;
use faas_sidecar::proto::health::health_client::HealthClient;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::support::answer::{Step, steps};
use crate::support::bench::{Bench, channel, connect, hello, keys, start, success, text, within};
use crate::support::details::bare;
use crate::support::frames::*;
use crate::support::upstream::Upstream;

const SOON: Duration = Duration::from_secs(10);
const TOKEN: &str = "first-token-0123456789abcdef";

async fn probe(channel: Channel) {
    let answer = timeout(
        SOON,
        HealthClient::new(channel).check(HealthCheckRequest::default()),
    )
    .await;
    answer
        .unwrap_or_else(|why| panic!("the probe got no answer: {why}"))
        .unwrap();
}

/// Connections that are being served, and say nothing.
async fn quiet(address: &str, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = begin(address).await;
        timeout(SOON, next(&mut stream)).await.unwrap().unwrap();
        held.push(stream);
    }
    held
}

#[tokio::test]
async fn beyond_the_bound_probes_are_answered_and_calls_wait_for_a_place() {
    let bench = Bench::whole("connections: {max: 2}", "", &keys()).await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    let mut held = quiet(&address, 2).await;
    for _ in 0..20 {
        probe(channel(&bench.sidecar)).await;
    }
    let mut third = InvocationServiceClient::new(connect(&bench.sidecar));
    let call = tokio::spawn(async move { third.invoke(hello()).await });
    sleep(Duration::from_millis(300)).await;
    assert!(!call.is_finished() && bench.upstream.received().is_empty());
    bench.upstream.push(success("{}"));
    held.pop();
    timeout(SOON, call).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn the_longest_waiting_connection_is_told_to_go_when_more_come() {
    let bench = Bench::whole("connections: {max: 1}", "", &keys()).await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    let _held = quiet(&address, 1).await;
    let mut waiting = InvocationServiceClient::new(channel(&bench.sidecar));
    let call = tokio::spawn(async move { waiting.invoke(hello()).await });
    sleep(Duration::from_millis(200)).await;
    let _crowd = quiet(&address, 16).await;
    let told = bare(&timeout(SOON, call).await.unwrap().unwrap().unwrap_err());
    told.assert(
        Code::Unavailable,
        "TOO_MANY_CONNECTIONS",
        "not_started",
        "sidecar",
    );
    assert!(told.pushback.unwrap() > 0);
}

#[tokio::test]
async fn connections_without_a_token_lock_out_neither_the_unix_socket_nor_who_has_one() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let path = directory.path().display();
    std::fs::write(directory.path().join("tokens"), format!("{TOKEN}\n")).unwrap();
    let sidecar = start(
        &format!(
            "listen: [\"127.0.0.1:0\", \"unix:{path}/faas.sock\"]\nauth: {{token_file: {path}/tokens}}\n\
             connections: {{max: 4, handshake_timeout: 3s}}\n\
             targets: {{main: {{provider: ncp, base_url: \"{}\"}}}}\n",
            upstream.url()
        ),
        &keys(),
    );
    let address = sidecar.tcp().unwrap().to_string();
    let mut silent = quiet(&address, 12).await;
    let socket = format!("unix:{path}/faas.sock");
    probe(Endpoint::from_shared(socket).unwrap().connect_lazy()).await;
    upstream.push(success("{}"));
    let mut request = tonic::Request::new(hello());
    let token = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut client = InvocationServiceClient::new(channel(&sidecar));
    timeout(Duration::from_secs(2), client.invoke(request))
        .await
        .expect("the caller with a token was locked out")
        .unwrap();
    // The first of the silent ones have gone for later ones, and time ends the rest.
    for stream in &mut silent {
        let (kinds, code) = to_end(stream, SOON)
            .await
            .expect("a silent connection stays open");
        assert!(
            kinds.contains(&GOAWAY) && code == Some(0),
            "{kinds:?} {code:?}"
        );
    }
}

#[tokio::test]
async fn a_burst_of_cancelled_calls_does_not_end_the_connection_for_the_others() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    bench
        .upstream
        .push(success("{}").after(Duration::from_millis(500)));
    let mut stream = begin(&address).await;
    let message = [0, 0, 0, 0, 3, 0x22, 1, b'a'];
    let mut frames = frame(HEADERS, END_HEADERS, 1, &invoke());
    frames.extend(frame(DATA, 1, 1, &message));
    stream.write_all(&frames).await.unwrap();
    bench.upstream.wait_received(1).await;
    // As many as a busy moment may bring at once: each was given up before the sidecar had looked
    // at it.
    let burst: Vec<u8> = (1..150_u32)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            let mut call = frame(HEADERS, END_HEADERS, stream, &invoke());
            call.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            call
        })
        .collect();
    stream.write_all(&burst).await.unwrap();
    let answered = async {
        loop {
            match next(&mut stream).await {
                Some((DATA, ..)) => return,
                Some((GOAWAY, _, payload)) => panic!("{}", String::from_utf8_lossy(&payload)),
                Some(_) => {}
                None => panic!("the connection ended"),
            }
        }
    };
    timeout(SOON, answered).await.unwrap();
}

#[tokio::test]
async fn a_calls_deadline_ends_the_sending_of_its_answer_and_frees_what_it_held() {
    let bench = Bench::whole("max_message_size: 1MiB\nmax_body_memory: 4MiB", "", &keys()).await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    bench
        .upstream
        .push(success(&format!(r#"{{"pad":"{}"}}"#, "y".repeat(700_000))));
    // A caller that takes the first 64 KiB and no more.
    let mut stream = begin(&address).await;
    let mut fields = invoke();
    fields.extend(block(&[("grpc-timeout", "1S")]));
    let message = [0, 0, 0, 0, 3, 0x22, 1, b'a'];
    let mut call = frame(HEADERS, END_HEADERS, 1, &fields);
    call.extend(frame(DATA, 1, 1, &message));
    stream.write_all(&call).await.unwrap();
    let reset = async {
        loop {
            match next(&mut stream).await.expect("the connection ended") {
                (RST_STREAM, _, payload) => return payload,
                (GOAWAY, ..) => panic!("the connection was told to go"),
                _ => {}
            }
        }
    };
    let code = timeout(SOON, reset)
        .await
        .expect("the answer is held for ever");
    assert_eq!(code, 8_u32.to_be_bytes());
    // There is room again for a message that needs nearly all of it.
    bench.upstream.push(success("{}"));
    let mut request = hello();
    request.arguments = Some(text(&format!(r#"{{"pad":"{}"}}"#, "x".repeat(900_000))));
    bench
        .invocations()
        .invoke(within(SOON, request))
        .await
        .unwrap();
}

#[tokio::test]
async fn one_address_of_the_machine_itself_may_have_all_connections() {
    let bench = Bench::whole("connections: {max: 6, max_per_peer: 1}", "", &keys()).await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    let _held = quiet(&address, 5).await;
    bench.upstream.push(steps([Step::Echo]));
    bench.invoke(hello()).await.unwrap();
}
