//! What other rooms know anyway, read at each scrape: no room counts twice, and none but this one knows both sides.

use std::sync::Arc;

use crate::telemetry::metrics::{Reading, TargetMetrics, names};
use crate::transport::Shared;

/// Has a target's state read for as long as it lives.
pub(super) fn of_target(metrics: &TargetMetrics, shared: &Arc<Shared>) {
    let target = [&*metrics.name];
    let skew = Arc::downgrade(shared);
    let skew = move || match skew.upgrade() {
        Some(shared) => shared
            .skew_ms()
            .map_or(Reading::Absent, |ms| Reading::Value(seconds(ms))),
        None => Reading::Gone,
    };
    let family = metrics.metrics.family(&names::CLOCK_SKEW);
    family.read(&target, Box::new(skew));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a clock's error are far below 2^53"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
