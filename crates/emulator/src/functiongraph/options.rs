//! How the emulated cloud behaves, with the documented numbers as defaults.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::FaultPlan;
use crate::random;

/// The region, and the name of its only project, when no other is configured.
pub const DEFAULT_REGION: &str = "cn-north-4";
/// The id of that project.
pub const DEFAULT_PROJECT_ID: &str = "0123456789abcdef0123456789abcdef";
/// The name of the account.
pub const DEFAULT_DOMAIN: &str = "emulator-account";
/// The IAM user that can log in when no other is configured.
pub const DEFAULT_USER: &str = "emulator-user";

/// How the emulated cloud behaves. The default is one project on a free port, in memory, with a
/// random key, and a user with a random password.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names besides `localhost` and addresses that `Host` and `Origin` of a request may have.
    pub allowed_hosts: Vec<String>,
    /// The keys that may sign.
    pub keys: Vec<KeyPair>,
    /// The IAM users that may log in.
    pub users: Vec<User>,
    /// Agencies that users of another account may assume (IAM docs: "Obtaining an Agency Token").
    pub agencies: Vec<Agency>,
    /// The projects of the account; their names begin with the region.
    pub projects: Vec<Project>,
    /// The name of the account.
    pub domain: String,
    /// The id of the account.
    pub domain_id: String,
    /// Where functions, aliases and records are kept; `None` keeps them in memory.
    pub data_dir: Option<PathBuf>,
    /// Milliseconds that the cloud's clock is ahead of the machine's.
    pub clock_offset_ms: i64,
    /// Sizes, counts and times.
    pub limits: Limits,
    /// HTTP status of a synchronous call whose function failed. No document says whether it is 200
    /// or 500.
    pub function_error_status: u16,
    /// How the last page of a list ends.
    pub end_of_list: EndOfList,
    /// A PUT of the configuration keeps optional fields that it leaves out. No document says;
    /// clearing is the harder case.
    pub put_keeps_omitted: bool,
    /// Lists ignore their markers and limits and give everything, as the list of versions always
    /// does.
    pub ignore_paging: bool,
    /// Whether functions may run that need a process of their own, as Python does; the process has
    /// the rights of this one.
    pub processes: bool,
    /// For so long after its creation a function cannot be deleted: 400 `FSS.0400` (seen by others,
    /// in no document).
    pub settling: Duration,
    /// Before each retry of a failed asynchronous run. INFERRED: no document gives a number.
    pub async_retry_delay: Duration,
    /// How long a token lives (IAM docs: 24 hours).
    pub token_life: Duration,
    /// Faults from the start.
    pub faults: Vec<FaultPlan>,
    /// The same seed and the same requests give the same faults.
    pub fault_seed: u64,
    /// How many requests the recorder keeps.
    pub recorded_requests: usize,
    /// A file that gets every request as a line of JSON: `time_ms`, `method`, `target`, `headers`,
    /// `body` in base64.
    pub record_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allowed_hosts: Vec::new(),
            keys: vec![KeyPair::random()],
            users: vec![User::random()],
            agencies: Vec::new(),
            projects: vec![Project::new(DEFAULT_PROJECT_ID, DEFAULT_REGION)],
            domain: DEFAULT_DOMAIN.into(),
            domain_id: "fedcba9876543210fedcba9876543210".into(),
            data_dir: None,
            clock_offset_ms: 0,
            limits: Limits::default(),
            function_error_status: 200,
            end_of_list: EndOfList::Offset,
            put_keeps_omitted: false,
            ignore_paging: false,
            processes: true,
            settling: Duration::ZERO,
            async_retry_delay: Duration::from_secs(1),
            token_life: Duration::from_secs(24 * 60 * 60),
            faults: Vec::new(),
            fault_seed: 0,
            recorded_requests: 1000,
            record_file: None,
        }
    }
}

/// A project: where functions live, and what a token or a signature is scoped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// 32 letters and digits.
    pub id: String,
    /// The region, or `{region}_{name}`.
    pub name: String,
}

impl Project {
    /// A project.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
        }
    }

    /// Project names look like `eu-de_myproject` (IAM docs, Open Telekom Cloud edition).
    pub(super) fn region(&self) -> &str {
        self.name.split('_').next().unwrap_or_default()
    }
}

/// Rights of a key or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything, as `FunctionGraph FullAccess`.
    Full,
    /// Reads, as `FunctionGraph ReadOnlyAccess`; the rest answers 403 with `FSS.1126`.
    ReadOnly,
    /// Nothing: the gateway answers 403 with `APIGW.0302`.
    None,
}

/// A key that may sign requests.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// AK.
    pub access_key: String,
    /// SK, used as it is written.
    pub secret_key: String,
    /// A temporary key needs this in `X-Security-Token`.
    pub security_token: Option<String>,
    /// When a temporary key ends, in milliseconds since 1970 by the emulator's clock.
    pub expires_at_ms: Option<i64>,
    /// What the key may do.
    pub access: Access,
}

impl KeyPair {
    /// A permanent key with every right.
    #[must_use]
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            security_token: None,
            expires_at_ms: None,
            access: Access::Full,
        }
    }

    /// A permanent key with every right that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        let id = random::text(random::CAPITALS, 12);
        Self::new(
            format!("EMULATOR{id}"),
            random::text(random::ALPHANUMERIC, 40),
        )
    }

    /// The same key as a temporary one, which needs this security token beside its signature.
    #[must_use]
    pub fn temporary(mut self, security_token: impl Into<String>) -> Self {
        self.security_token = Some(security_token.into());
        self
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("access_key", &self.access_key)
            .field("temporary", &self.security_token.is_some())
            .field("expires_at_ms", &self.expires_at_ms)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// An IAM user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name of the user's account.
    pub domain: String,
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: String,
    /// What the user may do.
    pub access: Access,
}

impl User {
    /// A user with every right.
    #[must_use]
    pub fn new(
        domain: impl Into<String>,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        Self {
            domain: domain.into(),
            name: name.into(),
            password: password.into(),
            access: Access::Full,
        }
    }

    /// [`DEFAULT_USER`] of [`DEFAULT_DOMAIN`], with a password that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        Self::new(
            DEFAULT_DOMAIN,
            DEFAULT_USER,
            random::text(random::ALPHANUMERIC, 24),
        )
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("domain", &self.domain)
            .field("name", &self.name)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// An agency of this account that users of another account may assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    /// Its name.
    pub name: String,
    /// The account whose users may assume it.
    pub trusted_domain: String,
}

/// What `next_marker` is on the last page. Known clients stop at an empty page, at a marker that
/// does not move, or at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfList {
    /// The offset behind the last item, as on every page.
    Offset,
    /// Zero.
    Zero,
}

/// Sizes, counts and times. Sources: Function Graph user manual "Notes and Constraints" unless
/// another is named.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a synchronous event: 6 MB.
    pub sync_body: usize,
    /// Bytes of a result: 6 MB and 100 bytes.
    pub result: usize,
    /// Bytes of an asynchronous event: 256 KB.
    pub async_body: usize,
    /// Bytes of any body that passes the gateway (API Gateway docs, "Error Codes", APIG.0201): 12
    /// MB.
    pub gateway_body: usize,
    /// How long the gateway waits for a synchronous run (FAQ): 90 s.
    pub gateway_wall: Duration,
    /// How far a signature's time may be from the clock (API Request Signing Guide): 15 min.
    pub signature_window: Duration,
    /// Bad signatures in a row that lock a key (signing troubleshooting page).
    pub bad_signatures: u32,
    /// How long a key stays locked (signing troubleshooting page): 5 min.
    pub lock: Duration,
    /// Functions of the account: 400.
    pub functions: usize,
    /// Packages of the account: 400.
    pub packages: usize,
    /// Versions of a function with `latest`: 20.
    pub versions: usize,
    /// Aliases of a function: 10.
    pub aliases: usize,
    /// Runs at the same time: 100.
    pub concurrency: usize,
    /// Bytes of inline code (error table, FSS.1072): 10 KB.
    pub inline_code: usize,
    /// Bytes of a package (error table, FSS.1071): 50 MB.
    pub package_code: usize,
    /// Bytes of all code: 10 GB.
    pub code_total: u64,
    /// Bytes of log that are kept of one run. INFERRED: the log service takes more; nothing here
    /// shows more.
    pub log: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sync_body: 6 << 20,
            result: (6 << 20) + 100,
            async_body: 256 << 10,
            gateway_body: 12 << 20,
            gateway_wall: Duration::from_secs(90),
            signature_window: Duration::from_secs(15 * 60),
            bad_signatures: 5,
            lock: Duration::from_secs(5 * 60),
            functions: 400,
            packages: 400,
            versions: 20,
            aliases: 10,
            concurrency: 100,
            inline_code: 10 << 10,
            package_code: 50 << 20,
            code_total: 10 << 30,
            log: 1 << 20,
        }
    }
}
