//! One caller's call on its way through the rooms: its deadline, its trace context, and what it has
//! cost so far.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Component, Error, Execution, Kind, reason};
use crate::memory::{Held, Memory};

mod record;
mod unsent;

pub use record::{Attempt, Pause, Record, Why, traceparent};
pub use unsent::Unsent;

/// Carried by `&mut` from the gRPC edge to the transport and back.
#[derive(Debug)]
pub struct Call {
    /// When the caller must have its answer.
    pub deadline: Instant,
    /// W3C trace headers to pass on, already checked: (name, value).
    pub trace: Vec<(&'static str, String)>,
    /// Which configuration the call sees from beginning to end: 1 for the one at the start, one
    /// more with each reload.
    pub config_generation: u64,
    /// The connection that the call came on, so that callers take turns in queues; 0 = unknown.
    pub caller: u64,
    /// The bound on memory as the caller sees it; none for a call of nobody's, which the target's
    /// own bounds.
    pub room: Option<Memory>,
    /// How often the caller's own retry policy has sent this call before (gRFC A6,
    /// `grpc-previous-rpc-attempts`); 0 = this is the first time.
    pub previous_attempts: u32,
    /// Whether this call, being a retry, has been paid for from a retry budget.
    pub retry_paid: bool,
    /// Signed HTTP requests sent so far.
    pub attempts: u32,
    /// Whether the latest request may be repeated without harm: by its nature, the caller's word or
    /// the configuration.
    pub idempotent: bool,
    /// What the reads that were answered so far have done: an operation of several reads is begun
    /// with the first.
    pub reads: Execution,
    /// Memory that the latest answer takes; kept until the caller has its own.
    pub memory: Held,
    /// The upstream's id of the latest request.
    pub upstream_request_id: Option<String>,
    /// What it did, if that may be of interest when it is over.
    pub record: Option<Box<Record>>,
    /// Who hears of the run that the call starts.
    pub listener: Option<Arc<dyn StartListener>>,
}

/// Hears of a run whose outcome the call still waits for.
pub trait StartListener: fmt::Debug + Send + Sync {
    /// The cloud has started a run and named it.
    fn started(&self, activation_id: &str);
}

impl Call {
    /// A call that must be answered by `deadline`.
    #[must_use]
    pub fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            trace: Vec::new(),
            config_generation: 0,
            caller: 0,
            room: None,
            previous_attempts: 0,
            retry_paid: false,
            attempts: 0,
            idempotent: false,
            reads: Execution::NotStarted,
            memory: Held::default(),
            upstream_request_id: None,
            record: None,
            listener: None,
        }
    }

    /// The cloud has started a run and named it, and the call goes on waiting for its outcome.
    pub fn run_started(&self, activation_id: &str) {
        if let Some(listener) = &self.listener {
            listener.started(activation_id);
        }
    }

    /// Time left; zero when it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The error for a call whose time is over.
    #[must_use]
    pub fn out_of_time(execution: Execution) -> Error {
        let rest = match execution {
            Execution::NotStarted => "nothing was sent",
            Execution::Unknown => "the upstream may still carry it out",
            Execution::Completed => "it was carried out, but its answer is missing",
        };
        Error::new(
            Kind::DeadlineExceeded,
            reason::DEADLINE_EXCEEDED,
            format!("The call ran out of time; {rest}."),
        )
        .component(Component::Sidecar)
        .execution(execution)
    }
}
