//! Target name → the cloud, place and account behind it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind, Result, reason};
use crate::provider::Provider;
use crate::telemetry::Destination;
use crate::telemetry::metrics::TargetMetrics;

mod allow;

pub use allow::{Allow, Operation, Rule, Subject};

/// One configured target.
pub struct Target {
    /// Its name in the configuration, its cloud and its region.
    pub destination: Arc<Destination>,
    /// Its cloud. Shared by the targets of two configurations when nothing of it changed between
    /// them.
    pub provider: Arc<dyn Provider>,
    /// The calls that are allowed; `None` = all.
    pub allow: Option<Allow>,
    /// The longest any call to it may take; callers may ask for less.
    pub request_timeout: Duration,
    /// What is counted for it.
    pub metrics: Arc<TargetMetrics>,
}

/// All targets of one configuration.
#[derive(Debug)]
pub struct Targets {
    /// Which configuration this is: 1 for the one at the start, one more with each reload.
    pub config_generation: u64,
    by_name: BTreeMap<String, Arc<Target>>,
    default: Option<Arc<Target>>,
}

impl Target {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.destination.target
    }
}

impl Targets {
    /// Takes the targets; `default` names the one for requests that name none.
    #[must_use]
    pub fn new(targets: Vec<Arc<Target>>, default: &str, config_generation: u64) -> Self {
        let by_name: BTreeMap<_, _> = targets
            .into_iter()
            .map(|target| (target.name().to_owned(), target))
            .collect();
        let default = by_name.get(default).cloned();
        Self {
            config_generation,
            by_name,
            default,
        }
    }

    /// The target that a request means.
    ///
    /// # Errors
    /// `NotFound` with the configured names.
    pub fn get(&self, name: &str) -> Result<Arc<Target>> {
        let found = if name.is_empty() {
            self.default.as_ref()
        } else {
            self.by_name.get(name)
        };
        found.cloned().ok_or_else(|| {
            let names = self.by_name.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = if name.is_empty() {
                format!("The request names no target and the sidecar has no default; set target to one of: {names}.")
            } else {
                format!("The sidecar has no target {name:?}; set target to one of: {names}.")
            };
            Error::new(Kind::NotFound, reason::TARGET_NOT_FOUND, message).resource("target", name)
        })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.by_name.values()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.provider.name())
    }
}
