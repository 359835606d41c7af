//! Scalars of answers that clouds spell in more than one way: numbers as texts, texts as numbers.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A whole number that may be spelt as a string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Whole(pub(super) i64);

/// Text that may be spelt as a number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text(pub(super) String);

/// A number if it is one, in digits or as text; anything else is as if it were absent and spoils nothing around it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Loose(pub(super) Option<f64>);

/// Reads one scalar from either spelling.
pub(super) struct Scalar<T>(pub(super) fn(Token<'_>) -> Option<T>);

/// The two spellings.
pub(super) enum Token<'a> {
    Whole(i64),
    Text(&'a str),
}

impl Loose {
    /// The whole number nearest to it.
    #[expect(clippy::cast_possible_truncation, reason = "a fraction is dropped on purpose; casts saturate")]
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

    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond is dropped on purpose; casts saturate")]
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

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose(None))
    }

    #[expect(clippy::cast_precision_loss, reason = "figures of this size are no measurements")]
    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose(Some(number as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "figures of this size are no measurements")]
    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose(Some(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose(Some(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose(text.trim().parse().ok().filter(|number: &f64| number.is_finite())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Loose, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose(None))
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Any)
    }
}
