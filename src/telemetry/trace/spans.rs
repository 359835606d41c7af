//! Facts → spans, after the semantic conventions 1.44: an RPC server span a call, an HTTP client
//! span an attempt.
//!
//! `docs/rpc/grpc.md`, `docs/http/http-spans.md`, `docs/faas/faas-spans.md` and
//! `docs/general/recording-errors.md` of the conventions; what they have no name for stands under
//! `faas_sidecar.`.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::time::Instant;

use crate::call::{Attempt, Record, Why};
use crate::clock;
use crate::telemetry::facts::{CallFacts, SERVER_FAULTS, TraceContext};
use crate::telemetry::otlp::SCHEMA;

/// Longest attribute text, in bytes; the rest is cut off.
const MAX_TEXT: usize = 2048;

/// Why a call's spans are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Sampled,
    Failed,
    Repeated,
    Slow,
}

/// A call whose spans are exported.
#[derive(Debug)]
pub(super) struct KeptCall {
    pub(super) call: CallFacts,
    pub(super) context: TraceContext,
    pub(super) kept: Kept,
}

impl KeptCall {
    /// How many spans it makes.
    pub(super) fn spans(&self) -> usize {
        1 + self
            .call
            .record
            .as_ref()
            .map_or(0, |record| record.attempts.len())
    }

    /// Appends its spans.
    pub(super) fn build(mut self, scope: &InstrumentationScope, spans: &mut Vec<SpanData>) {
        let wall = Wall::now();
        let record = self
            .call
            .record
            .take()
            .map_or_else(Record::default, |record| *record);
        let state = self
            .context
            .tracestate
            .as_deref()
            .and_then(|text| text.parse().ok())
            .unwrap_or(TraceState::NONE);
        let context = |span| {
            SpanContext::new(
                self.context.trace_id,
                span,
                if self.context.sampled {
                    TraceFlags::SAMPLED
                } else {
                    TraceFlags::default()
                },
                false,
                state.clone(),
            )
        };
        spans.push(SpanData {
            span_context: context(self.context.span_id),
            parent_span_id: self.context.parent,
            parent_span_is_remote: self.context.parent != SpanId::INVALID,
            span_kind: SpanKind::Server,
            name: match self.call.method {
                "_OTHER" => Cow::Borrowed("grpc"),
                method => Cow::Borrowed(method),
            },
            start_time: wall.of(self.call.started),
            end_time: wall.of(self.call.ended),
            attributes: self.attributes(),
            dropped_attributes_count: 0,
            events: events(&record, &wall),
            links: SpanLinks::default(),
            status: match SERVER_FAULTS.contains(&self.call.code) {
                true => Status::error(self.reason().to_owned()),
                false => Status::Unset,
            },
            instrumentation_scope: scope.clone(),
        });
        for attempt in record.attempts {
            let ended = attempt.ended.unwrap_or(self.call.ended);
            let span_id = match attempt.span_id {
                SpanId::INVALID => SpanId::from(fastrand::u64(1..)),
                named => named,
            };
            spans.push(SpanData {
                span_context: context(span_id),
                parent_span_id: self.context.span_id,
                parent_span_is_remote: false,
                span_kind: SpanKind::Client,
                name: Cow::Owned(attempt.method.as_str().to_owned()),
                start_time: wall.of(attempt.started),
                end_time: wall.of(ended),
                attributes: self.attempt(&attempt),
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: match error_type(&attempt) {
                    Some(_) => Status::error(
                        attempt
                            .failure
                            .map(|(reason, _)| reason)
                            .unwrap_or_default(),
                    ),
                    None => Status::Unset,
                },
                instrumentation_scope: scope.clone(),
            });
        }
    }

    fn reason(&self) -> &str {
        self.call
            .failure
            .as_ref()
            .map_or("", |failure| &failure.reason)
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let call = &self.call;
        let mut attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", call.method),
            KeyValue::new("rpc.response.status_code", call.code),
            KeyValue::new("faas_sidecar.attempts", i64::from(call.sent.attempts)),
        ];
        if SERVER_FAULTS.contains(&self.call.code) {
            attributes.push(KeyValue::new("error.type", call.code));
        }
        if let Some(failure) = &call.failure {
            attributes.push(text("faas_sidecar.reason", &failure.reason));
            let (execution, component) = (failure.execution, failure.component);
            attributes.push(KeyValue::new("faas_sidecar.execution", execution.as_str()));
            attributes.push(KeyValue::new("faas_sidecar.component", component.as_str()));
        }
        if call.function_failed {
            attributes.push(KeyValue::new("faas_sidecar.function_failed", true));
        }
        if let Some(why) = self.kept.why() {
            attributes.push(KeyValue::new("faas_sidecar.kept", why));
        }
        if call.config_generation > 0 {
            let generation = i64::try_from(call.config_generation).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new("faas_sidecar.config_generation", generation));
        }
        if let Some(destination) = &call.destination {
            attributes.push(text("faas_sidecar.target", &destination.target));
        }
        if !call.subject.is_empty() && !call.invokes {
            attributes.push(text("faas_sidecar.subject", &call.subject));
        }
        if let Some(id) = &call.sent.upstream_request_id {
            attributes.push(text("faas_sidecar.upstream_request_id", id));
        }
        if !call.activation_id.is_empty() {
            attributes.push(text("faas.invocation_id", &call.activation_id));
        }
        self.invoked(&mut attributes);
        attributes
    }

    /// The client's half of the conventions for functions.
    fn invoked(&self, attributes: &mut Vec<KeyValue>) {
        if let (true, Some(destination)) = (self.call.invokes, &self.call.destination) {
            attributes.push(text("faas.invoked_name", &self.call.subject));
            attributes.push(KeyValue::new("faas.invoked_provider", destination.cloud));
            attributes.push(text("faas.invoked_region", &destination.region));
        }
    }

    fn attempt(&self, attempt: &Attempt) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("http.request.method", attempt.method.as_str().to_owned()),
            text("server.address", attempt.url.host_str().unwrap_or_default()),
            text("url.full", attempt.url.as_str()),
            KeyValue::new("http.request.body.size", count(attempt.request_size)),
        ];
        if let Some(port) = attempt.url.port_or_known_default() {
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
        if attempt.resend > 0 {
            attributes.push(KeyValue::new(
                "http.request.resend_count",
                i64::from(attempt.resend),
            ));
        }
        if let Some((status, size)) = attempt.answer {
            attributes.push(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
            if let Some(size) = size {
                attributes.push(KeyValue::new("http.response.body.size", count(size)));
            }
        }
        if let Some(kind) = error_type(attempt) {
            attributes.push(KeyValue::new("error.type", kind));
        }
        if let Some((reason, execution)) = &attempt.failure {
            attributes.push(text("faas_sidecar.reason", reason));
            attributes.push(KeyValue::new("faas_sidecar.execution", execution.as_str()));
        }
        if let Some(id) = &attempt.upstream_request_id {
            attributes.push(text("faas_sidecar.upstream_request_id", id));
        }
        self.invoked(&mut attributes);
        attributes
    }
}

impl Kept {
    fn why(self) -> Option<&'static str> {
        match self {
            Self::Sampled => None,
            Self::Failed => Some("failed"),
            Self::Repeated => Some("repeated"),
            Self::Slow => Some("slow"),
        }
    }
}

/// The status where there is one that is an error, else our reason; an attempt whose caller went
/// away has none.
fn error_type(attempt: &Attempt) -> Option<String> {
    match (attempt.answer, &attempt.failure) {
        (Some((status @ 400.., _)), _) => Some(status.to_string()),
        (_, Some((reason, _))) => Some(reason.clone().into_owned()),
        _ => None,
    }
}

fn events(record: &Record, wall: &Wall) -> SpanEvents {
    let mut events = SpanEvents::default();
    events.dropped_count = record.omitted;
    for pause in &record.pauses {
        let name = match pause.why {
            Why::Queue => "faas_sidecar.queue",
            Why::BackOff => "faas_sidecar.back_off",
            Why::Poll => "faas_sidecar.poll",
        };
        let lasts = KeyValue::new("faas_sidecar.pause", pause.lasts.as_secs_f64());
        events
            .events
            .push(Event::new(name, wall.of(pause.started), vec![lasts], 0));
    }
    events
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value[..value.floor_char_boundary(MAX_TEXT)].to_owned())
}

fn count(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Who built the spans.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA)
        .build()
}

/// Calls are timed by the monotonic clock; this is what the wall clock showed then.
struct Wall {
    now: Instant,
    wall: SystemTime,
}

impl Wall {
    fn now() -> Self {
        Self {
            now: Instant::now(),
            wall: clock::now(),
        }
    }

    fn of(&self, at: Instant) -> SystemTime {
        let ago: Duration = self.now.saturating_duration_since(at);
        self.wall.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests;
