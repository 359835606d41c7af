//! The matrix as Markdown: equal outcomes of one fault share a line.

use std::fmt::Write as _;

use faas_sidecar::grpc::code_name;

use crate::answers::Cloud;
use crate::call::Answer;

const BEGIN: &str =
    "<!-- matrix: written by `UPDATE_DOCS=1 cargo test --test certainty matrix` -->";
const END: &str = "<!-- end of matrix -->";

/// What one caller was told, and what happened.
#[derive(Clone, Debug)]
pub struct Cell {
    code: &'static str,
    /// The clouds' own words, which do not tell two outcomes apart.
    reasons: Vec<String>,
    execution: String,
    attempts: u32,
    executions: usize,
}

/// All outcomes of one fault.
pub struct Row {
    fault: &'static str,
    outcomes: Vec<(Cell, Vec<(&'static str, Cloud)>)>,
}

impl Cell {
    pub fn new(answer: &Answer, executions: usize) -> Self {
        Self {
            code: code_name(answer.code),
            reasons: vec![answer.reason.clone()],
            execution: answer.execution.clone().unwrap_or_else(|| "-".to_owned()),
            attempts: answer.attempts,
            executions,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        let facts = |cell: &Self| (cell.code, cell.attempts, cell.executions);
        facts(self) == facts(other) && self.execution == other.execution
    }
}

impl Row {
    pub fn new(fault: &'static str) -> Self {
        Self {
            fault,
            outcomes: Vec::new(),
        }
    }

    pub fn add(&mut self, asked: &'static str, cloud: Cloud, cell: Cell) {
        match self
            .outcomes
            .iter_mut()
            .find(|(known, _)| known.is_like(&cell))
        {
            Some((known, callers)) => {
                if !callers.contains(&(asked, cloud)) {
                    callers.push((asked, cloud));
                }
                let new = |reason: &String| !known.reasons.contains(reason);
                let new: Vec<_> = cell.reasons.into_iter().filter(new).collect();
                known.reasons.extend(new);
            }
            None => self.outcomes.push((cell, vec![(asked, cloud)])),
        }
    }

    /// Callers in words: `run, async run, put (ncp)`; a cloud is named where the two differ.
    fn callers(&self, at: usize) -> String {
        if self.outcomes.len() == 1 {
            return "any".to_owned();
        }
        let others: Vec<_> = (0..self.outcomes.len())
            .filter(|other| *other != at)
            .flat_map(|other| self.outcomes[other].1.clone())
            .collect();
        match others[..] {
            [_] => format!("any but {}", listed(&others)),
            _ => listed(&self.outcomes[at].1),
        }
    }
}

fn listed(callers: &[(&'static str, Cloud)]) -> String {
    let mut names: Vec<String> = Vec::new();
    for (asked, cloud) in callers {
        let both = Cloud::ALL
            .iter()
            .all(|cloud| callers.contains(&(asked, *cloud)));
        let name = if both {
            (*asked).to_owned()
        } else {
            format!("{asked} ({})", cloud.name())
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
/// The table.
pub fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "| every attempt meets | asked for | answer | `execution` | attempts | executions |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        for (at, (cell, _)) in row.outcomes.iter().enumerate() {
            let fault = if at == 0 { row.fault } else { "" };
            let mut answer = cell.code.to_owned();
            // DEADLINE_EXCEEDED by that very name needs no second word.
            for reason in cell
                .reasons
                .iter()
                .filter(|reason| *reason != "-" && *reason != cell.code)
            {
                write!(answer, " `{reason}`").unwrap();
            }
            let callers = row.callers(at);
            writeln!(
                out,
                "| {fault} | {callers} | {answer} | {} | {} | {} |",
                cell.execution, cell.attempts, cell.executions
            )
            .unwrap();
        }
    }
    out
}

/// The document with this table between its marks.
pub fn into(docs: &str, table: &str) -> String {
    let (before, rest) = docs
        .split_once(BEGIN)
        .unwrap_or_else(|| panic!("docs/certainty.md has lost its line {BEGIN}"));
    let (_, after) = rest
        .split_once(END)
        .unwrap_or_else(|| panic!("docs/certainty.md has lost its line {END}"));
    format!("{before}{BEGIN}\n{table}{END}{after}")
}

/// Fails with the lines that differ.
pub fn assert_same(docs: &str, proven: &str) {
    let missing = |from: &str, of: &str| -> Vec<String> {
        let known: std::collections::HashSet<_> = of.lines().collect();
        from.lines()
            .filter(|line| !known.contains(line))
            .map(str::to_owned)
            .collect()
    };
    assert!(
        docs == proven,
        "the matrix in docs/certainty.md is not what happens; UPDATE_DOCS=1 writes it anew.\nit says:\n{}\nand what happens:\n{}",
        missing(docs, proven).join("\n"),
        missing(proven, docs).join("\n")
    );
}
