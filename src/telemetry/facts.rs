//! One call that is over, as operators may see it: in its access line, in its spans, in numbers.
//!
//! Names, numbers and symbols only. Arguments, results, code and keys have no field here, so that
//! no sink can show them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceId};
use tokio::time::Instant;

use crate::call::Record;
use crate::error::{Component, Error, Execution};

/// gRPC statuses that are the server's failure (semantic conventions for gRPC, "Server"); the
/// others are the caller's.
pub(super) const SERVER_FAULTS: [&str; 6] = [
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
];

/// What a call was and what it came to.
#[derive(Debug)]
pub struct CallFacts {
    /// `faas.v1.InvocationService/Invoke`; `_OTHER` for a method that does not exist.
    pub method: &'static str,
    /// True when the method runs the action that `subject` names.
    pub invokes: bool,
    /// When its head had been read.
    pub started: Instant,
    /// When its answer had been handed over, or its caller had gone.
    pub ended: Instant,
    /// gRPC's name of its status: `OK`, `CANCELLED` when the caller went away.
    pub code: &'static str,
    /// gRPC's name of the status that the call came to after its caller had gone; `None` = the
    /// caller got its answer, or the call ended with its caller.
    pub outcome: Option<&'static str>,
    /// Where it went, if it came so far.
    pub destination: Option<Arc<Destination>>,
    /// What it was about: `package/action`, or a trigger's or a package's name; empty if nothing.
    pub subject: String,
    /// The configuration that it saw; 0 = it came before one.
    pub config_generation: u64,
    /// Why it failed, if it did.
    pub failure: Option<CallFailure>,
    /// What was sent for it.
    pub sent: AttemptSummary,
    /// The run it was about; empty = none.
    pub activation_id: String,
    /// True when the function ran and failed, which is no failure of the call.
    pub function_failed: bool,
    /// Its place in the caller's trace.
    pub trace: Option<TraceContext>,
    /// What it did upstream.
    pub record: Option<Box<Record>>,
}

/// What was sent for a call, as trailers, access line and spans say it.
#[derive(Clone, Debug, Default)]
pub struct AttemptSummary {
    /// Signed requests sent.
    pub attempts: u32,
    /// The upstream's id of the last one.
    pub upstream_request_id: Option<String>,
}

/// A target, in the words of its configuration and of the semantic conventions.
#[derive(Debug)]
pub struct Destination {
    /// Its name in the configuration.
    pub target: String,
    /// `cloud.provider`.
    pub cloud: &'static str,
    /// `cloud.region`: the cloud's own name of it.
    pub region: String,
}

/// Why a call failed.
#[derive(Clone, Debug)]
pub struct CallFailure {
    /// The `UPPER_SNAKE` symbol.
    pub reason: Cow<'static, str>,
    /// Whether it may have been carried out.
    pub execution: Execution,
    /// Who failed.
    pub component: Component,
}

/// One call's place in a trace.
#[derive(Clone, Debug)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span; invalid when the trace begins here.
    pub parent: SpanId,
    /// This call's own span; invalid when nothing is ever recorded here.
    pub span_id: SpanId,
    /// Whether it was recorded from the start.
    pub sampled: bool,
    /// The caller's `tracestate`.
    pub tracestate: Option<String>,
}

impl CallFacts {
    /// A call of which only this is known yet; it ends as one whose caller went away.
    #[must_use]
    pub fn new(method: &'static str, invokes: bool, started: Instant) -> Self {
        Self {
            method,
            invokes,
            started,
            ended: started,
            code: "CANCELLED",
            outcome: None,
            destination: None,
            subject: String::new(),
            config_generation: 0,
            failure: None,
            sent: AttemptSummary::default(),
            activation_id: String::new(),
            function_failed: false,
            trace: None,
            record: None,
        }
    }

    /// How long the caller waited.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.ended.saturating_duration_since(self.started)
    }

    /// Whether the call, or the function that it ran, failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.code != "OK" || self.function_failed
    }
}

impl From<&Error> for CallFailure {
    fn from(error: &Error) -> Self {
        Self {
            reason: error.reason.clone(),
            execution: error.execution,
            component: error.component,
        }
    }
}
