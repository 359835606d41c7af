use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::credentials::pace::{AHEAD_MAX, PAUSE_REFUSED};

const LIFE: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
struct Counter {
    fetches: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
}

#[async_trait]
impl Fetch for Counter {
    type Value = u64;

    fn describe(&self) -> String {
        "a counter".to_owned()
    }

    async fn fetch(&self) -> Result<Fetched<u64>> {
        let count = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Unauthenticated, "REFUSED", "refused"));
        }
        Ok(Fetched {
            value: count,
            life: LIFE,
        })
    }
}

fn counter() -> (Renewing<Counter>, Arc<AtomicU64>, Arc<AtomicBool>) {
    let source = Counter::default();
    let (fetches, broken) = (Arc::clone(&source.fetches), Arc::clone(&source.broken));
    (Renewing::new(source), fetches, broken)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_fetch() {
    let (tokens, fetches, _) = counter();
    let all = futures_util::future::join_all((0..50).map(|_| tokens.get(soon()))).await;
    assert!(all.into_iter().all(|held| held.unwrap().value == 1));
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_no_longer_than_its_deadline_and_stops_nobody() {
    let (tokens, fetches, _) = counter();
    let error = tokens
        .get(Instant::now() + Duration::from_millis(10))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::DeadlineExceeded);
    assert_eq!(tokens.get(soon()).await.unwrap().value, 1);
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_in_the_background_before_it_ends() {
    let (tokens, fetches, _) = counter();
    tokens.get(soon()).await.unwrap();
    tokio::time::advance(LIFE - AHEAD_MAX).await;
    // The old one at once, without waiting; the new one after the fetch.
    assert_eq!(tokens.get(Instant::now()).await.unwrap().value, 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(tokens.get(Instant::now()).await.unwrap().value, 2);
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_one_is_kept_until_its_end() {
    let (tokens, _, broken) = counter();
    tokens.get(soon()).await.unwrap();
    broken.store(true, Ordering::Relaxed);
    tokio::time::advance(LIFE - Duration::from_secs(60)).await;
    for _ in 0..3 {
        assert_eq!(tokens.get(soon()).await.unwrap().value, 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(tokens.get(soon()).await.unwrap_err().reason, "REFUSED");
}

#[tokio::test(start_paused = true)]
async fn a_refused_one_is_fetched_once_and_a_new_one_is_not_fetched_again() {
    let (tokens, fetches, _) = counter();
    let first = tokens.get(soon()).await.unwrap();
    assert_eq!(
        tokens.renew(first.generation, soon()).await.unwrap().value,
        1
    );
    tokio::time::advance(TOO_YOUNG).await;
    let all =
        futures_util::future::join_all((0..20).map(|_| tokens.renew(first.generation, soon())))
            .await;
    assert!(all.into_iter().all(|held| held.unwrap().value == 2));
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_not_tried_again_at_once() {
    let (tokens, fetches, broken) = counter();
    broken.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(tokens.get(soon()).await.unwrap_err().reason, "REFUSED");
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    broken.store(false, Ordering::Relaxed);
    tokio::time::advance(PAUSE_REFUSED).await;
    assert_eq!(tokens.get(soon()).await.unwrap().value, 2);
}
