//! Annotations → what is wanted, with the template's word where they say nothing; or every mistake
//! in them.

use std::collections::BTreeMap;

use super::check::{LEVELS, OBJECT_NAME, TAG};
use super::quantity::Resource;
use super::template::{Listen, Template};
use super::{Node, PREFIX};
use crate::settings::{Faults, Place, nearest};
use crate::settings::{Rule, TARGET_NAME};

/// Every annotation that is known, without the prefix. The last is the mark that injection leaves.
pub(super) const KEYS: [&str; 12] = [
    "inject",
    "config",
    "credentials",
    "version",
    "listen",
    "log-level",
    "cpu-request",
    "cpu-limit",
    "memory-request",
    "memory-limit",
    "native",
    INJECTED,
];

/// The annotation that names the version that was injected.
pub(super) const INJECTED: &str = "injected";

/// The annotations of resources: which, of what kind, and where in a container's resources.
const RESOURCES: [(&str, Resource, &str); 4] = [
    ("cpu-request", Resource::Cpu, "requests"),
    ("cpu-limit", Resource::Cpu, "limits"),
    ("memory-request", Resource::Memory, "requests"),
    ("memory-limit", Resource::Memory, "limits"),
];

/// Targets in one annotation. Each of them costs a volume source in the pod, and as much again of
/// what a policy may spend.
const MAX_TARGETS: usize = 256;

/// Before a Secret that holds a user's name and password.
const BY_PASSWORD: &str = "iam_password:";

/// What one pod wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wishes {
    pub(super) config: String,
    /// By target.
    pub(super) credentials: BTreeMap<String, Secret>,
    /// A tag in place of the template's.
    pub(super) version: Option<String>,
    pub(super) listen: Listen,
    /// Empty = what the configuration says.
    pub(super) log_level: String,
    pub(super) native: bool,
    /// The container's resources.
    pub(super) resources: Option<Node>,
}

/// Where a target's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) by_password: bool,
}

/// Whether the annotations ask for the sidecar.
pub(super) fn asks(annotations: &[(String, Node)]) -> Result<bool, Faults> {
    let key = format!("{PREFIX}inject");
    match annotations.iter().find(|(name, _)| *name == key) {
        None => Ok(false),
        Some((_, Node::Text(text))) if text == "true" => Ok(true),
        Some((_, Node::Text(text))) if text == "false" => Ok(false),
        Some((_, other)) => {
            let mut faults = Faults::default();
            let message = format!(
                "is {other}; write \"true\" for a sidecar or \"false\" for none, in quotation marks"
            );
            faults.push(key, Place::Nowhere, message);
            Err(faults)
        }
    }
}

impl Wishes {
    /// Reads every annotation of ours.
    pub(super) fn read(
        annotations: &[(String, Node)],
        template: &Template,
        faults: &mut Faults,
    ) -> Option<Self> {
        let before = faults.len();
        let mut given = Given::default();
        for (name, value) in annotations {
            let Some(key) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let known = KEYS.iter().find(|known| **known == key);
            match (known, value) {
                (Some(known), Node::Text(text)) => {
                    given.texts.insert(known, text);
                }
                (Some(_), other) => {
                    let message = format!(
                        "is {other}; an annotation is a text, so put quotation marks around it"
                    );
                    faults.push(name.clone(), Place::Nowhere, message);
                }
                (None, _) => faults.push(name.clone(), Place::Nowhere, unknown(key)),
            }
        }
        let wishes = Self {
            config: given
                .ruled("config", "ConfigMap's name", OBJECT_NAME, faults)
                .unwrap_or(&template.config)
                .to_owned(),
            credentials: match given.texts.get("credentials") {
                Some(text) => credentials(text, faults),
                None => template.credentials.clone(),
            },
            version: given
                .ruled("version", "image tag", TAG, faults)
                .map(str::to_owned),
            listen: match given.word("listen", &["port", "socket"], faults) {
                Some("port") => Listen::Port,
                Some(_) => Listen::Socket,
                None => template.listen,
            },
            log_level: given
                .word("log-level", &LEVELS, faults)
                .unwrap_or(&template.log_level)
                .to_owned(),
            native: given
                .word("native", &["true", "false"], faults)
                .map_or(template.native, |word| word == "true"),
            resources: given.resources(template, faults),
        };
        (faults.len() == before).then_some(wishes)
    }
}

/// What the annotations say, by key.
#[derive(Default)]
struct Given<'a> {
    texts: BTreeMap<&'static str, &'a str>,
}

impl<'a> Given<'a> {
    fn ruled(&self, key: &str, what: &str, rule: Rule, faults: &mut Faults) -> Option<&'a str> {
        let text = *self.texts.get(key)?;
        if !(rule.obeys)(text) {
            push(
                faults,
                key,
                format!("{text:?} is no {what}; write {}", rule.says),
            );
        }
        Some(text)
    }

    fn word(&self, key: &str, words: &[&'static str], faults: &mut Faults) -> Option<&'static str> {
        let text = *self.texts.get(key)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let choice = words.join(", ");
            push(faults, key, format!("is {text:?}; write one of {choice}"));
        }
        found
    }

    /// The template's resources with what is wanted in their place.
    fn resources(&self, template: &Template, faults: &mut Faults) -> Option<Node> {
        let mut resources = template.container.get("resources").cloned();
        let before = faults.len();
        for (key, resource, part) in RESOURCES {
            let Some(text) = self.texts.get(key) else {
                continue;
            };
            if resource.amount(text).is_none() {
                push(
                    faults,
                    key,
                    format!("is {text:?}; write {}", resource.says()),
                );
            }
            let resources = resources.get_or_insert(Node::Map(Vec::new()));
            if resources.get_mut(part).is_none() {
                resources.set(part, Node::Map(Vec::new()));
            }
            if let Some(part) = resources.get_mut(part) {
                part.set(resource.key(), Node::from(*text));
            }
        }
        if faults.len() == before {
            for resource in [Resource::Cpu, Resource::Memory] {
                self.limited(resource, resources.as_ref(), faults);
            }
        }
        resources
    }

    /// A request beyond the limit would be refused by the cluster, without a word on annotations.
    fn limited(&self, resource: Resource, resources: Option<&Node>, faults: &mut Faults) {
        let (key, [request, limit]) = (resource.key(), ["requests", "limits"]);
        let names = [format!("{key}-request"), format!("{key}-limit")];
        let value = |part: &str| resources?.at(&[part, key])?.text();
        let (Some(wanted), Some(bound)) = (value(request), value(limit)) else {
            return;
        };
        let beyond = match (resource.amount(wanted), resource.amount(bound)) {
            (Some(wanted), Some(bound)) => wanted > bound,
            _ => false,
        };
        // What the template alone says is the chart's to answer for.
        let Some(own) = names
            .iter()
            .find(|name| self.texts.contains_key(name.as_str()))
        else {
            return;
        };
        if beyond {
            let message = format!(
                "the request {wanted} is more than the limit {bound}; set {PREFIX}{} and {PREFIX}{} together",
                names[0], names[1]
            );
            push(faults, own, message);
        }
    }
}

/// `target=secret[,target=[iam_password:]secret]`; an empty text wants none.
fn credentials(text: &str, faults: &mut Faults) -> BTreeMap<String, Secret> {
    let mut found = BTreeMap::new();
    let count = text.split(',').count();
    if count > MAX_TARGETS {
        let message = format!("names {count} targets; a pod may have {MAX_TARGETS}");
        push(faults, "credentials", message);
        return found;
    }
    for item in text.split(',').filter(|_| !text.is_empty()) {
        let Some((target, secret)) = item.split_once('=') else {
            let message = format!(
                "{item:?} is not target=secret; write such as prod=faas-keys, with commas between several"
            );
            push(faults, "credentials", message);
            continue;
        };
        match one_secret(target, secret) {
            Ok(secret) => {
                if found.insert(target.to_owned(), secret).is_some() {
                    push(
                        faults,
                        "credentials",
                        format!("names the target {target:?} twice; write it once"),
                    );
                }
            }
            Err(why) => push(faults, "credentials", why),
        }
    }
    found
}

/// A target and `[iam_password:]secret`.
pub(super) fn one_secret(target: &str, secret: &str) -> Result<Secret, String> {
    if !(TARGET_NAME.obeys)(target) {
        return Err(format!(
            "{target:?} is no target's name; write {}",
            TARGET_NAME.says
        ));
    }
    let name = secret.strip_prefix(BY_PASSWORD);
    let by_password = name.is_some();
    let name = name.unwrap_or(secret);
    if !(OBJECT_NAME.obeys)(name) {
        return Err(format!(
            "{name:?} is no Secret's name; write {}",
            OBJECT_NAME.says
        ));
    }
    Ok(Secret {
        name: name.to_owned(),
        by_password,
    })
}

fn unknown(key: &str) -> String {
    let known = KEYS[..KEYS.len() - 1].join(", ");
    match nearest(key, KEYS) {
        Some(near) => format!("is unknown; did you mean {PREFIX}{near}?"),
        None => format!("is unknown; known after {PREFIX} are {known}"),
    }
}

fn push(faults: &mut Faults, key: &str, message: String) {
    faults.push(format!("{PREFIX}{key}"), Place::Nowhere, message);
}
