//! The types that settings have: how each is read, and how it is shown so that it reads back.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use url::Url;

use super::key::{Key, Kind};
use super::kind::{AllowRule, Setting};
use super::listen::Listen;
use super::reader::Reader;
use super::units::{format_duration, format_size};

/// A struct of settings, or an enum of such structs.
pub trait Section: Sized {
    /// Adds its rows, in the order of the documentation.
    fn keys(found: &mut Vec<Key>);

    /// Reads it; `None` = something required is missing or wrong, and a fault says so.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;
}

/// A section that can stand beside other keys.
pub trait Entries {
    /// Writes its entries with every default filled in.
    ///
    /// # Errors
    /// The map's own.
    fn show<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

/// A section as a map of its own.
#[derive(Debug)]
pub struct Shown<'s, T>(pub &'s T);

impl<T: Entries> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        self.0.show(&mut map)?;
        map.end()
    }
}

/// As text, or as nothing.
///
/// # Errors
/// The serializer's own.
pub fn serialize_url<S: Serializer>(url: &Option<Url>, out: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(Url::as_str).serialize(out)
}

/// The value of one key.
pub trait SettingValue: Sized {
    /// Without the `Option` around it.
    type Inner;

    /// What an absent key without a default means; `None` = nothing.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }

    /// The value in a setting; `None` = it has another type.
    fn of(setting: Setting) -> Option<Self>;

    /// As the file has it.
    fn shown(&self, kind: Kind) -> Value;
}

/// An enum whose variants have words in the configuration.
pub trait Word: Copy + 'static {
    /// All words.
    const WORDS: &'static [&'static str];

    /// This variant's word.
    fn word(self) -> &'static str;

    /// The variant of a word.
    fn of_word(word: &str) -> Option<Self>;
}

impl<W: Word> SettingValue for W {
    type Inner = W;

    fn of(setting: Setting) -> Option<Self> {
        match setting {
            Setting::Text(word) => W::of_word(&word),
            _ => None,
        }
    }

    fn shown(&self, _kind: Kind) -> Value {
        self.word().into()
    }
}

impl<T: SettingValue> SettingValue for Option<T> {
    type Inner = T;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn of(setting: Setting) -> Option<Self> {
        match setting {
            Setting::Admin(None) => Some(None),
            setting => T::of(setting).map(Some),
        }
    }

    fn shown(&self, kind: Kind) -> Value {
        match (self, kind) {
            (Some(value), kind) => value.shown(kind),
            (None, Kind::Admin | Kind::Address) => "off".into(),
            (None, _) => Value::Null,
        }
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl SettingValue for $type {
            type Inner = $type;

            fn of(setting: Setting) -> Option<Self> {
                match setting {
                    Setting::Integer(number) => number.try_into().ok(),
                    // A file's mode is a text: its octal digits would be another number.
                    Setting::Text(digits) => Self::from_str_radix(&digits, 8).ok(),
                    _ => None,
                }
            }

            fn shown(&self, kind: Kind) -> Value {
                match kind {
                    Kind::Text(_) => format!("{self:04o}").into(),
                    Kind::Size(..) => format_size(u64::try_from(*self).unwrap_or(u64::MAX)).into(),
                    _ => (*self).into(),
                }
            }
        }
    )+};
}

integers!(u32, u64, usize, i64);

macro_rules! plain {
    ($($type:ty = $variant:pat => $value:expr, $shown:expr;)+) => {$(
        impl SettingValue for $type {
            type Inner = $type;

            fn of(setting: Setting) -> Option<Self> {
                match setting {
                    $variant => Some($value),
                    _ => None,
                }
            }

            fn shown(&self, _kind: Kind) -> Value {
                #[allow(clippy::redundant_closure_call, reason = "one line a type")]
                ($shown)(self)
            }
        }
    )+};
}

plain! {
    bool = Setting::Bool(value) => value, |value: &bool| (*value).into();
    f64 = Setting::Number(value) => value, |value: &f64| (*value).into();
    String = Setting::Text(value) => value, |value: &String| value.clone().into();
    Duration = Setting::Duration(value) => value, |value: &Duration| format_duration(*value).into();
    Url = Setting::Url(value) => value, |value: &Url| value.as_str().into();
    PathBuf = Setting::Path(value) => value, |value: &PathBuf| json!(value);
    Listen = Setting::Admin(Some(value)) => value, |value: &Listen| value.to_string().into();
    SocketAddr = Setting::Admin(Some(Listen::Tcp(value))) => value, |value: &SocketAddr| json!(value);
}

impl SettingValue for Vec<String> {
    type Inner = Self;

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }

    fn of(setting: Setting) -> Option<Self> {
        match setting {
            Setting::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    fn shown(&self, _kind: Kind) -> Value {
        json!(self)
    }
}

impl SettingValue for Vec<Listen> {
    type Inner = Self;

    fn of(setting: Setting) -> Option<Self> {
        match setting {
            Setting::Listen(addresses) => Some(addresses),
            _ => None,
        }
    }

    fn shown(&self, _kind: Kind) -> Value {
        self.iter().map(ToString::to_string).collect()
    }
}

impl SettingValue for Vec<AllowRule> {
    type Inner = Self;

    fn of(setting: Setting) -> Option<Self> {
        match setting {
            Setting::Allow(rules) => Some(rules),
            _ => None,
        }
    }

    fn shown(&self, _kind: Kind) -> Value {
        json!(self)
    }
}
