//! `demo`: a tour of everything, in one process: emulated clouds, a sidecar, and an application
//! that calls it over a real socket. Each step is checked, not only shown.
//!
//! A cloud is one [`Scenario`] of [`SCENARIOS`].

mod functiongraph;
mod ncp;
mod show;
mod stage;
mod words;

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
For each cloud in turn, NAVER Cloud Functions and Huawei FunctionGraph: starts its emulator and a sidecar
inside this process, deploys a JavaScript action through the gRPC API, runs it, reads the record of a run,
lets it fail, and deletes it. Each signed request is shown as it went out, never the secret key.
Every outcome is checked: exit code 0 means that all of it worked.

Example:
  faas-sidecar demo";

const TITLE: &str = "\
faas-sidecar demo: functions deployed and called, end to end, on this machine alone
Of each request the line, the signing headers and the body are shown.

";

const NEXT: &str = "\
Try next:
  faas-sidecar serve --emulator                    a sidecar for your own code, on 127.0.0.1:50051, without keys
  faas-sidecar invoke demo/hello --param name=You  call a function that you deployed there, from a shell
  faas-sidecar serve --help                        the real clouds, with your keys";

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

const SCENARIOS: [Scenario; 2] = [
    Scenario {
        cloud: "NAVER Cloud Functions",
        config: ncp::config,
        play: |stage| Box::pin(ncp::play(stage)),
    },
    Scenario {
        cloud: "Huawei FunctionGraph",
        config: functiongraph::config,
        play: |stage| Box::pin(functiongraph::play(stage)),
    },
];

/// Plays all scenarios.
pub(super) fn run(io: &mut Io<'_>) -> Exit {
    block_on(io, async |io| {
        let started = Instant::now();
        io.print(TITLE);
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
        io.print(&format!("{}\n\n{NEXT}", total.summary(started.elapsed())))
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
    fn summary(&self, took: Duration) -> String {
        format!(
            "All {} steps went as they should, in {} ms. {} signed requests went out; the emulated clouds checked\n\
             each signature, and no secret key is in any of them.",
            self.steps,
            took.as_millis(),
            self.requests,
        )
    }
}
