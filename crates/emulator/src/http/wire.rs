//! HTTP/1.1 on the wire (RFC 9112): reads a request without changing a byte of its target, writes
//! an answer.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Reply, Request};

const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 128;

/// A request that was read, and whether the connection may carry another.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) request: Request,
    pub(super) keep_alive: bool,
}

/// Why no request could be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The peer is gone or the socket failed.
    Gone,
    /// What came is not HTTP/1.1.
    Malformed(&'static str),
    /// The head was not admitted, and this is why; the body was not read.
    Refused(String),
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

/// Reads the next request; bytes that belong to the one after stay in `buffer`.
pub(super) async fn read_request<S>(
    stream: &mut S,
    buffer: &mut BytesMut,
    max_body: usize,
    admit: &(dyn Fn(&Request) -> Result<(), String> + Sync),
) -> Result<Incoming, ReadError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut request, keep_alive) = loop {
        if let Some(head) = parse_head(buffer)? {
            break head;
        }
        if buffer.len() > MAX_HEAD {
            return Err(ReadError::Malformed(
                "the request head is longer than 64 KiB",
            ));
        }
        fill(stream, buffer).await?;
    };
    admit(&request).map_err(ReadError::Refused)?;
    let framing = framing(&request)?;
    let expects = request
        .header("expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    if expects && buffer.is_empty() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let mut body = Body {
        bytes: BytesMut::new(),
        limit: max_body,
        overflow: false,
    };
    match framing {
        Framing::Length(length) => read_exactly(stream, buffer, length, &mut body).await?,
        Framing::Chunked => read_chunks(stream, buffer, &mut body).await?,
    }
    request.too_large = body.overflow;
    request.body = body.bytes.freeze();
    Ok(Incoming {
        request,
        keep_alive,
    })
}

/// Takes the head off the buffer once it is complete.
fn parse_head(buffer: &mut BytesMut) -> Result<Option<(Request, bool)>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Malformed("the request head is not HTTP/1.1")),
    };
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|header| {
            (
                header.name.to_owned(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        })
        .collect();
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers,
        body: Bytes::new(),
        too_large: false,
    };
    let connection = request
        .header("connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let keep_alive = head.version == Some(1) && !connection.contains("close");
    buffer.advance(length);
    Ok(Some((request, keep_alive)))
}

fn framing(request: &Request) -> Result<Framing, ReadError> {
    if let Some(coding) = request.header("transfer-encoding") {
        return match coding.trim() {
            coding if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            _ => Err(ReadError::Malformed("the transfer coding is not chunked")),
        };
    }
    let Some(length) = request.header("content-length") else {
        return Ok(Framing::Length(0));
    };
    match length.trim().parse() {
        Ok(length) => Ok(Framing::Length(length)),
        Err(_) => Err(ReadError::Malformed("the content length is not a number")),
    }
}

/// A body up to its limit. What goes beyond is read and thrown away, so that the peer gets to see
/// the answer.
struct Body {
    bytes: BytesMut,
    limit: usize,
    overflow: bool,
}

impl Body {
    fn push(&mut self, part: &[u8]) {
        if self.overflow || self.bytes.len() + part.len() > self.limit {
            self.overflow = true;
            self.bytes = BytesMut::new();
        } else {
            self.bytes.extend_from_slice(part);
        }
    }
}

async fn read_exactly<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    length: u64,
    body: &mut Body,
) -> Result<(), ReadError> {
    let mut left = length;
    while left > 0 {
        if buffer.is_empty() {
            fill(stream, buffer).await?;
        }
        let take = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        body.push(&buffer[..take]);
        buffer.advance(take);
        left -= take as u64;
    }
    Ok(())
}

async fn read_chunks<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    body: &mut Body,
) -> Result<(), ReadError> {
    loop {
        let line = read_line(stream, buffer).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        // The library takes a sign, too.
        let digits = size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(size) = digits.then(|| u64::from_str_radix(size, 16).ok()).flatten() else {
            return Err(ReadError::Malformed("a chunk size is not hexadecimal"));
        };
        if size == 0 {
            break;
        }
        read_exactly(stream, buffer, size, body).await?;
        if !read_line(stream, buffer).await?.is_empty() {
            return Err(ReadError::Malformed("a chunk is longer than its size"));
        }
    }
    // Trailers end with an empty line.
    while !read_line(stream, buffer).await?.is_empty() {}
    Ok(())
}

async fn read_line<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<String, ReadError> {
    loop {
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(end + 1);
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        if buffer.len() > MAX_HEAD {
            return Err(ReadError::Malformed("a line is too long"));
        }
        fill(stream, buffer).await?;
    }
}

async fn fill<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<(), ReadError> {
    buffer.reserve(16 << 10);
    if stream.read_buf(buffer).await? == 0 {
        Err(ReadError::Gone)
    } else {
        Ok(())
    }
}

/// The words beside a status.
pub(super) fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}

/// Writes the answer. With `cut`, the head promises the whole body and only that many bytes of it
/// follow.
pub(super) async fn write_reply<S: AsyncWrite + Unpin>(
    stream: &mut S,
    reply: &Reply,
    head_only: bool,
    keep_alive: bool,
    cut: Option<usize>,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        head.push_str(name);
        head.push_str(": ");
        // A value from a fault plan may hold anything; a line break in it would end the head.
        head.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
        head.push_str("\r\n");
    }
    if reply.status != 204 && reply.status != 304 {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    if !keep_alive {
        head.push_str("connection: close\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !head_only {
        let end = cut.unwrap_or(usize::MAX).min(reply.body.len());
        bytes.extend_from_slice(&reply.body[..end]);
    }
    stream.write_all(&bytes).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8], max_body: usize) -> Result<(Incoming, usize), ReadError> {
        let (mut near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(bytes).await.unwrap();
        drop(far);
        let mut buffer = BytesMut::new();
        let incoming = read_request(&mut near, &mut buffer, max_body, &|_| Ok(())).await?;
        Ok((incoming, buffer.len()))
    }

    #[tokio::test]
    async fn keeps_target_header_order_and_body() {
        let bytes = "PUT /a/%ed?x=&y#f/함 HTTP/1.1\r\nB: 1\r\na: 2\r\nB: 3\r\nContent-Length: 3\r\n\r\nabcGET";
        let (incoming, left) = read(bytes.as_bytes(), 10).await.unwrap();
        let request = incoming.request;
        assert_eq!(request.target, "/a/%ed?x=&y#f/함");
        let order: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{name}{value}"))
            .collect();
        assert_eq!(order, ["B1", "a2", "B3", "Content-Length3"]);
        assert_eq!(&request.body[..], b"abc");
        assert!(incoming.keep_alive && !request.too_large);
        assert_eq!(left, 3);
    }

    #[tokio::test]
    async fn reads_chunks() {
        let bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
        let (incoming, left) = read(bytes, 10).await.unwrap();
        assert_eq!(&incoming.request.body[..], b"abcde");
        assert!(!incoming.keep_alive);
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn a_long_body_is_read_and_dropped() {
        let (incoming, left) = read(b"POST / HTTP/1.1\r\ncontent-length: 6\r\n\r\nabcdefG", 5)
            .await
            .unwrap();
        assert!(incoming.request.too_large);
        assert!(incoming.request.body.is_empty());
        assert_eq!(left, 1);
    }

    #[tokio::test]
    async fn refuses_what_is_not_http() {
        for bytes in [
            "HELLO\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            "GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(
                matches!(
                    read(bytes.as_bytes(), 5).await,
                    Err(ReadError::Malformed(_))
                ),
                "{bytes}"
            );
        }
        assert!(matches!(read(b"GET / HT", 5).await, Err(ReadError::Gone)));
    }
}
