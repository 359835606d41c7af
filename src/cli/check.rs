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
Every mistake is told at once, with its path and line, and the exit code is then 78. A right
configuration is printed as it holds, every default filled in. Of keys only the source is shown.
What the OTEL_* variables say that cannot be used is a warning: a sidecar starts without it.

With --diff the differences to another configuration are printed instead, one line a key: `~` changed,
`+` added, `-` removed, as seen from that one; a key that a running sidecar takes up only when it starts
anew says so. The other is a running sidecar, by its admin address, or a file. The exit code is 0 when
nothing differs, 3 when something does, 1 when the sidecar cannot be asked.

With --online each target's host is asked for its time too, with one request that carries no key. What it
says goes to standard error; the exit code is 1 when a host cannot be reached. A clock that is off is no
failure: signatures are corrected by what the host's answers show.

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
