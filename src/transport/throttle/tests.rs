use super::*;

fn throttled() -> Error {
    Error::new(Kind::ResourceExhausted, "THROTTLE_LIMITED", "")
        .component(Component::Gateway)
        .transient(true)
        .with(|facts| facts.http_status = Some(429))
}

/// A cloud that takes so many requests in each second.
struct Cloud {
    allowed: u32,
    second: Instant,
    taken: u32,
}

impl Cloud {
    fn new(allowed: u32) -> Self {
        Self {
            allowed,
            second: Instant::now(),
            taken: 0,
        }
    }

    fn takes(&mut self, now: Instant) -> bool {
        if now.duration_since(self.second) >= SECOND {
            (self.second, self.taken) = (now, 0);
        }
        self.taken += 1;
        self.taken <= self.allowed
    }
}

/// What became of calls that came at a steady rate.
#[derive(Debug, Default)]
struct Outcome {
    taken: u32,
    refused: u32,
    shed: u32,
}

/// `rate` calls a second for `seconds`; none of them waits.
async fn drive(throttle: &Throttle, cloud: &mut Cloud, rate: u32, seconds: u32) -> Outcome {
    let mut outcome = Outcome::default();
    for _ in 0..rate * seconds {
        tokio::time::advance(SECOND / rate).await;
        let began = Instant::now();
        match throttle.take(Duration::ZERO) {
            Err(_) => outcome.shed += 1,
            Ok(_) if cloud.takes(began) => outcome.taken += 1,
            Ok(_) => {
                outcome.refused += 1;
                throttle.learn(&throttled(), began);
            }
        }
    }
    outcome
}

#[tokio::test(start_paused = true)]
async fn off_until_the_cloud_refuses_for_the_rate_of_all() {
    let throttle = Throttle::new(true);
    let quota = throttled().transient(false);
    let one_function = throttled().scope(Scope::Resource);
    let ours = throttled().component(Component::Sidecar);
    let busy = Error::new(Kind::Unavailable, "UPSTREAM_UNAVAILABLE", "")
        .component(Component::Gateway)
        .transient(true);
    for error in [&quota, &one_function, &ours, &busy] {
        throttle.learn(error, Instant::now());
    }
    for _ in 0..10_000 {
        throttle.take(Duration::ZERO).unwrap();
    }
    assert_eq!(throttle.rate(), None);
    throttle.learn(&throttled(), Instant::now());
    assert!(throttle.rate().is_some());
    let off = Throttle::new(false);
    off.learn(&throttled(), Instant::now());
    assert_eq!(off.rate(), None);
}

#[tokio::test(start_paused = true)]
async fn it_follows_what_the_cloud_takes() {
    let throttle = Throttle::new(true);
    let mut cloud = Cloud::new(50);
    // Twice as much as the cloud takes. Unlimited, half of it would be refused by the cloud.
    drive(&throttle, &mut cloud, 100, 10).await;
    let steady = drive(&throttle, &mut cloud, 100, 60).await;
    assert!(
        steady.refused < 6000 / 20,
        "the cloud still refuses too many: {steady:?}"
    );
    assert!(
        steady.taken > 50 * 60 * 7 / 10,
        "too little of what the cloud takes is used: {steady:?}"
    );
    assert!(
        steady.shed > 1000,
        "the rest is refused here, before it is sent: {steady:?}"
    );
    // The cloud takes less, and more again: both are learnt.
    cloud.allowed = 10;
    drive(&throttle, &mut cloud, 100, 20).await;
    let less = drive(&throttle, &mut cloud, 100, 30).await;
    assert!(less.taken < 11 * 30 && less.refused < 3000 / 10, "{less:?}");
    cloud.allowed = 200;
    drive(&throttle, &mut cloud, 100, 30).await;
    let more = drive(&throttle, &mut cloud, 100, 10).await;
    assert_eq!((more.taken, more.refused, more.shed), (1000, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_cuts_the_rate_once_for_all_that_were_in_flight() {
    let throttle = Throttle::new(true);
    let began = Instant::now();
    for _ in 0..100 {
        throttle.take(Duration::ZERO).unwrap();
    }
    tokio::time::advance(Duration::from_millis(10)).await;
    for _ in 0..100 {
        throttle.learn(&throttled(), began);
    }
    let rate = throttle.rate().unwrap();
    assert!((69.0..71.0).contains(&rate), "{rate}");
}

#[tokio::test(start_paused = true)]
async fn the_curve_climbs_back_waits_and_tries_more() {
    let throttle = Throttle::new(true);
    for _ in 0..100 {
        throttle.take(Duration::ZERO).unwrap();
    }
    throttle.learn(&throttled(), Instant::now());
    let mut rates = vec![throttle.rate().unwrap()];
    for _ in 0..12 {
        tokio::time::advance(SECOND).await;
        rates.push(throttle.rate().unwrap());
    }
    assert!(rates.is_sorted(), "{rates:?}");
    // (100 × 0.3 ÷ 0.4)^⅓ = 4.2 s to the plateau.
    assert!((99.0..=101.0).contains(&rates[4]), "{rates:?}");
    assert!(rates[5] - rates[3] < 3.0, "no plateau: {rates:?}");
    assert!(rates[12] > 250.0, "{rates:?}");
    tokio::time::advance(Duration::from_secs(23)).await;
    assert_eq!(throttle.rate(), None, "it recovers by itself");
    throttle.take(Duration::ZERO).unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_wait_in_turn_and_who_would_wait_too_long_is_refused_at_once() {
    let throttle = Throttle::new(true);
    for _ in 0..10 {
        throttle.take(Duration::ZERO).unwrap();
    }
    throttle.learn(&throttled(), Instant::now());
    let began = Instant::now();
    // 7 a second: within one second there is room for seven.
    let tokens: Vec<_> = std::iter::from_fn(|| throttle.take(SECOND).ok())
        .take(50)
        .collect();
    assert!((6..=7).contains(&tokens.len()), "{}", tokens.len());
    let error = throttle.take(SECOND).unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref(), error.execution),
        (
            Kind::ResourceExhausted,
            "RATE_LIMITED_LOCALLY",
            crate::error::Execution::NotStarted
        )
    );
    assert!(error.retry_after.unwrap() >= SECOND && error.quota.is_some());
    assert_eq!(
        began.elapsed(),
        Duration::ZERO,
        "the refusal came after a wait"
    );
    let served = futures_util::future::join_all(tokens.into_iter().map(async |token| {
        token.wait().await;
        began.elapsed()
    }))
    .await;
    assert!(
        served.is_sorted_by(|before, after| before < after),
        "{served:?}"
    );
    assert!(
        served
            .iter()
            .all(|at| *at <= SECOND + Duration::from_millis(2)),
        "{served:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_refusal_in_a_quiet_hour_holds_up_neither_its_retry_nor_the_next_call() {
    let throttle = Throttle::new(true);
    throttle.take(Duration::ZERO).unwrap();
    throttle.learn(&throttled(), Instant::now());
    let began = Instant::now();
    for _ in 0..3 {
        throttle.take(SECOND).unwrap().wait().await;
    }
    assert!(began.elapsed() <= SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_leaves_the_token_to_the_next() {
    let throttle = Throttle::new(true);
    for _ in 0..10 {
        throttle.take(Duration::ZERO).unwrap();
    }
    throttle.learn(&throttled(), Instant::now());
    let taken = || {
        std::iter::from_fn(|| throttle.take(SECOND).ok())
            .take(50)
            .collect::<Vec<_>>()
    };
    let first = taken().len();
    // All of them were dropped with the vector.
    assert_eq!(taken().len(), first);
    let mut waiting = taken();
    let gone = tokio::time::timeout(Duration::from_millis(1), waiting.remove(3).wait()).await;
    assert!(gone.is_err());
    throttle.take(SECOND).unwrap();
}
