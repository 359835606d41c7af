//! JSON text → protobuf wire bytes of a `Value`, streamed by serde; no tree. A short text can make
//! a large value (`1,` becomes eleven bytes), so that translation stops at a limit.

use std::fmt;

use bytes::Bytes;
use prost::encoding::{encode_varint, encoded_len_varint};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::value::{Kind, Unreadable};
use super::{MAX_DEPTH, Value, exact, surrogate};

/// What the stream met that a `Value` may not hold exactly.
struct Notes {
    /// Bytes that the value may have.
    limit: usize,
    too_large: bool,
    /// A number that is not a small integer: its spelling must be looked at.
    suspicious_number: bool,
    repeated_key: bool,
}

/// Writes one value's message body to `out`.
struct Body<'a> {
    out: &'a mut Vec<u8>,
    notes: &'a mut Notes,
    depth: usize,
}

pub(super) fn from_json(text: &str, limit: usize) -> Result<(Value, bool), Unreadable> {
    match stream(text, limit) {
        // Well-formed JSON that serde_json refuses here has a lone surrogate, which is spelt out,
        // or a number past f64's range, which becomes its nearest.
        Err(Unreadable::Json(fault)) => {
            let spelt = surrogate::spelt_out(text);
            match exact::clamp(spelt.as_deref().unwrap_or(text)).or(spelt) {
                Some(held) => stream(&held, limit).map(|(value, _)| (value, true)),
                None => Err(Unreadable::Json(fault)),
            }
        }
        done => done,
    }
}

fn stream(text: &str, limit: usize) -> Result<(Value, bool), Unreadable> {
    let mut out = Vec::with_capacity((text.len() + text.len() / 4).min(limit) + 16);
    let mut notes = Notes {
        limit,
        too_large: false,
        suspicious_number: false,
        repeated_key: false,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let body = Body {
        out: &mut out,
        notes: &mut notes,
        depth: 0,
    };
    match body.deserialize(&mut json).and_then(|()| json.end()) {
        _ if notes.too_large || out.len() > limit => return Err(Unreadable::TooLarge),
        Err(fault) => return Err(Unreadable::Json(fault)),
        Ok(()) => {}
    }
    let inexact =
        notes.repeated_key || (notes.suspicious_number && !exact::all_numbers_exact(text));
    Ok((Value(kind(out)), inexact))
}

/// The body just written, taken apart at its first byte.
fn kind(body: Vec<u8>) -> Kind {
    let body = Bytes::from(body);
    let payload = |body: &Bytes| {
        let mut rest = body.get(1..).unwrap_or_default();
        let len = prost::encoding::decode_varint(&mut rest).unwrap_or(0);
        body.slice(1 + encoded_len_varint(len)..)
    };
    match body.first() {
        Some(0x11) => Kind::Number(
            body.get(1..9)
                .and_then(|b| b.try_into().ok())
                .map_or(0.0, f64::from_le_bytes),
        ),
        Some(0x1a) => Kind::String(payload(&body)),
        Some(0x20) => Kind::Bool(body.get(1) == Some(&1)),
        Some(0x2a) => Kind::Struct(payload(&body)),
        Some(0x32) => Kind::List(payload(&body)),
        _ => Kind::Null,
    }
}

impl Body<'_> {
    fn number(&mut self, number: f64) {
        self.out.push(0x11);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.out.push(0x1a);
        encode_varint(text.len() as u64, self.out);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Looked at with each item, so that no more than one is built in vain.
    fn check_size<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.out.len() > self.notes.limit {
            self.notes.too_large = true;
            return Err(E::custom("the value is too large"));
        }
        Ok(())
    }

    fn nested(&mut self) -> Body<'_> {
        Body {
            out: &mut *self.out,
            notes: &mut *self.notes,
            depth: self.depth + 1,
        }
    }
}

/// Reserves one byte for a length; [`close`] writes it, moving the content up when it takes more.
fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

fn close(out: &mut Vec<u8>, start: usize) {
    let len = out.len() - start;
    let extra = encoded_len_varint(len as u64) - 1;
    out.resize(out.len() + extra, 0);
    out.copy_within(start..start + len, start + extra);
    if let Some(mut place) = out.get_mut(start - 1..start + extra) {
        encode_varint(len as u64, &mut place);
    }
}

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.extend_from_slice(&[0x08, 0x00]);
        Ok(())
    }

    fn visit_bool<E>(self, bool: bool) -> Result<(), E> {
        self.out.extend_from_slice(&[0x20, u8::from(bool)]);
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "precision loss is what `suspicious_number` reports"
    )]
    fn visit_u64<E>(mut self, number: u64) -> Result<(), E> {
        self.notes.suspicious_number |= number > 1 << 53;
        self.number(number as f64);
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "precision loss is what `suspicious_number` reports"
    )]
    fn visit_i64<E>(mut self, number: i64) -> Result<(), E> {
        self.notes.suspicious_number |= number.unsigned_abs() > 1 << 53;
        self.number(number as f64);
        Ok(())
    }

    fn visit_f64<E>(mut self, number: f64) -> Result<(), E> {
        self.notes.suspicious_number = true;
        self.number(number);
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.string(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        check_depth(self.depth)?;
        self.out.push(0x32);
        let list = open(self.out);
        loop {
            let before = self.out.len();
            self.out.push(0x0a);
            let item = open(self.out);
            if items.next_element_seed(self.nested())?.is_none() {
                self.out.truncate(before);
                break;
            }
            close(self.out, item);
            self.check_size()?;
        }
        close(self.out, list);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        check_depth(self.depth)?;
        self.out.push(0x2a);
        let object = open(self.out);
        let mut keys = Keys::default();
        loop {
            let before = self.out.len();
            self.out.push(0x0a);
            let entry = open(self.out);
            self.out.push(0x0a);
            let Some(key) = entries.next_key_seed(Key(self.out))? else {
                self.out.truncate(before);
                break;
            };
            keys.add(key);
            self.out.push(0x12);
            let value = open(self.out);
            entries.next_value_seed(self.nested())?;
            close(self.out, value);
            close(self.out, entry);
            self.check_size()?;
        }
        self.notes.repeated_key |= keys.repeated();
        close(self.out, object);
        Ok(())
    }
}

fn check_depth<E: serde::de::Error>(depth: usize) -> Result<(), E> {
    if depth >= MAX_DEPTH {
        Err(E::custom("nested deeper than 100 levels"))
    } else {
        Ok(())
    }
}

/// Writes a map key as a length-prefixed string and answers its hash.
struct Key<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<u64, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON key")
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        encode_varint(text.len() as u64, self.0);
        self.0.extend_from_slice(text.as_bytes());
        // FNV-1a: keys are few and short; a collision only makes `inexact` too careful.
        Ok(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }
}

/// Hashes of one object's keys, to see a repeated one.
#[derive(Default)]
struct Keys(Vec<u64>);

impl Keys {
    fn add(&mut self, hash: u64) {
        self.0.push(hash);
    }

    fn repeated(mut self) -> bool {
        self.0.sort_unstable();
        self.0.windows(2).any(|pair| pair[0] == pair[1])
    }
}
