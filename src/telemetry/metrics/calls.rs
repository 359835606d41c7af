//! Calls served: their duration by method, status and target, and how many are in flight.

use std::sync::Arc;

use tokio::time::Instant;

use super::Metrics;
use super::names::{CALLS_IN_FLIGHT, RPC_DURATION};
use super::resolved::Resolved;
use super::value::{Gauge, Histogram};

/// The calls of one target, or those that meant none.
#[derive(Debug)]
pub struct Calls {
    metrics: Arc<Metrics>,
    target: String,
    in_flight: Gauge,
    /// By number of method and of status.
    durations: Resolved<(usize, usize), Histogram>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The method's number, stable while the process runs, and its name: `faas.v1.InvocationService/Invoke`.
    pub method: (usize, &'static str),
    /// The status code's number and its name: `NOT_FOUND`.
    pub status: (usize, &'static str),
    /// True when the status speaks of a failure of the server, as the conventions for gRPC sort them.
    pub failed: bool,
}

impl Calls {
    /// Those of `target`; an empty name for calls that never reached one.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, target: &str) -> Arc<Self> {
        Arc::new(Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            in_flight: metrics.family(&CALLS_IN_FLIGHT).gauge(&[target]),
            durations: Resolved::default(),
        })
    }

    /// One more in flight.
    pub fn began(&self) {
        self.in_flight.inc();
    }

    /// One less in flight.
    pub fn left(&self) {
        self.in_flight.dec();
    }

    /// One has ended that began at `since`.
    pub fn ended(&self, served: Served, since: Instant) {
        let Served {
            method,
            status,
            failed,
        } = served;
        let find = || {
            let error = if failed { status.1 } else { "" };
            let labels = ["grpc", method.1, status.1, error, &self.target];
            self.metrics.family(&RPC_DURATION).histogram(&labels)
        };
        let key = (method.0, status.0);
        self.durations
            .with(key, find, |histogram| histogram.observe_time(since.elapsed()));
    }
}
