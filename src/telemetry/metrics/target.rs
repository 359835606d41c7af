//! Everything that is counted for one target, looked up once when the target is made and shared by all threads.

use std::sync::Arc;

use super::names::{QUEUE_WAIT, TARGET_INFO};
use super::{Calls, Functions, Histogram, Metrics, Requests, Unreadable};

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
    /// HTTP requests to its cloud.
    pub requests: Requests,
    /// Runs of its functions.
    pub functions: Functions,
    /// Members of the cloud's answers that cannot be read.
    pub unreadable: Unreadable,
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
