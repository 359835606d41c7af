//! Members of a cloud's answers that cannot be read, by the name that the code has for them.

use std::sync::Arc;

use super::Metrics;
use super::names::UNREADABLE_MEMBERS;
use super::resolved::Resolved;
use super::value::Counter;

/// The unreadable members of one target's answers.
#[derive(Debug)]
pub struct Unreadable {
    metrics: Arc<Metrics>,
    target: String,
    members: Resolved<&'static str, Counter>,
}

impl Unreadable {
    /// Those of `target`.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, target: &str) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            members: Resolved::default(),
        }
    }

    /// So many more times `member` could not be read.
    pub fn add(&self, member: &'static str, times: u64) {
        let find = || {
            let labels = [&*self.target, member];
            self.metrics.family(&UNREADABLE_MEMBERS).counter(&labels)
        };
        self.members
            .with(member, find, |counter| counter.add(times));
    }
}
