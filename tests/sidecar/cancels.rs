//! A caller that goes away: the upstream hears of it at once, and the next call gets its slot.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::support::answer::{Step, content, fault, http, steps};
use crate::support::bench::{Bench, ID, hello, success};

/// One slot, a patient queue, long pauses.
const ONE_SLOT: &str = "limits: {max_in_flight: 1, max_queue: 10, queue_timeout: 20s}\nretry: {initial_backoff: 1ms, max_backoff: 60s}";
/// Far more than it takes, far less than any timer of the test.
const AT_ONCE: Duration = Duration::from_secs(5);

fn call(bench: &Bench) -> JoinHandle<Result<(), tonic::Status>> {
    let mut client = bench.invocations();
    tokio::spawn(async move { client.invoke(hello()).await.map(|_| ()) })
}

/// The next call gets the slot and is answered.
async fn slot_is_free(bench: &Bench) {
    let began = Instant::now();
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn in_flight_the_upstream_connection_ends_at_once() {
    let bench = Bench::with(ONE_SLOT).await;
    bench.upstream.push(steps([Step::Stall]));
    let running = call(&bench);
    bench.upstream.wait_received(1).await;
    let began = Instant::now();
    running.abort();
    bench.upstream.wait_hung_up(1).await;
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    slot_is_free(&bench).await;
}

#[tokio::test]
async fn while_an_answer_comes_in_the_upstream_connection_ends_at_once() {
    let bench = Bench::with(ONE_SLOT).await;
    bench
        .upstream
        .push(success(r#"{"long":"answer"}"#).half(Step::Stall));
    let running = call(&bench);
    bench.upstream.wait_received(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    running.abort();
    bench.upstream.wait_hung_up(1).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    slot_is_free(&bench).await;
}

#[tokio::test]
async fn in_the_queue_nothing_is_sent_and_the_place_is_given_up() {
    let bench = Bench::with("limits: {max_in_flight: 1, max_queue: 1, queue_timeout: 20s}").await;
    bench.upstream.push(steps([Step::Stall]));
    let running = call(&bench);
    bench.upstream.wait_received(1).await;
    for _ in 0..3 {
        let waiting = call(&bench);
        // It waits, since there is one place and no QUEUE_FULL.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(!waiting.is_finished());
        waiting.abort();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    running.abort();
    bench.upstream.wait_hung_up(1).await;
    slot_is_free(&bench).await;
    assert_eq!(
        bench.upstream.received().len(),
        2,
        "those that waited were never sent"
    );
}

#[tokio::test]
async fn in_a_pause_before_a_retry_no_retry_follows() {
    let bench = Bench::with(ONE_SLOT).await;
    bench.upstream.push(
        http(
            429,
            r#"{"error":{"errorCode":"410","message":"Throttle Limited"}}"#,
        )
        .header("Retry-After", "1"),
    );
    let running = call(&bench);
    bench.upstream.wait_received(1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!running.is_finished(), "it pauses for a second");
    running.abort();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.upstream.received().len(), 1);
    slot_is_free(&bench).await;
}

#[tokio::test]
async fn while_a_record_is_asked_for_the_asking_ends() {
    let bench = Bench::with(ONE_SLOT).await;
    bench
        .upstream
        .push(content(&format!(r#"{{"activationId":"{ID}"}}"#)));
    bench
        .upstream
        .push(fault(404, "80322", "ACTION_ACTIVATION_NOT_FOUND"));
    bench.upstream.push(steps([Step::Stall]));
    let running = call(&bench);
    bench.upstream.wait_received(3).await;
    let began = Instant::now();
    running.abort();
    bench.upstream.wait_hung_up(1).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    slot_is_free(&bench).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(bench.upstream.received().len(), 4, "no look follows");
}
