//! How the load rules of a target stand: plain numbers that metrics read, no names and no format of
//! theirs.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Shared;
use super::breaker::CircuitState;

/// A reading of [`Shared`]. Counts are since the start and only grow; the rest is as of now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    /// Calls that hold a slot.
    pub in_flight: usize,
    /// Calls that wait for a slot.
    pub queued: usize,
    /// Calls refused: as many already waited (`QUEUE_FULL`).
    pub queue_full: u64,
    /// Calls refused: no slot came free in time (`QUEUE_TIMEOUT`).
    pub queue_timeout: u64,
    /// Calls and retries refused by the learnt rate (`RATE_LIMITED_LOCALLY`).
    pub rate_limited: u64,
    /// Requests a second that the learnt rate allows; none = no limit is learnt.
    pub rate: Option<f64>,
    /// The circuit.
    pub circuit: CircuitState,
    /// Times that the circuit opened.
    pub circuit_opened: u64,
    /// Times that it closed again.
    pub circuit_closed: u64,
    /// Calls and retries refused while it was open (`CIRCUIT_OPEN`).
    pub circuit_refused: u64,
    /// The sidecar's own retries, paid for from the budget.
    pub retries: u64,
    /// The sidecar's own retries that the budget stopped.
    pub retries_refused: u64,
    /// The callers' own retries (`grpc-previous-rpc-attempts`), paid for from the budget.
    pub caller_retries: u64,
    /// The callers' own retries that the budget refused (`RETRY_BUDGET_EXHAUSTED`).
    pub caller_retries_refused: u64,
}

impl Stats {
    pub(super) fn read(shared: &Shared) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Shared {
            limiter,
            policy,
            breaker,
            throttle,
            skew: _,
        } = shared;
        Self {
            in_flight: limiter.in_flight(),
            queued: limiter.queued(),
            queue_full: read(&limiter.queue_full),
            queue_timeout: read(&limiter.queue_timeout),
            rate_limited: read(&throttle.refused),
            rate: throttle.rate(),
            circuit: breaker.circuit(),
            circuit_opened: read(&breaker.opened),
            circuit_closed: read(&breaker.closed),
            circuit_refused: read(&breaker.refused),
            retries: read(&policy.counts.own),
            retries_refused: read(&policy.counts.own_refused),
            caller_retries: read(&policy.counts.callers),
            caller_retries_refused: read(&policy.counts.callers_refused),
        }
    }
}
