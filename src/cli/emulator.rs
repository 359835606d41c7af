//! `emulator`: the cloud on this machine, as a process of its own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::units::parse_duration;
use crate::emulator::FaultPlan;
use crate::emulator::ncp::{self, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, KeyPair, Options, Site};
use crate::env::Env;

use super::exit::Exit;
use super::io::Io;
use super::keys::KeyArgs;
use super::runtime::block_on;

const HELP: &str = "\
A strict copy of the REST API, written from its documents: it checks signature and time window, names,
limits and counts, answers with the documented codes, and runs the actions. Point a target's base_url,
or any client of the real API, at it. SIGINT and SIGTERM end it with exit code 0.

Faults: each --fault is one of
  latency=200ms           answers come later
  status=503              this answer instead; with retry-after=SECONDS, body=TEXT (last) if wanted
  code=80031              the cloud's own error of this code
  reset, reset=after      the connection breaks before or after the work is done
  cut=10                  the body ends after ten bytes
  html=502                an HTML page
  redirect=URL            302
  silence, silence=after  no answer at all
and, with commas between, when: probability=0.2, count=3, method=POST, path=/actions/

Examples:
  faas-sidecar emulator --data-dir ./functions
  faas-sidecar emulator --activation-lag 35s          details of a run appear as late as in the cloud
  faas-sidecar emulator --fault 'status=503,probability=0.1' --fault 'latency=2s,path=/actions/'
  faas-sidecar emulator --fault 'status=429,retry-after=3,count=2,method=POST'";

/// Arguments of `emulator`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct EmulatorArgs {
    /// Where REST requests are accepted; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// Keep packages and actions here; without it they end with the process
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// The keys that requests must be signed with.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How long after a run its details stay hidden
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub activation_lag: Duration,
    /// Which NAVER Cloud to be
    #[arg(long, value_enum, default_value_t = EmulatorSite::Kr)]
    pub site: EmulatorSite,
    /// A fault to inject; may be given again
    #[arg(
        long,
        value_name = "FAULT",
        help = "A fault to inject, such as status=503,probability=0.1; may be given again"
    )]
    pub fault: Vec<FaultPlan>,
}

/// Which NAVER Cloud to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmulatorSite {
    /// The public cloud in Korea: both API versions, Classic and VPC
    Kr,
    /// The public cloud in Singapore: VPC alone
    Sg,
    /// The public cloud in Japan: VPC alone
    Jp,
    /// The financial cloud: version 2.1 and VPC alone
    Fin,
    /// The public-sector cloud: version 2.0 and Classic alone
    Gov,
}

impl From<EmulatorSite> for Site {
    fn from(site: EmulatorSite) -> Self {
        match site {
            EmulatorSite::Kr => Self::Korea,
            EmulatorSite::Sg => Self::Singapore,
            EmulatorSite::Jp => Self::Japan,
            EmulatorSite::Fin => Self::Financial,
            EmulatorSite::Gov => Self::Government,
        }
    }
}

/// Runs until a signal ends it.
pub(super) fn run(args: &EmulatorArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    let (key, shown) = match keys(&args.keys, env) {
        Ok(keys) => keys,
        Err(fault) => return io.misused(&fault),
    };
    let options = Options {
        listen: args.listen,
        keys: vec![key],
        data_dir: args.data_dir.clone(),
        activation_lag: args.activation_lag,
        site: args.site.into(),
        faults: args.fault.clone(),
        ..Options::default()
    };
    block_on(io, async |io| match until_signal(options, &shown, io).await {
        Ok(()) => Exit::Clean,
        Err(why) => {
            io.complain(&format!("faas-sidecar emulator: {why}"));
            Exit::Failed
        }
    })
}

async fn until_signal(options: Options, keys: &str, io: &mut Io<'_>) -> Result<(), String> {
    let handler = |kind| signal(kind).map_err(|why| format!("signals cannot be received ({why})"));
    let (mut terminate, mut interrupt) = (
        handler(SignalKind::terminate())?,
        handler(SignalKind::interrupt())?,
    );
    let (listen, site) = (options.listen, options.site);
    let cannot =
        |why: io::Error| format!("cannot start on {listen} ({why}); another --listen or --data-dir may help");
    let running = ncp::start(options).await.map_err(cannot)?;
    let url = running.base_url();
    if !listen.ip().is_loopback() {
        io.complain("warning: whoever reaches this address and knows the keys can run code on this machine");
    }
    io.print(&format!(
        "NAVER Cloud Functions ({site}) on {url} - in a target write `base_url: {url}`, with {keys}"
    ));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.shutdown().await;
    Ok(())
}

/// The keys to check signatures with, and how to tell a user of them. A secret of the user's own is not shown.
fn keys(args: &KeyArgs, env: &Env) -> Result<(KeyPair, String), String> {
    if args.any(env) {
        let keys = args.read(env)?;
        let shown = format!("the access key {} and its secret", keys.access_key);
        return Ok((KeyPair::new(keys.access_key, keys.secret_key.as_str()), shown));
    }
    let shown = format!(
        "NCLOUD_ACCESS_KEY_ID={DEFAULT_ACCESS_KEY} and NCLOUD_SECRET_ACCESS_KEY={DEFAULT_SECRET_KEY} in its environment"
    );
    Ok((KeyPair::new(DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY), shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_names_are_those_of_the_emulator() {
        for site in EmulatorSite::value_variants() {
            let name = site.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(name.parse::<Site>(), Ok(Site::from(*site)));
        }
    }

    #[test]
    fn a_secret_of_the_users_own_is_not_shown() {
        let none = KeyArgs {
            access_key: None,
            access_key_file: None,
            secret_key_file: None,
        };
        let env = Env::fixed([
            ("NCLOUD_ACCESS_KEY_ID", "mine"),
            ("NCLOUD_SECRET_ACCESS_KEY", "hunter2"),
        ]);
        let (key, shown) = keys(&none, &env).unwrap();
        assert_eq!(
            (key.access_key.as_str(), key.secret_key.as_str()),
            ("mine", "hunter2")
        );
        assert!(shown.contains("mine") && !shown.contains("hunter2"));
        let (_, shown) = keys(&none, &Env::fixed::<String, String>([])).unwrap();
        assert!(shown.contains(DEFAULT_SECRET_KEY));
        assert!(keys(&none, &Env::fixed([("NCLOUD_ACCESS_KEY_ID", "mine")])).is_err());
    }

    #[test]
    fn every_fault_of_the_help_is_one() {
        let examples = HELP
            .split("--fault '")
            .skip(1)
            .filter_map(|rest| rest.split('\'').next());
        let listed = HELP
            .lines()
            .skip_while(|line| !line.starts_with("Faults:"))
            .skip(1);
        let listed = listed.take_while(|line| line.starts_with("  ")).flat_map(|line| {
            line.trim()
                .split("  ")
                .next()
                .unwrap_or_default()
                .split(", ")
                .map(|text| text.replace("URL", "http://h/"))
        });
        let all: Vec<String> = examples.map(str::to_owned).chain(listed).collect();
        assert!(all.len() > 10, "{all:?}");
        for text in all {
            assert!(text.parse::<FaultPlan>().is_ok(), "{text}");
        }
    }
}
