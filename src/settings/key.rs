//! One row of the key table: what may stand there, of which type, in which range, with which
//! default.

use std::marker::PhantomData;
use std::time::Duration;

use super::value::SettingValue;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The dotted path; `*` stands for any target's name.
    pub path: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// What holds when the key is absent.
    pub default: Default,
    /// The one provider that the key is for; `None` = all.
    pub provider: Option<&'static str>,
    /// How a change reaches a running sidecar.
    pub change: Change,
    /// One sentence or two for the reader of `--help`, the schema and docs/configuration.md.
    pub doc: &'static str,
}

/// A key whose values are read as a `T`.
#[derive(Debug)]
pub struct TypedKey<T> {
    /// Its row.
    pub key: Key,
    of: PhantomData<fn() -> T>,
}

/// A kind whose values are read as a `T`.
#[derive(Debug)]
pub struct TypedKind<T> {
    /// The kind.
    pub kind: Kind,
    of: PhantomData<fn() -> T>,
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A map of further keys.
    Section,
    /// The map of targets.
    Targets,
    /// Any text that the rule accepts.
    Text(Rule),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Integer(u64, u64),
    /// A number.
    Number(f64, f64),
    /// `true` or `false`.
    Bool,
    /// A number and a unit.
    Duration(Duration, Duration),
    /// Bytes, with or without a unit.
    Size(u64, u64),
    /// One listening address or a list of them.
    Listen,
    /// A listening address, or `off`.
    Admin,
    /// An IP address with a port, or `off`.
    Address,
    /// An http or https URL.
    Url,
    /// A path; a leading `~/` is the home directory.
    Path,
    /// A list of `package/action` patterns.
    Patterns,
    /// A list of texts that the rule accepts, which may be empty.
    Texts(Rule),
    /// A list of rules that say which calls are allowed.
    Allow,
}

/// How a change of a key reaches a running sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// With the next reload.
    Reload,
    /// With the next start: the reload keeps the old value and says so.
    Restart,
}

/// What a free text must look like. An open set: the cloud adds members without telling us.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The same rule for the JSON Schema.
    pub pattern: &'static str,
    /// The same rule for a person.
    pub says: &'static str,
    /// Whether a text obeys it.
    pub obeys: fn(&str) -> bool,
}

/// A target's name: it stands in paths, metrics and log lines, so it holds no dot and no space.
pub const TARGET_NAME: Rule = Rule {
    pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
    says: "1 to 63 letters, digits, - or _, the first a letter or digit",
    obeys: |text| {
        text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    },
};

/// What holds when a key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// This text, read as the file would be.
    Is(&'static str),
    /// It depends on other keys, as told here.
    Depends(&'static str),
    /// Nothing.
    Nothing,
    /// The key must be there.
    Required,
}

impl Key {
    /// The flag of a key: `log.format` → `log-format`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The environment variable of a key: `log.format` → `FAAS_SIDECAR_LOG_FORMAT`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!(
            "FAAS_SIDECAR_{}",
            self.path.replace('.', "_").to_uppercase()
        )
    }

    /// Whether a target of that provider has the key; with no provider known, any may.
    #[must_use]
    pub fn is_of(&self, provider: Option<&str>) -> bool {
        self.provider.is_none() || provider.is_none() || self.provider == provider
    }
}

impl Change {
    /// Targets are built anew by a reload; the process's own settings are not, as a rule.
    #[must_use]
    pub const fn of(path: &str) -> Self {
        match path.as_bytes() {
            [b't', b'a', b'r', b'g', b'e', b't', b's', b'.', ..] => Self::Reload,
            _ => Self::Restart,
        }
    }
}

impl<T: SettingValue> TypedKey<T> {
    /// The key of a row.
    #[must_use]
    pub const fn new(_kind: TypedKind<T::Inner>, key: Key) -> Self {
        Self {
            key,
            of: PhantomData,
        }
    }

    /// A reload takes it up.
    #[must_use]
    pub const fn reload(mut self) -> Self {
        self.key.change = Change::Reload;
        self
    }
}

impl<T> From<TypedKey<T>> for Key {
    fn from(typed: TypedKey<T>) -> Self {
        typed.key
    }
}

impl<T> Clone for TypedKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TypedKey<T> {}

impl<T> Clone for TypedKind<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TypedKind<T> {}

/// What the rows of `settings!` name as the kind of a key.
pub mod kinds {
    use std::marker::PhantomData;
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::time::Duration;

    use url::Url;

    use super::{Kind, Rule, TypedKind};
    use crate::settings::{AllowRule, Listen, Word};

    /// A day in milliseconds: no function runs synchronously for longer.
    pub const DAY: u64 = 86_400_000;

    /// Any kind, for a type that the key's own function reads.
    #[must_use]
    pub const fn kind<T>(kind: Kind) -> TypedKind<T> {
        TypedKind {
            kind,
            of: PhantomData,
        }
    }

    /// Any text that the rule accepts.
    #[must_use]
    pub const fn text(rule: Rule) -> TypedKind<String> {
        kind(Kind::Text(rule))
    }

    /// One of the words of an enum.
    #[must_use]
    pub const fn word<W: Word>() -> TypedKind<W> {
        kind(Kind::Word(W::WORDS))
    }

    /// A whole number.
    #[must_use]
    pub const fn integer<T>(min: u64, max: u64) -> TypedKind<T> {
        kind(Kind::Integer(min, max))
    }

    /// A share or another number.
    #[must_use]
    pub const fn number(min: f64, max: f64) -> TypedKind<f64> {
        kind(Kind::Number(min, max))
    }

    /// `true` or `false`.
    #[must_use]
    pub const fn flag() -> TypedKind<bool> {
        kind(Kind::Bool)
    }

    /// A duration, its bounds in seconds.
    #[must_use]
    pub const fn seconds(min: u64, max: u64) -> TypedKind<Duration> {
        kind(Kind::Duration(
            Duration::from_secs(min),
            Duration::from_secs(max),
        ))
    }

    /// A duration, its bounds in milliseconds.
    #[must_use]
    pub const fn millis(min: u64, max: u64) -> TypedKind<Duration> {
        kind(Kind::Duration(
            Duration::from_millis(min),
            Duration::from_millis(max),
        ))
    }

    /// Bytes.
    #[must_use]
    pub const fn size(min: u64, max: u64) -> TypedKind<usize> {
        kind(Kind::Size(min, max))
    }

    /// Listening addresses.
    #[must_use]
    pub const fn addresses() -> TypedKind<Vec<Listen>> {
        kind(Kind::Listen)
    }

    /// A listening address, or `off`.
    #[must_use]
    pub const fn address_or_off() -> TypedKind<Listen> {
        kind(Kind::Admin)
    }

    /// An IP address with a port, or `off`.
    #[must_use]
    pub const fn socket_or_off() -> TypedKind<SocketAddr> {
        kind(Kind::Address)
    }

    /// An http or https URL.
    #[must_use]
    pub const fn url() -> TypedKind<Url> {
        kind(Kind::Url)
    }

    /// A path; a leading `~/` is the home directory.
    #[must_use]
    pub const fn path() -> TypedKind<PathBuf> {
        kind(Kind::Path)
    }

    /// `package/action` patterns.
    #[must_use]
    pub const fn patterns() -> TypedKind<Vec<String>> {
        kind(Kind::Patterns)
    }

    /// Texts that the rule accepts.
    #[must_use]
    pub const fn texts(rule: Rule) -> TypedKind<Vec<String>> {
        kind(Kind::Texts(rule))
    }

    /// Rules that say which calls are allowed.
    #[must_use]
    pub const fn rules() -> TypedKind<Vec<AllowRule>> {
        kind(Kind::Allow)
    }
}
