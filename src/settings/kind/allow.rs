//! The rules of `allow`: a list of maps, read with all that is wrong in it.

use serde::Serialize;

use crate::settings::suggest::nearest;
use crate::settings::tree::{Node, Value};
use crate::settings::units::quoted;

/// The words for groups of calls in `allow`; `docs/operations/refused.md` ("Rules for callers")
/// says which calls each covers.
pub const OPERATIONS: &[&str] = &[
    "invoke", "observe", "cancel", "fire", "read", "write", "delete", "*",
];

/// One rule of a target's `allow`: these operations on these actions and triggers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AllowRule {
    /// `package/action` patterns.
    pub actions: Vec<String>,
    /// Patterns of trigger names.
    pub triggers: Vec<String>,
    /// Words of [`OPERATIONS`].
    pub operations: Vec<String>,
}

const KEYS: [&str; 3] = ["actions", "triggers", "operations"];

/// Reads the whole list. An empty one is right: it allows nothing.
///
/// # Errors
/// Everything that is wrong, each with the number of its rule.
pub(super) fn rules(items: &[Node]) -> Result<Vec<AllowRule>, String> {
    let mut faults = Vec::new();
    let rules = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            rule(item, &mut |fault| {
                faults.push(format!("rule {}: {fault}", index + 1));
            })
        })
        .collect();
    if faults.is_empty() {
        Ok(rules)
    } else {
        Err(faults.join("; "))
    }
}

fn rule(item: &Node, fault: &mut dyn FnMut(String)) -> AllowRule {
    let mut rule = AllowRule::default();
    let Value::Map(entries) = &item.value else {
        fault("is no map; write {actions: [\"reports/*\"], operations: [invoke]}".to_owned());
        return rule;
    };
    for (name, _, node) in entries {
        let list = match name.as_str() {
            "actions" => &mut rule.actions,
            "triggers" => &mut rule.triggers,
            "operations" => &mut rule.operations,
            _ => {
                fault(match nearest(name, KEYS) {
                    Some(key) => {
                        format!("{} is not a known key; did you mean {key}?", quoted(name))
                    }
                    None => format!(
                        "{} is not a known key; the keys are {}",
                        quoted(name),
                        KEYS.join(", ")
                    ),
                });
                continue;
            }
        };
        match texts(node) {
            Some(texts) => *list = texts,
            None => fault(format!("{name} is no list of texts; write {name}: [\"…\"]")),
        }
    }
    for text in &rule.actions {
        if let Err(why) = super::pattern(text) {
            fault(format!("actions: {why}"));
        }
    }
    if let Some(text) = rule
        .triggers
        .iter()
        .find(|text| text.is_empty() || text.contains('/'))
    {
        fault(format!(
            "triggers: {} is no name, nor a pattern of names with *",
            quoted(text)
        ));
    }
    for text in &rule.operations {
        if !OPERATIONS.contains(&text.as_str()) {
            let words = OPERATIONS.join(", ");
            fault(match nearest(text, OPERATIONS.iter().copied()) {
                Some(word) => format!(
                    "operations: {} is not one of {words}; did you mean {word}?",
                    quoted(text)
                ),
                None => format!("operations: {} is not one of {words}", quoted(text)),
            });
        }
    }
    let stands = |key: &str| entries.iter().any(|(name, ..)| name == key);
    if !stands("operations") {
        fault(format!(
            "operations is missing; write some of {}",
            OPERATIONS.join(", ")
        ));
    }
    if !stands("actions") && !stands("triggers") {
        fault(
            "has neither actions nor triggers, so that it allows nothing; write one of them"
                .to_owned(),
        );
    }
    rule
}

fn texts(node: &Node) -> Option<Vec<String>> {
    let Value::List(items) = &node.value else {
        return None;
    };
    items
        .iter()
        .map(|item| match &item.value {
            Value::Scalar(text, _) => Some(text.clone()),
            _ => None,
        })
        .collect()
}
