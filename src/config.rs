//! The configuration: one YAML file, environment variables and flags → one checked [`Config`].
//!
//! Flags win over variables, variables over the file, the file over defaults. Every mistake is
//! found and told in one go, with its path and line. Secrets never pass through here: settings say
//! where they are. This room knows how nothing runs; the composition root turns these plain
//! settings into each room's own.

mod build;
mod callers;
mod change;
mod diff;
mod effective;
mod fault;
pub mod keys;
mod kind;
mod listen;
mod reference;
mod schema;
mod sources;
mod suggest;
mod target;
mod tree;
pub mod units;
mod walk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use callers::{AllowRule, Auth, Connections, Tls, UnixSocket};
pub use diff::{Difference, diff};
pub use effective::{effective, effective_json};
pub use fault::{Fault, Faults, Place};
pub use keys::Provider;
pub use listen::Listen;
pub use reference::reference;
pub use schema::schema;
pub(crate) use sources::digest;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use sources::parse_text;
pub use sources::{CONFIG_VARIABLE, Sources, load};
pub(crate) use suggest::nearest;
pub use target::{
    ApiVersion, BaseKey, Breaker, Budget, Cloud, CredentialSource, Credentials, FunctionGraph,
    Limits, Ncp, Platform, Region, Retry, Site, TargetConfig, Timeouts,
};

/// What a byte of a message costs in memory while its call goes on.
pub const MESSAGE_COST: u64 = 4;

/// Everything the sidecar is told, checked and with defaults filled in. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where gRPC calls are accepted; at least one address, none twice.
    #[serde(serialize_with = "listen::serialize_all")]
    pub listen: Vec<Listen>,
    /// Whether `listen` may hold addresses beyond loopback.
    pub allow_remote_clients: bool,
    /// The files of Unix sockets.
    pub unix_socket: UnixSocket,
    /// TLS at the TCP addresses; `None` = plain.
    pub tls: Option<Tls>,
    /// How callers at the TCP addresses say who they are; `None` = not.
    pub auth: Option<Auth>,
    /// Whether a target without `allow` refuses every call.
    pub default_deny: bool,
    /// Bounds on callers' connections.
    pub connections: Connections,
    /// Whether a changed file is read by itself.
    pub reload_on_change: bool,
    /// Where operators' pages are served, to this machine alone; `None` = nowhere.
    #[serde(serialize_with = "listen::serialize_or_off")]
    pub admin: Option<Listen>,
    /// A key of `targets`.
    pub default_target: String,
    /// Cores that serve calls, 1 to 64.
    pub threads: usize,
    /// The largest gRPC message, both ways, in bytes.
    #[serde(serialize_with = "units::serialize_size")]
    pub max_message_size: u64,
    /// Memory for bodies in flight, in bytes; at least [`MESSAGE_COST`] times `max_message_size`.
    #[serde(serialize_with = "units::serialize_size")]
    pub max_body_memory: u64,
    /// How long calls in flight may go on after SIGTERM.
    #[serde(serialize_with = "units::serialize_duration")]
    pub drain_timeout: Duration,
    /// How calls with a `request_id` are remembered.
    pub request_ids: RequestIds,
    /// What is logged, and how.
    pub log: Log,
    /// Which calls get a line in the log.
    pub access_log: AccessLog,
    /// Whether a POST to the admin pages may end the process.
    pub admin_quit: bool,
    /// What is exported of calls that sampling left out.
    pub tracing: Tracing,
    /// What is counted.
    pub metrics: Metrics,
    /// The clouds, by name; at least one.
    pub targets: BTreeMap<String, TargetConfig>,
    /// The file that was read; `None` = there was none, and the one target `default` is assumed.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// SHA-256 of that file as it was read: tells whether it has changed since.
    #[serde(skip)]
    pub file_digest: Option<[u8; 32]>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// Where numbers and probes are served; `None` = nowhere.
    #[serde(serialize_with = "listen::serialize_or_off")]
    pub listen: Option<SocketAddr>,
    /// Whether that may be an address beyond loopback.
    pub allow_remote_clients: bool,
    /// Actions that the metrics of runs tell apart, 1 to 10,000.
    pub max_actions: usize,
}

/// How calls with a `request_id` are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RequestIds {
    /// How long after its end a call's answer is given to a repeated call.
    #[serde(serialize_with = "units::serialize_duration")]
    pub window: Duration,
    /// The most ids remembered.
    pub max_entries: usize,
    /// The most bytes of answers kept.
    #[serde(serialize_with = "units::serialize_size")]
    pub max_size: u64,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Log {
    /// How a line is written.
    pub format: LogFormat,
    /// The least important lines still written.
    pub level: LogLevel,
}

/// Which calls get a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    /// None.
    Off,
    /// Those that failed, or ran a function that failed.
    Errors,
    /// Every one.
    All,
}

/// What is exported of calls that sampling left out; where traces go the standard `OTEL_*`
/// variables say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tracing {
    /// Calls that failed, and calls with a repeated request.
    pub keep_failures: bool,
    /// Calls that took at least this long; zero = however long.
    #[serde(serialize_with = "units::serialize_duration")]
    pub keep_slower_than: Duration,
    /// Keys of the members of callers' baggage that go on to the cloud.
    pub baggage: Vec<String>,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed and needs someone.
    Error,
    /// Something is wrong and was survived.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What an engineer wants to know.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name in the file, which `tracing` reads too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[cfg(test)]
mod tests;
