//! Scalars of answers that clouds spell in more than one way: numbers as texts, texts as numbers.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

/// A whole number that may be spelt as a string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Whole(pub(super) i64);

/// Text that may be spelt as a number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text(pub(super) String);

/// A number if it is one, in digits or as text; anything else is as if it were absent and spoils nothing around it.
/// This and the two below are read from JSON text alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Loose(pub(super) Option<f64>);

/// A text if it is one that is not empty, or a number or a boolean as text; the same tolerance.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Words(pub(super) Option<String>);

/// A boolean if it is one, also as text; the same tolerance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flag(pub(super) Option<bool>);

/// Reads one scalar from either spelling.
pub(super) struct Scalar<T>(pub(super) fn(Token<'_>) -> Option<T>);

/// The two spellings.
pub(super) enum Token<'a> {
    Whole(i64),
    Text(&'a str),
}

impl Loose {
    /// The whole number nearest to it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction is dropped on purpose; casts saturate"
    )]
    pub(super) fn whole(self) -> Option<i64> {
        self.0.map(|number| number.round() as i64)
    }
}

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text that holds one")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_i64(i64::try_from(number).map_err(E::custom)?)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        (self.0)(Token::Whole(number)).ok_or_else(|| E::custom("number out of range"))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction of a millisecond is dropped on purpose; casts saturate"
    )]
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_i64(number.round() as i64)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(Token::Text(text)).ok_or_else(|| E::custom("text is not a number"))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Scalar(|token| match token {
            Token::Whole(number) => Some(Self(number)),
            Token::Text(text) => text.trim().parse().ok().map(Self),
        }))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Scalar(|token| match token {
            Token::Whole(number) => Some(Self(number.to_string())),
            Token::Text(text) => Some(Self(text.to_owned())),
        }))
    }
}

/// What stands there, as number or text; none for everything else.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok(),
        b'-' | b'0'..=b'9' | b't' | b'f' => Some(Cow::Borrowed(raw.get())),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = scalar(<&RawValue>::deserialize(json)?);
        Ok(Self(
            text.and_then(|text| text.trim().parse().ok())
                .filter(|number: &f64| number.is_finite()),
        ))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = scalar(<&RawValue>::deserialize(json)?);
        Ok(Self(text.map(Cow::into_owned).filter(|text| !text.is_empty())))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = scalar(<&RawValue>::deserialize(json)?);
        Ok(Self(match text.as_deref().map(str::trim) {
            Some("true" | "True" | "1") => Some(true),
            Some("false" | "False" | "0") => Some(false),
            _ => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_scalars_take_both_spellings_and_spoil_nothing() {
        let read = |text: &str| {
            let loose: Loose = serde_json::from_str(text).unwrap();
            let Words(words) = serde_json::from_str(text).unwrap();
            let Flag(flag) = serde_json::from_str(text).unwrap();
            (loose.whole(), words, flag)
        };
        assert_eq!(read("12"), (Some(12), Some("12".to_owned()), None));
        assert_eq!(read("\"12\""), (Some(12), Some("12".to_owned()), None));
        assert_eq!(read("1572016647.4").0, Some(1_572_016_647));
        assert_eq!(read("\"true\"").2, Some(true));
        assert_eq!(read("false").2, Some(false));
        for nothing in ["null", "{\"a\":[1]}", "[1]", "\"\""] {
            assert_eq!(read(nothing), (None, None, None), "{nothing}");
        }
    }
}
