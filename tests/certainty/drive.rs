//! One planned call from beginning to end: the script is laid, the tries are made.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::call::{Try, perform};
use crate::fault::Fault;
use crate::plan::{Plan, Repeat};
use crate::sidecar::Caller;
use crate::upstream::Lane;

/// A call that has no answer so long after its deadline is lost.
const LOST: Duration = Duration::from_secs(20);

/// Drives `plan` over `lane`; the tries in the order of their beginning. `Err` = a try that was
/// never answered.
pub async fn drive(lane: &Lane, caller: &Caller, plan: &Plan) -> Result<Vec<Try>, String> {
    let mut faults = plan.faults.as_slice();
    let mut closed = None;
    match faults.first() {
        Some(fault @ (Fault::Refused(millis) | Fault::Unanswered(millis))) => {
            faults = &faults[1..];
            lane.shared.ledger.met(plan.number, *fault);
            match fault {
                Fault::Refused(_) => lane.refuse().await,
                _ => lane.leave_unanswered().await,
            }
            closed = Some(*millis);
        }
        Some(Fault::WhileIdle(idle, lead)) => {
            faults = &faults[1..];
            lane.shared.ledger.met(plan.number, plan.faults[0]);
            lane.shared.orders.send_replace(*idle);
            sleep(Duration::from_millis((*lead).into())).await;
        }
        _ => {}
    }
    lane.arm(plan.number, faults.iter().copied());
    let reopened = async {
        if let Some(millis) = closed {
            sleep(Duration::from_millis(millis.into())).await;
            lane.refuse().await;
            lane.listen();
        }
    };
    let (tries, ()) = tokio::join!(tries(lane, caller, plan), reopened);
    tries
}

async fn tries(lane: &Lane, caller: &Caller, plan: &Plan) -> Result<Vec<Try>, String> {
    match plan.repeat {
        Repeat::Never => Ok(vec![one(lane, caller, plan, 0, plan.cancel).await?]),
        Repeat::AtOnce => {
            let (first, second) = tokio::join!(
                one(lane, caller, plan, 0, plan.cancel),
                one(lane, caller, plan, 1, None)
            );
            Ok(vec![first?, second?])
        }
        Repeat::After(more) => {
            let mut tries = vec![one(lane, caller, plan, 0, plan.cancel).await?];
            for number in 1..=usize::from(more) {
                tries.push(one(lane, caller, plan, number, None).await?);
            }
            Ok(tries)
        }
    }
}

async fn one(
    lane: &Lane,
    caller: &Caller,
    plan: &Plan,
    number: usize,
    cancel: Option<Duration>,
) -> Result<Try, String> {
    let began = Instant::now();
    let target = lane.target();
    let answer = timeout(
        cancel.unwrap_or(plan.deadline + LOST),
        perform(caller, &target, plan, number),
    )
    .await;
    if answer.is_err() && cancel.is_none() {
        return Err(format!("no answer within {LOST:?} after its deadline"));
    }
    Ok(Try {
        began,
        ended: Instant::now(),
        answer: answer.ok(),
    })
}
