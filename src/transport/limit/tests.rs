use super::*;

fn call(seconds: u64) -> Call {
    Call::new(Instant::now() + Duration::from_secs(seconds))
}

fn limiter(max_in_flight: usize, max_queue: usize) -> Limiter {
    Limiter::new(&Limits {
        max_in_flight,
        max_queue,
        queue_timeout: Some(Duration::from_secs(1)),
        max_response_size: 1,
        adaptive_rate: false,
    })
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_a_wait_ends() {
    let limiter = limiter(1, 1);
    let held = limiter.enter(&call(60), "/a").await.unwrap();
    let (first, second) = (call(60), call(60));
    let (waited, full) = tokio::join!(limiter.enter(&first, "/a"), limiter.enter(&second, "/a"));
    assert_eq!(waited.unwrap_err().reason, "QUEUE_TIMEOUT");
    let full = full.unwrap_err();
    assert_eq!(full.reason, "QUEUE_FULL");
    assert!(
        full.message
            .contains("calls wait already (limits.max_queue)"),
        "{}",
        full.message
    );
    drop(held);
    assert!(limiter.enter(&call(60), "/a").await.is_ok());
    assert_eq!(limiter.queued(), 0);
}

#[tokio::test]
async fn without_a_queue_the_refusal_says_so() {
    let limiter = limiter(1, 0);
    let _held = limiter.enter(&call(60), "/a").await.unwrap();
    let full = limiter.enter(&call(60), "/a").await.unwrap_err();
    assert!(
        full.message.contains("limits.max_queue is 0"),
        "{}",
        full.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_ends_in_the_queue_is_out_of_time() {
    let limiter = limiter(1, 1);
    let _held = limiter.enter(&call(60), "/a").await.unwrap();
    let caller = Call::new(Instant::now() + Duration::from_millis(500));
    assert_eq!(
        limiter.enter(&caller, "/a").await.unwrap_err().kind,
        Kind::DeadlineExceeded
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_over_is_refused_at_once() {
    let limiter = limiter(1, 1);
    let _held = limiter.enter(&call(60), "/a").await.unwrap();
    let before = Instant::now();
    let error = limiter.enter(&call(0), "/a").await.unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::DeadlineExceeded, Execution::NotStarted)
    );
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_served_first_and_nobody_passes_the_queue() {
    let limiter = limiter(1, 10);
    let held = limiter.enter(&call(60), "/a").await.unwrap();
    let served = Mutex::new(Vec::new());
    let wait = |name: &'static str, call: Call| {
        let (limiter, served) = (&limiter, &served);
        async move {
            let _slot = limiter.enter(&call, "/a").await.unwrap();
            served.lock().unwrap().push(name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let late = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!((limiter.queued(), limiter.in_flight()), (3, 1));
        drop(held);
        // The slot is free for nobody but the first in the queue, even now.
        wait("late", call(60)).await;
    };
    tokio::join!(
        wait("first", call(60)),
        wait("second", call(60)),
        wait("third", call(60)),
        late
    );
    assert_eq!(
        *served.lock().unwrap(),
        ["first", "second", "third", "late"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_gives_its_place_back() {
    let limiter = limiter(1, 1);
    let _held = limiter.enter(&call(60), "/a").await.unwrap();
    let caller = call(60);
    let gone = tokio::time::timeout(Duration::from_millis(10), limiter.enter(&caller, "/a")).await;
    assert!(gone.is_err());
    assert_eq!(limiter.queued(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_bound_of_its_own_a_call_waits_as_long_as_its_deadline_allows() {
    let mut limiter = limiter(1, 1);
    limiter.limits.queue_timeout = None;
    let held = limiter.enter(&call(600), "/a").await.unwrap();
    let caller = call(300);
    let free = async {
        tokio::time::sleep(Duration::from_secs(299)).await;
        drop(held);
    };
    let (entered, ()) = tokio::join!(limiter.enter(&caller, "/a"), free);
    entered.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_of_another_caller_or_action_gets_the_next_slot_beside_hundreds() {
    let mut limiter = limiter(1, 1000);
    limiter.limits.queue_timeout = None;
    let held = limiter.enter(&call(600), "/slow").await.unwrap();
    let (limiter, served) = (&limiter, &Mutex::new(Vec::new()));
    let wait = |caller: u64, action: &'static str, name: &'static str| async move {
        let mut call = call(600);
        call.caller = caller;
        let _slot = limiter.enter(&call, action).await.unwrap();
        served.lock().unwrap().push(name);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let flood = (0..400).map(|_| wait(1, "/slow", "flood"));
    let others = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let free = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            drop(held);
        };
        tokio::join!(wait(1, "/fast", "action"), wait(2, "/slow", "caller"), free);
    };
    tokio::join!(futures_util::future::join_all(flood), others);
    let served = served.lock().unwrap();
    let at = |name: &str| served.iter().position(|served| *served == name).unwrap();
    assert!(at("action") < 5 && at("caller") < 5, "{:?}", &served[..10]);
    assert_eq!(served.len(), 402);
}

#[tokio::test(start_paused = true)]
async fn a_refused_caller_is_told_when_the_queue_is_served_and_each_a_time_of_its_own() {
    let mut limiter = limiter(2, 8);
    limiter.limits.queue_timeout = None;
    let limiter = &limiter;
    let run = || async move {
        let call = call(600);
        let _slot = limiter.enter(&call, "/a").await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
    };
    let pauses = async {
        // The queue has been served twice, and is full again.
        tokio::time::sleep(Duration::from_secs(7)).await;
        let more = (0..4).map(|_| run());
        let told = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let refused = call(600);
            let mut pauses = Vec::new();
            for _ in 0..100 {
                let error = limiter.enter(&refused, "/a").await.unwrap_err();
                assert_eq!(error.reason, "QUEUE_FULL");
                pauses.push(error.retry_after.unwrap());
            }
            pauses
        };
        tokio::join!(futures_util::future::join_all(more), told).1
    };
    let runs = futures_util::future::join_all((0..10).map(|_| run()));
    let (_, pauses) = tokio::join!(runs, pauses);
    // Eight calls of 3 s on two slots: 12 s, half as much more or less.
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(
        *least >= Duration::from_secs(6) && *least < Duration::from_secs(8),
        "{least:?}"
    );
    assert!(
        *most <= Duration::from_secs(18) && *most > Duration::from_secs(16),
        "{most:?}"
    );
}

#[tokio::test]
async fn threads_that_come_wait_and_go_away_lose_no_slot() {
    let limiter = Arc::new(limiter(3, 100_000));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let limiter = Arc::clone(&limiter);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let calls = (0..200_u64).map(|n| {
                        let limiter = Arc::clone(&limiter);
                        async move {
                            let call = call(60);
                            let entered = limiter.enter(&call, "/a");
                            // Some go away while they wait.
                            let patience = Duration::from_micros((n * 7 + seed) % 400);
                            if let Ok(slot) = tokio::time::timeout(patience, entered).await {
                                tokio::task::yield_now().await;
                                drop(slot);
                            }
                        }
                    });
                    futures_util::future::join_all(calls).await;
                });
            })
        })
        .collect();
    for thread in threads {
        tokio::task::spawn_blocking(move || thread.join().unwrap())
            .await
            .unwrap();
    }
    assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
}
