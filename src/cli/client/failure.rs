//! `tonic::Status` → [`ClientFailure`]: the error details that the sidecar sends, as rows for people
//! and programs.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::grpc::code_name;

/// The facts in the order in which a reader wants them; others follow by name.
const ORDER: [&str; 8] = [
    "execution",
    "component",
    "http_status",
    "upstream_code",
    "upstream_request_id",
    "attempts",
    "provider",
    "target",
];
/// Facts that the trailers hold too, or alone.
const TRAILERS: [(&str, &str); 3] = [
    ("faas-activation-id", "activation_id"),
    ("faas-attempts", "attempts"),
    ("faas-upstream-request-id", "upstream_request_id"),
];

/// A call that gave no run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct ClientFailure {
    /// The gRPC code: `UNAVAILABLE`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The symbol of the reason; may be empty.
    pub reason: String,
    /// Further facts: `execution`, `attempts`, `http_status`, …
    pub details: Vec<(String, String)>,
    /// Each field at fault and what is wrong with it.
    pub fields: Vec<(String, String)>,
}

/// What a status says.
pub(in crate::cli) fn failure(status: &Status) -> ClientFailure {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else {
        return bare(status);
    };
    let mut facts = info.metadata.clone();
    add_trailers(status, &mut facts);
    let mut rows = ordered(facts);
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        rows.push(("retry_after".to_owned(), format!("{delay:?}")));
    }
    for violation in details
        .quota_failure()
        .map_or(&[][..], |quota| &quota.violations)
    {
        rows.push((
            "quota".to_owned(),
            format!("{}: {}", violation.subject, violation.description),
        ));
    }
    if let Some(resource) = details.resource_info() {
        rows.push((
            "resource".to_owned(),
            format!("{} {}", resource.resource_type, resource.resource_name),
        ));
    }
    for link in details.help().map_or(&[][..], |help| &help.links) {
        rows.push((
            "help".to_owned(),
            format!("{}: {}", link.description, link.url),
        ));
    }
    let fields = details
        .bad_request()
        .map_or(&[][..], |bad| &bad.field_violations);
    ClientFailure {
        code: code_name(status.code()).to_owned(),
        message: status.message().to_owned(),
        reason: info.reason.clone(),
        details: rows,
        fields: fields
            .iter()
            .map(|fault| (fault.field.clone(), fault.description.clone()))
            .collect(),
    }
}

/// A status without details: this program's own clock, a broken connection, or something that is no
/// sidecar.
fn bare(status: &Status) -> ClientFailure {
    let mut facts = HashMap::from([("execution".to_owned(), "unknown".to_owned())]);
    add_trailers(status, &mut facts);
    let mut failure = ClientFailure {
        code: code_name(status.code()).to_owned(),
        message: status.message().to_owned(),
        details: ordered(facts),
        ..ClientFailure::default()
    };
    // The client library calls its own timer a cancellation.
    if status.code() == Code::Cancelled {
        code_name(Code::DeadlineExceeded).clone_into(&mut failure.code);
        failure.reason.clone_from(&failure.code);
        "no answer came within --timeout; give it more time".clone_into(&mut failure.message);
    } else if failure.message.is_empty() || status.code() == Code::Unknown {
        failure.message = format!(
            "no gRPC answer came ({}); is this the address of a sidecar?",
            status.message()
        );
    }
    failure
}

fn add_trailers(status: &Status, facts: &mut HashMap<String, String>) {
    for (trailer, fact) in TRAILERS {
        if let Some(value) = status
            .metadata()
            .get(trailer)
            .and_then(|value| value.to_str().ok())
        {
            facts
                .entry(fact.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
}

fn ordered(facts: HashMap<String, String>) -> Vec<(String, String)> {
    let mut rows: Vec<_> = facts.into_iter().collect();
    let place = |name: &str| {
        ORDER
            .iter()
            .position(|known| *known == name)
            .unwrap_or(ORDER.len())
    };
    rows.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
    rows
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::metadata::MetadataMap;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_detail_becomes_a_row() {
        let facts = HashMap::from([
            ("target".to_owned(), "prod".to_owned()),
            ("execution".to_owned(), "not_started".to_owned()),
            ("zeta".to_owned(), "9".to_owned()),
        ]);
        let mut details = ErrorDetails::with_error_info("REQUEST_INVALID", "faas-sidecar", facts);
        details.add_bad_request_violation("action_name", "is empty");
        details.set_retry_info(Some(Duration::from_millis(1500)));
        details.add_quota_failure_violation("packages", "500 at most");
        let mut metadata = MetadataMap::new();
        metadata.insert("faas-attempts", "2".parse().unwrap());
        metadata.insert("faas-activation-id", "run-1".parse().unwrap());
        let status = Status::with_error_details_and_metadata(
            Code::InvalidArgument,
            "bad",
            details,
            metadata,
        );
        let failure = failure(&status);
        assert_eq!(
            (failure.code.as_str(), failure.reason.as_str()),
            ("INVALID_ARGUMENT", "REQUEST_INVALID")
        );
        assert_eq!(
            failure.fields,
            [("action_name".to_owned(), "is empty".to_owned())]
        );
        let rows: Vec<_> = failure
            .details
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            rows,
            [
                "execution=not_started",
                "attempts=2",
                "target=prod",
                "activation_id=run-1",
                "zeta=9",
                "retry_after=1.5s",
                "quota=packages: 500 at most"
            ]
        );
    }

    #[test]
    fn without_details_nothing_is_claimed() {
        let late = failure(&Status::cancelled("Timeout expired"));
        assert_eq!(
            (late.code.as_str(), late.details[0].1.as_str()),
            ("DEADLINE_EXCEEDED", "unknown")
        );
        let broken = failure(&Status::unknown("h2 protocol error"));
        assert!(
            broken.message.contains("h2 protocol error"),
            "{}",
            broken.message
        );
    }
}
