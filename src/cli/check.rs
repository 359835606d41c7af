//! `check`: is the configuration right, what does it mean, and what would it change?

mod diff;
mod online;

use clap::{Args, ValueEnum};

use crate::config::{effective, effective_json};
use crate::env::Env;
use crate::telemetry;

use super::config_args::{ConfigArgs, read};
use super::exit::Exit;
use super::io::Io;

pub use diff::Base;

const HELP: &str = "\
All mistakes are reported together, each with its path and line; the exit code is then 78. A valid
configuration is printed with every default filled in. Keys are never printed, only their source.
An OTEL_* variable that cannot be used gives a warning: the sidecar starts without it.

--diff prints what differs from another configuration instead, one line per key: `~` changed, `+` added,
`-` removed. A key that needs a restart says so. The other configuration is a file, or that of a running
sidecar, given by its admin address. The exit code is 0 when nothing differs, 3 when something does, and
1 when the sidecar cannot be reached.

--online also sends one request without a key to each target's host and compares the clocks. The result
goes to standard error; the exit code is 1 when a host cannot be reached. A clock that is wrong is not a
failure: signatures use the time that the host's answers show.

Examples:
  faas-sidecar check --config faas.yaml
  faas-sidecar check --config faas.yaml --diff 127.0.0.1:9901     what would a reload change?
  faas-sidecar check --config new.yaml --diff old.yaml
  faas-sidecar check --config faas.yaml --format json | jq .targets
  faas-sidecar check --config faas.yaml --online > /dev/null
  FAAS_SIDECAR_LOG_LEVEL=debug faas-sidecar check";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct CheckArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How the configuration is printed
    #[arg(long, value_enum, default_value_t = CheckFormat::Yaml)]
    pub format: CheckFormat,
    /// Print what differs from a running sidecar (the address or socket of its admin pages) or from
    /// another file
    #[arg(long, value_name = "ADDRESS|FILE", conflicts_with = "online")]
    pub diff: Option<Base>,
    /// Compare this machine's clock with that of each target's host
    #[arg(long)]
    pub online: bool,
}

/// How the configuration is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A file that could be used as it is
    Yaml,
    /// The same for programs
    Json,
}

pub(super) fn run(args: CheckArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    let sources = args.config.sources(env);
    let config = match read(&sources, io) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    if let Some(base) = &args.diff {
        return diff::run(&config, base, args.format, &sources, io);
    }
    // What does not keep a sidecar from starting changes no exit code either.
    let warnings = telemetry::check(&|name| env.get(name));
    for warning in warnings.into_iter().chain(config.open_metrics()) {
        io.complain(&format!("warning: {warning}"));
    }
    let printed = io.print(&match args.format {
        CheckFormat::Yaml => effective(&config),
        CheckFormat::Json => effective_json(&config),
    });
    match printed {
        Exit::Clean if args.online => online::check(&config, env, io),
        printed => printed,
    }
}
