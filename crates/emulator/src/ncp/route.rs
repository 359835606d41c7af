//! Method and path → operation (NCP docs: the 21 pages `compute-cloudfunctions-v2-*`, and their
//! v2.0 twins).

use super::site::{Generation, Site};
use crate::query::decode;

/// What a request wants. Names are percent-decoded and otherwise as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    ListPackages,
    GetPackage(String),
    PutPackage(String),
    DeletePackage(String),
    ListActions(String),
    GetAction(String, String),
    PutAction(String, String),
    DeleteAction(String, String),
    RunAction(String, String),
    ListActionActivations(String, String),
    GetActionActivation(String, String, String),
    ListActivations,
    ListTriggers,
    GetTrigger(String),
    PutTrigger(String),
    DeleteTrigger(String),
    FireTrigger(String),
    ListTriggerActivations(String),
    GetTriggerActivation(String, String),
    LinkAction(String),
    UnlinkAction(String),
}

/// What the resource of an operation is; decides which codes answer a wrong platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Package,
    Action,
    Trigger,
    Activation,
}

impl Operation {
    pub(super) fn resource(&self) -> Resource {
        match self {
            Self::ListPackages
            | Self::GetPackage(_)
            | Self::PutPackage(_)
            | Self::DeletePackage(_) => Resource::Package,
            Self::ListActions(_)
            | Self::GetAction(..)
            | Self::PutAction(..)
            | Self::DeleteAction(..)
            | Self::RunAction(..)
            | Self::ListActionActivations(..)
            | Self::GetActionActivation(..) => Resource::Action,
            Self::ListActivations => Resource::Activation,
            _ => Resource::Trigger,
        }
    }
}

/// Finds the operation; `None` is the gateway's 404.
pub(super) fn find(site: Site, method: &str, path: &str) -> Option<(Generation, Operation)> {
    let (generation, rest) = match path.strip_prefix("/ncf/api/v2/") {
        Some(rest) => (Generation::V21, rest),
        None => (Generation::V20, path.strip_prefix("/api/v2/")?),
    };
    if !site.serves(generation) {
        return None;
    }
    let segments: Vec<String> = rest.split('/').map(decode).collect();
    if segments.iter().any(String::is_empty) {
        return None;
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    operation(method, &segments).map(|operation| (generation, operation))
}

fn operation(method: &str, segments: &[&str]) -> Option<Operation> {
    let own = |text: &str| text.to_owned();
    Some(match (method, segments) {
        ("GET", ["packages"]) => Operation::ListPackages,
        ("GET", ["packages", p]) => Operation::GetPackage(own(p)),
        ("PUT", ["packages", p]) => Operation::PutPackage(own(p)),
        ("DELETE", ["packages", p]) => Operation::DeletePackage(own(p)),
        ("GET", ["packages", p, "actions"]) => Operation::ListActions(own(p)),
        ("GET", ["packages", p, "actions", a]) => Operation::GetAction(own(p), own(a)),
        ("PUT", ["packages", p, "actions", a]) => Operation::PutAction(own(p), own(a)),
        ("DELETE", ["packages", p, "actions", a]) => Operation::DeleteAction(own(p), own(a)),
        ("POST", ["packages", p, "actions", a]) => Operation::RunAction(own(p), own(a)),
        ("GET", ["packages", p, "actions", a, "activations"]) => {
            Operation::ListActionActivations(own(p), own(a))
        }
        ("GET", ["packages", p, "actions", a, "activations", id]) => {
            Operation::GetActionActivation(own(p), own(a), own(id))
        }
        ("GET", ["activations"]) => Operation::ListActivations,
        ("GET", ["triggers"]) => Operation::ListTriggers,
        ("GET", ["triggers", t]) => Operation::GetTrigger(own(t)),
        ("PUT", ["triggers", t]) => Operation::PutTrigger(own(t)),
        ("DELETE", ["triggers", t]) => Operation::DeleteTrigger(own(t)),
        ("POST", ["triggers", t]) => Operation::FireTrigger(own(t)),
        ("GET", ["triggers", t, "activations"]) => Operation::ListTriggerActivations(own(t)),
        ("GET", ["triggers", t, "activations", id]) => {
            Operation::GetTriggerActivation(own(t), own(id))
        }
        ("POST", ["triggers", t, "link-action"]) => Operation::LinkAction(own(t)),
        ("DELETE", ["triggers", t, "link-action"]) => Operation::UnlinkAction(own(t)),
        _ => return None,
    })
}

/// Names of packages, actions and triggers: `^[A-Za-z0-9_][A-Za-z0-9_-]{0,49}$` (NCP docs:
/// putaction).
pub(super) fn is_name(name: &str) -> bool {
    (1..=50).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_and_sites() {
        let find = |site, path| find(site, "GET", path).map(|(generation, _)| generation);
        assert_eq!(
            find(Site::Korea, "/ncf/api/v2/packages"),
            Some(Generation::V21)
        );
        assert_eq!(find(Site::Korea, "/api/v2/packages"), Some(Generation::V20));
        assert_eq!(find(Site::Government, "/ncf/api/v2/packages"), None);
        assert_eq!(find(Site::Financial, "/api/v2/packages"), None);
        for path in [
            "/packages",
            "/activations",
            "/api/v2",
            "/api/v2/packages/",
            "/api/v2/packages//actions",
        ] {
            assert_eq!(find(Site::Korea, path), None, "{path}");
        }
    }

    #[test]
    fn names_are_decoded_once() {
        let found = find(
            Site::Korea,
            "POST",
            "/ncf/api/v2/packages/-/actions/a%2Fb%2520",
        );
        assert_eq!(
            found,
            Some((
                Generation::V21,
                Operation::RunAction("-".into(), "a/b%20".into())
            ))
        );
        assert_eq!(find(Site::Korea, "PATCH", "/api/v2/packages/a"), None);
    }

    #[test]
    fn name_rules() {
        assert!(is_name("a") && is_name("_a-B9") && is_name(&"a".repeat(50)));
        assert!(!is_name("") && !is_name("-a") && !is_name("a b") && !is_name("함"));
        assert!(!is_name(&"a".repeat(51)));
    }
}
