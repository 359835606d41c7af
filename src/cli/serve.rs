//! `serve`: the sidecar itself.

use std::time::Duration;

use clap::Args;

use super::config_args::{ConfigArgs, read};
use super::exit::Exit;
use super::io::Io;
use crate::app;
use crate::config::{Log, LogFormat};
use crate::env::Env;
use crate::telemetry;

/// Longest time that the end of the process waits for a slow reader of the log.
pub(super) const LAST_LINES: Duration = Duration::from_secs(1);

const HELP: &str = "\
Without a file there is one target, named default: the public NAVER Cloud in Korea, with keys from
NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY. The log says so.

The log line `ready` means that calls are accepted. SIGTERM ends the sidecar cleanly: new calls are
refused, calls in flight finish within drain_timeout, and the exit code is 0. SIGHUP, or a change of
the file, reloads the configuration; an invalid one is refused and the previous one stays in use.

Examples:
  faas-sidecar serve --config faas.yaml
  faas-sidecar serve --config faas.yaml --listen unix:/run/faas.sock --log-format json";

#[cfg(feature = "emulator")]
const EMULATED: &str = "
  faas-sidecar serve --emulator                      no cloud and no keys: functions run on this machine

With --emulator deployed code runs on this machine as your own account, with all its rights: the emulator is no sandbox.";
#[cfg(not(feature = "emulator"))]
const EMULATED: &str = "";

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{HELP}{EMULATED}"))]
pub struct ServeArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Send every target's requests to an emulator of its cloud inside this process
    #[cfg(feature = "emulator")]
    #[arg(long)]
    pub emulator: bool,
    /// With --emulator: do not run actions that need their own process, such as Python
    #[cfg(feature = "emulator")]
    #[arg(long, requires = "emulator")]
    pub no_processes: bool,
}

pub(super) fn run(args: ServeArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    #[cfg(feature = "emulator")]
    let (emulator, processes) = (args.emulator, !args.no_processes);
    let sources = args.config.sources(env);
    let config = match read(&sources, io) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    start_log(&config.log);
    #[cfg(feature = "emulator")]
    if emulator {
        return done(app::serve_emulated(&config, &sources, processes), io);
    }
    done(app::serve(&config, &sources), io)
}

fn done(served: Result<(), app::StartError>, io: &mut Io<'_>) -> Exit {
    if let Some(log) = telemetry::Log::installed() {
        log.flush(LAST_LINES);
    }
    match served {
        Ok(()) => Exit::Clean,
        Err(why) => {
            io.complain(&format!("faas-sidecar serve: {why}"));
            Exit::Failed
        }
    }
}

fn start_log(log: &Log) {
    let format = match log.format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    // Both sides use the same five words.
    telemetry::Log::install(
        format,
        log.level
            .name()
            .parse()
            .unwrap_or(tracing_subscriber::filter::LevelFilter::INFO),
    );
}
