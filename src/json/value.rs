//! Our `google.protobuf.Value`: the wire bytes, kept as they came.
//!
//! `build.rs` maps the well-known type to this one. Decoding it costs a slice of the request
//! buffer; [`Value::to_json`] walks the bytes straight to JSON text, [`Value::from_json`] streams
//! JSON text straight to wire bytes. Field numbers: `google/protobuf/struct.proto` (null 1, number
//! 2, string 3, bool 4, struct 5, list 6).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

use super::write::Unwritable;
use super::{read, write};

/// One JSON value in protobuf wire form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value(pub(super) Kind);

/// Why a JSON text has no value.
#[derive(Debug)]
pub enum Unreadable {
    /// It is not JSON that a protobuf value can hold.
    Json(serde_json::Error),
    /// The value is larger than it may be.
    TooLarge,
}

/// The arm that is set. Nested messages and strings are unparsed wire bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Kind {
    #[default]
    Unset,
    Null,
    Number(f64),
    String(Bytes),
    Bool(bool),
    Struct(Bytes),
    List(Bytes),
}

impl Value {
    /// The JSON text of this value.
    ///
    /// # Errors
    /// Says where and why no JSON can stand for it: no arm set, NaN or infinity, broken UTF-8 or
    /// wire bytes, too deep.
    pub fn to_json(&self) -> Result<Bytes, Unwritable> {
        self.to_json_within(usize::MAX)
    }

    /// The same, of at most `limit` bytes: no more than that is built.
    ///
    /// # Errors
    /// As [`Value::to_json`], and when the text is longer.
    pub fn to_json_within(&self, limit: usize) -> Result<Bytes, Unwritable> {
        write::to_json(&self.0, limit)
    }

    /// How long its JSON text is; of what has none, how far it goes.
    pub(super) fn json_length(&self) -> usize {
        write::length(&self.0)
    }

    /// The value of a JSON text, and whether some number (or a repeated key) could not be held
    /// exactly.
    ///
    /// # Errors
    /// When the text is not JSON that a protobuf value can hold.
    pub fn from_json(text: &str) -> Result<(Self, bool), serde_json::Error> {
        read::from_json(text, usize::MAX).map_err(|unreadable| match unreadable {
            Unreadable::Json(fault) => fault,
            Unreadable::TooLarge => serde::de::Error::custom("too large"),
        })
    }

    /// The same, of at most about `limit` bytes: translation stops there.
    ///
    /// # Errors
    /// As [`Value::from_json`], and when the value is larger.
    pub fn from_json_within(text: &str, limit: usize) -> Result<(Self, bool), Unreadable> {
        read::from_json(text, limit)
    }
}

impl Message for Value {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        match &self.0 {
            Kind::Unset => {}
            Kind::Null => buf.put_slice(&[0x08, 0x00]),
            Kind::Number(number) => {
                buf.put_u8(0x11);
                buf.put_f64_le(*number);
            }
            Kind::Bool(bool) => buf.put_slice(&[0x20, u8::from(*bool)]),
            Kind::String(bytes) => put_bytes(3, bytes, buf),
            Kind::Struct(bytes) => put_bytes(5, bytes, buf),
            Kind::List(bytes) => put_bytes(6, bytes, buf),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match (tag, wire_type) {
            (1, WireType::Varint) => {
                encoding::decode_varint(buf)?;
                self.0 = Kind::Null;
            }
            (2, WireType::SixtyFourBit) => {
                let mut number = 0.0;
                encoding::double::merge(wire_type, &mut number, buf, ctx)?;
                self.0 = Kind::Number(number);
            }
            (4, WireType::Varint) => self.0 = Kind::Bool(encoding::decode_varint(buf)? != 0),
            (3, WireType::LengthDelimited) => self.0 = Kind::String(take_bytes(buf)?),
            (5, WireType::LengthDelimited) => {
                let bytes = take_bytes(buf)?;
                // A message field that comes twice is merged, and merging repeated fields is
                // concatenation.
                self.0 = match std::mem::take(&mut self.0) {
                    Kind::Struct(first) => Kind::Struct(joined(first, &bytes)),
                    _ => Kind::Struct(bytes),
                };
            }
            (6, WireType::LengthDelimited) => {
                let bytes = take_bytes(buf)?;
                self.0 = match std::mem::take(&mut self.0) {
                    Kind::List(first) => Kind::List(joined(first, &bytes)),
                    _ => Kind::List(bytes),
                };
            }
            _ => encoding::skip_field(wire_type, tag, buf, ctx)?,
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        match &self.0 {
            Kind::Unset => 0,
            Kind::Null | Kind::Bool(_) => 2,
            Kind::Number(_) => 9,
            Kind::String(bytes) | Kind::Struct(bytes) | Kind::List(bytes) => {
                1 + encoding::encoded_len_varint(bytes.len() as u64) + bytes.len()
            }
        }
    }

    fn clear(&mut self) {
        self.0 = Kind::Unset;
    }
}

/// Both in one, such that a message of a thousand pieces is copied as it grows, and not with each
/// of them.
fn joined(first: Bytes, more: &[u8]) -> Bytes {
    let mut whole = first
        .try_into_mut()
        .unwrap_or_else(|first| BytesMut::from(&*first));
    whole.extend_from_slice(more);
    whole.freeze()
}

fn put_bytes(tag: u32, bytes: &Bytes, buf: &mut impl BufMut) {
    encoding::encode_key(tag, WireType::LengthDelimited, buf);
    encoding::encode_varint(bytes.len() as u64, buf);
    buf.put_slice(bytes);
}

fn take_bytes(buf: &mut impl Buf) -> Result<Bytes, DecodeError> {
    let mut bytes = Bytes::new();
    // prost's bytes decoder checks the length against what is there before it takes anything.
    encoding::bytes::merge(
        WireType::LengthDelimited,
        &mut bytes,
        buf,
        DecodeContext::default(),
    )?;
    Ok(bytes)
}
