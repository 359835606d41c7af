//! The command line: arguments → one command → an exit code. Printing happens here and nowhere
//! else.
//!
//! Each command has its file: the arguments it takes, what they mean, and how its outcome is shown.
//! `dispatch` joins each to the code that runs it.

mod address;
mod check;
mod client;
mod config_args;
#[cfg(feature = "emulator")]
mod demo;
mod doctor;
#[cfg(feature = "emulator")]
mod emulator;
mod exit;
mod inject;
mod injector;
pub mod invoke;
mod io;
mod keys;
mod probe;
mod reach;
mod runtime;
mod schema;
mod serve;
pub mod sign;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

use crate::env::Env;

pub use address::{ADDRESS_VARIABLE, Address};
pub use check::{Base, CheckArgs};
pub use config_args::ConfigArgs;
#[cfg(feature = "emulator")]
pub use demo::DemoArgs;
pub use doctor::DoctorArgs;
#[cfg(feature = "emulator")]
pub use emulator::EmulatorArgs;
pub use exit::Exit;
pub use inject::InjectArgs;
pub use injector::{InjectorArgs, InjectorLog};
pub use invoke::InvokeArgs;
pub use io::Io;
pub use keys::{KeyArgs, Keys};
pub use probe::ProbeArgs;
pub use reach::{Reach, ReachArgs};
pub use schema::SchemaArgs;
pub use serve::ServeArgs;
pub use sign::SignArgs;

/// What the exit codes mean, at the end of the help.
const EXIT_CODES: &str = "\
Exit codes:
  0   clean
  1   failed
  2   the function ran and failed (invoke)
  3   something differs (check --diff)
  64  wrong usage
  78  bad configuration";

#[cfg(feature = "emulator")]
const DEMO: &str = "\n  faas-sidecar demo                                    everything at once, on this machine alone";
#[cfg(not(feature = "emulator"))]
const DEMO: &str = "";

const EXAMPLES: &str = "
  faas-sidecar check --config faas.yaml                is the configuration right, and what does it mean?
  faas-sidecar doctor --config faas.yaml               does it reach its clouds, and if not, why?
  faas-sidecar serve --config faas.yaml                run the sidecar
  faas-sidecar invoke reports/daily --param day=1      call a function through a running sidecar
  faas-sidecar sign GET 'https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages'

Configuration: a flag wins over its environment variable, that over the file, that over the default.
The file is named by --config or FAAS_SIDECAR_CONFIG; the setting log.format is --log-format and
FAAS_SIDECAR_LOG_FORMAT, and so for every setting outside targets.

";

/// Typed gRPC calls in, signed REST requests to a functions cloud out.
#[derive(Debug, Parser)]
#[command(
    name = "faas-sidecar",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
#[command(
    long_about = "A gRPC sidecar that calls NAVER Cloud Functions and Huawei FunctionGraph with signed REST \
    requests, so that an application needs neither their SDKs nor their keys."
)]
#[command(after_help = EXIT_CODES, after_long_help = format!("Examples:{DEMO}{EXAMPLES}{EXIT_CODES}"))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the sidecar
    Serve(ServeArgs),
    /// Check the configuration and print it with every default filled in
    Check(CheckArgs),
    /// Examine configuration, keys, network, clock and rights, and name the cause of what fails
    Doctor(DoctorArgs),
    /// Print the configuration's JSON Schema, or its table of keys
    Schema(SchemaArgs),
    /// Call a function through a running sidecar
    Invoke(InvokeArgs),
    /// Print what is signed, and the signed headers, for a method and a URL
    Sign(SignArgs),
    /// Ask a running sidecar once whether it is healthy
    Probe(ProbeArgs),
    /// Wait until a sidecar is healthy
    Wait(ProbeArgs),
    /// Put the sidecar into Kubernetes manifests that ask for it
    Inject(InjectArgs),
    /// Put the sidecar into pods as they are created: a webhook of the Kubernetes API server
    Injector(InjectorArgs),
    /// Be NAVER Cloud Functions on this machine, running real code
    #[cfg(feature = "emulator")]
    Emulator(EmulatorArgs),
    /// Show one deployment and one call from end to end, on this machine alone
    #[cfg(feature = "emulator")]
    Demo(DemoArgs),
}

/// Runs the process: its arguments, its environment, its streams.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    // Not locked: while a command runs, its log goes to the same standard error from other threads.
    let (mut out, mut err, mut input) = (std::io::stdout(), std::io::stderr(), std::io::stdin());
    run(
        args,
        &Env::process(),
        &mut Io {
            out: &mut out,
            err: &mut err,
            input: &mut input,
        },
    )
}

/// Parses the arguments and runs the command.
pub fn run(args: impl IntoIterator<Item = OsString>, env: &Env, io: &mut Io<'_>) -> Exit {
    match Cli::try_parse_from(args) {
        Ok(cli) => dispatch(cli.command, env, io),
        // Asked for, help is an answer; otherwise it is a complaint.
        Err(told) if told.use_stderr() => {
            io.complain(absent(&told).unwrap_or_else(|| told.to_string()).trim_end());
            Exit::Usage
        }
        Err(told) => io.print(&told.to_string()),
    }
}

/// What to say of a command that exists, but not in this build.
fn absent(told: &clap::Error) -> Option<String> {
    if cfg!(feature = "emulator") {
        return None;
    }
    let asked = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg]
        .into_iter()
        .find_map(|kind| told.get(kind))
        .and_then(|value| match value {
            ContextValue::String(name) => Some(name.as_str()),
            _ => None,
        })
        .filter(|name| ["demo", "emulator", "--emulator"].contains(name))?;
    Some(format!(
        "error: this build has no emulator, and so no `{asked}`; build it with `cargo build --features emulator`"
    ))
}

fn dispatch(command: Command, env: &Env, io: &mut Io<'_>) -> Exit {
    match command {
        Command::Check(args) => check::run(args, env, io),
        Command::Doctor(args) => doctor::run(args, env, io),
        Command::Schema(args) => schema::run(&args, io),
        Command::Serve(args) => serve::run(args, env, io),
        Command::Invoke(args) => invoke::run(&args, env, io),
        Command::Sign(args) => sign::run(&args, env, io),
        Command::Probe(args) => probe::probe(&args, env, io),
        Command::Wait(args) => probe::wait(&args, env, io),
        Command::Inject(args) => inject::run(&args, io),
        Command::Injector(args) => injector::run(args, io),
        #[cfg(feature = "emulator")]
        Command::Emulator(args) => emulator::run(&args, env, io),
        #[cfg(feature = "emulator")]
        Command::Demo(DemoArgs {}) => demo::run(io),
    }
}

#[cfg(test)]
mod tests;
