//! After the storm: are all slots free, all connections gone, is the memory back? And how late was
//! the machine itself?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use faas_sidecar::app::Sidecar;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::call::perform;
use crate::fault::Fault;
use crate::plan::{Operation, Plan, Repeat};
use crate::sidecar::Caller;
use crate::upstream::Lane;

/// How long idle connections may take to go: their idle timeout of a second, and what a busy
/// machine adds.
const GONE: Duration = Duration::from_secs(15);

/// Lanes looked at together: a machine that is too busy is not what is asked here.
const AT_ONCE: usize = 8;

/// Calls for which a lane's circuit may stay open, a tenth of a second each.
const PROBES: usize = 50;

/// Each lane answers as many calls at once as it has slots, and lets its connections go afterwards.
/// What is not so.
pub async fn unwell(
    sidecar: &Sidecar,
    lanes: &[Arc<Lane>],
    slots: usize,
    number: u64,
) -> Vec<String> {
    let caller = Caller::new(sidecar);
    let mut unwell = Vec::new();
    for (group, some) in lanes.chunks(AT_ONCE).enumerate() {
        let checks = some.iter().enumerate().map(|(at, lane)| {
            let before = (group * AT_ONCE + at) * (slots + PROBES);
            full(
                &caller,
                lane,
                slots,
                number + u64::try_from(before).unwrap(),
            )
        });
        unwell.extend(join_all(checks).await.into_iter().flatten());
    }
    let closed = timeout(GONE, async {
        while lanes.iter().any(|lane| lane.open() > 0) {
            sleep(Duration::from_millis(20)).await;
        }
    });
    if closed.await.is_err() {
        let open = lanes.iter().filter(|lane| lane.open() > 0);
        unwell.extend(
            open.map(|lane| format!("{} has {} open connections", lane.target(), lane.open())),
        );
    }
    unwell
}

/// As many calls at once as there are slots, each held for a while by a slow answer. There is no
/// queue, so a slot that was not given back refuses one of them.
async fn full(caller: &Caller, lane: &Lane, slots: usize, first: u64) -> Option<String> {
    let target = lane.target();
    let plan = |number| Plan {
        cloud: lane.shared.cloud,
        operation: Operation::Invoke,
        idempotent: false,
        ballast: 0,
        deadline: Duration::from_secs(20),
        cancel: None,
        repeat: Repeat::Never,
        faults: Vec::new(),
        ..Plan::of(0, number)
    };
    // What idle connections are left from the storm may be dead; finding that out is not what is
    // asked here.
    lane.refuse().await;
    lane.listen();
    // Nor is a circuit that the storm's end left open: it closes with the first call that is let
    // through.
    for probe in 0..PROBES {
        let number = first + u64::try_from(slots + probe).unwrap();
        lane.arm(number, []);
        let answer = perform(caller, &target, &plan(number), 0).await;
        lane.shared.ledger.close(number);
        if answer.reason != "CIRCUIT_OPEN" {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    lane.arm(first, std::iter::repeat_n(Fault::Drip(1), slots));
    let calls = (0..slots).map(|at| {
        let plan = plan(first + u64::try_from(at).unwrap());
        let target = target.clone();
        async move { (plan.number, perform(caller, &target, &plan, 0).await) }
    });
    let answers = join_all(calls).await;
    for (number, _) in &answers {
        lane.shared.ledger.close(*number);
    }
    let bad = answers
        .into_iter()
        .find(|(_, answer)| answer.code != Code::Ok);
    bad.map(|(_, answer)| format!("{target}: {answer:?}"))
}

/// Resident memory of this process in bytes, where the system tells it (Linux).
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// How late a thread wakes on this machine, measured all the time.
pub struct Pulse {
    over: Arc<AtomicBool>,
    worst_us: Arc<AtomicU64>,
}

impl Pulse {
    pub fn start() -> Self {
        let (over, worst_us) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (ended, worst) = (Arc::clone(&over), Arc::clone(&worst_us));
        std::thread::spawn(move || {
            let nap = Duration::from_millis(5);
            while !ended.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(nap);
                let late = began.elapsed().saturating_sub(nap);
                worst.fetch_max(u64::try_from(late.as_micros()).unwrap(), Ordering::Relaxed);
            }
        });
        Self { over, worst_us }
    }

    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_us.load(Ordering::Relaxed))
    }

    /// How late an answer may be for its caller. The sidecar answers before the deadline; what
    /// comes on top is what a busy machine takes to run its thread and the caller's, behind
    /// everything else that is due at the time: a quarter of a second, and ten times what the worst
    /// of all wake-ups took here.
    pub fn allowance(&self) -> Duration {
        Duration::from_millis(250) + 10 * self.worst()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
