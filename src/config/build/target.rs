//! One target: what both clouds share, and FunctionGraph's own part.

use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::reader::Reader;
use super::{credentials, ncp};
use crate::config::keys::Provider;
use crate::config::target::{
    Breaker, Budget, Cloud, FunctionGraph, Limits, Retry, TargetConfig, Timeouts,
};
use crate::config::units::format_duration;
use crate::env::Env;

/// NCP itself holds a call for at most 60 s (`ncp-cloud-functions` §8), so a longer default would
/// poll.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// The longest that a cloud holds a call, NCP 60 s and FunctionGraph's gateway 90 s, and a margin
/// for the way there and back.
const fn default_attempt(provider: Provider) -> Duration {
    match provider {
        Provider::Ncp => Duration::from_secs(75),
        Provider::FunctionGraph => Duration::from_secs(105),
    }
}

/// Builds the target; `None` = a required setting is missing, and a fault says so. `largest` is the
/// largest message in bytes: a larger answer could not be passed on, so without a bound of its own
/// no larger one is read.
pub(super) fn build(
    reader: &mut Reader<'_>,
    provider: Provider,
    env: &Env,
    largest: u64,
) -> Option<TargetConfig> {
    let allow_plaintext = reader.bool("allow_plaintext");
    let cloud = match provider {
        Provider::Ncp => {
            let sts_url = url(reader, "sts_url", allow_plaintext);
            Some(Cloud::Ncp(ncp::build(reader, sts_url)))
        }
        Provider::FunctionGraph => function_graph(reader).map(Cloud::FunctionGraph),
    };
    let base_url = url(reader, "base_url", allow_plaintext);
    let credentials = credentials::build(reader, env, allow_plaintext);
    let timeouts = timeouts(reader, provider);
    let wait = within_request(reader, "wait", DEFAULT_WAIT, timeouts.request);
    let retry = retry(reader);
    let limits = Limits {
        max_in_flight: usize::try_from(reader.integer("limits.max_in_flight")).ok()?,
        max_queue: usize::try_from(reader.integer("limits.max_queue")).ok()?,
        queue_timeout: reader.given_duration("limits.queue_timeout"),
        max_response_size: reader
            .given_integer("limits.max_response_size")
            .unwrap_or(largest),
        adaptive_rate: reader.bool("limits.adaptive_rate"),
    };
    let breaker = breaker(reader);
    let idempotent_actions = reader
        .given_patterns("idempotent_actions")
        .unwrap_or_default();
    let ca_file = path(reader, "ca_file", env);
    let client_cert_file = path(reader, "client_cert_file", env);
    let client_key_file = path(reader, "client_key_file", env);
    for (there, key, other) in [
        (
            client_cert_file.is_some(),
            "client_key_file",
            "client_cert_file",
        ),
        (
            client_key_file.is_some(),
            "client_cert_file",
            "client_key_file",
        ),
    ] {
        if there && !reader.stands(key) {
            reader.missing(
                key,
                &format!("{other} needs it, since neither is of use alone"),
            );
        }
    }
    Some(TargetConfig {
        cloud: cloud?,
        base_url,
        allow_plaintext,
        max_clock_correction: reader.duration("max_clock_correction"),
        ca_file,
        client_cert_file,
        client_key_file,
        credentials: credentials?,
        wait,
        idempotent_actions,
        allow: reader.given_allow("allow"),
        retry: retry?,
        timeouts,
        limits,
        breaker: breaker?,
    })
}

fn function_graph(reader: &mut Reader<'_>) -> Option<FunctionGraph> {
    let allow_plaintext = reader.bool("allow_plaintext");
    let iam_url = url(reader, "iam_url", allow_plaintext);
    let region = reader.given_text("region");
    if region.is_none() {
        reader.missing("region", "write the region id, such as ap-southeast-3");
    }
    Some(FunctionGraph {
        region: region?,
        project_id: reader.given_text("project_id"),
        project_name: reader.given_text("project_name"),
        iam_url,
    })
}

/// A path with `~` filled in; `None` = absent, or a fault says why not.
fn path(reader: &mut Reader<'_>, key: &str, env: &Env) -> Option<PathBuf> {
    let path = reader.given_path(key)?;
    credentials::expand(reader, key, path, env)
}

/// A URL that may be used: TLS, or plain to loopback, or plain because it was allowed.
fn url(reader: &mut Reader<'_>, key: &str, allow_plaintext: bool) -> Option<Url> {
    let url = reader.given_url(key)?;
    if url.scheme() == "http" && !allow_plaintext && !is_loopback(&url) {
        reader.fault(
            key,
            "is plain http to a host other than loopback, where anyone on the way can read signatures and data; \
             write https, or set allow_plaintext: true",
        );
    }
    Some(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn timeouts(reader: &mut Reader<'_>, provider: Provider) -> Timeouts {
    let request = reader.duration("timeouts.request");
    Timeouts {
        connect: reader.duration("timeouts.connect"),
        attempt: within_request(
            reader,
            "timeouts.attempt",
            default_attempt(provider),
            request,
        ),
        request,
        idle: reader.duration("timeouts.idle"),
        max_connection_age: reader.duration("timeouts.max_connection_age"),
    }
}

/// A duration that cannot be longer than the whole call: a default is cut, a given one is refused.
fn within_request(
    reader: &mut Reader<'_>,
    key: &str,
    default: Duration,
    request: Duration,
) -> Duration {
    let Some(given) = reader.given_duration(key) else {
        return default.min(request);
    };
    if given > request {
        let (given, request) = (format_duration(given), format_duration(request));
        reader.fault(
            key,
            format!(
                "{given} is longer than timeouts.request ({request}); shorten it or raise that one"
            ),
        );
    }
    given
}

fn retry(reader: &mut Reader<'_>) -> Option<Retry> {
    let (initial_backoff, max_backoff) = ordered(reader, "retry", "initial_backoff", "max_backoff");
    Some(Retry {
        max_attempts: u32::try_from(reader.integer("retry.max_attempts")).ok()?,
        initial_backoff,
        max_backoff,
        budget: Budget {
            ratio: reader.number("retry.budget.ratio"),
            min_per_second: u32::try_from(reader.integer("retry.budget.min_per_second")).ok()?,
        },
    })
}

fn breaker(reader: &mut Reader<'_>) -> Option<Breaker> {
    let (open, max_open) = ordered(reader, "breaker", "open", "max_open");
    Some(Breaker {
        enabled: reader.bool("breaker.enabled"),
        consecutive_failures: u32::try_from(reader.integer("breaker.consecutive_failures")).ok()?,
        success_rate: reader.number("breaker.success_rate"),
        min_requests: u32::try_from(reader.integer("breaker.min_requests")).ok()?,
        window: reader.duration("breaker.window"),
        open,
        max_open,
    })
}

/// Two durations of a section, of which the first must not be longer.
fn ordered(
    reader: &mut Reader<'_>,
    section: &str,
    first: &str,
    second: &str,
) -> (Duration, Duration) {
    let (first_key, second_key) = (format!("{section}.{first}"), format!("{section}.{second}"));
    let (shorter, longer) = (reader.duration(&first_key), reader.duration(&second_key));
    if shorter > longer {
        let given = if reader.stands(&first_key) {
            first_key
        } else {
            second_key
        };
        let (shorter, longer) = (format_duration(shorter), format_duration(longer));
        reader.fault(
            &given,
            format!("{first} ({shorter}) is longer than {second} ({longer}); change one of them"),
        );
    }
    (shorter, longer)
}
