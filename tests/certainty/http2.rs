//! The same proof over TLS and HTTP/2, where many calls share a connection and a server has more
//! ways to fail: refused streams, goodbyes that name the last stream they count, resets before and
//! after the work, frames cut in half.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep, timeout};

use crate::afterwards::Pulse;
use crate::answers::Cloud;
use crate::call::{Try, perform};
use crate::dice::{Dice, setting};
use crate::ledger::Ledger;
use crate::plan::{Operation, Plan, Repeat};
use crate::sidecar::{Caller, start, target};
use crate::tally::Tally;

mod stream_fault;
mod upstream;

pub use stream_fault::StreamFault;

/// Callers that call one after the other, all over the same connection of each serving thread.
const CALLERS: usize = 48;

/// As for HTTP/1.1.
const SETTLED: Duration = Duration::from_secs(2);
/// A call without an answer so long after its deadline is lost.
const LOST: Duration = Duration::from_secs(20);

/// The two in turn.
fn cloud_of(number: u64) -> Cloud {
    Cloud::ALL[usize::from(number % 2 == 1)]
}

fn plan(seed: u64, number: u64) -> Plan {
    // Other throws than those that choose the faults.
    let mut dice = Dice::of(seed, number | 1 << 40);
    Plan {
        number,
        cloud: cloud_of(number),
        operation: Operation::Invoke,
        idempotent: dice.percent(30),
        ballast: if dice.percent(2) { 100 << 10 } else { 0 },
        deadline: Duration::from_millis(dice.between(200, 1500)),
        cancel: dice
            .percent(8)
            .then(|| Duration::from_micros(dice.between(0, 40_000))),
        repeat: if dice.percent(10) {
            Repeat::After(1)
        } else {
            Repeat::Never
        },
        faults: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http2_no_call_lies_runs_twice_outlives_its_deadline_or_is_lost() {
    let _turn = crate::TURN.lock().await;
    let seed = setting("FAAS_CERTAINTY_SEED", 1);
    let first = setting("FAAS_CERTAINTY_FIRST", 0);
    // A share of the calls; most of what can fail does so on HTTP/1.1.
    let calls = setting("FAAS_CERTAINTY_CALLS", 10_000).div_ceil(5);
    let ledger = Ledger::default();
    let mut upstreams = Vec::new();
    let mut targets = String::new();
    for cloud in Cloud::ALL {
        let upstream = upstream::Upstream::start(cloud, seed, &ledger).await;
        let settings = format!(
            "ca_file: {}\n\
             retry: {{max_attempts: 3, initial_backoff: 1ms, max_backoff: 4ms, budget: {{ratio: 1, min_per_second: 1000}}}}\n\
             limits: {{max_in_flight: 1000, max_queue: 0, adaptive_rate: false}}\n\
             breaker: {{enabled: false}}\n\
             timeouts: {{idle: 1s}}",
            upstream.authority.file()
        );
        targets.push_str(&target(cloud.name(), cloud, &upstream.url(), &settings));
        upstreams.push(upstream);
    }
    let sidecar = start(&targets);
    let (pulse, began) = (Pulse::start(), Instant::now());
    let next = Arc::new(AtomicU64::new(first));
    let (ended, mut ends) = unbounded_channel();
    for _ in 0..CALLERS {
        let (caller, next, ended) = (Caller::new(&sidecar), Arc::clone(&next), ended.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= first + calls {
                    return;
                }
                let plan = plan(seed, number);
                let tries = drive(&caller, &plan).await;
                let _ = ended.send((Instant::now(), plan, tries));
            }
        });
    }
    drop(ended);
    let (mut tally, mut lost) = (Tally::default(), 0);
    let mut settling = VecDeque::new();
    while let Some((at, plan, tries)) = ends.recv().await {
        match tries {
            Some(tries) => settling.push_back((at, plan, tries)),
            None => lost += 1,
        }
        while settling
            .front()
            .is_some_and(|(at, ..)| at.elapsed() > SETTLED)
        {
            let (_, plan, tries) = settling.pop_front().unwrap();
            tally.add(&plan, &tries, &ledger.close(plan.number));
        }
    }
    let took = began.elapsed();
    sleep(SETTLED).await;
    for (_, plan, tries) in settling {
        tally.add(&plan, &tries, &ledger.close(plan.number));
    }
    print!(
        "over HTTP/2: {} connections\n{}",
        upstreams
            .iter()
            .map(upstream::Upstream::connections)
            .sum::<usize>(),
        tally.told(seed, took)
    );
    let bound = pulse.allowance();
    let (late, broken) = ledger.rest();
    assert_eq!(
        (lost, tally.calls),
        (0, calls),
        "seed {seed}: calls without an answer, calls judged"
    );
    assert_eq!(broken, Vec::<String>::new(), "seed {seed}");
    assert!(
        tally.wrong.is_empty(),
        "seed {seed}: {:?}\n{}",
        tally.wrong,
        tally.shown.join("\n")
    );
    assert_eq!(
        late,
        Vec::<u64>::new(),
        "seed {seed}: calls that went on after they had been judged"
    );
    let (overrun, number) = tally.worst_overrun;
    assert!(
        overrun <= bound,
        "seed {seed}: call {number} was answered {overrun:?} late; the bound is {bound:?}"
    );
    assert!(
        calls < 1000 || tally.requests * 10 >= calls * 6,
        "only {} requests of {calls} calls",
        tally.requests
    );
}

async fn drive(caller: &Caller, plan: &Plan) -> Option<Vec<Try>> {
    let mut tries = vec![one(caller, plan, 0, plan.cancel).await?];
    if plan.repeat != Repeat::Never {
        tries.push(one(caller, plan, 1, None).await?);
    }
    Some(tries)
}

async fn one(caller: &Caller, plan: &Plan, number: usize, cancel: Option<Duration>) -> Option<Try> {
    let began = Instant::now();
    let answer = timeout(
        cancel.unwrap_or(plan.deadline + LOST),
        perform(caller, plan.cloud.name(), plan, number),
    )
    .await;
    if answer.is_err() && cancel.is_none() {
        return None;
    }
    Some(Try {
        began,
        ended: Instant::now(),
        answer: answer.ok(),
    })
}
