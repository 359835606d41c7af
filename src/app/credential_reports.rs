//! The state of all targets' credentials, for the admin page and for readiness.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::credentials::Status;

/// Tells a target's credentials' state.
pub(super) type CredentialReport = Arc<dyn Fn() -> Status + Send + Sync>;

/// The state of all targets' credentials.
pub(super) struct CredentialReports {
    pub(super) default: String,
    pub(super) targets: Vec<(String, CredentialReport)>,
}

impl CredentialReports {
    /// Why the default target cannot be used yet; `None` = it can.
    pub(super) fn unready(&self) -> Option<String> {
        let (name, report) = self
            .targets
            .iter()
            .find(|(name, _)| *name == self.default)?;
        report()
            .ready
            .err()
            .map(|why| format!("target {name}: {why}"))
    }

    /// The state of all credentials as JSON.
    pub(super) fn page(&self) -> String {
        let targets: serde_json::Map<String, Value> = self
            .targets
            .iter()
            .map(|(name, report)| (name.clone(), shown(&report())))
            .collect();
        format!("{:#}\n", Value::Object(targets))
    }
}

fn shown(status: &Status) -> Value {
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
    json!({
        "source": status.source,
        "ready": status.ready.is_ok(),
        "why": status.ready.as_ref().err(),
        "fingerprint": status.fingerprint,
        "generation": status.generation,
        "age_seconds": seconds(status.age),
        "expires_in_seconds": seconds(status.expires_in),
        "previous_kept": status.previous_kept,
        "last_refresh": status.last_refresh.as_ref().map(|refresh| json!({
            "at": OffsetDateTime::from(refresh.at).format(&Rfc3339).ok(),
            "outcome": refresh.outcome.as_str(),
            "why": refresh.why,
        })),
    })
}
