//! Good settings → the typed [`Config`], with the rules that join several keys.

mod callers;
mod credentials;
mod ncp;
mod reader;
mod target;

use super::fault::{Faults, Place};
use super::keys::Provider;
use super::listen::Listen;
use super::suggest::nearest;
use super::target::TargetConfig;
use super::units::format_size;
use super::walk::Found;
use super::{
    AccessLog, Config, Log, LogFormat, LogLevel, MESSAGE_COST, Metrics, RequestIds, Tracing,
};
use crate::env::Env;
use reader::Reader;

/// Builds what can be built; the outcome counts only if no fault was found anywhere.
pub(super) fn config(found: &mut Found, env: &Env, faults: &mut Faults) -> Option<Config> {
    let mut targets = std::collections::BTreeMap::new();
    let largest = Reader::top(found, faults).integer("max_message_size");
    for (name, provider) in found.targets.clone() {
        if let Some(target) =
            provider.and_then(|provider| target(&name, provider, found, (env, largest), faults))
        {
            targets.insert(name, target);
        }
    }
    let default_target = default_target(found, faults);
    let mut top = Reader::top(found, faults);
    let tls = callers::tls(&mut top, env);
    let auth = callers::auth(&mut top, env);
    let identified = auth.is_some() || tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
    let listen = callers::listen(&mut top, identified);
    let admin = admin(&mut top, &listen);
    let metrics = metrics(&mut top, &listen, admin.as_ref())?;
    Some(Config {
        listen,
        allow_remote_clients: top.bool("allow_remote_clients"),
        unix_socket: callers::unix_socket(&mut top),
        tls,
        auth,
        default_deny: top.bool("default_deny"),
        connections: callers::connections(&mut top)?,
        reload_on_change: top.bool("reload_on_change"),
        admin,
        default_target: default_target?,
        threads: usize::try_from(top.integer("threads")).ok()?,
        max_message_size: top.integer("max_message_size"),
        max_body_memory: max_body_memory(&mut top),
        drain_timeout: top.duration("drain_timeout"),
        request_ids: RequestIds {
            window: top.duration("request_ids.window"),
            max_entries: usize::try_from(top.integer("request_ids.max_entries")).ok()?,
            max_size: top.integer("request_ids.max_size"),
        },
        log: Log {
            format: match top.text("log.format").as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            level: match top.text("log.level").as_str() {
                "error" => LogLevel::Error,
                "warn" => LogLevel::Warn,
                "debug" => LogLevel::Debug,
                "trace" => LogLevel::Trace,
                _ => LogLevel::Info,
            },
        },
        access_log: match top.text("access_log").as_str() {
            "off" => AccessLog::Off,
            "errors" => AccessLog::Errors,
            _ => AccessLog::All,
        },
        admin_quit: top.bool("admin_quit"),
        tracing: Tracing {
            keep_failures: top.bool("tracing.keep_failures"),
            keep_slower_than: top.duration("tracing.keep_slower_than"),
            baggage: top.given_texts("tracing.baggage").unwrap_or_default(),
        },
        metrics,
        targets,
        file: None,
        file_digest: None,
    })
}

/// The pages that change something are for this machine alone.
fn admin(top: &mut Reader<'_>, listen: &[Listen]) -> Option<Listen> {
    let admin = top.admin("admin")?;
    if !admin.is_local() {
        top.fault(
            "admin",
            format!(
                "{admin} can be reached by other machines, and its pages change the process; write an address such as \
                 127.0.0.1:9901 or unix:/path, and serve /metrics and the probes at metrics.listen"
            ),
        );
    } else if is_taken(&admin, listen) {
        top.fault(
            "admin",
            format!("{admin} is taken by listen; choose another, or off"),
        );
    }
    Some(admin)
}

fn metrics(top: &mut Reader<'_>, listen: &[Listen], admin: Option<&Listen>) -> Option<Metrics> {
    let address = top.admin("metrics.listen");
    let remote = top.bool("metrics.allow_remote_clients");
    if let Some(address) = &address {
        if !address.is_local() && !remote {
            top.fault(
                "metrics.listen",
                format!(
                    "{address} can be reached by other machines; set metrics.allow_remote_clients: true if they may read \
                     the metrics, or write an address of loopback"
                ),
            );
        } else if is_taken(address, listen)
            || admin.is_some_and(|admin| is_taken(address, std::slice::from_ref(admin)))
        {
            top.fault(
                "metrics.listen",
                format!("{address} is taken by listen or admin; choose another port, or off"),
            );
        }
    }
    Some(Metrics {
        listen: address.and_then(|address| match address {
            Listen::Tcp(address) => Some(address),
            Listen::Unix(_) => None,
        }),
        allow_remote_clients: remote,
        max_actions: usize::try_from(top.integer("metrics.max_actions")).ok()?,
    })
}

/// Whether one of them is the same; port 0 is another each time.
fn is_taken(address: &Listen, others: &[Listen]) -> bool {
    !matches!(address, Listen::Tcp(tcp) if tcp.port() == 0) && others.contains(address)
}

fn target(
    name: &str,
    provider: Provider,
    found: &mut Found,
    (env, largest): (&Env, u64),
    faults: &mut Faults,
) -> Option<TargetConfig> {
    let mut reader = Reader::target(name, provider, found, faults);
    target::build(&mut reader, provider, env, largest)
}

/// Room for one message of the largest size at least: it would be refused for ever otherwise.
fn max_body_memory(top: &mut Reader<'_>) -> u64 {
    const USUAL: u64 = 24 << 20;
    let message = top.integer("max_message_size");
    let least = message.saturating_mul(MESSAGE_COST);
    let Some(given) = top.given_integer("max_body_memory") else {
        return least.max(USUAL);
    };
    if given < least {
        let (given, message, least) =
            (format_size(given), format_size(message), format_size(least));
        top.fault(
            "max_body_memory",
            format!(
                "{given} has no room for one message of max_message_size ({message}), which takes four times its size \
                 while its call goes on; raise it to {least}, or lower that one"
            ),
        );
    }
    given
}

fn default_target(found: &mut Found, faults: &mut Faults) -> Option<String> {
    let names: Vec<String> = found.targets.keys().cloned().collect();
    if names.is_empty() && !found.faulty.contains("targets") {
        let place = found
            .places
            .get("targets")
            .cloned()
            .unwrap_or(Place::Nowhere);
        found.fault(
            "targets",
            place,
            "names no target; write one, such as targets: {prod: {provider: ncp}}",
            faults,
        );
    }
    let usable: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !found.faulty.contains(&format!("targets.{name}")))
        .collect();
    let mut top = Reader::top(found, faults);
    match top.given_text("default_target") {
        Some(name) if names.contains(&name) || names.is_empty() => Some(name),
        Some(name) => {
            let message = match nearest(&name, usable.iter().copied()) {
                Some(meant) => format!("{name} is not one of the targets; did you mean {meant}?"),
                None => format!(
                    "{name} is not one of the targets; write one of {}",
                    usable.join(", ")
                ),
            };
            top.fault("default_target", message);
            None
        }
        None if names.len() > 1 => {
            top.missing(
                "default_target",
                &format!(
                    "there are several targets, so write one of {}",
                    usable.join(", ")
                ),
            );
            None
        }
        None => names.into_iter().next(),
    }
}
