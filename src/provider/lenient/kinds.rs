//! Kinds of members that the clouds spell in ways of their own.

use std::borrow::Cow;

use prost_types::Duration;
use serde::ser::{Serialize, Serializer};

use super::members::{nearest, scalars};
use super::{Found, Member, Names, NotJson, Notes, Place, Raw, Scalar, scalar, times};

/// A finite number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::provider) struct Loose(pub(in crate::provider) Option<f64>);

/// A text that is not empty, or a number or a boolean as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::provider) struct Words(pub(in crate::provider) Option<String>);

/// A text that is not empty, and nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::provider) struct Text<'a>(pub(in crate::provider) Option<Cow<'a, str>>);

/// The list that an answer is about. Null is none, and so is an empty text; a member that is not
/// there, or is no list, is no answer.
#[derive(Debug, Default)]
pub(in crate::provider) enum List<T> {
    /// These.
    Items(Vec<T>),
    /// The member is not there.
    #[default]
    Absent,
    /// Something else stands there.
    OfAnotherKind,
}

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

impl<T> List<T> {
    /// The items. `counted` is how many there are, where the answer says so of a list that it
    /// leaves out.
    ///
    /// # Errors
    /// When the answer has no list: what is wrong.
    pub(in crate::provider) fn items(self, counted: Option<i64>) -> Result<Vec<T>, &'static str> {
        match self {
            Self::Items(items) => Ok(items),
            // INFERRED: a list of none may be left out where its count is there.
            Self::Absent if counted == Some(0) => Ok(Vec::new()),
            Self::Absent => Err("the list is missing"),
            Self::OfAnotherKind => Err("what should be a list is of another kind"),
        }
    }

    /// The one of the two that is there.
    pub(in crate::provider) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Items(none), found @ Self::Items(_)) if none.is_empty() => found,
            (found @ Self::Items(_), _) | (_, found @ Self::Items(_)) | (Self::Absent, found) => {
                found
            }
            (odd @ Self::OfAnotherKind, _) => odd,
        }
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

impl<'a, 'document: 'a> Member<'document> for Text<'a> {
    fn read(place: &mut Place<'document>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        scalar(place, notes, |scalar, _| match scalar {
            Scalar::Text(text) if text.is_empty() => Found::Nothing,
            Scalar::Text(text) => Found::Value(Self(Some(text))),
            Scalar::Number(_) | Scalar::Truth(_) => Found::Unreadable,
        })
    }
}

impl<'a, T: Member<'a>> Member<'a> for List<T> {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        if place.at_nothing() {
            return place.skip().map(|_| Some(Self::Items(Vec::new())));
        }
        // One text is no list of what an answer is about.
        if place.next() == Some(b'"') {
            place.skip()?;
            notes.unreadable_here();
            return Ok(Some(Self::OfAnotherKind));
        }
        let items = Vec::read(place, notes)?;
        Ok(Some(items.map_or(Self::OfAnotherKind, Self::Items)))
    }
}

impl Names for Words {
    fn names_something(&self) -> bool {
        self.0.is_some()
    }
}
