//! Who may call, and the rule that joins it to the addresses: one that others can reach must say
//! who may come.

use std::path::PathBuf;

use super::credentials::expand;
use super::reader::Reader;
use crate::config::callers::{Auth, Connections, Tls, UnixSocket};
use crate::config::listen::Listen;
use crate::env::Env;

/// Reads `unix_socket`.
pub(super) fn unix_socket(top: &mut Reader<'_>) -> UnixSocket {
    let id =
        |top: &mut Reader<'_>, key| top.given_integer(key).and_then(|id| u32::try_from(id).ok());
    UnixSocket {
        // The rule of the key has made sure that these are octal digits.
        mode: u32::from_str_radix(&top.text("unix_socket.mode"), 8).unwrap_or(0o600),
        owner: id(top, "unix_socket.owner"),
        group: id(top, "unix_socket.group"),
    }
}

/// Reads `tls`; `None` = absent, or a fault says what is missing.
pub(super) fn tls(top: &mut Reader<'_>, env: &Env) -> Option<Tls> {
    let [cert_file, key_file, client_ca_file] =
        ["tls.cert_file", "tls.key_file", "tls.client_ca_file"].map(|key| file(top, key, env));
    for (key, absent) in [
        ("tls.cert_file", cert_file.is_none()),
        ("tls.key_file", key_file.is_none()),
    ] {
        let other = cert_file.is_some() || key_file.is_some() || client_ca_file.is_some();
        if absent && other && !top.stands(key) {
            top.missing(key, "TLS needs both tls.cert_file and tls.key_file");
        }
    }
    Some(Tls {
        cert_file: cert_file?,
        key_file: key_file?,
        client_ca_file,
    })
}

/// Reads `auth`.
pub(super) fn auth(top: &mut Reader<'_>, env: &Env) -> Option<Auth> {
    file(top, "auth.token_file", env).map(|token_file| Auth { token_file })
}

/// Reads `connections`; `None` = a fault of the key table, told already.
pub(super) fn connections(top: &mut Reader<'_>) -> Option<Connections> {
    let max = usize::try_from(top.integer("connections.max")).ok()?;
    let per_peer = top.given_integer("connections.max_per_peer");
    Some(Connections {
        max,
        max_per_peer: match per_peer {
            Some(given) => usize::try_from(given).ok()?,
            None => max.div_ceil(2),
        },
        max_streams: u32::try_from(top.integer("connections.max_streams")).ok()?,
        max_header_size: top.integer("connections.max_header_size"),
        handshake_timeout: top.duration("connections.handshake_timeout"),
        idle_timeout: top.duration("connections.idle_timeout"),
        max_age: top.duration("connections.max_age"),
        message_timeout: top.duration("connections.message_timeout"),
        keepalive_interval: top.duration("connections.keepalive_interval"),
        keepalive_timeout: top.duration("connections.keepalive_timeout"),
    })
}

/// Reads `listen`. An address that other machines can reach needs callers that say who they are, or
/// the operator's word.
pub(super) fn listen(top: &mut Reader<'_>, identified: bool) -> Vec<Listen> {
    let listen = top.listen("listen");
    if !identified
        && !top.bool("allow_remote_clients")
        && let Some(remote) = listen.iter().find(|address| !address.is_local())
    {
        top.fault(
            "listen",
            format!(
                "{remote} can be reached from other machines, and whoever reaches it runs functions with this \
                 account's keys; listen on 127.0.0.1 or unix:/path, set tls.client_ca_file or auth.token_file, or \
                 set allow_remote_clients: true"
            ),
        );
    }
    listen
}

fn file(top: &mut Reader<'_>, key: &str, env: &Env) -> Option<PathBuf> {
    let path = top.given_path(key)?;
    expand(top, key, path, env)
}
