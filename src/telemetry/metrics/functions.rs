//! The function view: runs by action and outcome, run time, billed time, cold starts.
//!
//! Actions are told apart up to a bound for the whole process; those that come later are `other`. Only runs that were
//! started, or may have been, are here, so that names that do not exist take no place.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::names::{BILLED_TIME, COLD_STARTS, INVOCATIONS, RUN_DURATION};
use super::resolved::Resolved;
use super::value::{Counter, Histogram};
use super::{Metrics, OTHER};

/// What the caller was told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It ran and succeeded.
    Success,
    /// It answered that it failed.
    ApplicationError,
    /// It could not be run: its code or its limits.
    DeveloperError,
    /// The cloud failed while it ran.
    SystemError,
    /// It was stopped.
    Cancelled,
    /// It runs on; only its id is known.
    Running,
    /// It waits to be run.
    Queued,
    /// The call failed, and whether the function ran is not known.
    Unknown,
    /// The call failed, but the function surely ran: its answer was lost.
    AnswerLost,
}

/// What is known of one run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Package as the caller named it; empty without one.
    pub package: &'a str,
    /// Action.
    pub action: &'a str,
    /// What the caller was told.
    pub outcome: Outcome,
    /// Time it ran, as the cloud says.
    pub duration: Option<Duration>,
    /// Time that is billed, as the cloud says.
    pub billed: Option<Duration>,
    /// True when the cloud says that the run had to be prepared first.
    pub cold: bool,
}

/// The runs of one target.
#[derive(Debug)]
pub struct Functions {
    metrics: Arc<Metrics>,
    target: String,
    /// Sorted by package and name.
    known: ArcSwap<Vec<Arc<Action>>>,
    other: Action,
}

#[derive(Debug)]
struct Action {
    package: String,
    name: String,
    /// Both, as the label has them.
    label: String,
    outcomes: Resolved<Outcome, Counter>,
    series: Resolved<(), Series>,
}

/// What the cloud may tell of a run; made when it does.
#[derive(Clone, Debug)]
struct Series {
    duration: Histogram,
    billed: Counter,
    cold: Counter,
}

/// The actions of the whole process that have a label of their own, by target, package and name. It outlives a reload.
#[derive(Debug)]
pub(super) struct Directory {
    max: usize,
    /// Sorted.
    actions: ArcSwap<Vec<(String, String, String)>>,
    /// Held while one is added.
    adding: Mutex<()>,
}

impl Functions {
    /// Those of `target`.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, target: &str) -> Arc<Self> {
        Arc::new(Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            known: ArcSwap::from_pointee(Vec::new()),
            other: Action::new("", "", OTHER.to_owned()),
        })
    }

    /// Counts one run.
    pub fn ran(&self, run: Run<'_>) {
        let package = if run.package.is_empty() { "-" } else { run.package };
        let known = self.known.load();
        if let Ok(at) = known.binary_search_by(|action| action.cmp(package, run.action)) {
            return self.count(&known[at], run);
        }
        drop(known);
        if !self.metrics.directory.admits(&self.target, package, run.action) {
            return self.count(&self.other, run);
        }
        let action = Arc::new(Action::new(
            package,
            run.action,
            format!("{package}/{}", run.action),
        ));
        self.known.rcu(|known| {
            let mut more = Vec::clone(known);
            if let Err(at) = more.binary_search_by(|action| action.cmp(package, run.action)) {
                more.insert(at, Arc::clone(&action));
            }
            more
        });
        self.count(&action, run);
    }

    fn count(&self, action: &Action, run: Run<'_>) {
        let labels = [&*self.target, &*action.label];
        let counter = || {
            let labels = [labels[0], labels[1], run.outcome.as_str()];
            self.metrics.family(&INVOCATIONS).counter(&labels)
        };
        action.outcomes.with(run.outcome, counter, Counter::inc);
        if run.duration.is_none() && run.billed.is_none() && !run.cold {
            return;
        }
        let series = || Series {
            duration: self.metrics.family(&RUN_DURATION).histogram(&labels),
            billed: self.metrics.family(&BILLED_TIME).counter(&labels),
            cold: self.metrics.family(&COLD_STARTS).counter(&labels),
        };
        action.series.with((), series, |series| {
            if let Some(duration) = run.duration {
                series.duration.observe_time(duration);
            }
            if let Some(billed) = run.billed {
                series.billed.add_time(billed);
            }
            if run.cold {
                series.cold.inc();
            }
        });
    }
}

impl Directory {
    /// Room for `max` actions.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            actions: ArcSwap::from_pointee(Vec::new()),
            adding: Mutex::new(()),
        }
    }

    /// True when the action has a label of its own; a new one gets it while there is room.
    fn admits(&self, target: &str, package: &str, name: &str) -> bool {
        let find = |actions: &[(String, String, String)]| {
            actions.binary_search_by(|(t, p, n)| (&**t, &**p, &**n).cmp(&(target, package, name)))
        };
        let actions = self.actions.load();
        if find(&actions).is_ok() || actions.len() >= self.max {
            return find(&actions).is_ok();
        }
        drop(actions);
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut actions = Vec::clone(&self.actions.load());
        match find(&actions) {
            Ok(_) => true,
            Err(_) if actions.len() >= self.max => false,
            Err(at) => {
                actions.insert(at, (target.to_owned(), package.to_owned(), name.to_owned()));
                self.actions.store(Arc::new(actions));
                true
            }
        }
    }
}

impl Action {
    fn new(package: &str, name: &str, label: String) -> Self {
        Self {
            package: package.to_owned(),
            name: name.to_owned(),
            label,
            outcomes: Resolved::default(),
            series: Resolved::default(),
        }
    }

    fn cmp(&self, package: &str, name: &str) -> Ordering {
        (&*self.package, &*self.name).cmp(&(package, name))
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::ApplicationError,
        Self::DeveloperError,
        Self::SystemError,
        Self::Cancelled,
        Self::Running,
        Self::Queued,
        Self::Unknown,
        Self::AnswerLost,
    ];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ApplicationError => "application_error",
            Self::DeveloperError => "developer_error",
            Self::SystemError => "system_error",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Unknown => "unknown",
            Self::AnswerLost => "answer_lost",
        }
    }
}
