//! What operators see of the process: its log and its traces.
//!
//! Knows calls as facts ([`Finished`]); knows neither gRPC nor HTTP upstreams nor clouds.

use std::sync::Arc;
use std::time::Duration;

pub mod finished;
pub mod log;
pub mod otlp;
pub mod trace;

pub use finished::{Failure, Finished, Place};
pub use log::{Format, Lines, Log};
pub use trace::{Begun, Incoming, Keep, Parent, Propagation, Traces};

/// Longest time that the end of the process is held up to export what is left.
pub const FLUSH: Duration = Duration::from_secs(5);

/// One process's telemetry, shared by all threads.
#[derive(Debug)]
pub struct Telemetry {
    log: Option<Log>,
    lines: Lines,
    traces: Traces,
}

impl Telemetry {
    /// Access lines go to `log`, if there is one.
    #[must_use]
    pub fn new(log: Option<Log>, lines: Lines, traces: Traces) -> Arc<Self> {
        Arc::new(Self { log, lines, traces })
    }

    /// Passes trace headers on, and shows nothing.
    #[must_use]
    pub fn off() -> Arc<Self> {
        Self::new(None, Lines::Off, Traces::off())
    }

    /// The traces.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    /// True when what a call was about is worth noting: its line or its spans may show it.
    #[must_use]
    pub fn notes_subjects(&self) -> bool {
        self.traces.is_on() || (self.log.is_some() && self.lines != Lines::Off)
    }

    /// Shows a call that is over.
    pub fn finished(&self, mut call: Finished<'_>) {
        if let Some(log) = &self.log {
            log::access::write(self.lines, log, &call);
        }
        self.traces.finished(&mut call);
    }
}
