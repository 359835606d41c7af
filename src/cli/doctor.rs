//! `doctor`: what is wrong, in a fixed order, each step with what was seen and the fix in one
//! sentence.
//!
//! Changes nothing anywhere: it resolves, connects, shakes hands, reads a list, reads the named
//! actions.

mod examine;
mod network;
mod report;

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::load;
use crate::config::units::parse_duration;
use crate::env::Env;

use super::config_args::ConfigArgs;
use super::exit::Exit;
use super::io::Io;
use super::runtime::block_on;
use report::{Report, Step};

/// How long a whole examination may take unless `--timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

const HELP: &str = "\
Steps, in this order: configuration; then for each target credentials, dns, tcp, tls, clock, read (a signed,
harmless list) and right (one for each --action); kubernetes. A step that a failed one makes pointless is
skipped. For a refused signature the cause is found by asking again in other ways: harmless reads, at most a
dozen. No refused signature more than four in a row, since the fifth locks a Huawei key.

Nothing is changed and no function is run. Secrets are never printed; a key is named by its fingerprint, the
first eight hex digits of the SHA-256 of the access key id.

Exit code 0: no step failed. 1: one did. 78: the configuration is wrong.

Examples:
  faas-sidecar doctor --config faas.yaml
  faas-sidecar doctor --config faas.yaml --target prod --action reports/daily --action -/hello
  faas-sidecar doctor --config faas.yaml --format json | jq '.steps[] | select(.status == \"fail\")'";

#[cfg(feature = "emulator")]
const EMULATED: &str = "
  faas-sidecar doctor --emulator                     against an emulated cloud inside this process";
#[cfg(not(feature = "emulator"))]
const EMULATED: &str = "";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{HELP}{EMULATED}"))]
pub struct DoctorArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Examine only this target; may be repeated [default: all targets]
    #[arg(long, value_name = "NAME")]
    pub target: Vec<String>,
    /// Check the right to read this action, as package/name; may be repeated
    // A name without a package begins with a hyphen.
    #[arg(long, value_name = "PACKAGE/NAME", value_parser = parse_action, allow_hyphen_values = true)]
    pub action: Vec<Action>,
    /// How the outcome is printed
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
    /// Time limit for all steps [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Examine an emulator of each target's cloud inside this process
    #[cfg(feature = "emulator")]
    #[arg(long)]
    pub emulator: bool,
}

/// An action that `--action` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The package; `-` for none.
    pub package: String,
    /// The name.
    pub name: String,
}

/// How the outcome is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// A table
    Text,
    /// One document for programs
    Json,
}

fn parse_action(text: &str) -> Result<Action, String> {
    let wrong = || "write package/name, or name alone for an action in no package".to_owned();
    let (package, name) = text.split_once('/').unwrap_or(("-", text));
    if package.is_empty() || name.is_empty() || name.contains('/') {
        return Err(wrong());
    }
    Ok(Action {
        package: package.to_owned(),
        name: name.to_owned(),
    })
}

pub(super) fn run(args: DoctorArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    let DoctorArgs {
        config,
        target: names,
        action,
        format,
        timeout,
        ..
    } = args;
    let mut report = Report::default();
    let config = match load(&config.sources(env)) {
        Ok(config) => config,
        Err(faults) => {
            report.add(Step::configuration_is_wrong(&faults));
            io.print(&report.render(format));
            return Exit::BadConfig;
        }
    };
    let unknown = names
        .iter()
        .find(|name| !config.targets.contains_key(*name));
    if let Some(name) = unknown {
        let known = config
            .targets
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        return io.misused(&format!(
            "the configuration has no target {name:?}; it has: {known}"
        ));
    }
    let wanted = examine::Wanted {
        names,
        actions: action,
        timeout: timeout.unwrap_or(TIMEOUT),
    };
    #[cfg(feature = "emulator")]
    let emulator = args.emulator;
    block_on(io, async |io| {
        #[cfg(feature = "emulator")]
        let (config, env, _emulators) = match examine::emulated(config, env, emulator).await {
            Ok(emulated) => emulated,
            Err(why) => {
                io.complain(&format!("faas-sidecar doctor: {why}"));
                return Exit::Failed;
            }
        };
        #[cfg(feature = "emulator")]
        let env = &env;
        examine::all(&config, env, &wanted, &mut report).await;
        let shown = io.print(&report.render(format));
        if report.failed() { Exit::Failed } else { shown }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_named_with_or_without_its_package() {
        let action = |package: &str, name: &str| Action {
            package: package.to_owned(),
            name: name.to_owned(),
        };
        assert_eq!(
            parse_action("reports/daily"),
            Ok(action("reports", "daily"))
        );
        assert_eq!(parse_action("-/hello"), Ok(action("-", "hello")));
        assert_eq!(parse_action("hello"), Ok(action("-", "hello")));
        for text in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(parse_action(text).is_err(), "{text}");
        }
    }
}
