//! What an origin's connections share with its pool: who waits, what is counted, how long a round
//! trip takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::round_trip::RoundTrip;
use crate::telemetry::metrics::TargetMetrics;

/// Streams that an HTTP/2 server is taken to allow until it says how many (the least that RFC 9113
/// §6.5.2 recommends).
const STREAMS: usize = 100;

/// One scheme, host and port.
pub(super) struct OriginContext {
    /// For the log.
    pub(super) name: String,
    pub(super) round_trip: Arc<RoundTrip>,
    pub(super) metrics: Arc<TargetMetrics>,
    /// An idle connection is not used after this without a look.
    pub(super) idle: Duration,
    /// Streams that the server's last HTTP/2 connection allowed; it may tell late on the next one.
    pub(super) streams: AtomicUsize,
    /// Calls that wait for a connection.
    pub(super) waiting: AtomicUsize,
    /// Something changed that they may wait for.
    pub(super) changed: Notify,
}

impl OriginContext {
    pub(super) fn new(
        name: String,
        round_trip: Arc<RoundTrip>,
        metrics: Arc<TargetMetrics>,
        idle: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            round_trip,
            metrics,
            idle,
            streams: AtomicUsize::new(STREAMS),
            waiting: AtomicUsize::new(0),
            changed: Notify::new(),
        })
    }

    /// Of an origin that nobody uses.
    #[cfg(test)]
    pub(super) fn unread() -> Arc<Self> {
        let (trip, metrics) = (Arc::new(RoundTrip::new()), TargetMetrics::unread());
        Self::new("test".to_owned(), trip, metrics, Duration::from_secs(50))
    }

    /// Has the pool look again, if a call waits. A call that begins to wait is counted first and
    /// then looks again, so that no change is missed.
    pub(super) fn change(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_one();
        }
    }
}
