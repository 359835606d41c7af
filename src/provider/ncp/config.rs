//! What can be set of a target on NAVER Cloud, and what is made of it.
//!
//! Which site, region, API version and platform go together: NCP docs "compute-cloudfunctions"
//! (overview, hosts), api-fin and api-gov editions, read 2026-10.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::{
    ApiVersion, Endpoint, KeyTrial, Ncp, Region, ServerRole, Settings, Site, Sts, sts_host,
};
use crate::credentials::settings::{BaseKey, SharedSource, metadata_at, metadata_url};
use crate::credentials::{Credentials, Issuer, KeyNames, Origin, Source, Status};
use crate::proto::{Platform, Vpc};
use crate::provider::Provider;
use crate::provider::cloud::{
    Account, AccountContext, CloudFacts, CloudSettings, KeySource, RunRules,
};
use crate::settings::units::serialize_duration;
use crate::settings::{Kind, Reader, Rule, TypedKey, Word as _, serialize_url, settings, words};
use crate::transport::Transport;

/// Names of the environment variables, as NCP's own tools know them (NCP SDKs and CLI guide).
const KEY_NAMES: KeyNames = KeyNames {
    access_key: &["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"],
    secret_key: &["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"],
    security_token: &[],
};

const VARIABLES: &str = "the variables NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY \
                         (or NCLOUD_ACCESS_KEY and NCLOUD_SECRET_KEY)";

/// The section that the `ncloud` command uses when it is told none.
const DEFAULT_PROFILE: &str = "DEFAULT";
const DEFAULT_FILE: &str = "~/.ncloud/configure";

const PROFILE: Rule = Rule {
    pattern: "^[^\\[\\]]{1,128}$",
    says: "the name of a section of the file, 1 to 128 characters without brackets",
    obeys: |text| (1..=128).contains(&text.chars().count()) && !text.contains(['[', ']']),
};

words! { Site: Public = "public", Fin = "fin", Gov = "gov" }
words! { Region: Kr = "kr", Sg = "sg", Jp = "jp" }
words! { ApiVersion: V21 = "2.1", V20 = "2.0" }
words! { Platform: Vpc = "vpc", Classic = "classic" }

settings! {
    /// Where in NAVER Cloud, and which API.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Config in "targets.*." of "ncp", then check {
        /// Which NAVER Cloud: the public one, the financial one or the public-sector one.
        site: Site = word(), Is("public");
        /// The region; fin and gov have kr alone.
        region: Region = word(), Is("kr") => region;
        /// The generation of the REST API; paths and bodies differ between them.
        api_version: ApiVersion = word(), Depends("2.1; 2.0 on gov, which has no other") => api_version;
        /// The platform of a request that names none.
        platform: Platform = word(), Depends("vpc for 2.1, classic for 2.0; sg, jp and fin have vpc alone, gov classic alone") => platform;
        /// The subnet that PutAction connects an action on platform vpc to when the request names
        /// none.
        vpc: Subnet;
        /// Where temporary keys come from when credentials.source is sts.
        sts_url: Option<Url> = url(), Depends("the site's token service") => Reader::safe_url;
    }
}

settings! {
    /// The subnet of actions on platform vpc whose put names none.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Subnet in "targets.*.vpc." of "ncp", then check {
        /// The number of the VPC, as the console shows it under VPC > VPC Management.
        vpc_no: Option<i64> = integer(1, i64::MAX as u64), Nothing;
        /// The number of the subnet, as the console shows it under VPC > Subnet Management.
        subnet_no: Option<i64> = integer(1, i64::MAX as u64), Nothing;
    }
}

settings! {
    /// The keys of `credentials` that only this cloud has.
    #[derive(Clone, Debug)]
    pub struct SourceKeys in "targets.*.credentials." of "ncp" {
        /// env: NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY (or NCLOUD_ACCESS_KEY and
        /// NCLOUD_SECRET_KEY). files: access-key-id and secret-access-key in a directory.
        /// ncloud_configure: the file of the ncloud command. server_role: the role of the server,
        /// from its metadata service. sts: temporary keys for the key that base names. exec: what a
        /// command prints.
        source: String = kind(Kind::Word(SOURCES)), Is("env");
        /// The file of the ncloud command.
        file: Option<PathBuf> = path(), Depends("~/.ncloud/configure, for the source ncloud_configure");
        /// The section of that file.
        profile: Option<String> = text(PROFILE), Depends("DEFAULT, for the source ncloud_configure");
        /// The life asked for, for the source sts.
        duration: Duration = millis(600_000, 43_200_000), Is("1h");
    }
}

const SOURCES: &[&str] = &[
    "env",
    "files",
    "ncloud_configure",
    "server_role",
    "sts",
    "exec",
];

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum KeySources {
    /// The file of the `ncloud` command.
    NcloudConfigure {
        /// Its path.
        file: PathBuf,
        /// The section to read.
        profile: String,
    },
    /// The role of the server, from the metadata service.
    ServerRole {
        /// Where the metadata service is; `None` = its documented address.
        #[serde(serialize_with = "serialize_url")]
        metadata_url: Option<Url>,
    },
    /// Temporary keys from the token service.
    Sts {
        /// The key that asks for them.
        #[serde(flatten)]
        base: BaseKey,
        /// The life asked for: 10 minutes to 12 hours.
        #[serde(serialize_with = "serialize_duration")]
        duration: Duration,
    },
    /// One that every cloud has.
    #[serde(untagged)]
    Shared(SharedSource),
}

impl Config {
    fn check(&mut self, reader: &mut Reader<'_>) {
        let subnet = reader.stands(Subnet::vpc_no) || reader.stands(Subnet::subnet_no);
        if self.site == Site::Gov && subnet {
            reader.fault(
                Self::vpc,
                "site gov has the platform classic alone; remove it",
            );
        }
    }

    fn endpoint(&self, base_url: Option<&Url>) -> Result<Endpoint, String> {
        let endpoint = Endpoint::new(
            self.site,
            self.region,
            self.api_version,
            base_url,
            self.platform,
        )?;
        Ok(endpoint.with_default_vpc(self.vpc.numbers()))
    }
}

impl Subnet {
    fn check(&mut self, reader: &mut Reader<'_>) {
        reader.pair([Self::vpc_no.key, Self::subnet_no.key]);
    }

    /// Both numbers, or none.
    #[must_use]
    pub fn numbers(self) -> Option<Vpc> {
        Some(Vpc {
            vpc_no: self.vpc_no?,
            subnet_no: self.subnet_no?,
        })
    }
}

fn region(reader: &mut Reader<'_>, key: TypedKey<Region>) -> Option<Region> {
    let (site, region) = (reader.get(Config::site)?, reader.get(key)?);
    if site != Site::Public && region != Region::Kr {
        let site = site.word();
        reader.fault(
            key,
            format!("site {site} has the region kr alone; remove it"),
        );
    }
    Some(region)
}

fn api_version(reader: &mut Reader<'_>, key: TypedKey<ApiVersion>) -> Option<ApiVersion> {
    match (reader.get(Config::site)?, reader.given(key)) {
        (Site::Gov, given) => {
            if given == Some(ApiVersion::V21) {
                reader.fault(key, "site gov has 2.0 alone; remove it");
            }
            Some(ApiVersion::V20)
        }
        (_, given) => Some(given.unwrap_or(ApiVersion::V21)),
    }
}

fn platform(reader: &mut Reader<'_>, key: TypedKey<Platform>) -> Option<Platform> {
    let (site, region) = (reader.get(Config::site)?, reader.get(Config::region)?);
    let (only, whose) = match (site, region) {
        (Site::Fin, _) => (Platform::Vpc, "site fin"),
        (Site::Gov, _) => (Platform::Classic, "site gov"),
        (Site::Public, Region::Sg) => (Platform::Vpc, "region sg"),
        (Site::Public, Region::Jp) => (Platform::Vpc, "region jp"),
        (Site::Public, Region::Kr) => {
            let first = reader.given(Config::api_version) == Some(ApiVersion::V20);
            let usual = if first {
                Platform::Classic
            } else {
                Platform::Vpc
            };
            return Some(reader.given(key).unwrap_or(usual));
        }
    };
    if reader.given(key).is_some_and(|given| given != only) {
        let name = only.word();
        reader.fault(key, format!("{whose} has {name} alone; remove it"));
    }
    Some(only)
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
            "ncloud_configure" => &["file", "profile", "verify"],
            "server_role" => &["metadata_url", "verify"],
            _ => &["base", "directory", "duration", "verify"],
        }
    }

    fn read(reader: &mut Reader<'_>, source: &str) -> Option<Self> {
        match source {
            "ncloud_configure" => Some(Self::NcloudConfigure {
                file: match reader.get(SourceKeys::file)? {
                    Some(file) => file,
                    None => reader.expand(SourceKeys::file, PathBuf::from(DEFAULT_FILE))?,
                },
                profile: reader
                    .get(SourceKeys::profile)?
                    .unwrap_or_else(|| DEFAULT_PROFILE.to_owned()),
            }),
            "server_role" => Some(Self::ServerRole {
                metadata_url: metadata_url(reader),
            }),
            "sts" => Some(Self::Sts {
                base: BaseKey::read(reader)?,
                duration: reader.get(SourceKeys::duration)?,
            }),
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
            Self::NcloudConfigure { file, profile } => {
                format!("section {profile} of {}", file.display())
            }
            Self::ServerRole { .. } => {
                "the metadata service, which gives those of the server's role".to_owned()
            }
            Self::Sts { base, .. } => format!(
                "the token service, which is asked with the key in {}",
                base.described(VARIABLES)
            ),
            Self::Shared(source) => source.described(VARIABLES),
        }
    }
}

impl CloudSettings for Config {
    type Source = KeySources;

    const FACTS: CloudFacts = CloudFacts {
        name: "ncp",
        about: "NAVER Cloud Functions",
        variables: "NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY",
        // It holds a call for at most 60 s.
        attempt: Duration::from_secs(75),
    };

    fn place(&self) -> (&'static str, String) {
        let place = match self.site {
            Site::Public => self.region.word(),
            site => site.word(),
        };
        ("naver_cloud", place.to_owned())
    }

    fn other_hosts<'s>(&'s self, source: &KeySources) -> Vec<Option<&'s Url>> {
        match source {
            KeySources::Sts { .. } => vec![self.sts_url.as_ref()],
            _ => Vec::new(),
        }
    }

    fn account(
        &self,
        source: &KeySources,
        verify: Option<bool>,
        context: &AccountContext<'_>,
    ) -> Result<Arc<dyn Account>, String> {
        let issuer: Box<dyn Issuer> = match source {
            KeySources::Shared(source) => {
                let origin = source.origin(KEY_NAMES, &context.variables);
                return self.with_keys(origin, verify, context);
            }
            KeySources::NcloudConfigure { file, profile } => {
                let origin = Origin::Local(Source::NcloudConfigure {
                    file: file.clone(),
                    profile: profile.clone(),
                });
                return self.with_keys(origin, verify, context);
            }
            KeySources::ServerRole { metadata_url } => Box::new(ServerRole::new(&metadata_at(
                metadata_url.as_ref(),
                ServerRole::URL,
            )?)?),
            KeySources::Sts { base, duration } => {
                let url = metadata_at(self.sts_url.as_ref(), sts_host(self.site))?;
                Box::new(Sts {
                    transport: (context.transport)(Some(&url)),
                    url,
                    base: base.source(KEY_NAMES, &context.variables),
                    duration: *duration,
                })
            }
        };
        self.with_keys(Origin::Issued(issuer), verify, context)
    }
}

impl Config {
    fn with_keys(
        &self,
        origin: Origin,
        verify: Option<bool>,
        context: &AccountContext<'_>,
    ) -> Result<Arc<dyn Account>, String> {
        let endpoint = self.endpoint(context.base_url)?;
        let trial = || {
            Arc::new(KeyTrial {
                endpoint: endpoint.clone(),
                transport: (context.transport)(context.base_url),
            })
        };
        let credentials = context.keeper.credentials(origin, verify, trial)?;
        Ok(Arc::new(NcpAccount {
            endpoint,
            credentials,
        }))
    }
}

/// Keys, and the place where they are good.
struct NcpAccount {
    endpoint: Endpoint,
    credentials: Credentials,
}

impl Account for NcpAccount {
    fn status(&self) -> Status {
        self.credentials.status()
    }

    fn provider(&self, rules: RunRules, transport: Transport) -> Arc<dyn Provider> {
        let settings = Settings {
            endpoint: self.endpoint.clone(),
            wait: rules.wait,
            idempotent_actions: rules.idempotent_actions,
        };
        Arc::new(Ncp::new(settings, transport, self.credentials.clone()))
    }
}
