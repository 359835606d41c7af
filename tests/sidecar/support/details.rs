//! What an error must say, checked in one place.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::cloud::Cloud;
use super::upstream::SECRET_KEY;

/// An error status taken apart.
#[derive(Debug)]
pub struct Told {
    pub code: Code,
    pub reason: String,
    pub message: String,
    pub metadata: std::collections::HashMap<String, String>,
    /// Field paths of `BadRequest`, sorted.
    pub fields: Vec<String>,
    pub retry_after: Option<Duration>,
    pub quota: bool,
    pub resource: Option<(String, String)>,
    pub pushback: Option<i64>,
    pub attempts: Option<u32>,
    pub request_id: Option<String>,
}

/// Takes `status` apart and checks what holds for every error of a call that reached the ncp
/// target.
pub fn told(status: &Status) -> Told {
    told_by(Cloud::Ncp21, status)
}

/// The same of a target of another cloud.
pub fn told_by(cloud: Cloud, status: &Status) -> Told {
    let told = bare(status);
    for name in ["target", "provider", "attempts", "execution", "component"] {
        assert!(
            told.metadata.contains_key(name),
            "no {name} in {:?}",
            told.metadata
        );
    }
    assert_eq!(
        (
            told.metadata["target"].as_str(),
            told.metadata["provider"].as_str()
        ),
        (
            "main",
            if cloud.is_ncp() {
                "ncp"
            } else {
                "functiongraph"
            }
        )
    );
    assert_eq!(
        told.attempts.map(|count| count.to_string()).as_ref(),
        told.metadata.get("attempts")
    );
    assert_eq!(
        told.request_id.as_ref(),
        told.metadata.get("upstream_request_id")
    );
    told
}

/// Takes `status` apart and checks what holds for every error at all.
pub fn bare(status: &Status) -> Told {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "faas-sidecar");
    assert!(
        !info.reason.is_empty()
            && info
                .reason
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
        "{}",
        info.reason
    );
    assert!(["not_started", "unknown", "completed"].contains(&info.metadata["execution"].as_str()));
    let components = ["sidecar", "network", "gateway", "service", "function"];
    assert!(components.contains(&info.metadata["component"].as_str()));
    let whole = format!("{status:?}");
    assert!(
        !status.message().contains(['<', '>', '\n']),
        "markup in {:?}",
        status.message()
    );
    assert!(!whole.contains(SECRET_KEY), "a secret in {whole}");
    assert!(!status.message().is_empty() && status.message().len() < 2_400);
    let mut fields: Vec<_> = details
        .bad_request()
        .map(|bad| {
            bad.field_violations
                .iter()
                .map(|violation| violation.field.clone())
                .collect()
        })
        .unwrap_or_default();
    fields.sort();
    let read = |name: &str| {
        status
            .metadata()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    Told {
        code: status.code(),
        reason: info.reason.clone(),
        message: status.message().to_owned(),
        metadata: info.metadata.clone(),
        fields,
        retry_after: details.retry_info().and_then(|info| info.retry_delay),
        quota: details.quota_failure().is_some(),
        resource: details
            .resource_info()
            .map(|info| (info.resource_type.clone(), info.resource_name.clone())),
        pushback: read("grpc-retry-pushback-ms").map(|text| text.parse().unwrap()),
        attempts: read("faas-attempts").map(|text| text.parse().unwrap()),
        request_id: read("faas-upstream-request-id"),
    }
}

impl Told {
    pub fn execution(&self) -> &str {
        &self.metadata["execution"]
    }

    pub fn component(&self) -> &str {
        &self.metadata["component"]
    }

    /// Code, reason, execution and component at once.
    #[track_caller]
    pub fn assert(&self, code: Code, reason: &str, execution: &str, component: &str) {
        let got = (
            self.code,
            self.reason.as_str(),
            self.execution(),
            self.component(),
        );
        assert_eq!(
            got,
            (code, reason, execution, component),
            "{}",
            self.message
        );
    }
}
