//! What is told about one target. Which sites, regions and versions go together is checked in
//! `build::ncp`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};
use url::Url;

use super::callers::AllowRule;
use super::keys::Provider;
use super::units::{serialize_duration, serialize_optional_duration, serialize_size};

/// One functions cloud: whose, where, with which keys and within which bounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetConfig {
    /// What only this cloud has.
    #[serde(flatten)]
    pub cloud: Cloud,
    /// Replaces scheme and host, and with a path the path prefix too; plain http was checked
    /// against `allow_plaintext`. No user, query or fragment.
    #[serde(serialize_with = "serialize_url")]
    pub base_url: Option<Url>,
    /// Whether plain http may leave the machine.
    pub allow_plaintext: bool,
    /// How far the time of a signature may be from this machine's clock.
    #[serde(serialize_with = "serialize_duration")]
    pub max_clock_correction: Duration,
    /// Certificate authorities in place of the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// The certificate chain shown to the upstream; there with `client_key_file` or not at all.
    pub client_cert_file: Option<PathBuf>,
    /// Its key.
    pub client_key_file: Option<PathBuf>,
    /// Where the keys come from.
    pub credentials: Credentials,
    /// How long an Invoke that does not say waits; at most `timeouts.request`.
    #[serde(serialize_with = "serialize_duration")]
    pub wait: Duration,
    /// `package/action` patterns of actions that may run twice; `-` is "no package", `*` any
    /// characters.
    pub idempotent_actions: Vec<String>,
    /// The calls that are allowed; `None` = all, or none with `default_deny`.
    pub allow: Option<Vec<AllowRule>>,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How much may go on at once.
    pub limits: Limits,
    /// When calls are refused because the cloud is sick.
    pub breaker: Breaker,
}

/// What only one cloud has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "provider", rename_all = "lowercase")]
pub enum Cloud {
    /// NAVER Cloud Functions.
    Ncp(Ncp),
    /// Huawei FunctionGraph.
    FunctionGraph(FunctionGraph),
}

impl Cloud {
    /// Whose cloud it is.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::Ncp(_) => Provider::Ncp,
            Self::FunctionGraph(_) => Provider::FunctionGraph,
        }
    }
}

/// Where in NAVER Cloud, and which API. The four go together (`ncp-cloud-functions` §1, §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ncp {
    /// Which NAVER Cloud.
    pub site: Site,
    /// Which region of it.
    pub region: Region,
    /// Which generation of the API.
    pub api_version: ApiVersion,
    /// The platform of a request that names none. On fin and gov it is the only one, and never
    /// sent.
    pub platform: Platform,
    /// The subnet of actions on platform vpc whose put names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    /// Replaces the site's token service.
    #[serde(serialize_with = "serialize_url")]
    pub sts_url: Option<Url>,
}

/// A subnet by the numbers that the console shows; both are positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Vpc {
    /// The VPC.
    pub vpc_no: i64,
    /// The subnet in it.
    pub subnet_no: i64,
}

/// The three NAVER Clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// `ntruss.com`
    Public,
    /// `fin-ntruss.com`
    Fin,
    /// `gov-ntruss.com`
    Gov,
}

/// The regions that have Cloud Functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// Korea.
    Kr,
    /// Singapore, region code SGN.
    Sg,
    /// Japan, region code JPN.
    Jp,
}

/// The generations of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ApiVersion {
    /// Prefix `/ncf/api/v2`.
    #[serde(rename = "2.1")]
    V2_1,
    /// Prefix `/api/v2`.
    #[serde(rename = "2.0")]
    V2_0,
}

/// The platforms of NAVER Cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// VPC.
    Vpc,
    /// Classic.
    Classic,
}

/// Where in Huawei Cloud.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionGraph {
    /// The region id.
    pub region: String,
    /// 32 letters and digits; absent = looked up at IAM by the project's name.
    pub project_id: Option<String>,
    /// The project's name; absent = the region's id.
    pub project_name: Option<String>,
    /// Replaces the region's IAM host.
    #[serde(serialize_with = "serialize_url")]
    pub iam_url: Option<Url>,
}

/// Where the keys come from; never the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    /// The source.
    #[serde(flatten)]
    pub source: CredentialSource,
    /// Whether new keys are tried before they replace good ones; `None` = the source's keys never
    /// change, or it gives a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<bool>,
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum CredentialSource {
    /// The provider's own environment variables.
    Env,
    /// `access-key-id`, `secret-access-key` and, if there, `security-token`.
    Files {
        /// Where those files are.
        directory: PathBuf,
    },
    /// The file of the `ncloud` command (ncp only).
    NcloudConfigure {
        /// Its path.
        file: PathBuf,
        /// The section to read.
        profile: String,
    },
    /// The role of the server, from the metadata service (ncp only).
    ServerRole {
        /// Where the metadata service is; `None` = its documented address.
        #[serde(serialize_with = "serialize_url")]
        metadata_url: Option<Url>,
    },
    /// Temporary keys from the token service (ncp only).
    Sts {
        /// The key that asks for them.
        #[serde(flatten)]
        base: BaseKey,
        /// The life asked for: 10 minutes to 12 hours.
        #[serde(serialize_with = "serialize_duration")]
        duration: Duration,
    },
    /// `username`, `password` and `domain`, exchanged for a token (functiongraph only).
    IamPassword {
        /// Where those files are.
        directory: PathBuf,
    },
    /// Temporary keys of the server's agency, from the metadata service (functiongraph only).
    EcsMetadata {
        /// Where the metadata service is; `None` = its documented address.
        #[serde(serialize_with = "serialize_url")]
        metadata_url: Option<Url>,
    },
    /// Temporary keys for a login as that of `iam_password` (functiongraph only).
    TemporaryKeys {
        /// Where the login's files are.
        directory: PathBuf,
        /// The life asked for: 15 minutes to 24 hours.
        #[serde(serialize_with = "serialize_duration")]
        duration: Duration,
    },
    /// Temporary keys of an agency, for a permanent key (functiongraph only).
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
    /// What a command prints.
    Exec {
        /// The program.
        command: PathBuf,
        /// Its arguments.
        args: Vec<String>,
        /// The names of the variables that it is given.
        env: Vec<String>,
        /// How long it may take.
        #[serde(serialize_with = "serialize_duration")]
        timeout: Duration,
    },
}

/// Where the permanent key is that asks for temporary ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "base", rename_all = "snake_case")]
pub enum BaseKey {
    /// As the source `env`.
    Env,
    /// As the source `files`.
    Files {
        /// Where the files are.
        directory: PathBuf,
    },
}

impl From<CredentialSource> for Credentials {
    /// Keys that may change are verified; see `docs/decisions.md`.
    fn from(source: CredentialSource) -> Self {
        let verify = source.is_verified().then_some(true);
        Self { source, verify }
    }
}

impl CredentialSource {
    /// Whether `verify` means anything for this source.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        !matches!(self, Self::Env | Self::IamPassword { .. })
    }
}

/// How failed attempts are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Retry {
    /// Attempts of one call, the first included: 1 to 10.
    pub max_attempts: u32,
    /// Upper bound of the first pause; at most `max_backoff`.
    #[serde(serialize_with = "serialize_duration")]
    pub initial_backoff: Duration,
    /// Upper bound of any pause.
    #[serde(serialize_with = "serialize_duration")]
    pub max_backoff: Duration,
    /// A limit on all retries of the target together.
    pub budget: Budget,
}

/// A limit on all retries of a target together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// Retries a call, 0 to 1.
    pub ratio: f64,
    /// Retries a second in any case, 0 to 1000.
    pub min_per_second: u32,
}

/// How long things may take. None is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// Connecting, with TLS.
    #[serde(serialize_with = "serialize_duration")]
    pub connect: Duration,
    /// One HTTP request; at most `request`.
    #[serde(serialize_with = "serialize_duration")]
    pub attempt: Duration,
    /// One gRPC call in all.
    #[serde(serialize_with = "serialize_duration")]
    pub request: Duration,
    /// How long an unused connection is kept.
    #[serde(serialize_with = "serialize_duration")]
    pub idle: Duration,
    /// How long any connection takes new requests.
    #[serde(serialize_with = "serialize_duration")]
    pub max_connection_age: Duration,
}

/// How much may go on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Calls that run at once; at least 1.
    pub max_in_flight: usize,
    /// Calls that wait for their turn.
    pub max_queue: usize,
    /// How long one waits; `None` = as long as its own deadline allows.
    #[serde(serialize_with = "serialize_optional_duration")]
    pub queue_timeout: Option<Duration>,
    /// The largest answer read, in bytes.
    #[serde(serialize_with = "serialize_size")]
    pub max_response_size: u64,
    /// Whether the rate that the cloud allows is learnt from its 429s.
    pub adaptive_rate: bool,
}

/// When calls are refused because the cloud is sick.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Breaker {
    /// False = never.
    pub enabled: bool,
    /// Failures in a row that open the circuit; 0 = that signal is off.
    pub consecutive_failures: u32,
    /// Least share of successes in the window, 0 to 1; 0 = that signal is off.
    pub success_rate: f64,
    /// Requests that the window must hold before the share counts; at least 1.
    pub min_requests: u32,
    /// How far back the share looks.
    #[serde(serialize_with = "serialize_duration")]
    pub window: Duration,
    /// Upper bound of the first pause before a probe; at most `max_open`.
    #[serde(serialize_with = "serialize_duration")]
    pub open: Duration,
    /// Upper bound of any pause.
    #[serde(serialize_with = "serialize_duration")]
    pub max_open: Duration,
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn serialize_url<S: Serializer>(url: &Option<Url>, out: S) -> Result<S::Ok, S::Error> {
    match url {
        Some(url) => out.serialize_some(url.as_str()),
        None => out.serialize_none(),
    }
}
