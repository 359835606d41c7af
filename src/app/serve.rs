//! The `serve` command's life: start, tell, wait for signals and changes of files, drain.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::reload::{REFUSED, Reloaded, TAKEN, UNCHANGED};
use super::watch::Watch;
use super::{Sidecar, StartError};
use crate::config::{Config, Sources, digest, load};
use crate::env::Env;
use crate::provider::CLOUDS;
use crate::telemetry::log::REFUSALS;

/// A second signal that comes within this time of the first is the same one: some senders signal a
/// process and its group.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then drains; a second signal a second later ends the drain at
/// once. On SIGHUP, and when the file changes, `sources` is read again.
///
/// # Errors
/// When it cannot start.
pub fn serve(config: &Config, sources: &Sources) -> Result<(), StartError> {
    runtime()?.block_on(until_signal(
        config,
        sources,
        &sources.env,
        async |config| Ok(config),
    ))
}

/// The runtime of the main thread, which serves no calls.
pub(super) fn runtime() -> Result<Runtime, StartError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|fault| StartError(format!("the runtime cannot be started ({fault})")))
}

/// `env` holds the keys; `adapt` is asked about each configuration that was read, before it is
/// taken up.
pub(super) async fn until_signal(
    config: &Config,
    sources: &Sources,
    env: &Env,
    adapt: impl AsyncFnMut(Config) -> Result<Config, StartError>,
) -> Result<(), StartError> {
    let handler = |kind| {
        signal(kind).map_err(|fault| StartError(format!("signals cannot be received ({fault})")))
    };
    let (mut terminate, mut interrupt, mut hangup) = (
        handler(SignalKind::terminate())?,
        handler(SignalKind::interrupt())?,
        handler(SignalKind::hangup())?,
    );
    let sidecar = Sidecar::start(config, env)?;
    announce(config, &sidecar);
    info!(config_generation = sidecar.config_generation(), "ready");
    let mut keeper = Keeper {
        seen: config.file_digest,
        sidecar,
        sources,
        env,
        adapt,
    };
    let mut watch = Watch::new();
    let quit = Arc::clone(&keeper.sidecar.quit);
    watch.files(keeper.files());
    // What changed between the reading at the start and the watch.
    keeper.look().await;
    loop {
        watch.files(keeper.files());
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => break,
            () = quit.notified() => break,
            _ = hangup.recv() => keeper.reload().await,
            () = watch.changed() => keeper.look().await,
        }
    }
    let sidecar = keeper.sidecar;
    info!(timeout = ?sidecar.config.drain_timeout, "draining: no new calls, those in flight finish");
    tokio::select! {
        finished = sidecar.drain() => match finished {
            true => info!("stopped"),
            false => warn!("stopped: the drain timeout ended calls that were still in flight"),
        },
        () = second(&mut terminate, &mut interrupt) => warn!("stopped at once by a second signal"),
    }
    Ok(())
}

/// A sidecar and the files that it follows.
struct Keeper<'a, A> {
    sidecar: Sidecar,
    sources: &'a Sources,
    env: &'a Env,
    adapt: A,
    /// The configuration file as it was read last, good or bad: the same text is not taken up, nor
    /// complained of, twice.
    seen: Option<[u8; 32]>,
}

impl<A: AsyncFnMut(Config) -> Result<Config, StartError>> Keeper<'_, A> {
    /// Everything that is read again when it changes.
    fn files(&self) -> Vec<PathBuf> {
        let config = &self.sidecar.config;
        let file = config.file.iter().filter(|_| config.reload_on_change);
        file.cloned().chain(self.sidecar.files()).collect()
    }

    /// Reads what may have changed.
    async fn look(&mut self) {
        let config = &self.sidecar.config;
        if config.reload_on_change && config.file.is_some() {
            let now = read(config);
            if now != self.seen {
                self.seen = now;
                self.configuration().await;
            }
        }
        self.sidecar.refresh();
    }

    /// Reads everything, whatever changed: someone asked for it.
    async fn reload(&mut self) {
        info!("SIGHUP: reading the configuration again");
        self.seen = read(&self.sidecar.config);
        self.configuration().await;
        self.sidecar.refresh();
    }

    async fn configuration(&mut self) {
        let generation = self.sidecar.config_generation();
        let outcome = match load(self.sources) {
            Ok(config) => match (self.adapt)(config).await {
                Ok(config) => self
                    .sidecar
                    .reload(config, self.env)
                    .await
                    .map_err(|why| why.to_string()),
                Err(why) => Err(why.to_string()),
            },
            Err(faults) => Err(faults.to_string()),
        };
        // The pages first: who reads the line finds them as it says.
        match outcome {
            Ok(reloaded) if reloaded.config_generation == generation => {
                self.sidecar.configured(UNCHANGED, None);
                info!(
                    config_generation = generation,
                    "the configuration says nothing new"
                );
                tell(&reloaded);
            }
            Ok(reloaded) => {
                self.sidecar.configured(TAKEN, None);
                info!(config_generation = reloaded.config_generation, "reloaded");
                tell(&reloaded);
            }
            Err(why) => {
                self.sidecar.configured(REFUSED, Some(why.clone()));
                if let Some(left_out) = REFUSALS.pass() {
                    error!(
                        left_out,
                        config_generation = generation,
                        "the configuration was refused, and the one before stays in use:\n{why}"
                    );
                }
            }
        }
    }
}

/// What has changed, and what waits.
fn tell(reloaded: &Reloaded) {
    let config_generation = reloaded.config_generation;
    for difference in &reloaded.taken {
        info!(config_generation, "{difference}");
    }
    for difference in &reloaded.waiting {
        warn!(config_generation, "not taken up: {difference}");
    }
}

/// The file as it is now; `None` when it cannot be read.
fn read(config: &Config) -> Option<[u8; 32]> {
    Some(digest(&std::fs::read(config.file.as_ref()?).ok()?))
}

/// A signal that is not the first one once more.
pub(super) async fn second(terminate: &mut Signal, interrupt: &mut Signal) {
    let began = Instant::now();
    loop {
        either(terminate, interrupt).await;
        if began.elapsed() >= SAME_SIGNAL {
            return;
        }
    }
}

async fn either(first: &mut Signal, second: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
    }
}

/// Tells what was understood, in the log's first lines.
fn announce(config: &Config, sidecar: &Sidecar) {
    if config.file.is_none() {
        let cloud = CLOUDS[0].about;
        info!(
            "no configuration file: one target, default, on {cloud}, with its defaults and keys from the environment"
        );
    }
    for (name, target) in &config.targets {
        info!(target = %name, provider = target.cloud.facts().name, credentials = ?target.credentials.source, "target");
    }
    for address in &sidecar.addresses {
        if !address.is_local() {
            if config.is_open() {
                warn!(%address, "OPEN: whoever reaches this address can use the configured accounts, for neither a certificate nor a token is asked for");
            } else if config.tls.is_none() {
                warn!(%address, "tokens and data can be read on the way to this address: set tls.cert_file and tls.key_file");
            }
        }
        info!(%address, "listening");
    }
    if let Some(traces) = sidecar.telemetry.traces().told() {
        info!(traces, "traces are exported");
    }
    if let Some(metrics) = sidecar.telemetry.metrics_told() {
        info!(metrics, "metrics are exported");
    }
    if let Some(address) = &sidecar.admin {
        info!(%address, "admin pages");
    }
    if let Some(address) = &sidecar.metrics {
        if let Some(warning) = config.open_metrics() {
            warn!("{warning}");
        }
        info!(%address, "metrics and probes");
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_changes_while_the_sidecar_starts_is_not_lost() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |wait: &str| {
            let target = format!("targets: {{main: {{provider: ncp, wait: {wait}}}}}");
            std::fs::write(
                &file,
                format!("listen: \"127.0.0.1:0\"\nadmin: off\n{target}"),
            )
            .unwrap();
        };
        let env = Env::fixed([
            ("NCLOUD_ACCESS_KEY_ID", "id"),
            ("NCLOUD_SECRET_ACCESS_KEY", "secret"),
        ]);
        let sources = Sources {
            file: Some(file.path().to_owned()),
            env: env.clone(),
            ..Sources::default()
        };
        write("10s");
        let config = load(&sources).unwrap();
        write("20s");
        let (sender, mut read_again) = mpsc::unbounded_channel();
        let adapt = async |config: Config| {
            sender.send(config.targets["main"].wait).unwrap();
            Ok(config)
        };
        tokio::select! {
            ended = until_signal(&config, &sources, &env, adapt) => panic!("{ended:?}"),
            wait = read_again.recv() => assert_eq!(wait, Some(Duration::from_secs(20))),
            // Longer than a busy machine needs, so that only a change that was lost meets it.
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("the change was lost"),
        }
    }
}
