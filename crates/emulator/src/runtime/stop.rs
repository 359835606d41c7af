//! The switch that ends runs from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::select_all;
use tokio::sync::Notify;

/// Ends runs from outside. Clones share one switch; a child can also be thrown alone.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Its own, then those of its ancestors; never empty.
    switches: Vec<Arc<Switch>>,
}

#[derive(Debug, Default)]
struct Switch {
    thrown: AtomicBool,
    news: Notify,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            switches: vec![Arc::default()],
        }
    }
}

impl Stop {
    /// A switch that is also thrown when this one is.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut switches = vec![Arc::default()];
        switches.extend(self.switches.iter().cloned());
        Self { switches }
    }

    /// Ends all runs that hold this switch or a child of it, now and in future.
    pub fn stop(&self) {
        if let Some(own) = self.switches.first() {
            own.thrown.store(true, Ordering::Relaxed);
            own.news.notify_waiters();
        }
    }

    /// Whether the switch was thrown.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.switches
            .iter()
            .any(|switch| switch.thrown.load(Ordering::Relaxed))
    }

    /// Returns once the switch is thrown.
    pub async fn stopped(&self) {
        let mut news: Vec<_> = self
            .switches
            .iter()
            .map(|switch| Box::pin(switch.news.notified()))
            .collect();
        // Registered before the look at the flags, so that a stop in between is not missed.
        for notified in &mut news {
            notified.as_mut().enable();
        }
        if !self.is_stopped() {
            select_all(news).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_parent_stops_its_children_and_not_the_other_way_round() {
        let parent = Stop::default();
        let (one, two) = (parent.child(), parent.child());
        one.stop();
        one.stopped().await;
        assert!(!two.is_stopped() && !parent.is_stopped());
        let waiting = tokio::spawn({
            let two = two.clone();
            async move { two.stopped().await }
        });
        parent.stop();
        waiting.await.unwrap();
        assert!(two.is_stopped());
    }
}
