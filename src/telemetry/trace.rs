//! Traces: what is recorded, what goes on to the upstream, what is exported.
//!
//! Sampling is decided before anything is recorded. A call that was not sampled only passes the
//! caller's `traceparent` on; it keeps a few facts ([`Record`]), so that its spans can still be
//! exported when it fails, is repeated or is slow. Spans are built from facts by the exporter's
//! thread: no span exists on a call's path.

use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::Resource;

use super::facts::{CallFacts, TraceContext};
use super::metrics::{Metrics, names};
use super::otlp::{self, Read, Signal};
use crate::call::{Record, traceparent};

mod queue;
mod sampler;
mod spans;

pub use queue::Counts;
pub use sampler::Sampler;

use queue::{Bounds, Queue};
use spans::{Kept, KeptCall};

/// What a caller sent of its trace, already checked.
#[derive(Clone, Debug, Default)]
pub struct IncomingTrace {
    /// `traceparent`.
    pub parent: Option<TraceParent>,
    /// `tracestate`.
    pub tracestate: Option<String>,
    /// `baggage`.
    pub baggage: Option<String>,
}

/// A good `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The header's value.
    pub text: String,
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span.
    pub span_id: SpanId,
    /// Whether the caller records.
    pub sampled: bool,
}

/// How a call goes on.
#[derive(Debug, Default)]
pub struct TraceStart {
    /// Headers for the upstream: (name, value).
    pub headers: Vec<(&'static str, String)>,
    /// Its place in a trace, if it has one.
    pub context: Option<TraceContext>,
    /// Where it notes what it does, if that may be exported.
    pub record: Option<Box<Record>>,
}

/// Which of the trace's headers are read and passed on: `OTEL_PROPAGATORS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// `traceparent` and `tracestate`.
    pub trace_context: bool,
    /// `baggage`.
    pub baggage: bool,
}

/// What is exported of calls that sampling left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Calls that failed, and calls with a request that was repeated.
    pub failures: bool,
    /// Calls that took this long; `None` = however long.
    pub slower_than: Option<Duration>,
}

/// The traces of a process.
#[derive(Debug)]
pub struct Traces {
    propagation: Propagation,
    /// The members of a caller's baggage that go on.
    baggage: Box<[String]>,
    exported: Option<SpanExport>,
}

#[derive(Debug)]
struct SpanExport {
    sampler: Sampler,
    keep: Keep,
    queue: Queue,
    told: String,
}

/// What the standard variables ask for, before anything is started.
#[derive(Debug)]
struct TraceVariables {
    propagation: Propagation,
    export: Option<ExportVariables>,
}

#[derive(Debug)]
struct ExportVariables {
    settings: otlp::Settings,
    sampler: Sampler,
    bounds: Bounds,
    resource: Resource,
}

impl TraceVariables {
    fn read(read: Read<'_>, warnings: &mut Vec<String>) -> Self {
        let propagation = Propagation::read(read, warnings);
        let export =
            otlp::Settings::read(Signal::Traces, read, warnings).map(|settings| ExportVariables {
                settings,
                sampler: Sampler::read(
                    read("OTEL_TRACES_SAMPLER").as_deref(),
                    read("OTEL_TRACES_SAMPLER_ARG").as_deref(),
                    warnings,
                ),
                bounds: Bounds::read(read, warnings),
                resource: otlp::resource(read, warnings),
            });
        Self {
            propagation,
            export,
        }
    }
}

impl Traces {
    /// As the standard variables say; off unless they ask for an export. Of a caller's baggage the
    /// members that `baggage` names go on, and no others. `warnings` tell of what is ignored.
    #[must_use]
    pub fn start(
        read: Read<'_>,
        keep: Keep,
        baggage: &[String],
        metrics: &Metrics,
        warnings: &mut Vec<String>,
    ) -> Self {
        let TraceVariables {
            propagation,
            export,
        } = TraceVariables::read(read, warnings);
        let exported = export.and_then(|export| {
            let ExportVariables {
                settings,
                sampler,
                bounds,
                resource,
            } = export;
            let told = format!(
                "{} over {:?}, {sampler}",
                settings.shown(),
                settings.protocol
            );
            let rejected = metrics.family(&names::OTLP_REJECTED).counter(&["traces"]);
            match Queue::start(&settings, &resource, bounds, rejected) {
                Ok(queue) => Some(SpanExport {
                    sampler,
                    keep,
                    queue,
                    told,
                }),
                Err(why) => {
                    warnings.push(format!("no traces are exported: {why}"));
                    None
                }
            }
        });
        Self {
            propagation,
            baggage: baggage.into(),
            exported,
        }
    }

    /// Tells in `warnings` what [`Traces::start`] would ignore, and starts nothing.
    pub(super) fn check(read: Read<'_>, warnings: &mut Vec<String>) {
        let _ = TraceVariables::read(read, warnings);
    }

    /// Passes the caller's trace on, without baggage, and exports nothing.
    #[must_use]
    pub fn off() -> Self {
        Self {
            propagation: Propagation::ALL,
            baggage: Box::default(),
            exported: None,
        }
    }

    /// Where spans go and which, for the log's first lines; `None` when they go nowhere.
    #[must_use]
    pub fn told(&self) -> Option<&str> {
        self.exported
            .as_ref()
            .map(|exported| exported.told.as_str())
    }

    /// Which headers are read.
    #[must_use]
    pub fn propagation(&self) -> Propagation {
        Propagation {
            baggage: self.propagation.baggage && !self.baggage.is_empty(),
            ..self.propagation
        }
    }

    /// The members of a `baggage` header that go on, as they came (W3C Baggage, "list-member").
    fn members(&self, header: &str) -> Option<String> {
        let listed = |member: &&str| {
            let key = member.split(['=', ';']).next().unwrap_or_default().trim();
            self.baggage.iter().any(|name| name == key)
        };
        let members: Vec<&str> = header.split(',').map(str::trim).filter(listed).collect();
        (!members.is_empty()).then(|| members.join(","))
    }

    /// Spans exported and lost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.exported
            .as_ref()
            .map(|exported| exported.queue.counts())
            .unwrap_or_default()
    }

    /// Decides what is recorded of a call, and what its upstream is told.
    #[must_use]
    pub fn begin(&self, incoming: IncomingTrace) -> TraceStart {
        let IncomingTrace {
            parent,
            tracestate,
            baggage,
        } = incoming;
        let mut begun = TraceStart::default();
        match (&self.exported, parent) {
            (None, None) => {}
            (None, Some(parent)) => {
                begun.context = Some(TraceContext {
                    trace_id: parent.trace_id,
                    parent: parent.span_id,
                    span_id: SpanId::INVALID,
                    sampled: parent.sampled,
                    tracestate: None,
                });
                begun.headers.push(("traceparent", parent.text));
            }
            (Some(exported), parent) => {
                let trace_id = match &parent {
                    Some(parent) => parent.trace_id,
                    None => TraceId::from(fastrand::u128(1..)),
                };
                let span_id = SpanId::from(fastrand::u64(1..));
                let decided = parent.as_ref().map(|parent| parent.sampled);
                let sampled = exported.sampler.samples(decided, trace_id);
                begun.context = Some(TraceContext {
                    trace_id,
                    parent: parent
                        .as_ref()
                        .map_or(SpanId::INVALID, |parent| parent.span_id),
                    span_id,
                    sampled,
                    tracestate: tracestate.clone(),
                });
                if sampled || exported.keep.failures || exported.keep.slower_than.is_some() {
                    begun.record = Some(Box::new(Record::new(sampled.then_some(trace_id))));
                }
                // A sampled call's attempts replace this by their own span.
                if self.propagation.trace_context {
                    let own = || traceparent(trace_id, span_id, sampled);
                    begun
                        .headers
                        .push(("traceparent", parent.map_or_else(own, |parent| parent.text)));
                }
            }
        }
        if let (false, Some(tracestate)) = (begun.headers.is_empty(), tracestate) {
            begun.headers.push(("tracestate", tracestate));
        }
        if let Some(baggage) = baggage.and_then(|header| self.members(&header)) {
            begun.headers.push(("baggage", baggage));
        }
        begun
    }

    /// True when what a call was about is worth noting.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.exported.is_some()
    }

    /// Hands a call over to the exporter if it was sampled, or is one of those to keep.
    pub(super) fn finished(&self, mut call: CallFacts) {
        let (Some(exported), Some(context)) = (&self.exported, call.trace.take()) else {
            return;
        };
        let kept = if context.sampled {
            Some(Kept::Sampled)
        } else {
            exported.keep.reason(&call)
        };
        if let Some(kept) = kept {
            exported.queue.push(KeptCall {
                call,
                context,
                kept,
            });
        }
    }

    /// Exports what is left, within `bound`; nothing is exported afterwards.
    pub fn stop(&self, bound: Duration) {
        if let Some(exported) = &self.exported {
            exported.queue.stop(bound);
        }
    }
}

impl Keep {
    fn reason(&self, call: &CallFacts) -> Option<Kept> {
        if self.failures && call.failed() {
            return Some(Kept::Failed);
        }
        let repeated = || {
            call.record
                .as_ref()
                .is_some_and(|record| record.attempts.iter().any(|attempt| attempt.resend > 0))
        };
        if self.failures && repeated() {
            return Some(Kept::Repeated);
        }
        let slow = self
            .slower_than
            .is_some_and(|bound| call.duration() >= bound);
        slow.then_some(Kept::Slow)
    }
}

impl Propagation {
    /// The standard's default.
    pub const ALL: Self = Self {
        trace_context: true,
        baggage: true,
    };

    fn read(read: Read<'_>, warnings: &mut Vec<String>) -> Self {
        let Some(text) = read("OTEL_PROPAGATORS") else {
            return Self::ALL;
        };
        let mut propagation = Self {
            trace_context: false,
            baggage: false,
        };
        for name in text.split(',').map(str::trim) {
            match name {
                "tracecontext" => propagation.trace_context = true,
                "baggage" => propagation.baggage = true,
                "none" | "" => {}
                _ => warnings.push(
                    "OTEL_PROPAGATORS names others than tracecontext and baggage: they are left out"
                        .to_owned(),
                ),
            }
        }
        propagation
    }
}

#[cfg(test)]
mod tests;
