//! Asks for settings by key: what was given, else the table's default.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::callers::AllowRule;
use crate::config::fault::{Faults, Place};
use crate::config::keys::{self, Default, Lookup, Provider};
use crate::config::kind::{self, Setting};
use crate::config::listen::Listen;
use crate::config::tree::Node;
use crate::config::walk::Found;

/// The settings below one path.
pub(super) struct Reader<'r> {
    found: &'r mut Found,
    faults: &'r mut Faults,
    /// `targets.prod.`, or empty.
    path: String,
    /// `targets.*.`, or empty.
    pattern: &'static str,
    provider: Option<Provider>,
}

/// Makes one typed question: the value, or the type's zero once a fault tells of the slip.
macro_rules! typed {
    ($name:ident, $given:ident, $variant:ident, $type:ty) => {
        /// The value given, if there is a good one.
        pub(super) fn $given(&mut self, key: &str) -> Option<$type> {
            match self.found.settings.get(&self.full(key)) {
                Some(Setting::$variant(value)) => Some(value.clone()),
                Some(_) => self.bug(key),
                None => None,
            }
        }

        /// The value given, else the default.
        #[allow(dead_code, reason = "not every type has keys with a default")]
        pub(super) fn $name(&mut self, key: &str) -> $type {
            if let Some(value) = self.$given(key) {
                return value;
            }
            match self.default(key) {
                Some(Setting::$variant(value)) => value,
                _ => self.bug(key).unwrap_or_default(),
            }
        }
    };
}

impl<'r> Reader<'r> {
    /// The sidecar's own settings.
    pub(super) fn top(found: &'r mut Found, faults: &'r mut Faults) -> Self {
        Self {
            found,
            faults,
            path: String::new(),
            pattern: "",
            provider: None,
        }
    }

    /// The settings of one target.
    pub(super) fn target(
        name: &str,
        provider: Provider,
        found: &'r mut Found,
        faults: &'r mut Faults,
    ) -> Self {
        Self {
            found,
            faults,
            path: format!("targets.{name}."),
            pattern: "targets.*.",
            provider: Some(provider),
        }
    }

    typed!(text, given_text, Text, String);
    typed!(integer, given_integer, Integer, u64);
    typed!(number, given_number, Number, f64);
    typed!(bool, given_bool, Bool, bool);
    typed!(duration, given_duration, Duration, Duration);
    typed!(listen, given_listen, Listen, Vec<Listen>);
    typed!(admin, given_admin, Admin, Option<Listen>);
    typed!(path, given_path, Path, PathBuf);
    typed!(patterns, given_patterns, Patterns, Vec<String>);
    typed!(texts, given_texts, Texts, Vec<String>);
    typed!(allow, given_allow, Allow, Vec<AllowRule>);

    /// The URL given, if there is a good one. No URL has a default here: the providers know their
    /// hosts.
    pub(super) fn given_url(&mut self, key: &str) -> Option<Url> {
        match self.found.settings.get(&self.full(key)) {
            Some(Setting::Url(url)) => Some(url.clone()),
            Some(_) => self.bug(key),
            None => None,
        }
    }

    /// Whether the key stands somewhere, with a good value or a bad one.
    pub(super) fn stands(&self, key: &str) -> bool {
        let path = self.full(key);
        self.found.settings.contains_key(&path) || self.found.faulty.contains(&path)
    }

    /// Tells of a fault in a key's value.
    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let path = self.full(key);
        let place = self.place(&path);
        self.found.fault(&path, place, message, self.faults);
    }

    /// Tells that a key is missing, unless its value is at fault already.
    pub(super) fn missing(&mut self, key: &str, why: &str) {
        if !self.found.faulty.contains(&self.full(key)) {
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

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    fn default(&self, key: &str) -> Option<Setting> {
        let Lookup::Known(key) = keys::find(&format!("{}{key}", self.pattern), self.provider)
        else {
            return None;
        };
        let Default::Is(text) = key.default else {
            return None;
        };
        kind::read(key, &Node::untyped(text, Place::Nowhere)).ok()?
    }

    /// The table and the question disagree: better a refused start than a silent zero.
    fn bug<T>(&mut self, key: &str) -> Option<T> {
        self.fault(
            key,
            "is asked for with a type or default that the key table does not give; please report this",
        );
        None
    }
}
