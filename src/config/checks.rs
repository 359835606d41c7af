//! The rules that join several keys of the process.

use super::{Config, MESSAGE_COST};
use crate::settings::units::format_size;
use crate::settings::{Listen, Reader, TypedKey, nearest};

impl Config {
    pub(super) fn check(&mut self, reader: &mut Reader<'_>) {
        self.check_listen(reader);
        self.check_admin(reader);
        self.check_metrics(reader);
    }

    /// An address that other machines can reach needs callers that say who they are, or the
    /// operator's word.
    fn check_listen(&self, reader: &mut Reader<'_>) {
        if self.is_open()
            && !self.allow_remote_clients
            && let Some(remote) = self.listen.iter().find(|address| !address.is_local())
        {
            reader.fault(
                Self::listen,
                format!(
                    "{remote} can be reached from other machines, and whoever reaches it runs functions with this \
                     account's keys; listen on 127.0.0.1 or unix:/path, set tls.client_ca_file or auth.token_file, or \
                     set allow_remote_clients: true"
                ),
            );
        }
    }

    /// The pages that change something are for this machine alone.
    fn check_admin(&self, reader: &mut Reader<'_>) {
        let Some(admin) = &self.admin else { return };
        if !admin.is_local() {
            reader.fault(
                Self::admin,
                format!(
                    "{admin} can be reached by other machines, and its pages change the process; write an address such as \
                     127.0.0.1:9901 or unix:/path, and serve /metrics and the probes at metrics.listen"
                ),
            );
        } else if is_taken(admin, &self.listen) {
            reader.fault(
                Self::admin,
                format!("{admin} is taken by listen; choose another, or off"),
            );
        }
    }

    fn check_metrics(&self, reader: &mut Reader<'_>) {
        let Some(address) = self.metrics.listen.map(Listen::Tcp) else {
            return;
        };
        if !address.is_local() && !self.metrics.allow_remote_clients {
            reader.fault(
                super::Metrics::listen,
                format!(
                    "{address} can be reached by other machines; set metrics.allow_remote_clients: true if they may read \
                     the metrics, or write an address of loopback"
                ),
            );
        } else if is_taken(&address, &self.listen) || is_taken(&address, self.admin.as_slice()) {
            reader.fault(
                super::Metrics::listen,
                format!("{address} is taken by listen or admin; choose another port, or off"),
            );
        }
    }
}

/// Whether one of them is the same; port 0 is another each time.
fn is_taken(address: &Listen, others: &[Listen]) -> bool {
    !matches!(address, Listen::Tcp(tcp) if tcp.port() == 0) && others.contains(address)
}

/// Room for one message of the largest size at least: it would be refused for ever otherwise.
pub(super) fn max_body_memory(reader: &mut Reader<'_>, key: TypedKey<usize>) -> Option<usize> {
    const USUAL: usize = 24 << 20;
    let message = reader.get(Config::max_message_size)?;
    let least = message.saturating_mul(MESSAGE_COST);
    let Some(given) = reader.given(key) else {
        return Some(least.max(USUAL));
    };
    if given < least {
        let [given, message, least] = [given, message, least].map(|size| format_size(size as u64));
        reader.fault(
            key,
            format!(
                "{given} has no room for one message of max_message_size ({message}), which takes four times its size \
                 while its call goes on; raise it to {least}, or lower that one"
            ),
        );
    }
    Some(given)
}

pub(super) fn default_target(reader: &mut Reader<'_>, key: TypedKey<String>) -> Option<String> {
    let names: Vec<String> = reader.found.targets.keys().cloned().collect();
    if names.is_empty() && !reader.found.faulty.contains("targets") {
        reader.fault(
            Config::targets,
            "names no target; write one, such as targets: {prod: {provider: ncp}}",
        );
    }
    let usable: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !reader.found.faulty.contains(&format!("targets.{name}")))
        .collect();
    match reader.given(key) {
        Some(name) if names.contains(&name) || names.is_empty() => Some(name),
        Some(name) => {
            let message = match nearest(&name, usable.iter().copied()) {
                Some(meant) => format!("{name} is not one of the targets; did you mean {meant}?"),
                None => format!(
                    "{name} is not one of the targets; write one of {}",
                    usable.join(", ")
                ),
            };
            reader.fault(key, message);
            None
        }
        None if names.len() > 1 => {
            reader.missing(
                key,
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
