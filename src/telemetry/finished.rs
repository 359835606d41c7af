//! One call that is over, as operators may see it: in an access line, in spans.
//!
//! Names, numbers and symbols only. Arguments, results, code and keys have no field here, so that
//! no sink can show them.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;

use super::trace::Context;
use crate::call::Record;
use crate::error::{Component, Execution};

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

/// What a call came to.
#[derive(Debug)]
pub struct Finished<'a> {
    /// `faas.v1.InvocationService/Invoke`; `_OTHER` for a method that there is not.
    pub method: &'static str,
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
    pub place: Option<Place<'a>>,
    /// What it was about: `package/action`, or a trigger's or a package's name; empty if nothing.
    pub subject: &'a str,
    /// True when the method runs the action that `subject` names.
    pub invokes: bool,
    /// The configuration that it saw; 0 = it came before one.
    pub config_generation: u64,
    /// Why it failed, if it did.
    pub failure: Option<Failure<'a>>,
    /// Signed requests sent.
    pub attempts: u32,
    /// The upstream's id of the last one.
    pub upstream_request_id: Option<&'a str>,
    /// The run it was about.
    pub activation_id: Option<&'a str>,
    /// True when the function ran and failed, which is no failure of the call.
    pub function_failed: bool,
    /// Its place in the caller's trace.
    pub trace: Option<&'a Context>,
    /// What it did upstream.
    pub record: Option<Box<Record>>,
}

/// A target, in the words of its configuration and of the semantic conventions.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its name in the configuration.
    pub target: &'a str,
    /// `cloud.provider`.
    pub cloud: &'static str,
    /// `cloud.region`.
    pub region: &'a str,
}

/// Why a call failed.
#[derive(Clone, Debug)]
pub struct Failure<'a> {
    /// The `UPPER_SNAKE` symbol.
    pub reason: Cow<'a, str>,
    /// Whether it may have been carried out.
    pub execution: Execution,
    /// Who failed.
    pub component: Component,
}

impl Finished<'_> {
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
