//! YAML text → a tree whose every node knows its line. Nothing here knows a key.
//!
//! Numbers keep the text they were written as, so that `2.0` stays `2.0` and an identifier of
//! digits stays itself. Duplicate keys, unknown tags and expansion bombs are refused by the parser.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Options, Spanned};

use super::fault::{Faults, Place};

/// The largest file that is read.
const MAX_BYTES: usize = 1 << 20;

/// A value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) value: Value,
    /// Where it stands.
    pub(crate) place: Place,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `~`, or nothing after the colon: the key counts as absent.
    Null,
    /// One value, as text, with the kind that YAML gave it.
    Scalar(String, Scalar),
    /// `- a`
    List(Vec<Node>),
    /// `key: value`; the place is the key's own.
    Map(Vec<(String, Place, Node)>),
}

/// What YAML took a scalar for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// `true`, `false`
    Bool,
    /// A number.
    Number,
    /// Anything else, or quoted.
    Text,
    /// Not from a file: flags and variables have no types, the key decides.
    Untyped,
}

impl Node {
    /// A value given by a flag or a variable.
    pub(crate) fn untyped(text: &str, place: Place) -> Self {
        Self {
            value: Value::Scalar(text.to_owned(), Scalar::Untyped),
            place,
        }
    }
}

/// Reads one YAML document. An empty one is an empty map.
pub(crate) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > MAX_BYTES {
        faults.push(
            "",
            Place::Nowhere,
            "is larger than 1 MiB; a configuration is far smaller, check the path",
        );
        return None;
    }
    match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(text, options()) {
        Ok(Some(raw)) => Some(raw.value.place(text, &raw.defined)),
        Ok(None) => Some(Node {
            value: Value::Map(Vec::new()),
            place: Place::Nowhere,
        }),
        Err(error) => {
            let place = error
                .location()
                .map_or(Place::Nowhere, |at| Place::Line(at.line()));
            // The plain message: a snippet could repeat a line that holds a secret.
            let message = error.without_snippet().to_string();
            // The place is told beside the message.
            let message = message.lines().next().unwrap_or_default();
            let message = message
                .split(" at line ")
                .next()
                .unwrap_or(message)
                .trim_end_matches('.');
            faults.push("", place, format!("is not the YAML expected: {message}"));
            None
        }
    }
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_events: 100_000,
        max_aliases: 200,
        max_depth: 16,
        max_documents: 1,
        max_nodes: 50_000,
        max_merge_keys: 200
    };
    serde_saphyr::options! {
        budget: budget,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false
    }
}

/// What the parser hands over, before line numbers and number texts are looked up in the source.
#[derive(Debug)]
enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl Raw {
    fn place(self, source: &str, at: &Location) -> Node {
        let value = match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Scalar(value.to_string(), Scalar::Bool),
            Self::Number(text) => Value::Scalar(
                spelling(source, at).map_or(text, str::to_owned),
                Scalar::Number,
            ),
            Self::Text(text) => Value::Scalar(text, Scalar::Text),
            Self::List(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| item.value.place(source, &item.defined))
                    .collect(),
            ),
            Self::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let at = line(&key.defined);
                        (key.value, at, value.value.place(source, &value.defined))
                    })
                    .collect(),
            ),
        };
        Node {
            value,
            place: line(at),
        }
    }
}

fn line(at: &Location) -> Place {
    if at.line() == 0 {
        Place::Nowhere
    } else {
        Place::Line(at.line())
    }
}

/// The number as the file spells it.
fn spelling<'s>(source: &'s str, at: &Location) -> Option<&'s str> {
    let span = at.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let len = usize::try_from(span.byte_len()?).ok()?;
    let text = source.get(start..start.checked_add(len)?)?.trim();
    (!text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)))
    .then_some(text)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a list or a map")
            }
            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Raw, D::Error> {
                Raw::deserialize(inner)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Number(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Raw, E> {
                Ok(Raw::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}

#[cfg(test)]
mod tests;
