//! The one table of keys: what may stand in the file, of which type, in which range, with which
//! default.
//!
//! Validation, the JSON Schema, the Markdown table, the flags and the environment variables all
//! read it, so none of them can disagree. A new key is one row here and one line where the settings
//! are built.

mod credentials;
mod target;
mod top;

pub use target::OPERATIONS;

use std::time::Duration;

pub(crate) use top::TARGET_NAME;

/// A cloud that a target can speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// NAVER Cloud Functions.
    Ncp,
    /// Huawei FunctionGraph, and Open Telekom Cloud.
    FunctionGraph,
}

impl Provider {
    /// Every provider, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Ncp, Self::FunctionGraph];
    /// Their names in the file, in the same order.
    pub const NAMES: [&'static str; 2] = ["ncp", "functiongraph"];

    /// The name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ncp => "ncp",
            Self::FunctionGraph => "functiongraph",
        }
    }

    /// The provider of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The dotted path; `*` stands for any target's name.
    pub path: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// What holds when the key is absent.
    pub default: Default,
    /// The one provider that the key is for; `None` = all.
    pub provider: Option<Provider>,
    /// How a change reaches a running sidecar.
    pub change: Change,
    /// One sentence or two for the reader of `--help`, the schema and docs/configuration.md.
    pub doc: &'static str,
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A map of further keys.
    Section,
    /// The map of targets.
    Targets,
    /// Any text that the rule accepts.
    Text(Rule),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Integer(u64, u64),
    /// A number.
    Number(f64, f64),
    /// `true` or `false`.
    Bool,
    /// A number and a unit.
    Duration(Duration, Duration),
    /// Bytes, with or without a unit.
    Size(u64, u64),
    /// One listening address or a list of them.
    Listen,
    /// A listening address, or `off`.
    Admin,
    /// An IP address with a port, or `off`.
    Address,
    /// An http or https URL.
    Url,
    /// A path; a leading `~/` is the home directory.
    Path,
    /// A list of `package/action` patterns.
    Patterns,
    /// A list of texts that the rule accepts, which may be empty.
    Texts(Rule),
    /// A list of rules that say which calls are allowed.
    Allow,
}

/// How a change of a key reaches a running sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// With the next reload.
    Reload,
    /// With the next start: the reload keeps the old value and says so.
    Restart,
}

/// What a free text must look like. An open set: the cloud adds members without telling us.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The same rule for the JSON Schema.
    pub pattern: &'static str,
    /// The same rule for a person.
    pub says: &'static str,
    /// Whether a text obeys it.
    pub obeys: fn(&str) -> bool,
}

/// What holds when a key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// This text, read as the file would be.
    Is(&'static str),
    /// It depends on other keys, as told here.
    Depends(&'static str),
    /// Nothing.
    Nothing,
    /// The key must be there.
    Required,
}

/// How a path fares against the table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lookup {
    /// This key.
    Known(&'static Key),
    /// A key of another provider.
    Foreign(&'static Key),
    /// No key.
    Unknown,
}

/// Every key, in the order of the documentation: first the sidecar's own, then a target's.
pub fn all() -> impl Iterator<Item = &'static Key> {
    top::KEYS
        .iter()
        .chain(target::KEYS)
        .chain(credentials::KEYS)
        .chain(target::BEHAVIOUR)
}

/// The keys of the sidecar itself that hold one value: each is also a flag and a variable.
pub fn scalars() -> impl Iterator<Item = &'static Key> {
    top::KEYS
        .iter()
        .filter(|key| !matches!(key.kind, Kind::Section | Kind::Targets))
}

/// The row of a path. With no provider known, any provider's row will do.
pub(super) fn find(path: &str, provider: Option<Provider>) -> Lookup {
    let mut foreign = Lookup::Unknown;
    for key in all().filter(|key| key.path == path) {
        if key.provider.is_none() || provider.is_none() || key.provider == provider {
            return Lookup::Known(key);
        }
        foreign = Lookup::Foreign(key);
    }
    foreign
}

/// The last names of the keys directly below a path, for the provider.
pub(super) fn below(path: &str, provider: Option<Provider>) -> Vec<&'static str> {
    let mut names: Vec<&str> = all()
        .filter(|key| key.provider.is_none() || provider.is_none() || key.provider == provider)
        .filter_map(|key| {
            let rest = if path.is_empty() {
                key.path
            } else {
                key.path.strip_prefix(path)?.strip_prefix('.')?
            };
            (!rest.contains('.') && rest != "*").then_some(rest)
        })
        .collect();
    names.dedup();
    names
}

impl Key {
    /// The flag of a key: `log.format` → `log-format`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The environment variable of a key: `log.format` → `FAAS_SIDECAR_LOG_FORMAT`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!(
            "FAAS_SIDECAR_{}",
            self.path.replace('.', "_").to_uppercase()
        )
    }
}

#[cfg(test)]
mod tests;
