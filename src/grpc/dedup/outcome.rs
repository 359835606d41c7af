//! What a call with a `request_id` came to.

use bytes::Bytes;
use tonic::Code;

use crate::error::{Error, Execution, Facts, Kind, reason};
use crate::grpc::detached::DetachedOutcome;
use crate::grpc::status::code;
use crate::telemetry::AttemptSummary;

/// What a call came to, as each of its callers gets it.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Outcome {
    pub(in crate::grpc) result: Result<Bytes, Error>,
    pub(in crate::grpc) sent: AttemptSummary,
    /// The activation that was started, if its id is known: how to find what is no longer kept.
    pub(in crate::grpc) activation_id: String,
    /// A second run does no harm.
    pub(in crate::grpc) idempotent: bool,
}

impl Outcome {
    /// Nothing happened, or it failed for a while and a second run does no harm: a repetition is a
    /// first call.
    pub(super) fn may_start_again(&self) -> bool {
        self.result.as_ref().is_err_and(|error| {
            error.execution == Execution::NotStarted || error.may_retry(self.idempotent)
        })
    }

    /// Bytes that it takes.
    pub(in crate::grpc) fn size(&self) -> usize {
        let content = match &self.result {
            Ok(answer) => answer.len(),
            Err(error) => size_of::<Facts>() + error.message.len() + error.reason.len(),
        };
        let id = self
            .sent
            .upstream_request_id
            .as_ref()
            .map_or(0, String::len);
        content + id + self.activation_id.len()
    }

    /// The same for those who watch the call.
    pub(in crate::grpc) fn detached(&self) -> DetachedOutcome {
        let error = self.result.as_ref().err();
        DetachedOutcome {
            code: error.map_or(Code::Ok, |error| code(error.kind)),
            failure: error.map(Into::into),
            sent: self.sent.clone(),
            activation_id: self.activation_id.clone(),
        }
    }

    /// What is said in place of an answer that was too large to keep.
    pub(super) fn emptied(&self) -> Self {
        let found = match self.activation_id.as_str() {
            "" => "look for it with ListActivations".to_owned(),
            id => format!("read activation {id} with GetActivation"),
        };
        let execution = self
            .result
            .as_ref()
            .map_or_else(|error| error.execution, |_| Execution::Completed);
        let error = Error::new(
            Kind::ResourceExhausted,
            reason::ANSWER_NOT_KEPT,
            format!(
                "The call with this request_id has ended and is not started again, but its answer is no longer kept \
                 (request_ids.max_size); {found}."
            ),
        )
        .execution(execution);
        let error = match self.activation_id.as_str() {
            "" => error,
            id => error.resource("activation", id),
        };
        Self {
            result: Err(error),
            sent: self.sent.clone(),
            activation_id: String::new(),
            idempotent: self.idempotent,
        }
    }
}

/// The outcome of a call whose task ended without one.
pub(super) fn lost() -> Outcome {
    let error = Error::new(
        Kind::Internal,
        reason::SIDECAR_BUG,
        "The call ended without an outcome; it is a bug of the sidecar.",
    )
    .execution(Execution::Unknown);
    Outcome {
        result: Err(error),
        sent: AttemptSummary::default(),
        activation_id: String::new(),
        idempotent: false,
    }
}
