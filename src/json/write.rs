//! Protobuf wire bytes of a `Value` → JSON text, in one walk that ends where the text is too long.

use std::fmt;
use std::io::{self, Write};

use bytes::{Buf, Bytes};
use prost::encoding::{self, WireType};

use super::MAX_DEPTH;
use super::value::Kind;

/// Why a `Value` has no JSON, and where: `path` is a suffix such as `.items[3].price`.
#[derive(Debug)]
pub struct Unwritable {
    path: Vec<String>,
    why: &'static str,
}

impl Unwritable {
    fn new(why: &'static str) -> Self {
        Self {
            path: Vec::new(),
            why,
        }
    }

    fn under(mut self, step: impl FnOnce() -> String) -> Self {
        self.path.push(step());
        self
    }

    /// Where, below the value itself.
    #[must_use]
    pub fn path(&self) -> String {
        self.path.iter().rev().map(String::as_str).collect()
    }

    /// True when no more than the limit was built of it.
    pub(super) fn is_too_long(&self) -> bool {
        self.why == TOO_LONG
    }

    /// The rule that is broken.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.why
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path(), self.why)
    }
}

impl std::error::Error for Unwritable {}

const BROKEN: &str = "holds broken protobuf bytes.";
const UTF8: &str = "holds text that is not UTF-8.";
const UNSET: &str = "has no kind set; use null_value for JSON null.";
const NOT_FINITE: &str = "is NaN or infinite, which JSON cannot express.";
const TOO_DEEP: &str = "is nested deeper than 100 levels.";
const TOO_LONG: &str = "is too long as JSON.";

/// The text so far, of at most `limit` bytes.
struct Out {
    /// None where its length alone is asked for.
    text: Option<Vec<u8>>,
    length: usize,
    limit: usize,
}

impl Out {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Unwritable> {
        if bytes.len() > self.limit - self.length {
            return Err(Unwritable::new(TOO_LONG));
        }
        self.add(bytes);
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if let Some(text) = &mut self.text {
            text.extend_from_slice(bytes);
        }
    }

    /// Why `serde_json` could not write on.
    fn stopped(&self, otherwise: &'static str) -> Unwritable {
        Unwritable::new(if self.length == self.limit {
            TOO_LONG
        } else {
            otherwise
        })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // As much as fits: a text of exactly the limit tells that more was to come.
        let length = bytes.len().min(self.limit - self.length);
        self.add(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The arm as its parts borrowed from the wire.
enum Part<'a> {
    Unset,
    Null,
    Number(f64),
    String(&'a [u8]),
    Bool(bool),
    Struct(&'a [u8]),
    List(&'a [u8]),
}

pub(super) fn to_json(kind: &Kind, limit: usize) -> Result<Bytes, Unwritable> {
    let (part, mut hint) = part(kind);
    // A large text is not copied while it grows.
    if hint > super::SMALL {
        hint = length(kind);
    }
    let mut out = Out {
        text: Some(Vec::with_capacity(hint.min(limit) + 16)),
        length: 0,
        limit,
    };
    value(&part, &mut out, 0)?;
    Ok(out.text.unwrap_or_default().into())
}

/// The length of the text, or how far it goes.
pub(super) fn length(kind: &Kind) -> usize {
    let mut out = Out {
        text: None,
        length: 0,
        limit: usize::MAX,
    };
    // Whoever writes it says what is wrong.
    let _ = value(&part(kind).0, &mut out, 0);
    out.length
}

/// As its parts are, and about how long its text is.
fn part(kind: &Kind) -> (Part<'_>, usize) {
    match kind {
        Kind::Unset => (Part::Unset, 0),
        Kind::Null => (Part::Null, 4),
        Kind::Number(number) => (Part::Number(*number), 24),
        Kind::Bool(bool) => (Part::Bool(*bool), 5),
        Kind::String(bytes) => (Part::String(bytes), bytes.len() + 2),
        Kind::Struct(bytes) => (Part::Struct(bytes), bytes.len()),
        Kind::List(bytes) => (Part::List(bytes), bytes.len()),
    }
}

fn value(part: &Part<'_>, out: &mut Out, depth: usize) -> Result<(), Unwritable> {
    if depth > MAX_DEPTH {
        return Err(Unwritable::new(TOO_DEEP));
    }
    match part {
        Part::Unset => return Err(Unwritable::new(UNSET)),
        Part::Null => out.put(b"null")?,
        Part::Bool(true) => out.put(b"true")?,
        Part::Bool(false) => out.put(b"false")?,
        Part::Number(number) => write_number(*number, out)?,
        Part::String(bytes) => string(bytes, out)?,
        Part::Struct(bytes) => object(bytes, out, depth)?,
        Part::List(bytes) => list(bytes, out, depth)?,
    }
    Ok(())
}

fn object(mut bytes: &[u8], out: &mut Out, depth: usize) -> Result<(), Unwritable> {
    out.put(b"{")?;
    let mut first = true;
    while let Some((tag, wire_type)) = next_key(&mut bytes)? {
        if (tag, wire_type) != (1, WireType::LengthDelimited) {
            skip(tag, wire_type, &mut bytes)?;
            continue;
        }
        if !std::mem::take(&mut first) {
            out.put(b",")?;
        }
        let (key, part) = entry(take(&mut bytes)?)?;
        string(key, out)?;
        out.put(b":")?;
        value(&part, out, depth + 1)
            .map_err(|fault| fault.under(|| format!(".{}", String::from_utf8_lossy(key))))?;
    }
    out.put(b"}")?;
    Ok(())
}

/// One entry of `map<string, Value>`: key 1, value 2; absent ones have their default.
fn entry(mut bytes: &[u8]) -> Result<(&[u8], Part<'_>), Unwritable> {
    let (mut key, mut part) = (&b""[..], Part::Unset);
    while let Some((tag, wire_type)) = next_key(&mut bytes)? {
        match (tag, wire_type) {
            (1, WireType::LengthDelimited) => key = take(&mut bytes)?,
            (2, WireType::LengthDelimited) => part = read_part(take(&mut bytes)?)?,
            _ => skip(tag, wire_type, &mut bytes)?,
        }
    }
    Ok((key, part))
}

fn list(mut bytes: &[u8], out: &mut Out, depth: usize) -> Result<(), Unwritable> {
    out.put(b"[")?;
    let mut index = 0_usize;
    while let Some((tag, wire_type)) = next_key(&mut bytes)? {
        if (tag, wire_type) != (1, WireType::LengthDelimited) {
            skip(tag, wire_type, &mut bytes)?;
            continue;
        }
        if index > 0 {
            out.put(b",")?;
        }
        let part = read_part(take(&mut bytes)?)?;
        value(&part, out, depth + 1).map_err(|fault| fault.under(|| format!("[{index}]")))?;
        index += 1;
    }
    out.put(b"]")?;
    Ok(())
}

/// The last arm on the wire wins, as the protobuf rule for `oneof` says.
fn read_part(mut bytes: &[u8]) -> Result<Part<'_>, Unwritable> {
    let mut part = Part::Unset;
    while let Some((tag, wire_type)) = next_key(&mut bytes)? {
        part = match (tag, wire_type) {
            (1, WireType::Varint) => {
                varint(&mut bytes)?;
                Part::Null
            }
            (2, WireType::SixtyFourBit) if bytes.len() >= 8 => Part::Number(bytes.get_f64_le()),
            (3, WireType::LengthDelimited) => Part::String(take(&mut bytes)?),
            (4, WireType::Varint) => Part::Bool(varint(&mut bytes)? != 0),
            (5, WireType::LengthDelimited) => Part::Struct(take(&mut bytes)?),
            (6, WireType::LengthDelimited) => Part::List(take(&mut bytes)?),
            _ => {
                skip(tag, wire_type, &mut bytes)?;
                part
            }
        };
    }
    Ok(part)
}

fn string(bytes: &[u8], out: &mut Out) -> Result<(), Unwritable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unwritable::new(UTF8))?;
    serde_json::to_writer(&mut *out, text).map_err(|_| out.stopped(UTF8))
}

/// Integral numbers go without `.0`; others in the shortest form that reads back as the same
/// number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the branch holds integral values within i64 only"
)]
fn write_number(number: f64, out: &mut Out) -> Result<(), Unwritable> {
    if !number.is_finite() {
        return Err(Unwritable::new(NOT_FINITE));
    }
    let whole = number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0;
    let written = if whole && !(number == 0.0 && number.is_sign_negative()) {
        serde_json::to_writer(&mut *out, &(number as i64)).map_err(io::Error::from)
    } else if whole {
        out.write_all(b"-0")
    } else {
        serde_json::to_writer(&mut *out, &number).map_err(io::Error::from)
    };
    written.map_err(|_| out.stopped(NOT_FINITE))
}

fn next_key(bytes: &mut &[u8]) -> Result<Option<(u32, WireType)>, Unwritable> {
    if bytes.is_empty() {
        return Ok(None);
    }
    encoding::decode_key(bytes)
        .map(Some)
        .map_err(|_| Unwritable::new(BROKEN))
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Unwritable> {
    encoding::decode_varint(bytes).map_err(|_| Unwritable::new(BROKEN))
}

fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Unwritable> {
    let len = usize::try_from(varint(bytes)?).map_err(|_| Unwritable::new(BROKEN))?;
    let (head, tail) = bytes
        .split_at_checked(len)
        .ok_or_else(|| Unwritable::new(BROKEN))?;
    *bytes = tail;
    Ok(head)
}

fn skip(tag: u32, wire_type: WireType, bytes: &mut &[u8]) -> Result<(), Unwritable> {
    encoding::skip_field(wire_type, tag, bytes, encoding::DecodeContext::default())
        .map_err(|_| Unwritable::new(BROKEN))
}
