//! What operators see of the process: its log, its traces and its numbers.
//!
//! Knows calls as facts ([`CallFacts`]); knows neither gRPC nor HTTP upstreams nor clouds.

use std::sync::Arc;
use std::time::Duration;

pub mod facts;
pub mod log;
pub mod metrics;
pub mod otlp;
pub mod trace;

pub use facts::{AttemptSummary, CallFacts, CallFailure, Destination, TraceContext};
pub use log::{Format, Lines, Log};
use metrics::{Calls, Export, Metrics};
pub use trace::{IncomingTrace, Keep, Propagation, TraceParent, TraceStart, Traces};

/// What the standard `OTEL_*` variables say that cannot be used and is ignored, one sentence each;
/// starts nothing.
#[must_use]
pub fn check(read: otlp::Read<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    Traces::check(read, &mut warnings);
    Export::check(read, &mut warnings);
    without_repetitions(warnings)
}

/// Each warning once: both signals read the variables that they share.
#[must_use]
pub fn without_repetitions(warnings: Vec<String>) -> Vec<String> {
    let mut once = Vec::with_capacity(warnings.len());
    for warning in warnings {
        if !once.contains(&warning) {
            once.push(warning);
        }
    }
    once
}

/// Longest time that the end of the process is held up to export what is left.
pub const FLUSH: Duration = Duration::from_secs(5);

/// One process's telemetry, shared by all threads.
#[derive(Debug)]
pub struct Telemetry {
    log: Option<Log>,
    lines: Lines,
    traces: Traces,
    metrics: Arc<Metrics>,
    /// Calls that never reached a target.
    nowhere: Arc<Calls>,
    export: Option<Export>,
}

impl Telemetry {
    /// Access lines go to `log`, if there is one.
    #[must_use]
    pub fn new(log: Option<Log>, lines: Lines, traces: Traces, metrics: Arc<Metrics>) -> Self {
        Self {
            log,
            lines,
            traces,
            nowhere: Calls::new(&metrics, ""),
            metrics,
            export: None,
        }
    }

    /// The same, with its numbers exported too.
    #[must_use]
    pub fn exporting(self, export: Option<Export>) -> Self {
        Self { export, ..self }
    }

    /// Passes trace headers on, and shows nothing.
    #[must_use]
    pub fn off() -> Arc<Self> {
        Arc::new(Self::new(None, Lines::Off, Traces::off(), Metrics::new(1)))
    }

    /// The traces.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    /// The numbers.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Where the numbers are exported to, for the log's first lines; `None` when they are not.
    #[must_use]
    pub fn metrics_told(&self) -> Option<&str> {
        self.export.as_ref().map(Export::told)
    }

    /// Exports what is left, within `bound` for each signal; nothing is exported afterwards.
    pub fn stop(&self, bound: Duration) {
        // Both at once.
        if let Some(export) = &self.export {
            export.ask_to_stop();
        }
        self.traces.stop(bound);
        if let Some(export) = &self.export {
            export.wait(bound);
        }
    }

    /// True when what a call was about is worth noting: its line or its spans may show it.
    #[must_use]
    pub fn notes_subjects(&self) -> bool {
        self.traces.is_on() || (self.log.is_some() && self.lines != Lines::Off)
    }

    /// Counts and shows a call that is over; `calls` are the numbers of its target, if it had one.
    pub fn finished(&self, call: CallFacts, calls: Option<&Calls>) {
        calls.unwrap_or(&self.nowhere).ended(&call);
        if let Some(log) = &self.log {
            log::access::write(self.lines, log, &call);
        }
        self.traces.finished(call);
    }
}
