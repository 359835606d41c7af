//! `probe` and `wait`: is a sidecar healthy, now or soon?

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use crate::config::units::parse_duration;
use crate::env::Env;
use crate::proto::health::HealthCheckRequest;
use crate::proto::health::health_check_response::ServingStatus;

use super::client::{Client, failure};
use super::exit::Exit;
use super::io::Io;
use super::reach::{Reach, ReachArgs};
use super::runtime::block_on;

const HELP: &str = "\
Asks grpc.health.v1. Exit code 0 means SERVING; 1 means anything else; the reason goes to standard error.

Examples:
  faas-sidecar probe                                 an exec probe of Kubernetes
  faas-sidecar probe --service faas.v1.InvocationService
  faas-sidecar probe --address https://localhost:50051 --ca-file ca.pem --cert-file me.pem --key-file me.key
  faas-sidecar wait --timeout 1m && ./run-tests";

/// Arguments of `probe` and `wait`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct ProbeArgs {
    /// How the sidecar is reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Name of one gRPC service [default: the whole sidecar]
    #[arg(long, value_name = "NAME", default_value = "")]
    pub service: String,
    /// How long to try [default: 2.5s for probe, 30s for wait]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

impl ProbeArgs {
    /// How long one question may take: less than the three seconds that the chart gives a probe, so
    /// that its own word is heard.
    pub const PROBE_TIMEOUT: Duration = Duration::from_millis(2500);
    /// How long `wait` goes on asking.
    pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
}

/// Pauses between the questions of `wait`: short at first, since a sidecar starts within
/// milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Why a sidecar does not count as healthy.
#[derive(Debug)]
struct Unhealthy {
    why: String,
    /// Whether asking again makes no sense.
    for_good: bool,
}

/// One question.
pub(super) fn probe(args: &ProbeArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    with_reach(args, env, io, async |reach| {
        ask(
            args,
            reach,
            args.timeout.unwrap_or(ProbeArgs::PROBE_TIMEOUT),
        )
        .await
        .map_err(|unhealthy| unhealthy.why)
    })
}

/// One question after the other until the answer is the right one or the time is over.
pub(super) fn wait(args: &ProbeArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    with_reach(args, env, io, async |reach| {
        let timeout = args.timeout.unwrap_or(ProbeArgs::WAIT_TIMEOUT);
        let deadline = Instant::now() + timeout;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match ask(args, reach, left.min(ProbeArgs::PROBE_TIMEOUT)).await {
                Ok(()) => return Ok(()),
                Err(Unhealthy {
                    why,
                    for_good: true,
                }) => return Err(why),
                Err(Unhealthy { why, .. }) if left <= pause => {
                    return Err(format!("{why} (waited {timeout:?})"));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    })
}

fn with_reach(
    args: &ProbeArgs,
    env: &Env,
    io: &mut Io<'_>,
    question: impl AsyncFnOnce(&Reach) -> Result<(), String>,
) -> Exit {
    let reach = match args.reach.resolve(env) {
        Ok(reach) => reach,
        Err(fault) => return io.misused(&fault),
    };
    block_on(io, async |io| match question(&reach).await {
        Ok(()) => io.print("SERVING"),
        Err(why) => {
            io.complain(&why);
            Exit::Failed
        }
    })
}

async fn ask(args: &ProbeArgs, reach: &Reach, timeout: Duration) -> Result<(), Unhealthy> {
    let address = &reach.address;
    let asked = async {
        let client = Client::connect(reach, Some(timeout)).await?;
        let question = HealthCheckRequest {
            service: args.service.clone(),
        };
        client
            .health()
            .check(client.request(question))
            .await
            .map_err(|status| failure(&status))
    };
    let not_now = |why: String| Unhealthy {
        why,
        for_good: false,
    };
    match tokio::time::timeout(timeout, asked).await {
        Ok(Ok(answer)) => match answer.get_ref().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(not_now(format!("{address}: {}", other.as_str_name()))),
        },
        Ok(Err(fault)) => Err(Unhealthy {
            for_good: fault.code == "NOT_FOUND",
            why: format!("{}: {}", fault.code, fault.message),
        }),
        Err(_) => Err(not_now(format!(
            "DEADLINE_EXCEEDED: {address} does not answer within {timeout:?}"
        ))),
    }
}
