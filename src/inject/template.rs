//! The template: the sidecar's parts, as the Helm chart renders them into its ConfigMap, or as they are built in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::wishes::{Secret, one_secret};
use super::{CONTAINER, Node, check, documents};
use crate::config::{Faults, Place};

/// The chart's rendering with its default values.
const BUILT_IN: &str = include_str!("template.yaml");

/// The largest template, in bytes; a ConfigMap is no larger.
const MAX_BYTES: usize = 1 << 20;

/// The sidecar's parts, and what holds where annotations say nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Template {
    pub(super) image: Image,
    pub(super) config: String,
    #[serde(rename = "credentials")]
    named_secrets: BTreeMap<String, String>,
    /// `credentials`, read.
    #[serde(skip)]
    pub(super) by_target: BTreeMap<String, Secret>,
    pub(super) listen: Listen,
    pub(super) native: bool,
    pub(super) log_level: String,
    pub(super) container: Node,
    pub(super) volumes: Vec<Node>,
    pub(super) port: Port,
    pub(super) socket: Socket,
    pub(super) secrets: Secrets,
}

/// By digest if there is one, unless a tag is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    repository: String,
    pub(super) tag: String,
    digest: String,
}

/// How the application reaches the sidecar.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Listen {
    Port,
    Socket,
}

/// What `listen: port` adds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Port {
    pub(super) address: String,
    pub(super) env: Vec<Node>,
}

/// What `listen: socket` adds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Socket {
    pub(super) address: String,
    pub(super) env: Vec<Node>,
    pub(super) volume_mount: Node,
    pub(super) volume: Node,
}

/// What credentials add.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
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
        let template: Self = documents::from_yaml(text).map_err(|(place, message)| {
            let mut faults = Faults::default();
            let hint = "take the chart's ConfigMap <release>-template, key template.yaml";
            faults.push(
                "",
                place,
                format!("is not the template expected: {message}; {hint}"),
            );
            faults
        })?;
        template.checked(&mut faults).ok_or(faults)
    }

    fn checked(mut self, faults: &mut Faults) -> Option<Self> {
        let mut fault = |key: &str, message: String| faults.push(key, Place::Nowhere, message);
        if self.container.get("name").and_then(Node::text) != Some(CONTAINER) {
            fault(
                "container.name",
                format!("must be {CONTAINER}, by which a sidecar is known"),
            );
        }
        if self.image.repository.is_empty() {
            fault("image.repository", "is empty; write the image's name".to_owned());
        }
        if !(check::TAG.obeys)(&self.image.tag) {
            fault("image.tag", format!("is no tag; write {}", check::TAG.says));
        }
        if !(check::OBJECT_NAME.obeys)(&self.config) {
            fault(
                "config",
                format!("is no ConfigMap's name; write {}", check::OBJECT_NAME.says),
            );
        }
        if !self.log_level.is_empty() && !check::LEVELS.contains(&self.log_level.as_str()) {
            fault(
                "logLevel",
                format!("write one of {}, or \"\"", check::LEVELS.join(", ")),
            );
        }
        if self
            .volumes
            .first()
            .is_none_or(|volume| volume.get("configMap").is_none())
        {
            fault("volumes", "must begin with the configMap's volume".to_owned());
        }
        for (target, secret) in &self.named_secrets {
            match one_secret(target, secret) {
                Ok(secret) => {
                    self.by_target.insert(target.clone(), secret);
                }
                Err(why) => fault(&format!("credentials.{target}"), why),
            }
        }
        faults.is_empty().then_some(self)
    }
}
