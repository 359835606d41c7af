//! The state of the cloud: its store, its clock, what runs, and how a URN finds what it names.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redb::TableDefinition;

use super::codes::{self, Refusal};
use super::lock::Locks;
use super::model::{Alias, Function, Record, Status, function_key, version_key};
use super::options::{Options, Project};
use super::queue::Active;
use super::slots::Slots;
use super::token::Tokens;
use super::urn::{LATEST, Qualifier, Urn};
use crate::clock::Clock;
use crate::http::Request;
use crate::query::Query;
use crate::runtime::Stop;
use crate::store::{Batch, Store, Table};

/// Versions by project, package, name and version.
pub(super) const FUNCTIONS: Table = TableDefinition::new("functions");
/// Their code in base64, under the same keys.
pub(super) const CODES: Table = TableDefinition::new("codes");
/// Aliases by project, package, name and alias.
pub(super) const ALIASES: Table = TableDefinition::new("aliases");
/// Asynchronous configurations by project, package, name and qualifier.
pub(super) const ASYNC_CONFIGS: Table = TableDefinition::new("async_configs");
/// Asynchronous runs by project, package, name, time and request id.
pub(super) const RECORDS: Table = TableDefinition::new("records");

/// Everything a handler needs to know of its request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) project: &'a Project,
    pub(super) query: Query,
}

impl Call<'_> {
    pub(super) fn urn(&self, slot: &str) -> Result<Urn, Refusal> {
        Urn::parse(slot, &self.project.id, self.project.region())
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.request.body
    }
}

#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) locks: Locks,
    pub(super) tokens: Tokens,
    pub(super) slots: Slots,
    pub(super) stop: Stop,
    /// Asynchronous runs that wait or run, by request id.
    pub(super) active: Mutex<HashMap<String, Active>>,
    writes: Mutex<()>,
}

impl Cloud {
    pub(super) fn open(options: Options, clock: Clock) -> io::Result<Self> {
        let tables = [FUNCTIONS, CODES, ALIASES, ASYNC_CONFIGS, RECORDS];
        let store = Store::open(options.data_dir.as_deref(), "functiongraph.redb", &tables)?;
        let cloud = Self {
            options,
            clock,
            store,
            locks: Locks::default(),
            tokens: Tokens::default(),
            slots: Slots::default(),
            stop: Stop::default(),
            active: Mutex::default(),
            writes: Mutex::new(()),
        };
        cloud.discard_lost_runs()?;
        Ok(cloud)
    }

    /// The queue is in memory: what waited or ran when the last emulator ended will not run.
    fn discard_lost_runs(&self) -> io::Result<()> {
        let end = "\u{10ffff}";
        for (key, mut record) in self.store.range::<Record>(RECORDS, "", end)? {
            if !record.status.is_over() {
                record.status = Status::Discard;
                record.error_message = "the emulator was restarted".into();
                record.end_ms = Some(self.clock.now_ms());
                self.store
                    .write(&Batch::default().put(RECORDS, &key, &record)?)?;
            }
        }
        Ok(())
    }

    /// Checks and changes that belong together hold this. Never held across an `await`.
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn active(&self) -> MutexGuard<'_, HashMap<String, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The project of a path. INFERRED: one of another account is answered as a missing right.
    pub(super) fn project(&self, id: &str) -> Result<&Project, Refusal> {
        let mut projects = self.options.projects.iter();
        projects
            .find(|project| project.id == id)
            .ok_or_else(|| codes::FORBIDDEN.refuse("the project does not belong to the account"))
    }

    pub(super) fn find(
        &self,
        project: &str,
        urn: &Urn,
        version: &str,
    ) -> Result<Option<Function>, Refusal> {
        let key = version_key(project, &urn.package, &urn.name, version);
        Ok(self.store.get(FUNCTIONS, &key)?)
    }

    /// The version that can be changed, whatever the URN's qualifier is.
    pub(super) fn latest(&self, project: &str, urn: &Urn) -> Result<Function, Refusal> {
        Ok(self
            .find(project, urn, LATEST)?
            .ok_or(codes::FUNCTION_MISSING)?)
    }

    /// For changes: only `latest` can be changed (version page). INFERRED: a change of another
    /// version is a bad version name.
    pub(super) fn changeable(&self, project: &str, urn: &Urn) -> Result<Function, Refusal> {
        let latest = self.latest(project, urn)?;
        match &urn.qualifier {
            Qualifier::None => Ok(latest),
            Qualifier::Version(version) if version == LATEST => Ok(latest),
            _ => Err(codes::VERSION_NAME.refuse("only the version latest can be changed")),
        }
    }

    /// The version that the URN names. An alias leads to its main version.
    pub(super) fn version(&self, project: &str, urn: &Urn) -> Result<Function, Refusal> {
        let latest = self.latest(project, urn)?;
        let version = match &urn.qualifier {
            Qualifier::None => return Ok(latest),
            Qualifier::Version(version) => version.clone(),
            Qualifier::Alias(alias) => self.alias(project, urn, alias)?.version,
        };
        Ok(self
            .find(project, urn, &version)?
            .ok_or(codes::VERSION_MISSING)?)
    }

    pub(super) fn versions(&self, project: &str, urn: &Urn) -> Result<Vec<Function>, Refusal> {
        let prefix = format!("{}/", function_key(project, &urn.package, &urn.name));
        Ok(self.store.list(FUNCTIONS, &prefix)?)
    }

    pub(super) fn alias(&self, project: &str, urn: &Urn, name: &str) -> Result<Alias, Refusal> {
        let key = format!("{}/{name}", function_key(project, &urn.package, &urn.name));
        Ok(self.store.get(ALIASES, &key)?.ok_or(codes::ALIAS_MISSING)?)
    }

    pub(super) fn aliases(&self, project: &str, urn: &Urn) -> Result<Vec<Alias>, Refusal> {
        let prefix = format!("{}/", function_key(project, &urn.package, &urn.name));
        Ok(self.store.list(ALIASES, &prefix)?)
    }

    /// The bytes of a version's code.
    pub(super) fn code(&self, function: &Function) -> Result<Vec<u8>, Refusal> {
        let text: String = self.store.get(CODES, &function.key())?.unwrap_or_default();
        STANDARD
            .decode(text)
            .map_err(|error| codes::INTERNAL.refuse(error.to_string()))
    }

    /// Writes a version down, and its code when that is new.
    pub(super) fn save(&self, function: &Function, code: Option<&[u8]>) -> Result<(), Refusal> {
        let key = function.key();
        let mut batch = Batch::default().put(FUNCTIONS, &key, function)?;
        if let Some(code) = code {
            batch = batch.put(CODES, &key, &STANDARD.encode(code))?;
        }
        Ok(self.store.write(&batch)?)
    }
}

/// A UUID of version 4, as the cloud's request ids are.
pub(super) fn uuid() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    parts.join("-")
}
