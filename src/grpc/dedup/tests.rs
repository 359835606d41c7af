use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

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
    async fn call(&self, id: &str, message: &str, fails: Option<Execution>) -> Result<Bytes, Error> {
        let runs = Arc::clone(&self.runs);
        let work = || async move {
            tokio::time::sleep(SECOND).await;
            let number = runs.fetch_add(1, Ordering::SeqCst) + 1;
            let result = match fails {
                None => Ok(Bytes::from(format!("answer {number}"))),
                Some(execution) => Err(Error::new(Kind::Unavailable, "X", "x").execution(execution)),
            };
            Outcome {
                result,
                facts: CallFacts::default(),
            }
        };
        let key = ("Invoke", "t".to_owned(), id.to_owned());
        let outcome = self
            .dedup
            .run(key, message.as_bytes(), Instant::now() + 60 * SECOND, work)
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
    bench.call("a", "m", Some(Execution::Unknown)).await.unwrap_err();
    assert_eq!(bench.runs(), 2);
    bench.call("a", "m", None).await.unwrap_err();
    assert_eq!(bench.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_in_entries_and_bytes() {
    let bench = Bench::new(3, 20);
    for id in ["a", "b", "c", "d"] {
        bench.call(id, "m", None).await.unwrap();
    }
    let (entries, bytes) = bench.kept();
    assert!(entries <= 3 && bytes <= 20, "{entries} entries, {bytes} bytes");
    let bench = Bench::new(1, 1000);
    let (_, refused) = tokio::join!(bench.call("a", "m", None), bench.call("b", "m", None));
    assert_eq!(refused.unwrap_err().reason, "TOO_MANY_REQUEST_IDS");
}
