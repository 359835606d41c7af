//! A total outage: what the sidecar adds to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tonic::Code;

use crate::answers::Cloud;
use crate::call::{Answer, perform};
use crate::dice::setting;
use crate::fault::{End, Fault, Said};
use crate::ledger::Ledger;
use crate::plan::{Operation, Plan, Repeat};
use crate::sidecar::{Caller, start, target};
use crate::upstream::Lane;

/// Callers that call one after the other.
const CALLERS: u64 = 32;

/// The budget's window: what it allows a second is allowed for these seconds at once, too.
const WINDOW: f64 = 10.0;

/// What one outage came to.
struct Outage {
    calls: u64,
    /// By the callers' answers.
    attempts: u64,
    /// That reached the upstream.
    requests: u64,
    took: Duration,
}

/// The default budget: a tenth of the calls, and one retry a second.
const RATIO: f64 = 0.1;
const MIN_PER_SECOND: f64 = 1.0;

const KINDS: [(&str, Fault); 4] = [
    ("connection refused", Fault::Refused(0)),
    ("reset as the request arrives", Fault::OnArrival(End::Reset)),
    ("503", Fault::Answers(Said::Unavailable, false)),
    ("429", Fault::Answers(Said::GatewayThrottle(true), false)),
];

/// As it comes, but for pauses that would make the proof long.
const QUICK: &str = "retry: {initial_backoff: 5ms, max_backoff: 20ms}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_outage_is_not_amplified_beyond_a_tenth() {
    let _turn = crate::TURN.lock().await;
    let calls = setting("FAAS_CERTAINTY_CALLS", 10_000).clamp(2000, 20_000) / 2;
    // The budget alone; breaker and learnt rate would keep most calls from the upstream.
    let alone = format!("{QUICK}\nbreaker: {{enabled: false}}\nlimits: {{adaptive_rate: false}}");
    for (name, settings) in [("budget alone", alone.as_str()), ("all as it comes", QUICK)] {
        for (kind, outage) in outages(settings, calls).await {
            let most = outage.attempts.max(outage.requests);
            let (calls, attempts) = (as_f64(outage.calls), as_f64(most));
            let seconds = outage.took.as_secs_f64();
            // The budget counts in whole seconds: the one that runs and the one that began it count
            // as such.
            let counted = seconds.ceil() + 1.0 + WINDOW;
            let allowed = (1.0 + RATIO) * calls + MIN_PER_SECOND * counted;
            println!(
                "outage, {name}, {kind}: {calls} calls in {seconds:.1} s, {} attempts told, {} requests seen: {:.3} a call, {:.3} allowed",
                outage.attempts,
                outage.requests,
                attempts / calls,
                allowed / calls
            );
            assert!(
                attempts <= allowed,
                "{name}, {kind}: {attempts} attempts for {calls} calls, {allowed} allowed"
            );
            // A budget that is never asked would keep every bound.
            assert!(
                settings == QUICK || attempts > calls * 1.05,
                "{name}, {kind}: {attempts} attempts for {calls} calls"
            );
        }
    }
}

/// Each kind of outage, on a target of its own.
async fn outages(settings: &str, calls: u64) -> Vec<(&'static str, Outage)> {
    let ledger = Ledger::default();
    let lanes: Vec<_> = (0..KINDS.len())
        .map(|number| Lane::new(number, Cloud::Ncp, &ledger))
        .collect();
    let targets: String = lanes
        .iter()
        .map(|lane| target(&lane.target(), Cloud::Ncp, &lane.url(), settings))
        .collect();
    let sidecar = start(&targets);
    let mut outages = Vec::new();
    for ((kind, fault), lane) in KINDS.into_iter().zip(&lanes) {
        outages.push((
            kind,
            suffer(lane, fault, &Caller::new(&sidecar), calls).await,
        ));
    }
    outages
}

/// Calls that each may be repeated by their nature, while every attempt meets `fault`.
async fn suffer(lane: &Lane, fault: Fault, caller: &Caller, calls: u64) -> Outage {
    match fault {
        Fault::Refused(_) => lane.refuse().await,
        fault => lane.arm_for_good(0, [], fault),
    }
    let (next, attempts) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    join_all((0..CALLERS).map(|_| async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= calls {
                return;
            }
            let answer = read(lane, caller, number).await;
            assert!(
                matches!(answer.code, Code::Unavailable | Code::ResourceExhausted),
                "{answer:?}"
            );
            attempts.fetch_add(answer.attempts.into(), Ordering::Relaxed);
            lane.shared.ledger.close(number);
        }
    }))
    .await;
    Outage {
        calls,
        attempts: attempts.into_inner(),
        requests: u64::try_from(lane.requests()).unwrap(),
        took: began.elapsed(),
    }
}

async fn read(lane: &Lane, caller: &Caller, number: u64) -> Answer {
    let plan = Plan {
        number,
        cloud: Cloud::Ncp,
        operation: Operation::GetActivation,
        idempotent: true,
        ballast: 0,
        // As long as a call may wait for its turn at the learnt rate.
        deadline: Duration::from_secs(4),
        cancel: None,
        repeat: Repeat::Never,
        faults: Vec::new(),
    };
    perform(caller, &lane.target(), &plan, 0).await
}

fn as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
