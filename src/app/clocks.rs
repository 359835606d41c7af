//! What time the targets' hosts have: one unsigned request to each, for `check --online` and `doctor`.

use std::time::Duration;

use super::StartError;
use super::blueprint::Blueprint;
use crate::config::Config;
use crate::env::Env;
use crate::telemetry::metrics::Metrics;

/// How long one host may take to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// The answer of one target's host.
#[derive(Debug)]
pub struct HostClock {
    /// The target's name.
    pub target: String,
    /// Its host, with the port if it is not the usual one.
    pub host: String,
    /// How many milliseconds the machine's clock is ahead of the host's (negative: behind), true to a second or two;
    /// `None` when the host shows no usable time. An error is one sentence: why the host cannot be reached.
    pub machine_ahead_ms: Result<Option<i64>, String>,
}

/// Asks every target's host, in the order of their names. Sends no key and runs nothing.
///
/// # Errors
/// When a target cannot be set up, as with a CA file that cannot be read.
pub async fn host_clocks(config: &Config, env: &Env) -> Result<Vec<HostClock>, StartError> {
    let blueprint = Blueprint::new(config, env, &Metrics::new(1))?;
    let mut clocks = Vec::new();
    for (target, transport, url) in blueprint.hosts()? {
        let host = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let asked = transport.ask_clock(url, WITHIN).await;
        clocks.push(HostClock {
            target,
            host,
            machine_ahead_ms: asked.map_err(|error| error.message.clone()),
        });
    }
    Ok(clocks)
}
