//! `probe` and `wait`: is a sidecar healthy, now or soon?

use std::time::Duration;

use clap::Args;

use crate::config::units::parse_duration;

use super::address::{ADDRESS_HELP, Address};

const HELP: &str = "\
Asks grpc.health.v1. Exit code 0 means SERVING; 1 means anything else, told on standard error.

Examples:
  faas-sidecar probe                                 an exec probe of Kubernetes
  faas-sidecar probe --service faas.v1.InvocationService
  faas-sidecar wait --timeout 1m && ./run-tests";

/// Arguments of `probe` and `wait`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct ProbeArgs {
    /// The sidecar.
    #[arg(long, value_name = "ADDRESS", help = ADDRESS_HELP)]
    pub address: Option<Address>,
    /// One service of it instead of the whole
    #[arg(long, value_name = "NAME", default_value = "")]
    pub service: String,
    /// How long to try [default: 1s for probe, 30s for wait]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

impl ProbeArgs {
    /// How long one question may take.
    pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
    /// How long `wait` goes on asking.
    pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
}
