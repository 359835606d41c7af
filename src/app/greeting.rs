//! The first bytes of a caller's connection: those of HTTP/2 with prior knowledge (RFC 9113 §3.4),
//! or of something else.
//!
//! What is something else gets an answer if it speaks HTTP/1, and one line in a while tells the
//! operator: a wrong port, a wrong scheme, a load balancer's check over HTTP/1.1 are found by it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::warn;

use super::connection::Socket;
use crate::telemetry::log::LineLimit;

/// The text that begins an HTTP/2 connection.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first byte of a TLS connection: a handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// How long a caller that was refused may go on sending before the connection is closed on it.
const FAREWELL: Duration = Duration::from_secs(1);
/// As much of what it goes on sending as is read.
const FAREWELL_BYTES: u64 = 64 << 10;

static LINES: LineLimit = LineLimit::new(Duration::from_secs(5));

const NOT_HTTP2: &str =
    "This is a gRPC port: it takes HTTP/2 alone. Try grpcurl, or faas-sidecar invoke.\n";
const NOT_TLS: &str = "This port takes TLS alone. Try https, and a client of gRPC.\n";

/// What a caller began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// More bytes are needed to tell.
    Open,
    Http2,
    Http1,
    Tls,
    Other,
}

impl Greeting {
    fn of(first: &[u8]) -> Self {
        if PREFACE.starts_with(first) {
            return if first.len() == PREFACE.len() {
                Self::Http2
            } else {
                Self::Open
            };
        }
        if first[0] == TLS_HANDSHAKE {
            return Self::Tls;
        }
        // A method and a space; those that there are are written in capitals.
        match first.iter().position(|byte| !byte.is_ascii_uppercase()) {
            Some(1..) if first.contains(&b' ') => Self::Http1,
            None if first.len() < PREFACE.len() => Self::Open,
            _ => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Open => "the beginning of an HTTP/2 connection and no more",
            Self::Http2 => "HTTP/2",
            Self::Http1 => "an HTTP/1 request",
            Self::Tls => "a TLS handshake",
            Self::Other => "something that is neither HTTP nor TLS",
        }
    }
}

/// Reads the first bytes; false when the caller does not speak HTTP/2, and was told so where it can
/// be told.
pub(super) async fn is_http2(
    socket: &mut Box<dyn Socket>,
    peer: Option<SocketAddr>,
    patience: Duration,
) -> bool {
    let mut first = [0; PREFACE.len()];
    let mut length = 0;
    let reading = async {
        loop {
            match socket.read(&mut first[length..]).await {
                Ok(0) | Err(_) => return Greeting::Open,
                Ok(count) => length += count,
            }
            match Greeting::of(&first[..length]) {
                Greeting::Open => {}
                greeting => return greeting,
            }
        }
    };
    let greeting = timeout(patience, reading).await.unwrap_or(Greeting::Open);
    if greeting == Greeting::Http2 {
        return true;
    }
    // Whoever connects and says nothing looks whether somebody listens.
    if length > 0 {
        tell(peer, greeting, "HTTP/2");
    }
    if greeting == Greeting::Http1 {
        refuse(socket, "505 HTTP Version Not Supported", NOT_HTTP2).await;
    }
    false
}

/// Whether the caller of a port with TLS begins with it; if not, it was told so where it can be
/// told.
pub(super) async fn is_tls(socket: &mut TcpStream, peer: Option<SocketAddr>) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    let length = socket.peek(&mut first).await?;
    match first[..length] {
        [] => return Err(io::ErrorKind::UnexpectedEof.into()),
        [TLS_HANDSHAKE, ..] => return Ok(true),
        _ => {}
    }
    let greeting = Greeting::of(&first[..length]);
    let shown = match greeting {
        Greeting::Open => Greeting::Other,
        greeting => greeting,
    };
    tell(peer, shown, "TLS");
    if greeting == Greeting::Http1 {
        refuse(socket, "400 Bad Request", NOT_TLS).await;
    }
    Ok(false)
}

fn tell(peer: Option<SocketAddr>, greeting: Greeting, expected: &str) {
    if let Some(left_out) = LINES.pass() {
        let peer = peer.map_or_else(|| "a Unix socket".to_owned(), |peer| peer.to_string());
        warn!(
            peer,
            left_out,
            "a connection was refused: it began with {}, and {expected} is expected here",
            greeting.words()
        );
    }
}

/// Answers as HTTP/1.1 does, and closes. What the caller still sends is read for a while: a socket
/// that is closed before resets the connection, and the answer is lost with it.
async fn refuse<S: Socket + ?Sized>(socket: &mut S, status: &str, sentence: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{sentence}",
        sentence.len()
    );
    let farewell = async {
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await?;
        tokio::io::copy(&mut socket.take(FAREWELL_BYTES), &mut tokio::io::sink()).await
    };
    // A caller that is gone needs no answer.
    let _ = timeout(FAREWELL, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (first, expected) in [
            (&PREFACE[..], Greeting::Http2),
            (b"P", Greeting::Open),
            (b"PRI * HTTP/2.0\r\n\r\n", Greeting::Open),
            (b"PO", Greeting::Open),
            (b"POST", Greeting::Open),
            (b"POST /", Greeting::Http1),
            (b"GET / HTTP/1.1\r\n", Greeting::Http1),
            (b"PRI * HTTP/1.1", Greeting::Http1),
            (b"OPTIONS *", Greeting::Http1),
            (b"\x16\x03\x01\x02\x00", Greeting::Tls),
            (b"\0", Greeting::Other),
            (b" GET /", Greeting::Other),
            (b"get /", Greeting::Other),
            (b"SSH-2.0-OpenSSH", Greeting::Other),
            (b"AAAAAAAAAAAAAAAAAAAAAAAA", Greeting::Other),
        ] {
            assert_eq!(
                Greeting::of(first),
                expected,
                "{:?}",
                first.escape_ascii().to_string()
            );
        }
    }
}
