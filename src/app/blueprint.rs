//! What all threads' targets are made of, and what of it the next configuration keeps.
//!
//! Connections belong to the thread that made them, so each thread builds its own targets from the
//! blueprint. A target whose configuration is the same stays the very same; one whose rules for
//! callers changed keeps its way to the cloud; one whose way changed keeps its keys, slots, budget
//! and certificates where they are the same.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use super::keys::{Background, Report, Reports};
use super::{build, readings};
use crate::config::{Config, TargetConfig, Timeouts};
use crate::credentials::{Credentials, Status};
use crate::env::Env;
use crate::memory::Memory;
use crate::provider::functiongraph;
use crate::target::{Allow, Target, Targets};
use crate::telemetry::Destination;
use crate::telemetry::metrics::{Metrics, TargetMetrics};
use crate::transport::{self, Resolver, Shared, Tls};

/// One configuration, ready to be built from.
pub(super) struct Blueprint {
    plans: Vec<Arc<Plan>>,
    default: String,
    /// Counts configurations: 1 at the start.
    pub(super) generation: u64,
    lasting: Lasting,
}

/// What outlives every configuration.
#[derive(Clone)]
pub(super) struct Lasting {
    pub(super) metrics: Arc<Metrics>,
    pub(super) memory: Memory,
    pub(super) resolver: Resolver,
    /// Keeps keys.
    pub(super) background: Arc<Background>,
}

/// One target.
struct Plan {
    name: String,
    config: TargetConfig,
    default_deny: bool,
    /// One for all configurations, so that its counts go on.
    metrics: Arc<TargetMetrics>,
    way: Arc<Way>,
}

/// The way to its cloud.
pub(super) struct Way {
    /// What it was made from, without what is the edge's business alone.
    pub(super) config: TargetConfig,
    pub(super) transport: transport::Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) tls: Option<Tls>,
    pub(super) cloud: Prepared,
}

/// What one cloud's providers share across threads.
pub(super) enum Prepared {
    Ncp(Credentials),
    FunctionGraph(functiongraph::Settings),
}

/// One thread's targets, each with the plan that it was built from.
#[derive(Default)]
pub(super) struct Built(Vec<(Arc<Plan>, Arc<Target>)>);

impl Blueprint {
    pub(super) fn new(config: &Config, env: &Env, lasting: &Lasting) -> Result<Self, StartError> {
        Self::made(config, env, lasting, &[], 1)
    }

    /// The next configuration, which keeps what did not change.
    pub(super) fn next(&self, config: &Config, env: &Env) -> Result<Self, StartError> {
        Self::made(config, env, &self.lasting, &self.plans, self.generation + 1)
    }

    fn made(
        config: &Config,
        env: &Env,
        lasting: &Lasting,
        old: &[Arc<Plan>],
        generation: u64,
    ) -> Result<Self, StartError> {
        let plan = |(name, target): (&String, &TargetConfig)| {
            let old = old.iter().find(|plan| plan.name == *name);
            Plan::made(name, target, config.default_deny, env, lasting, old)
                .map_err(|why| StartError(format!("target {name}: {why}")))
        };
        Ok(Self {
            plans: config.targets.iter().map(plan).collect::<Result<_, _>>()?,
            default: config.default_target.clone(),
            generation,
            lasting: lasting.clone(),
        })
    }

    /// Has the numbers of these targets shown from now on, in the place of those of the
    /// configuration before.
    pub(super) fn watched(&self) {
        for plan in &self.plans {
            let (cloud, region) = build::place(&plan.config.cloud);
            plan.metrics.describe(cloud, &region);
            readings::of_target(&plan.metrics, &plan.way.shared);
            readings::of_credentials(&plan.metrics, &plan.way);
        }
    }

    /// The state of the default target's credentials, and that of all.
    pub(super) fn reports(&self) -> Reports {
        let report = |plan: &Arc<Plan>| {
            let way = Arc::clone(&plan.way);
            let report: Report = Arc::new(move || way.status());
            (plan.name.clone(), report)
        };
        Reports {
            default: self.default.clone(),
            targets: self.plans.iter().map(report).collect(),
        }
    }

    /// Targets for one thread, which keeps those of `old` that are the same.
    pub(super) fn build(&self, old: &Built) -> Result<Built, StartError> {
        let built = self.plans.iter().map(|plan| {
            let old = old.0.iter().find(|(of, _)| of.name == plan.name);
            Ok((Arc::clone(plan), plan.target(old)?))
        });
        Ok(Built(built.collect::<Result<_, StartError>>()?))
    }

    /// What is served from them.
    pub(super) fn targets(&self, built: &Built) -> Targets {
        let targets = built
            .0
            .iter()
            .map(|(_, target)| Arc::clone(target))
            .collect();
        Targets::new(targets, &self.default, self.generation)
    }

    /// The files of certificates that the targets read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let tls = self.plans.iter().filter_map(|plan| plan.way.tls.as_ref());
        tls.flat_map(Tls::files).map(Path::to_path_buf).collect()
    }

    /// Reads those files again: for each target that has some, whether they had changed, or what is
    /// wrong.
    pub(super) fn refresh(&self) -> impl Iterator<Item = (&str, Result<bool, String>)> {
        self.plans.iter().filter_map(|plan| {
            let tls = plan.way.tls.as_ref()?;
            Some((plan.name.as_str(), tls.reload()))
        })
    }
}

impl Plan {
    fn made(
        name: &str,
        config: &TargetConfig,
        default_deny: bool,
        env: &Env,
        lasting: &Lasting,
        old: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        if let Some(old) = old
            && old.config == *config
            && old.default_deny == default_deny
        {
            return Ok(Arc::clone(old));
        }
        let metrics = old.map_or_else(
            || TargetMetrics::new(&lasting.metrics, name),
            |old| Arc::clone(&old.metrics),
        );
        let on_the_way = on_the_way(config);
        let way = match old {
            Some(old) if old.way.config == on_the_way => Arc::clone(&old.way),
            _ => {
                let old = old.map(|old| &*old.way);
                Arc::new(build::way(on_the_way, env, &metrics, lasting, old)?)
            }
        };
        Ok(Arc::new(Self {
            name: name.to_owned(),
            config: config.clone(),
            default_deny,
            metrics,
            way,
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
            Some((plan, target)) if Arc::ptr_eq(&plan.way, &self.way) => {
                Arc::clone(&target.provider)
            }
            _ => build::provider(&self.way).map_err(fault)?,
        };
        let (cloud, region) = build::place(&self.config.cloud);
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
            Some(rules) => build::allow(&self.name, rules).map(Some),
            None if self.default_deny => build::allow(&self.name, &[]).map(Some),
            None => Ok(None),
        }
    }
}

impl Way {
    /// The state of its credentials.
    pub(super) fn status(&self) -> Status {
        match &self.cloud {
            Prepared::Ncp(credentials) => credentials.status(),
            Prepared::FunctionGraph(settings) => settings.access.status(),
        }
    }
}

impl fmt::Debug for Blueprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.plans.iter().map(|plan| plan.name.as_str());
        write!(f, "configuration {} of ", self.generation)?;
        f.debug_list().entries(names).finish()
    }
}

/// The configuration without what only the edge reads.
fn on_the_way(config: &TargetConfig) -> TargetConfig {
    TargetConfig {
        allow: None,
        timeouts: Timeouts {
            request: Duration::ZERO,
            ..config.timeouts
        },
        ..config.clone()
    }
}
