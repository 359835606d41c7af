//! The command line: arguments → one command → an exit code. Printing happens here and nowhere else.
//!
//! Each command has its file: the arguments it takes, what they mean, and how its outcome is shown.
//! `dispatch` joins each to the code that runs it.

mod address;
mod check;
mod config_args;
#[cfg(feature = "emulator")]
mod demo;
#[cfg(feature = "emulator")]
mod emulator;
mod exit;
pub mod invoke;
mod io;
mod keys;
mod probe;
mod schema;
mod serve;
pub mod sign;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::env::Env;

pub use address::{ADDRESS_VARIABLE, Address};
pub use check::CheckArgs;
pub use config_args::ConfigArgs;
#[cfg(feature = "emulator")]
pub use demo::DemoArgs;
#[cfg(feature = "emulator")]
pub use emulator::EmulatorArgs;
pub use exit::Exit;
pub use invoke::InvokeArgs;
pub use io::Io;
pub use keys::{KeyArgs, Keys};
pub use probe::ProbeArgs;
pub use schema::SchemaArgs;
pub use serve::ServeArgs;
pub use sign::SignArgs;

/// What the exit codes mean, at the end of the help.
const EXIT_CODES: &str = "\
Exit codes:
  0   clean
  1   failed
  2   the function ran and failed (invoke)
  64  wrong usage
  78  bad configuration";

const EXAMPLES: &str = "\
Examples:
  faas-sidecar demo                                    everything at once, on this machine alone
  faas-sidecar check --config faas.yaml                is the configuration right, and what does it mean?
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
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}{EXIT_CODES}"))]
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
            io.complain(told.to_string().trim_end());
            Exit::Usage
        }
        Err(told) => io.print(&told.to_string()),
    }
}

fn dispatch(command: Command, env: &Env, io: &mut Io<'_>) -> Exit {
    match command {
        Command::Check(args) => check::run(args, env, io),
        Command::Schema(args) => schema::run(&args, io),
        Command::Serve(args) => serve::run(args, env, io),
        Command::Invoke(_) => not_wired("invoke", io),
        Command::Sign(_) => not_wired("sign", io),
        Command::Probe(_) => not_wired("probe", io),
        Command::Wait(_) => not_wired("wait", io),
        #[cfg(feature = "emulator")]
        Command::Emulator(_) => not_wired("emulator", io),
        #[cfg(feature = "emulator")]
        Command::Demo(_) => not_wired("demo", io),
    }
}

/// The one answer of commands whose running part is not joined to their arguments.
fn not_wired(command: &str, io: &mut Io<'_>) -> Exit {
    io.complain(&format!("faas-sidecar {command}: not wired yet"));
    Exit::Failed
}

#[cfg(test)]
mod tests;
