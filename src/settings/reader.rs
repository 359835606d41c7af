//! Asks for settings by key: what was given, else the key's default.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::fault::{Faults, Place};
use super::key::{Default, Key, TypedKey};
use super::kind::{self, Setting};
use super::tree::Node;
use super::units::format_duration;
use super::value::{Section, SettingValue};
use crate::env::Env;

/// What the walk over the file has found.
#[derive(Debug, std::default::Default)]
pub struct Found {
    /// The good values, by full path (`targets.prod.wait`).
    pub(crate) settings: BTreeMap<String, Setting>,
    /// Where each path stands, good or not.
    pub(crate) places: BTreeMap<String, Place>,
    /// Paths whose value is at fault already: nothing more is said of them.
    pub(crate) faulty: BTreeSet<String>,
    /// The targets in name order, with their provider if it is known.
    pub(crate) targets: BTreeMap<String, Option<&'static str>>,
}

/// Reads the sidecar's own settings, or those of one target.
#[derive(Debug)]
pub struct Reader<'r> {
    pub(crate) found: &'r mut Found,
    pub(crate) faults: &'r mut Faults,
    /// What a key depends on that stands elsewhere.
    pub(crate) scope: Scope<'r>,
}

/// What a key may depend on that stands elsewhere.
#[derive(Debug, Clone)]
pub struct Scope<'r> {
    /// The environment, for `~`.
    pub env: &'r Env,
    /// The target that is read.
    pub target: String,
    /// Its provider.
    pub provider: Option<&'static str>,
    /// The longest that its cloud holds a call, and a margin for the way there and back.
    pub attempt: Duration,
    /// The largest message in bytes: a larger answer could not be passed on.
    pub largest: usize,
    /// Whether plain HTTP may leave the machine.
    pub allow_plaintext: bool,
}

impl<'r> Scope<'r> {
    /// That of the process.
    #[must_use]
    pub fn new(env: &'r Env) -> Self {
        Self {
            env,
            target: String::new(),
            provider: None,
            attempt: Duration::from_secs(75),
            largest: 64 << 20,
            allow_plaintext: false,
        }
    }
}

impl Reader<'_> {
    /// A section of which nothing is set.
    #[must_use]
    pub fn defaults<T: Section>() -> Option<T> {
        let (mut found, mut faults) = (Found::default(), Faults::default());
        let env = Env::fixed::<String, String>([]);
        T::read(&mut Reader {
            found: &mut found,
            faults: &mut faults,
            scope: Scope::new(&env),
        })
    }

    /// The value given, if there is a good one.
    pub fn given<T: SettingValue>(&mut self, key: TypedKey<T>) -> Option<T> {
        let setting = self.found.settings.get(&self.full(&key.key))?.clone();
        self.value(key, setting)
    }

    /// The value given, else the default; `None` = a fault tells of it.
    pub fn get<T: SettingValue>(&mut self, key: TypedKey<T>) -> Option<T> {
        if let Some(value) = self.given(key) {
            return Some(value);
        }
        let Default::Is(text) = key.key.default else {
            return T::absent().or_else(|| self.unfit(&key.key));
        };
        match kind::read(&key.key, &Node::untyped(text, Place::Nowhere)) {
            Ok(Some(setting)) => self.value(key, setting),
            _ => self.unfit(&key.key),
        }
    }

    /// The value given; without it a fault says `why` it is needed.
    pub fn required<T: SettingValue>(&mut self, key: TypedKey<T>, why: &str) -> Option<T> {
        let value = self.given(key);
        if value.is_none() {
            self.missing(key, why);
        }
        value
    }

    fn value<T: SettingValue>(&mut self, key: TypedKey<T>, setting: Setting) -> Option<T> {
        let setting = match setting {
            Setting::Path(path) => Setting::Path(self.expand(key, path)?),
            setting => setting,
        };
        T::of(setting).or_else(|| self.unfit(&key.key))
    }

    /// Puts the home directory in place of a leading `~/`.
    pub fn expand(&mut self, key: impl Into<Key>, path: PathBuf) -> Option<PathBuf> {
        let Ok(rest) = path.strip_prefix("~") else {
            return Some(path);
        };
        let home = self.scope.env.home();
        if home.is_none() {
            self.fault(
                key,
                "begins with ~, and HOME is not set; set HOME, or write the whole path",
            );
        }
        home.map(|home| home.join(rest))
    }

    /// A URL that may be used: TLS, or plain to loopback, or plain because it was allowed.
    pub fn safe_url(&mut self, key: TypedKey<Option<Url>>) -> Option<Option<Url>> {
        let url = self.get(key)?;
        if let Some(url) = &url
            && url.scheme() == "http"
            && !self.scope.allow_plaintext
            && !is_loopback(url)
        {
            self.fault(
                key,
                "is plain http to a host other than loopback, where anyone on the way can read signatures and data; \
                 write https, or set allow_plaintext: true",
            );
        }
        Some(url)
    }

    /// Two durations of a section, of which the first must not be longer.
    pub fn ordered(
        &mut self,
        (shorter_key, shorter): (TypedKey<Duration>, Duration),
        (longer_key, longer): (TypedKey<Duration>, Duration),
    ) {
        if shorter > longer {
            let name = |key: TypedKey<Duration>| key.key.path.rsplit('.').next().unwrap_or("");
            let given = if self.stands(shorter_key) {
                shorter_key
            } else {
                longer_key
            };
            let (first, second) = (name(shorter_key), name(longer_key));
            let (shorter, longer) = (format_duration(shorter), format_duration(longer));
            self.fault(
                given,
                format!(
                    "{first} ({shorter}) is longer than {second} ({longer}); change one of them"
                ),
            );
        }
    }

    /// Two keys that need each other: tells of the one that is missing.
    pub fn pair(&mut self, [one, two]: [Key; 2]) {
        for (key, other) in [(one, two), (two, one)] {
            if !self.stands(key) && self.stands(other) {
                let name = other.path.trim_start_matches("targets.*.");
                self.missing(
                    key,
                    &format!("{name} needs it, since neither is of use alone"),
                );
            }
        }
    }

    /// Whether the key stands somewhere, with a good value or a bad one.
    pub fn stands(&self, key: impl Into<Key>) -> bool {
        let path = self.full(&key.into());
        self.found.settings.contains_key(&path) || self.found.faulty.contains(&path)
    }

    /// Tells of a fault in a key's value.
    pub fn fault(&mut self, key: impl Into<Key>, message: impl Into<String>) {
        let path = self.full(&key.into());
        let place = self.place(&path);
        self.found.fault(&path, place, message, self.faults);
    }

    /// Tells that a key is missing, unless its value is at fault already.
    pub fn missing(&mut self, key: impl Into<Key>, why: &str) {
        let key = key.into();
        if !self.found.faulty.contains(&self.full(&key)) {
            self.fault(key, format!("is missing; {why}"));
        }
    }

    /// Where the path stands, or else the nearest section above it.
    fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.found.places.get(path) {
                return place.clone();
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => return Place::Nowhere,
            }
        }
    }

    fn full(&self, key: &Key) -> String {
        key.path.replacen('*', &self.scope.target, 1)
    }

    /// Row and question disagree: better a refused start than a silent zero.
    fn unfit<T>(&mut self, key: &Key) -> Option<T> {
        self.fault(
            *key,
            "is asked for with a type or default that its row does not give; please report this",
        );
        None
    }
}

impl Found {
    /// Notes a fault of a path, so that no other is derived from it.
    pub(crate) fn fault(
        &mut self,
        path: &str,
        place: Place,
        message: impl Into<String>,
        faults: &mut Faults,
    ) {
        self.faulty.insert(path.to_owned());
        faults.push(path, place, message);
    }
}

/// Whether only this machine can be meant.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
