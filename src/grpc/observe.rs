//! One call from its head to its end, as those who watch see it.
//!
//! The router begins and ends it, the edge says what it was, and the last of both to let go shows
//! it: so a call is shown once, after all that it did, however it ended: with an answer, with a
//! panic, with a caller that went away.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use http::HeaderValue;
use tokio::time::Instant;
use tonic::Code;

use super::caller::Caller;
use super::detached::DetachedOutcome;
use super::status::code_name;
use crate::call::{Record, StartListener};
use crate::memory::{FACTOR, Held, Memory, NoRoom};
use crate::target::Target;
use crate::telemetry::{AttemptSummary, CallFacts, Telemetry};

/// Shared by the router, the edge and whoever carries the call on.
#[derive(Clone, Debug)]
pub(super) struct CallObserver(Arc<Observation>);

#[derive(Debug)]
struct Observation {
    telemetry: Arc<Telemetry>,
    method: &'static str,
    invokes: bool,
    caller: Arc<Caller>,
    started: Instant,
    /// When its answer must be with the caller.
    due: OnceLock<Instant>,
    released: OnceLock<Released>,
    detached: OnceLock<DetachedOutcome>,
    record: OnceLock<Box<Record>>,
    /// What the request takes of the bound on memory, as long as anybody has to do with it.
    held: Mutex<Held>,
    end: OnceLock<(Instant, Code)>,
    /// The id of the run that it waits for, and whoever waits to pass it on.
    run: OnceLock<HeaderValue>,
    waiting: AtomicWaker,
}

impl Observation {
    fn facts(&self) -> CallFacts {
        CallFacts::new(self.method, self.invokes, self.started)
    }
}

impl StartListener for Observation {
    fn started(&self, activation_id: &str) {
        if let Ok(id) = HeaderValue::from_str(activation_id) {
            let _ = self.run.set(id);
            self.waiting.wake();
        }
    }
}

/// What the edge leaves behind when it lets a call go.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) facts: CallFacts,
    pub(super) target: Option<Arc<Target>>,
    /// What the answer takes of the bound on memory; given back when the answer has been sent.
    pub(super) memory: Held,
    /// The caller got what another task made of its call.
    pub(super) delivered: bool,
}

static NOTHING_SENT: AttemptSummary = AttemptSummary {
    attempts: 0,
    upstream_request_id: None,
};

/// The router's hold on a call: dropped without an end, its caller has gone away or its time is
/// over.
#[derive(Debug)]
pub(super) struct CallGuard(CallObserver);

impl CallObserver {
    pub(super) fn new(
        telemetry: &Arc<Telemetry>,
        method: &'static str,
        invokes: bool,
        caller: &Arc<Caller>,
    ) -> Self {
        Self(Arc::new(Observation {
            telemetry: Arc::clone(telemetry),
            method,
            invokes,
            caller: Arc::clone(caller),
            started: Instant::now(),
            due: OnceLock::new(),
            released: OnceLock::new(),
            detached: OnceLock::new(),
            record: OnceLock::new(),
            held: Mutex::default(),
            end: OnceLock::new(),
            run: OnceLock::new(),
            waiting: AtomicWaker::new(),
        }))
    }

    pub(super) fn guard(self) -> CallGuard {
        CallGuard(self)
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

    /// What is known of it from the beginning.
    pub(super) fn facts(&self) -> CallFacts {
        self.0.facts()
    }

    /// The edge has let it go; said once.
    pub(super) fn release(&self, released: Released) {
        let _ = self.0.released.set(released);
    }

    /// What became of it in another task; said once. It is shown where the edge knows no better, as
    /// when the caller left.
    pub(super) fn detached(&self, outcome: DetachedOutcome) {
        let _ = self.0.detached.set(outcome);
    }

    /// What it did upstream; said once, by whoever did it.
    pub(super) fn record(&self, record: Option<Box<Record>>) {
        if let Some(record) = record {
            let _ = self.0.record.set(record);
        }
    }

    /// What the trailers say; nothing of a call that is not over at the edge.
    pub(super) fn sent(&self) -> &AttemptSummary {
        self.0
            .released
            .get()
            .map_or(&NOTHING_SENT, |released| &released.facts.sent)
    }
}

impl CallGuard {
    /// Its answer has been handed over. Only the first end counts.
    pub(super) fn end(&self, code: Code) {
        self.0.end(code);
    }

    pub(super) fn sent(&self) -> &AttemptSummary {
        self.0.sent()
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

impl CallObserver {
    fn end(&self, code: Code) {
        let _ = self.0.end.set((Instant::now(), code));
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let late = self.due().is_some_and(|due| due <= Instant::now());
        self.0.end(if late {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        });
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let Released {
            mut facts,
            target,
            memory: _memory,
            delivered,
        } = self.released.take().unwrap_or_else(|| Released {
            facts: self.facts(),
            target: None,
            memory: Held::default(),
            delivered: true,
        });
        let (ended, code) = self
            .end
            .take()
            .unwrap_or_else(|| (Instant::now(), Code::Cancelled));
        (facts.ended, facts.code) = (ended, code_name(code));
        if !delivered && let Some(detached) = self.detached.take() {
            facts.outcome = Some(code_name(detached.code));
            facts.sent = detached.sent;
            facts.failure = facts.failure.or(detached.failure);
            if facts.activation_id.is_empty() {
                facts.activation_id = detached.activation_id;
            }
        }
        facts.record = self.record.take();
        let calls = target.as_deref().map(|target| &*target.metrics.calls);
        self.telemetry.finished(facts, calls);
    }
}
