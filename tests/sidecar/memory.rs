//! The bound on bodies in flight: requests without room are refused before they are read, answers wait and all arrive.

use std::time::Duration;

use faas_sidecar::proto::*;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::support::answer::{Step, steps};
use crate::support::bench::{Bench, hello, keys, shown, success, text};
use crate::support::details::bare;

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
        told.assert(Code::ResourceExhausted, "MEMORY_LIMIT", "not_started", "sidecar");
        assert!(told.quota && told.retry_after.is_some() && told.pushback.unwrap() > 0);
        assert!(told.message.contains("max_body_memory"), "{}", told.message);
    }
    assert_eq!(bench.upstream.received().len(), 1, "something was sent after all");
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
    let mut client = bench.invocations().send_compressed(CompressionEncoding::Gzip);
    let mut other = client.clone();
    let held = tokio::spawn(async move { other.invoke(run_with(900_000)).await });
    bench.upstream.wait_received(1).await;
    let told = bare(&client.invoke(run_with(900_000)).await.unwrap_err());
    told.assert(Code::ResourceExhausted, "MEMORY_LIMIT", "not_started", "sidecar");
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
    let runs = tokio::time::timeout(Duration::from_secs(20), futures_util::future::join_all(calls))
        .await
        .expect("answers wait for each other for ever");
    for run in runs {
        assert_eq!(shown(&run.unwrap().result), result);
    }
    // Nothing is left behind: the largest request has room again.
    bench.upstream.push(success("{}"));
    bench.invoke(run_with(1_000_000)).await.unwrap();
}
