//! `demo`: a tour of everything, in one process: an emulated cloud, a sidecar, and an application that calls it over a
//! real socket. Each step is checked, not only shown.
//!
//! A cloud is one [`Scenario`]; a second one is a second entry of [`SCENARIOS`].

mod ncp;
mod show;
mod stage;

use std::time::Duration;

use clap::Args;
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use super::exit::Exit;
use super::io::Io;
use super::runtime::block_on;
use crate::config::Config;
use stage::{Stage, Unexpected};

const HELP: &str = "\
Starts the emulator and the sidecar inside this process, deploys a package and a JavaScript action
through the gRPC API, runs it and reads its record back. Each signed request is shown as it went out.
Every outcome is checked: exit code 0 means that all of it worked.

Example:
  faas-sidecar demo";

const NEXT: &str = "\
Try next:
  faas-sidecar serve --emulator                    a sidecar for your own code, on 127.0.0.1:50051, without keys
  faas-sidecar invoke demo/hello --param name=You  call a function that you deployed there, from a shell
  faas-sidecar serve --help                        the real cloud, with your keys";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct DemoArgs {}

/// The tour of one cloud.
struct Scenario {
    /// Whose API is emulated.
    cloud: &'static str,
    /// The sidecar's configuration; its targets are led to the emulator.
    config: fn() -> Result<Config, Unexpected>,
    /// The steps.
    play: for<'s> fn(&'s mut Stage<'_, '_>) -> LocalBoxFuture<'s, Result<(), Unexpected>>,
}

const SCENARIOS: [Scenario; 1] = [Scenario {
    cloud: "NAVER Cloud Functions",
    config: ncp::config,
    play: |stage| Box::pin(ncp::play(stage)),
}];

/// Plays all scenarios.
pub(super) fn run(io: &mut Io<'_>) -> Exit {
    block_on(io, async |io| {
        let started = Instant::now();
        io.print("faas-sidecar demo: functions deployed and called, end to end, on this machine alone\n\n");
        let mut total = Total::default();
        for scenario in &SCENARIOS {
            match play(scenario, io).await {
                Ok((steps, requests)) => {
                    total.steps += steps;
                    total.requests += requests;
                }
                Err(why) => {
                    io.complain(&format!("faas-sidecar demo: {}: {why}", scenario.cloud));
                    return Exit::Failed;
                }
            }
        }
        io.print(&format!("{}\n\n{NEXT}", total.told(started.elapsed())))
    })
}

/// Plays one scenario; answers how many steps it had and how many requests went out.
async fn play(scenario: &Scenario, io: &mut Io<'_>) -> Result<(usize, usize), Unexpected> {
    let mut stage = Stage::set((scenario.config)()?, io).await?;
    stage.introduce(scenario.cloud)?;
    (scenario.play)(&mut stage).await?;
    stage.clear().await
}

#[derive(Default)]
struct Total {
    steps: usize,
    requests: usize,
}

impl Total {
    fn told(&self, took: Duration) -> String {
        format!(
            "All {} steps went as they should, in {} ms. {} signed requests went out; the emulated cloud checked each\n\
             signature, and the secret key is in none of them.",
            self.steps,
            took.as_millis(),
            self.requests,
        )
    }
}
