//! One HTTP/1.1 connection: one exchange at a time, and exact knowledge of what was written.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use memchr::memmem::Finder;
use rustls::AlertDescription;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::handshake::Handshake;
use super::progress::Received;
use super::wire::{Observer, Stream, Wire, silent};

/// A connection that is free or in use by one exchange.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    pub(super) sent: Arc<Sent>,
    /// Idled before this exchange, so that the server may have closed it meanwhile.
    pub(super) reused: bool,
    /// Used for a new exchange after this only while there is no younger one.
    pub(super) retires: Instant,
    /// Since when it is idle.
    pub(super) idle_since: Instant,
    /// Not used for a new exchange when idle until this.
    idle_until: Instant,
}

/// What was written of the present request.
#[derive(Debug, Default)]
pub(super) struct Sent {
    any: AtomicBool,
    head: AtomicBool,
    body_left: AtomicU64,
    /// The next write begins a request on a used connection: look whether the peer is still there.
    check: AtomicBool,
    /// Bytes came since the request began.
    pub(super) heard: AtomicBool,
    /// The first of them are those of an HTTP/1 answer.
    answered: AtomicBool,
    /// The server refused the handshake, which TLS 1.3 tells after the client's side of it has
    /// ended.
    pub(super) handshake: Handshake,
}

/// Finds the end of the head in what is written, and counts the rest.
struct Watch {
    sent: Arc<Sent>,
    /// The last bytes of the head so far, since its end may lie across two writes.
    tail: Vec<u8>,
}

/// Largest answer head, on HTTP/2 unpacked and as counted there (RFC 9113 §6.5.2), and the most
/// headers in it.
pub(super) const MAX_HEAD: u32 = 128 << 10;
pub(super) const MAX_HEADERS: usize = 1024;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
static FIND_END_OF_HEAD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(END_OF_HEAD));

impl Http1 {
    /// Speaks HTTP/1.1 on a fresh stream.
    pub(super) async fn open(stream: Stream, retires: Instant) -> hyper::Result<Self> {
        let sent = Arc::<Sent>::default();
        let watch = Watch {
            sent: Arc::clone(&sent),
            tail: Vec::new(),
        };
        // What RFC 9112 §5.1 and §5.2 have a user agent accept; and no small bound on a head that
        // came.
        let (sender, connection) = http1::Builder::new()
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD as usize)
            .handshake(TokioIo::new(Wire::new(stream, watch)))
            .await?;
        // Its end is seen by the exchange, or by the next look at an idle connection.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            sent,
            reused: false,
            retires,
            idle_since: Instant::now(),
            idle_until: retires,
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        body_length: usize,
    ) -> hyper::Result<Response<Incoming>> {
        // The connection may still be busy with the end of the previous exchange.
        self.sender.ready().await?;
        self.sent.begin(body_length, self.reused);
        self.sender.send_request(request).await
    }

    pub(super) fn usable(&self, now: Instant) -> bool {
        now < self.idle_until && !self.sender.is_closed()
    }

    /// Begins to idle, for no longer than `idle`.
    pub(super) fn rest(&mut self, now: Instant, idle: Duration) {
        self.reused = true;
        self.sent.begin(0, true);
        self.idle_since = now;
        self.idle_until = now + idle;
    }
}

impl Sent {
    fn begin(&self, body_length: usize, reused: bool) {
        self.any.store(false, Ordering::Relaxed);
        self.head.store(false, Ordering::Relaxed);
        self.body_left.store(body_length as u64, Ordering::Relaxed);
        self.check.store(reused, Ordering::Relaxed);
        self.heard.store(false, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
    }

    /// True when what came since the request began is an HTTP/1 answer.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn received(&self) -> Received {
        if !self.any.load(Ordering::Relaxed) {
            Received::Nothing
        } else if !self.head.load(Ordering::Relaxed) {
            Received::PartOfHead
        } else if self.body_left.load(Ordering::Relaxed) > 0 {
            Received::PartOfBody
        } else {
            Received::Request
        }
    }
}

impl Observer for Watch {
    fn before_write(&mut self, socket: &TcpStream) -> io::Result<()> {
        if self.sent.check.load(Ordering::Relaxed) {
            self.sent.check.store(false, Ordering::Relaxed);
            if !silent(socket) {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the server closed the idle connection",
                ));
            }
        }
        Ok(())
    }

    fn wrote(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.sent.any.store(true, Ordering::Relaxed);
        if self.sent.head.load(Ordering::Relaxed) {
            return self.sent.count(bytes.len());
        }
        if let Some(at) = self.end_of_head(bytes) {
            self.tail.clear();
            self.sent.head.store(true, Ordering::Relaxed);
            self.sent.count(bytes.len() - at);
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && !self.sent.heard.swap(true, Ordering::Relaxed) {
            self.sent.handshake.stands();
            if bytes.starts_with(b"HTTP/1.") {
                self.sent.answered.store(true, Ordering::Relaxed);
            }
        }
    }

    fn alerted(&mut self, alert: AlertDescription) {
        self.sent.handshake.alerted(alert);
    }
}

impl Watch {
    /// Where the body begins in `bytes`, if the head ends there.
    fn end_of_head(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.tail.is_empty()
            && let Some(at) = FIND_END_OF_HEAD.find(bytes)
        {
            return Some(at + END_OF_HEAD.len());
        }
        // The system took only part of the head, which is rare: look again with what came before.
        let before = self.tail.len();
        self.tail.extend_from_slice(bytes);
        if let Some(at) = FIND_END_OF_HEAD.find(&self.tail) {
            return Some(at + END_OF_HEAD.len() - before);
        }
        let rest = self.tail.len().saturating_sub(END_OF_HEAD.len() - 1);
        self.tail.drain(..rest);
        None
    }
}

impl Sent {
    fn count(&self, written: usize) {
        let left = self.body_left.load(Ordering::Relaxed);
        self.body_left
            .store(left.saturating_sub(written as u64), Ordering::Relaxed);
    }
}

/// How long a connection may idle after this answer: our own bound, or the server's own if it told
/// a shorter one.
pub(super) fn idle_bound(headers: &HeaderMap, own: Duration) -> Duration {
    keep_alive(headers).map_or(own, |told| own.min(told))
}

/// `Keep-Alive: timeout=N`, less a second for the way: many servers tell when they close an idle
/// connection.
fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = text.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("timeout")
            .then(|| value.trim().parse::<u32>().ok())?
    })?;
    let told = Duration::from_secs(u64::from(seconds));
    Some(told.saturating_sub(Duration::from_secs(1)).max(told / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(body: usize) -> (Arc<Sent>, Watch) {
        let sent = Arc::<Sent>::default();
        sent.begin(body, false);
        let watch = Watch {
            sent: Arc::clone(&sent),
            tail: Vec::new(),
        };
        (sent, watch)
    }

    #[test]
    fn wherever_the_system_cuts_the_bytes_the_phase_is_right() {
        let request = b"POST /a HTTP/1.1\r\nhost: h\r\n\r\n\r\n{\"a\":1}\r\n\r\n";
        let head = b"POST /a HTTP/1.1\r\nhost: h\r\n\r\n".len();
        let body = request.len() - head;
        for first in 0..=request.len() {
            for second in first..=request.len() {
                let (sent, mut watch) = watch(body);
                for (part, total) in [
                    (&request[..first], first),
                    (&request[first..second], second),
                    (&request[second..], request.len()),
                ] {
                    watch.wrote(part);
                    let expected = match total {
                        0 => Received::Nothing,
                        total if total < head => Received::PartOfHead,
                        total if total < request.len() => Received::PartOfBody,
                        _ => Received::Request,
                    };
                    assert_eq!(
                        sent.received(),
                        expected,
                        "cut at {first} and {second}, {total} written"
                    );
                }
            }
        }
    }

    #[test]
    fn a_second_request_starts_anew() {
        let (sent, mut watch) = watch(0);
        watch.wrote(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(sent.received(), Received::Request);
        sent.begin(2, true);
        assert_eq!(sent.received(), Received::Nothing);
        watch.wrote(b"POST / HTTP/1.1\r\n\r");
        assert_eq!(sent.received(), Received::PartOfHead);
        watch.wrote(b"\n{");
        assert_eq!(sent.received(), Received::PartOfBody);
    }

    #[test]
    fn the_servers_own_idle_bound_is_kept() {
        for (text, expected) in [
            ("timeout=5, max=100", Some(Duration::from_secs(4))),
            ("max=3,Timeout = 1", Some(Duration::from_millis(500))),
            ("timeout=0", Some(Duration::ZERO)),
            ("max=3", None),
            ("timeout=soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", text.parse().unwrap());
            assert_eq!(keep_alive(&headers), expected, "{text}");
        }
    }
}
