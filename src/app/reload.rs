//! A new configuration for a sidecar that runs: taken up whole or not at all, while calls in flight
//! finish on the old.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info};

use super::credential_reports::CredentialReports;
use super::plans::{BuiltTargets, TargetPlans};
use super::{Sidecar, StartError};
use crate::admin::{self, Problem, Shown};
use crate::clock;
use crate::config::{Config, Difference, diff, effective_json};
use crate::env::Env;
use crate::target::Targets;
use crate::telemetry::Log;
use crate::telemetry::log::REFUSALS;
use crate::telemetry::metrics::{Metrics, names};

/// The subject under which a refused configuration is reported.
const CONFIGURATION: &str = "configuration";
/// Outcomes of a reload, as the metrics name them.
pub(super) const TAKEN: &str = "taken";
pub(super) const UNCHANGED: &str = "unchanged";
pub(super) const REFUSED: &str = "refused";

/// What a reload came to.
#[derive(Debug)]
pub struct Reloaded {
    /// The configuration served now; the same as before when nothing was taken up.
    pub config_generation: u64,
    /// What was taken up.
    pub taken: Vec<Difference>,
    /// What waits for a restart.
    pub waiting: Vec<Difference>,
}

/// A plans on its way to one thread.
pub(super) struct Update {
    plans: Arc<TargetPlans>,
    done: oneshot::Sender<Result<(), StartError>>,
}

/// What the pages and the metrics show of the configuration, and of what is wrong with it.
pub(super) struct State {
    shown: watch::Sender<Arc<Shown>>,
    metrics: Arc<Metrics>,
    /// Of the configuration that holds.
    credentials: Arc<ArcSwap<CredentialReports>>,
}

impl Sidecar {
    /// Takes up a checked configuration: each thread builds its targets from it and puts them in
    /// the place of the old ones at once. What did not change keeps its connections, budgets and
    /// keys. Keys that the key table marks `restart` keep their values.
    ///
    /// # Errors
    /// When it cannot be used after all (a certificate file cannot be read, say); everything is
    /// then as before.
    pub async fn reload(&mut self, config: Config, env: &Env) -> Result<Reloaded, StartError> {
        let next = self.config.reloaded(config.clone());
        let waiting = differences(&next, &config);
        let taken = differences(&self.config, &next);
        if taken.is_empty() {
            self.state.waits_for(&waiting);
            return Ok(Reloaded {
                config_generation: self.plans.generation,
                taken,
                waiting,
            });
        }
        let plans = Arc::new(self.plans.next(&next, env)?);
        // Tried here first, so that no thread fails at what another one did.
        plans.build(&BuiltTargets::default())?;
        let mut ends = Vec::with_capacity(self.updates.len());
        for thread in &self.updates {
            let (done, end) = oneshot::channel();
            let update = Update {
                plans: Arc::clone(&plans),
                done,
            };
            if thread.send(update).is_ok() {
                ends.push(end);
            }
        }
        for end in ends {
            // A thread that is gone serves nothing that could be wrong.
            end.await.unwrap_or(Ok(()))?;
        }
        plans.watched();
        if let Some(log) = Log::installed()
            && let Ok(level) = next.log.level.name().parse()
        {
            log.level().configure(level);
        }
        self.state.credentials.store(Arc::new(plans.reports()));
        self.plans = plans;
        self.config = next;
        self.state
            .holds(&self.config, self.plans.generation, &waiting);
        Ok(Reloaded {
            config_generation: self.plans.generation,
            taken,
            waiting,
        })
    }

    /// Counts configurations: 1 for the one at the start, one more with each that was taken up.
    #[must_use]
    pub fn config_generation(&self) -> u64 {
        self.plans.generation
    }

    /// Notes that the configuration was read, and why it was refused if it was.
    pub(super) fn configured(&self, outcome: &str, refused: Option<String>) {
        self.state.count(outcome);
        self.report(CONFIGURATION, refused);
    }

    /// Notes what is wrong with one thing that is read again and again (`configuration`, `tls`), or
    /// that it is well. The sidecar stays ready: it serves what was good last.
    pub fn report(&self, subject: &str, problem: Option<String>) {
        self.state.report(subject, problem);
    }

    /// The files that are read beside the configuration and keys.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = self.plans.files();
        files.extend(self.door.files());
        files
    }

    /// Reads certificates and tokens again. What cannot be used never replaces what works, and is
    /// told by the pages.
    pub fn refresh(&self) {
        for (subject, outcome) in self.door.refresh() {
            self.refreshed(subject, outcome);
        }
        for (target, outcome) in self.plans.refresh() {
            let subject = format!("certificates of target {target}");
            self.refreshed(&subject, outcome);
        }
    }

    /// Tells of one reading of files: the log hears of changes, and of each trouble once.
    fn refreshed(&self, subject: &str, outcome: Result<bool, String>) {
        let problem = match outcome {
            Ok(true) => {
                info!("{subject}: read again");
                None
            }
            Ok(false) => None,
            Err(why) => Some(why),
        };
        if let Some(why) = &problem
            && !self.state.knows(subject, why)
            && let Some(left_out) = REFUSALS.pass()
        {
            error!(
                left_out,
                "{subject}: refused, and those before stay in use: {why}"
            );
        }
        self.report(subject, problem);
    }

    /// What the pages show, as it changes: for metrics and tests.
    #[must_use]
    pub fn shown(&self) -> watch::Receiver<Arc<Shown>> {
        self.state.shown()
    }
}

/// Takes up one plans after the other on one thread.
pub(super) async fn follow(
    mut updates: mpsc::UnboundedReceiver<Update>,
    targets: Arc<ArcSwap<Targets>>,
    mut built: BuiltTargets,
) {
    while let Some(Update { plans, done }) = updates.recv().await {
        let outcome = plans.build(&built).map(|next| {
            // Old targets end, and with them their connections, when the last call that holds them
            // has ended.
            targets.store(Arc::new(plans.targets(&next)));
            built = next;
        });
        let _ = done.send(outcome);
    }
}

fn differences(before: &Config, after: &Config) -> Vec<Difference> {
    // What was written as JSON a moment ago reads as JSON.
    let value = |config| serde_json::from_str(&effective_json(config)).unwrap_or_default();
    diff(&value(before), &value(after))
}

impl State {
    pub(super) fn new(
        config: &Config,
        metrics: &Arc<Metrics>,
        credentials: CredentialReports,
    ) -> Self {
        let state = Self {
            shown: watch::Sender::new(Arc::default()),
            metrics: Arc::clone(metrics),
            credentials: Arc::new(ArcSwap::from_pointee(credentials)),
        };
        state.holds(config, 1, &[]);
        metrics.family(&names::CONFIG_RELOADED).gauge(&[]).set(1);
        state
    }

    /// Counts one reading of the configuration; one that says nothing new is no reload.
    fn count(&self, outcome: &str) {
        if outcome != UNCHANGED {
            let reloads = self.metrics.family(&names::CONFIG_RELOADS);
            reloads.counter(&[outcome]).add(1);
        }
        let good = i64::from(outcome != REFUSED);
        self.metrics
            .family(&names::CONFIG_RELOADED)
            .gauge(&[])
            .set(good);
    }

    pub(super) fn shown(&self) -> watch::Receiver<Arc<Shown>> {
        self.shown.subscribe()
    }

    /// What the pages tell of the credentials.
    pub(super) fn credentials(&self) -> admin::Credentials {
        let (all, default) = (Arc::clone(&self.credentials), Arc::clone(&self.credentials));
        admin::Credentials::new(move || all.load().page(), move || default.load().unready())
    }

    fn holds(&self, config: &Config, generation: u64, waiting: &[Difference]) {
        self.change(|shown| {
            shown.generation = generation;
            shown.since = now();
            shown.configuration = effective_json(config).into();
            shown.waiting = waiting.iter().map(|found| found.path.clone()).collect();
            shown.open = config.is_open();
        });
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        self.metrics
            .family(&names::CONFIG_GENERATION)
            .gauge(&[])
            .set(generation);
    }

    fn waits_for(&self, waiting: &[Difference]) {
        let waiting: Vec<_> = waiting.iter().map(|found| found.path.clone()).collect();
        if self.shown.borrow().waiting != waiting {
            self.change(|shown| shown.waiting = waiting);
        }
    }

    fn report(&self, subject: &str, problem: Option<String>) {
        let same = match &problem {
            Some(text) => self.knows(subject, text),
            None => !self.shown.borrow().problems.contains_key(subject),
        };
        if same {
            return;
        }
        self.change(|shown| match problem {
            Some(text) => {
                let problem = Problem { since: now(), text };
                shown.problems.insert(subject.to_owned(), problem);
            }
            None => drop(shown.problems.remove(subject)),
        });
    }

    fn knows(&self, subject: &str, text: &str) -> bool {
        let shown = self.shown.borrow();
        shown
            .problems
            .get(subject)
            .is_some_and(|problem| problem.text == text)
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(|shown| change(Arc::make_mut(shown)));
    }
}

/// As RFC 3339, to the second.
fn now() -> String {
    let now = OffsetDateTime::from(clock::now());
    now.replace_nanosecond(0)
        .unwrap_or(now)
        .format(&Rfc3339)
        .unwrap_or_default()
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.borrow().fmt(f)
    }
}
