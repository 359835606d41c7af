//! The function view: runs by action and outcome, run time, billed time, cold starts (a run that
//! the cloud had to prepare).
//!
//! Actions are told apart up to a bound for the whole process; those that come later are `other`.
//! Only runs that were started, or may have been, are here, so that names that do not exist take no
//! place.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::names::{BILLED_TIME, INIT_DURATION, INVOCATIONS, RUN_DURATION};
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
    /// Time that preparing the run took (a cold start), when the cloud says so.
    pub init: Option<Duration>,
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
    durations: Resolved<(), Histogram>,
    billed: Resolved<(), Counter>,
    inits: Resolved<(), Histogram>,
}

/// The actions of the whole process that have a label of their own, by target, package and name. It
/// outlives a reload.
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
    pub fn new(metrics: &Arc<Metrics>, target: &str) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            known: ArcSwap::from_pointee(Vec::new()),
            other: Action::new("", "", OTHER.to_owned()),
        }
    }

    /// Counts one run.
    pub fn ran(&self, run: Run<'_>) {
        let package = if run.package.is_empty() {
            "-"
        } else {
            run.package
        };
        let known = self.known.load();
        if let Ok(at) = known.binary_search_by(|action| action.cmp(package, run.action)) {
            return self.count(&known[at], run);
        }
        drop(known);
        if !self
            .metrics
            .directory
            .admits(&self.target, package, run.action)
        {
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
        // Each of these has a series when the cloud tells it for the first time.
        let family = |description| self.metrics.family(description);
        if let Some(took) = run.duration {
            let find = || family(&RUN_DURATION).histogram(&labels);
            action
                .durations
                .with((), find, |cell| cell.observe_time(took));
        }
        if let Some(billed) = run.billed {
            let find = || family(&BILLED_TIME).counter(&labels);
            action.billed.with((), find, |cell| cell.add_time(billed));
        }
        if let Some(init) = run.init {
            let find = || family(&INIT_DURATION).histogram(&labels);
            action.inits.with((), find, |cell| cell.observe_time(init));
        }
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
            durations: Resolved::default(),
            billed: Resolved::default(),
            inits: Resolved::default(),
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
