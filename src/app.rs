//! The composition root: configuration → targets → listeners → drain. The only room that knows all others.
//!
//! One single-threaded runtime a serving thread, each with its own upstream connections (a third less CPU a call than a
//! shared multi-threaded one, `docs/performance.md`); what must be one for the whole process — keys, slots, retry budget,
//! request ids, health — is shared.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::admin::{self, Control, Pages};
use crate::config::{self, Config, Listen, TargetConfig, effective_json};
use crate::env::Env;
use crate::grpc::{Dedup, Health, Limits, Router, Services, Window};
use crate::target::Targets;
use crate::telemetry::metrics::{Metrics, Repeats};
use crate::telemetry::{FLUSH, Log, Telemetry};
use crate::transport::Tls;

mod build;
mod clocks;
#[cfg(feature = "emulator")]
mod emulated;
mod listen;
mod readings;
mod serve;

use build::Blueprint;
use listen::Bound;

pub use clocks::{HostClock, host_clocks};
#[cfg(feature = "emulator")]
pub use emulated::{EmulatedClouds, Emulators, serve_emulated};
pub use serve::serve;

/// The configured targets by themselves, without listeners: for commands that ask the clouds directly.
///
/// # Errors
/// When a CA file cannot be read, or a place does not exist.
pub fn targets(config: &Config, env: &Env) -> Result<Targets, StartError> {
    Blueprint::new(config, env, &Metrics::new(1))?.targets()
}

/// A target's TLS towards its upstream; nothing for plain HTTP.
///
/// # Errors
/// When one of its files cannot be read.
pub fn target_tls(config: &TargetConfig) -> Result<Option<Tls>, StartError> {
    build::tls(config).map_err(StartError)
}

/// A running sidecar. Dropping it stops it without a drain.
#[derive(Debug)]
pub struct Sidecar {
    addresses: Vec<Listen>,
    admin: Option<SocketAddr>,
    health: Health,
    stop: watch::Sender<Stop>,
    threads: Vec<JoinHandle<()>>,
    drain_timeout: Duration,
    telemetry: Arc<Telemetry>,
    quit: Arc<Notify>,
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Stop {
    Not,
    /// No new calls; those in flight finish.
    Drain,
    /// Now.
    Now,
}

/// Why a sidecar could not start: one sentence.
#[derive(Debug)]
pub struct StartError(String);

impl Sidecar {
    /// Binds all addresses and starts to serve; calls are accepted when this returns.
    ///
    /// # Errors
    /// When an address cannot be bound, or a CA file cannot be read.
    pub fn start(config: &Config, env: &Env) -> Result<Self, StartError> {
        let telemetry = build::telemetry(config, env);
        let blueprint = Arc::new(Blueprint::new(config, env, telemetry.metrics())?);
        // Built once here so that a mistake shows before anything listens.
        blueprint.targets()?;
        let bound = config
            .listen
            .iter()
            .map(Bound::bind)
            .collect::<Result<Vec<_>, _>>()?;
        let mut admin = config
            .admin
            .map(|address| bind_admin(address, config))
            .transpose()?;
        let admin_address = admin
            .as_ref()
            .and_then(|(listener, _)| listener.local_addr().ok());
        let addresses = bound.iter().map(|bound| bound.address().clone()).collect();
        let health = Health::default();
        let dedup = Dedup::new(window(&config.request_ids)).counted(Repeats::new(telemetry.metrics()));
        let dedup = Arc::new(dedup);
        let (stop, _) = watch::channel(Stop::Not);
        let limits = Limits {
            max_message_size: usize::try_from(config.max_message_size).unwrap_or(usize::MAX),
        };
        let quit = Arc::new(Notify::new());
        let control = Control {
            level: Log::installed().map(|log| log.level().clone()),
            quit: config.admin_quit.then(|| Arc::clone(&quit)),
        };
        let mut threads = Vec::with_capacity(config.threads);
        for number in 0..config.threads {
            let worker = Worker {
                blueprint: Arc::clone(&blueprint),
                listeners: bound.iter().map(Bound::share).collect::<Result<_, _>>()?,
                health: health.clone(),
                dedup: Arc::clone(&dedup),
                limits,
                telemetry: Arc::clone(&telemetry),
                stop: stop.subscribe(),
                // One thread is enough for pages that people and probes read.
                admin: admin.take().map(|(listener, config)| {
                    (
                        listener,
                        Pages {
                            serving: health.serving(),
                            config,
                            metrics: Arc::clone(telemetry.metrics()),
                            control: control.clone(),
                        },
                    )
                }),
            };
            let thread = std::thread::Builder::new()
                .name(format!("serve-{number}"))
                .spawn(move || worker.run())
                .map_err(|fault| StartError(format!("a serving thread cannot be started ({fault})")))?;
            threads.push(thread);
        }
        Ok(Self {
            addresses,
            admin: admin_address,
            health,
            stop,
            threads,
            drain_timeout: config.drain_timeout,
            telemetry,
            quit,
        })
    }

    /// Waits until an admin request asks for the end.
    pub async fn asked_to_quit(&self) {
        self.quit.notified().await;
    }

    /// Where it listens, with the port that the system chose for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// The first TCP address, if there is one.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|listen| match listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        })
    }

    /// Where the admin pages are, if anywhere.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Health turns `NOT_SERVING`, connections get GOAWAY, calls in flight finish within the drain timeout; then what is
    /// left to export is exported, within a bound of its own.
    ///
    /// Answers true when all of them did.
    pub async fn drain(mut self) -> bool {
        self.health.stop_serving();
        self.stop.send_replace(Stop::Drain);
        let threads = std::mem::take(&mut self.threads);
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let mut joined = std::pin::pin!(joined);
        let finished = tokio::time::timeout(self.drain_timeout, &mut joined)
            .await
            .is_ok();
        if !finished {
            self.stop.send_replace(Stop::Now);
            let _ = joined.await;
        }
        let telemetry = Arc::clone(&self.telemetry);
        let _ = tokio::task::spawn_blocking(move || telemetry.stop(FLUSH)).await;
        finished
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.stop.send_replace(Stop::Now);
    }
}

/// One serving thread.
struct Worker {
    blueprint: Arc<Blueprint>,
    listeners: Vec<Bound>,
    health: Health,
    dedup: Arc<Dedup>,
    limits: Limits,
    telemetry: Arc<Telemetry>,
    stop: watch::Receiver<Stop>,
    admin: Option<(TcpListener, Pages)>,
}

impl Worker {
    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(fault) => return warn!("a serving thread cannot run: {fault}"),
        };
        runtime.block_on(async move {
            let targets = match self.blueprint.targets() {
                Ok(targets) => Arc::new(targets),
                Err(fault) => return warn!("a serving thread cannot run: {fault}"),
            };
            let services = Services::new(targets, self.dedup);
            let router = Router::new(&services, &self.health, self.limits, self.telemetry);
            let mut stop = self.stop.clone();
            if let Some((listener, pages)) = self.admin {
                // Not awaited: the pages answer until the thread ends.
                tokio::spawn(admin::serve(listener, pages));
            }
            let serving = self
                .listeners
                .into_iter()
                .map(|bound| bound.serve(router.clone(), self.stop.clone()));
            tokio::select! {
                _ = futures_util::future::join_all(serving) => {}
                _ = stop.wait_for(|stop| *stop == Stop::Now) => {}
            }
        });
        // Connections that idle in a pool must not hold the exit back.
        runtime.shutdown_background();
    }
}

fn window(ids: &config::RequestIds) -> Window {
    Window {
        duration: ids.window,
        max_entries: ids.max_entries,
        max_bytes: usize::try_from(ids.max_size).unwrap_or(usize::MAX),
    }
}

fn bind_admin(address: SocketAddr, config: &Config) -> Result<(TcpListener, Arc<str>), StartError> {
    let fault =
        |why: std::io::Error| StartError(format!("cannot listen on {address} for the admin pages ({why})"));
    let listener = TcpListener::bind(address).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    Ok((listener, effective_json(config).into()))
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Tells what was understood, in the log's first lines.
fn announce(config: &Config, sidecar: &Sidecar) {
    if config.file.is_none() {
        info!(
            "no configuration file: one target, default, with provider ncp, site public, region kr and keys from the environment"
        );
    }
    for (name, target) in &config.targets {
        info!(target = %name, provider = target.cloud.provider().name(), credentials = ?target.credentials, "target");
    }
    for address in &sidecar.addresses {
        if !address.is_local() {
            warn!(%address, "listening beyond this machine: whoever reaches this address can use the configured accounts");
        }
        info!(%address, "listening");
    }
    if let Some(traces) = sidecar.telemetry.traces().told() {
        info!(traces, "traces are exported");
    }
    if let Some(metrics) = sidecar.telemetry.metrics_told() {
        info!(metrics, "metrics are exported");
    }
    if let Some(address) = sidecar.admin {
        info!(%address, "admin pages");
    }
}
