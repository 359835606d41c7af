//! The figures of a proof, and how they are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use tonic::Code;

use crate::call::Try;
use crate::fault::Fault;
use crate::ledger::{Event, Truth};
use crate::plan::{Plan, Repeat};
use crate::verdict::{Wrong, history, judge, overrun};

/// Histories that are shown in full, of each thing that is wrong.
const SHOWN: u64 = 2;

/// What became of the calls under one fault.
#[derive(Clone, Debug, Default)]
struct Row {
    calls: u64,
    executed: u64,
    ok: u64,
    not_started: u64,
    unknown: u64,
    completed: u64,
    cancelled: u64,
    /// `unknown`, where the connection told more.
    missed: u64,
}

/// All figures.
#[derive(Debug, Default)]
pub struct Tally {
    rows: BTreeMap<String, Row>,
    codes: BTreeMap<String, u64>,
    pub calls: u64,
    /// Calls that only one execution could be right for.
    pub single: u64,
    pub executions: u64,
    pub requests: u64,
    tries: u64,
    pub answers: u64,
    pub attempts: u64,
    pub cancelled: u64,
    pub repeated: u64,
    pub wrong: BTreeMap<&'static str, u64>,
    /// Histories of the first calls that something is wrong with.
    pub shown: Vec<String>,
    pub worst_overrun: (Duration, u64),
    pub late: u64,
}

impl Tally {
    /// Judges one call and counts it.
    pub fn add(&mut self, plan: &Plan, tries: &[Try], truth: &Truth) {
        self.calls += 1;
        self.tries += u64::try_from(tries.len()).unwrap();
        self.single += u64::from(!plan.idempotent);
        self.repeated += u64::from(plan.repeat != Repeat::Never);
        let executed: usize = plan.steps().iter().map(|step| truth.count(*step)).sum();
        self.executions += u64::try_from(executed).unwrap();
        self.requests += u64::try_from(truth.requests()).unwrap();
        let late = overrun(plan, tries);
        self.late += u64::from(late > Duration::ZERO);
        self.worst_overrun = self.worst_overrun.max((late, plan.number));
        let wrong = judge(plan, tries, truth);
        for what in &wrong {
            let count = self.wrong.entry(name(*what)).or_default();
            *count += 1;
            if *count <= SHOWN {
                self.shown
                    .push(format!("{}: {}", name(*what), history(plan, tries, truth)));
            }
        }
        for one in tries {
            self.answer(one, truth, executed > 0);
        }
    }

    fn answer(&mut self, one: &Try, truth: &Truth, executed: bool) {
        let met: Vec<Fault> = truth
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Met(fault) => Some(*fault),
                _ => None,
            })
            .collect();
        let shaping = met.iter().rev().find(|fault| **fault != Fault::None);
        let row = self
            .rows
            .entry(shaping.map_or_else(|| "none".to_owned(), |fault| fault.name()))
            .or_default();
        row.calls += 1;
        row.executed += u64::from(executed);
        let Some(answer) = &one.answer else {
            row.cancelled += 1;
            self.cancelled += 1;
            return;
        };
        self.answers += 1;
        self.attempts += u64::from(answer.attempts);
        match (answer.code, answer.execution.as_deref()) {
            (Code::Ok, _) => row.ok += 1,
            (_, Some("not_started")) => row.not_started += 1,
            (_, Some("completed")) => row.completed += 1,
            _ => {
                row.unknown += 1;
                // Several attempts may leave a doubt that each alone would not.
                let alone = met.len() == 1 && answer.attempts <= 1;
                row.missed += u64::from(alone && met[0].knowable().is_some());
            }
        }
        let told = match answer.code {
            Code::Ok => "OK".to_owned(),
            code => format!("{code:?} {}", answer.reason),
        };
        *self.codes.entry(told).or_default() += 1;
    }

    /// Everything, for a reader.
    pub fn told(&self, seed: u64, took: Duration) -> String {
        let mut out = String::new();
        let calls = self.calls.max(1);
        let sum = |pick: fn(&Row) -> u64| self.rows.values().map(pick).sum::<u64>();
        let (unknown, missed) = (sum(|row| row.unknown), sum(|row| row.missed));
        let errors = sum(|row| row.not_started) + unknown + sum(|row| row.completed);
        let share = |part: u64, whole: u64| 100.0 * as_f64(part) / as_f64(whole.max(1));
        writeln!(
            out,
            "{:<44} {:>7} {:>8} {:>7} {:>11} {:>7} {:>9} {:>9} {:>6}",
            "last fault met",
            "tries",
            "executed",
            "OK",
            "not_started",
            "unknown",
            "completed",
            "cancelled",
            "missed"
        )
        .unwrap();
        for (name, row) in &self.rows {
            writeln!(
                out,
                "{name:<44} {:>7} {:>8} {:>7} {:>11} {:>7} {:>9} {:>9} {:>6}",
                row.calls,
                row.executed,
                row.ok,
                row.not_started,
                row.unknown,
                row.completed,
                row.cancelled,
                row.missed
            )
            .unwrap();
        }
        let codes = self
            .codes
            .iter()
            .map(|(code, count)| format!("{code}: {count}"));
        writeln!(
            out,
            "answers          {}",
            codes.collect::<Vec<_>>().join(", ")
        )
        .unwrap();
        writeln!(out, "seed             {seed}").unwrap();
        writeln!(
            out,
            "calls            {} in {:.1} s ({:.0} a second), {} of them not idempotent, {} repeated under a request_id, {} tries cancelled",
            self.calls,
            took.as_secs_f64(),
            as_f64(self.calls) / took.as_secs_f64(),
            self.single,
            self.repeated,
            self.cancelled
        )
        .unwrap();
        writeln!(
            out,
            "upstream         {} whole requests, {} executions: {:.3} a call",
            self.requests,
            self.executions,
            as_f64(self.executions) / as_f64(calls)
        )
        .unwrap();
        writeln!(
            out,
            "attempts         {:.3} an answer",
            as_f64(self.attempts) / as_f64(self.answers.max(1))
        )
        .unwrap();
        for what in [
            Wrong::DoubleRun,
            Wrong::SaidNotStarted,
            Wrong::SaidCompleted,
            Wrong::SaidOk,
            Wrong::CrossedAnswer,
            Wrong::BadList,
            Wrong::Unsaid,
            Wrong::CalledCancelled,
            Wrong::Contradicts,
        ] {
            let count = self.wrong.get(name(what)).copied().unwrap_or(0);
            writeln!(out, "{:<44} {count}", name(what)).unwrap();
        }
        writeln!(
            out,
            "unknown          {unknown} of {errors} errors ({:.1} %); {missed} of them although the connection told more",
            share(unknown, errors)
        )
        .unwrap();
        writeln!(
            out,
            "deadline         worst overrun {:.1} ms (call {}), {} calls over at all",
            self.worst_overrun.0.as_secs_f64() * 1000.0,
            self.worst_overrun.1,
            self.late
        )
        .unwrap();
        out
    }
}

/// Its line in the summary.
fn name(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::DoubleRun => "run twice without consent",
        Wrong::SaidNotStarted => "lie: not_started, but executed",
        Wrong::SaidCompleted => "lie: completed, but not executed",
        Wrong::SaidOk => "lie: OK, but not executed",
        Wrong::CrossedAnswer => "lie: OK, with another call's result",
        Wrong::BadList => "lie: OK, with a list that is not whole",
        Wrong::Unsaid => "error that says nothing of execution",
        Wrong::Contradicts => "message that denies what execution admits",
        Wrong::CalledCancelled => "CANCELLED, though nobody cancelled",
    }
}

fn as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
