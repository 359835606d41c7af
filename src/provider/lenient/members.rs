//! How members of plain kinds are read: texts, numbers, booleans, times, lists and maps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost_types::Timestamp;
use serde::de::IgnoredAny;
use serde_json::Value as Tree;
use serde_json::value::RawValue;

use super::{Member, Names, NotJson, Notes, Place, Raw, times};

/// A value that is neither object, list nor null.
pub(in crate::provider) enum Scalar<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number as it is written.
    Number(&'a str),
    /// A boolean.
    Truth(bool),
}

/// What a value means to the member that it stands at.
#[derive(Debug, PartialEq)]
pub(in crate::provider) enum Found<T> {
    /// This.
    Value(T),
    /// That there is none.
    Nothing,
    /// Not anything of the member's kind, or out of its range.
    Unreadable,
}

/// Takes a scalar and reads it.
pub(in crate::provider) fn scalar<'a, T>(
    place: &mut Place<'a>,
    notes: &mut Notes,
    read: impl FnOnce(Scalar<'a>, &Notes) -> Found<T>,
) -> Result<Option<T>, NotJson> {
    let found = if let Some(text) = place.plain_text() {
        read(Scalar::Text(Cow::Borrowed(text)), notes)
    } else if let Some(word) = place.plain_word() {
        read(Scalar::of_word(word), notes)
    } else {
        let raw = place.value()?;
        match (raw, raw.bytes().first()) {
            (_, Some(b'n')) => Found::Nothing,
            (_, Some(b'"')) => {
                let decoded = raw.text();
                if !decoded.exact {
                    notes.unreadable_here();
                }
                read(Scalar::Text(decoded.text), notes)
            }
            (Raw::Text(raw), Some(b't' | b'f' | b'-' | b'0'..=b'9')) => {
                read(Scalar::of_word(raw.get()), notes)
            }
            _ => Found::Unreadable,
        }
    };
    Ok(match found {
        Found::Value(value) => Some(value),
        Found::Nothing => None,
        Found::Unreadable => {
            notes.unreadable_here();
            None
        }
    })
}

impl<T> Found<T> {
    /// Nothing that can be read where there is none.
    pub(in crate::provider) fn of(value: Option<T>) -> Self {
        value.map_or(Self::Unreadable, Self::Value)
    }

    /// What becomes of the value, if there is one.
    pub(in crate::provider) fn and_then<U>(self, next: impl FnOnce(T) -> Found<U>) -> Found<U> {
        match self {
            Self::Value(value) => next(value),
            Self::Nothing => Found::Nothing,
            Self::Unreadable => Found::Unreadable,
        }
    }
}

impl<'a> Scalar<'a> {
    /// A number or a boolean as it is written.
    fn of_word(word: &'a str) -> Self {
        match word {
            "true" => Self::Truth(true),
            "false" => Self::Truth(false),
            number => Self::Number(number),
        }
    }

    /// A finite number, in digits or as text; an empty text is none.
    pub(in crate::provider) fn number(&self) -> Found<f64> {
        self.digits().and_then(|digits| {
            Found::of(
                digits
                    .parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite()),
            )
        })
    }

    /// The whole number nearest to it.
    pub(in crate::provider) fn whole(&self) -> Found<i64> {
        self.digits().and_then(|digits| {
            let nearest = || digits.parse().ok().and_then(nearest);
            Found::of(digits.parse().ok().or_else(nearest))
        })
    }

    fn digits(&self) -> Found<&str> {
        match self {
            Self::Number(digits) => Found::Value(digits),
            Self::Text(text) => match text.trim() {
                "" => Found::Nothing,
                digits => Found::Value(digits),
            },
            Self::Truth(_) => Found::Unreadable,
        }
    }

    /// The text, or the number or boolean as it is written.
    pub(in crate::provider) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::Number(digits) => digits.to_owned(),
            Self::Truth(truth) => truth.to_string(),
        }
    }

    /// A boolean, also as text or as 1 and 0; an empty text is none.
    pub(in crate::provider) fn truth(&self) -> Found<bool> {
        let word = match self {
            Self::Truth(truth) => return Found::Value(*truth),
            Self::Number(digits) => digits,
            Self::Text(text) => text.trim(),
        };
        match word {
            "" => Found::Nothing,
            "1" => Found::Value(true),
            "0" => Found::Value(false),
            word if word.eq_ignore_ascii_case("true") => Found::Value(true),
            word if word.eq_ignore_ascii_case("false") => Found::Value(false),
            _ => Found::Unreadable,
        }
    }
}

/// The whole number nearest to `number`, where 64 bits hold it.
pub(super) fn nearest(number: f64) -> Option<i64> {
    /// 2^63, which is the first beyond.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let number = number.round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (-BEYOND..BEYOND).contains(&number).then_some(number as i64)
}

/// Members that are scalars.
macro_rules! scalars {
    ($($type:ty: |$scalar:ident, $notes:ident| $read:expr;)*) => {$(
        impl<'a> Member<'a> for $type {
            fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
                scalar(place, notes, |$scalar, $notes| $read)
            }
        }
    )*};
}

pub(super) use scalars;

scalars! {
    String: |scalar, _notes| Found::Value(scalar.into_text());
    bool: |scalar, _notes| scalar.truth();
    f64: |scalar, _notes| scalar.number();
    i64: |scalar, _notes| scalar.whole();
    i32: |scalar, _notes| scalar.whole().and_then(|number| Found::of(i32::try_from(number).ok()));
    Timestamp: |scalar, notes| times::moment(&scalar, notes.clock);
}

impl<'a, T: Member<'a>> Member<'a> for Option<T> {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        T::read(place, notes).map(|found| found.map(Some))
    }

    fn is_usable(&self) -> bool {
        self.as_ref().is_some_and(T::is_usable)
    }
}

/// A list. Where a table says Object, one item stands for itself; so does one text where texts are
/// due.
impl<'a, T: Member<'a>> Member<'a> for Vec<T> {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        // A document that is a list has no name.
        let list = match notes.member() {
            "" => "items",
            name => name,
        };
        let mut items = Self::new();
        let mut item = |place: &mut Place<'a>, notes: &mut Notes| -> Result<(), NotJson> {
            notes.enter(list);
            notes.item::<T>()?;
            let before = notes.count();
            let found = T::read(place, notes)?;
            notes.enter(list);
            match found {
                Some(found) if found.is_usable() => items.push(found),
                None if notes.count() > before => {}
                _ => notes.unreadable_here(),
            }
            Ok(())
        };
        match place.next() {
            Some(b'{') => item(place, notes)?,
            Some(b'"') if !place.at_nothing() => item(place, notes)?,
            _ => return Ok(place.list(notes, item)?.then_some(items)),
        }
        Ok((!items.is_empty()).then_some(items))
    }
}

/// An object whose members have names of the account's own.
impl<'a, T: Member<'a>> Member<'a> for BTreeMap<String, T> {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        let map = notes.member();
        let mut members = Self::new();
        let is_object = place.object(notes, |key, place, notes| {
            notes.enter(map);
            notes.item::<(String, T)>()?;
            let before = notes.count();
            let found = T::read(place, notes)?;
            notes.enter(map);
            match found {
                Some(value) => {
                    members.insert(key.to_owned(), value);
                }
                None if notes.count() > before => {}
                None => notes.unreadable_here(),
            }
            Ok(())
        })?;
        Ok(is_object.then_some(members))
    }
}

/// A value that others read; null is none.
impl<'a, 'document: 'a> Member<'document> for &'a RawValue {
    fn read(place: &mut Place<'document>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        Ok(match place.value()? {
            Raw::Text(raw) => Some(raw).filter(|raw| raw.get() != "null"),
            Raw::Bytes(_) => {
                notes.unreadable_here();
                None
            }
        })
    }
}

/// Any value as a tree.
impl<'a> Member<'a> for Tree {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        let tree: Option<Self> = serde_json::from_slice(place.value()?.bytes()).ok();
        if tree.is_none() {
            notes.unreadable_here();
        }
        Ok(tree.filter(|tree| !tree.is_null()))
    }
}

/// Any value, for one who asks only whether it is JSON.
impl<'a> Member<'a> for IgnoredAny {
    fn read(place: &mut Place<'a>, _notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        place.skip().map(|_| Some(Self))
    }
}

impl Names for String {
    fn names_something(&self) -> bool {
        !self.is_empty()
    }
}

impl Names for Option<String> {
    fn names_something(&self) -> bool {
        self.as_ref().is_some_and(Names::names_something)
    }
}
