use std::fs;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::credentials::{Credentials, Issuer, Pace, Source, Trial};
use crate::error::{Kind, Result};

/// A cloud that takes the pairs on its list.
#[derive(Default)]
struct Cloud {
    taken: Mutex<Vec<&'static str>>,
    down: Mutex<bool>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Trial for Cloud {
    async fn try_keys(&self, keys: &KeyPair) -> Verdict {
        let pair = format!("{}/{}", keys.access_key, keys.secret_key.reveal());
        self.asked.lock().unwrap().push(pair.clone());
        if *self.down.lock().unwrap() {
            return Verdict::Unclear("no way there".to_owned());
        }
        if self.taken.lock().unwrap().contains(&pair.as_str()) {
            Verdict::Taken
        } else {
            Verdict::Refused("wrong".to_owned())
        }
    }
}

/// Without notifications: they come from another thread, in the midst of whose wake the paused
/// clock may run on.
fn keep_by_looking(source: Source, keeping: Keeping) -> Credentials {
    let (credentials, mut keeper) = Credentials::kept(Origin::Local(source), keeping);
    keeper.watch = None;
    tokio::spawn(keeper.run());
    credentials
}

struct Bench {
    directory: tempfile::TempDir,
    cloud: Arc<Cloud>,
    credentials: Credentials,
}

impl Bench {
    fn put(directory: &Path, id: &str, secret: &str) {
        fs::write(directory.join("access-key-id"), id).unwrap();
        fs::write(directory.join("secret-access-key"), secret).unwrap();
    }

    /// Files with the pair `1/1`, which the cloud takes; nobody is notified, time stands still.
    fn new(verify: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::put(directory.path(), "1", "1");
        let cloud = Arc::new(Cloud::default());
        cloud.taken.lock().unwrap().extend(["1/1", "2/2", "3/3"]);
        let source = Source::Files {
            directory: directory.path().to_owned(),
        };
        let keeping = Keeping {
            verify,
            trial: Some(Arc::clone(&cloud) as Arc<dyn Trial>),
            pace: Pace::default(),
        };
        let credentials = keep_by_looking(source, keeping);
        credentials.accepted(1);
        Self {
            directory,
            cloud,
            credentials,
        }
    }

    /// Writes a pair and lets the slow look find it.
    async fn write(&self, id: &str, secret: &str) {
        Self::put(self.directory.path(), id, secret);
        self.looked().await;
    }

    async fn looked(&self) {
        sleep(Pace::default().poll * 2).await;
    }

    fn in_use(&self) -> String {
        self.credentials
            .current()
            .unwrap()
            .keys
            .as_ref()
            .unwrap()
            .access_key
            .clone()
    }

    fn outcome(&self) -> Outcome {
        self.credentials.status().last_refresh.unwrap().outcome
    }

    fn trials(&self) -> usize {
        self.cloud.asked.lock().unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_is_tried_and_taken_into_use() {
    let bench = Bench::new(true);
    assert_eq!(
        (bench.in_use().as_str(), bench.trials()),
        ("1", 0),
        "the first pair can spoil nothing"
    );
    bench.write("2", "2").await;
    assert_eq!(bench.in_use(), "2");
    assert_eq!(*bench.cloud.asked.lock().unwrap(), ["2/2"]);
    bench.looked().await;
    assert_eq!((bench.outcome(), bench.trials()), (Outcome::Unchanged, 1));
}

#[tokio::test(start_paused = true)]
async fn empty_half_written_mixed_and_refused_pairs_never_come_into_use() {
    let bench = Bench::new(true);
    for (id, secret, outcome) in [
        ("", "", Outcome::Failed),
        ("2", "half\n-written", Outcome::Failed),
        // One half is of the pair in use: not worth a refusal at the cloud.
        ("2", "1", Outcome::Failed),
        ("1", "2", Outcome::Failed),
        ("2", "wrong", Outcome::Refused),
    ] {
        bench.write(id, secret).await;
        assert_eq!(
            (bench.in_use().as_str(), bench.outcome()),
            ("1", outcome),
            "{id}/{secret}"
        );
        assert!(bench.credentials.status().ready.is_ok());
    }
    fs::remove_file(bench.directory.path().join("access-key-id")).unwrap();
    bench.looked().await;
    assert_eq!(
        (bench.in_use().as_str(), bench.outcome()),
        ("1", Outcome::Failed)
    );
    bench.write("3", "3").await;
    assert_eq!(bench.in_use(), "3");
    let refreshes = bench.credentials.status().refreshes;
    assert_eq!(refreshes[Outcome::Rotated as usize], 2, "{refreshes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_pair_is_tried_three_times_and_then_left_alone() {
    let bench = Bench::new(true);
    bench.write("4", "4").await;
    for _ in 0..8 {
        bench.looked().await;
    }
    assert_eq!(bench.trials(), 3, "clouds lock a key after five refusals");
    // A key that the cloud learns of late is found.
    let bench = Bench::new(true);
    bench.write("4", "4").await;
    bench.cloud.taken.lock().unwrap().push("4/4");
    bench.looked().await;
    assert_eq!(bench.in_use(), "4");
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_cannot_be_tried_waits_and_is_taken_in_the_end() {
    let bench = Bench::new(true);
    *bench.cloud.down.lock().unwrap() = true;
    Bench::put(bench.directory.path(), "2", "2");
    sleep(Pace::default().poll + Duration::from_secs(5)).await;
    assert_eq!(
        (bench.in_use().as_str(), bench.outcome()),
        ("1", Outcome::Pending)
    );
    sleep(Pace::default().patience * 2).await;
    assert_eq!(bench.in_use(), "2");
}

#[tokio::test(start_paused = true)]
async fn without_verify_a_call_finds_the_wrong_key_and_falls_back() {
    let bench = Bench::new(false);
    bench.write("4", "4").await;
    assert_eq!((bench.in_use().as_str(), bench.trials()), ("4", 0));
    let deadline = Instant::now() + Duration::from_secs(5);
    let other = bench.credentials.alternative(2, deadline).await.unwrap();
    bench.credentials.fell_back(2, other.generation);
    assert_eq!(bench.in_use(), "1");
    // What a call was refused with is tried before it is used again.
    sleep(Duration::from_secs(20)).await;
    assert_eq!((bench.in_use().as_str(), bench.trials()), ("1", 1));
    bench.cloud.taken.lock().unwrap().push("4/4");
    sleep(Duration::from_secs(120)).await;
    assert_eq!(bench.in_use(), "4");
}

#[tokio::test(start_paused = true)]
async fn keys_that_arrive_later_are_found_within_a_second_or_two() {
    let directory = tempfile::tempdir().unwrap();
    let source = Source::Files {
        directory: directory.path().join("not-yet"),
    };
    let keeping = Keeping {
        verify: true,
        trial: None,
        pace: Pace::default(),
    };
    let credentials = keep_by_looking(source, keeping);
    assert_eq!(
        credentials.current().unwrap_err().reason,
        "CREDENTIALS_MISSING"
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    assert_eq!(
        credentials.ready(deadline).await.unwrap_err().reason,
        "CREDENTIALS_MISSING"
    );
    fs::create_dir(directory.path().join("not-yet")).unwrap();
    Bench::put(&directory.path().join("not-yet"), "1", "1");
    sleep(Duration::from_secs(2)).await;
    credentials.ready(deadline).await.unwrap();
    assert_eq!(
        credentials
            .current()
            .unwrap()
            .keys
            .as_ref()
            .unwrap()
            .access_key,
        "1"
    );
}

/// Hands out a new pair each time, for ten minutes; 1 s an answer.
#[derive(Default)]
struct Office {
    count: Mutex<u32>,
    broken: Arc<Mutex<bool>>,
}

#[async_trait]
impl Issuer for Office {
    async fn issue(&self) -> Result<Issued> {
        sleep(Duration::from_secs(1)).await;
        if *self.broken.lock().unwrap() {
            return Err(Error::new(Kind::Unavailable, "OFFICE_CLOSED", "closed"));
        }
        let mut count = self.count.lock().unwrap();
        *count += 1;
        Ok(Issued {
            keys: KeyPair::checked(&format!("id-{count}"), "s", Some(&format!("t-{count}")))
                .map_err(|why| no_credentials(&why))?,
            life: Some(Duration::from_secs(600)),
        })
    }

    fn describe(&self) -> String {
        "office".to_owned()
    }
}

fn office() -> (Credentials, Arc<Mutex<bool>>) {
    let office = Office::default();
    let broken = Arc::clone(&office.broken);
    let keeping = Keeping {
        verify: false,
        trial: None,
        pace: Pace::default(),
    };
    let (credentials, kept) = Credentials::keep(Origin::Issued(Box::new(office)), keeping);
    tokio::spawn(kept);
    (credentials, broken)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn number(credentials: &Credentials) -> u64 {
    credentials.status().generation
}

#[tokio::test(start_paused = true)]
async fn issued_keys_are_waited_for_once_and_renewed_ahead_of_their_end() {
    let (credentials, broken) = office();
    let early = Instant::now() + Duration::from_millis(10);
    assert_eq!(
        credentials.ready(early).await.unwrap_err().reason,
        "CREDENTIALS_NOT_IN_TIME"
    );
    let all = futures_util::future::join_all((0..50).map(|_| credentials.ready(soon()))).await;
    assert!(all.into_iter().all(|ready| ready.is_ok()));
    assert_eq!(number(&credentials), 1);
    // A fifth to three tenths of ten minutes before the end, and nobody has to call for it.
    sleep(Duration::from_secs(415)).await;
    assert_eq!(number(&credentials), 1);
    sleep(Duration::from_secs(75)).await;
    assert_eq!(number(&credentials), 2);
    // While the office is closed the last good keys serve, to their end and no longer.
    *broken.lock().unwrap() = true;
    sleep(Duration::from_secs(520)).await;
    credentials.ready(soon()).await.unwrap();
    assert_eq!(
        credentials.status().last_refresh.unwrap().outcome,
        Outcome::Failed
    );
    sleep(Duration::from_secs(300)).await;
    assert_eq!(
        credentials.ready(soon()).await.unwrap_err().reason,
        "OFFICE_CLOSED"
    );
    assert_eq!(credentials.status().ready.unwrap_err(), "closed");
    *broken.lock().unwrap() = false;
    sleep(Duration::from_secs(301)).await;
    credentials.ready(soon()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn issued_keys_that_were_taken_back_are_asked_for_anew_by_the_call_that_met_it() {
    let (credentials, _) = office();
    credentials.ready(soon()).await.unwrap();
    let other = credentials.alternative(1, soon()).await.unwrap();
    assert_eq!(other.generation, 2);
    // Not again and again, though: the cloud may refuse for another reason.
    assert!(credentials.alternative(2, soon()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_keeper_ends_with_its_last_handle() {
    let (credentials, kept) = Credentials::keep(
        Origin::Issued(Box::new(Office::default())),
        Keeping {
            verify: false,
            trial: None,
            pace: Pace::default(),
        },
    );
    let task = tokio::spawn(kept);
    credentials.ready(soon()).await.unwrap();
    drop(credentials);
    timeout(Duration::from_secs(5), task)
        .await
        .unwrap()
        .unwrap();
}
