//! The log: one line an event on standard error, as text or as JSON; and one access line a call.

use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::error;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, reload};

pub(super) mod access;
mod level;
mod limit;
mod writer;

pub use access::Lines;
pub use level::{LEVELS, Level, Shown};
pub use limit::{LineLimit, REFUSALS};
pub use writer::Writer;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    format: Format,
    level: Level,
    writer: Writer,
}

static INSTALLED: OnceLock<Log> = OnceLock::new();

impl Log {
    /// Installs the log for the process; later calls change nothing.
    pub fn install(format: Format, level: LevelFilter) {
        INSTALLED.get_or_init(|| Self::new(format, level));
    }

    /// The process's log, once it is installed.
    #[must_use]
    pub fn installed() -> Option<Self> {
        INSTALLED.get().cloned()
    }

    fn new(format: Format, level: LevelFilter) -> Self {
        let writer = Writer::start(std::io::stderr());
        let (filter, handle) = reload::Layer::new(level::filter(level));
        let layer = match format {
            Format::Text => fmt::layer()
                .with_writer(writer.clone())
                .with_target(false)
                .with_ansi(false)
                .boxed(),
            Format::Json => fmt::layer()
                .with_writer(writer.clone())
                .json()
                // In every line `target` is one of the configuration, and no key stands twice.
                .with_target(false)
                .flatten_event(true)
                .boxed(),
        };
        let installed = tracing_subscriber::registry()
            .with(layer.with_filter(filter))
            .try_init();
        if installed.is_ok() {
            std::panic::set_hook(Box::new(panicked));
        }
        Self {
            format,
            level: Level::new(level, Some(handle)),
            writer,
        }
    }

    /// How lines are written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its level, to show and to change.
    #[must_use]
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// Where its lines go.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Waits until everything logged so far is written, but no longer than `bound`.
    pub fn flush(&self, bound: Duration) {
        self.writer.flush(bound);
    }
}

/// A panic's message may quote what was being handled (a slice out of bounds shows the text), so
/// that the log tells the place only.
fn panicked(panic: &PanicHookInfo<'_>) {
    static LINES: LineLimit = LineLimit::new(Duration::from_secs(10));
    // Whoever found a call that makes it panic can send many.
    let Some(left_out) = LINES.pass() else {
        return;
    };
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    error!(
        place,
        left_out,
        thread = std::thread::current().name().unwrap_or_default(),
        "panic: a bug of the sidecar"
    );
}
