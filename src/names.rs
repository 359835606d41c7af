//! Names, parsed once at the edge and correct from then on.
//!
//! NCP names are `[A-Za-z0-9_][A-Za-z0-9_-]{0,49}` (NCP docs: compute-cloudfunctions-v2-putpackage,
//! -putaction, -puttrigger), so they never need percent-encoding and can never name another API
//! path.

use std::fmt;

use crate::error::Faults;

mod function;

pub use function::{
    AliasName, AsyncRequestId, FUNCTION_NAME_MAX, FunctionName, FunctionPackage, FunctionUrn,
    FunctionVersion, Qualifier,
};

/// Longest NCP package, action or trigger name, in characters.
pub const NCP_NAME_MAX: usize = 50;

/// A package, action or trigger name of NCP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NcpName(String);

/// A package of NCP, or `-` for "no package".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NcpPackage(String);

/// An activation id of NCP: letters, digits and `-` (32 hex digits as documented, open as ids are
/// the cloud's).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NcpActivationId(String);

impl NcpName {
    /// Reads a required name; what is wrong goes to `faults`.
    pub fn parse(name: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        match ncp_fault(name) {
            None => Some(Self(name.to_owned())),
            Some(fault) => {
                faults.add(field, fault);
                None
            }
        }
    }

    /// The name as it goes into a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NcpPackage {
    /// Reads a package; empty and `-` both mean "no package".
    pub fn parse(name: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        if matches!(name, "" | "-") {
            return Some(Self("-".to_owned()));
        }
        NcpName::parse(name, field, faults).map(|name| Self(name.0))
    }

    /// The package as it goes into a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NcpActivationId {
    /// Reads a required activation id.
    pub fn parse(id: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        let read = Self::read(id);
        if read.is_none() {
            faults.add(
                field,
                "must be an activation id: 32 hexadecimal digits, as the invocation answered.",
            );
        }
        read
    }

    /// Reads an id that the cloud says: it goes into URLs and to callers, so that nothing else may
    /// be in it.
    #[must_use]
    pub fn read(id: &str) -> Option<Self> {
        is_run_id(id).then(|| Self(id.to_owned()))
    }

    /// The id as it goes into a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pattern of `package/action` names, where `*` stands for any characters of one half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    package: String,
    action: String,
}

impl Pattern {
    /// Reads `package/action`, `package/*`, `*/act*`, `-/action`.
    ///
    /// # Errors
    /// One sentence when the text has not exactly one slash or an empty half.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((package, action))
                if !package.is_empty() && !action.is_empty() && !action.contains('/') =>
            {
                Ok(Self {
                    package: package.to_owned(),
                    action: action.to_owned(),
                })
            }
            _ => Err(format!(
                "{text:?} is no pattern; write package/action, where * stands for any characters."
            )),
        }
    }

    /// True when the pattern covers the full name `package/action`.
    #[must_use]
    pub fn matches(&self, full: &str) -> bool {
        full.split_once('/')
            .is_some_and(|(package, action)| self.covers(package, action))
    }

    /// The same for a name in two halves.
    #[must_use]
    pub fn covers(&self, package: &str, action: &str) -> bool {
        covers(&self.package, package) && covers(&self.action, action)
    }
}

/// A pattern of names that have no halves, such as triggers', where `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Takes any text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// True when the pattern covers the name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        covers(&self.0, name)
    }
}

/// Whether `name` is `pattern` with each `*` filled in: the first part a prefix, the last a suffix,
/// the rest in order.
fn covers(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|prefix| name.strip_prefix(prefix)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(suffix) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(suffix)
}

/// The form of a run's id on either cloud: at most 128 letters, digits and `-`.
fn is_run_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What is wrong with an NCP name, if anything.
fn ncp_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("is required.".to_owned());
    }
    if name.chars().count() > NCP_NAME_MAX {
        return Some(format!(
            "has {} characters; the limit is {NCP_NAME_MAX}.",
            name.chars().count()
        ));
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
    {
        return Some(format!(
            "holds {bad:?}; only letters, digits, _ and - are allowed."
        ));
    }
    name.starts_with('-')
        .then(|| "must not begin with -.".to_owned())
}

impl fmt::Display for NcpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NcpPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NcpActivationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str) -> Option<String> {
        let mut faults = Faults::new();
        NcpName::parse(name, "action_name", &mut faults);
        faults
            .into_result()
            .err()
            .map(|error| error.message.clone())
    }

    #[test]
    fn good_names_pass() {
        for name in ["a", "A1_-", "_x", "0", &"n".repeat(50)] {
            assert_eq!(fault(name), None, "{name}");
        }
    }

    #[test]
    fn patterns_cover_what_they_say() {
        let matches = |pattern: &str, name: &str| Pattern::parse(pattern).unwrap().matches(name);
        assert!(matches("reports/*", "reports/daily"));
        assert!(matches("-/ping", "-/ping"));
        assert!(matches("*/*", "a/b"));
        assert!(matches("a*/r*-*y", "abc/report-daily"));
        assert!(!matches("a*/r*-*y", "abc/report-days"));
        assert!(!matches("*/aa*aa", "p/aaa"));
        assert!(!matches("reports/*", "report/daily"));
        assert!(!matches("-/ping", "-/pingpong"));
        for bad in ["", "a", "a/", "/b", "a/b/c"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_names_say_which_rule() {
        for (name, part) in [
            ("", "required"),
            ("-a", "begin with -"),
            ("a/b", "'/'"),
            ("..", "'.'"),
            ("함수", "'함'"),
            ("a b", "' '"),
            (&"n".repeat(51), "51 characters"),
        ] {
            assert!(
                fault(name).is_some_and(|fault| fault.contains(part)),
                "{name}: {:?}",
                fault(name)
            );
        }
    }
}
