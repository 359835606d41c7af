//! A call that a task of its own carries on, so that it does not end with its caller.

use prost::Message;

use super::dedup::Outcome;
use super::observe::{CallFacts, Carried, Observed};
use crate::call::Call;
use crate::error::{Component, Execution, Result};

/// The call, which tells those who watch it what became of it, however it ends.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) call: Call,
    observed: Observed,
    told: bool,
}

/// An answer that names what it started.
pub(super) trait Started {
    fn activation_id(&self) -> &str;
}

impl Lent {
    pub(super) fn new(call: Call, observed: Observed) -> Self {
        Self {
            call,
            observed,
            told: false,
        }
    }

    /// What it came to.
    pub(super) fn end<T: Message + Started>(mut self, result: Result<T>) -> Outcome {
        let activation_id = result
            .as_ref()
            .map(Started::activation_id)
            .unwrap_or_default();
        let outcome = Outcome {
            activation_id: activation_id.to_owned(),
            idempotent: self.call.idempotent,
            facts: self.facts(),
            result: result.map(|answer| answer.encode_to_vec().into()),
        };
        self.tell(outcome.carried());
        outcome
    }

    fn facts(&mut self) -> CallFacts {
        CallFacts {
            attempts: self.call.attempts,
            upstream_request_id: self.call.upstream_request_id.take(),
        }
    }

    fn tell(&mut self, carried: Carried) {
        self.told = true;
        self.observed.record(self.call.record.take());
        self.observed.carried(carried);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        // A shutdown that does not wait any longer, or a panic.
        let (code, reason) = if std::thread::panicking() {
            (tonic::Code::Internal, "SIDECAR_BUG")
        } else {
            (tonic::Code::Unavailable, "SIDECAR_STOPPED")
        };
        let execution = match self.call.attempts {
            0 => Execution::NotStarted,
            _ => Execution::Unknown,
        };
        let carried = Carried {
            code,
            failure: Some((reason.into(), execution, Component::Sidecar)),
            facts: self.facts(),
            activation_id: String::new(),
        };
        self.tell(carried);
    }
}
