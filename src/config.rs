//! The configuration: one YAML file, environment variables and flags → one checked [`Config`].
//!
//! Flags win over variables, variables over the file, the file over defaults. Every mistake is
//! found and told in one go, with its path and line. Secrets never pass through here: settings say
//! where they are. The settings of a target stand beside their use, in transport, credentials and
//! each cloud's folder; here they are put together with those of the process.

mod callers;
mod change;
mod checks;
mod diff;
mod effective;
pub mod keys;
mod reference;
mod schema;
mod sources;
mod target;
mod walk;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use callers::{Auth, Connections, Tls, UnixSocket};
pub use diff::{Difference, diff};
pub use effective::{effective, effective_json};
pub use reference::reference;
pub use schema::schema;
pub(crate) use sources::digest;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use sources::parse_text;
pub use sources::{CONFIG_VARIABLE, Sources, load};
pub use target::{TargetConfig, TargetConfigs};

pub use crate::provider::{Cloud, CredentialSettings, CredentialSource};
pub use crate::settings::{AllowRule, Fault, Faults, Listen, Place, units};
use crate::settings::{Rule, TARGET_NAME, settings, words};
pub use crate::transport::{BreakerSettings as Breaker, Budget, Limits, Retry, Timeouts};

/// What a byte of a message costs in memory while its call goes on.
pub const MESSAGE_COST: usize = 4;

/// A key of baggage (W3C Baggage, "key"): a token of HTTP.
const BAGGAGE_KEY: Rule = Rule {
    pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$",
    says: "the key of a baggage member, such as tenant",
    obeys: |text| {
        (1..=256).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    },
};

settings! {
    /// Everything that is set, checked and with defaults filled in. Holds no secret.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Config in "", then check {
        /// Where gRPC calls are accepted: an IP address with a port, or unix:/path; one or a list
        /// (with commas in a flag or variable).
        listen: Vec<Listen> = addresses(), Is("127.0.0.1:50051");
        /// Must be true for listen to hold an address that other machines can reach when neither
        /// tls.client_ca_file nor auth.token_file says who may call: whoever reaches it runs
        /// functions with this account's keys.
        allow_remote_clients: bool = flag(), Is("false");
        /// Who may connect to the Unix sockets of listen; tls and auth are for TCP addresses alone.
        unix_socket: UnixSocket;
        /// TLS for callers at the TCP addresses of listen, 1.2 at least; the files are read again
        /// when they change.
        tls: Option<Tls>;
        /// How callers at the TCP addresses of listen say who they are.
        auth: Option<Auth>;
        /// Whether a target without allow refuses every call.
        default_deny: bool = flag(), Is("false"), reload;
        /// Bounds on callers' connections.
        connections: Connections;
        /// Whether a changed configuration file is read by itself; SIGHUP has it read in any case.
        reload_on_change: bool = flag(), Is("true");
        /// Where the plain HTTP pages for operators are served, to this machine alone: an address
        /// of loopback with a port, unix:/path, or off.
        admin: Option<Listen> = address_or_off(), Is("off");
        /// Whether a POST to the admin page /quitquitquit ends the process as SIGTERM does.
        admin_quit: bool = flag(), Is("false");
        /// The target of a request that names none.
        default_target: String = text(TARGET_NAME), Depends("the target, when there is only one; required when there are several"), reload => checks::default_target;
        /// How many cores serve calls, each with its own upstream connections.
        threads: usize = integer(1, 64), Is("1");
        /// The largest gRPC message taken in or sent out; a code archive is one message.
        max_message_size: usize = size(1 << 16, 1 << 30), Is("64MiB");
        /// The memory for calls in flight, of all targets together; a call takes 16 KiB, and a
        /// larger body four times its size. A call that finds no room is refused, an answer waits;
        /// one peer alone may take all of it, and an eighth more is there for the others. Keep it
        /// below the container's memory limit.
        max_body_memory: usize = size(1 << 18, 1 << 40), Depends("four times max_message_size, and 24MiB at least") => checks::max_body_memory;
        /// How long calls in flight may go on after SIGTERM; keep it below the pod's
        /// terminationGracePeriodSeconds.
        drain_timeout: Duration = seconds(0, 3600), Is("30s"), reload;
        /// How calls with a request_id are remembered, so that a repeated one does not run twice.
        request_ids: RequestIds;
        /// What is written to standard error.
        log: Log;
        /// What is counted, and who may read it.
        metrics: Metrics;
        /// Which calls get a line in the log, at the level info: none, those that failed or ran a
        /// function that failed, or every one.
        access_log: AccessLog = word(), Is("all");
        /// Which calls that sampling left out are exported all the same; where traces go and which
        /// are sampled, the standard OTEL_* variables say.
        tracing: Tracing;
        /// The functions clouds that calls go to, by a name of your choice.
        targets: TargetConfigs = kind(crate::settings::Kind::Targets), Required, reload => target::read_all;
    }
    with {
        /// The file that was read; `None` = there was none, and the one target `default` is
        /// assumed.
        file: Option<PathBuf>,
        /// SHA-256 of that file as it was read: tells whether it has changed since.
        file_digest: Option<[u8; 32]>,
    }
}

settings! {
    /// How calls with a `request_id` are remembered.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RequestIds in "request_ids." {
        /// How long after its end a call's answer is given to a repeated call; keep it above the
        /// time in which callers repeat.
        window: Duration = seconds(1, 86_400), Is("10m");
        /// The most ids remembered, calls in flight included; beyond that the oldest ended call is
        /// forgotten before its time.
        max_entries: usize = integer(1, 10_000_000), Is("10000");
        /// The most bytes of answers kept; beyond that the oldest lose their content: a repeated
        /// call is then told so, and does not run.
        max_size: usize = size(0, 16 << 30), Is("16MiB");
    }
}

settings! {
    /// What is logged, and how.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Log in "log." {
        /// How a log line is written.
        format: LogFormat = word(), Is("text");
        /// The least important lines that are still written.
        level: LogLevel = word(), Is("info"), reload;
    }
}

settings! {
    /// What is counted.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Metrics in "metrics." {
        /// Where /metrics, /livez, /readyz and /startupz are served over plain HTTP, and no other
        /// page: an IP address with a port, or off.
        listen: Option<SocketAddr> = socket_or_off(), Is("off");
        /// Must be true for metrics.listen to be an address that other machines can reach: whoever
        /// reaches it reads the names of targets and actions.
        allow_remote_clients: bool = flag(), Is("false");
        /// How many actions the metrics of runs tell apart; those that are called later are counted
        /// together as other.
        max_actions: usize = integer(1, 10_000), Is("100");
    }
}

settings! {
    /// What is exported of calls that sampling left out; where traces go the standard `OTEL_*`
    /// variables say.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Tracing in "tracing." {
        /// Whether calls that failed, and calls with a repeated request, are exported although they
        /// were not sampled.
        keep_failures: bool = flag(), Is("true");
        /// Calls that took at least this long are exported although they were not sampled; 0s
        /// exports none for that.
        keep_slower_than: Duration = seconds(0, 3600), Is("0s");
        /// The keys of those members of a caller's baggage header that go on to the cloud; no other
        /// member leaves the pod (with commas in a flag or variable).
        baggage: Vec<String> = texts(BAGGAGE_KEY), Nothing;
    }
}

/// Which calls get a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// None.
    Off,
    /// Those that failed, or ran a function that failed.
    Errors,
    /// Every one.
    All,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

words! { AccessLog: Off = "off", Errors = "errors", All = "all" }
words! { LogFormat: Text = "text", Json = "json" }
words! {
    LogLevel: Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace"
}

impl LogLevel {
    /// The name in the file, which `tracing` reads too.
    #[must_use]
    pub fn name(self) -> &'static str {
        crate::settings::Word::word(self)
    }
}

#[cfg(test)]
mod tests;
