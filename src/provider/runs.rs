//! What the runs of both clouds share: the result of an activation, and a run as the function view
//! of the metrics sees it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::error::{Execution, Result};
use crate::json;
use crate::proto::{Activation, ActivationStatus, JsonEncoding};
use crate::telemetry::metrics::{Functions, Outcome, Run};

/// Counts a run by what its caller is told. A call that surely started nothing is no run.
pub(super) fn count(functions: &Functions, package: &str, action: &str, told: &Result<Activation>) {
    let mut run = Run {
        package,
        action,
        outcome: Outcome::Unknown,
        duration: None,
        billed: None,
        init: None,
    };
    match told {
        Ok(activation) => {
            run.outcome = outcome(activation.status());
            run.duration = span(activation.duration.as_ref());
            run.billed = span(activation.billed_duration.as_ref());
            run.init = span(activation.init_duration.as_ref());
        }
        Err(error) => match error.execution {
            Execution::NotStarted => return,
            Execution::Unknown => {}
            Execution::Completed => run.outcome = Outcome::AnswerLost,
        },
    }
    functions.ran(run);
}

/// Sets the result of a run to this JSON, and to its very bytes where the encoding cannot hold its
/// text.
pub(super) fn set_json(
    activation: &mut Activation,
    raw: &RawValue,
    encoding: JsonEncoding,
) -> Result<()> {
    let (result, inexact) = json::answer(raw, encoding)?;
    if inexact && json::spelt_out(raw.get()).is_some() {
        activation.result_bytes = Bytes::copy_from_slice(raw.get().as_bytes());
    }
    activation.result = Some(result);
    activation.inexact = inexact;
    Ok(())
}

fn outcome(status: ActivationStatus) -> Outcome {
    match status {
        ActivationStatus::Running => Outcome::Running,
        ActivationStatus::Success => Outcome::Success,
        ActivationStatus::ApplicationError => Outcome::ApplicationError,
        ActivationStatus::DeveloperError => Outcome::DeveloperError,
        ActivationStatus::SystemError => Outcome::SystemError,
        ActivationStatus::Cancelled => Outcome::Cancelled,
        ActivationStatus::Queued => Outcome::Queued,
        ActivationStatus::Unspecified => Outcome::Unknown,
    }
}

fn span(duration: Option<&prost_types::Duration>) -> Option<Duration> {
    duration.and_then(|duration| Duration::try_from(*duration).ok())
}
