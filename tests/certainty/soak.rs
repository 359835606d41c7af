//! The proof by numbers: many calls, each under a schedule of its own, and none of them lied to,
//! run twice, late or lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use crate::afterwards::{Pulse, resident, unwell};
use crate::answers::Cloud;
use crate::call::Try;
use crate::dice::setting;
use crate::drive::drive;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::sidecar::{Caller, start, target};
use crate::tally::Tally;
use crate::upstream::Lane;

/// Calls at once: as many lanes, half of them for each cloud.
const LANES: usize = 128;

/// Slots of each lane's target, and no queue: a slot that is not given back soon shows as
/// `QUEUE_FULL`.
const SLOTS: usize = 4;

/// What an upstream may still do about a call after its end; `CarriedOutLate` takes 400 ms at most.
const SETTLED: Duration = Duration::from_secs(2);

/// Quick retries, and less patience for an attempt than some stalls need. On most lanes breaker and
/// learnt rate are off: they keep calls from an upstream that fails as much as this one, and what
/// is asked here is what its failures do to calls. Every eighth pair of lanes has them on.
fn settings(lane: usize) -> String {
    let learns = lane % 16 < 2;
    format!(
        "retry: {{max_attempts: 3, initial_backoff: 1ms, max_backoff: 4ms, budget: {{ratio: 1, min_per_second: 1000}}}}\n\
         timeouts: {{connect: 1s, attempt: 1s, request: 8s, idle: 1s}}\n\
         limits: {{max_in_flight: {SLOTS}, max_queue: 0, adaptive_rate: {learns}}}\n\
         breaker: {{enabled: {learns}, open: 50ms, max_open: 100ms}}"
    )
}

/// A call that has ended, or was never answered.
type Ended = Result<(Plan, Vec<Try>), String>;

/// What the lanes share.
struct Work {
    seed: u64,
    end: u64,
    /// The next call of each cloud.
    next: [AtomicU64; 2],
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_makes_a_call_lie_run_twice_outlive_its_deadline_or_be_lost() {
    let _turn = crate::TURN.lock().await;
    let seed = setting("FAAS_CERTAINTY_SEED", 1);
    let first = setting("FAAS_CERTAINTY_FIRST", 0);
    let calls = setting("FAAS_CERTAINTY_CALLS", 10_000);
    let work = Arc::new(Work {
        seed,
        end: first + calls,
        next: [
            AtomicU64::new(first.next_multiple_of(2)),
            AtomicU64::new(first | 1),
        ],
    });
    let ledger = Ledger::default();
    let lanes: Vec<_> = (0..LANES)
        .map(|number| {
            let cloud = Cloud::ALL[number % 2];
            Arc::new(Lane::new(number, cloud, &ledger))
        })
        .collect();
    let targets: String = lanes
        .iter()
        .map(|lane| {
            target(
                &lane.target(),
                lane.shared.cloud,
                &lane.url(),
                &settings(lane.number),
            )
        })
        .collect();
    let sidecar = start(&targets);
    let (pulse, began) = (Pulse::start(), Instant::now());
    let (ended, mut ends) = unbounded_channel();
    for lane in &lanes {
        let caller = Caller::new(&sidecar);
        tokio::spawn(drive_all(
            Arc::clone(&work),
            Arc::clone(lane),
            caller,
            ended.clone(),
        ));
    }
    drop(ended);

    let mut tally = Tally::default();
    let (mut lost, mut early) = (Vec::new(), None);
    let mut settling: VecDeque<(Instant, Plan, Vec<Try>)> = VecDeque::new();
    while let Some(end) = ends.recv().await {
        match end {
            Ok((plan, tries)) => settling.push_back((Instant::now(), plan, tries)),
            Err(fault) => lost.push(fault),
        }
        while settling
            .front()
            .is_some_and(|(at, ..)| at.elapsed() > SETTLED)
        {
            let (_, plan, tries) = settling.pop_front().unwrap();
            tally.add(&plan, &tries, &ledger.close(plan.number));
        }
        if early.is_none() && tally.calls >= calls / 4 {
            early = resident();
        }
    }
    let took = began.elapsed();
    sleep(SETTLED).await;
    for (_, plan, tries) in settling {
        tally.add(&plan, &tries, &ledger.close(plan.number));
    }
    print!("{}", tally.told(seed, took));
    println!(
        "scheduling       a thread that sleeps 5 ms woke {:.1} ms late at worst",
        pulse.worst().as_secs_f64() * 1000.0
    );
    let bound = pulse.allowance();
    drop(pulse);

    let unwell = unwell(&sidecar, &lanes, SLOTS, first + calls).await;
    let grown = early
        .zip(resident())
        .map(|(early, late)| late.saturating_sub(early));
    println!(
        "afterwards       {} of {} lanes well, all slots free, no connection left; {} KiB more memory than after a quarter",
        lanes.len() - unwell.len(),
        lanes.len(),
        grown.unwrap_or(0) / 1024
    );
    println!(
        "replay one       FAAS_CERTAINTY_SEED={seed} FAAS_CERTAINTY_FIRST=<call> FAAS_CERTAINTY_CALLS=1 cargo test --test certainty no_fault -- --nocapture"
    );

    let (late, broken) = ledger.rest();
    assert_eq!(
        lost,
        Vec::<String>::new(),
        "seed {seed}: calls without an answer"
    );
    assert_eq!(tally.calls, calls, "seed {seed}: calls judged");
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
    assert_eq!(
        unwell,
        Vec::<String>::new(),
        "seed {seed}: lanes that are not well"
    );
    let (overrun, number) = tally.worst_overrun;
    assert!(
        overrun <= bound,
        "seed {seed}: call {number} was answered {overrun:?} after its deadline; the bound is {bound:?}"
    );
    assert!(
        grown.is_none_or(|bytes| bytes < 64 << 20),
        "{grown:?} bytes more memory"
    );
    // A sidecar that refuses everything would never lie: most calls must have come through to the
    // upstream.
    assert!(
        calls < 1000 || tally.requests * 10 >= calls * 6,
        "only {} requests of {calls} calls",
        tally.requests
    );
}

/// The lane's calls, one after the other, as long as there are any.
async fn drive_all(
    work: Arc<Work>,
    lane: Arc<Lane>,
    caller: Caller,
    ended: UnboundedSender<Ended>,
) {
    let next = &work.next[lane.number % 2];
    loop {
        let number = next.fetch_add(2, Ordering::Relaxed);
        if number >= work.end {
            return;
        }
        let plan = Plan::of(work.seed, number);
        let end = match drive(&lane, &caller, &plan).await {
            Ok(tries) => Ok((plan, tries)),
            Err(fault) => Err(format!("{fault}: {plan:?}")),
        };
        if ended.send(end).is_err() {
            return;
        }
    }
}
