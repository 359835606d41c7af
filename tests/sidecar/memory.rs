//! The bound on bodies in flight: requests without room are refused before they are read, answers
//! wait and all arrive.

use std::time::Duration;

use faas_sidecar::proto::health::HealthCheckRequest;
use faas_sidecar::proto::*;
use tokio::io::AsyncWriteExt as _;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::support::answer::{Step, steps};
use crate::support::bench::{Bench, hello, keys, shown, success, text};
use crate::support::details::{bare, told};
use crate::support::frames::*;

/// Room for one message of the largest size, and little else.
const TIGHT: &str = "max_message_size: 1MiB\nmax_body_memory: 4MiB";

fn run_with(bytes: usize) -> InvokeRequest {
    InvokeRequest {
        arguments: Some(text(&format!(r#"{{"pad":"{}"}}"#, "x".repeat(bytes)))),
        ..hello()
    }
}

#[tokio::test]
async fn a_flood_of_large_messages_is_shed_and_a_healthy_call_follows() {
    let bench = Bench::whole(TIGHT, "", &keys()).await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let held = tokio::spawn(async move { client.invoke(run_with(900_000)).await });
    bench.upstream.wait_received(1).await;
    let flood = (0..20).map(|_| bench.invoke(run_with(900_000)));
    for outcome in futures_util::future::join_all(flood).await {
        let told = bare(&outcome.unwrap_err());
        told.assert(
            Code::ResourceExhausted,
            "MEMORY_LIMIT",
            "not_started",
            "sidecar",
        );
        assert!(told.quota && told.retry_after.is_some() && told.pushback.unwrap() > 0);
        assert!(told.message.contains("max_body_memory"), "{}", told.message);
    }
    assert_eq!(
        bench.upstream.received().len(),
        1,
        "something was sent after all"
    );
    // Small calls pass while there is no room for large ones.
    bench.upstream.push(steps([Step::Echo]));
    bench.invoke(hello()).await.unwrap();
    // A caller that goes away gives its room back.
    held.abort();
    bench.upstream.wait_hung_up(1).await;
    for _ in 0..3 {
        bench.upstream.push(success("{}"));
        bench.invoke(run_with(900_000)).await.unwrap();
    }
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_small_message_that_unpacks_to_a_large_one_is_counted_as_large() {
    let bench = Bench::whole(TIGHT, "", &keys()).await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench
        .invocations()
        .send_compressed(CompressionEncoding::Gzip);
    let mut other = client.clone();
    let held = tokio::spawn(async move { other.invoke(run_with(900_000)).await });
    bench.upstream.wait_received(1).await;
    let told = bare(&client.invoke(run_with(900_000)).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "MEMORY_LIMIT",
        "not_started",
        "sidecar",
    );
    held.abort();
    bench.upstream.wait_hung_up(1).await;
    bench.upstream.push(success("{}"));
    client.invoke(run_with(900_000)).await.unwrap();
}

#[tokio::test]
async fn answers_larger_than_all_the_room_wait_for_each_other_and_all_arrive() {
    // An answer of 700 kB takes 2.8 MB: beside the first none has room.
    let bench = Bench::whole(TIGHT, "", &keys()).await;
    let result = format!(r#"{{"pad":"{}"}}"#, "y".repeat(700_000));
    let bytes = success(&result).bytes();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for _ in 0..8 {
        // In two halves, so that several answers grow at the same time.
        bench.upstream.push(steps([
            Step::Write(first.to_vec()),
            Step::Pause(Duration::from_millis(50)),
            Step::Write(second.to_vec()),
        ]));
    }
    let calls = (0..8).map(|_| bench.invoke(hello()));
    let runs = tokio::time::timeout(
        Duration::from_secs(20),
        futures_util::future::join_all(calls),
    )
    .await
    .expect("answers wait for each other for ever");
    for run in runs {
        assert_eq!(shown(&run.unwrap().result), result);
    }
    // Nothing is left behind: the largest request has room again.
    bench.upstream.push(success("{}"));
    bench.invoke(run_with(1_000_000)).await.unwrap();
}

#[tokio::test]
async fn the_repetition_of_a_call_that_found_no_room_is_not_charged() {
    let bench = Bench::whole(
        TIGHT,
        "retry: {budget: {ratio: 0, min_per_second: 0}}",
        &keys(),
    )
    .await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let held = tokio::spawn(async move { client.invoke(run_with(900_000)).await });
    bench.upstream.wait_received(1).await;
    bench.invoke(run_with(900_000)).await.unwrap_err();
    held.abort();
    bench.upstream.wait_hung_up(1).await;
    let retry = || {
        let mut request = tonic::Request::new(run_with(900_000));
        let previous = "1".parse().unwrap();
        request
            .metadata_mut()
            .insert("grpc-previous-rpc-attempts", previous);
        request
    };
    bench.upstream.push(success("{}"));
    bench.invocations().invoke(retry()).await.unwrap();
    let spent = bench.invocations().invoke(retry()).await.unwrap_err();
    assert_eq!(bare(&spent).reason, "RETRY_BUDGET_EXHAUSTED");
}

#[tokio::test]
async fn open_calls_and_their_headers_are_counted_and_probes_find_room_all_the_same() {
    let bench = Bench::whole(
        "max_message_size: 64KiB\nmax_body_memory: 510000",
        "",
        &keys(),
    )
    .await;
    let address = bench.sidecar.tcp().unwrap().to_string();
    let mut stream = begin(&address).await;
    // Their messages never come.
    let mut calls = Vec::new();
    for number in 0..40_u32 {
        let mut fields = invoke();
        for _ in 0..60 {
            fields.extend(block(&[("x-filler", &"f".repeat(100))]));
        }
        calls.extend(frame(HEADERS, END_HEADERS, 2 * number + 1, &fields));
    }
    stream.write_all(&calls).await.unwrap();
    let refused = async {
        loop {
            let (kind, flags, _) = next(&mut stream).await.expect("the connection ended");
            // A refusal is headers that end the stream.
            if kind == HEADERS && flags & 1 == 1 {
                return;
            }
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, refused)
        .await
        .expect("no call was refused");
    // Who fills the memory keeps nobody else from calling.
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    let told = bare(&bench.invoke(run_with(60_000)).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "MEMORY_LIMIT",
        "not_started",
        "sidecar",
    );
    bench
        .health()
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    drop(stream);
    bench.upstream.push(success("{}"));
    let answered = async {
        while bench.invoke(run_with(60_000)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, answered)
        .await
        .expect("what was held is not given back");
}

#[tokio::test]
async fn an_answer_that_grows_as_a_value_is_counted_as_what_it_becomes() {
    let bench = Bench::whole(TIGHT, "", &keys()).await;
    // 180 KB of text, a megabyte as a value: one at a time has room.
    let result = format!(r#"{{"n":[{}1]}}"#, "1,".repeat(90_000));
    for _ in 0..4 {
        bench.upstream.push(success(&result));
    }
    let request = || InvokeRequest {
        result_encoding: JsonEncoding::Value.into(),
        ..hello()
    };
    let calls = (0..4).map(|_| bench.invoke(request()));
    for run in futures_util::future::join_all(calls).await {
        assert_eq!(shown(&run.unwrap().result), result);
    }
    // Twice as long is beyond max_message_size as a value, and no more than that is built.
    let long = format!(r#"{{"n":[{}1]}}"#, "1,".repeat(180_000));
    bench.upstream.push(success(&long));
    let told = told(&bench.invoke(request()).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        "completed",
        "sidecar",
    );
    bench.upstream.push(success(&long));
    let as_text = InvokeRequest {
        result_encoding: JsonEncoding::Text.into(),
        ..hello()
    };
    assert_eq!(shown(&bench.invoke(as_text).await.unwrap().result), long);
}
