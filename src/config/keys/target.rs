//! The keys of one target. The site, region and version rules between them are in
//! `config::build::ncp`.

use std::time::Duration;

use super::{Change, Default, Key, Kind, Provider, Rule};

/// Open: Huawei and its partners add regions. Strict in its letters, since it becomes part of a
/// host name.
const REGION: Rule = Rule {
    pattern: "^[a-z0-9][a-z0-9-]{0,62}$",
    says: "a region id in lower-case letters, digits and hyphens, such as ap-southeast-3",
    obeys: |text| {
        text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    },
};

const PROJECT_ID: Rule = Rule {
    pattern: "^[A-Za-z0-9]{32}$",
    says: "32 letters and digits, as the console shows under My Credentials",
    obeys: |text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric()),
};

const PROJECT_NAME: Rule = Rule {
    pattern: "^[A-Za-z0-9_-]{1,64}$",
    says: "1 to 64 letters, digits, underscores and hyphens, such as eu-de_team",
    obeys: |text| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    },
};

/// The words for groups of calls in `allow`; `docs/operations/refused.md` ("Rules for callers")
/// says which calls each covers.
pub const OPERATIONS: &[&str] = &[
    "invoke", "observe", "cancel", "fire", "read", "write", "delete", "*",
];

/// A day in milliseconds: no function runs synchronously for longer.
pub(super) const DAY: u64 = 86_400_000;

pub(super) const fn key(
    path: &'static str,
    kind: Kind,
    default: Default,
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind,
        default,
        provider: None,
        change: Change::Reload,
        doc,
    }
}

pub(super) const fn only(provider: Provider, key: Key) -> Key {
    Key {
        provider: Some(provider),
        ..key
    }
}

pub(super) const fn ms(min: u64, max: u64) -> Kind {
    Kind::Duration(Duration::from_millis(min), Duration::from_millis(max))
}

/// Where a target is.
pub(super) static KEYS: &[Key] = &[
    key(
        "targets.*.provider",
        Kind::Word(&Provider::NAMES),
        Default::Required,
        "Which cloud this is: ncp is NAVER Cloud Functions, functiongraph is Huawei FunctionGraph and Open Telekom Cloud.",
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.site",
            Kind::Word(&["public", "fin", "gov"]),
            Default::Is("public"),
            "Which NAVER Cloud: the public one, the financial one or the public-sector one.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.region",
            Kind::Word(&["kr", "sg", "jp"]),
            Default::Is("kr"),
            "The region; fin and gov have kr alone.",
        ),
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.region",
            Kind::Text(REGION),
            Default::Required,
            "The region id; it makes the host names, unless base_url is set.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.api_version",
            Kind::Word(&["2.1", "2.0"]),
            Default::Depends("2.1; 2.0 on gov, which has no other"),
            "The generation of the REST API; paths and bodies differ between them.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.platform",
            Kind::Word(&["vpc", "classic"]),
            Default::Depends(
                "vpc for 2.1, classic for 2.0; sg, jp and fin have vpc alone, gov classic alone",
            ),
            "The platform of a request that names none.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.vpc",
            Kind::Section,
            Default::Nothing,
            "The subnet that PutAction connects an action on platform vpc to when the request names none.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.vpc.vpc_no",
            Kind::Integer(1, i64::MAX as u64),
            Default::Nothing,
            "The number of the VPC, as the console shows it under VPC > VPC Management.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.vpc.subnet_no",
            Kind::Integer(1, i64::MAX as u64),
            Default::Nothing,
            "The number of the subnet, as the console shows it under VPC > Subnet Management.",
        ),
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.project_id",
            Kind::Text(PROJECT_ID),
            Default::Depends("looked up at IAM by project_name"),
            "The project that holds the functions.",
        ),
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.project_name",
            Kind::Text(PROJECT_NAME),
            Default::Depends("the region's id, which is the name of its default project"),
            "The name of the project that holds the functions, such as eu-de_team for a sub-project; a given project_id wins.",
        ),
    ),
    key(
        "targets.*.base_url",
        Kind::Url,
        Default::Depends("the cloud's own host"),
        "Replaces scheme and host; with a path, the path prefix too. Plain http is for loopback only.",
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.iam_url",
            Kind::Url,
            Default::Depends("the region's IAM host"),
            "Where tokens and temporary keys come from, and the project's id when there is no project_id.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.sts_url",
            Kind::Url,
            Default::Depends("the site's token service"),
            "Where temporary keys come from when credentials.source is sts.",
        ),
    ),
    key(
        "targets.*.allow_plaintext",
        Kind::Bool,
        Default::Is("false"),
        "Lets base_url, iam_url, sts_url and metadata_url be plain http to hosts other than loopback: signatures and data are then readable on the way.",
    ),
    key(
        "targets.*.max_clock_correction",
        Kind::Duration(Duration::ZERO, Duration::from_hours(24 * 365 * 30)),
        Default::Is("24h"),
        "How far from this machine's clock the time of a signature may be because answers show another time; a hop that lies gets no signature beyond it.",
    ),
    key(
        "targets.*.ca_file",
        Kind::Path,
        Default::Nothing,
        "A PEM file of certificate authorities, trusted in place of the built-in ones; read again when it changes, as the client certificate is.",
    ),
    key(
        "targets.*.client_cert_file",
        Kind::Path,
        Default::Nothing,
        "A PEM certificate chain shown to an upstream that asks for one, with client_key_file.",
    ),
    key(
        "targets.*.client_key_file",
        Kind::Path,
        Default::Nothing,
        "The PEM key of client_cert_file.",
    ),
];

/// What follows the section of the credentials.
pub(super) static BEHAVIOUR: &[Key] = &[
    key(
        "targets.*.wait",
        ms(0, DAY),
        Default::Depends("60s, or timeouts.request if that is shorter"),
        "How long an Invoke that does not say waits for the result.",
    ),
    key(
        "targets.*.idempotent_actions",
        Kind::Patterns,
        Default::Nothing,
        "Actions that may be run twice without harm, so that a run whose outcome is unknown is tried again: package/action, - for no package, * for any characters.",
    ),
    key(
        "targets.*.allow",
        Kind::Allow,
        Default::Depends("every call is allowed, unless default_deny is true"),
        "The calls that are allowed; all others are refused. Each rule has operations, and actions (package/action patterns), triggers (name patterns) or both.",
    ),
    key(
        "targets.*.retry",
        Kind::Section,
        Default::Nothing,
        "How failed attempts are repeated.",
    ),
    key(
        "targets.*.retry.max_attempts",
        Kind::Integer(1, 10),
        Default::Is("3"),
        "The most attempts of one call, the first included; 1 turns retries off.",
    ),
    key(
        "targets.*.retry.initial_backoff",
        ms(1, 60_000),
        Default::Is("100ms"),
        "The upper bound of the first random pause; it doubles with each attempt.",
    ),
    key(
        "targets.*.retry.max_backoff",
        ms(1, 300_000),
        Default::Is("5s"),
        "The upper bound of any pause.",
    ),
    key(
        "targets.*.retry.budget",
        Kind::Section,
        Default::Nothing,
        "A limit on all retries of the target together, so that they cannot add to an outage.",
    ),
    key(
        "targets.*.retry.budget.ratio",
        Kind::Number(0.0, 1.0),
        Default::Is("0.1"),
        "Retries allowed for each call.",
    ),
    key(
        "targets.*.retry.budget.min_per_second",
        Kind::Integer(0, 1000),
        Default::Is("1"),
        "Retries a second that are allowed in any case.",
    ),
    key(
        "targets.*.timeouts",
        Kind::Section,
        Default::Nothing,
        "How long things may take.",
    ),
    key(
        "targets.*.timeouts.connect",
        ms(1, 300_000),
        Default::Is("3s"),
        "Connecting, with TLS.",
    ),
    key(
        "targets.*.timeouts.attempt",
        ms(1, DAY),
        Default::Depends("75s, on functiongraph 105s, or timeouts.request if that is shorter"),
        "One HTTP request, to the last byte of its answer. NCP is asked to hold a run for less than this, and its record is asked for then; a FunctionGraph run that takes longer is given up.",
    ),
    key(
        "targets.*.timeouts.request",
        ms(1, DAY),
        Default::Is("310s"),
        "One gRPC call in all: queue, attempts, pauses and polling. A shorter deadline of the caller wins.",
    ),
    key(
        "targets.*.timeouts.idle",
        ms(1, 3_600_000),
        Default::Is("50s"),
        "How long an unused connection is kept; keep it below the server's own limit. A shorter one that the server tells (Keep-Alive: timeout) wins.",
    ),
    key(
        "targets.*.timeouts.max_connection_age",
        ms(100, DAY),
        Default::Is("5m"),
        "Age from which a connection is replaced by a fresh one, which looks the name up again, so that changes in DNS are followed; until that one is there the old one serves. Up to a tenth more or less, at random.",
    ),
    key(
        "targets.*.limits",
        Kind::Section,
        Default::Nothing,
        "How much may go on at once.",
    ),
    key(
        "targets.*.limits.max_in_flight",
        Kind::Integer(1, 100_000),
        Default::Is("100"),
        "Calls of the target that run at once.",
    ),
    key(
        "targets.*.limits.max_queue",
        Kind::Integer(0, 100_000),
        Default::Is("2000"),
        "Calls that may wait for their turn; the next one is refused at once. Callers take turns, and so do the actions of each caller.",
    ),
    key(
        "targets.*.limits.queue_timeout",
        ms(0, 3_600_000),
        Default::Depends("none: as long as the call's deadline allows"),
        "How long a call waits for its turn.",
    ),
    key(
        "targets.*.limits.max_response_size",
        Kind::Size(1 << 10, 1 << 30),
        Default::Depends("max_message_size"),
        "The largest answer that is read from the cloud; a larger one than max_message_size cannot be passed on.",
    ),
    key(
        "targets.*.limits.adaptive_rate",
        Kind::Bool,
        Default::Is("true"),
        "Learns from the cloud's 429s how many requests a second it takes, and sends no more until it takes more; off until the first 429.",
    ),
    key(
        "targets.*.breaker",
        Kind::Section,
        Default::Nothing,
        "When calls are refused at once because the cloud does not answer, or fails: connections, attempts out of time, 5xx. Never for 4xx, 429, or a function that fails.",
    ),
    key(
        "targets.*.breaker.enabled",
        Kind::Bool,
        Default::Is("true"),
        "false lets every call try.",
    ),
    key(
        "targets.*.breaker.consecutive_failures",
        Kind::Integer(0, 100_000),
        Default::Is("10"),
        "Failed requests in a row, retries included, after which calls are refused; those in flight together count once. 0 turns this signal off.",
    ),
    key(
        "targets.*.breaker.success_rate",
        Kind::Number(0.0, 1.0),
        Default::Is("0.5"),
        "Calls are refused when a smaller share of the window's requests went well. 0 turns this signal off.",
    ),
    key(
        "targets.*.breaker.min_requests",
        Kind::Integer(1, 100_000),
        Default::Is("20"),
        "Requests that the window must hold before their share counts: few calls never trip it.",
    ),
    key(
        "targets.*.breaker.window",
        ms(100, 3_600_000),
        Default::Is("10s"),
        "How far back the share of successes looks.",
    ),
    key(
        "targets.*.breaker.open",
        ms(1, 3_600_000),
        Default::Is("1s"),
        "The upper bound of the first pause before one call is let through to probe; it doubles with each probe that fails.",
    ),
    key(
        "targets.*.breaker.max_open",
        ms(1, 3_600_000),
        Default::Is("30s"),
        "The upper bound of any such pause.",
    ),
];
