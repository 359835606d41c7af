//! The keys of the sidecar itself.

use std::time::Duration;

use super::{Default, Key, Kind, Rule};

/// A target's name: it stands in paths, metrics and log lines, so it holds no dot and no space.
pub(in crate::config) const TARGET_NAME: Rule = Rule {
    pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
    says: "1 to 63 letters, digits, - or _, the first a letter or digit",
    obeys: |text| {
        text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    },
};

const fn key(path: &'static str, kind: Kind, default: Default, doc: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        provider: None,
        doc,
    }
}

pub(super) static KEYS: &[Key] = &[
    key(
        "listen",
        Kind::Listen,
        Default::Is("127.0.0.1:50051"),
        "Where gRPC calls are accepted: an IP address with a port, or unix:/path; one or a list (with commas in a flag or variable).",
    ),
    key(
        "allow_remote_clients",
        Kind::Bool,
        Default::Is("false"),
        "Must be true for listen to hold an address that other machines can reach: whoever reaches it runs functions with this account's keys.",
    ),
    key(
        "admin",
        Kind::Admin,
        Default::Is("off"),
        "Where the plain HTTP pages for operators are served: an IP address with a port, or off.",
    ),
    key(
        "admin_quit",
        Kind::Bool,
        Default::Is("false"),
        "Whether a POST to the admin page /quitquitquit ends the process as SIGTERM does.",
    ),
    key(
        "default_target",
        Kind::Text(TARGET_NAME),
        Default::Depends("the target, when there is only one; required when there are several"),
        "The target of a request that names none.",
    ),
    key(
        "threads",
        Kind::Integer(1, 64),
        Default::Is("1"),
        "How many cores serve calls, each with its own upstream connections.",
    ),
    key(
        "max_message_size",
        Kind::Size(1 << 16, 1 << 30),
        Default::Is("64MiB"),
        "The largest gRPC message taken in or sent out; a code archive is one message.",
    ),
    key(
        "drain_timeout",
        Kind::Duration(Duration::ZERO, Duration::from_hours(1)),
        Default::Is("30s"),
        "How long calls in flight may go on after SIGTERM; keep it below the pod's terminationGracePeriodSeconds.",
    ),
    key(
        "request_ids",
        Kind::Section,
        Default::Nothing,
        "How calls with a request_id are remembered, so that a repeated one does not run twice.",
    ),
    key(
        "request_ids.window",
        Kind::Duration(Duration::from_secs(1), Duration::from_hours(24)),
        Default::Is("10m"),
        "How long after its end a call's answer is given to a repeated call; keep it above the time in which callers repeat.",
    ),
    key(
        "request_ids.max_entries",
        Kind::Integer(1, 10_000_000),
        Default::Is("10000"),
        "The most ids remembered, calls in flight included; beyond that the oldest ended call is forgotten before its time.",
    ),
    key(
        "request_ids.max_size",
        Kind::Size(0, 16 << 30),
        Default::Is("16MiB"),
        "The most bytes of answers kept; beyond that the oldest lose their content: a repeated call is then told so, and does not run.",
    ),
    key(
        "log",
        Kind::Section,
        Default::Nothing,
        "What is written to standard error.",
    ),
    key(
        "log.format",
        Kind::Word(&["text", "json"]),
        Default::Is("text"),
        "How a log line is written.",
    ),
    key(
        "log.level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        Default::Is("info"),
        "The least important lines that are still written.",
    ),
    key("metrics", Kind::Section, Default::Nothing, "What is counted."),
    key(
        "metrics.max_actions",
        Kind::Integer(1, 10_000),
        Default::Is("100"),
        "How many actions the metrics of runs tell apart; those that are called later are counted together as other.",
    ),
    key(
        "access_log",
        Kind::Word(&["off", "errors", "all"]),
        Default::Is("all"),
        "Which calls get a line in the log, at the level info: none, those that failed or ran a function that failed, or every one.",
    ),
    key(
        "tracing",
        Kind::Section,
        Default::Nothing,
        "Which calls that sampling left out are exported all the same; where traces go and which are sampled, the standard OTEL_* variables say.",
    ),
    key(
        "tracing.keep_failures",
        Kind::Bool,
        Default::Is("true"),
        "Whether calls that failed, and calls with a repeated request, are exported although they were not sampled.",
    ),
    key(
        "tracing.keep_slower_than",
        Kind::Duration(Duration::ZERO, Duration::from_hours(1)),
        Default::Is("0s"),
        "Calls that took at least this long are exported although they were not sampled; 0s exports none for that.",
    ),
    key(
        "targets",
        Kind::Targets,
        Default::Required,
        "The functions clouds that calls go to, by a name of your choice.",
    ),
];
