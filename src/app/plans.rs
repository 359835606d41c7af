//! What all threads' targets are made of, and what of it the next configuration keeps.
//!
//! Connections belong to the thread that made them, so each thread builds its own targets from the
//! plans. A target whose configuration is the same stays the very same; one whose rules for
//! callers changed keeps its way to the cloud; one whose way changed keeps its keys, slots, budget
//! and certificates where they are the same.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::credential_reports::{CredentialReport, CredentialReports};
use super::upstream::{ProcessState, Upstream};
use super::{StartError, gauges};
use crate::config::{AllowRule, Config, TargetConfig};
use crate::env::Env;
use crate::names::{NamePattern, Pattern};
use crate::target::{Allow, Operation, Rule, Target, Targets};
use crate::telemetry::Destination;
use crate::telemetry::metrics::TargetMetrics;
use crate::transport::Tls;

/// One configuration, ready to be built from.
pub(super) struct TargetPlans {
    plans: Vec<Arc<TargetPlan>>,
    default: String,
    /// Counts configurations: 1 at the start.
    pub(super) generation: u64,
    process: ProcessState,
}

/// One target.
struct TargetPlan {
    name: String,
    config: TargetConfig,
    default_deny: bool,
    /// One for all configurations, so that its counts go on.
    metrics: Arc<TargetMetrics>,
    upstream: Arc<Upstream>,
}

/// One thread's targets, each with the plan that it was built from.
#[derive(Default)]
pub(super) struct BuiltTargets(Vec<(Arc<TargetPlan>, Arc<Target>)>);

impl TargetPlans {
    pub(super) fn new(
        config: &Config,
        env: &Env,
        process: &ProcessState,
    ) -> Result<Self, StartError> {
        Self::made(config, env, process, &[], 1)
    }

    /// The next configuration, which keeps what did not change.
    pub(super) fn next(&self, config: &Config, env: &Env) -> Result<Self, StartError> {
        Self::made(config, env, &self.process, &self.plans, self.generation + 1)
    }

    fn made(
        config: &Config,
        env: &Env,
        process: &ProcessState,
        old: &[Arc<TargetPlan>],
        generation: u64,
    ) -> Result<Self, StartError> {
        let plan = |(name, target): (&String, &TargetConfig)| {
            let old = old.iter().find(|plan| plan.name == *name);
            TargetPlan::made(name, target, config.default_deny, env, process, old)
                .map_err(|why| StartError(format!("target {name}: {why}")))
        };
        Ok(Self {
            plans: config.targets.iter().map(plan).collect::<Result<_, _>>()?,
            default: config.default_target.clone(),
            generation,
            process: process.clone(),
        })
    }

    /// Has the numbers of these targets shown from now on, in the place of those of the
    /// configuration before.
    pub(super) fn watched(&self) {
        for plan in &self.plans {
            let (cloud, region) = plan.config.cloud.place();
            plan.metrics.describe(cloud, &region);
            gauges::of_target(&plan.metrics, &plan.upstream.shared);
            gauges::of_credentials(&plan.metrics, &plan.upstream);
        }
    }

    /// The state of the default target's credentials, and that of all.
    pub(super) fn reports(&self) -> CredentialReports {
        let report = |plan: &Arc<TargetPlan>| {
            let upstream = Arc::clone(&plan.upstream);
            let report: CredentialReport = Arc::new(move || upstream.status());
            (plan.name.clone(), report)
        };
        CredentialReports {
            default: self.default.clone(),
            targets: self.plans.iter().map(report).collect(),
        }
    }

    /// Targets for one thread, which keeps those of `old` that are the same.
    pub(super) fn build(&self, old: &BuiltTargets) -> Result<BuiltTargets, StartError> {
        let built = self.plans.iter().map(|plan| {
            let old = old.0.iter().find(|(of, _)| of.name == plan.name);
            Ok((Arc::clone(plan), plan.target(old)?))
        });
        Ok(BuiltTargets(built.collect::<Result<_, StartError>>()?))
    }

    /// What is served from them.
    pub(super) fn targets(&self, built: &BuiltTargets) -> Targets {
        let targets = built
            .0
            .iter()
            .map(|(_, target)| Arc::clone(target))
            .collect();
        Targets::new(targets, &self.default, self.generation)
    }

    /// The files of certificates that the targets read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let tls = self
            .plans
            .iter()
            .filter_map(|plan| plan.upstream.tls.as_ref());
        tls.flat_map(Tls::files).map(Path::to_path_buf).collect()
    }

    /// Reads those files again: for each target that has some, whether they had changed, or what is
    /// wrong.
    pub(super) fn refresh(&self) -> impl Iterator<Item = (&str, Result<bool, String>)> {
        self.plans.iter().filter_map(|plan| {
            let tls = plan.upstream.tls.as_ref()?;
            Some((plan.name.as_str(), tls.reload()))
        })
    }
}

impl TargetPlan {
    fn made(
        name: &str,
        config: &TargetConfig,
        default_deny: bool,
        env: &Env,
        process: &ProcessState,
        old: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        if let Some(old) = old
            && old.config == *config
            && old.default_deny == default_deny
        {
            return Ok(Arc::clone(old));
        }
        let metrics = old.map_or_else(
            || TargetMetrics::new(&process.metrics, name),
            |old| Arc::clone(&old.metrics),
        );
        let old = old.map(|old| &old.upstream);
        let upstream = Upstream::new(config, env, &metrics, process, old)?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            config: config.clone(),
            default_deny,
            metrics,
            upstream,
        }))
    }

    fn target(
        self: &Arc<Self>,
        old: Option<&(Arc<Self>, Arc<Target>)>,
    ) -> Result<Arc<Target>, StartError> {
        if let Some((plan, target)) = old
            && Arc::ptr_eq(plan, self)
        {
            return Ok(Arc::clone(target));
        }
        let fault = |why: String| StartError(format!("target {}: {why}", self.name));
        let provider = match old {
            Some((plan, target)) if Arc::ptr_eq(&plan.upstream, &self.upstream) => {
                Arc::clone(&target.provider)
            }
            _ => self.upstream.provider(),
        };
        let (cloud, region) = self.config.cloud.place();
        Ok(Arc::new(Target {
            destination: Arc::new(Destination {
                target: self.name.clone(),
                cloud,
                region,
            }),
            metrics: Arc::clone(&self.metrics),
            provider,
            allow: self.allow().map_err(fault)?,
            request_timeout: self.config.timeouts.request,
        }))
    }

    fn allow(&self) -> Result<Option<Allow>, String> {
        match &self.config.allow {
            Some(rules) => allow(&self.name, rules).map(Some),
            None if self.default_deny => allow(&self.name, &[]).map(Some),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for TargetPlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.plans.iter().map(|plan| plan.name.as_str());
        write!(f, "configuration {} of ", self.generation)?;
        f.debug_list().entries(names).finish()
    }
}

/// The rules of `allow`; none allows nothing.
fn allow(target: &str, rules: &[AllowRule]) -> Result<Allow, String> {
    let rule = |rule: &AllowRule| {
        Ok(Rule {
            actions: rule
                .actions
                .iter()
                .map(|text| Pattern::parse(text))
                .collect::<Result<_, String>>()?,
            triggers: rule
                .triggers
                .iter()
                .map(|text| NamePattern::new(text))
                .collect(),
            operations: rule
                .operations
                .iter()
                .flat_map(|word| Operation::named(word))
                .collect(),
        })
    };
    let rules = rules.iter().map(rule).collect::<Result<_, String>>()?;
    Ok(Allow::new(format!("targets.{target}.allow"), rules))
}
