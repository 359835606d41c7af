//! How a call's outcome is shown, from plain data.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::InvokeOutput;
use crate::cli::client::ClientFailure;
use crate::cli::exit::Exit;

/// A run, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The run's id.
    pub activation_id: String,
    /// The action, after its package if it is in one.
    pub action: String,
    /// The status without its prefix: `SUCCESS`, `APPLICATION_ERROR`, `RUNNING`, …
    pub status: String,
    /// What the platform says about the status; may be empty.
    pub status_text: String,
    /// Whether the run is over.
    pub finished: bool,
    /// Whether it is over and succeeded.
    pub success: bool,
    /// Whether the caller asked not to wait, so that an unfinished run is what was wanted.
    pub asynchronous: bool,
    /// When it began, RFC 3339; may be empty.
    pub start_time: String,
    /// How long it ran.
    pub duration_ms: Option<u64>,
    /// What it answered, as JSON text.
    pub result: Option<String>,
    /// What it answered, byte for byte, where `result` cannot hold it; else empty.
    pub result_bytes: Vec<u8>,
    /// Its log.
    pub logs: Vec<String>,
    /// The cloud's name for the request; may be empty.
    pub upstream_request_id: String,
}

impl Report {
    /// Clean, if what was asked for was had.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (self.finished, self.success) {
            (true, true) => Exit::Clean,
            (true, false) => Exit::FunctionFailed,
            (false, _) if self.asynchronous => Exit::Clean,
            // A result was asked for and is not there: never a false success.
            (false, _) => Exit::Failed,
        }
    }

    /// The outcome as text.
    #[must_use]
    pub fn render(&self, output: InvokeOutput) -> String {
        match output {
            InvokeOutput::Table => self.table(),
            InvokeOutput::Json => self.json(),
        }
    }

    fn table(&self) -> String {
        let mut rows = vec![
            ("activation", self.activation_id.clone()),
            ("action", self.action.clone()),
        ];
        let status = match (&self.status_text, self.finished) {
            (text, _) if !text.is_empty() => format!("{} ({text})", self.status),
            (_, false) => format!("{} (no result yet)", self.status),
            _ => self.status.clone(),
        };
        rows.push(("status", status));
        rows.push(("started", self.start_time.clone()));
        rows.push((
            "duration",
            self.duration_ms
                .map(|millis| format!("{millis} ms"))
                .unwrap_or_default(),
        ));
        rows.push(("request", self.upstream_request_id.clone()));
        rows.push(("result", self.result.clone().unwrap_or_default()));
        if !self.result_bytes.is_empty() {
            let text = STANDARD.encode(&self.result_bytes);
            rows.push(("result bytes", format!("{text} (base64)")));
        }
        let mut text = lines(&rows);
        if !self.logs.is_empty() {
            text.push_str("logs\n");
        }
        for line in &self.logs {
            let _ = writeln!(text, "  {}", printable(line));
        }
        text
    }

    fn json(&self) -> String {
        let document = Document {
            activation_id: &self.activation_id,
            action: &self.action,
            status: &self.status,
            status_text: &self.status_text,
            success: self.success,
            start_time: &self.start_time,
            duration_ms: self.duration_ms,
            result: self
                .result
                .clone()
                .and_then(|text| RawValue::from_string(text).ok()),
            result_bytes: STANDARD.encode(&self.result_bytes),
            logs: &self.logs,
            upstream_request_id: &self.upstream_request_id,
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// The JSON that programs read; the result stands in it as the function spelt it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'r> {
    activation_id: &'r str,
    action: &'r str,
    status: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    status_text: &'r str,
    success: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    start_time: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    result: Option<Box<RawValue>>,
    /// Base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    result_bytes: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    logs: &'r [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    upstream_request_id: &'r str,
}

impl ClientFailure {
    /// The failure as text, for standard error.
    #[must_use]
    pub(in crate::cli) fn render(&self, output: InvokeOutput) -> String {
        if output == InvokeOutput::Json {
            let pairs = |pairs: &[(String, String)]| -> serde_json::Map<String, serde_json::Value> {
                pairs
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_str().into()))
                    .collect()
            };
            return serde_json::json!({ "error": {
                "code": self.code, "message": self.message, "reason": self.reason,
                "details": pairs(&self.details), "fields": pairs(&self.fields),
            } })
            .to_string();
        }
        let mut text = format!("{}: {}\n", self.code, printable(&self.message));
        for (field, wrong) in &self.fields {
            let _ = writeln!(text, "  {field}: {}", printable(wrong));
        }
        let mut rows = vec![("reason", self.reason.clone())];
        rows.extend(
            self.details
                .iter()
                .map(|(name, value)| (name.as_str(), value.clone())),
        );
        text.push_str(&lines(&rows));
        text
    }
}

/// Two columns; empty rows are left out.
fn lines(rows: &[(&str, String)]) -> String {
    let rows: Vec<_> = rows.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<width$}  {}", printable(value));
    }
    text
}

/// What a function writes must not steer the terminal that shows it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' && c != '\n' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
