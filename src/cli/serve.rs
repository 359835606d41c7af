//! `serve`: the arguments of the sidecar itself.

use clap::Args;

use super::config_args::ConfigArgs;

const HELP: &str = "\
Without a file there is one target, named default: the public NAVER Cloud in Korea, with keys from
NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY. The log says so.

The log line `ready` means that calls are accepted. SIGTERM ends the sidecar cleanly: new calls are
refused, calls in flight finish within drain_timeout, and the exit code is 0.

Examples:
  faas-sidecar serve --config faas.yaml
  faas-sidecar serve --config faas.yaml --listen unix:/run/faas.sock --log-format json
  faas-sidecar serve --emulator                      no cloud and no keys: functions run on this machine";

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct ServeArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Send every ncp target's requests to an emulator inside this process
    #[cfg(feature = "emulator")]
    #[arg(long)]
    pub emulator: bool,
}
