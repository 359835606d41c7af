//! Rotations under load: whatever is written into the mounted Secret, no call fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use faas_sidecar::call::Call;
use faas_sidecar::credentials::{Credentials, Keeping, Origin, Pace, Source};
use faas_sidecar::proto::{InvokeRequest, Platform};
use faas_sidecar::provider::Provider as _;
use faas_sidecar::provider::ncp::{ApiVersion, Endpoint, KeyTrial, Ncp, Region, Settings, Site};
use faas_sidecar::transport::{self, Shared, Transport};
use tokio::task::JoinSet;

use crate::cloud::Cloud;
use crate::kubernetes::Mounted;

/// Callers at once.
const CALLERS: usize = 6;
/// How long the cloud takes the old key after the new one has been seen in use.
const GRACE: Duration = Duration::from_millis(20);
/// A bad Secret stays for this long.
const BAD_FOR: Duration = Duration::from_millis(9);

/// Real times, a hundredth of those in production.
fn pace() -> Pace {
    Pace {
        poll: Duration::from_millis(300),
        poll_missing: Duration::from_millis(10),
        settle: Duration::from_millis(1),
        ask_again: Duration::from_millis(5),
        trials: [Duration::from_millis(150), Duration::from_millis(600)],
        patience: Duration::from_millis(600),
        ..Pace::default()
    }
}

struct Load {
    cloud: Cloud,
    mounted: Mounted,
    credentials: Credentials,
    calls: Arc<AtomicUsize>,
    failures: Arc<std::sync::Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

fn id(number: usize) -> String {
    format!("ncp_iam_ROTATED{number:05}")
}

fn secret(number: usize) -> String {
    format!("ncp_iam_SECRET{number:05}0123456789abcdef")
}

impl Load {
    async fn start(verify: bool) -> Self {
        let cloud = Cloud::start().await;
        cloud.keys.make(&id(0), &secret(0));
        let mounted = Mounted::new(&[
            ("access-key-id", id(0).as_bytes()),
            ("secret-access-key", secret(0).as_bytes()),
        ]);
        let url = cloud.server.url().parse().unwrap();
        let endpoint = Endpoint::new(
            Site::Public,
            Region::Kr,
            ApiVersion::V21,
            Some(&url),
            Platform::Unspecified,
        )
        .unwrap();
        let settings = transport::Settings {
            tls: None,
            ..transport::Settings::default()
        };
        let transport = || Transport::new(&settings, Shared::new(&settings));
        let keeping = Keeping {
            verify,
            trial: Some(Arc::new(KeyTrial {
                endpoint: endpoint.clone(),
                transport: transport(),
            })),
            pace: pace(),
        };
        let source = Source::Files {
            directory: mounted.path().to_owned(),
        };
        let (credentials, kept) = Credentials::keep(Origin::Local(source), keeping);
        tokio::spawn(kept);
        let settings = Settings {
            endpoint,
            wait: Duration::from_secs(1),
            idempotent_actions: Vec::new(),
        };
        let ncp = Arc::new(Ncp::new(settings, transport(), credentials.clone()));
        let mut load = Self {
            cloud,
            mounted,
            credentials,
            calls: Arc::default(),
            failures: Arc::default(),
            stop: Arc::default(),
            callers: JoinSet::new(),
        };
        for _ in 0..CALLERS {
            let (ncp, calls) = (Arc::clone(&ncp), Arc::clone(&load.calls));
            let (failures, stop) = (Arc::clone(&load.failures), Arc::clone(&load.stop));
            load.callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let mut call = Call::new(tokio::time::Instant::now() + Duration::from_secs(20));
                    let request = InvokeRequest {
                        action_name: "hello".to_owned(),
                        ..InvokeRequest::default()
                    };
                    if let Err(error) = ncp.invoke(&mut call, request).await {
                        failures.lock().unwrap().push(format!("{error:?}"));
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                    // Callers think; a loop without a pause would starve everybody else on a small
                    // machine.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        }
        load.seen(&id(0)).await;
        load
    }

    /// Waits as an operator does: until the new key is seen in use, by more runs than there are
    /// callers, so that an answer of one has arrived.
    async fn seen(&self, id: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.cloud.keys.runs_of(id) <= CALLERS {
            assert!(
                Instant::now() < until,
                "{id} never came into use: {:?}, failures {:?}",
                self.credentials.status(),
                self.failures.lock().unwrap()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The bad Secrets, one a number: `good` is the pair in use, `next` one that the cloud does not
    /// know.
    fn spoil(&mut self, kind: usize, good: usize, next: usize) {
        let (id_good, secret_good, id_next, secret_next) =
            (id(good), secret(good), id(next), secret(next));
        let half = &secret_next[..secret_next.len() / 2];
        let files: &[(&str, &[u8])] = match kind % 9 {
            // Well-formed, and the cloud knows neither.
            0 => &[
                ("access-key-id", id_next.as_bytes()),
                ("secret-access-key", secret_next.as_bytes()),
            ],
            // The right id with a wrong secret.
            1 => &[
                ("access-key-id", id_good.as_bytes()),
                ("secret-access-key", secret_next.as_bytes()),
            ],
            // Halves of two generations.
            2 => &[
                ("access-key-id", id_next.as_bytes()),
                ("secret-access-key", secret_good.as_bytes()),
            ],
            // Each in the other's place.
            3 => &[
                ("access-key-id", secret_good.as_bytes()),
                ("secret-access-key", id_good.as_bytes()),
            ],
            // Half written, in three ways.
            4 => &[
                ("access-key-id", id_next.as_bytes()),
                ("secret-access-key", half.as_bytes()),
            ],
            5 => &[
                ("access-key-id", id_next.as_bytes()),
                ("secret-access-key", b"ncp_iam_\0\0\0\0\0\0\0\0"),
            ],
            6 => &[("access-key-id", id_next.as_bytes())],
            7 => &[("access-key-id", b""), ("secret-access-key", b"")],
            _ => &[
                ("access-key-id", b"<html>"),
                ("secret-access-key", b"not found\n<hr>\n"),
            ],
        };
        self.mounted.publish(files);
    }

    async fn rotate(&mut self, rotations: usize) {
        let mut good = 0;
        for number in 1..=rotations {
            if number % 3 != 0 {
                self.spoil(number, good, number);
                tokio::time::sleep(BAD_FOR).await;
                continue;
            }
            self.cloud.keys.make(&id(number), &secret(number));
            self.mounted.pair(&id(number), &secret(number));
            self.seen(&id(number)).await;
            // The clouds take the old key for a while after it was switched off.
            self.cloud.keys.switch_off(&id(good), GRACE);
            good = number;
        }
    }

    async fn end(mut self, rotations: usize) {
        self.stop.store(true, Ordering::Relaxed);
        while self.callers.join_next().await.is_some() {}
        let failures = self.failures.lock().unwrap().clone();
        let (calls, keys) = (self.calls.load(Ordering::Relaxed), &self.cloud.keys);
        println!(
            "{rotations} rotations, {calls} calls, {} failed; {} keys signed runs, {} signatures of runs were refused, {} trials passed and {} did not",
            failures.len(),
            keys.used(),
            keys.refused.load(Ordering::Relaxed),
            keys.trials.load(Ordering::Relaxed),
            keys.refused_trials.load(Ordering::Relaxed),
        );
        assert!(
            failures.is_empty(),
            "{} of {calls} calls failed: {:?}",
            failures.len(),
            failures.first()
        );
        assert_eq!(
            keys.used(),
            1 + rotations / 3,
            "every good key came into use, and no other signed a run"
        );
        // A refused signature is sent again once, so every call ran once and none twice.
        assert_eq!(keys.runs.load(Ordering::Relaxed), calls);
        assert!(calls > rotations, "{calls} calls are no load");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rotations_under_load_fail_no_call() {
    let mut load = Load::start(true).await;
    load.rotate(1000).await;
    let keys = &load.cloud.keys;
    assert!(
        keys.trials.load(Ordering::Relaxed) >= 333,
        "every good key was tried"
    );
    assert!(
        keys.refused_trials.load(Ordering::Relaxed) >= 50,
        "bad keys came and went unseen, so nothing was shown"
    );
    load.end(1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_verify_calls_find_the_bad_keys_and_fall_back() {
    let mut load = Load::start(false).await;
    load.rotate(150).await;
    let refused = load.cloud.keys.refused.load(Ordering::Relaxed);
    assert!(
        refused > 0,
        "no call ever met a bad key, so nothing was shown"
    );
    load.end(150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_files_that_are_written_one_after_the_other_are_one_rotation() {
    let mut load = Load::start(true).await;
    // No Kubernetes here: the files stand in the directory itself.
    std::fs::remove_file(load.mounted.path().join("..data")).unwrap();
    let put = |name: &str, text: &str| {
        let file = load.mounted.path().join(name);
        let _ = std::fs::remove_file(&file);
        std::fs::write(file, text).unwrap();
    };
    for number in 1..=20 {
        load.cloud.keys.make(&id(number), &secret(number));
        put("access-key-id", &id(number));
        // Longer than the files take to settle: the half-changed pair is looked at, and waits.
        tokio::time::sleep(Duration::from_millis(15)).await;
        put("secret-access-key", &secret(number));
        load.seen(&id(number)).await;
        load.cloud.keys.switch_off(&id(number - 1), GRACE);
    }
    let keys = &load.cloud.keys;
    assert_eq!(keys.used(), 21);
    load.stop.store(true, Ordering::Relaxed);
    while load.callers.join_next().await.is_some() {}
    assert!(
        load.failures.lock().unwrap().is_empty(),
        "{:?}",
        load.failures.lock().unwrap()
    );
}
