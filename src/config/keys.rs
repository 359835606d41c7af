//! The one table of keys, put together from what the modules declare.
//!
//! Validation, the JSON Schema, the Markdown table, the flags and the environment variables all
//! read it, so none of them can disagree.

use std::sync::LazyLock;

use super::{Config, TargetConfig};
use crate::provider::CLOUDS;
use crate::settings::Section as _;
use crate::settings::units::format_duration;
pub use crate::settings::{Change, Default, Key, Kind, OPERATIONS, Rule};
use crate::transport::Timeouts;

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

static TABLE: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    Config::keys(&mut keys);
    TargetConfig::keys(&mut keys);
    let attempt = Timeouts::attempt.key.path;
    for key in keys.iter_mut().filter(|key| key.path == attempt) {
        key.default = Default::Depends(attempt_default().leak());
    }
    keys
});

/// Each cloud holds a call for another time.
fn attempt_default() -> String {
    let bounds: Vec<_> = CLOUDS
        .iter()
        .map(|cloud| match format_duration(cloud.attempt) {
            first if cloud.name == CLOUDS[0].name => first,
            other => format!("on {} {other}", cloud.name),
        })
        .collect();
    format!(
        "{}, or timeouts.request if that is shorter",
        bounds.join(", ")
    )
}

/// Every key, in the order of the documentation: first the sidecar's own, then a target's.
pub fn all() -> impl Iterator<Item = &'static Key> {
    TABLE.iter()
}

/// The keys of the sidecar itself that hold one value: each is also a flag and a variable.
pub fn scalars() -> impl Iterator<Item = &'static Key> {
    all().filter(|key| !key.path.starts_with("targets") && !matches!(key.kind, Kind::Section))
}

/// The row of a path. With no provider known, any provider's row will do.
pub(super) fn find(path: &str, provider: Option<&str>) -> Lookup {
    let mut foreign = Lookup::Unknown;
    for key in all().filter(|key| key.path == path) {
        if key.is_of(provider) {
            return Lookup::Known(key);
        }
        foreign = Lookup::Foreign(key);
    }
    foreign
}

/// The last names of the keys directly below a path, for the provider.
pub(super) fn below(path: &str, provider: Option<&str>) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for key in all().filter(|key| key.is_of(provider)) {
        let rest = match path {
            "" => Some(key.path),
            path => key
                .path
                .strip_prefix(path)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        if let Some(name) = rest
            && !name.contains('.')
            && name != "*"
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests;
