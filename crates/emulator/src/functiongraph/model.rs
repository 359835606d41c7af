//! What the cloud keeps: functions by version, aliases, asynchronous configurations and records.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::urn::LATEST;

/// One version of a function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) project: String,
    pub(super) package: String,
    pub(super) name: String,
    /// [`LATEST`], or the name under which it was published.
    pub(super) version: String,
    pub(super) id: String,
    pub(super) runtime: String,
    pub(super) handler: String,
    pub(super) memory_mb: i64,
    pub(super) timeout_s: i64,
    pub(super) code: CodeInfo,
    /// Optional fields under the names of the API, as they were sent.
    pub(super) settings: Map<String, Value>,
    pub(super) strategy: Strategy,
    pub(super) version_description: Option<String>,
    pub(super) created_ms: i64,
    pub(super) modified_ms: i64,
    /// Counts changes of the latest version; a published one keeps the number that it was made of.
    pub(super) revision: u64,
}

/// What is known of the code; the bytes are in a table of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CodeInfo {
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) filename: String,
    pub(super) size: u64,
    /// SHA-512, hexadecimal.
    pub(super) digest: String,
}

/// How many instances there may be, and how many requests each takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Strategy {
    /// −1 without a limit, 0 disabled (create page, `strategy_config`).
    pub(super) concurrency: i64,
    pub(super) concurrent_num: i64,
}

/// The members of a `strategy_config` that were sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StrategyChange {
    pub(super) concurrency: Option<i64>,
    pub(super) concurrent_num: Option<i64>,
}

impl StrategyChange {
    /// INFERRED: a member that was not sent keeps its value; samples leave one out.
    pub(super) fn over(self, present: Strategy) -> Strategy {
        Strategy {
            concurrency: self.concurrency.unwrap_or(present.concurrency),
            concurrent_num: self.concurrent_num.unwrap_or(present.concurrent_num),
        }
    }
}

impl Function {
    /// Key in the store.
    pub(super) fn key(&self) -> String {
        version_key(&self.project, &self.package, &self.name, &self.version)
    }

    /// Key of all versions together.
    pub(super) fn whole_key(&self) -> String {
        function_key(&self.project, &self.package, &self.name)
    }

    pub(super) fn is_latest(&self) -> bool {
        self.version == LATEST
    }

    pub(super) fn text(&self, setting: &str) -> &str {
        self.text_or(setting, "")
    }

    pub(super) fn text_or<'a>(&'a self, setting: &str, default: &'a str) -> &'a str {
        let text = self.settings.get(setting).and_then(Value::as_str);
        text.unwrap_or(default)
    }

    pub(super) fn flag(&self, setting: &str) -> bool {
        self.settings
            .get(setting)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }
}

pub(super) fn function_key(project: &str, package: &str, name: &str) -> String {
    format!("{project}/{package}/{name}")
}

pub(super) fn version_key(project: &str, package: &str, name: &str, version: &str) -> String {
    format!("{project}/{package}/{name}/{version}")
}

/// A name for a version, or for two of them by weight or by rules.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Alias {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    /// Per cent of the calls by additional version.
    pub(super) weights: Map<String, Value>,
    /// Rules on request headers by additional version.
    pub(super) strategy: Map<String, Value>,
    pub(super) modified_ms: i64,
}

/// What happens with asynchronous runs of one version of a function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AsyncConfig {
    pub(super) qualifier: String,
    pub(super) max_age_s: i64,
    pub(super) max_retries: i64,
    pub(super) destinations: Map<String, Value>,
    pub(super) status_log: bool,
    /// Names and ids of the log group and stream.
    pub(super) log: Map<String, Value>,
    pub(super) created_ms: i64,
    pub(super) modified_ms: i64,
}

/// States of an asynchronous run (OpenAPI, `ListFunctionAsyncInvocationsResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Wait,
    Running,
    Success,
    Fail,
    Discard,
}

impl Status {
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(Value::String(text.to_owned())).ok()
    }

    pub(super) fn is_over(self) -> bool {
        !matches!(self, Self::Wait | Self::Running)
    }
}

/// An asynchronous run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) request_id: String,
    pub(super) status: Status,
    pub(super) error_code: i64,
    pub(super) error_message: String,
    pub(super) submitted_ms: i64,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
}
