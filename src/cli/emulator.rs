//! `emulator`: one of the clouds on this machine, as a process of its own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::units::parse_duration;
use crate::env::Env;
use faas_emulator::ncp::{self, Site};
use faas_emulator::{FaultPlan, NO_SANDBOX, Running, functiongraph};

use super::exit::Exit;
use super::io::Io;
use super::keys::{HUAWEI, KeyArgs, NCLOUD, Variables, line};
use super::runtime::block_on;

const HELP: &str = "\
A strict copy of the REST API, written from its documents: it checks signature and time window, names,
limits and counts, answers with the documented codes, and runs the actions. Point a target's base_url,
or any client of the real API, at it. SIGINT and SIGTERM end it with exit code 0.

Deployed code runs on this machine as your own account, with all its rights: the emulator is no sandbox.
--no-processes turns off what needs a process of its own, which is Python. The keys are random unless they are
given, and stand in the line that is printed at the start. A request whose Host or Origin does not name
this emulator is refused, so that no web page can use it from your browser: see --allow-host.

Faults: each --fault is one of
  latency=200ms           answers come later
  status=503              this answer instead; with retry-after=SECONDS, body=TEXT (last) if wanted
  code=80031              the cloud's own error of this code; code=APIGW.0308 or code=FSS.0500 on Huawei Cloud
  reset, reset=after      the connection breaks before or after the work is done
  cut=10                  the body ends after ten bytes
  html=502                an HTML page
  redirect=URL            302
  silence, silence=after  no answer at all
and, with commas between, when: probability=0.2, count=3, method=POST, path=/actions/

Huawei Cloud's emulator also answers what its clients ask of IAM. Its keys come from HUAWEICLOUD_SDK_AK and
HUAWEICLOUD_SDK_SK when they are in the environment; its IAM user is emulator-user of emulator-account.

Examples:
  faas-sidecar emulator --cloud functiongraph
  faas-sidecar emulator --data-dir ./functions
  faas-sidecar emulator --activation-lag 35s          details of a run appear as late as in the cloud
  faas-sidecar emulator --fault 'status=503,probability=0.1' --fault 'latency=2s,path=/actions/'
  faas-sidecar emulator --fault 'status=429,retry-after=3,count=2,method=POST'";

/// Arguments of `emulator`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct EmulatorArgs {
    /// Cloud to emulate
    #[arg(long, value_enum, default_value_t = EmulatedCloud::Ncp)]
    pub cloud: EmulatedCloud,
    /// Address for REST requests; with port 0 the system chooses a port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// A further name that the Host and Origin of requests may have, besides localhost and
    /// addresses; may be given again
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    pub allow_host: Vec<String>,
    /// Do not run actions that need their own process, such as Python
    #[arg(long)]
    pub no_processes: bool,
    /// Directory that keeps packages and actions; without it they end with the process
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// The keys that requests must be signed with.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How long after a run its details stay hidden (ncp alone; default 0s)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub activation_lag: Option<Duration>,
    /// Site of NAVER Cloud to emulate (ncp only; default kr)
    #[arg(long, value_enum)]
    pub site: Option<EmulatorSite>,
    /// The region, which is also the project's name (functiongraph alone; default cn-north-4)
    #[arg(long, value_name = "ID")]
    pub region: Option<String>,
    /// The project's id (functiongraph alone)
    #[arg(long, value_name = "ID")]
    pub project_id: Option<String>,
    /// A file that holds the password of the IAM user (functiongraph alone; default: a random one)
    #[arg(long, value_name = "FILE")]
    pub iam_password_file: Option<PathBuf>,
    /// Answer with whole lists and ignore paging, as some back ends do
    #[arg(long)]
    pub ignore_paging: bool,
    /// Append every request to this file as a line of JSON, tokens and bodies included
    #[arg(long, value_name = "FILE")]
    pub record_file: Option<PathBuf>,
    /// A fault to inject; may be repeated
    #[arg(
        long,
        value_name = "FAULT",
        help = "A fault to inject, such as status=503,probability=0.1; may be given again"
    )]
    pub fault: Vec<FaultPlan>,
}

/// Cloud to emulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmulatedCloud {
    /// NAVER Cloud Functions
    Ncp,
    /// Huawei Cloud FunctionGraph, with its IAM
    Functiongraph,
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
    let plan = match plan(args, env) {
        Ok(plan) => plan,
        Err(fault) => return io.misused(&fault),
    };
    block_on(io, async |io| {
        match until_signal(args.listen, plan, io).await {
            Ok(()) => Exit::Clean,
            Err(why) => {
                io.complain(&format!("faas-sidecar emulator: {why}"));
                Exit::Failed
            }
        }
    })
}

/// What to start, its name, and how to tell a user of its keys.
struct Plan {
    options: CloudOptions,
    name: String,
    hint: String,
}

enum CloudOptions {
    Ncp(Box<ncp::Options>),
    Functiongraph(Box<functiongraph::Options>),
}

impl CloudOptions {
    async fn start(self) -> io::Result<Running> {
        match self {
            Self::Ncp(options) => ncp::start(*options).await,
            Self::Functiongraph(options) => functiongraph::start(*options).await,
        }
    }
}

fn plan(args: &EmulatorArgs, env: &Env) -> Result<Plan, String> {
    match args.cloud {
        EmulatedCloud::Ncp => ncp_plan(args, env),
        EmulatedCloud::Functiongraph => functiongraph_plan(args, env),
    }
}

fn ncp_plan(args: &EmulatorArgs, env: &Env) -> Result<Plan, String> {
    if args.region.is_some() || args.project_id.is_some() || args.iam_password_file.is_some() {
        return Err(
            "--region, --project-id and --iam-password-file are for --cloud functiongraph; NAVER Cloud has --site"
                .into(),
        );
    }
    let (key, hint) = match keys(&args.keys, env, NCLOUD)? {
        Some((access_key, secret_key, shown)) => (ncp::KeyPair::new(access_key, secret_key), shown),
        None => {
            let key = ncp::KeyPair::random();
            let (id, secret) = (&key.access_key, &key.secret_key);
            let shown = format!(
                "NCLOUD_ACCESS_KEY_ID={id} and NCLOUD_SECRET_ACCESS_KEY={secret} in its environment"
            );
            (key, shown)
        }
    };
    let site = Site::from(args.site.unwrap_or(EmulatorSite::Kr));
    let options = ncp::Options {
        listen: args.listen,
        allowed_hosts: args.allow_host.clone(),
        keys: vec![key],
        processes: !args.no_processes,
        ignore_paging: args.ignore_paging,
        data_dir: args.data_dir.clone(),
        activation_lag: args.activation_lag.unwrap_or_default(),
        site,
        faults: args.fault.clone(),
        record_file: args.record_file.clone(),
        ..ncp::Options::default()
    };
    Ok(Plan {
        options: CloudOptions::Ncp(Box::new(options)),
        name: format!("NAVER Cloud Functions ({site})"),
        hint,
    })
}

fn functiongraph_plan(args: &EmulatorArgs, env: &Env) -> Result<Plan, String> {
    if args.site.is_some() || args.activation_lag.is_some() {
        return Err(
            "--site and --activation-lag are for --cloud ncp; Huawei Cloud has --region".into(),
        );
    }
    let (key, hint) = match keys(&args.keys, env, HUAWEI)? {
        Some((access_key, secret_key, shown)) => {
            (functiongraph::KeyPair::new(access_key, secret_key), shown)
        }
        None => {
            let key = functiongraph::KeyPair::random();
            let (id, secret) = (&key.access_key, &key.secret_key);
            let shown = format!(
                "HUAWEICLOUD_SDK_AK={id} and HUAWEICLOUD_SDK_SK={secret} in its environment"
            );
            (key, shown)
        }
    };
    let mut user = functiongraph::User::random();
    let hint = match &args.iam_password_file {
        Some(file) => {
            user.password = line(file)?;
            hint
        }
        None => format!("{hint}; the password of {} is {}", user.name, user.password),
    };
    let region = args
        .region
        .as_deref()
        .unwrap_or(functiongraph::DEFAULT_REGION);
    let project = args
        .project_id
        .as_deref()
        .unwrap_or(functiongraph::DEFAULT_PROJECT_ID);
    let options = functiongraph::Options {
        listen: args.listen,
        allowed_hosts: args.allow_host.clone(),
        keys: vec![key],
        users: vec![user],
        processes: !args.no_processes,
        ignore_paging: args.ignore_paging,
        projects: vec![functiongraph::Project::new(project, region)],
        data_dir: args.data_dir.clone(),
        faults: args.fault.clone(),
        record_file: args.record_file.clone(),
        ..functiongraph::Options::default()
    };
    Ok(Plan {
        options: CloudOptions::Functiongraph(Box::new(options)),
        name: format!("Huawei Cloud FunctionGraph ({region}, project {project})"),
        hint,
    })
}

async fn until_signal(listen: SocketAddr, plan: Plan, io: &mut Io<'_>) -> Result<(), String> {
    let handler = |kind| signal(kind).map_err(|why| format!("signals cannot be received ({why})"));
    let (mut terminate, mut interrupt) = (
        handler(SignalKind::terminate())?,
        handler(SignalKind::interrupt())?,
    );
    let Plan {
        options,
        name,
        hint,
    } = plan;
    let cannot = |why: io::Error| {
        format!("cannot start on {listen} ({why}); another --listen or --data-dir may help")
    };
    let running = options.start().await.map_err(cannot)?;
    let url = running.base_url();
    if !listen.ip().is_loopback() {
        io.complain(
            "warning: whoever reaches this address and knows the keys can run code on this machine",
        );
    }
    io.complain(NO_SANDBOX);
    io.print(&format!(
        "{name} on {url} - in a target write `base_url: {url}`, with {hint}"
    ));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.shutdown().await;
    Ok(())
}

/// A name as `Host` may have it, without a port.
fn host_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || !text.chars().all(plain) {
        return Err("write a host name such as emulator.test, without a port".to_owned());
    }
    Ok(text.to_owned())
}

/// The user's own pair, and how to tell of it without the secret; `None` when there is none.
fn keys(
    args: &KeyArgs,
    env: &Env,
    variables: Variables,
) -> Result<Option<(String, String, String)>, String> {
    if !args.any(env, variables) {
        return Ok(None);
    }
    let keys = args.read_from(env, variables)?;
    let shown = format!("the access key {} and its secret", keys.access_key);
    Ok(Some((keys.access_key, keys.secret_key.to_string(), shown)))
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
        let (id, secret, shown) = keys(&none, &env, NCLOUD).unwrap().unwrap();
        assert_eq!((id.as_str(), secret.as_str()), ("mine", "hunter2"));
        assert!(shown.contains("mine") && !shown.contains("hunter2"));
        assert_eq!(keys(&none, &env, HUAWEI), Ok(None));
        assert!(
            keys(
                &none,
                &Env::fixed([("NCLOUD_ACCESS_KEY_ID", "mine")]),
                NCLOUD
            )
            .is_err()
        );
        assert!(keys(&none, &Env::fixed([("HUAWEICLOUD_SDK_AK", "mine")]), HUAWEI).is_err());
    }

    #[test]
    fn each_cloud_has_its_own_arguments_and_names_its_own_keys() {
        let planned = |arguments: &[&str]| {
            let all = [&["faas-sidecar", "emulator"], arguments].concat();
            let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(all).unwrap();
            let crate::cli::Command::Emulator(args) = cli.command else {
                panic!("another command")
            };
            plan(&args, &Env::fixed::<String, String>([]))
                .map(|plan| format!("{} {}", plan.name, plan.hint))
        };
        let ncp = planned(&[]).unwrap();
        assert!(
            ncp.contains("NAVER") && ncp.contains("NCLOUD_SECRET_ACCESS_KEY="),
            "{ncp}"
        );
        assert_ne!(ncp, planned(&[]).unwrap(), "keys are random");
        let huawei = planned(&["--cloud", "functiongraph", "--region", "eu-de"]).unwrap();
        assert!(
            huawei.contains("eu-de")
                && huawei.contains("HUAWEICLOUD_SDK_AK=")
                && huawei.contains("the password of"),
            "{huawei}"
        );
        assert!(
            planned(&["--iam-password-file", "x"])
                .unwrap_err()
                .contains("functiongraph")
        );
        assert!(
            planned(&["--region", "eu-de"])
                .unwrap_err()
                .contains("--site")
        );
        assert!(
            planned(&["--cloud", "functiongraph", "--site", "kr"])
                .unwrap_err()
                .contains("--region")
        );
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
        let listed = listed
            .take_while(|line| line.starts_with("  "))
            .flat_map(|line| {
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
