//! `emulator`: the arguments of the cloud on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::units::parse_duration;

use super::keys::KeyArgs;

const HELP: &str = "\
A strict copy of the REST API, written from its documents: it checks signature and time window, names,
limits and counts, answers with the documented codes, and runs the actions. Point a target's base_url,
or any client of the real API, at it.

Examples:
  faas-sidecar emulator --data-dir ./functions
  faas-sidecar emulator --activation-lag 35s          details of a run appear as late as in the cloud
  faas-sidecar emulator --fault 'status=503,rate=0.1' --fault 'latency=2s'";

/// Arguments of `emulator`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct EmulatorArgs {
    /// Where REST requests are accepted; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// Keep packages and actions here; without it they end with the process
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// The keys that requests must be signed with.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How long after a run its details stay hidden
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub activation_lag: Duration,
    /// Which NAVER Cloud to be
    #[arg(long, value_enum, default_value_t = EmulatorSite::Public)]
    pub site: EmulatorSite,
    /// A fault to inject; may be given again
    #[arg(long, value_name = "SPEC")]
    pub fault: Vec<String>,
}

/// Which NAVER Cloud to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmulatorSite {
    /// Both API versions, both platforms
    Public,
    /// The financial cloud: VPC alone
    Fin,
    /// The public-sector cloud: version 2.0 and Classic alone
    Gov,
}
