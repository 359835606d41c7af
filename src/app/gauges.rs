//! What other rooms know anyway, read at each scrape: no room counts twice, and none but this one
//! knows both sides.

use std::sync::Arc;
use std::time::Duration;

use super::upstream::Upstream;
use crate::credentials::{Outcome, Status};
use crate::memory::{Memory, MemoryStats};
use crate::telemetry::metrics::{Description, Metrics, Reading, TargetMetrics, names};
use crate::transport::{CircuitState, Shared, Stats};

/// A number among those of a target's credentials.
type CredentialFigure = dyn Fn(&Status) -> Reading + Send + Sync;

/// A number among the load rules' own.
type Figure = fn(&Stats) -> Reading;

/// Calls and retries refused before they were sent, by the reason that the caller is told.
const SHED: [(&str, Figure); 5] = [
    ("QUEUE_FULL", |stats| count(stats.queue_full)),
    ("QUEUE_TIMEOUT", |stats| count(stats.queue_timeout)),
    ("RATE_LIMITED_LOCALLY", |stats| count(stats.rate_limited)),
    ("CIRCUIT_OPEN", |stats| count(stats.circuit_refused)),
    ("RETRY_BUDGET_EXHAUSTED", |stats| {
        count(stats.caller_retries_refused)
    }),
];

/// Has a target's state read for as long as it lives.
pub(super) fn of_target(metrics: &TargetMetrics, shared: &Arc<Shared>) {
    let read = |description: &'static Description, label: Option<&str>, figure: Figure| {
        let shared = Arc::downgrade(shared);
        let reader = move || {
            shared
                .upgrade()
                .map_or(Reading::Gone, |shared| figure(&shared.stats()))
        };
        register(metrics, description, label, reader);
    };
    read(&names::SLOTS, None, |stats| size(stats.in_flight));
    read(&names::QUEUE, None, |stats| size(stats.queued));
    read(&names::RATE_LIMIT, None, |stats| {
        stats.rate.map_or(Reading::Absent, Reading::Value)
    });
    for (reason, figure) in SHED {
        read(&names::SHED, Some(reason), figure);
    }
    read(&names::RETRIES, Some("sidecar"), |stats| {
        count(stats.retries)
    });
    read(&names::RETRIES, Some("caller"), |stats| {
        count(stats.caller_retries)
    });
    read(&names::RETRIES_REFUSED, Some("sidecar"), |stats| {
        count(stats.retries_refused)
    });
    read(&names::RETRIES_REFUSED, Some("caller"), |stats| {
        count(stats.caller_retries_refused)
    });
    read(&names::CIRCUIT, Some("closed"), |stats| {
        is(stats.circuit, CircuitState::Closed)
    });
    read(&names::CIRCUIT, Some("open"), |stats| {
        is(stats.circuit, CircuitState::Open)
    });
    read(&names::CIRCUIT, Some("half_open"), |stats| {
        is(stats.circuit, CircuitState::HalfOpen)
    });
    read(&names::CIRCUIT_CHANGES, Some("open"), |stats| {
        count(stats.circuit_opened)
    });
    read(&names::CIRCUIT_CHANGES, Some("closed"), |stats| {
        count(stats.circuit_closed)
    });

    let shared = Arc::downgrade(shared);
    let skew = move || match shared.upgrade() {
        Some(shared) => shared
            .skew_ms()
            .map_or(Reading::Absent, |ms| Reading::Value(seconds(ms))),
        None => Reading::Gone,
    };
    let family = metrics.metrics.family(&names::CLOCK_SKEW);
    family.read(&[&metrics.name], Box::new(skew));
}

/// Adds a sample of a target, with the further label that its family may have.
fn register(
    metrics: &TargetMetrics,
    description: &'static Description,
    label: Option<&str>,
    reader: impl Fn() -> Reading + Send + Sync + 'static,
) {
    let labels = [&*metrics.name, label.unwrap_or_default()];
    let labels = &labels[..description.labels.len()];
    let family = metrics.metrics.family(description);
    family.read(labels, Box::new(reader));
}

/// Has the bound on memory read for as long as the process lives.
pub(super) fn of_memory(metrics: &Metrics, memory: &Memory) {
    let read = |description: &'static Description, figure: fn(&MemoryStats) -> Reading| {
        let memory = memory.clone();
        let reader = move || figure(&memory.stats());
        metrics.family(description).read(&[], Box::new(reader));
    };
    read(&names::BODY_MEMORY, |stats| size(stats.used));
    read(&names::BODY_MEMORY_LIMIT, |stats| size(stats.limit));
    read(&names::BODY_MEMORY_REFUSED, |stats| count(stats.refused));
    read(&names::BODY_MEMORY_WAITED, |stats| count(stats.waited));
}

/// Has the state of a target's credentials read for as long as its upstream lives.
pub(super) fn of_credentials(metrics: &TargetMetrics, upstream: &Arc<Upstream>) {
    let read =
        |description: &'static Description, label: Option<&str>, figure: Box<CredentialFigure>| {
            let upstream = Arc::downgrade(upstream);
            let reader = move || {
                upstream
                    .upgrade()
                    .map_or(Reading::Gone, |upstream| figure(&upstream.status()))
            };
            register(metrics, description, label, reader);
        };
    let length = |length: Option<Duration>| {
        length.map_or(Reading::Absent, |length| {
            Reading::Value(length.as_secs_f64())
        })
    };
    read(
        &names::CREDENTIALS_READY,
        None,
        Box::new(|status| Reading::Value(f64::from(u8::from(status.ready.is_ok())))),
    );
    read(
        &names::CREDENTIALS_AGE,
        None,
        Box::new(move |status| length(status.age)),
    );
    read(
        &names::CREDENTIALS_EXPIRE,
        None,
        Box::new(move |status| length(status.expires_in)),
    );
    read(
        &names::CREDENTIALS_GENERATION,
        None,
        Box::new(|status| count(status.generation)),
    );
    for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
        let figure = move |status: &Status| {
            status
                .refreshes
                .get(at)
                .copied()
                .map_or(Reading::Absent, count)
        };
        read(
            &names::CREDENTIALS_REFRESHES,
            Some(outcome.as_str()),
            Box::new(figure),
        );
    }
}

fn is(state: CircuitState, asked: CircuitState) -> Reading {
    Reading::Value(f64::from(u8::from(state == asked)))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn count(number: u64) -> Reading {
    Reading::Value(number as f64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "calls at once are far below 2^53"
)]
fn size(number: usize) -> Reading {
    Reading::Value(number as f64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a clock's error are far below 2^53"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
