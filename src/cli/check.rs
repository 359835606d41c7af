//! `check`: is the configuration right, what does it mean, and what would it change?

mod diff;

use clap::{Args, ValueEnum};

use crate::config::{effective, effective_json};
use crate::env::Env;

use super::config_args::{ConfigArgs, read};
use super::exit::Exit;
use super::io::Io;

pub use diff::Base;

const HELP: &str = "\
Every mistake is told at once, with its path and line, and the exit code is then 78. A right
configuration is printed as it holds, every default filled in. Of keys only the source is shown.

With --diff the differences to another configuration are printed instead, one line a key: `~` changed,
`+` added, `-` removed, as seen from that one; a key that a running sidecar takes up only when it starts
anew says so. The other is a running sidecar, by its admin address, or a file. The exit code is 0 when
nothing differs, 3 when something does, 1 when the sidecar cannot be asked.

Examples:
  faas-sidecar check --config faas.yaml
  faas-sidecar check --config faas.yaml --diff 127.0.0.1:9901     what would a reload change?
  faas-sidecar check --config new.yaml --diff old.yaml
  faas-sidecar check --config faas.yaml --format json | jq .targets
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
    /// Print what differs from a running sidecar (the host:port of its admin pages) or from another file
    #[arg(long, value_name = "ADDRESS|FILE")]
    pub diff: Option<Base>,
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
    match (read(&sources, io), &args.diff) {
        (Ok(config), Some(base)) => diff::run(&config, base, args.format, &sources, io),
        (Ok(config), None) => io.print(&match args.format {
            CheckFormat::Yaml => effective(&config),
            CheckFormat::Json => effective_json(&config),
        }),
        (Err(exit), _) => exit,
    }
}
