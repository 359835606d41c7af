//! The template: the sidecar's parts, as the Helm chart renders them into its ConfigMap, or as they
//! are built in.

use std::collections::BTreeMap;

use super::wishes::{Secret, one_secret};
use super::{CONTAINER, Node, check, documents};
use crate::settings::{Faults, Place, nearest};

/// The chart's rendering with its default values.
const BUILT_IN: &str = include_str!("template.yaml");

/// The largest template, in bytes; a ConfigMap is no larger.
const MAX_BYTES: usize = 1 << 20;

/// The sidecar's parts, and what holds where annotations say nothing.
#[derive(Clone, Debug)]
pub struct Template {
    pub(super) image: Image,
    pub(super) config: String,
    /// By target.
    pub(super) credentials: BTreeMap<String, Secret>,
    pub(super) listen: Listen,
    pub(super) native: bool,
    /// Empty = what the configuration says.
    pub(super) log_level: String,
    pub(super) container: Node,
    /// The first is the configuration's.
    pub(super) volumes: Vec<Node>,
    pub(super) port: Port,
    pub(super) socket: Socket,
    pub(super) secrets: Secrets,
}

/// By digest if there is one, unless a tag is asked for.
#[derive(Clone, Debug)]
pub(super) struct Image {
    repository: String,
    pub(super) tag: String,
    digest: String,
}

/// How the application reaches the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    Port,
    Socket,
}

/// What `listen: port` adds.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) address: String,
    pub(super) env: Vec<Node>,
}

/// What `listen: socket` adds.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) address: String,
    pub(super) env: Vec<Node>,
    pub(super) volume_mount: Node,
    pub(super) volume: Node,
}

/// What credentials add.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    /// The required files of a key pair.
    pub(super) key_pair: Vec<String>,
    /// Those of a user with a password.
    pub(super) iam_password: Vec<String>,
    /// A key pair's file that may be missing.
    pub(super) optional: String,
    pub(super) volume_mount: Node,
    pub(super) volume: Node,
}

impl Image {
    /// As a container names it; a tag that is asked for wins over the digest.
    pub(super) fn reference(&self, tag: Option<&str>) -> String {
        let Self {
            repository,
            tag: own,
            digest,
        } = self;
        match tag {
            None if !digest.is_empty() => format!("{repository}@{digest}"),
            tag => format!("{repository}:{}", tag.unwrap_or(own)),
        }
    }
}

impl Template {
    /// The one built in: the Helm chart's with its default values.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn built_in() -> Result<Self, Faults> {
        Self::read(BUILT_IN)
    }

    /// Reads a template.
    ///
    /// # Errors
    /// Every mistake, each with its key.
    pub fn read(text: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        if text.len() > MAX_BYTES {
            faults.push(
                "",
                Place::Nowhere,
                "is larger than 1 MiB; a template is far smaller, check the path",
            );
            return Err(faults);
        }
        let root: Node = documents::from_yaml(text).map_err(|(place, message)| {
            let mut faults = Faults::default();
            faults.push(
                "",
                place,
                format!("is not YAML that can be read: {message}"),
            );
            faults
        })?;
        let template = Reader {
            root: &root,
            faults: &mut faults,
        }
        .template();
        faults.is_empty().then_some(template).ok_or(faults)
    }
}

/// Reads the document, and notes every mistake. What stands in for a wrong value is never used.
struct Reader<'a> {
    root: &'a Node,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn template(mut self) -> Template {
        let sections: [(&[&str], &[&str]); 5] = [
            (
                &[],
                &[
                    "image",
                    "config",
                    "credentials",
                    "listen",
                    "native",
                    "logLevel",
                    "container",
                    "volumes",
                    "port",
                    "socket",
                    "secrets",
                ],
            ),
            (&["image"], &["repository", "tag", "digest"]),
            (&["port"], &["address", "env"]),
            (&["socket"], &["address", "env", "volumeMount", "volume"]),
            (
                &["secrets"],
                &[
                    "keyPair",
                    "iamPassword",
                    "optional",
                    "volumeMount",
                    "volume",
                ],
            ),
        ];
        for (path, known) in sections {
            self.known(path, known);
        }
        let template = Template {
            image: Image {
                repository: self.filled(&["image", "repository"]),
                tag: self.text(&["image", "tag"]),
                digest: self.text(&["image", "digest"]),
            },
            config: self.text(&["config"]),
            credentials: self.credentials(),
            listen: match self.text(&["listen"]).as_str() {
                "socket" => Listen::Socket,
                "port" => Listen::Port,
                other => {
                    self.fault(&["listen"], &format!("is {other:?}; write port or socket"));
                    Listen::Port
                }
            },
            native: match self.root.get("native") {
                Some(Node::Bool(native)) => *native,
                _ => {
                    self.fault(&["native"], "write true or false");
                    true
                }
            },
            log_level: self.text(&["logLevel"]),
            container: self.map(&["container"]),
            volumes: self.list(&["volumes"]),
            port: Port {
                address: self.filled(&["port", "address"]),
                env: self.list(&["port", "env"]),
            },
            socket: Socket {
                address: self.filled(&["socket", "address"]),
                env: self.list(&["socket", "env"]),
                volume_mount: self.map(&["socket", "volumeMount"]),
                volume: self.map(&["socket", "volume"]),
            },
            secrets: Secrets {
                key_pair: self.texts(&["secrets", "keyPair"]),
                iam_password: self.texts(&["secrets", "iamPassword"]),
                optional: self.filled(&["secrets", "optional"]),
                volume_mount: self.map(&["secrets", "volumeMount"]),
                volume: self.map(&["secrets", "volume"]),
            },
        };
        self.rules(&template);
        template
    }

    fn rules(&mut self, template: &Template) {
        if template.container.get("name").and_then(Node::text) != Some(CONTAINER) {
            let message = format!("must be {CONTAINER}, by which a sidecar is known");
            self.fault(&["container", "name"], &message);
        }
        if !(check::TAG.obeys)(&template.image.tag) {
            self.fault(
                &["image", "tag"],
                &format!("is no tag; write {}", check::TAG.says),
            );
        }
        if !(check::OBJECT_NAME.obeys)(&template.config) {
            let message = format!("is no ConfigMap's name; write {}", check::OBJECT_NAME.says);
            self.fault(&["config"], &message);
        }
        let level = template.log_level.as_str();
        if !level.is_empty() && !check::LEVELS.contains(&level) {
            let message = format!(
                "is {level:?}; write one of {}, or \"\"",
                check::LEVELS.join(", ")
            );
            self.fault(&["logLevel"], &message);
        }
        let first = template.volumes.first();
        if first.is_none_or(|volume| volume.get("configMap").is_none()) {
            self.fault(&["volumes"], "must begin with the volume of the configMap");
        }
    }

    /// No key stands there that nobody reads.
    fn known(&mut self, path: &[&str], known: &[&str]) {
        let section = self.root.at(path);
        if !matches!(section, Some(Node::Map(_))) {
            return self.fault(path, &format!("must be a map of {}", known.join(", ")));
        }
        for (key, _) in section.map_or(&[][..], Node::entries) {
            if !known.contains(&key.as_str()) {
                let message = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("is unknown; did you mean {near}?"),
                    None => format!("is unknown; known are {}", known.join(", ")),
                };
                self.fault(&[path, &[key]].concat(), &message);
            }
        }
    }

    fn credentials(&mut self) -> BTreeMap<String, Secret> {
        let mut found = BTreeMap::new();
        let given = self.map(&["credentials"]);
        for (target, secret) in given.entries() {
            match one_secret(target, secret.text().unwrap_or_default()) {
                Ok(secret) => drop(found.insert(target.clone(), secret)),
                Err(why) => self.fault(&["credentials", target], &why),
            }
        }
        found
    }

    fn text(&mut self, path: &[&str]) -> String {
        let text = self.root.at(path).and_then(Node::text);
        if text.is_none() {
            self.fault(path, "must be a text");
        }
        text.unwrap_or_default().to_owned()
    }

    fn filled(&mut self, path: &[&str]) -> String {
        let text = self.text(path);
        if text.is_empty() && self.root.at(path).is_some() {
            self.fault(path, "is empty");
        }
        text
    }

    fn map(&mut self, path: &[&str]) -> Node {
        let map = self
            .root
            .at(path)
            .filter(|node| matches!(node, Node::Map(_)));
        if map.is_none() {
            self.fault(path, "must be a map");
        }
        map.cloned().unwrap_or(Node::Null)
    }

    fn list(&mut self, path: &[&str]) -> Vec<Node> {
        let list = self.root.at(path);
        if !matches!(list, Some(Node::List(_))) {
            self.fault(path, "must be a list");
        }
        list.map_or(&[][..], Node::items).to_vec()
    }

    fn texts(&mut self, path: &[&str]) -> Vec<String> {
        let list = self.list(path);
        let texts: Vec<_> = list
            .iter()
            .filter_map(Node::text)
            .map(str::to_owned)
            .collect();
        if texts.len() != list.len() || texts.is_empty() {
            self.fault(path, "must be a list of texts, with at least one");
        }
        texts
    }

    fn fault(&mut self, path: &[&str], message: &str) {
        self.faults.push(path.join("."), Place::Nowhere, message);
    }
}
