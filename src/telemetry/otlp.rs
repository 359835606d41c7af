//! OTLP: settings from the standard variables, and the connections that carry it.
//!
//! Knows nothing of what is sent. The exporters come from `opentelemetry-otlp`; they get their endpoint, headers, timeout
//! and connection from here.

mod connect;
mod settings;

pub use connect::{ConnectError, Connection, Http};
pub use settings::{Protocol, Read, Settings, Signal, resource};
pub(super) use settings::{millis, number};
