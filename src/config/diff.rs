//! What differs between two configurations as they hold, key by key, and what a running sidecar
//! makes of it.
//!
//! Compared are the shown forms, which name the sources of secrets and hold none.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::keys::{self, Change, Lookup};

/// One key that differs. A target that only one side has is one difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The dotted path: `targets.prod.wait`.
    pub path: String,
    /// The value before, as JSON; absent = there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after, as JSON; absent = there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether a running sidecar takes it up only when it starts anew.
    pub restart: bool,
}

/// The differences between two effective configurations (as
/// [`effective_json`](super::effective_json) writes them), by path.
#[must_use]
pub fn diff(before: &Value, after: &Value) -> Vec<Difference> {
    let (before, after) = (flat(before), flat(after));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let mut found: Vec<Difference> = Vec::new();
    for path in paths {
        let (was, is) = (before.get(path), after.get(path));
        if was == is {
            continue;
        }
        // A target that comes or goes is told as a whole, by its provider.
        if let Some((target, provider)) = whole(path, &before, &after) {
            if found.last().is_none_or(|last| last.path != target) {
                found.push(Difference {
                    path: target,
                    before: before.get(&provider).cloned(),
                    after: after.get(&provider).cloned(),
                    restart: false,
                });
            }
            continue;
        }
        found.push(Difference {
            path: path.clone(),
            before: was.cloned(),
            after: is.cloned(),
            restart: needs_restart(path),
        });
    }
    found
}

/// The target of a path and its provider's path, if only one side has that target.
fn whole(
    path: &str,
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> Option<(String, String)> {
    let name = path.strip_prefix("targets.")?.split('.').next()?;
    let target = format!("targets.{name}");
    let provider = format!("{target}.provider");
    (before.contains_key(&provider) != after.contains_key(&provider)).then_some((target, provider))
}

/// Every value that is no map, by its dotted path. Null is absence.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Null => {}
            Value::Object(entries) => {
                for (name, value) in entries {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(&path, value, found);
                }
            }
            value => {
                found.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

fn needs_restart(path: &str) -> bool {
    let pattern = match path
        .strip_prefix("targets.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((_, key)) => format!("targets.*.{key}"),
        None => path.to_owned(),
    };
    // A key that this program does not know comes from another version: only that version can take
    // it up.
    match keys::find(&pattern, None) {
        Lookup::Known(key) => key.change == Change::Restart,
        Lookup::Foreign(_) | Lookup::Unknown => true,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {}: {before} -> {after}", self.path)?,
            (Some(before), None) => write!(f, "- {}: {before}", self.path)?,
            (None, Some(after)) => write!(f, "+ {}: {after}", self.path)?,
            (None, None) => write!(f, "  {}", self.path)?,
        }
        if self.restart {
            f.write_str("  (needs a restart)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{Default, Key, Kind};
    use super::super::tests::{EXAMPLE, good, with};
    use super::super::{Config, effective_json};
    use super::*;
    use crate::settings::units::format_duration;

    fn shown(config: &Config) -> Value {
        serde_json::from_str(&effective_json(config)).unwrap()
    }

    fn told(before: &Config, after: &Config) -> Vec<String> {
        diff(&shown(before), &shown(after))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_same_differs_in_nothing_and_a_change_is_told_with_both_values() {
        let before = good(EXAMPLE);
        assert!(told(&before, &before).is_empty());
        let mut after = before.clone();
        after.threads = 4;
        after.targets.get_mut("prod").unwrap().retry.max_attempts = 5;
        let moved = after.targets.remove("hw").unwrap();
        after.targets.insert("huawei".to_owned(), moved);
        assert_eq!(
            told(&before, &after),
            [
                "+ targets.huawei: \"functiongraph\"",
                "- targets.hw: \"functiongraph\"",
                "~ targets.prod.retry.max_attempts: 3 -> 5",
                "~ threads: 1 -> 4  (needs a restart)",
            ]
        );
    }

    /// A value for the key that is not its default, as a flag would give it.
    fn other(key: &Key) -> String {
        let default = match key.default {
            Default::Is(text) => text,
            _ => "",
        };
        let choice = match key.kind {
            Kind::Bool => vec!["true".to_owned(), "false".to_owned()],
            Kind::Word(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            Kind::Integer(min, max) => vec![min.to_string(), max.to_string()],
            Kind::Number(min, max) => vec![min.to_string(), max.to_string()],
            Kind::Size(min, max) => vec![min.to_string(), max.to_string()],
            Kind::Duration(min, max) => vec![format_duration(max), format_duration(min)],
            Kind::Listen => vec!["127.0.0.1:2".to_owned()],
            Kind::Admin => vec!["127.0.0.1:3".to_owned()],
            Kind::Address => vec!["127.0.0.1:4".to_owned()],
            Kind::Url => vec!["https://other.example".to_owned()],
            Kind::Path => vec!["/other".to_owned()],
            Kind::Texts(_) => vec!["other".to_owned()],
            _ if key.path == "default_target" => vec!["b".to_owned()],
            _ if key.path == "unix_socket.mode" => vec!["0600".to_owned()],
            kind => panic!("{}: give this test another value of {kind:?}", key.path),
        };
        choice.into_iter().find(|value| value != default).unwrap()
    }

    /// Two files that differ in every key of the sidecar itself; the key table says which of them a
    /// reload takes up.
    #[test]
    fn a_reload_takes_up_what_the_table_says_and_nothing_else() {
        let before = good("targets: { a: { provider: ncp } }");
        let flags: Vec<(&str, String)> =
            keys::scalars().map(|key| (key.path, other(key))).collect();
        let flags: Vec<(&str, &str)> = flags
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        let text = "targets: { b: { provider: ncp }, a: { provider: ncp, wait: 1s } }";
        let after = with(text, &[], &flags).unwrap_or_else(|faults| panic!("{faults}"));
        let all = diff(&shown(&before), &shown(&after));
        for key in keys::scalars() {
            assert!(
                all.iter().any(|found| found.path == key.path),
                "{} is not compared",
                key.path
            );
        }
        let now = before.reloaded(after.clone());
        let taken = diff(&shown(&before), &shown(&now));
        let waiting = diff(&shown(&now), &shown(&after));
        assert!(taken.iter().all(|found| !found.restart), "{taken:?}");
        assert!(waiting.iter().all(|found| found.restart), "{waiting:?}");
        assert_eq!(taken.len() + waiting.len(), all.len());
    }
}
