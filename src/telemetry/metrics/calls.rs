//! Calls served: their duration by method, status and target, and how many are in flight.

use std::sync::Arc;

use super::Metrics;
use super::names::{CALLS_IN_FLIGHT, RPC_DURATION};
use super::resolved::Resolved;
use super::value::{Gauge, Histogram};
use crate::telemetry::facts::{CallFacts, SERVER_FAULTS};

/// The calls of one target, or those that meant none.
#[derive(Debug)]
pub struct Calls {
    metrics: Arc<Metrics>,
    target: String,
    in_flight: Gauge,
    /// By method and status.
    durations: Resolved<(&'static str, &'static str), Histogram>,
}

/// A call in flight, until it is dropped.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Calls {
    /// Those of `target`; an empty name for calls that never reached one.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, target: &str) -> Arc<Self> {
        Arc::new(Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            // Without a target a call is over as soon as that is known.
            in_flight: match target {
                "" => Gauge::default(),
                target => metrics.family(&CALLS_IN_FLIGHT).gauge(&[target]),
            },
            durations: Resolved::default(),
        })
    }

    /// One more in flight.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// One has ended.
    pub fn ended(&self, call: &CallFacts) {
        let (method, status) = (call.method, call.code);
        let find = || {
            let error = if SERVER_FAULTS.contains(&status) {
                status
            } else {
                ""
            };
            let labels = ["grpc", method, status, error, &self.target];
            self.metrics.family(&RPC_DURATION).histogram(&labels)
        };
        self.durations.with((method, status), find, |histogram| {
            histogram.observe_time(call.duration());
        });
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
