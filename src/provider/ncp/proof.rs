//! What proves a run, whatever HTTP status stands over it.

use std::time::SystemTime;

use super::auth::{self, Form};
use super::wire;
use crate::error::{Execution, Result};
use crate::provider::lenient::{self, Clock};
use crate::transport::Response;

/// The form of a request whose answer is an activation.
pub(super) struct Activations;

impl Form for Activations {
    fn judge(&self, response: &Response, now: SystemTime) -> Result<()> {
        judge(response, now)
    }
}

/// Judges an answer that may be an activation. Apache OpenWhisk, which NCP runs, answers 502 and
/// 500 when a function failed, with the activation as the body; NCP documents no such status
/// (INFERRED). A run that happened must never lead to a second one, so an activation with an
/// outcome is taken whatever its status.
pub(super) fn judge(response: &Response, now: SystemTime) -> Result<()> {
    let Err(error) = auth::judge(response, now) else {
        return Ok(());
    };
    let json = response.json();
    let in_envelope =
        lenient::quietly::<wire::Enveloped<'_>>(json, Clock::UTC).and_then(|found| found.content);
    let found = in_envelope.or_else(|| lenient::quietly(json, Clock::UTC));
    let is_named = |found: &wire::Activation<'_>| found.activation_id.0.is_some();
    let Some(found) = found.filter(is_named) else {
        return Err(error);
    };
    if found.response.is_some() {
        return Ok(());
    }
    // An id under an error: something was started, and nobody knows more.
    let execution = error.execution.max(Execution::Unknown);
    Err(error.execution(execution).transient(false))
}
