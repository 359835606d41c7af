//! Is what the caller was told true? Judged by the upstream's books alone.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use crate::call::{Answer, Try};
use crate::ledger::Truth;
use crate::plan::{Operation, Plan, Repeat};

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Carried out more than once without the caller's consent.
    DoubleRun,
    /// `not_started`, and it was carried out.
    SaidNotStarted,
    /// `completed`, and it was not carried out.
    SaidCompleted,
    /// OK, and it was not carried out.
    SaidOk,
    /// OK with the result of another call, or with none.
    CrossedAnswer,
    /// OK with a list in which an item is missing or comes twice, or with a page larger than asked.
    BadList,
    /// An error that does not say whether it was carried out.
    Unsaid,
    /// A call in time that ended as if its caller had hung up.
    CalledCancelled,
    /// A message that denies what `execution` admits.
    Contradicts,
}

/// Everything that is wrong with `plan`, given its tries and the truth.
pub fn judge(plan: &Plan, tries: &[Try], truth: &Truth) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let most = plan
        .steps()
        .iter()
        .map(|step| truth.count(*step))
        .max()
        .unwrap_or(0);
    if most > 1 && !plan.idempotent {
        wrong.push(Wrong::DoubleRun);
    }
    for (number, one) in tries.iter().enumerate() {
        let Some(answer) = &one.answer else { continue };
        // What a later try under the same id did, this answer did not speak of.
        let next = tries.get(number + 1).map(|next| next.began);
        let spoke_of = |at: Instant, of: Option<usize>| match plan.repeat {
            Repeat::Never => true,
            Repeat::After(_) => next.is_none_or(|next| at < next),
            Repeat::AtOnce => of == Some(number) || one_of_two(plan, tries, truth, number, at),
        };
        let told = judge_answer(plan, answer, truth, spoke_of);
        // An idempotent call that failed is begun anew under its id, and the new try speaks for
        // itself alone.
        let anew = number > 0 && plan.idempotent && matches!(plan.repeat, Repeat::After(_));
        wrong.extend(told.filter(|what| !(anew && *what == Wrong::SaidNotStarted)));
    }
    wrong
}

/// Of two tries at once: whether the answer of this one also spoke of what the other one's requests
/// did then.
fn one_of_two(plan: &Plan, tries: &[Try], truth: &Truth, number: usize, at: Instant) -> bool {
    let (one, other) = (&tries[number], &tries[1 - number]);
    if let (Some(own), Some(others)) =
        (truth.first_request(number), truth.first_request(1 - number))
    {
        // Both went to the upstream, so the second began when the first had ended and was
        // forgotten. An answer takes its time to arrive: by then the second may have been carried
        // out. An idempotent call that failed is begun anew under its id, and speaks for itself
        // alone.
        return others < own && !plan.idempotent;
    }
    // This one joined the other, or ended before it came to the upstream and let the other begin.
    // Whoever joins gets the same answer.
    let outlived = other.ended > one.ended;
    let execution = |one: &Try| {
        one.answer
            .as_ref()
            .map(|answer| (answer.code, answer.execution.clone()))
    };
    let refused =
        execution(one).is_some_and(|(_, execution)| execution.as_deref() == Some("not_started"));
    let two_runs = refused && other.answer.is_some() && execution(one) != execution(other);
    if two_runs && (outlived || plan.idempotent) {
        return false;
    }
    !outlived || at < one.ended
}

fn judge_answer(
    plan: &Plan,
    answer: &Answer,
    truth: &Truth,
    spoke_of: impl Fn(Instant, Option<usize>) -> bool,
) -> Option<Wrong> {
    let done = |step| {
        let mut executions = truth.executions(step);
        executions.any(|(at, of)| spoke_of(at, of) && answer.since.is_none_or(|since| at >= since))
    };
    let begun = plan.steps().iter().any(|step| done(*step));
    let whole = plan.steps().iter().all(|step| done(*step));
    match (answer.code, answer.execution.as_deref()) {
        (Code::Ok, _) if !whole => Some(Wrong::SaidOk),
        (Code::Ok, _) if answer.of != Some(plan.number) => match plan.operation {
            Operation::List(_) => Some(Wrong::BadList),
            _ => Some(Wrong::CrossedAnswer),
        },
        (Code::Ok, _) => None,
        (Code::Cancelled, _) => Some(Wrong::CalledCancelled),
        (_, Some("not_started")) if begun => Some(Wrong::SaidNotStarted),
        (_, Some("completed")) if !whole => Some(Wrong::SaidCompleted),
        (_, Some("unknown" | "completed")) if denies(&answer.message) => Some(Wrong::Contradicts),
        (_, Some("not_started" | "unknown" | "completed")) => None,
        _ => Some(Wrong::Unsaid),
    }
}

/// True for a message that lets its reader believe that nothing can have happened.
fn denies(message: &str) -> bool {
    let admits = ["An earlier attempt", "was changed and stands"];
    message.to_lowercase().contains("nothing was sent")
        && !admits.iter().any(|words| message.contains(words))
}

/// How much longer than its deadline the slowest try took.
pub fn overrun(plan: &Plan, tries: &[Try]) -> Duration {
    tries
        .iter()
        .filter(|one| one.answer.is_some())
        .map(|one| (one.ended - one.began).saturating_sub(plan.deadline))
        .max()
        .unwrap_or_default()
}

/// All that is known of a call, in the order of time.
pub fn history(plan: &Plan, tries: &[Try], truth: &Truth) -> String {
    let mut lines = Vec::new();
    for (number, one) in tries.iter().enumerate() {
        lines.push((one.began, format!("try {} begins", number + 1)));
        let end = match &one.answer {
            None => format!("try {} is cancelled by its caller", number + 1),
            Some(answer) => format!("try {} is answered: {answer:?}", number + 1),
        };
        lines.push((one.ended, end));
    }
    lines.extend(
        truth
            .events
            .iter()
            .map(|(at, event)| (*at, event.to_string())),
    );
    lines.sort_by_key(|(at, _)| *at);
    let began = lines.first().map_or_else(Instant::now, |(at, _)| *at);
    let mut out = format!("{plan:?}\n");
    for (at, line) in lines {
        writeln!(
            out,
            "  {:>9.3} ms  {line}",
            (at - began).as_secs_f64() * 1000.0
        )
        .unwrap();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Step};

    fn tried(code: Code, execution: Option<&str>, of: Option<u64>) -> Try {
        let now = Instant::now();
        Try {
            began: now,
            ended: now,
            answer: Some(Answer {
                code,
                reason: "TEST".to_owned(),
                execution: execution.map(str::to_owned),
                attempts: 1,
                of,
                since: None,
                message: String::new(),
            }),
        }
    }

    /// A call that is no idempotent run, and one that is.
    fn plans() -> (Plan, Plan) {
        let mut plan = Plan::of(1, 2);
        plan.operation = Operation::Invoke;
        plan.idempotent = false;
        plan.repeat = Repeat::Never;
        let idempotent = Plan {
            idempotent: true,
            ..plan.clone()
        };
        (plan, idempotent)
    }

    fn runs(count: usize) -> Truth {
        let ledger = Ledger::default();
        for _ in 0..count {
            ledger.execute(2, Step::Run, None);
        }
        ledger.close(2)
    }

    #[tokio::test]
    async fn every_lie_is_found_and_the_truth_is_not_one() {
        let (plan, idempotent) = plans();
        let unavailable = |execution| tried(Code::Unavailable, Some(execution), None);
        for (tries, count, expected) in [
            (unavailable("not_started"), 0, vec![]),
            (unavailable("unknown"), 0, vec![]),
            (unavailable("unknown"), 1, vec![]),
            (unavailable("completed"), 1, vec![]),
            (tried(Code::Ok, None, Some(2)), 1, vec![]),
            (unavailable("not_started"), 1, vec![Wrong::SaidNotStarted]),
            (unavailable("completed"), 0, vec![Wrong::SaidCompleted]),
            (tried(Code::Ok, None, Some(2)), 0, vec![Wrong::SaidOk]),
            (
                tried(Code::Ok, None, Some(3)),
                1,
                vec![Wrong::CrossedAnswer],
            ),
            (tried(Code::Ok, None, Some(2)), 2, vec![Wrong::DoubleRun]),
            (tried(Code::Internal, None, None), 0, vec![Wrong::Unsaid]),
            (
                tried(Code::Cancelled, Some("unknown"), None),
                0,
                vec![Wrong::CalledCancelled],
            ),
        ] {
            let told = std::slice::from_ref(&tries);
            assert_eq!(
                judge(&plan, told, &runs(count)),
                expected,
                "{tries:?} × {count}"
            );
        }
        let told = [tried(Code::Ok, None, Some(2))];
        assert_eq!(judge(&idempotent, &told, &runs(2)), vec![]);
    }

    #[tokio::test]
    async fn a_later_try_under_the_same_id_makes_no_lie_of_an_earlier_answer() {
        let (mut plan, _) = plans();
        plan.repeat = Repeat::After(1);
        let first = tried(Code::Unavailable, Some("not_started"), None);
        let second = tried(Code::Ok, None, Some(2));
        let truth = runs(1);
        assert_eq!(
            judge(&plan, &[first.clone(), second.clone()], &truth),
            vec![]
        );
        // Carried out before the second try began, it is one.
        let late = Try {
            began: Instant::now() + Duration::from_secs(1),
            ..second
        };
        assert_eq!(
            judge(&plan, &[first, late], &truth),
            vec![Wrong::SaidNotStarted]
        );
    }

    #[tokio::test]
    async fn of_two_at_once_each_answers_for_its_own_run() {
        let (mut plan, _) = plans();
        plan.repeat = Repeat::AtOnce;
        let later = |one: Try| Try {
            ended: one.ended + Duration::from_secs(1),
            ..one
        };
        let refused = || tried(Code::ResourceExhausted, Some("not_started"), None);
        let ran = || tried(Code::Ok, None, Some(2));
        // The second began when the first was refused, and was carried out while that answer was on
        // its way.
        let ledger = Ledger::default();
        ledger.read(2, Step::Run, Some(0));
        ledger.read(2, Step::Run, Some(1));
        ledger.execute(2, Step::Run, Some(1));
        let truth = ledger.close(2);
        assert_eq!(
            judge(&plan, &[later(refused()), later(later(ran()))], &truth),
            vec![]
        );
        // The run was the refused one's.
        let ledger = Ledger::default();
        ledger.read(2, Step::Run, Some(0));
        ledger.execute(2, Step::Run, Some(0));
        let truth = ledger.close(2);
        let lie = vec![Wrong::SaidNotStarted];
        assert_eq!(judge(&plan, &[refused(), later(ran())], &truth), lie);
        // One run that both waited for.
        assert_eq!(judge(&plan, &[ran(), later(refused())], &truth), lie);
        assert_eq!(judge(&plan, &[ran(), later(ran())], &truth), vec![]);
    }
}
