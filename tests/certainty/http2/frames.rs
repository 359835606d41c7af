//! Just enough HTTP/2 (RFC 9113) to read bodies and to answer as no library would: frames in, bytes
//! out. Header blocks are not decoded; whose request it is stands in the body.

/// Sent by a client before its first frame (§3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
pub const RST_STREAM: u8 = 0x3;
pub const SETTINGS: u8 = 0x4;
pub const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
/// A type that no document knows: to be passed over (§4.1).
const UNKNOWN: u8 = 0x42;

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Reasons (§7).
pub const NO_ERROR: u32 = 0x0;
pub const INTERNAL_ERROR: u32 = 0x2;
pub const REFUSED_STREAM: u32 = 0x7;
pub const CANCEL: u32 = 0x8;
pub const ENHANCE_YOUR_CALM: u32 = 0xb;

const HEADER: usize = 9;

/// One frame as it came.
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// Takes the first whole frame off `unused`.
pub fn take(unused: &mut Vec<u8>) -> Option<Frame> {
    let length = usize::try_from(u32::from_be_bytes([
        0,
        *unused.first()?,
        *unused.get(1)?,
        *unused.get(2)?,
    ]))
    .unwrap();
    if unused.len() < HEADER + length {
        return None;
    }
    let rest = unused.split_off(HEADER + length);
    let mut frame = std::mem::replace(unused, rest);
    let payload = frame.split_off(HEADER);
    Some(Frame {
        kind: frame[3],
        flags: frame[4],
        stream: u32::from_be_bytes([frame[5], frame[6], frame[7], frame[8]]) & 0x7fff_ffff,
        payload,
    })
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn settings(flags: u8) -> Vec<u8> {
    frame(SETTINGS, flags, 0, &[])
}

pub fn pong(payload: &[u8]) -> Vec<u8> {
    frame(PING, ACK, 0, payload)
}

/// Room for as many bytes again, on the connection and on the stream.
pub fn room(stream: u32, bytes: usize) -> Vec<u8> {
    let bytes = u32::try_from(bytes).unwrap().to_be_bytes();
    [
        frame(WINDOW_UPDATE, 0, 0, &bytes),
        frame(WINDOW_UPDATE, 0, stream, &bytes),
    ]
    .concat()
}

pub fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &reason.to_be_bytes())
}

/// "Streams above `last` were not and will not be processed" (§6.8).
pub fn goodbye(last: u32, reason: u32) -> Vec<u8> {
    frame(
        GOAWAY,
        0,
        0,
        &[last.to_be_bytes(), reason.to_be_bytes()].concat(),
    )
}

pub fn unknown() -> Vec<u8> {
    frame(UNKNOWN, 0xff, 0, b"what is this")
}

/// `:status` and these fields, spelt out (RFC 7541 §6.2.2: literals; the name of the first is entry
/// 8 of the static table).
pub fn head(stream: u32, status: u16, fields: &[(&str, String)], ends: bool) -> Vec<u8> {
    let mut block = vec![0x08];
    literal(&mut block, &status.to_string());
    for (name, value) in fields {
        block.push(0);
        // Names are in lower case on HTTP/2 (RFC 9113 §8.2.1).
        literal(&mut block, &name.to_ascii_lowercase());
        literal(&mut block, value);
    }
    let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
    frame(HEADERS, flags, stream, &block)
}

/// A text of less than 127 bytes, not compressed (RFC 7541 §5.2).
fn literal(block: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 127, "{text}");
    block.push(u8::try_from(text.len()).unwrap());
    block.extend(text.bytes());
}

pub fn data(stream: u32, bytes: &[u8], ends: bool) -> Vec<u8> {
    frame(DATA, if ends { END_STREAM } else { 0 }, stream, bytes)
}
