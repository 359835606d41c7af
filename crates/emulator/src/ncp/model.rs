//! What the cloud keeps: packages, actions, triggers, links, activations.
//!
//! One shape for both generations; how each writes them is in the rooms of the operations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::site::Platform;

/// "No package" in paths and link bodies (NCP docs: putaction).
pub(super) const NO_PACKAGE: &str = "-";
/// Bytes of a description (NCP docs: putpackage, putaction, puttrigger).
pub(super) const MAX_DESCRIPTION: usize = 3000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) platform: Platform,
    pub(super) description: String,
    pub(super) parameters: Map<String, Value>,
}

/// The query parameter `type` of v2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Basic,
    Web,
    Sequence,
    SequenceWeb,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "basic" => Some(Self::Basic),
            "web" => Some(Self::Web),
            "sequence" => Some(Self::Sequence),
            "sequence-web" => Some(Self::SequenceWeb),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Web => "web",
            Self::Sequence => "sequence",
            Self::SequenceWeb => "sequence-web",
        }
    }

    pub(super) fn is_web(self) -> bool {
        matches!(self, Self::Web | Self::SequenceWeb)
    }

    pub(super) fn is_sequence(self) -> bool {
        matches!(self, Self::Sequence | Self::SequenceWeb)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Action {
    pub(super) name: String,
    /// [`NO_PACKAGE`] outside packages.
    pub(super) package: String,
    pub(super) platform: Platform,
    pub(super) kind: Kind,
    pub(super) description: String,
    pub(super) parameters: Map<String, Value>,
    pub(super) exec: Exec,
    pub(super) vpc: Vec<Vpc>,
    pub(super) raw_http: bool,
    pub(super) custom_options: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Exec {
    Code(Code),
    /// `{package}/{action}` in run order.
    Sequence(Vec<String>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) runtime: String,
    pub(super) binary: bool,
    pub(super) code: String,
    pub(super) main: String,
    pub(super) image_uri: Option<String>,
    pub(super) timeout_ms: u64,
    pub(super) memory_mb: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vpc {
    #[serde(rename = "subnetNo")]
    pub(super) subnet: i64,
    #[serde(rename = "vpcNo")]
    pub(super) vpc: i64,
}

impl Action {
    /// Key in the store, path in sequences.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.package, self.name)
    }

    /// What lists show as `runtime`.
    pub(super) fn runtime(&self) -> &str {
        match &self.exec {
            Exec::Code(code) => &code.runtime,
            Exec::Sequence(_) => "sequence",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trigger {
    pub(super) name: String,
    pub(super) platform: Platform,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) description: String,
    pub(super) parameters: Map<String, Value>,
    /// The fields of its type, under the names of v2.1.
    pub(super) options: Map<String, Value>,
}

/// A trigger fires an action; OpenWhisk calls it a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) trigger: String,
    pub(super) package: String,
    pub(super) action: String,
}

impl Link {
    /// Keys of one trigger stand together.
    pub(super) fn key(&self) -> String {
        format!("{}/{}/{}", self.trigger, self.package, self.action)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Activation {
    pub(super) id: String,
    pub(super) name: String,
    /// `None` for a trigger, [`NO_PACKAGE`] outside packages.
    pub(super) package: Option<String>,
    pub(super) platform: Platform,
    pub(super) start: i64,
    /// 0 for a trigger.
    pub(super) end: i64,
    pub(super) logs: Vec<String>,
    pub(super) response: Response,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) result: Value,
    pub(super) status: String,
    pub(super) success: bool,
}

/// What lists need to know of an activation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) platform: Platform,
    pub(super) duration: i64,
    pub(super) status: String,
}

/// Whose activation it is, as a key.
pub(super) fn action_owner(package: &str, action: &str) -> String {
    format!("action:{package}/{action}")
}

/// Whose activation it is, as a key.
pub(super) fn trigger_owner(trigger: &str) -> String {
    format!("trigger:{trigger}")
}

impl Activation {
    pub(super) fn owner(&self) -> String {
        match &self.package {
            Some(package) => action_owner(package, &self.name),
            None => trigger_owner(&self.name),
        }
    }

    /// 0 for a trigger.
    pub(super) fn duration(&self) -> i64 {
        (self.end - self.start).max(0)
    }
}
