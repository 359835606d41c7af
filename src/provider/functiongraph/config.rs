//! What can be set of a target on Huawei Cloud or Open Telekom Cloud, and what is made of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::{
    Access, Asker, Auth, EcsMetadata, Endpoint, FunctionGraph, KeyTrial, Settings, TemporaryKeys,
};
use crate::credentials::settings::{BaseKey, SharedSource, directory, metadata_at, metadata_url};
use crate::credentials::{Agency, Issuer, KeyNames, LoginSource, Origin, Status};
use crate::provider::Provider;
use crate::provider::cloud::{
    Account, AccountContext, CloudFacts, CloudSettings, KeySource, RunRules,
};
use crate::settings::units::serialize_duration;
use crate::settings::{Kind, Reader, Rule, TypedKey, serialize_url, settings};
use crate::transport::Transport;

/// Names of the environment variables (`huaweicloudsdkcore` 3.1.219, `auth/provider.py`).
const KEY_NAMES: KeyNames = KeyNames {
    access_key: &["HUAWEICLOUD_SDK_AK"],
    secret_key: &["HUAWEICLOUD_SDK_SK"],
    security_token: &["HUAWEICLOUD_SDK_SECURITY_TOKEN"],
};

const VARIABLES: &str = "the variables HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, \
                         if set, HUAWEICLOUD_SDK_SECURITY_TOKEN";

/// Open: Huawei and its partners add regions. Strict in its letters, since it becomes part of a
/// host name.
const REGION: Rule = Rule {
    pattern: "^[a-z0-9][a-z0-9-]{0,62}$",
    says: "a region id in lower-case letters, digits and hyphens, such as ap-southeast-3",
    obeys: |text| {
        text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    },
};

const PROJECT_ID: Rule = Rule {
    pattern: "^[A-Za-z0-9]{32}$",
    says: "32 letters and digits, as the console shows under My Credentials",
    obeys: |text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric()),
};

const PROJECT_NAME: Rule = Rule {
    pattern: "^[A-Za-z0-9_-]{1,64}$",
    says: "1 to 64 letters, digits, underscores and hyphens, such as eu-de_team",
    obeys: |text| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    },
};

const AGENCY: Rule = Rule {
    pattern: "^[^\\p{Cc}]{1,64}$",
    says: "a name of 1 to 64 characters",
    obeys: |text| (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control),
};

settings! {
    /// Where in Huawei Cloud.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Config in "targets.*." of "functiongraph" {
        /// The region id; it makes the host names, unless base_url is set.
        region: String = text(REGION), Required => region;
        /// The project that holds the functions.
        project_id: Option<String> = text(PROJECT_ID), Depends("looked up at IAM by project_name");
        /// The name of the project that holds the functions, such as eu-de_team for a sub-project;
        /// a given project_id wins.
        project_name: Option<String> = text(PROJECT_NAME), Depends("the region's id, which is the name of its default project");
        /// Where tokens and temporary keys come from, and the project's id when there is no
        /// project_id.
        iam_url: Option<Url> = url(), Depends("the region's IAM host") => Reader::safe_url;
    }
}

settings! {
    /// The keys of `credentials` that only this cloud has.
    #[derive(Clone, Debug)]
    pub struct SourceKeys in "targets.*.credentials." of "functiongraph" {
        /// env: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, if set, HUAWEICLOUD_SDK_SECURITY_TOKEN.
        /// files: access-key-id, secret-access-key and, if there, security-token in a directory.
        /// iam_password: username, password and domain in a directory, for a token; with
        /// agency-name and agency-domain there, for a token of that agency. ecs_metadata: temporary
        /// keys of the server's agency, from its metadata service. temporary_keys: temporary keys
        /// for a login as that of iam_password. agency: temporary keys of an agency, for the key
        /// that base names. exec: what a command prints.
        source: String = kind(Kind::Word(SOURCES)), Is("env");
        /// The life asked for, for the sources temporary_keys and agency.
        duration: Duration = millis(900_000, DAY), Is("1h");
        /// The agency to take on.
        agency_name: Option<String> = text(AGENCY), Depends("required for the source agency");
        /// The account that made the agency.
        agency_domain: Option<String> = text(AGENCY), Depends("required for the source agency");
    }
}

const SOURCES: &[&str] = &[
    "env",
    "files",
    "iam_password",
    "ecs_metadata",
    "temporary_keys",
    "agency",
    "exec",
];

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum KeySources {
    /// `username`, `password` and `domain`, exchanged for a token.
    IamPassword {
        /// Where those files are.
        directory: PathBuf,
    },
    /// Temporary keys of the server's agency, from the metadata service.
    EcsMetadata {
        /// Where the metadata service is; `None` = its documented address.
        #[serde(serialize_with = "serialize_url")]
        metadata_url: Option<Url>,
    },
    /// Temporary keys for a login as that of `iam_password`.
    TemporaryKeys {
        /// Where the login's files are.
        directory: PathBuf,
        /// The life asked for: 15 minutes to 24 hours.
        #[serde(serialize_with = "serialize_duration")]
        duration: Duration,
    },
    /// Temporary keys of an agency, for a permanent key.
    Agency {
        /// The key that asks for them.
        #[serde(flatten)]
        base: BaseKey,
        /// The agency's name.
        agency_name: String,
        /// The account that made the agency.
        agency_domain: String,
        /// The life asked for: 15 minutes to 24 hours.
        #[serde(serialize_with = "serialize_duration")]
        duration: Duration,
    },
    /// One that every cloud has.
    #[serde(untagged)]
    Shared(SharedSource),
}

fn region(reader: &mut Reader<'_>, key: TypedKey<String>) -> Option<String> {
    reader.required(key, "write the region id, such as ap-southeast-3")
}

impl From<SharedSource> for KeySources {
    fn from(source: SharedSource) -> Self {
        Self::Shared(source)
    }
}

impl KeySource for KeySources {
    type Keys = SourceKeys;
    const SOURCE: TypedKey<String> = SourceKeys::source;

    fn uses(source: &str) -> &'static [&'static str] {
        match source {
            "iam_password" => &["directory"],
            "ecs_metadata" => &["metadata_url", "verify"],
            "temporary_keys" => &["directory", "duration", "verify"],
            _ => &[
                "base",
                "directory",
                "agency_name",
                "agency_domain",
                "duration",
                "verify",
            ],
        }
    }

    fn read(reader: &mut Reader<'_>, source: &str) -> Option<Self> {
        match source {
            "iam_password" => Some(Self::IamPassword {
                directory: directory(reader)?,
            }),
            "ecs_metadata" => Some(Self::EcsMetadata {
                metadata_url: metadata_url(reader),
            }),
            "temporary_keys" => Some(Self::TemporaryKeys {
                directory: directory(reader)?,
                duration: reader.get(SourceKeys::duration)?,
            }),
            "agency" => {
                let name = reader.required(SourceKeys::agency_name, "write the name of the agency");
                let domain = reader.required(
                    SourceKeys::agency_domain,
                    "write the name of the account that made the agency",
                );
                Some(Self::Agency {
                    base: BaseKey::read(reader)?,
                    agency_name: name??,
                    agency_domain: domain??,
                    duration: reader.get(SourceKeys::duration)?,
                })
            }
            shared => SharedSource::read(reader, shared).map(Self::Shared),
        }
    }

    fn shared(&self) -> Option<&SharedSource> {
        match self {
            Self::Shared(source) => Some(source),
            _ => None,
        }
    }

    fn described(&self) -> String {
        match self {
            Self::IamPassword { directory } => format!(
                "a token that IAM gives for username, password and domain in {}",
                directory.display()
            ),
            Self::EcsMetadata { .. } => {
                "the metadata service, which gives those of the server's agency".to_owned()
            }
            Self::TemporaryKeys { directory, .. } => format!(
                "IAM, which gives temporary ones for username, password and domain in {}",
                directory.display()
            ),
            Self::Agency {
                base, agency_name, ..
            } => format!(
                "IAM, which gives those of agency {agency_name} and is asked with the key in {}",
                base.described(VARIABLES)
            ),
            Self::Shared(source) => source.described(VARIABLES),
        }
    }
}

impl CloudSettings for Config {
    type Source = KeySources;
    const OWNS_TRANSPORT: bool = true;

    const FACTS: CloudFacts = CloudFacts {
        name: "functiongraph",
        about: "Huawei FunctionGraph and Open Telekom Cloud",
        variables: "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
        // Its gateway holds a call for 90 s.
        attempt: Duration::from_secs(105),
    };

    fn place(&self) -> (&'static str, String) {
        ("huawei_cloud", self.region.clone())
    }

    fn other_hosts<'s>(&'s self, _source: &KeySources) -> Vec<Option<&'s Url>> {
        vec![self.iam_url.as_ref()]
    }

    fn account(
        &self,
        source: &KeySources,
        verify: Option<bool>,
        context: &AccountContext<'_>,
    ) -> Result<Arc<dyn Account>, String> {
        let iam_url = self.iam_url.as_ref();
        let endpoint = Endpoint::new(
            &self.region,
            self.project_id.as_deref(),
            context.base_url,
            iam_url,
        )?
        .with_project_name(self.project_name.as_deref());
        let iam = || (context.transport)(iam_url);
        let temporary = |asker, duration: &Duration| {
            let issuer: Box<dyn Issuer> = Box::new(TemporaryKeys::new(
                endpoint.clone(),
                iam(),
                asker,
                *duration,
            ));
            Origin::Issued(issuer)
        };
        let origin = match source {
            KeySources::IamPassword { directory } => {
                let auth = Auth::Login(login(directory));
                return Ok(Arc::new(Access::new(endpoint.clone(), iam(), auth)));
            }
            KeySources::Shared(source) => source.origin(KEY_NAMES, &context.variables),
            KeySources::EcsMetadata { metadata_url } => {
                let url = metadata_at(metadata_url.as_ref(), EcsMetadata::URL)?;
                Origin::Issued(Box::new(EcsMetadata::new(&url)?))
            }
            KeySources::TemporaryKeys {
                directory,
                duration,
            } => temporary(Asker::Login(login(directory)), duration),
            KeySources::Agency {
                base,
                agency_name,
                agency_domain,
                duration,
            } => {
                let agency = Agency {
                    name: agency_name.clone(),
                    domain: agency_domain.clone(),
                };
                let key = base.source(KEY_NAMES, &context.variables);
                temporary(Asker::Key(key, agency), duration)
            }
        };
        let trial = || {
            let functions = (context.transport)(context.base_url);
            Arc::new(KeyTrial::new(endpoint.clone(), iam(), functions))
        };
        let keys = context.keeper.credentials(origin, verify, trial)?;
        let access = Access::new(endpoint.clone(), iam(), Auth::Keys(keys));
        Ok(Arc::new(access))
    }
}

fn login(directory: &std::path::Path) -> LoginSource {
    LoginSource::Files {
        directory: directory.to_owned(),
    }
}

impl Account for Access {
    fn status(&self) -> Status {
        self.status()
    }

    fn provider(&self, rules: RunRules, transport: Transport) -> Arc<dyn Provider> {
        let settings = Settings {
            access: self.clone(),
            wait: rules.wait,
            idempotent_actions: rules.idempotent_actions,
        };
        Arc::new(FunctionGraph::new(settings, transport))
    }
}
