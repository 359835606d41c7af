//! `invoke`: a function called from a shell. Here are its arguments and what they add up to; the
//! call itself takes an [`InvokeInput`] and answers with a [`Report`] or a `ClientFailure`.

mod arguments;
mod call;
mod report;

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::units::parse_duration;
use crate::env::Env;

use super::exit::Exit;
use super::io::Io;
use super::reach::{Reach, ReachArgs};
use super::runtime::block_on;

pub use arguments::Param;
pub use report::Report;

const HELP: &str = "\
Arguments: --json gives the whole document, --param adds to it or replaces in it. A --param value that
is JSON counts as such (n=5 is a number, n='\"5\"' a text); anything else is a text.

Exit codes: 0 the function succeeded (with --async: was accepted), 2 it ran and failed, 1 anything else,
64 wrong usage. Results go to standard output, everything else to standard error.

Examples:
  faas-sidecar invoke hello --param name=World
  faas-sidecar invoke reports/daily --json @input.json --param day=1 --wait 2m
  echo '{\"n\": 1}' | faas-sidecar invoke math/inc --json - -o json | jq .result
  faas-sidecar invoke reports/nightly --async --request-id nightly-2026-01-31";

/// Arguments of `invoke`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct InvokeArgs {
    /// Action to call, with its package if it is in one
    #[arg(value_name = "[PACKAGE/]ACTION")]
    pub action: ActionName,
    /// How the sidecar is reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// One argument; may be repeated
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<Param>,
    /// All arguments: JSON text, @FILE, or - for standard input
    #[arg(short, long, value_name = "JSON")]
    pub json: Option<String>,
    /// The configured target [default: the sidecar's default target]
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// How long to wait for the result [default: the target's]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "asynchronous")]
    pub wait: Option<Duration>,
    /// Start the function and do not wait
    #[arg(long = "async")]
    pub asynchronous: bool,
    /// Retry even when the outcome is unknown, because a second run does no harm
    #[arg(long)]
    pub idempotent: bool,
    /// Calls with the same id are one call: a repetition gets the first answer
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    /// Show the function's log
    #[arg(long, conflicts_with = "asynchronous")]
    pub logs: bool,
    /// The deadline of the whole call
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// How the outcome is printed
    #[arg(short, long, value_enum, default_value_t = InvokeOutput::Table)]
    pub output: InvokeOutput,
}

/// How the outcome is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InvokeOutput {
    /// For people
    Table,
    /// For programs
    Json,
}

/// An action and its package, as one argument. The sidecar checks the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionName {
    /// Empty = no package.
    pub package: String,
    /// The action.
    pub action: String,
}

/// What a call needs, put together from arguments, environment and standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeInput {
    /// How the sidecar is reached.
    pub reach: Reach,
    /// The action.
    pub name: ActionName,
    /// The arguments: one JSON document, spelt as it was given.
    pub arguments: String,
    /// The target; empty = the default one.
    pub target: String,
    /// How long to wait; `None` = as the target says.
    pub wait: Option<Duration>,
    /// Whether not to wait at all.
    pub asynchronous: bool,
    /// Whether running twice does no harm.
    pub idempotent: bool,
    /// Empty = none.
    pub request_id: String,
    /// Whether to ask for the log.
    pub logs: bool,
    /// The deadline; `None` = the sidecar's own.
    pub timeout: Option<Duration>,
}

/// Calls the function and prints what came of it.
pub(super) fn run(args: &InvokeArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    let input = match args.input(env, io) {
        Ok(input) => input,
        Err(fault) => return io.misused(&fault),
    };
    block_on(io, async |io| match call::call(&input).await {
        Ok((report, remark)) => {
            let printed = io.print(&report.render(args.output));
            if let Some(remark) = remark {
                io.complain(&remark);
            }
            if printed == Exit::Clean {
                report.exit()
            } else {
                printed
            }
        }
        Err(failure) => {
            io.complain(failure.render(args.output).trim_end());
            Exit::Failed
        }
    })
}

impl InvokeArgs {
    /// Puts the call together.
    ///
    /// # Errors
    /// A sentence for the user, who has then misused the command.
    pub fn input(&self, env: &Env, io: &mut Io<'_>) -> Result<InvokeInput, String> {
        Ok(InvokeInput {
            reach: self.reach.resolve(env)?,
            name: self.action.clone(),
            arguments: arguments::document(self.json.as_deref(), &self.params, io.input)?,
            target: self.target.clone().unwrap_or_default(),
            wait: self.wait,
            asynchronous: self.asynchronous,
            idempotent: self.idempotent,
            request_id: self.request_id.clone().unwrap_or_default(),
            logs: self.logs,
            timeout: self.timeout,
        })
    }
}

impl FromStr for ActionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (package, action) = text.split_once('/').unwrap_or(("", text));
        if action.is_empty() || action.contains('/') || (text.contains('/') && package.is_empty()) {
            return Err("write action or package/action".to_owned());
        }
        Ok(Self {
            package: package.to_owned(),
            action: action.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_may_have_a_package() {
        let name = |text: &str| {
            text.parse::<ActionName>()
                .map(|name| (name.package, name.action))
        };
        assert_eq!(name("ping"), Ok((String::new(), "ping".to_owned())));
        assert_eq!(name("-/ping"), Ok(("-".to_owned(), "ping".to_owned())));
        assert_eq!(name("a/b"), Ok(("a".to_owned(), "b".to_owned())));
        for text in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
