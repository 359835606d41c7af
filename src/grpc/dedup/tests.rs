use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::telemetry::AttemptSummary;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    dedup: Arc<Dedup>,
    runs: Arc<AtomicUsize>,
}

impl Bench {
    fn new(max_entries: usize, max_bytes: usize) -> Self {
        let window = Window {
            duration: Duration::from_secs(600),
            max_entries,
            max_bytes,
        };
        Self {
            dedup: Arc::new(Dedup::new(window)),
            runs: Arc::default(),
        }
    }

    /// A call that takes a second and answers with its run's number, or fails as told.
    async fn call(
        &self,
        id: &str,
        message: &str,
        fails: Option<Execution>,
    ) -> Result<Bytes, Error> {
        let error =
            fails.map(|execution| Error::new(Kind::Unavailable, "X", "x").execution(execution));
        self.outcome(id, message, error, false).await
    }

    async fn outcome(
        &self,
        id: &str,
        message: &str,
        fails: Option<Error>,
        idempotent: bool,
    ) -> Result<Bytes, Error> {
        let runs = Arc::clone(&self.runs);
        let work = |_| async move {
            tokio::time::sleep(SECOND).await;
            let number = runs.fetch_add(1, Ordering::SeqCst) + 1;
            let result = match fails {
                None => Ok(Bytes::from(format!("answer {number}"))),
                Some(error) => Err(error),
            };
            Outcome {
                result,
                sent: AttemptSummary::default(),
                activation_id: format!("run-{number}"),
                idempotent,
            }
        };
        let key = Key::new("Invoke", "t", id);
        let outcome = self
            .dedup
            .run(
                key,
                fingerprint(message.as_bytes()),
                Instant::now() + 60 * SECOND,
                String::new(),
                None,
                work,
            )
            .await?;
        outcome.result.clone()
    }

    fn kept(&self) -> (usize, usize) {
        let state = self.dedup.lock();
        (state.entries.len(), state.bytes)
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn calls_join_while_in_flight_and_get_the_stored_answer_after() {
    let bench = Bench::new(10, 1000);
    let (first, second) = tokio::join!(bench.call("a", "m", None), bench.call("a", "m", None));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(bench.call("a", "m", None).await.unwrap(), "answer 1");
    assert_eq!(bench.runs(), 1);
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(bench.call("a", "m", None).await.unwrap(), "answer 2");
}

#[tokio::test(start_paused = true)]
async fn the_call_goes_on_when_its_caller_hangs_up() {
    let bench = Bench::new(10, 1000);
    let gone = tokio::time::timeout(SECOND / 2, bench.call("a", "m", None)).await;
    assert!(gone.is_err());
    assert_eq!(bench.call("a", "m", None).await.unwrap(), "answer 1");
    assert_eq!(bench.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_request_under_a_used_id_is_refused() {
    let bench = Bench::new(10, 1000);
    bench.call("a", "m", None).await.unwrap();
    let error = bench.call("a", "other", None).await.unwrap_err();
    assert_eq!(error.violations[0].field, "request_id");
}

#[tokio::test(start_paused = true)]
async fn only_what_surely_did_not_start_may_start_again() {
    let bench = Bench::new(10, 1000);
    bench
        .call("a", "m", Some(Execution::NotStarted))
        .await
        .unwrap_err();
    bench
        .call("a", "m", Some(Execution::Unknown))
        .await
        .unwrap_err();
    assert_eq!(bench.runs(), 2);
    bench.call("a", "m", None).await.unwrap_err();
    assert_eq!(bench.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_of_an_idempotent_call_may_start_again() {
    let bench = Bench::new(10, 1000);
    let lost = || {
        Error::new(Kind::Unavailable, "X", "x")
            .execution(Execution::Unknown)
            .transient(true)
    };
    bench
        .outcome("a", "m", Some(lost()), true)
        .await
        .unwrap_err();
    assert_eq!(
        bench.outcome("a", "m", None, true).await.unwrap(),
        "answer 2"
    );
    // Without the caller's word it is the answer.
    bench
        .outcome("b", "m", Some(lost()), false)
        .await
        .unwrap_err();
    bench.outcome("b", "m", None, false).await.unwrap_err();
    assert_eq!(bench.runs(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_ids_is_bounded() {
    let bench = Bench::new(3, 1000);
    for id in ["a", "b", "c"] {
        bench.call(id, "m", None).await.unwrap();
    }
    assert_eq!(bench.kept().0, 3, "as many as were asked for");
    bench.call("d", "m", None).await.unwrap();
    assert_eq!(bench.kept().0, 3);
    assert_eq!(bench.call("b", "m", None).await.unwrap(), "answer 2");
    assert_eq!(
        bench.call("a", "m", None).await.unwrap(),
        "answer 5",
        "the oldest was forgotten"
    );
    let bench = Bench::new(1, 1000);
    let (_, refused) = tokio::join!(bench.call("a", "m", None), bench.call("b", "m", None));
    assert_eq!(refused.unwrap_err().reason, "TOO_MANY_REQUEST_IDS");
}

#[tokio::test(start_paused = true)]
async fn answers_that_outgrow_their_bytes_lose_their_content_and_run_no_second_time() {
    // An answer, and the id of its activation, are 13 bytes.
    let bench = Bench::new(10, 30);
    for id in ["a", "b", "c"] {
        bench.call(id, "m", None).await.unwrap();
    }
    let (entries, bytes) = bench.kept();
    assert!(
        entries == 3 && bytes <= 30,
        "{entries} entries, {bytes} bytes"
    );
    let gone = bench.call("a", "m", None).await.unwrap_err();
    assert_eq!(
        (gone.kind, gone.reason.as_ref(), gone.execution),
        (
            Kind::ResourceExhausted,
            "ANSWER_NOT_KEPT",
            Execution::Completed
        )
    );
    assert_eq!(gone.resource, Some(("activation", "run-1".to_owned())));
    assert!(
        !gone.may_retry(true) && gone.message.contains("run-1"),
        "{}",
        gone.message
    );
    assert_eq!(bench.call("c", "m", None).await.unwrap(), "answer 3");
    assert_eq!(bench.runs(), 3);
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(bench.call("a", "m", None).await.unwrap(), "answer 4");
    assert_eq!(bench.kept().1, 13, "nothing is counted twice or left over");
}

#[tokio::test(start_paused = true)]
async fn an_answer_larger_than_all_bytes_reaches_those_who_wait_and_no_others() {
    let bench = Bench::new(10, 5);
    let (first, second) = tokio::join!(bench.call("a", "m", None), bench.call("a", "m", None));
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        ("answer 1".into(), "answer 1".into())
    );
    assert_eq!(
        bench.call("a", "m", None).await.unwrap_err().reason,
        "ANSWER_NOT_KEPT"
    );
    assert_eq!(bench.kept(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_large_error_is_counted_as_well() {
    let bench = Bench::new(10, 100_000);
    for id in ["a", "b", "c"] {
        let large =
            Error::new(Kind::Internal, "X", "x".repeat(40_000)).execution(Execution::Unknown);
        bench
            .outcome(id, "m", Some(large), false)
            .await
            .unwrap_err();
    }
    assert!(bench.kept().1 <= 100_000);
    let gone = bench.call("a", "m", None).await.unwrap_err();
    assert_eq!(
        (gone.reason.as_ref(), gone.execution),
        ("ANSWER_NOT_KEPT", Execution::Unknown)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_lost_may_have_run_and_does_not_run_again() {
    let bench = Bench::new(10, 100_000);
    let key = || Key::new("Invoke", "t", "a");
    let deadline = Instant::now() + 60 * SECOND;
    let panics = |_| async {
        tokio::time::sleep(SECOND).await;
        panic!("on purpose")
    };
    let outcome = bench
        .dedup
        .run(
            key(),
            fingerprint(b"m"),
            deadline,
            String::new(),
            None,
            panics,
        )
        .await
        .unwrap();
    assert_eq!(outcome.result.as_ref().unwrap_err().reason, "SIDECAR_BUG");
    let error = bench.call("a", "m", None).await.unwrap_err();
    assert_eq!(
        (error.reason.as_ref(), error.execution),
        ("SIDECAR_BUG", Execution::Unknown)
    );
    assert_eq!(bench.runs(), 0);
}

#[test]
fn keys_of_different_calls_differ() {
    let keys = [
        Key::new("Invoke", "a", "bc"),
        Key::new("Invoke", "ab", "c"),
        Key::new("InvokeAsync", "a", "bc"),
        Key::new("Invoke", "a", ""),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[at + 1..].contains(key));
    }
}
