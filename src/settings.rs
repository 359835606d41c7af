//! How a module declares what can be set of it: `settings!` makes a struct, its rows of the key
//! table, its reader and its shown form from one list of fields, which stands beside their use.
//!
//! The engine knows no module: which settings there are is put together in `config`.

mod fault;
mod key;
mod kind;
mod listen;
mod reader;
mod suggest;
mod tree;
pub mod units;
mod value;

pub use fault::{Fault, Faults, Place};
pub use key::{Change, Default, Key, Kind, Rule, TARGET_NAME, TypedKey, TypedKind, kinds};
pub use kind::{AllowRule, OPERATIONS, Setting};
pub(crate) use kind::{read, wanted};
pub use listen::Listen;
pub use reader::{Found, Reader, Scope, is_loopback};
pub(crate) use suggest::nearest;
pub(crate) use tree::{Node, Value, parse};
pub use value::{Entries, Section, SettingValue, Shown, Word, serialize_url};

/// Declares a struct of settings. Each field is a key, by the path and the field's name:
///
/// ```text
/// settings! {
///     /// How failed attempts are repeated.
///     #[derive(Clone, Debug)]
///     pub struct Retry in "targets.*.retry.", then check_backoffs {
///         /// What the key means: a sentence for rustdoc, docs/configuration.md, the schema, --help.
///         max_attempts: u32 = integer(1, 10), Is("3");
///         /// Of an absent key that has no fixed default a function makes the value.
///         wait: Duration = millis(0, DAY), Depends("60s, or less") => within_request;
///         /// A section of its own, declared where its fields are.
///         budget: Budget;
///     }
/// }
/// ```
///
/// `of "name"` makes the keys those of one cloud; `@flat` puts a section's keys beside the others;
/// `reload` marks a key of the process that needs no restart. `Retry::max_attempts` is the key
/// itself, for a [`Reader`].
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident in $path:literal $(of $cloud:literal)? $(, then $check:ident)? {
            $(
                $(#[doc = $doc:literal])+
                $(@$flat:ident)? $field:ident: $type:ty
                    $(= $kind:expr, $default:expr $(, $change:ident)? $(=> $read:expr)?)?;
            )*
        }
        $(with {$(
            $(#[$extra_meta:meta])*
            $extra:ident: $extra_type:ty,
        )*})?
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $(
                $(#[doc = $doc])+
                #[allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "also read in a terminal")]
                $vis $field: $type,
            )*
            $($($(#[$extra_meta])* $vis $extra: $extra_type,)*)?
        }

        #[allow(
            missing_docs,
            non_upper_case_globals,
            dead_code,
            reason = "a key has its field's name and text"
        )]
        impl $name {
            const PROVIDER: Option<&'static str> = $crate::settings::settings!(@cloud $($cloud)?);
            $($crate::settings::settings!(
                @key [$vis] $path, $field: $type $(= $kind, $default $(, $change)?)?,
                concat!($($doc),+)
            );)*
        }

        impl $crate::settings::Section for $name {
            fn keys(found: &mut Vec<$crate::settings::Key>) {
                $($crate::settings::settings!(
                    @row found, [$($flat)?], $field: $type $(= $kind)?
                );)*
            }

            fn read(reader: &mut $crate::settings::Reader<'_>) -> Option<Self> {
                $(let $field = $crate::settings::settings!(
                    @read reader, $field: $type $(= $kind $(=> $read)?)?
                );)*
                #[allow(unused_mut, reason = "not every struct has a check")]
                let mut settings = Self {
                    $($field: $field?,)*
                    $($($extra: <$extra_type>::default(),)*)?
                };
                $(settings.$check(reader);)?
                Some(settings)
            }
        }

        impl $crate::settings::Entries for $name {
            fn show<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $($crate::settings::settings!(
                    @show self, map, [$($flat)?], $field $(= $kind)?
                );)*
                Ok(())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                $crate::settings::Shown(self).serialize(out)
            }
        }
    };

    (@key [$vis:vis] $path:literal, $field:ident: $type:ty = $kind:expr, $default:expr, $change:ident, $doc:expr) => {
        $vis const $field: $crate::settings::TypedKey<$type> = $crate::settings::settings!(
            @typed $path, $field = $kind, $default, $doc
        ).$change();
    };
    (@key [$vis:vis] $path:literal, $field:ident: $type:ty = $kind:expr, $default:expr, $doc:expr) => {
        $vis const $field: $crate::settings::TypedKey<$type> = $crate::settings::settings!(
            @typed $path, $field = $kind, $default, $doc
        );
    };
    (@key [$vis:vis] $path:literal, $field:ident: $type:ty, $doc:expr) => {
        $vis const $field: $crate::settings::Key = $crate::settings::settings!(
            @row_of $path, $field, $crate::settings::Kind::Section,
            $crate::settings::Default::Nothing, $doc
        );
    };
    (@typed $path:literal, $field:ident = $kind:expr, $default:expr, $doc:expr) => {{
        #[allow(unused_imports, reason = "whichever of them the row names")]
        use $crate::settings::{Default::{Depends, Is, Nothing, Required}, kinds::*};
        let kind = $kind;
        $crate::settings::TypedKey::new(kind, $crate::settings::settings!(
            @row_of $path, $field, kind.kind, $default, $doc
        ))
    }};
    (@row_of $path:literal, $field:ident, $kind:expr, $default:expr, $doc:expr) => {
        $crate::settings::Key {
            path: concat!($path, stringify!($field)),
            kind: $kind,
            default: $default,
            provider: Self::PROVIDER,
            change: $crate::settings::Change::of($path),
            doc: $doc.trim_ascii_start(),
        }
    };
    (@cloud) => { None };
    (@cloud $cloud:literal) => { Some($cloud) };

    (@row $found:ident, [], $field:ident: $type:ty = $kind:expr) => {
        $found.push(Self::$field.key)
    };
    (@row $found:ident, [flat], $field:ident: $type:ty) => {
        <$type as $crate::settings::Section>::keys($found)
    };
    (@row $found:ident, [], $field:ident: $type:ty) => {
        $found.push(Self::$field);
        <$type as $crate::settings::Section>::keys($found)
    };

    (@read $reader:ident, $field:ident: $type:ty = $kind:expr => $read:expr) => {
        ($read)($reader, Self::$field)
    };
    (@read $reader:ident, $field:ident: $type:ty = $kind:expr) => { $reader.get(Self::$field) };
    (@read $reader:ident, $field:ident: $type:ty) => {
        <$type as $crate::settings::Section>::read($reader)
    };

    (@show $self:ident, $map:ident, [], $field:ident = $kind:expr) => {
        $map.serialize_entry(
            stringify!($field),
            &$crate::settings::SettingValue::shown(&$self.$field, Self::$field.key.kind),
        )?
    };
    (@show $self:ident, $map:ident, [flat], $field:ident) => {
        $crate::settings::Entries::show(&$self.$field, $map)?
    };
    (@show $self:ident, $map:ident, [], $field:ident) => {
        $map.serialize_entry(stringify!($field), &$self.$field)?
    };
}
pub(crate) use settings;

/// Gives each variant of an enum the word that the configuration has for it.
macro_rules! words {
    ($type:ty: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $crate::settings::Word for $type {
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn word(self) -> &'static str {
                #[allow(unreachable_patterns, reason = "an enum may have more than has a word")]
                match self {
                    $(Self::$variant => $word,)+
                    _ => "",
                }
            }

            fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use words;
