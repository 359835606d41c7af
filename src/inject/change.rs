//! A pod that asks for the sidecar → the operations that put it in.

use super::patch::{Operation, Pointer};
use super::template::{Listen, Template};
use super::wishes::{INJECTED, Secret, Wishes, asks};
use super::{CONTAINER, Node, PREFIX};
use crate::settings::{Faults, Place};

/// The variable by which containers know where the sidecar is.
const ADDRESS: &str = "FAAS_SIDECAR_ADDRESS";
const LOG_LEVEL: &str = "FAAS_SIDECAR_LOG_LEVEL";

/// Containers of one list in a pod that asks. Each of them costs operations of the patch.
const MAX_CONTAINERS: usize = 256;
/// Bytes of all annotations of a pod, names included: the API server's own bound, which it checks
/// after the webhook.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// What is to be done to a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing: it does not ask.
    NotAsked,
    /// Nothing: it has its sidecar.
    Already,
    /// This.
    Inject(Injection),
}

/// How a pod gets the sidecar.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// One after the other.
    pub operations: Vec<Operation>,
    /// What whoever made the pod should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Decides what is to be done to a pod: a map with `metadata` and `spec`, as a workload's template
/// is one too.
///
/// # Errors
/// Every mistake in the annotations, and everything of the pod's own that stands in the way.
pub fn inject(pod: &Node, template: &Template) -> Result<Change, Faults> {
    let annotations = pod
        .at(&["metadata", "annotations"])
        .map_or(&[][..], Node::entries);
    if !asks(annotations)? {
        return Ok(Change::NotAsked);
    }
    let named = |list: &str| {
        let containers = pod.at(&["spec", list]).map_or(&[][..], Node::items);
        containers
            .iter()
            .any(|container| name(container) == Some(CONTAINER))
    };
    if named("initContainers") || named("containers") {
        return Ok(Change::Already);
    }
    let mut faults = Faults::default();
    too_many(pod, annotations, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let wishes = Wishes::read(annotations, template, &mut faults);
    let applications = Applications::of(pod, &mut faults);
    let Some(wishes) = wishes else {
        return Err(faults);
    };
    let parts = Parts::new(&wishes, template);
    in_the_way(pod, &parts, &applications, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Change::Inject(Injection {
        operations: operations(pod, parts, &applications, &wishes, template),
        warnings: warnings(pod, &wishes),
    }))
}

/// What is larger than a pod can be is refused before anything is built for it.
fn too_many(pod: &Node, annotations: &[(String, Node)], faults: &mut Faults) {
    for list in ["initContainers", "containers"] {
        let count = pod
            .at(&["spec", list])
            .map_or(0, |found| found.items().len());
        if count > MAX_CONTAINERS {
            let message =
                format!("has {count} containers; a pod with a sidecar may have {MAX_CONTAINERS}");
            fault(faults, format!("spec.{list}"), &message);
        }
    }
    let size: usize = annotations
        .iter()
        .map(|(name, value)| name.len() + value.text().map_or(0, str::len))
        .sum();
    if size > MAX_ANNOTATIONS {
        let message = format!("has {size} bytes; the cluster takes {MAX_ANNOTATIONS}");
        fault(faults, "metadata.annotations".to_owned(), &message);
    }
}

/// The containers that are there, by list.
struct Applications<'p>(Vec<(&'static str, &'p [Node])>);

impl<'p> Applications<'p> {
    fn of(pod: &'p Node, faults: &mut Faults) -> Self {
        let lists = ["initContainers", "containers"].map(|list| {
            let found = pod.at(&["spec", list]);
            if !matches!(found, None | Some(Node::Null | Node::List(_))) {
                fault(
                    faults,
                    format!("spec.{list}"),
                    "is no list; write the pod's containers there",
                );
            }
            let containers = found.map_or(&[][..], Node::items);
            for (at, container) in containers.iter().enumerate() {
                let at = format!("spec.{list}[{at}]");
                if !matches!(container, Node::Map(_)) {
                    fault(faults, at, "is no map; write a container there");
                    continue;
                }
                for part in ["env", "volumeMounts"] {
                    if !matches!(container.get(part), None | Some(Node::Null | Node::List(_))) {
                        fault(faults, format!("{at}.{part}"), "is no list; write one");
                    }
                }
            }
            (list, containers)
        });
        if lists[1].1.is_empty() {
            fault(
                faults,
                "spec.containers".to_owned(),
                "is empty; a sidecar needs an application beside it",
            );
        }
        if !matches!(
            pod.at(&["spec", "volumes"]),
            None | Some(Node::Null | Node::List(_))
        ) {
            fault(faults, "spec.volumes".to_owned(), "is no list; write one");
        }
        Self(lists.into())
    }

    /// Those that the sidecar serves: an ordinary container starts after the init containers have
    /// ended.
    fn served(&self, native: bool) -> impl Iterator<Item = (&'static str, usize, &'p Node)> {
        let lists = self
            .0
            .iter()
            .filter(move |(list, _)| native || *list == "containers");
        lists.flat_map(|(list, containers)| {
            containers
                .iter()
                .enumerate()
                .map(|(at, container)| (*list, at, container))
        })
    }
}

/// What is added.
struct Parts {
    container: Node,
    volumes: Vec<Node>,
    /// For the containers of the pod.
    variable: Node,
    mount: Option<Node>,
    native: bool,
}

impl Parts {
    fn new(wishes: &Wishes, template: &Template) -> Self {
        let (address, env, socket) = match wishes.listen {
            Listen::Port => (&template.port.address, &template.port.env, None),
            Listen::Socket => {
                let socket = &template.socket;
                (
                    &socket.address,
                    &socket.env,
                    Some((&socket.volume, &socket.volume_mount)),
                )
            }
        };
        let mut container = template.container.clone();
        container.set(
            "image",
            Node::Text(template.image.reference(wishes.version.as_deref())),
        );
        if !wishes.native {
            container.remove("restartPolicy");
        }
        if let Some(resources) = &wishes.resources {
            container.set("resources", resources.clone());
        }
        let mut env = env.clone();
        env.extend_from_slice(container.get("env").map_or(&[], Node::items));
        if !wishes.log_level.is_empty() {
            env.push(variable(LOG_LEVEL, &wishes.log_level));
        }
        container.set("env", Node::List(env));

        let mut volumes = template.volumes.clone();
        if let Some(config) = volumes
            .first_mut()
            .and_then(|volume| volume.get_mut("configMap"))
        {
            config.set("name", Node::from(wishes.config.as_str()));
        }
        let mut mounts = container
            .get("volumeMounts")
            .map_or(&[][..], Node::items)
            .to_vec();
        if !wishes.credentials.is_empty() {
            mounts.push(template.secrets.volume_mount.clone());
            volumes.push(secrets(wishes, template));
        }
        if let Some((volume, mount)) = socket {
            mounts.push(mount.clone());
            volumes.push(volume.clone());
        }
        container.set("volumeMounts", Node::List(mounts));
        Self {
            container,
            volumes,
            variable: variable(ADDRESS, address),
            mount: socket.map(|(_, mount)| mount.clone()),
            native: wishes.native,
        }
    }
}

/// The volume with the keys of all targets.
fn secrets(wishes: &Wishes, template: &Template) -> Node {
    let parts = &template.secrets;
    let item = |target: &str, key: &str| {
        Node::map([
            ("key", Node::from(key)),
            ("path", Node::Text(format!("{target}/{key}"))),
        ])
    };
    let required = |(target, secret): (&String, &Secret)| {
        let keys = if secret.by_password {
            &parts.iam_password
        } else {
            &parts.key_pair
        };
        let items = keys.iter().map(|key| item(target, key)).collect();
        let source = [
            ("name", Node::from(secret.name.as_str())),
            ("items", Node::List(items)),
        ];
        Node::map([("secret", Node::map(source))])
    };
    let optional = |(target, secret): (&String, &Secret)| {
        let source = [
            ("name", Node::from(secret.name.as_str())),
            ("optional", Node::Bool(true)),
            ("items", Node::List(vec![item(target, &parts.optional)])),
        ];
        Node::map([("secret", Node::map(source))])
    };
    let pairs = wishes
        .credentials
        .iter()
        .filter(|(_, secret)| !secret.by_password);
    let sources = wishes
        .credentials
        .iter()
        .map(required)
        .chain(pairs.map(optional));
    let mut volume = parts.volume.clone();
    volume.set(
        "projected",
        match volume.get("projected").cloned() {
            Some(mut projected) => {
                projected.set("sources", Node::List(sources.collect()));
                projected
            }
            None => Node::map([("sources", Node::List(sources.collect()))]),
        },
    );
    volume
}

/// Names and places that the pod has given to something else.
fn in_the_way(pod: &Node, parts: &Parts, applications: &Applications<'_>, faults: &mut Faults) {
    for (at, volume) in pod
        .at(&["spec", "volumes"])
        .map_or(&[][..], Node::items)
        .iter()
        .enumerate()
    {
        let taken =
            name(volume).filter(|taken| parts.volumes.iter().any(|ours| name(ours) == Some(taken)));
        if let Some(taken) = taken {
            let message = format!(
                "is {taken}, which the sidecar's own volume is named; rename this one and its mounts"
            );
            fault(faults, format!("spec.volumes[{at}].name"), &message);
        }
    }
    let place = |mount: &Node| {
        Some(
            mount
                .get("mountPath")?
                .text()?
                .trim_end_matches('/')
                .to_owned(),
        )
    };
    let Some(ours) = parts.mount.as_ref().and_then(place) else {
        return;
    };
    for (list, at, container) in applications.served(parts.native) {
        let mounts = container.get("volumeMounts").map_or(&[][..], Node::items);
        if let Some(index) = mounts
            .iter()
            .position(|mount| place(mount).as_ref() == Some(&ours))
        {
            let message =
                format!("is {ours}, where the sidecar's socket goes; mount this volume elsewhere");
            fault(
                faults,
                format!("spec.{list}[{at}].volumeMounts[{index}].mountPath"),
                &message,
            );
        }
    }
}

fn operations(
    pod: &Node,
    parts: Parts,
    applications: &Applications<'_>,
    wishes: &Wishes,
    template: &Template,
) -> Vec<Operation> {
    let spec = Pointer::new(["spec"]);
    let mut operations = Vec::new();
    for (list, at, container) in applications.served(parts.native) {
        let place = spec.below(list).below(&at);
        let env = container.get("env");
        if !env
            .map_or(&[][..], Node::items)
            .iter()
            .any(|variable| name(variable) == Some(ADDRESS))
        {
            // First, so that the pod's own variables can be made of it.
            operations.push(put(place.below("env"), env, "0", parts.variable.clone()));
        }
        if let Some(mount) = &parts.mount {
            operations.push(put(
                place.below("volumeMounts"),
                container.get("volumeMounts"),
                "-",
                mount.clone(),
            ));
        }
    }
    let mut present = pod.at(&["spec", "volumes"]).cloned();
    for volume in parts.volumes {
        operations.push(put(spec.below("volumes"), present.as_ref(), "-", volume));
        present = Some(Node::List(Vec::new()));
    }
    // After the containers before it were named by their index.
    let list = if parts.native {
        "initContainers"
    } else {
        "containers"
    };
    operations.push(put(
        spec.below(list),
        pod.at(&["spec", list]),
        "0",
        parts.container,
    ));
    operations.push(Operation {
        path: Pointer::new(["metadata", "annotations"]).below(&format!("{PREFIX}{INJECTED}")),
        value: Node::from(wishes.version.as_deref().unwrap_or(&template.image.tag)),
    });
    operations
}

/// Puts an item into a list, which is made when there is none.
fn put(list: Pointer, present: Option<&Node>, index: &str, item: Node) -> Operation {
    match present {
        Some(Node::List(_)) => Operation {
            path: list.below(index),
            value: item,
        },
        _ => Operation {
            path: list,
            value: Node::List(vec![item]),
        },
    }
}

fn warnings(pod: &Node, wishes: &Wishes) -> Vec<String> {
    let mut warnings = Vec::new();
    let restarts = pod
        .at(&["spec", "restartPolicy"])
        .and_then(Node::text)
        .unwrap_or("Always");
    if !wishes.native && restarts != "Always" {
        warnings.push(format!(
            "restartPolicy is {restarts}, and the sidecar is an ordinary container (native: false): the pod does not end while it runs; leave {PREFIX}native out"
        ));
    }
    let host_network = pod.at(&["spec", "hostNetwork"]) == Some(&Node::Bool(true));
    if host_network && wishes.listen == Listen::Port {
        warnings.push(format!(
            "hostNetwork: each process of the node can call the sidecar's port; set {PREFIX}listen: socket"
        ));
    }
    warnings
}

fn variable(name: &str, value: &str) -> Node {
    Node::map([("name", Node::from(name)), ("value", Node::from(value))])
}

fn name(item: &Node) -> Option<&str> {
    item.get("name").and_then(Node::text)
}

fn fault(faults: &mut Faults, path: String, message: &str) {
    faults.push(path, Place::Nowhere, message);
}
