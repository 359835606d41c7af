//! OTLP: settings from the standard variables, and the connections that carry it.
//!
//! Knows nothing of what is sent. Spans go out through the exporter of `opentelemetry-otlp`,
//! numbers through one of our own, since the crate takes none from a foreign store; both use the
//! settings and the connection from here.

mod connect;
mod settings;

pub use connect::Collector;
pub use settings::{Protocol, Read, Settings, Signal, resource};
pub(super) use settings::{millis, number};

/// The version of the semantic conventions that names and attributes follow, of spans and numbers
/// alike.
pub(super) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";
