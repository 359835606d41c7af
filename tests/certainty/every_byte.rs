//! The answer cut at each of its bytes: whatever was seen of it, the caller is told neither more
//! nor less than that proves.

use std::time::Duration;

use futures_util::future::join_all;

use crate::answers::Cloud;
use crate::call::perform;
use crate::fault::{End, Fault};
use crate::ledger::{Ledger, Step};
use crate::plan::{Operation, Plan, Repeat};
use crate::sidecar::{Caller, start, target};
use crate::upstream::Lane;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_cut_at_any_byte_is_unknown_unless_its_head_names_the_run() {
    let _turn = crate::TURN.lock().await;
    let ledger = Ledger::default();
    let lanes = [0, 1].map(|number| Lane::new(number, Cloud::ALL[number], &ledger));
    let settings = "retry: {max_attempts: 1}\nbreaker: {enabled: false}";
    let targets: String = lanes
        .iter()
        .map(|lane| target(&lane.target(), lane.shared.cloud, &lane.url(), settings))
        .collect();
    let sidecar = start(&targets);
    let cut = join_all(lanes.iter().map(|lane| cut_everywhere(lane, &sidecar))).await;
    println!(
        "an answer was cut at {} places",
        cut.into_iter().sum::<usize>()
    );
}

/// Cuts a run's answer after 1, 2, 3, … bytes; how many places there are.
async fn cut_everywhere(lane: &Lane, sidecar: &faas_sidecar::app::Sidecar) -> usize {
    let caller = Caller::new(sidecar);
    let number = u64::try_from(lane.number).unwrap();
    let answer = lane.shared.cloud.good(Step::Run, number);
    let head = answer.bytes().len() - answer.body.len();
    let in_head =
        (0..head - 1).map(|at| (Fault::InAnswerHead as fn(u16, End) -> Fault, at, "unknown"));
    // Half of a good answer may be half of an error, unless the head names the run.
    let in_body = match lane.shared.cloud {
        Cloud::Ncp => "unknown",
        Cloud::FunctionGraph => "completed",
    };
    let in_body = (0..answer.body.len())
        .map(|at| (Fault::InAnswerBody as fn(u16, End) -> Fault, at, in_body));
    let mut places = 0;
    for (fault, at, expected) in in_head.chain(in_body) {
        for end in [End::Close, End::Reset] {
            let fault = fault(u16::try_from(at).unwrap(), end);
            lane.arm(number, [fault]);
            let plan = Plan {
                number,
                cloud: lane.shared.cloud,
                operation: Operation::Invoke,
                idempotent: false,
                ballast: 0,
                deadline: Duration::from_secs(20),
                cancel: None,
                repeat: Repeat::Never,
                faults: Vec::new(),
            };
            let told = perform(&caller, &lane.target(), &plan, 0).await;
            let executions = lane.shared.ledger.close(number).count(Step::Run);
            assert_eq!(
                (told.execution.as_deref(), told.attempts, executions),
                (Some(expected), 1, 1),
                "{fault:?}: {told:?}"
            );
            places += 1;
        }
    }
    places
}
