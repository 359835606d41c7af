//! Text that JSON can spell and UTF-8 cannot hold: lone surrogates such as `\ud83d`, which
//! JavaScript writes for half a character, and bytes that are not UTF-8 inside a JSON string.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// The bytes that a JSON string stands for. They are UTF-8, unless the string holds other bytes,
/// which come as they are, or lone surrogates, which come as UTF-8 would encode them (WTF-8).
struct StringBytes<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for StringBytes<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = StringBytes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<StringBytes<'de>, E> {
                Ok(StringBytes(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<StringBytes<'de>, E> {
                Ok(StringBytes(Cow::Owned(bytes.to_owned())))
            }
        }
        json.deserialize_bytes(Bytes)
    }
}

/// The same of JSON that may hold bytes that are not UTF-8; `None` when it is no string.
#[must_use]
pub fn string_bytes(json: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !json.starts_with(b"\"") {
        return None;
    }
    serde_json::from_slice::<StringBytes<'_>>(json)
        .ok()
        .map(|text| text.0)
}

/// `text` with each lone surrogate spelt out, so that `"\ud83d"` becomes a text of six characters;
/// `None` when there is none.
#[must_use]
pub fn spelt_out(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..)?) {
        let escape = at + found;
        at = escape + 2;
        let Some(unit) = unit(bytes, escape) else {
            continue;
        };
        at = escape + 6;
        match unit {
            0xd800..=0xdbff if unit_is_low(bytes, at) => at += 6,
            0xd800..=0xdfff => {
                out.push_str(text.get(copied..escape)?);
                out.push('\\');
                copied = escape;
            }
            _ => {}
        }
    }
    (copied > 0 || !out.is_empty()).then(|| {
        out.push_str(text.get(copied..).unwrap_or_default());
        out
    })
}

fn unit_is_low(bytes: &[u8], at: usize) -> bool {
    unit(bytes, at).is_some_and(|unit| (0xdc00..=0xdfff).contains(&unit))
}

/// The unit of an escape `\uXXXX` that begins here.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_spelt_out_and_pairs_stay() {
        for (text, expected) in [
            (r#""a\ud83d""#, Some(r#""a\\ud83d""#)),
            (r#""\uDE00x""#, Some(r#""\\uDE00x""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\\ud83d\ud83d\ude00""#)),
            (r#"["\ud83d\u0041"]"#, Some(r#"["\\ud83d\u0041"]"#)),
            (r#""\ud83d\ude00""#, None),
            (r#""\\ud83d""#, None),
            (r#""\u00e9""#, None),
            (r#""\ud8"#, None),
            ("1", None),
        ] {
            assert_eq!(spelt_out(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_string_is_bytes_when_it_cannot_be_text() {
        let bytes = |json: &str| string_bytes(json.as_bytes()).map(Cow::into_owned);
        assert_eq!(bytes(r#""aé\n""#), Some("aé\n".as_bytes().to_vec()));
        assert_eq!(bytes(r#""a\ud83d""#), Some(b"a\xed\xa0\xbd".to_vec()));
        assert_eq!(bytes("1"), None);
        let broken: StringBytes<'_> = serde_json::from_slice(b"\"a\x98\"").unwrap();
        assert_eq!(broken.0.as_ref(), b"a\x98");
    }
}
