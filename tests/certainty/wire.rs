//! Just enough HTTP/1.1 to read what a client sent, and a socket that can end in every way.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::fault::End;

/// One connection and what was read from it but not yet used.
pub struct Wire {
    stream: TcpStream,
    unused: Vec<u8>,
}

/// A request's head, taken apart.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: String,
    /// Path and query as they stood on the wire.
    pub target: String,
    pub length: usize,
    /// Which try of its call it was sent for, told by its `traceparent`.
    pub of: Option<usize>,
    /// Bytes of the head, its empty line included.
    pub size: usize,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unused: Vec::new(),
        }
    }

    /// Waits until bytes have come, without reading them; false when the peer has gone.
    pub async fn arrived(&mut self) -> bool {
        if !self.unused.is_empty() {
            return true;
        }
        matches!(self.stream.peek(&mut [0]).await, Ok(1))
    }

    /// Reads until `count` unused bytes are there; false when the peer has gone before.
    pub async fn fill(&mut self, count: usize) -> bool {
        while self.unused.len() < count {
            // Never more than asked for: what is left in the kernel's buffer was never read.
            let missing = u64::try_from(count - self.unused.len()).unwrap();
            let mut limited = (&mut self.stream).take(missing);
            if !matches!(limited.read_buf(&mut self.unused).await, Ok(read) if read > 0) {
                return false;
            }
        }
        true
    }

    /// Reads a head and leaves it among the unused bytes.
    pub async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = self.unused.windows(4).position(|four| four == b"\r\n\r\n") {
                return Some(parse(&self.unused[..end + 4]));
            }
            if !matches!(self.stream.read_buf(&mut self.unused).await, Ok(read) if read > 0) {
                return None;
            }
        }
    }

    /// Reads the body of `head` and takes both off the connection.
    pub async fn body(&mut self, head: &Head) -> Option<Vec<u8>> {
        let whole = head.size + head.length;
        if !self.fill(whole).await {
            return None;
        }
        let rest = self.unused.split_off(whole);
        let mut request = std::mem::replace(&mut self.unused, rest);
        Some(request.split_off(head.size))
    }

    /// False when the peer has gone.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// A few bytes, a pause, a few bytes.
    pub async fn drip(&mut self, bytes: &[u8], pause: Duration) -> bool {
        for few in bytes.chunks(8) {
            sleep(pause).await;
            if !self.write(few).await {
                return false;
            }
        }
        true
    }

    /// Ends the connection. A stall reads nothing more and lasts until the peer hangs up.
    pub async fn end(self, how: End) {
        match how {
            End::Close => {}
            End::Reset => drop(self.stream.set_zero_linger()),
            End::Stall => {
                while let Ok(ready) = self.stream.ready(Interest::READABLE).await {
                    if ready.is_read_closed() {
                        return;
                    }
                    // Bytes that nobody reads keep the socket readable.
                    sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}

fn parse(head: &[u8]) -> Head {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let fields: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let value = |wanted: &str| {
        let field = fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        field.map(|(_, value)| value.trim())
    };
    let length = value("content-length").map_or(0, |length| length.parse().unwrap());
    Head {
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        length,
        of: value("traceparent").and_then(try_of),
        size: head.len(),
    }
}

/// The `traceparent` of one try of a call.
pub fn traceparent(call: u64, number: usize) -> String {
    format!("00-{call:016x}{:016x}-{:016x}-01", number + 1, 1)
}

fn try_of(parent: &str) -> Option<usize> {
    let trace = parent.split('-').nth(1)?;
    usize::from_str_radix(trace.get(16..)?, 16)
        .ok()?
        .checked_sub(1)
}

/// The number that stands behind the first `mark`.
pub fn number_after(text: &str, mark: &str) -> Option<u64> {
    let (_, rest) = text.split_once(mark)?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    rest[..digits].parse().ok()
}

/// A query's parameter up to its value. No other of a list's ends alike.
pub fn parameter(name: &str) -> String {
    format!("{name}=")
}
