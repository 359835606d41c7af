//! The tree against the table: every key known, every value of its type. Collects settings and
//! faults.

use super::keys::{self, Key, Kind, Lookup};
use crate::provider::{CLOUD_NAMES, CLOUDS, cloud_named};
use crate::settings::units::quoted;
use crate::settings::{Faults, Found, Node, Place, TARGET_NAME, Value, nearest, read};

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

/// Where the walk stands.
struct Level<'w> {
    /// The full path.
    path: &'w str,
    /// The same with `*` for the target's name.
    pattern: &'w str,
    provider: Option<&'static str>,
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
    pub(super) fn value(&mut self, path: &str, key: &Key, node: &Node, faults: &mut Faults) {
        match read(key, node) {
            Ok(None) => {}
            Ok(Some(setting)) => {
                self.places.insert(path.to_owned(), node.place.clone());
                self.settings.insert(path.to_owned(), setting);
            }
            Err(message) => self.fault(path, node.place.clone(), message, faults),
        }
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
                    let owner = key.provider.unwrap_or("another provider");
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
            if !(TARGET_NAME.obeys)(name) {
                let message = format!(
                    "{} is no target name; write {}",
                    quoted(name),
                    TARGET_NAME.says
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
                Value::Scalar(text, _) if key == "provider" => {
                    cloud_named(text).map(|cloud| cloud.name)
                }
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
                let message = format!("is missing; write one of {}", CLOUD_NAMES.join(", "));
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

fn secret(provider: Option<&str>) -> String {
    let cloud = provider.and_then(cloud_named).unwrap_or(CLOUDS[0]);
    let variables = cloud.variables;
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
