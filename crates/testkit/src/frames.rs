//! HTTP/2 frames written by hand (RFC 9113), to say what no client library would.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Frame types (RFC 9113 §6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flags.
pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// Reasons (§7).
pub const NO_ERROR: u32 = 0;
pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;
pub const HTTP_1_1_REQUIRED: u32 = 13;

/// Sent by a client before its first frame (§3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame, as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// One frame as it came.
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// Takes the first whole frame off `unused`.
pub fn take(unused: &mut Vec<u8>) -> Option<Frame> {
    const HEADER: usize = 9;
    let head = unused.first_chunk::<HEADER>()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let whole = HEADER + usize::try_from(length).unwrap();
    if unused.len() < whole {
        return None;
    }
    let rest = unused.split_off(whole);
    let mut frame = std::mem::replace(unused, rest);
    let payload = frame.split_off(HEADER);
    Some(Frame {
        kind: frame[3],
        flags: frame[4],
        stream: u32::from_be_bytes([frame[5], frame[6], frame[7], frame[8]]) & 0x7fff_ffff,
        payload,
    })
}

/// Room for as many bytes again, on the connection and on the stream.
pub fn room(stream: u32, bytes: usize) -> Vec<u8> {
    let bytes = u32::try_from(bytes).unwrap().to_be_bytes();
    [0, stream]
        .map(|stream| frame(WINDOW_UPDATE, 0, stream, &bytes))
        .concat()
}

pub fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &reason.to_be_bytes())
}

/// "Streams above `last` were not and will not be processed" (§6.8).
pub fn goodbye(last: u32, reason: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// No fields.
pub const NONE: &[(&str, &str)] = &[];

/// The head of an answer: `:status` (the name is entry 8 of the static table) and these fields, in
/// as many frames as it takes.
pub fn head(
    stream: u32,
    status: u16,
    fields: &[(impl AsRef<str>, impl AsRef<str>)],
    ends: bool,
) -> Vec<u8> {
    let mut bytes = vec![0x08];
    literal(&mut bytes, &status.to_string());
    bytes.extend(block(fields));
    let count = bytes.chunks(16_000).count();
    let frames = bytes.chunks(16_000).enumerate().map(|(at, part)| {
        let kind = if at == 0 { HEADERS } else { CONTINUATION };
        let last = if at + 1 == count { END_HEADERS } else { 0 };
        let end = if at == 0 && ends { END_STREAM } else { 0 };
        frame(kind, last | end, stream, part)
    });
    frames.collect::<Vec<_>>().concat()
}

pub fn data(stream: u32, bytes: &[u8], ends: bool) -> Vec<u8> {
    frame(DATA, if ends { END_STREAM } else { 0 }, stream, bytes)
}

/// A block of header fields, each a literal without indexing and without Huffman code (RFC 7541
/// §6.2.2). Names are in lower case on HTTP/2 (RFC 9113 §8.2.1).
pub fn block(fields: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        literal(&mut bytes, &name.as_ref().to_ascii_lowercase());
        literal(&mut bytes, value.as_ref());
    }
    bytes
}

/// A text after its length, an integer with a prefix of seven bits (RFC 7541 §5.1).
fn literal(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend(text.as_bytes());
}

/// The header fields of a call of Invoke.
pub fn invoke() -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/faas.v1.InvocationService/Invoke"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}

/// A connection that has not said anything yet.
pub async fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// A connection that has begun as HTTP/2 does.
pub async fn begin(address: &str) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// The next frame that the server sends: (type, flags, payload); none when it ends the connection.
pub async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

/// Reads to the connection's end: the types of the frames that came, and the error code of a
/// GOAWAY.
pub async fn to_end(stream: &mut TcpStream, patience: Duration) -> Option<(Vec<u8>, Option<u32>)> {
    let read = async {
        let (mut kinds, mut code) = (Vec::new(), None);
        while let Some((kind, _, payload)) = next(stream).await {
            kinds.push(kind);
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        (kinds, code)
    };
    timeout(patience, read).await.ok()
}
