//! One call from its head to its end, as those who watch see it.
//!
//! The router begins and ends it, the edge says what it was, and the last of both to let go shows
//! it: so a call is shown once, after all that it did, however it ended: with an answer, with a
//! panic, with a caller that went away.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use http::HeaderValue;
use tokio::time::Instant;
use tonic::Code;

use super::caller::Caller;
use super::status::code_name;
use crate::call::{Record, StartListener};
use crate::error::{Component, Error, Execution};
use crate::memory::{FACTOR, Held, Memory, NoRoom};
use crate::target::Target;
use crate::telemetry::trace::Context;
use crate::telemetry::{Failure, Finished, Place, Telemetry};

/// Travels in the request's extensions from the router to the edge.
#[derive(Clone, Debug)]
pub(super) struct Observed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    telemetry: Arc<Telemetry>,
    method: &'static str,
    caller: Arc<Caller>,
    started: Instant,
    /// When its answer must be with the caller.
    due: OnceLock<Instant>,
    seen: OnceLock<Seen>,
    carried: OnceLock<Carried>,
    record: OnceLock<Box<Record>>,
    /// What the request takes of the bound on memory, as long as anybody has to do with it.
    held: Mutex<Held>,
    end: OnceLock<(Instant, &'static str)>,
    /// The id of the run that it waits for, and whoever waits to pass it on.
    run: OnceLock<HeaderValue>,
    waiting: AtomicWaker,
}

impl StartListener for Inner {
    fn started(&self, activation_id: &str) {
        if let Ok(id) = HeaderValue::from_str(activation_id) {
            let _ = self.run.set(id);
            self.waiting.wake();
        }
    }
}

/// What the edge knows of a call when it lets it go.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) target: Option<Arc<Target>>,
    pub(super) subject: String,
    pub(super) config_generation: u64,
    pub(super) context: Option<Context>,
    pub(super) failure: Option<(Cow<'static, str>, Execution, Component)>,
    pub(super) facts: CallFacts,
    /// What the answer takes of the bound on memory; given back when the answer has been sent.
    #[allow(dead_code, reason = "it is its end that counts")]
    pub(super) memory: Held,
    pub(super) activation_id: String,
    pub(super) function_failed: bool,
    /// The caller got what another task made of its call.
    pub(super) delivered: bool,
}

/// What a task made of a call that it carried on for the edge.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) code: Code,
    pub(super) failure: Option<(Cow<'static, str>, Execution, Component)>,
    pub(super) facts: CallFacts,
    pub(super) activation_id: String,
}

/// What the trailers of an answer say.
#[derive(Clone, Debug, Default)]
pub(super) struct CallFacts {
    pub(super) attempts: u32,
    pub(super) upstream_request_id: Option<String>,
}

/// The router's hold on a call: dropped without an end, its caller has gone away or its time is
/// over.
#[derive(Debug)]
pub(super) struct Guard(Observed);

impl Observed {
    pub(super) fn new(
        telemetry: &Arc<Telemetry>,
        method: &'static str,
        caller: &Arc<Caller>,
    ) -> Self {
        Self(Arc::new(Inner {
            telemetry: Arc::clone(telemetry),
            method,
            caller: Arc::clone(caller),
            started: Instant::now(),
            due: OnceLock::new(),
            seen: OnceLock::new(),
            carried: OnceLock::new(),
            record: OnceLock::new(),
            held: Mutex::default(),
            end: OnceLock::new(),
            run: OnceLock::new(),
            waiting: AtomicWaker::new(),
        }))
    }

    pub(super) fn guard(self) -> Guard {
        Guard(self)
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// Hears of the call's run.
    pub(super) fn listener(&self) -> Arc<dyn StartListener> {
        Arc::clone(&self.0) as Arc<dyn StartListener>
    }

    /// The id of the run that the call waits for; without one, `waker` is called when it is there.
    pub(super) fn started(&self, waker: &Waker) -> Option<HeaderValue> {
        if self.0.run.get().is_none() {
            self.0.waiting.register(waker);
        }
        self.0.run.get().cloned()
    }

    /// The connection that the call came on.
    pub(super) fn caller(&self) -> u64 {
        self.0.caller.number
    }

    /// The bound on memory as the caller sees it.
    pub(super) fn memory(&self) -> &Memory {
        &self.0.caller.memory
    }

    /// Keeps what the request takes.
    pub(super) fn hold(&self, held: Held) {
        *self.held() = held;
    }

    /// Takes room for what becomes larger than it came, by so many bytes.
    pub(super) fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        self.held()
            .take(self.memory(), bytes.saturating_mul(FACTOR))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is held.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when the answer must be with the caller.
    pub(super) fn due(&self, deadline: Instant) {
        let _ = self.0.due.set(deadline);
    }

    /// When the answer must be with the caller; none before a target has seen the call.
    pub(super) fn is_due(&self) -> Option<Instant> {
        self.0.due.get().copied()
    }

    /// What it was; said once.
    pub(super) fn seen(&self, seen: Seen) {
        let _ = self.0.seen.set(seen);
    }

    /// What became of it in another task; said once. It is shown where the edge knows no better, as
    /// when the caller left.
    pub(super) fn carried(&self, carried: Carried) {
        let _ = self.0.carried.set(carried);
    }

    /// What it did upstream; said once, by whoever did it.
    pub(super) fn record(&self, record: Option<Box<Record>>) {
        if let Some(record) = record {
            let _ = self.0.record.set(record);
        }
    }

    /// What the trailers say; nothing of a call that is not over at the edge.
    pub(super) fn facts(&self) -> CallFacts {
        self.0
            .seen
            .get()
            .map(|seen| seen.facts.clone())
            .unwrap_or_default()
    }
}

impl Guard {
    /// Its answer has been handed over. Only the first end counts.
    pub(super) fn end(&self, code: Code) {
        self.0.end(code);
    }

    pub(super) fn facts(&self) -> CallFacts {
        self.0.facts()
    }

    /// The id of the run that the call waited for, if it left before its outcome was there.
    pub(super) fn started(&self) -> Option<HeaderValue> {
        self.0.0.run.get().cloned()
    }

    /// When the answer must be with the caller; none for a call that no target has seen.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.is_due()
    }
}

impl Observed {
    fn end(&self, code: Code) {
        let _ = self.0.end.set((Instant::now(), code_name(code)));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let late = self.due().is_some_and(|due| due <= Instant::now());
        self.0.end(if late {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        });
    }
}

/// Why a call failed, as it is shown.
pub(super) fn failure(error: &Error) -> (Cow<'static, str>, Execution, Component) {
    (error.reason.clone(), error.execution, error.component)
}

impl Drop for Inner {
    fn drop(&mut self) {
        let nothing = Seen::default();
        let seen = self.seen.get().unwrap_or(&nothing);
        let carried = self.carried.get().filter(|_| !seen.delivered);
        let facts = carried.map_or(&seen.facts, |carried| &carried.facts);
        let failure = seen
            .failure
            .as_ref()
            .or(carried.and_then(|carried| carried.failure.as_ref()));
        let activation_id = match carried {
            Some(carried) if seen.activation_id.is_empty() => &carried.activation_id,
            _ => &seen.activation_id,
        };
        let (ended, code) = self
            .end
            .get()
            .copied()
            .unwrap_or_else(|| (Instant::now(), code_name(Code::Cancelled)));
        let counted = match &seen.target {
            Some(target) => &target.metrics.calls,
            None => self.telemetry.nowhere(),
        };
        counted.ended(
            self.method,
            code,
            ended.saturating_duration_since(self.started),
        );
        self.telemetry.finished(Finished {
            method: self.method,
            started: self.started,
            ended,
            code,
            outcome: carried.map(|carried| code_name(carried.code)),
            place: seen.target.as_deref().map(|target| Place {
                target: &target.name,
                cloud: target.cloud,
                region: &target.region,
            }),
            subject: &seen.subject,
            invokes: INVOKES.contains(&self.method),
            config_generation: seen.config_generation,
            failure: failure.map(|(reason, execution, component)| Failure {
                reason: Cow::Borrowed(reason),
                execution: *execution,
                component: *component,
            }),
            attempts: facts.attempts,
            upstream_request_id: facts.upstream_request_id.as_deref(),
            activation_id: Some(activation_id.as_str()).filter(|id| !id.is_empty()),
            function_failed: seen.function_failed,
            trace: seen.context.as_ref(),
            record: self.record.take(),
        });
    }
}

/// The methods that run what they name.
const INVOKES: [&str; 2] = [
    "faas.v1.InvocationService/Invoke",
    "faas.v1.InvocationService/InvokeAsync",
];
