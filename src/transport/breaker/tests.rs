use super::*;
use crate::error::Execution;

const RULES: Rules = Rules {
    enabled: true,
    consecutive_failures: 5,
    success_rate: 0.5,
    min_requests: 20,
    window: Duration::from_secs(10),
    open: Duration::from_secs(1),
    max_open: Duration::from_secs(8),
};

async fn pass_time(seconds: f64) {
    tokio::time::advance(Duration::from_secs_f64(seconds)).await;
}

/// One attempt of a moment's length; false when it is refused.
async fn attempt(breaker: &Breaker, sign: Sign) -> bool {
    let Ok(pass) = breaker.pass() else {
        return false;
    };
    pass_time(0.001).await;
    pass.record(sign);
    true
}

async fn open(breaker: &Breaker) {
    for _ in 0..RULES.consecutive_failures {
        assert!(attempt(breaker, Sign::Bad).await);
    }
    assert_eq!(breaker.circuit(), CircuitState::Open);
}

fn wait(breaker: &Breaker) -> Duration {
    let error = breaker.check().unwrap_err();
    assert_eq!(
        (
            error.kind,
            error.reason.as_ref(),
            error.execution,
            error.component
        ),
        (
            Kind::Unavailable,
            "CIRCUIT_OPEN",
            Execution::NotStarted,
            Component::Sidecar
        )
    );
    assert!(error.may_retry(false));
    error.retry_after.unwrap()
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_a_success_between_starts_the_count_anew() {
    let breaker = Breaker::new(&RULES);
    for _ in 0..3 {
        for _ in 0..4 {
            assert!(attempt(&breaker, Sign::Bad).await);
        }
        // A caller that goes away says nothing, so it does not break the row either.
        assert!(attempt(&breaker, Sign::None).await);
        assert!(attempt(&breaker, Sign::Good).await);
        // Few requests, most of which failed: not enough to judge their share.
        pass_time(11.0).await;
    }
    assert_eq!(breaker.circuit(), CircuitState::Closed);
    open(&breaker).await;
    assert!(!attempt(&breaker, Sign::Good).await);
    let wait = wait(&breaker);
    assert!((RULES.open / 2..=RULES.open).contains(&wait), "{wait:?}");
    assert_eq!(
        (
            breaker.opened.load(Ordering::Relaxed),
            breaker.refused.load(Ordering::Relaxed)
        ),
        (1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_in_flight_together_is_one_failure_in_the_row() {
    let breaker = Breaker::new(&Rules {
        min_requests: 1000,
        ..RULES
    });
    for _ in 0..4 {
        let flight: Vec<_> = (0..50).map(|_| breaker.pass().unwrap()).collect();
        pass_time(0.001).await;
        for pass in flight {
            pass.record(Sign::Bad);
            pass_time(0.0001).await;
        }
    }
    assert_eq!(breaker.circuit(), CircuitState::Closed);
    attempt(&breaker, Sign::Bad).await;
    assert_eq!(breaker.circuit(), CircuitState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_low_share_of_successes_opens_it_although_no_row_is_long() {
    let breaker = Breaker::new(&RULES);
    for number in 0..18 {
        let sign = if number % 3 == 0 {
            Sign::Good
        } else {
            Sign::Bad
        };
        assert!(attempt(&breaker, sign).await, "{number}");
    }
    assert_eq!(
        breaker.circuit(),
        CircuitState::Closed,
        "18 are too few to judge"
    );
    attempt(&breaker, Sign::Good).await;
    attempt(&breaker, Sign::Bad).await;
    assert_eq!(breaker.circuit(), CircuitState::Open);
}

#[tokio::test(start_paused = true)]
async fn slow_traffic_never_fills_the_window_and_half_good_is_good_enough() {
    let breaker = Breaker::new(&RULES);
    for number in 0..200 {
        let sign = if number % 4 == 0 {
            Sign::Good
        } else {
            Sign::Bad
        };
        assert!(attempt(&breaker, sign).await);
        pass_time(1.0).await;
    }
    let breaker = Breaker::new(&RULES);
    for number in 0..200 {
        let sign = if number % 2 == 0 {
            Sign::Good
        } else {
            Sign::Bad
        };
        assert!(attempt(&breaker, sign).await);
    }
}

#[tokio::test(start_paused = true)]
async fn one_probe_closes_it_and_others_wait_for_its_word() {
    let breaker = Breaker::new(&RULES);
    open(&breaker).await;
    pass_time(1.0).await;
    let probe = breaker.pass().unwrap();
    assert_eq!(breaker.circuit(), CircuitState::HalfOpen);
    let pause = wait(&breaker);
    assert!((RULES.open..=RULES.open * 2).contains(&pause), "{pause:?}");
    assert!(breaker.pass().is_err());
    probe.record(Sign::Good);
    assert_eq!(breaker.circuit(), CircuitState::Closed);
    // With a clean record: the failures of before do not count again.
    for _ in 0..4 {
        assert!(attempt(&breaker, Sign::Bad).await);
    }
    assert_eq!(breaker.circuit(), CircuitState::Closed);
    assert_eq!(breaker.closed.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_the_bound_and_start_small_after_a_success() {
    let breaker = Breaker::new(&RULES);
    for _ in 0..2 {
        open(&breaker).await;
        for bound in [1, 2, 4, 8, 8, 8] {
            let bound = Duration::from_secs(bound);
            let pause = wait(&breaker);
            // Told in whole milliseconds, rounded up.
            assert!(
                (bound / 2..=bound + Duration::from_millis(1)).contains(&pause),
                "{pause:?} of {bound:?}"
            );
            tokio::time::advance(pause).await;
            breaker.pass().unwrap().record(Sign::Bad);
        }
        tokio::time::advance(wait(&breaker)).await;
        breaker.pass().unwrap().record(Sign::Good);
        assert_eq!(breaker.circuit(), CircuitState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cancelled_gives_its_place_back() {
    let breaker = Breaker::new(&RULES);
    open(&breaker).await;
    pass_time(1.0).await;
    let probe = breaker.pass().unwrap();
    assert!(breaker.pass().is_err());
    drop(probe);
    assert_eq!(breaker.circuit(), CircuitState::Open);
    breaker.pass().unwrap().record(Sign::None);
    let next = breaker.pass().unwrap();
    let pause = wait(&breaker);
    assert!(
        pause <= RULES.open * 2,
        "the pause grew although no probe failed"
    );
    next.record(Sign::Good);
    assert_eq!(breaker.circuit(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_does_not_hold_up_the_next_one() {
    let breaker = Breaker::new(&RULES);
    open(&breaker).await;
    pass_time(1.0).await;
    let slow = breaker.pass().unwrap();
    tokio::time::advance(wait(&breaker)).await;
    let quick = breaker.pass().unwrap();
    quick.record(Sign::Good);
    assert_eq!(breaker.circuit(), CircuitState::Closed);
    // The slow one's failure is then one failure among others.
    slow.record(Sign::Bad);
    assert_eq!(breaker.circuit(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_neither_closes_nor_prolongs_it() {
    let breaker = Breaker::new(&RULES);
    let (early, other) = (breaker.pass().unwrap(), breaker.pass().unwrap());
    open(&breaker).await;
    let pause = wait(&breaker);
    early.record(Sign::Good);
    other.record(Sign::Bad);
    assert_eq!(wait(&breaker), pause);
}

#[tokio::test(start_paused = true)]
async fn each_signal_and_the_whole_can_be_turned_off() {
    let no_row = Breaker::new(&Rules {
        consecutive_failures: 0,
        ..RULES
    });
    for _ in 0..19 {
        assert!(attempt(&no_row, Sign::Bad).await);
    }
    attempt(&no_row, Sign::Bad).await;
    assert_eq!(no_row.circuit(), CircuitState::Open);
    let no_share = Breaker::new(&Rules {
        consecutive_failures: 0,
        success_rate: 0.0,
        ..RULES
    });
    let off = Breaker::new(&Rules {
        enabled: false,
        ..RULES
    });
    for _ in 0..1000 {
        assert!(attempt(&no_share, Sign::Bad).await && attempt(&off, Sign::Bad).await);
    }
}

#[test]
fn only_a_sick_upstream_is_a_bad_sign() {
    let error = |component, status: Option<u16>| {
        Error::new(Kind::Unavailable, "TEST", "")
            .component(component)
            .with(|facts| facts.http_status = status)
    };
    for (component, status, sign) in [
        // DNS, connect, TLS, a lost connection, an attempt out of its own time, an answer cut off.
        (Component::Network, None, Sign::Bad),
        (Component::Network, Some(200), Sign::Bad),
        (Component::Gateway, Some(500), Sign::Bad),
        (Component::Gateway, Some(502), Sign::Bad),
        (Component::Service, Some(503), Sign::Bad),
        (Component::Gateway, Some(504), Sign::Bad),
        // It answered, so it works.
        (Component::Gateway, Some(401), Sign::Good),
        (Component::Service, Some(404), Sign::Good),
        (Component::Gateway, Some(429), Sign::Good),
        (Component::Service, Some(400), Sign::Good),
        (Component::Gateway, Some(302), Sign::Good),
        (Component::Function, Some(500), Sign::Good),
        // Ours: the caller's deadline, no credentials, an answer too large.
        (Component::Sidecar, None, Sign::None),
        (Component::Sidecar, Some(200), Sign::None),
    ] {
        assert_eq!(
            Sign::of(&error(component, status)),
            sign,
            "{component:?} {status:?}"
        );
    }
    let of_one = error(Component::Service, Some(500)).scope(Scope::Resource);
    assert_eq!(Sign::of(&of_one), Sign::Good);
    let refused = error(Component::Network, None).with(|facts| facts.unprocessed = true);
    assert_eq!(Sign::of(&refused), Sign::None);
}
