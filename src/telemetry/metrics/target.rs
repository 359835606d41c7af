//! Everything that is counted for one target, looked up once when the target is made and shared by
//! all threads.

use std::sync::Arc;

use super::names::{QUEUE_WAIT, SILENT_CONNECTIONS, TARGET_INFO};
use super::{Calls, Counter, Functions, Histogram, Metrics, Requests, Unreadable};

/// One target's numbers.
#[derive(Debug)]
pub struct TargetMetrics {
    /// The registry, for what is read at each scrape.
    pub metrics: Arc<Metrics>,
    /// The target's name, as the label has it.
    pub name: String,
    /// Calls served.
    pub calls: Arc<Calls>,
    /// How long calls waited for a slot that had to.
    pub queue_waits: Histogram,
    /// Connections to its cloud that fell silent.
    pub silent_connections: SilentConnections,
    /// HTTP requests to its cloud.
    pub requests: Requests,
    /// Runs of its functions.
    pub functions: Functions,
    /// Members of the cloud's answers that cannot be read.
    pub unreadable: Unreadable,
}

/// Connections given up for silence, by protocol.
#[derive(Debug)]
pub struct SilentConnections {
    /// HTTP/1.1: a request got no byte of an answer until its wait ended.
    pub http1: Counter,
    /// HTTP/2: a ping got no answer.
    pub http2: Counter,
}

impl SilentConnections {
    fn new(metrics: &Metrics, target: &str) -> Self {
        let of = |version| {
            metrics
                .family(&SILENT_CONNECTIONS)
                .counter(&[target, version])
        };
        Self {
            http1: of("1.1"),
            http2: of("2"),
        }
    }
}

impl TargetMetrics {
    /// Those of the target `name`.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, name: &str) -> Arc<Self> {
        Arc::new(Self {
            metrics: Arc::clone(metrics),
            name: name.to_owned(),
            calls: Calls::new(metrics, name),
            queue_waits: metrics.family(&QUEUE_WAIT).histogram(&[name]),
            silent_connections: SilentConnections::new(metrics, name),
            requests: Requests::new(metrics, name),
            functions: Functions::new(metrics, name),
            unreadable: Unreadable::new(metrics, name),
        })
    }

    /// In a registry that nobody reads: for what is no target.
    #[must_use]
    pub fn unread() -> Arc<Self> {
        Self::new(&Metrics::new(1), "")
    }

    /// Shows the target with its cloud and the region in it.
    pub fn describe(&self, provider: &str, region: &str) {
        let labels = [&*self.name, provider, region];
        self.metrics.family(&TARGET_INFO).gauge(&labels).set(1);
    }
}
