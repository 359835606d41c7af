//! What can be set about callers: who may connect, how they say who they are, how much they may
//! hold.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::settings::{Key, Kind, Reader, Rule, Section, TypedKey, settings};

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

settings! {
    /// The file of a Unix socket.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UnixSocket in "unix_socket." {
        /// The mode of the socket's file: who may write to it may call.
        mode: u32 = kind(Kind::Text(MODE)), Is("0660");
        /// The user id that the socket's file is given; needs the right to change owners.
        owner: Option<u32> = integer(0, 4_294_967_294), Nothing;
        /// The group id that the socket's file is given, such as the pod's fsGroup.
        group: Option<u32> = integer(0, 4_294_967_294), Nothing;
    }
}

settings! {
    /// The keys of `tls`.
    #[derive(Debug, Clone)]
    pub(super) struct TlsKeys in "tls." {
        /// The PEM certificate chain shown to callers, the own certificate first; turns TLS on,
        /// with tls.key_file.
        cert_file: Option<PathBuf> = path(), Nothing;
        /// The PEM key of tls.cert_file.
        key_file: Option<PathBuf> = path(), Nothing;
        /// A PEM file of the authorities that callers' certificates must come from; with it no one
        /// without such a certificate is let in.
        client_ca_file: Option<PathBuf> = path(), Nothing;
    }
}

settings! {
    /// The keys of `auth`.
    #[derive(Debug, Clone)]
    pub(super) struct AuthKeys in "auth." {
        /// A file of tokens, one a line, at least 16 characters each; a call must bring one of them
        /// as authorization: Bearer. Several are good at once for rotation; read again when it
        /// changes.
        token_file: Option<PathBuf> = path(), Nothing;
    }
}

settings! {
    /// Bounds on callers' connections. Only `max_age` may be zero.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Connections in "connections." {
        /// Connections open at once over TCP, and as many more over Unix sockets. The next one's
        /// health checks are answered, and its calls wait until another ends; where callers must
        /// show a token or a certificate, the oldest connection that has shown none ends for it.
        max: usize = integer(1, 1_000_000), Is("1024");
        /// Connections open at once from one address; its next one is closed. The machine's own
        /// addresses may have more as long as no other address wants the places.
        max_per_peer: usize = integer(1, 1_000_000), Depends("half of connections.max") => half_of_max;
        /// Calls in flight on one connection; beyond that the caller waits.
        max_streams: u32 = integer(1, 1_000_000), Is("1024");
        /// The largest metadata of one call, as HTTP/2 counts it.
        max_header_size: usize = size(1 << 10, 1 << 20), Is("16KiB");
        /// How long a new connection may take for TLS and HTTP/2's beginning, and then for showing
        /// a token where one is asked for.
        handshake_timeout: Duration = seconds(1, 300), Is("10s");
        /// How long a connection without a call is kept; its caller connects again by itself.
        idle_timeout: Duration = seconds(1, 86_400), Is("30m");
        /// How long a connection takes new calls, give or take a tenth; then its caller is sent to
        /// connect again, and calls in flight finish. For a gateway, so that its callers find new
        /// replicas; 0s sets no bound.
        max_age: Duration = seconds(0, 86_400), Is("0s");
        /// How long a caller may pause within a message that it sends.
        message_timeout: Duration = seconds(1, 3600), Is("30s");
        /// How long a silent connection goes unasked whether its caller is still there.
        keepalive_interval: Duration = seconds(1, 3600), Is("60s");
        /// How long the caller may take to answer that.
        keepalive_timeout: Duration = seconds(1, 300), Is("20s");
    }
}

/// TLS towards callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// The chain shown, the own certificate first.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// The authorities of callers' certificates; with it a caller needs one.
    pub client_ca_file: Option<PathBuf>,
}

/// How callers say who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Auth {
    /// One token a line.
    pub token_file: PathBuf,
}

impl Section for Option<Tls> {
    fn keys(found: &mut Vec<Key>) {
        TlsKeys::keys(found);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let files = TlsKeys::read(reader)?;
        let needed = [
            (TlsKeys::cert_file, &files.cert_file),
            (TlsKeys::key_file, &files.key_file),
        ];
        let some = needed.iter().any(|(_, file)| file.is_some()) || files.client_ca_file.is_some();
        for (key, file) in needed {
            if file.is_none() && some && !reader.stands(key) {
                reader.missing(key, "TLS needs both tls.cert_file and tls.key_file");
            }
        }
        Some(
            files
                .cert_file
                .zip(files.key_file)
                .map(|(cert_file, key_file)| Tls {
                    cert_file,
                    key_file,
                    client_ca_file: files.client_ca_file,
                }),
        )
    }
}

impl Section for Option<Auth> {
    fn keys(found: &mut Vec<Key>) {
        AuthKeys::keys(found);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let AuthKeys { token_file } = AuthKeys::read(reader)?;
        Some(token_file.map(|token_file| Auth { token_file }))
    }
}

fn half_of_max(reader: &mut Reader<'_>, key: TypedKey<usize>) -> Option<usize> {
    let max = reader.get(Connections::max)?;
    Some(reader.given(key).unwrap_or(max.div_ceil(2)))
}
