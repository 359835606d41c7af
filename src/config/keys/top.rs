//! The keys of the sidecar itself.

use std::time::Duration;

use super::{Change, Default, Key, Kind, Rule};

/// A target's name: it stands in paths, metrics and log lines, so it holds no dot and no space.
pub(crate) const TARGET_NAME: Rule = Rule {
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
        change: Change::Restart,
        doc,
    }
}

/// A key whose change a reload takes up.
const fn live(key: Key) -> Key {
    Key {
        change: Change::Reload,
        ..key
    }
}

const fn seconds(min: u64, max: u64) -> Kind {
    Kind::Duration(Duration::from_secs(min), Duration::from_secs(max))
}

/// The mode of a file as `chmod` writes it. Only read and write mean something for a socket.
const MODE: Rule = Rule {
    pattern: "^0?[0-7]{3}$",
    says: "three octal digits, such as \"0660\", in quotes",
    obeys: |text| {
        let digits = text
            .strip_prefix('0')
            .filter(|rest| rest.len() == 3)
            .unwrap_or(text);
        digits.len() == 3 && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
    },
};

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
        "Must be true for listen to hold an address that other machines can reach when neither tls.client_ca_file nor auth.token_file says who may call: whoever reaches it runs functions with this account's keys.",
    ),
    key(
        "unix_socket",
        Kind::Section,
        Default::Nothing,
        "Who may connect to the Unix sockets of listen; tls and auth are for TCP addresses alone.",
    ),
    key(
        "unix_socket.mode",
        Kind::Text(MODE),
        Default::Is("0660"),
        "The mode of the socket's file: who may write to it may call.",
    ),
    key(
        "unix_socket.owner",
        Kind::Integer(0, 4_294_967_294),
        Default::Nothing,
        "The user id that the socket's file is given; needs the right to change owners.",
    ),
    key(
        "unix_socket.group",
        Kind::Integer(0, 4_294_967_294),
        Default::Nothing,
        "The group id that the socket's file is given, such as the pod's fsGroup.",
    ),
    key(
        "tls",
        Kind::Section,
        Default::Nothing,
        "TLS for callers at the TCP addresses of listen, 1.2 at least; the files are read again when they change.",
    ),
    key(
        "tls.cert_file",
        Kind::Path,
        Default::Nothing,
        "The PEM certificate chain shown to callers, the own certificate first; turns TLS on, with tls.key_file.",
    ),
    key(
        "tls.key_file",
        Kind::Path,
        Default::Nothing,
        "The PEM key of tls.cert_file.",
    ),
    key(
        "tls.client_ca_file",
        Kind::Path,
        Default::Nothing,
        "A PEM file of the authorities that callers' certificates must come from; with it no one without such a certificate is let in.",
    ),
    key(
        "auth",
        Kind::Section,
        Default::Nothing,
        "How callers at the TCP addresses of listen say who they are.",
    ),
    key(
        "auth.token_file",
        Kind::Path,
        Default::Nothing,
        "A file of tokens, one a line, at least 16 characters each; a call must bring one of them as authorization: Bearer. Several are good at once for rotation; read again when it changes.",
    ),
    live(key(
        "default_deny",
        Kind::Bool,
        Default::Is("false"),
        "Whether a target without allow refuses every call.",
    )),
    key(
        "connections",
        Kind::Section,
        Default::Nothing,
        "Bounds on callers' connections.",
    ),
    key(
        "connections.max",
        Kind::Integer(1, 1_000_000),
        Default::Is("1024"),
        "Connections open at once over TCP, and as many more over Unix sockets. The next one's health checks are answered, and its calls wait until another ends; where callers must show a token or a certificate, the oldest connection that has shown none ends for it.",
    ),
    key(
        "connections.max_per_peer",
        Kind::Integer(1, 1_000_000),
        Default::Depends("half of connections.max"),
        "Connections open at once from one address; its next one is closed. The machine's own addresses may have more as long as no other address wants the places.",
    ),
    key(
        "connections.max_streams",
        Kind::Integer(1, 1_000_000),
        Default::Is("1024"),
        "Calls in flight on one connection; beyond that the caller waits.",
    ),
    key(
        "connections.max_header_size",
        Kind::Size(1 << 10, 1 << 20),
        Default::Is("16KiB"),
        "The largest metadata of one call, as HTTP/2 counts it.",
    ),
    key(
        "connections.handshake_timeout",
        seconds(1, 300),
        Default::Is("10s"),
        "How long a new connection may take for TLS and HTTP/2's beginning, and then for showing a token where one is asked for.",
    ),
    key(
        "connections.idle_timeout",
        seconds(1, 86_400),
        Default::Is("30m"),
        "How long a connection without a call is kept; its caller connects again by itself.",
    ),
    key(
        "connections.max_age",
        seconds(0, 86_400),
        Default::Is("0s"),
        "How long a connection takes new calls, give or take a tenth; then its caller is sent to connect again, and calls in flight finish. For a gateway, so that its callers find new replicas; 0s sets no bound.",
    ),
    key(
        "connections.message_timeout",
        seconds(1, 3600),
        Default::Is("30s"),
        "How long a caller may pause within a message that it sends.",
    ),
    key(
        "connections.keepalive_interval",
        seconds(1, 3600),
        Default::Is("60s"),
        "How long a silent connection goes unasked whether its caller is still there.",
    ),
    key(
        "connections.keepalive_timeout",
        seconds(1, 300),
        Default::Is("20s"),
        "How long the caller may take to answer that.",
    ),
    key(
        "reload_on_change",
        Kind::Bool,
        Default::Is("true"),
        "Whether a changed configuration file is read by itself; SIGHUP has it read in any case.",
    ),
    key(
        "admin",
        Kind::Admin,
        Default::Is("off"),
        "Where the plain HTTP pages for operators are served, to this machine alone: an address of loopback with a port, unix:/path, or off.",
    ),
    key(
        "admin_quit",
        Kind::Bool,
        Default::Is("false"),
        "Whether a POST to the admin page /quitquitquit ends the process as SIGTERM does.",
    ),
    live(key(
        "default_target",
        Kind::Text(TARGET_NAME),
        Default::Depends("the target, when there is only one; required when there are several"),
        "The target of a request that names none.",
    )),
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
        "max_body_memory",
        Kind::Size(1 << 18, 1 << 40),
        Default::Depends("four times max_message_size, and 24MiB at least"),
        "The memory for calls in flight, of all targets together; a call takes 16 KiB, and a larger body four times its size. A call that finds no room is refused, an answer waits; one peer alone may take all of it, and an eighth more is there for the others. Keep it below the container's memory limit.",
    ),
    live(key(
        "drain_timeout",
        Kind::Duration(Duration::ZERO, Duration::from_hours(1)),
        Default::Is("30s"),
        "How long calls in flight may go on after SIGTERM; keep it below the pod's terminationGracePeriodSeconds.",
    )),
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
    live(key(
        "log",
        Kind::Section,
        Default::Nothing,
        "What is written to standard error.",
    )),
    key(
        "log.format",
        Kind::Word(&["text", "json"]),
        Default::Is("text"),
        "How a log line is written.",
    ),
    live(key(
        "log.level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        Default::Is("info"),
        "The least important lines that are still written.",
    )),
    key(
        "metrics",
        Kind::Section,
        Default::Nothing,
        "What is counted, and who may read it.",
    ),
    key(
        "metrics.listen",
        Kind::Address,
        Default::Is("off"),
        "Where /metrics, /livez, /readyz and /startupz are served over plain HTTP, and no other page: an IP address with a port, or off.",
    ),
    key(
        "metrics.allow_remote_clients",
        Kind::Bool,
        Default::Is("false"),
        "Must be true for metrics.listen to be an address that other machines can reach: whoever reaches it reads the names of targets and actions.",
    ),
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
        "tracing.baggage",
        Kind::Texts(BAGGAGE_KEY),
        Default::Nothing,
        "The keys of those members of a caller's baggage header that go on to the cloud; no other member leaves the pod (with commas in a flag or variable).",
    ),
    live(key(
        "targets",
        Kind::Targets,
        Default::Required,
        "The functions clouds that calls go to, by a name of your choice.",
    )),
];
