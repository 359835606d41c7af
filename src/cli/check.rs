//! `check`: is the configuration right, and what does it mean?

mod online;

use clap::{Args, ValueEnum};

use crate::config::{effective, effective_json};
use crate::env::Env;

use super::config_args::ConfigArgs;
use super::exit::Exit;
use super::io::Io;

const HELP: &str = "\
Every mistake is told at once, with its path and line, and the exit code is then 78. A right
configuration is printed as it holds, every default filled in. Of keys only the source is shown.

With --online each target's host is asked for its time too, with one request that carries no key. What it
says goes to standard error; the exit code is 1 when a host cannot be reached. A clock that is off is no
failure: signatures are corrected by what the host's answers show.

Examples:
  faas-sidecar check --config faas.yaml
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
    /// Ask each target's host for its time, and compare it with this machine's
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
    let config = match args.config.load(env, io) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let printed = io.print(&match args.format {
        CheckFormat::Yaml => effective(&config),
        CheckFormat::Json => effective_json(&config),
    });
    match printed {
        Exit::Clean if args.online => online::check(&config, env, io),
        printed => printed,
    }
}
