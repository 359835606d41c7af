//! Huawei Cloud FunctionGraph v2 on loopback, and beside it on the same port the IAM that its
//! clients need.
//!
//! It is strict: a request that the documents do not allow is refused with the documented code, so
//! that a client that works here has no luck left to need. Where the documents are silent or
//! contradict each other the choice is marked INFERRED beside the code.
//!
//! | room | document |
//! | --- | --- |
//! | `gateway`, `route` | FunctionGraph API reference, one page an operation; API Gateway "Error Codes" |
//! | `access`, `signature`, `lock` | "API Request Signing Guide" and its troubleshooting pages |
//! | `iam`, `token` | IAM API reference, "Obtaining a User Token Through Password Authentication", "Obtaining an Agency Token" |
//! | `codes` | FunctionGraph API reference, appendix "Error Codes" |
//! | `urn` | "Function Model" (`functiongraph_06_0102`) |
//! | `function`, `version`, `alias`, `quota` | `functiongraph_06_0105` to `0118`, `0144` |
//! | `invoke`, `queue`, `async_invocation`, `async_config` | `functiongraph_06_0125`, `functiongraph_06_0126` |
//! | `run`, `outcome`, `log` | developer guide; the runtime contract of the open-sourced Go runtime |

mod access;
mod alias;
mod async_config;
mod async_invocation;
mod body;
mod cloud;
mod codes;
mod function;
mod gateway;
mod iam;
mod invoke;
mod lock;
mod log;
mod model;
mod options;
mod outcome;
mod queue;
mod quota;
mod route;
mod run;
mod signature;
mod slots;
mod time;
mod token;
mod urn;
mod version;

use std::io;
use std::sync::Arc;

use super::clock::Clock;
use super::faults::Faults;
use super::http::{self, Running, Settings};
use cloud::Cloud;
pub use options::{Access, Agency, EndOfList, KeyPair, Limits, Options, Project, User};
pub use options::{DEFAULT_DOMAIN, DEFAULT_PROJECT_ID, DEFAULT_REGION, DEFAULT_USER};

/// Starts the cloud on the current tokio runtime. FunctionGraph's and IAM's base URL are both
/// [`Running::base_url`].
///
/// # Errors
///
/// When the address cannot be bound, or the data directory or the record file cannot be opened.
pub async fn start(options: Options) -> io::Result<Running> {
    let clock = Clock::with_offset(options.clock_offset_ms);
    let settings = Settings {
        listen: options.listen,
        allowed_hosts: options.allowed_hosts.clone(),
        max_body: options.limits.gateway_body,
        recorded: options.recorded_requests,
        record_file: options.record_file.clone(),
        clock: clock.clone(),
        faults: Faults::new(options.faults.clone(), options.fault_seed),
    };
    let cloud = Arc::new(Cloud::open(options, clock)?);
    http::serve(settings, Arc::new(gateway::Gateway::new(cloud)), Vec::new()).await
}
