//! The state of the cloud: its store, its clock, what runs, and the rules that all kinds of
//! resources share.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Options;
use super::codes::{self, Refusal};
use super::model::{Action, Activation, Link, NO_PACKAGE, Package, Summary, Trigger};
use super::site::{Generation, Platform, korean_time};
use crate::clock::Clock;
use crate::cron::{self, Schedule};
use crate::query::Query;
use crate::runtime::Stop;
use crate::store::{Batch, Store, Table};

pub(super) const PACKAGES: Table = TableDefinition::new("packages");
pub(super) const ACTIONS: Table = TableDefinition::new("actions");
pub(super) const TRIGGERS: Table = TableDefinition::new("triggers");
pub(super) const LINKS: Table = TableDefinition::new("links");
/// Which kind of thing holds a name.
pub(super) const NAMES: Table = TableDefinition::new("names");
pub(super) const ACTIVATIONS: Table = TableDefinition::new("activations");
/// Summaries of activations by start time.
pub(super) const TIMELINE: Table = TableDefinition::new("timeline");

/// Everything a handler needs to know of its request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) generation: Generation,
    pub(super) platform: Platform,
    pub(super) query: Query,
    pub(super) body: bytes::Bytes,
}

/// What holds a name. Names are unique across packages, actions and triggers (NCP docs: putaction,
/// puttrigger).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Holder {
    Package,
    /// In this package.
    Action(String),
    Trigger,
}

#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) schedule: Schedule,
    pub(super) stop: Stop,
    in_flight: AtomicUsize,
    writes: Mutex<()>,
}

impl Cloud {
    pub(super) fn open(options: Options, clock: Clock) -> io::Result<Self> {
        let tables = [
            PACKAGES,
            ACTIONS,
            TRIGGERS,
            LINKS,
            NAMES,
            ACTIVATIONS,
            TIMELINE,
        ];
        // Emulators of several sites may share a directory, as the sites of one account share
        // nothing else.
        let file = format!("ncp-{}.redb", options.site);
        let store = Store::open(options.data_dir.as_deref(), &file, &tables)?;
        let cloud = Self {
            options,
            clock,
            store,
            schedule: Schedule::default(),
            stop: Stop::default(),
            in_flight: AtomicUsize::new(0),
            writes: Mutex::new(()),
        };
        for trigger in cloud.store.list::<Trigger>(TRIGGERS, "")? {
            cloud.reschedule(&trigger);
        }
        Ok(cloud)
    }

    /// Checks and changes that belong together hold this. Never held across an `await`.
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a trigger of type cron on the schedule. Patterns are checked when they come in.
    pub(super) fn reschedule(&self, trigger: &Trigger) {
        let pattern = trigger
            .options
            .get("cronOption")
            .and_then(|pattern| pattern.as_str());
        if let Some(Ok(cron)) = pattern.map(cron::parse) {
            let now = self.clock.now().with_timezone(&korean_time());
            self.schedule.set(&trigger.name, cron, now);
        }
    }

    pub(super) fn find_package(&self, name: &str) -> Result<Option<Package>, Refusal> {
        Ok(self.store.get(PACKAGES, name)?)
    }

    /// A package on the platform of the call.
    pub(super) fn package(&self, name: &str, platform: Platform) -> Result<Package, Refusal> {
        let package = self
            .find_package(name)?
            .ok_or_else(|| codes::PACKAGE_NOT_FOUND.refuse(format!("no package {name}")))?;
        same_platform(package.platform, platform, codes::PACKAGE_PLATFORM_MISMATCH)?;
        Ok(package)
    }

    pub(super) fn find_action(&self, package: &str, name: &str) -> Result<Option<Action>, Refusal> {
        Ok(self.store.get(ACTIONS, &format!("{package}/{name}"))?)
    }

    /// An action on the platform of the call.
    pub(super) fn action(
        &self,
        package: &str,
        name: &str,
        platform: Platform,
    ) -> Result<Action, Refusal> {
        let action = self
            .find_action(package, name)?
            .ok_or_else(|| codes::ACTION_NOT_FOUND.refuse(format!("no action {package}/{name}")))?;
        same_platform(action.platform, platform, codes::ACTION_PLATFORM_MISMATCH)?;
        Ok(action)
    }

    pub(super) fn find_trigger(&self, name: &str) -> Result<Option<Trigger>, Refusal> {
        Ok(self.store.get(TRIGGERS, name)?)
    }

    /// A trigger on the platform of the call.
    pub(super) fn trigger(&self, name: &str, platform: Platform) -> Result<Trigger, Refusal> {
        let trigger = self
            .find_trigger(name)?
            .ok_or_else(|| codes::TRIGGER_NOT_FOUND.refuse(format!("no trigger {name}")))?;
        same_platform(trigger.platform, platform, codes::TRIGGER_PLATFORM_MISMATCH)?;
        Ok(trigger)
    }

    /// The links of one trigger.
    pub(super) fn links_of_trigger(&self, trigger: &str) -> Result<Vec<Link>, Refusal> {
        Ok(self.store.list(LINKS, &format!("{trigger}/"))?)
    }

    /// The links to one action.
    pub(super) fn links_to_action(
        &self,
        package: &str,
        action: &str,
    ) -> Result<Vec<Link>, Refusal> {
        let mut links = self.store.list::<Link>(LINKS, "")?;
        links.retain(|link| link.package == package && link.action == action);
        Ok(links)
    }

    /// Fails with a conflict when something else has this name; says whether the holder is there
    /// already.
    pub(super) fn claim(&self, name: &str, holder: &Holder) -> Result<bool, Refusal> {
        match self.store.get::<Holder>(NAMES, name)? {
            None => Ok(false),
            Some(present) if present == *holder => Ok(true),
            Some(_) => Err(codes::NAME_CONFLICT.refuse(format!("the name {name} is taken"))),
        }
    }

    /// A slot among the actions that run; `None` when all are taken.
    pub(super) fn slot(self: &Arc<Self>) -> Option<Slot> {
        let slot = Slot {
            cloud: Arc::clone(self),
        };
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        (before < self.options.concurrency).then_some(slot)
    }

    /// Writes an activation down, and forgets what is older than the API shows.
    pub(super) fn record(&self, activation: &Activation) -> io::Result<()> {
        let summary = Summary {
            id: activation.id.clone(),
            owner: activation.owner(),
            platform: activation.platform,
            duration: activation.duration(),
            status: activation.response.status.clone(),
        };
        let mut batch = Batch::default().put(ACTIVATIONS, &activation.id, activation)?;
        let key = format!("{}/{}", time_key(activation.start), activation.id);
        batch = batch.put(TIMELINE, &key, &summary)?;
        let oldest = self.clock.now_ms() - super::activation::WINDOW_MS;
        for (key, old) in self
            .store
            .range::<Summary>(TIMELINE, "", &time_key(oldest))?
        {
            batch = batch.remove(TIMELINE, &key).remove(ACTIVATIONS, &old.id);
        }
        self.store.write(&batch)
    }

    /// `{namespace}/{package}`, or the namespace alone outside packages.
    pub(super) fn path(&self, package: &str) -> String {
        match package {
            NO_PACKAGE => self.options.namespace.clone(),
            package => format!("{}/{package}", self.options.namespace),
        }
    }

    /// Four characters that stay the same for the same thing, as in the documents' examples.
    pub(super) fn resource_id(&self, kind: &str, name: &str) -> String {
        let digest = Sha256::digest(format!("{}/{kind}/{name}", self.options.namespace));
        hex::encode(&digest[..2])
    }
}

/// A key that sorts as its time.
pub(super) fn time_key(ms: i64) -> String {
    format!("{:015}", ms.max(0))
}

fn same_platform(has: Platform, asked: Platform, code: codes::Code) -> Result<(), Refusal> {
    if has == asked {
        return Ok(());
    }
    Err(code.refuse(format!("it is on {}, not on {}", has.name(), asked.name())))
}

/// Gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    cloud: Arc<Cloud>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.cloud.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
