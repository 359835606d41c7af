//! A call that a task of its own carries on, so that it does not end with its caller.

use prost::Message;
use tonic::Code;

use super::dedup::Outcome;
use super::messages::RpcResponse;
use super::observe::CallObserver;
use crate::call::Call;
use crate::error::{Component, Execution, Result, reason};
use crate::telemetry::{AttemptSummary, CallFailure};

/// The call, which tells those who watch it what became of it, however it ends.
#[derive(Debug)]
pub(super) struct DetachedCall {
    pub(super) call: Call,
    observer: CallObserver,
    reported: bool,
}

/// What became of such a call.
#[derive(Debug)]
pub(super) struct DetachedOutcome {
    pub(super) code: Code,
    pub(super) failure: Option<CallFailure>,
    pub(super) sent: AttemptSummary,
    pub(super) activation_id: String,
}

impl DetachedCall {
    pub(super) fn new(call: Call, observer: CallObserver) -> Self {
        Self {
            call,
            observer,
            reported: false,
        }
    }

    /// What it came to.
    pub(super) fn end<T: Message + RpcResponse>(mut self, result: Result<T>) -> Outcome {
        let activation_id = result.as_ref().ok().and_then(RpcResponse::activation_id);
        let outcome = Outcome {
            activation_id: activation_id.unwrap_or_default().to_owned(),
            idempotent: self.call.idempotent,
            sent: sent(&mut self.call),
            result: result.map(|answer| answer.encode_to_vec().into()),
        };
        self.report(outcome.detached());
        outcome
    }

    fn report(&mut self, outcome: DetachedOutcome) {
        self.reported = true;
        self.observer.record(self.call.record.take());
        self.observer.detached(outcome);
    }
}

/// What a call that is over has sent.
pub(super) fn sent(call: &mut Call) -> AttemptSummary {
    AttemptSummary {
        attempts: call.attempts,
        upstream_request_id: call.upstream_request_id.take(),
    }
}

impl Drop for DetachedCall {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        // A shutdown that does not wait any longer, or a panic.
        let (code, reason) = if std::thread::panicking() {
            (Code::Internal, reason::SIDECAR_BUG)
        } else {
            (Code::Unavailable, reason::SIDECAR_STOPPED)
        };
        let execution = match self.call.attempts {
            0 => Execution::NotStarted,
            _ => Execution::Unknown,
        };
        let outcome = DetachedOutcome {
            code,
            failure: Some(CallFailure {
                reason: reason.into(),
                execution,
                component: Component::Sidecar,
            }),
            sent: sent(&mut self.call),
            activation_id: String::new(),
        };
        self.report(outcome);
    }
}
