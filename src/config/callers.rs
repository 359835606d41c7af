//! What is told about callers: who may connect, how they say who they are, how much they may hold,
//! what they may call.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::units::{serialize_duration, serialize_size};

/// The file of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnixSocket {
    /// Permission bits, at most `0o777`.
    #[serde(serialize_with = "serialize_mode")]
    pub mode: u32,
    /// A user id; `None` = as it is made.
    pub owner: Option<u32>,
    /// A group id; `None` = as it is made.
    pub group: Option<u32>,
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

/// Bounds on callers' connections. No duration is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// Open at once, all threads together, over TCP and as many more over Unix sockets; at least 1.
    pub max: usize,
    /// Open at once from one address, other than the machine's own; at least 1.
    pub max_per_peer: usize,
    /// Calls in flight on one; at least 1.
    pub max_streams: u32,
    /// Bytes of one call's metadata, as HTTP/2 counts them.
    #[serde(serialize_with = "serialize_size")]
    pub max_header_size: u64,
    /// TLS and HTTP/2's beginning.
    #[serde(serialize_with = "serialize_duration")]
    pub handshake_timeout: Duration,
    /// Without a call.
    #[serde(serialize_with = "serialize_duration")]
    pub idle_timeout: Duration,
    /// New calls are taken for so long, give or take a tenth; zero = for ever.
    #[serde(serialize_with = "serialize_duration")]
    pub max_age: Duration,
    /// A pause within a message.
    #[serde(serialize_with = "serialize_duration")]
    pub message_timeout: Duration,
    /// Silence before the caller is asked whether it is there.
    #[serde(serialize_with = "serialize_duration")]
    pub keepalive_interval: Duration,
    /// How long it may take to answer.
    #[serde(serialize_with = "serialize_duration")]
    pub keepalive_timeout: Duration,
}

/// One rule of a target's `allow`: these operations on these actions and triggers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AllowRule {
    /// `package/action` patterns.
    pub actions: Vec<String>,
    /// Patterns of trigger names.
    pub triggers: Vec<String>,
    /// Words of [`OPERATIONS`](super::keys::OPERATIONS).
    pub operations: Vec<String>,
}

fn serialize_mode<S: Serializer>(mode: &u32, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("{mode:04o}"))
}
