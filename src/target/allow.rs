//! Which calls a target allows: rules of the configuration, matched before anything else of the
//! target is asked.
//!
//! A call's subject is one action (`package/action`), everything of a package (`package/*`),
//! everything there is (`*/*`), or a trigger. No cloud allows `*` in a name, so a pattern covers
//! "everything" only when it says so itself.

use crate::error::{Error, Kind, Result, reason};
use crate::names::{NamePattern, Pattern};

/// What a call does: the word of the configuration for a group of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Runs an action.
    Invoke,
    /// Reads what runs came to: results, logs, states.
    Observe,
    /// Stops a run.
    Cancel,
    /// Fires a trigger.
    Fire,
    /// Reads and lists what is deployed.
    Read,
    /// Creates and changes it.
    Write,
    /// Deletes it.
    Delete,
}

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// An action, `*` for all of them; the package is `-` for none, `*` for all.
    Action(&'a str, &'a str),
    /// A trigger, `*` for all of them.
    Trigger(&'a str),
}

/// The rules of one target.
#[derive(Debug)]
pub struct Allow {
    place: String,
    rules: Vec<Rule>,
}

/// One rule: these operations on these actions and triggers.
#[derive(Debug)]
pub struct Rule {
    /// Actions that it is about.
    pub actions: Vec<Pattern>,
    /// Triggers that it is about.
    pub triggers: Vec<NamePattern>,
    /// What is allowed on them.
    pub operations: Vec<Operation>,
}

impl Operation {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Invoke,
        Self::Observe,
        Self::Cancel,
        Self::Fire,
        Self::Read,
        Self::Write,
        Self::Delete,
    ];

    /// The word of the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Observe => "observe",
            Self::Cancel => "cancel",
            Self::Fire => "fire",
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    /// The operations that a word of the configuration means; `*` means all, an unknown word none.
    pub fn named(word: &str) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |operation| word == "*" || operation.word() == word)
    }
}

impl Allow {
    /// Rules that stand at `place` in the configuration, such as `targets.prod.allow`. No rule
    /// allows nothing.
    #[must_use]
    pub fn new(place: String, rules: Vec<Rule>) -> Self {
        Self { place, rules }
    }

    /// Lets a call pass, or says what would have to be added where.
    ///
    /// # Errors
    /// `PermissionDenied` with reason `NOT_ALLOWED_BY_CONFIGURATION`.
    pub fn check(&self, operation: Operation, subject: Subject<'_>) -> Result<()> {
        let covered = |rule: &Rule| {
            rule.operations.contains(&operation)
                && match subject {
                    Subject::Action(package, action) => rule
                        .actions
                        .iter()
                        .any(|pattern| pattern.covers(package, action)),
                    Subject::Trigger(name) => {
                        rule.triggers.iter().any(|pattern| pattern.covers(name))
                    }
                }
        };
        if self.rules.iter().any(covered) {
            return Ok(());
        }
        Err(self.refused(operation.word(), subject))
    }

    fn refused(&self, operation: &str, subject: Subject<'_>) -> Error {
        let place = &self.place;
        let (kind, name) = match subject {
            Subject::Action(package, action) => ("action", format!("{package}/{action}")),
            Subject::Trigger(name) => ("trigger", name.to_owned()),
        };
        let quoted = serde_json::Value::from(name.as_str());
        let message = format!(
            "The sidecar's configuration does not allow {operation} on {kind} {name}; to allow it, add \
             {{{kind}s: [{quoted}], operations: [{operation}]}} to {place}."
        );
        Error::new(
            Kind::PermissionDenied,
            reason::NOT_ALLOWED_BY_CONFIGURATION,
            message,
        )
        .resource(kind, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(actions: &[&str], triggers: &[&str], words: &[&str]) -> Allow {
        let rule = Rule {
            actions: actions
                .iter()
                .map(|text| Pattern::parse(text).unwrap())
                .collect(),
            triggers: triggers.iter().map(|text| NamePattern::new(text)).collect(),
            operations: words
                .iter()
                .flat_map(|word| Operation::named(word))
                .collect(),
        };
        Allow::new("targets.t.allow".to_owned(), vec![rule])
    }

    #[test]
    fn a_pattern_covers_everything_only_when_it_says_so() {
        let of_package = allow(&["pay/*"], &[], &["read"]);
        let of_some = allow(&["pay/get-*"], &[], &["read"]);
        let of_all = allow(&["*/*"], &[], &["read"]);
        for (subject, package, some, all) in [
            (Subject::Action("pay", "get-x"), true, true, true),
            (Subject::Action("pay", "*"), true, false, true),
            (Subject::Action("*", "*"), false, false, true),
            (Subject::Action("other", "get-x"), false, false, true),
            (Subject::Action("-", "get-x"), false, false, true),
            (Subject::Trigger("pay"), false, false, false),
        ] {
            assert_eq!(
                of_package.check(Operation::Read, subject).is_ok(),
                package,
                "{subject:?}"
            );
            assert_eq!(
                of_some.check(Operation::Read, subject).is_ok(),
                some,
                "{subject:?}"
            );
            assert_eq!(
                of_all.check(Operation::Read, subject).is_ok(),
                all,
                "{subject:?}"
            );
            assert!(
                of_all.check(Operation::Write, subject).is_err(),
                "{subject:?}"
            );
        }
    }

    #[test]
    fn a_refusal_says_what_to_add_where() {
        let error = allow(&[], &["n*"], &["fire"])
            .check(Operation::Fire, Subject::Trigger("daily"))
            .unwrap_err();
        assert_eq!(
            (error.kind, error.reason.as_ref()),
            (Kind::PermissionDenied, "NOT_ALLOWED_BY_CONFIGURATION")
        );
        assert!(
            error
                .message
                .ends_with("add {triggers: [\"daily\"], operations: [fire]} to targets.t.allow."),
            "{error}"
        );
        assert!(
            allow(&[], &["n*"], &["*"])
                .check(Operation::Delete, Subject::Trigger("nightly"))
                .is_ok()
        );
    }
}
