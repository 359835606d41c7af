//! The log: one line an event on standard error, as text or as JSON.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Installs the log for the process; later calls change nothing.
///
/// Libraries below us are heard from `warn` on only: their debug lines may show requests.
pub fn init(format: Format, level: LevelFilter) {
    let ours = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let layer = match format {
        Format::Text => fmt::layer()
            .with_writer(io::stderr)
            .with_target(false)
            .with_ansi(false)
            .boxed(),
        Format::Json => fmt::layer()
            .with_writer(io::stderr)
            .json()
            .flatten_event(true)
            .boxed(),
    };
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .try_init();
}
