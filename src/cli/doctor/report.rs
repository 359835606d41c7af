//! The outcome: steps in their order, as a table for people or a document for programs.
//!
//! The document (`schema` 1) is stable: fields are added, never renamed.
//! `docs/operations/refused.md` ("doctor") describes it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::DoctorFormat;
use crate::config::Faults;
use crate::provider::diagnosis::Finding;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, and something about it will not for long, or is not as it should be.
    Warn,
    /// It does not work.
    Fail,
    /// Not tried.
    Skipped,
}

/// One step's outcome.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// `configuration`, `credentials`, `dns`, …
    pub(super) name: &'static str,
    /// The target; none for what belongs to the whole.
    pub(super) target: Option<String>,
    /// What of the target: a host, an action.
    pub(super) subject: Option<String>,
    pub(super) status: Status,
    /// What was seen, in one sentence without an end mark.
    pub(super) fact: String,
    /// What to do, in one sentence; for warnings and failures.
    pub(super) fix: Option<String>,
    /// The cause's symbol, whether it is certain, and what else would look the same.
    pub(super) cause: Option<Finding>,
    /// The step whose failure makes this one pointless.
    pub(super) because: Option<&'static str>,
    /// Facts for programs.
    pub(super) data: Map<String, Value>,
    pub(super) took: Duration,
}

/// All steps.
#[derive(Debug, Default)]
pub(super) struct Report {
    steps: Vec<Step>,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

impl Step {
    fn new(name: &'static str, status: Status, fact: impl Into<String>) -> Self {
        Self {
            name,
            target: None,
            subject: None,
            status,
            fact: fact.into(),
            fix: None,
            cause: None,
            because: None,
            data: Map::new(),
            took: Duration::ZERO,
        }
    }

    pub(super) fn ok(name: &'static str, fact: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, fact)
    }

    pub(super) fn warn(
        name: &'static str,
        fact: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            fix: Some(fix.into()),
            ..Self::new(name, Status::Warn, fact)
        }
    }

    pub(super) fn fail(
        name: &'static str,
        fact: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            fix: Some(fix.into()),
            ..Self::new(name, Status::Fail, fact)
        }
    }

    /// A failure whose cause was found.
    pub(super) fn caused(name: &'static str, finding: Finding) -> Self {
        Self {
            cause: Some(finding.clone()),
            ..Self::fail(name, finding.fact, finding.cause.fix())
        }
    }

    /// Not tried, because a step before failed.
    pub(super) fn skipped(name: &'static str, because: &'static str) -> Self {
        Self {
            because: Some(because),
            ..Self::new(name, Status::Skipped, format!("{because} failed"))
        }
    }

    /// Not tried, for a reason that is no failure.
    pub(super) fn not_needed(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, Status::Skipped, why)
    }

    pub(super) fn configuration_is_wrong(faults: &Faults) -> Self {
        let told: Vec<_> = faults.to_string().lines().map(str::to_owned).collect();
        let mut step = Self::fail(
            "configuration",
            told.join("; "),
            "Correct each of them; `faas-sidecar check` tells them again.",
        );
        step.data.insert("mistakes".to_owned(), told.into());
        step
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn is_failure(&self) -> bool {
        self.status == Status::Fail
    }

    fn json(&self) -> Value {
        let cause = self.cause.as_ref();
        let also: Vec<&str> = cause
            .map_or(&[][..], |finding| &finding.also)
            .iter()
            .map(|cause| cause.symbol())
            .collect();
        json!({
            "step": self.name,
            "target": self.target,
            "subject": self.subject,
            "status": self.status.word(),
            "fact": self.fact,
            "fix": self.fix,
            "cause": cause.map(|finding| finding.cause.symbol()),
            "certain": cause.map(|finding| finding.certain),
            "also_possible": also,
            "because": self.because,
            "data": self.data,
            "millis": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl Report {
    pub(super) fn add(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn failed(&self) -> bool {
        self.steps.iter().any(Step::is_failure)
    }

    pub(super) fn render(&self, format: DoctorFormat) -> String {
        match format {
            DoctorFormat::Text => self.text(),
            DoctorFormat::Json => {
                let steps: Vec<_> = self.steps.iter().map(Step::json).collect();
                let worst = [Status::Fail, Status::Warn]
                    .into_iter()
                    .find(|status| self.steps.iter().any(|step| step.status == *status))
                    .unwrap_or(Status::Ok);
                format!(
                    "{:#}",
                    json!({ "schema": 1, "outcome": worst.word(), "steps": steps })
                )
            }
        }
    }

    fn text(&self) -> String {
        let label = |step: &Step| match &step.subject {
            Some(subject) => format!("{} {subject}", step.name),
            None => step.name.to_owned(),
        };
        let width = self
            .steps
            .iter()
            .map(|step| label(step).chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        let mut target = None;
        for step in &self.steps {
            if step.target != target {
                target.clone_from(&step.target);
                if let Some(name) = &target {
                    let _ = writeln!(text, "\ntarget {name}");
                }
            }
            let word = match step.status {
                Status::Fail => "FAIL",
                other => other.word(),
            };
            let _ = writeln!(text, "  {:<width$}  {word:<7}  {}", label(step), step.fact);
            let margin = " ".repeat(width + 13);
            if let Some(finding) = &step.cause {
                let sure = if finding.certain { "" } else { "likely " };
                let also: Vec<_> = finding.also.iter().map(|cause| cause.symbol()).collect();
                let also = match also.as_slice() {
                    [] => String::new(),
                    some => format!(" (or {})", some.join(", ")),
                };
                let _ = writeln!(text, "{margin}{sure}cause: {}{also}", finding.cause);
            }
            if let Some(fix) = &step.fix {
                let _ = writeln!(text, "{margin}fix: {fix}");
            }
        }
        let failed = self.steps.iter().filter(|step| step.is_failure()).count();
        let warned = self
            .steps
            .iter()
            .filter(|step| step.status == Status::Warn)
            .count();
        let _ = writeln!(text, "\n{failed} failed, {warned} to look at");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::diagnosis::Cause;

    fn report() -> Report {
        let mut report = Report::default();
        report.add(Step::ok("configuration", "2 targets").with("targets", 2));
        let finding = Finding::likely(Cause::KeyOrSecret, "refused", &[Cause::HeaderChanged]);
        for mut step in [
            Step::ok("dns", "1 address").of("h"),
            Step::caused("read", finding),
            Step::skipped("right", "read").of("-/hello"),
        ] {
            step.target = Some("prod".to_owned());
            report.add(step);
        }
        report
    }

    #[test]
    fn people_get_a_table() {
        let fix = Cause::KeyOrSecret.fix();
        assert_eq!(
            report().render(DoctorFormat::Text),
            format!(
                "  configuration  ok       2 targets\n\ntarget prod\n  dns h          ok       1 address\n  read           FAIL     refused\n\
                 {m}likely cause: key_or_secret (or header_changed)\n{m}fix: {fix}\n  right -/hello  skipped  read failed\n\n\
                 1 failed, 0 to look at\n",
                m = " ".repeat(26)
            )
        );
    }

    #[test]
    fn programs_get_a_document() {
        let document: Value = serde_json::from_str(&report().render(DoctorFormat::Json)).unwrap();
        assert_eq!(
            (&document["schema"], &document["outcome"]),
            (&json!(1), &json!("fail"))
        );
        let read = &document["steps"][2];
        assert_eq!(
            (&read["cause"], &read["certain"], &read["also_possible"]),
            (
                &json!("key_or_secret"),
                &json!(false),
                &json!(["header_changed"])
            )
        );
        assert_eq!(document["steps"][3]["because"], "read");
        assert_eq!(document["steps"][0]["data"]["targets"], 2);
        assert!(report().failed());
    }
}
