//! NAVER Cloud Functions on loopback: both generations of the REST API (`/api/v2` and
//! `/ncf/api/v2`), all 21 operations.
//!
//! It is strict: a request that the documents do not allow is refused with the documented code, so
//! that a client that works here has no luck left to need. Where the documents are silent the
//! choice is marked INFERRED beside the code.
//!
//! | room | NCP document |
//! | --- | --- |
//! | `gateway` | common-ncpapi (signature), api-call-lgc-errorhandling (gateway codes) |
//! | `route` | compute-cloudfunctions (paths), one page an operation |
//! | `site` | compute-cloudfunctions (hosts, platforms) |
//! | `codes` | "Cloud Functions response status codes" |
//! | `package`, `action`, `trigger`, `link`, `activation` | the pages of the operations |
//! | `engine` | cloudfunctions-spec (limits); Apache OpenWhisk for what NCP leaves open |

mod action;
mod activation;
mod body;
mod cloud;
mod codes;
mod engine;
mod fire;
mod gateway;
mod link;
mod model;
mod outcome;
mod package;
mod route;
mod site;
mod trigger;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::faults::{FaultPlan, Faults};
use super::http::{self, Running, Settings};
use super::random;
use cloud::Cloud;
pub use site::Site;

/// Code may have 48 MB as text, which JSON may write with an escape for each byte (NCP docs v3:
/// type-actioncode). INFERRED: the gateway's own limit is not published.
const MAX_BODY: usize = 98 << 20;

/// How the emulated cloud behaves. The default is a public Korean cloud on a free port, in memory,
/// with a random key.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names besides `localhost` and addresses that `Host` and `Origin` of a request may have.
    pub allowed_hosts: Vec<String>,
    /// The keys that may sign.
    pub keys: Vec<KeyPair>,
    /// Where packages, actions, triggers, links and activations are kept, one file a site; `None`
    /// keeps them in memory.
    pub data_dir: Option<PathBuf>,
    /// How long after the end of a run its detail still answers 404. The real cloud shows 30 to 40
    /// seconds.
    pub activation_lag: Duration,
    /// Whose rules hold.
    pub site: Site,
    /// Milliseconds that the cloud's clock is ahead of the machine's.
    pub clock_offset_ms: i64,
    /// How many of each thing fit.
    pub quotas: Quotas,
    /// Actions that may run at the same time (NCP docs: cloudfunctions-spec, 100).
    pub concurrency: usize,
    /// The account's short name: the first part of paths, and `namespace` and `subject` of
    /// activations.
    pub namespace: String,
    /// Answer 502 for a failed function and 202 when the wait is over, as Apache OpenWhisk does.
    /// NCP documents 200 alone.
    pub openwhisk_status: bool,
    /// Whether actions may run that need a process of their own, as Python does; the process has
    /// the rights of this one.
    pub processes: bool,
    /// Lists of activations ignore `pageNo` and `pageSize` and give everything.
    pub ignore_paging: bool,
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
            data_dir: None,
            activation_lag: Duration::ZERO,
            site: Site::Korea,
            clock_offset_ms: 0,
            quotas: Quotas::default(),
            concurrency: 100,
            namespace: "LocEmu".into(),
            openwhisk_status: false,
            processes: true,
            ignore_paging: false,
            faults: Vec::new(),
            fault_seed: 0,
            recorded_requests: 1000,
            record_file: None,
        }
    }
}

/// A key that may sign requests.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Access Key ID.
    pub access_key: String,
    /// Secret Key, used as it is written.
    pub secret_key: String,
    /// What the key may do.
    pub access: Access,
}

impl KeyPair {
    /// A key with every right.
    #[must_use]
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            access: Access::Manager,
        }
    }

    /// A key with every right that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        let id = random::text(random::CAPITALS, 12);
        Self::new(
            format!("EMULATOR{id}"),
            random::text(random::ALPHANUMERIC, 40),
        )
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("access_key", &self.access_key)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// Rights of a key (NCP docs: cloudfunctions-subaccount-vpc).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything, as `NCP_VPC_CLOUD_FUNCTIONS_MANAGER`.
    Manager,
    /// Lists and views, as `NCP_VPC_CLOUD_FUNCTIONS_VIEWER`; the rest answers 403 with code 80002.
    Viewer,
    /// Nothing: the gateway answers 401 with code 210.
    Denied,
}

/// How many of each thing fit into a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// NCP docs: cloudfunctions-spec, 500.
    pub packages: u64,
    /// NCP docs: cloudfunctions-spec, 500.
    pub actions: u64,
    /// NCP docs: cloudfunctions-spec, 500.
    pub triggers: u64,
    /// Triggers linked to one action. INFERRED: the code 80324 exists, its number is not published.
    pub links_per_action: usize,
    /// Actions linked to one trigger. INFERRED: the code 80519 exists, its number is not published.
    pub links_per_trigger: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            packages: 500,
            actions: 500,
            triggers: 500,
            links_per_action: 500,
            links_per_trigger: 500,
        }
    }
}

/// Starts the cloud on the current tokio runtime.
///
/// # Errors
///
/// When the address cannot be bound or the data directory cannot be opened.
pub async fn start(options: Options) -> io::Result<Running> {
    let clock = Clock::with_offset(options.clock_offset_ms);
    let settings = Settings {
        listen: options.listen,
        allowed_hosts: options.allowed_hosts.clone(),
        max_body: MAX_BODY,
        recorded: options.recorded_requests,
        record_file: options.record_file.clone(),
        clock: clock.clone(),
        faults: Faults::new(options.faults.clone(), options.fault_seed),
    };
    let cloud = Arc::new(Cloud::open(options, clock)?);
    let schedule = tokio::spawn(fire::keep_schedule(Arc::clone(&cloud)));
    http::serve(
        settings,
        Arc::new(gateway::Gateway::new(cloud)),
        vec![schedule],
    )
    .await
}
