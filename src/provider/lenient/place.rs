//! A place in a JSON text: values are taken one after the other, and each byte is looked at once.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde_json::value::RawValue;

use super::Notes;

/// The longest text and word that are read without the JSON library, in bytes.
const PLAIN_MAX: usize = 64;

/// What is left of a JSON text.
#[derive(Debug)]
pub(in crate::provider) struct Place<'a> {
    rest: &'a [u8],
}

/// The text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) struct NotJson;

/// One JSON value as it stands there.
#[derive(Clone, Copy, Debug)]
pub(in crate::provider) enum Raw<'a> {
    /// As text.
    Text(&'a RawValue),
    /// JSON in form, but its bytes are not UTF-8.
    Bytes(&'a [u8]),
}

impl<'a> Place<'a> {
    /// The beginning of `json`.
    pub(in crate::provider) fn new(json: &'a [u8]) -> Self {
        Self { rest: json }
    }

    /// The first byte of what comes next.
    pub(in crate::provider) fn next(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    /// Takes the value that stands here, whatever it is.
    pub(in crate::provider) fn skip(&mut self) -> Result<&'a [u8], NotJson> {
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
        let Some(Ok(IgnoredAny)) = values.next() else {
            return Err(NotJson);
        };
        let (value, rest) = self
            .rest
            .split_at_checked(values.byte_offset())
            .ok_or(NotJson)?;
        self.rest = rest;
        Ok(value)
    }

    /// Takes the value that stands here.
    pub(in crate::provider) fn value(&mut self) -> Result<Raw<'a>, NotJson> {
        let mut texts = serde_json::Deserializer::from_slice(self.rest).into_iter::<&'a RawValue>();
        if let Some(Ok(raw)) = texts.next() {
            self.rest = self.rest.get(texts.byte_offset()..).ok_or(NotJson)?;
            return Ok(Raw::Text(raw));
        }
        self.skip().map(Raw::Bytes)
    }

    /// Takes a text that is short, plain ASCII and free of escapes, as nearly all keys and many
    /// values are; none where something else stands.
    pub(super) fn plain_text(&mut self) -> Option<&'a str> {
        if self.next() != Some(b'"') {
            return None;
        }
        let inner = self.rest.get(1..)?;
        let is_special = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\' | 0x80..);
        let end = inner.iter().take(PLAIN_MAX).position(is_special)?;
        let (text, behind) = inner.split_at_checked(end)?;
        let rest = behind.strip_prefix(b"\"")?;
        self.rest = rest;
        str::from_utf8(text).ok()
    }

    /// Takes a whole number or a boolean; none where something else stands.
    pub(super) fn plain_word(&mut self) -> Option<&'a str> {
        self.next()?;
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        let end = self.rest.iter().take(PLAIN_MAX).position(is_end)?;
        let (word, rest) = self.rest.split_at_checked(end)?;
        let digits = word.strip_prefix(b"-").unwrap_or(word);
        let is_number = match digits {
            [b'0'] => true,
            [b'1'..=b'9', more @ ..] => more.iter().all(u8::is_ascii_digit),
            _ => matches!(word, b"true" | b"false"),
        };
        if !is_number {
            return None;
        }
        self.rest = rest;
        str::from_utf8(word).ok()
    }

    /// Takes an object and hands each of its members to `member`, which must take the value. False
    /// when none stands here: what does is taken, and noted unless it is null or an empty text.
    pub(in crate::provider) fn object(
        &mut self,
        notes: &mut Notes,
        mut member: impl FnMut(&str, &mut Self, &mut Notes) -> Result<(), NotJson>,
    ) -> Result<bool, NotJson> {
        if self.next() != Some(b'{') {
            self.other_kind(notes)?;
            return Ok(false);
        }
        self.take(b'{')?;
        if self.next() == Some(b'}') {
            return self.take(b'}').map(|()| true);
        }
        loop {
            let key = match self.plain_text() {
                Some(plain) => Cow::Borrowed(plain),
                None if self.next() == Some(b'"') => self.value()?.text().text,
                None => return Err(NotJson),
            };
            self.take(b':')?;
            member(&key, self, notes)?;
            if !self.more(b'}')? {
                return Ok(true);
            }
        }
    }

    /// Takes a list and lets `item` take each of its items. False as with [`Self::object`].
    pub(in crate::provider) fn list(
        &mut self,
        notes: &mut Notes,
        mut item: impl FnMut(&mut Self, &mut Notes) -> Result<(), NotJson>,
    ) -> Result<bool, NotJson> {
        if self.next() != Some(b'[') {
            self.other_kind(notes)?;
            return Ok(false);
        }
        self.take(b'[')?;
        if self.next() == Some(b']') {
            return self.take(b']').map(|()| true);
        }
        loop {
            item(self, notes)?;
            if !self.more(b']')? {
                return Ok(true);
            }
        }
    }

    /// True where null or an empty text stands, by which clouds write that there is none.
    pub(super) fn at_nothing(&mut self) -> bool {
        self.next();
        self.rest.starts_with(b"null") || self.rest.starts_with(b"\"\"")
    }

    /// Nothing but white space may be left.
    pub(in crate::provider) fn end(&mut self) -> Result<(), NotJson> {
        self.next().map_or(Ok(()), |_| Err(NotJson))
    }

    fn other_kind(&mut self, notes: &mut Notes) -> Result<(), NotJson> {
        if !self.value()?.is_nothing() {
            notes.unreadable_here();
        }
        Ok(())
    }

    fn take(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.next() != Some(byte) {
            return Err(NotJson);
        }
        self.rest = self.rest.get(1..).unwrap_or_default();
        Ok(())
    }

    /// A comma, or the end of what is open.
    fn more(&mut self, end: u8) -> Result<bool, NotJson> {
        let comma = self.next() == Some(b',');
        self.take(if comma { b',' } else { end })?;
        Ok(comma)
    }
}

/// A text of JSON.
pub(in crate::provider) struct Decoded<'a> {
    pub(in crate::provider) text: Cow<'a, str>,
    /// Every character is the upstream's: no byte and no half of a pair of surrogates was replaced.
    pub(in crate::provider) exact: bool,
}

impl<'a> Raw<'a> {
    /// How it is written.
    pub(in crate::provider) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(raw) => raw.get().as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// True for null and for an empty text, by which clouds write that there is none.
    pub(in crate::provider) fn is_nothing(self) -> bool {
        matches!(self.bytes(), b"null" | b"\"\"")
    }

    /// The text that it holds; of another kind of value, the value as it is written. U+FFFD stands
    /// for what is no character.
    pub(in crate::provider) fn text(self) -> Decoded<'a> {
        let exact = |text| Decoded { text, exact: true };
        if let Self::Text(raw) = self {
            let written = raw.get();
            let Some(inner) = written
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
            else {
                return exact(Cow::Borrowed(written));
            };
            if !inner.contains('\\') {
                return exact(Cow::Borrowed(inner));
            }
            if let Ok(text) = serde_json::from_str::<String>(written) {
                return exact(Cow::Owned(text));
            }
        }
        let characters = String::from_utf8_lossy(self.bytes());
        let bytes = serde_json::from_str::<Bytes>(&characters).unwrap_or_default();
        Decoded {
            text: Cow::Owned(String::from_utf8_lossy(&bytes.0).into_owned()),
            exact: false,
        }
    }
}

/// A JSON text as bytes: the parser lets halves of surrogate pairs through here, and here alone.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        json.deserialize_bytes(Text)
    }
}
