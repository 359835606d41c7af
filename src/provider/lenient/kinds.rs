//! Kinds of members that the clouds spell in ways of their own.

use prost_types::Duration;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::members::{nearest, scalars};
use super::{Clock, Found, Member, Names, NotJson, Notes, Place, Raw, quietly, scalar, times};

/// A finite number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::provider) struct Loose(pub(in crate::provider) Option<f64>);

/// A text that is not empty, or a number or a boolean as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::provider) struct Words(pub(in crate::provider) Option<String>);

/// A boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::provider) struct Flag(pub(in crate::provider) Option<bool>);

/// A JSON document written as text, or the document itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::provider) struct JsonText(pub(in crate::provider) Option<String>);

/// A duration in milliseconds, 0 to 315,576,000,000 s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::provider) struct Millis(pub(in crate::provider) Duration);

/// A duration in whole seconds, 0 to 315,576,000,000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::provider) struct Seconds(pub(in crate::provider) i64);

/// A duration in whole minutes, in the range of [`Seconds`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::provider) struct Minutes(pub(in crate::provider) Seconds);

/// A value that is there, null included.
#[derive(Clone, Copy, Debug)]
pub(in crate::provider) struct Present<'a>(pub(in crate::provider) Raw<'a>);

impl Loose {
    /// The whole number nearest to it, where it has one of 64 bits.
    pub(in crate::provider) fn whole(self) -> Option<i64> {
        self.0.and_then(nearest)
    }
}

impl Seconds {
    fn checked(seconds: i64) -> Option<Self> {
        (0..=times::SECONDS_MAX)
            .contains(&seconds)
            .then_some(Self(seconds))
    }

    /// The same for protobuf.
    pub(in crate::provider) fn duration(self) -> Duration {
        Duration {
            seconds: self.0,
            nanos: 0,
        }
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.serialize_str(self.0.as_deref().unwrap_or_default())
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.serialize_i64(self.0)
    }
}

/// The same inside structures that the JSON library reads; nothing is counted there.
macro_rules! in_structures {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                let raw = <&RawValue>::deserialize(json)?;
                Ok(quietly(raw.get().as_bytes(), Clock::UTC).unwrap_or_default())
            }
        }
    )*};
}

in_structures!(Loose, Words, Flag);

scalars! {
    Loose: |scalar, _notes| scalar.number().and_then(|number| Found::Value(Self(Some(number))));
    Words: |scalar, _notes| match scalar.into_text() {
        text if text.is_empty() => Found::Nothing,
        text => Found::Value(Self(Some(text))),
    };
    Flag: |scalar, _notes| scalar.truth().and_then(|truth| Found::Value(Self(Some(truth))));
    Millis: |scalar, _notes| times::millis(&scalar).and_then(|span| Found::Value(Self(span)));
    Seconds: |scalar, _notes| scalar.whole().and_then(|whole| Found::of(Self::checked(whole)));
    Minutes: |scalar, _notes| scalar.whole().and_then(|whole| {
        Found::of(whole.checked_mul(60).and_then(Seconds::checked).map(Self))
    });
}

impl<'a> Member<'a> for JsonText {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        if place.next() != Some(b'{') {
            return Ok(Words::read(place, notes)?.map(|Words(text)| Self(text)));
        }
        let text = place.value()?.text();
        Ok(Some(Self(Some(text.text.into_owned()))))
    }
}

impl<'a, 'document: 'a> Member<'document> for Present<'a> {
    fn read(place: &mut Place<'document>, _: &mut Notes) -> Result<Option<Self>, NotJson> {
        place.value().map(|raw| Some(Self(raw)))
    }
}

impl Names for Words {
    fn names_something(&self) -> bool {
        self.0.is_some()
    }
}
