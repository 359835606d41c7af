//! The tree against the table: every key known, every value of its type. Collects settings and
//! faults.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Faults, Place};
use super::keys::{self, Kind, Lookup, Provider};
use super::kind::{self, Setting};
use super::suggest::nearest;
use super::tree::{Node, Value};
use super::units::quoted;

/// Names that people give to secrets, letters and digits only.
const SECRET_NAMES: [&str; 14] = [
    "ak",
    "sk",
    "accesskey",
    "accesskeyid",
    "secretkey",
    "secretaccesskey",
    "secret",
    "password",
    "passwd",
    "token",
    "securitytoken",
    "sessiontoken",
    "apikey",
    "username",
];

/// What the walk has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The good values, by full path (`targets.prod.wait`).
    pub(super) settings: BTreeMap<String, Setting>,
    /// Where each path stands, good or not.
    pub(super) places: BTreeMap<String, Place>,
    /// Paths whose value is at fault already: nothing more is said of them.
    pub(super) faulty: BTreeSet<String>,
    /// The targets in name order, with their provider if it is known.
    pub(super) targets: BTreeMap<String, Option<Provider>>,
}

/// Where the walk stands.
struct Level<'w> {
    /// The full path.
    path: &'w str,
    /// The same with `*` for the target's name.
    pattern: &'w str,
    provider: Option<Provider>,
}

/// Walks the whole file.
pub(super) fn walk(root: &Node, faults: &mut Faults) -> Found {
    let mut found = Found::default();
    match &root.value {
        Value::Map(entries) => {
            found.map(
                &Level {
                    path: "",
                    pattern: "",
                    provider: None,
                },
                entries,
                faults,
            );
        }
        Value::Null => {}
        Value::Scalar(..) | Value::List(_) => {
            faults.push(
                "",
                root.place.clone(),
                "is not a map of keys; begin with a line such as `targets:`",
            );
        }
    }
    found
}

impl Found {
    /// Reads one value; a good one replaces an earlier one.
    pub(super) fn value(&mut self, path: &str, key: &keys::Key, node: &Node, faults: &mut Faults) {
        match kind::read(key, node) {
            Ok(None) => {}
            Ok(Some(setting)) => {
                self.places.insert(path.to_owned(), node.place.clone());
                self.settings.insert(path.to_owned(), setting);
            }
            Err(message) => self.fault(path, node.place.clone(), message, faults),
        }
    }

    /// Notes a fault of a path, so that no other is derived from it.
    pub(super) fn fault(
        &mut self,
        path: &str,
        place: Place,
        message: impl Into<String>,
        faults: &mut Faults,
    ) {
        self.faulty.insert(path.to_owned());
        faults.push(path, place, message);
    }

    fn map(&mut self, level: &Level<'_>, entries: &[(String, Place, Node)], faults: &mut Faults) {
        for (name, place, node) in entries {
            let path = join(level.path, name);
            let pattern = join(level.pattern, name);
            self.places.insert(path.clone(), place.clone());
            // A name with a dot would otherwise be taken for a path into a section.
            let lookup = if name.contains(['.', '*']) {
                Lookup::Unknown
            } else {
                keys::find(&pattern, level.provider)
            };
            match lookup {
                Lookup::Known(key) => match (key.kind, &node.value) {
                    (Kind::Section | Kind::Targets, Value::Null) => {}
                    (Kind::Section, Value::Map(below)) => {
                        let level = Level {
                            path: &path,
                            pattern: &pattern,
                            provider: level.provider,
                        };
                        self.map(&level, below, faults);
                    }
                    (Kind::Targets, Value::Map(targets)) => self.targets(targets, faults),
                    _ => self.value(&path, key, node, faults),
                },
                Lookup::Foreign(key) => {
                    let owner = key.provider.map_or("another provider", Provider::name);
                    self.fault(
                        &path,
                        place.clone(),
                        format!("is for provider {owner} alone; remove it"),
                        faults,
                    );
                }
                Lookup::Unknown => {
                    let message = unknown(name, level);
                    self.fault(&path, place.clone(), message, faults);
                }
            }
        }
    }

    fn targets(&mut self, targets: &[(String, Place, Node)], faults: &mut Faults) {
        for (name, place, node) in targets {
            let path = join("targets", name);
            self.places.insert(path.clone(), place.clone());
            if !(keys::TARGET_NAME.obeys)(name) {
                let message = format!(
                    "{} is no target name; write {}",
                    quoted(name),
                    keys::TARGET_NAME.says
                );
                self.fault(&path, place.clone(), message, faults);
                self.targets.insert(name.clone(), None);
                continue;
            }
            let Value::Map(entries) = &node.value else {
                self.fault(
                    &path,
                    place.clone(),
                    "is not a map of keys; begin with `provider: ncp` below it",
                    faults,
                );
                self.targets.insert(name.clone(), None);
                continue;
            };
            let provider = entries.iter().find_map(|(key, _, node)| match &node.value {
                Value::Scalar(text, _) if key == "provider" => Provider::named(text),
                _ => None,
            });
            self.map(
                &Level {
                    path: &path,
                    pattern: "targets.*",
                    provider,
                },
                entries,
                faults,
            );
            let provider_path = join(&path, "provider");
            if provider.is_none() && !self.faulty.contains(&provider_path) {
                let message = format!("is missing; write one of {}", Provider::NAMES.join(", "));
                self.fault(&provider_path, place.clone(), message, faults);
            }
            self.targets.insert(name.clone(), provider);
        }
    }
}

fn unknown(name: &str, level: &Level<'_>) -> String {
    let bare: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase();
    if SECRET_NAMES.contains(&bare.as_str()) {
        return secret(level.provider);
    }
    let here = keys::below(level.pattern, level.provider);
    if let Some(key) = nearest(name, here.iter().copied()) {
        return format!("is not a known key; did you mean {key}?");
    }
    // The right key in the wrong place is the next most likely mistake.
    let elsewhere = keys::all().find(|key| key.path.rsplit('.').next() == Some(name));
    match elsewhere {
        Some(key) => format!(
            "is not a known key here; it belongs at {}",
            key.path.replace('*', "<name>")
        ),
        None => format!("is not a known key; the keys here are {}", here.join(", ")),
    }
}

fn secret(provider: Option<Provider>) -> String {
    let variables = match provider {
        Some(Provider::FunctionGraph) => "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
        _ => "NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY",
    };
    format!(
        "looks like a secret, and secrets never stand in this file; put them into {variables} \
         (credentials: {{source: env}}) or into files of a directory \
         (credentials: {{source: files, directory: …}}), and replace this one if the file was shared"
    )
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
