//! What is logged, traced and counted, as the settings say.

use std::sync::Arc;

use tracing::warn;

use crate::config::{AccessLog, Config};
use crate::env::Env;
use crate::telemetry::metrics::{Export, Metrics};
use crate::telemetry::{Keep, Lines, Log, Telemetry, Traces, without_repetitions};

/// The process's telemetry. What is wrong with it is told and never keeps the sidecar from
/// starting.
pub(super) fn start(config: &Config, env: &Env) -> Arc<Telemetry> {
    let slower_than = config.tracing.keep_slower_than;
    let keep = Keep {
        failures: config.tracing.keep_failures,
        slower_than: (!slower_than.is_zero()).then_some(slower_than),
    };
    let lines = match config.access_log {
        AccessLog::Off => Lines::Off,
        AccessLog::Errors => Lines::Errors,
        AccessLog::All => Lines::All,
    };
    let mut warnings = Vec::new();
    let metrics = Metrics::new(config.metrics.max_actions);
    let baggage = &config.tracing.baggage;
    let traces = Traces::start(
        &|name| env.get(name),
        keep,
        baggage,
        &metrics,
        &mut warnings,
    );
    let export = Export::start(&metrics, &|name| env.get(name), &mut warnings);
    for warning in without_repetitions(warnings) {
        warn!("{warning}");
    }
    Arc::new(Telemetry::new(Log::installed(), lines, traces, metrics).exporting(export))
}
