//! The clouds there are: one line each.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::SerializeMap;
use url::Url;

use super::cloud::{Account, AccountContext, CloudFacts, CloudSettings, KeySource};
use crate::credentials::settings::{CredentialKeys, SharedSource, refuse_unused};
use crate::settings::{Change, Default, Entries, Key, Kind, Reader, Section};

macro_rules! clouds {
    ($($cloud:ident in $module:ident;)+) => {
        /// What is known of each cloud, in the order of the documentation.
        pub const CLOUDS: &[CloudFacts] = &[$(super::$module::Config::FACTS),+];

        /// Their names in the file.
        pub const CLOUD_NAMES: &[&str] = &[$(super::$module::Config::FACTS.name),+];

        /// Where a target is: the keys that only its cloud has.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the cloud's folder says it")]
        pub enum Cloud {
            $($cloud(super::$module::Config),)+
        }

        /// Where the keys come from; never the keys.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, reason = "the cloud's folder says it")]
        pub enum CredentialSource {
            $($cloud(super::$module::KeySources),)+
        }

        impl Section for Cloud {
            fn keys(found: &mut Vec<Key>) {
                found.push(provider_row());
                $(super::$module::Config::keys(found);)+
            }

            fn read(reader: &mut Reader<'_>) -> Option<Self> {
                $(if reader.scope.provider == Some(super::$module::Config::FACTS.name) {
                    return super::$module::Config::read(reader).map(Self::$cloud);
                })+
                None
            }
        }

        impl Entries for Cloud {
            fn show<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                map.serialize_entry("provider", self.facts().name)?;
                match self {
                    $(Self::$cloud(config) => config.show(map),)+
                }
            }
        }

        impl Cloud {
            /// What is known of it.
            #[must_use]
            pub fn facts(&self) -> CloudFacts {
                match self {
                    $(Self::$cloud(_) => super::$module::Config::FACTS,)+
                }
            }

            /// Cloud and region for spans.
            #[must_use]
            pub fn place(&self) -> (&'static str, String) {
                match self {
                    $(Self::$cloud(config) => config.place(),)+
                }
            }

            /// Whether an account has connections of its own.
            #[must_use]
            pub fn owns_transport(&self) -> bool {
                match self {
                    $(Self::$cloud(_) => super::$module::Config::OWNS_TRANSPORT,)+
                }
            }

            /// The hosts that are asked beside the functions' own.
            #[must_use]
            pub fn other_hosts(&self, credentials: &CredentialSettings) -> Vec<Option<&Url>> {
                match (self, &credentials.source) {
                    $((Self::$cloud(config), CredentialSource::$cloud(source)) => {
                        config.other_hosts(source)
                    })+
                    _ => Vec::new(),
                }
            }

            /// The account of these keys at this place.
            ///
            /// # Errors
            /// One sentence on what cannot be used.
            pub fn account(
                &self,
                credentials: &CredentialSettings,
                context: &AccountContext<'_>,
            ) -> Result<Arc<dyn Account>, String> {
                match (self, &credentials.source) {
                    $((Self::$cloud(config), CredentialSource::$cloud(source)) => {
                        config.account(source, credentials.verify, context)
                    })+
                    _ => Err("the source is of another cloud".to_owned()),
                }
            }

            /// Keys from the environment.
            #[must_use]
            pub fn keys_from_environment(&self) -> CredentialSettings {
                let source = match self {
                    $(Self::$cloud(_) => CredentialSource::$cloud(SharedSource::Env.into()),)+
                };
                CredentialSettings { source, verify: None }
            }
        }

        impl CredentialSource {
            /// Whether they come from the environment, which a running process keeps.
            #[must_use]
            pub fn is_environment(&self) -> bool {
                let shared = match self {
                    $(Self::$cloud(source) => source.shared(),)+
                };
                shared == Some(&SharedSource::Env)
            }

            /// Where they come from, for a person.
            #[must_use]
            pub fn described(&self) -> String {
                match self {
                    $(Self::$cloud(source) => source.described(),)+
                }
            }
        }

        impl Section for CredentialSettings {
            fn keys(found: &mut Vec<Key>) {
                $(<super::$module::KeySources as KeySource>::Keys::keys(found);)+
                CredentialKeys::keys(found);
            }

            fn read(reader: &mut Reader<'_>) -> Option<Self> {
                $(if reader.scope.provider == Some(super::$module::Config::FACTS.name) {
                    let (source, verify) = read_source(reader)?;
                    return Some(Self { source: CredentialSource::$cloud(source), verify });
                })+
                None
            }
        }
    };
}

clouds! {
    Ncp in ncp;
    FunctionGraph in functiongraph;
}

/// Where keys come from, and whether new ones are tried before they replace good ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialSettings {
    /// The source.
    #[serde(flatten)]
    pub source: CredentialSource,
    /// `None` = the source's keys never change, or it gives a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<bool>,
}

/// The key `provider`, which tells the clouds' names. Asked for once, when the table is made.
fn provider_row() -> Key {
    let names: Vec<_> = CLOUDS
        .iter()
        .map(|cloud| format!("{} is {}", cloud.name, cloud.about))
        .collect();
    Key {
        path: "targets.*.provider",
        kind: Kind::Word(CLOUD_NAMES),
        default: Default::Required,
        provider: None,
        change: Change::Reload,
        doc: format!("Which cloud this is: {}.", names.join(", ")).leak(),
    }
}

/// The cloud of that name.
#[must_use]
pub fn cloud_named(name: &str) -> Option<CloudFacts> {
    CLOUDS.iter().find(|cloud| cloud.name == name).copied()
}

fn read_source<S: KeySource>(reader: &mut Reader<'_>) -> Option<(S, Option<bool>)> {
    // A source at fault says nothing about the other keys.
    if reader.stands(S::SOURCE) && reader.given(S::SOURCE).is_none() {
        return None;
    }
    let source = reader.get(S::SOURCE)?;
    let uses = SharedSource::uses(&source).unwrap_or_else(|| S::uses(&source));
    let mut own = Vec::new();
    S::Keys::keys(&mut own);
    refuse_unused(reader, &source, &own, uses);
    let verify = uses
        .contains(&"verify")
        .then(|| reader.get(CredentialKeys::verify))
        .flatten();
    Some((S::read(reader, &source)?, verify))
}
