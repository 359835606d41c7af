//! Reads a cloud's JSON member by member: one odd member never makes an object unreadable, one odd
//! item never a list.
//!
//! A number may stand as text, a text as number or boolean, and `null` for everything; what is of
//! another kind, or out of its range, is as if it were absent. Each such member is counted
//! (`faas_sidecar_unreadable_members_total`) and named in the log at debug, by the name that this
//! code has for it. A document that is not of the documented kind as a whole is an error. The
//! clouds' documents are declared with [`object`].

use serde::de::IgnoredAny;
use tracing::debug;

use super::status::{Unreadable, json_fault};
use crate::telemetry::metrics::TargetMetrics;

mod kinds;
mod members;
mod notes;
mod place;
pub(super) mod times;

pub(super) use kinds::{
    Flag, JsonText, List, Loose, Millis, Minutes, Present, Seconds, Text, Words,
};
pub(super) use members::{Found, Scalar, scalar};
pub(super) use notes::Notes;
pub(super) use place::{NotJson, Place, Raw};
pub(super) use times::Clock;

/// What can stand as a member of an object or as an item of a list.
pub(super) trait Member<'a>: Sized {
    /// Reads what stands at `place` and moves behind it. `None` when nothing stands there, or
    /// nothing of this kind; the latter is noted.
    ///
    /// # Errors
    /// When the text is not JSON.
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson>;

    /// False for an item that says not even what it is: a list leaves it out and notes it.
    fn is_usable(&self) -> bool {
        true
    }
}

/// Reads a document of a cloud: all of it, or its member `under`. Counts and logs what cannot be
/// read.
///
/// # Errors
/// What is wrong, without a word of the document: it is not JSON, or not of the documented kind.
pub(super) fn read<'a, T: Member<'a>>(
    json: &'a [u8],
    under: Option<&'static str>,
    clock: Clock,
    metrics: &TargetMetrics,
) -> Result<T, Unreadable> {
    let mut notes = Notes::new(clock);
    let mut place = Place::new(json);
    let read = match under {
        None => T::read(&mut place, &mut notes),
        Some(name) => read_under(&mut place, name, &mut notes),
    };
    let found =
        read.and_then(|found| place.end().map(|()| found))
            .map_err(|NotJson| match notes.too_much() {
                true => Unreadable::TooManyItems,
                false => not_json(json).into(),
            })?;
    let found = found.ok_or_else(|| match under {
        None => "it is of another kind than documented".to_owned(),
        Some(name) => format!("its {name} is missing or of another kind than documented"),
    })?;
    report(&notes, metrics);
    Ok(found)
}

/// Reads what is welcome and not needed. What cannot be read is counted, the document itself as the
/// member `name`.
pub(super) fn welcome<'a, T: Member<'a>>(
    json: &'a [u8],
    name: &'static str,
    clock: Clock,
    metrics: &TargetMetrics,
) -> Option<T> {
    let (found, notes) = noted(json, name, clock);
    report(&notes, metrics);
    found
}

/// The same for one who has yet to see whether it is the document at all; what could not be read is
/// for [`report`].
pub(super) fn noted<'a, T: Member<'a>>(
    json: &'a [u8],
    name: &'static str,
    clock: Clock,
) -> (Option<T>, Notes) {
    let mut notes = Notes::new(clock);
    notes.enter(name);
    let mut place = Place::new(json);
    let found = T::read(&mut place, &mut notes).and_then(|found| place.end().map(|()| found));
    if found.is_err() {
        notes.enter(name);
        notes.unreadable_here();
    }
    (found.ok().flatten(), notes)
}

/// Reads what is welcome and not needed: nothing is counted, and what is no such document is none.
pub(super) fn quietly<'a, T: Member<'a>>(json: &'a [u8], clock: Clock) -> Option<T> {
    T::read(&mut Place::new(json), &mut Notes::new(clock)).ok()?
}

/// A time in a body, as JSON: whatever it is, protobuf takes what becomes of it.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_time(text: &str) {
    let numbers = [times::Numbers::Millis, times::Numbers::ByDigits];
    let quoted = serde_json::Value::from(text).to_string();
    for (numbers, json) in numbers.into_iter().flat_map(|n| [(n, text), (n, &*quoted)]) {
        let clock = Clock {
            numbers,
            ..Clock::UTC
        };
        if let Some(at) = quietly::<prost_types::Timestamp>(json.as_bytes(), clock) {
            assert!((0..1_000_000_000).contains(&at.nanos), "{at:?}");
            assert!(
                (-62_135_596_800..=253_402_300_799).contains(&at.seconds),
                "{at:?}"
            );
        }
        if let Some(Millis(took)) = quietly(json.as_bytes(), clock) {
            assert!((0..1_000_000_000).contains(&took.nanos), "{took:?}");
            assert!((0..=times::SECONDS_MAX).contains(&took.seconds), "{took:?}");
        }
    }
}

/// Counts and logs the members that could not be read.
pub(super) fn report(notes: &Notes, metrics: &TargetMetrics) {
    for (member, times) in notes.unreadable() {
        metrics.unreadable.add(member, *times);
        debug!(
            target_name = metrics.name,
            member,
            times,
            "a member of the cloud's answer cannot be read; the sidecar takes it as absent"
        );
    }
}

fn read_under<'a, T: Member<'a>>(
    place: &mut Place<'a>,
    name: &'static str,
    notes: &mut Notes,
) -> Result<Option<T>, NotJson> {
    let mut found = None;
    place.object(notes, |key, place, notes| {
        if key == name {
            notes.enter(name);
            found = T::read(place, notes)?;
            Ok(())
        } else {
            place.skip().map(drop)
        }
    })?;
    Ok(found)
}

/// Where a text stops being JSON.
fn not_json(json: &[u8]) -> String {
    match serde_json::from_slice::<IgnoredAny>(json) {
        Err(fault) => json_fault(&fault),
        Ok(_) => "it is not JSON".to_owned(),
    }
}

/// Declares objects of a cloud's answers. A member has the field's name, or those that stand behind
/// `=`; of several in one answer the last counts. `identity: a | b` names the fields of which an
/// item of a list must have one; `inside: "name"` names a member whose own members count as the
/// object's.
macro_rules! object {
    (@name $key:ident, $field:ident) => {
        ($key == stringify!($field)).then_some(stringify!($field))
    };
    (@name $key:ident, $field:ident = $first:literal $(| $more:literal)*) => {
        ($key == $first $(|| $key == $more)*).then_some($first)
    };
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(<$life:lifetime>)?
            $(, identity: $($identity:ident)|+)? $(, inside: $inside:literal)?
        {
            $(
                $(#[$field_meta:meta])*
                $field_vis:vis $field:ident: $type:ty $(= $($wire:literal)|+)?,
            )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name $(<$life>)? {
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Reads the member `key`; an unknown one is skipped.
            fn member<'document $(: $life)?>(
                &mut self,
                key: &str,
                place: &mut $crate::provider::lenient::Place<'document>,
                notes: &mut $crate::provider::lenient::Notes,
            ) -> Result<(), $crate::provider::lenient::NotJson> {
                $(
                    if let Some(name) = $crate::provider::lenient::object!(@name key, $field $(= $($wire)|+)?) {
                        notes.enter(name);
                        if let Some(value) = $crate::provider::lenient::Member::read(place, notes)? {
                            self.$field = value;
                        }
                        return Ok(());
                    }
                )*
                place.skip().map(drop)
            }
        }

        impl<$($life,)? 'document $(: $life)?> $crate::provider::lenient::Member<'document> for $name $(<$life>)? {
            fn read(
                place: &mut $crate::provider::lenient::Place<'document>,
                notes: &mut $crate::provider::lenient::Notes,
            ) -> Result<Option<Self>, $crate::provider::lenient::NotJson> {
                let mut object = Self::default();
                let is_object = place.object(notes, |key, place, notes| {
                    $(
                        if key == $inside && place.next() == Some(b'{') {
                            place.object(notes, |key, place, notes| object.member(key, place, notes))?;
                            return Ok(());
                        }
                    )?
                    object.member(key, place, notes)
                })?;
                Ok(is_object.then_some(object))
            }

            $(
                fn is_usable(&self) -> bool {
                    false $(|| $crate::provider::lenient::Names::names_something(&self.$identity))+
                }
            )?
        }
    )*};
}

pub(super) use object;

/// A field that can say what an object is.
pub(super) trait Names {
    /// True when it does.
    fn names_something(&self) -> bool;
}

#[cfg(test)]
mod tests;
