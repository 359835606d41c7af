//! Objects of Kubernetes that hold pods: the pod itself, workloads with a pod's template, lists of
//! either.

use super::wishes::{INJECTED, Wishes};
use super::{Change, Node, PREFIX, Template, inject as into_pod};
use crate::settings::{Faults, Place};

/// Annotations in addition to those that pods have.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Pods that do not say whether they want a sidecar get one.
    pub all: bool,
    /// Annotations, with the prefix, for pods that ask and have none of that name.
    annotations: Vec<(String, String)>,
}

/// What was met in the documents.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What has a new sidecar, as `Kind/name`.
    pub injected: Vec<String>,
    /// What has had one.
    pub already: Vec<String>,
    /// Pods and templates that do not ask.
    pub not_asked: usize,
    /// What to know, a sentence each.
    pub warnings: Vec<String>,
}

impl Ask {
    /// Takes `key=value` pairs, keys without the prefix.
    ///
    /// # Errors
    /// Every mistake, as a pod's annotations would have it.
    pub fn new(all: bool, pairs: &[(String, String)], template: &Template) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let annotations: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (format!("{PREFIX}{key}"), value.clone()))
            .collect();
        let nodes: Vec<_> = annotations
            .iter()
            .map(|(key, value)| (key.clone(), Node::from(value.as_str())))
            .collect();
        let _ = Wishes::read(&nodes, template, &mut faults);
        for key in ["inject", INJECTED] {
            if pairs.iter().any(|(given, _)| given == key) {
                let message = "cannot be set so; use --all, or annotate the pod";
                faults.push(format!("{PREFIX}{key}"), Place::Nowhere, message);
            }
        }
        for (at, (key, _)) in pairs.iter().enumerate() {
            if pairs[..at].iter().any(|(before, _)| before == key) {
                faults.push(
                    format!("{PREFIX}{key}"),
                    Place::Nowhere,
                    "is set twice; set it once",
                );
            }
        }
        faults
            .is_empty()
            .then_some(Self { all, annotations })
            .ok_or(faults)
    }

    /// The pod with what is added to its annotations.
    fn of(&self, pod: &Node) -> Node {
        let mut pod = pod.clone();
        let inject = format!("{PREFIX}inject");
        let value = |pod: &Node, key: &str| pod.at(&["metadata", "annotations", key]).cloned();
        if self.all && value(&pod, &inject).is_none() {
            annotate(&mut pod, &inject, "true");
        }
        if value(&pod, &inject).and_then(|value| value.text().map(|text| text == "true"))
            == Some(true)
        {
            for (key, text) in &self.annotations {
                if value(&pod, key).is_none() {
                    annotate(&mut pod, key, text);
                }
            }
        }
        pod
    }
}

fn annotate(pod: &mut Node, key: &str, text: &str) {
    for (path, child) in [(&[][..], "metadata"), (&["metadata"], "annotations")] {
        if let Some(parent) = descend(pod, path)
            && !matches!(parent.get(child), Some(Node::Map(_)))
        {
            parent.set(child, Node::Map(Vec::new()));
        }
    }
    if let Some(annotations) = descend(pod, &["metadata", "annotations"]) {
        annotations.set(key, Node::from(text));
    }
}

/// Changes one document; says whether it did.
pub(super) fn inject(
    object: &mut Node,
    ask: &Ask,
    template: &Template,
    seen: &mut Seen,
    faults: &mut Faults,
) -> bool {
    let kind = object
        .get("kind")
        .and_then(Node::text)
        .unwrap_or_default()
        .to_owned();
    within(object, &kind, ask, template, seen, faults)
}

fn within(
    object: &mut Node,
    kind: &str,
    ask: &Ask,
    template: &Template,
    seen: &mut Seen,
    faults: &mut Faults,
) -> bool {
    if let Some(of) = kind.strip_suffix("List") {
        let Some(Node::List(items)) = object.get_mut("items") else {
            return false;
        };
        let mut changed = false;
        for item in items {
            // The items of a typed list have no kind of their own.
            let own = item
                .get("kind")
                .and_then(Node::text)
                .unwrap_or(of)
                .to_owned();
            changed |= within(item, &own, ask, template, seen, faults);
        }
        return changed;
    }
    let Some(path) = path(kind) else {
        return false;
    };
    let title = title(object, kind);
    if !path.is_empty() {
        misplaced(object, path, &title, ask, seen);
    }
    let Some(pod) =
        descend(object, path).filter(|pod| matches!(pod.get("spec"), Some(Node::Map(_))))
    else {
        return false;
    };
    let asking = ask.of(pod);
    match into_pod(&asking, template) {
        Ok(Change::NotAsked) => seen.not_asked += 1,
        Ok(Change::Already) => seen.already.push(title),
        Ok(Change::Inject(injection)) => {
            let mut changed = asking;
            for operation in &injection.operations {
                if let Err(why) = operation.apply(&mut changed) {
                    faults.push(
                        title.clone(),
                        Place::Nowhere,
                        format!("cannot be changed: {why}"),
                    );
                }
            }
            *pod = changed;
            let warnings = injection
                .warnings
                .iter()
                .map(|warning| format!("{title}: {warning}"));
            seen.warnings.extend(warnings);
            seen.injected.push(title);
            return true;
        }
        Err(own) => {
            for fault in own.iter() {
                faults.push(
                    format!("{title}: {}", fault.path),
                    Place::Nowhere,
                    fault.message.clone(),
                );
            }
        }
    }
    false
}

/// Where the pod, or the template of pods, stands in an object of a kind.
fn path(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &[],
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => &["spec", "template"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template"],
        "PodTemplate" => &["template"],
        _ => return None,
    })
}

/// The annotation on the workload itself is read by nobody: a common mistake.
fn misplaced(object: &Node, path: &[&str], title: &str, ask: &Ask, seen: &mut Seen) {
    let annotations = object
        .at(&["metadata", "annotations"])
        .map_or(&[][..], Node::entries);
    let pods = object
        .at(path)
        .and_then(|pod| pod.at(&["metadata", "annotations"]))
        .map_or(&[][..], Node::entries);
    let ours = |entries: &[(String, Node)]| entries.iter().any(|(key, _)| key.starts_with(PREFIX));
    if ours(annotations) && !ours(pods) && !ask.all {
        seen.warnings.push(format!(
            "{title}: annotations {PREFIX}… stand on the object itself and mean nothing there; move them to {}.metadata.annotations",
            path.join(".")
        ));
    }
}

fn descend<'n>(node: &'n mut Node, path: &[&str]) -> Option<&'n mut Node> {
    path.iter().try_fold(node, |node, key| node.get_mut(key))
}

fn title(object: &Node, kind: &str) -> String {
    let named = |key: &str| object.at(&["metadata", key]).and_then(Node::text);
    match (named("name"), named("generateName")) {
        (Some(name), _) => format!("{kind}/{name}"),
        (None, Some(name)) => format!("{kind}/{name}…"),
        (None, None) => format!("{kind} without a name"),
    }
}
