//! The composition root: configuration → targets → listeners → drain. The only room that knows all others.
//!
//! One single-threaded runtime a serving thread, each with its own upstream connections (a third less CPU a call than a
//! shared multi-threaded one, `docs/performance.md`); what must be one for the whole process — keys, slots, retry budget,
//! request ids, health — is shared.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, watch as watched};
use tracing::{info, warn};

use crate::admin::{self, Control, Pages};
use crate::config::{self, Config, Listen, TargetConfig};
use crate::env::Env;
use crate::grpc::{Dedup, Health, Limits, Router, Services, Window};
use crate::memory::Memory;
use crate::target::Targets;
use crate::telemetry::metrics::{Metrics, Repeats};
use crate::telemetry::{FLUSH, Log, Telemetry};
use crate::transport::Tls;

mod accept;
mod authority;
mod blueprint;
mod build;
mod certificate;
mod connection;
mod door;
#[cfg(feature = "emulator")]
mod emulated;
mod injector;
mod keys;
mod listen;
mod readings;
mod reload;
mod serve;
mod watch;

use blueprint::{Blueprint, Built, Lasting};
use door::Door;
use listen::Bound;
use reload::{State, Update};

#[cfg(feature = "emulator")]
pub use emulated::{EmulatedClouds, Emulators, serve_emulated};
pub use injector::{Injector, inject};
pub use reload::Reloaded;
pub use serve::serve;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use authority::fuzz as fuzz_authority;

/// Targets by themselves, without listeners; their keys are kept up to date for as long as this is.
#[derive(Debug)]
pub struct Unserved {
    /// What was configured.
    pub targets: Targets,
    _kept: Blueprint,
}

/// The configured targets for commands that ask the clouds directly.
///
/// # Errors
/// When a CA file cannot be read, or a place does not exist.
pub fn targets(config: &Config, env: &Env) -> Result<Unserved, StartError> {
    let lasting = Lasting {
        metrics: Metrics::new(1),
        memory: Memory::new(usize::MAX),
        background: Arc::default(),
    };
    let blueprint = Blueprint::new(config, env, &lasting)?;
    Ok(Unserved {
        targets: blueprint.targets(&blueprint.build(&Built::default())?),
        _kept: blueprint,
    })
}

/// A target's TLS towards its upstream; nothing for plain HTTP.
///
/// # Errors
/// When one of its files cannot be read.
pub fn target_tls(config: &TargetConfig) -> Result<Option<Tls>, StartError> {
    build::tls(config, None).map_err(StartError)
}

/// A running sidecar. Dropping it stops it without a drain.
#[derive(Debug)]
pub struct Sidecar {
    addresses: Vec<Listen>,
    admin: Option<SocketAddr>,
    health: Health,
    stop: watched::Sender<Stop>,
    threads: Vec<JoinHandle<()>>,
    /// What is served now.
    config: Config,
    blueprint: Arc<Blueprint>,
    door: Arc<Door>,
    updates: Vec<mpsc::UnboundedSender<Update>>,
    state: State,
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
        let memory = Memory::new(usize::try_from(config.max_body_memory).unwrap_or(usize::MAX));
        readings::of_memory(telemetry.metrics(), &memory);
        let lasting = Lasting {
            metrics: Arc::clone(telemetry.metrics()),
            memory: memory.clone(),
            background: Arc::default(),
        };
        let blueprint = Arc::new(Blueprint::new(config, env, &lasting)?);
        // Built once here so that a mistake shows before anything listens.
        blueprint.build(&Built::default())?;
        let door = Arc::new(Door::load(config)?);
        let state = State::new(config, telemetry.metrics(), blueprint.reports());
        blueprint.watched();
        let bound = config
            .listen
            .iter()
            .map(|address| Bound::bind(address, config.unix_socket))
            .collect::<Result<Vec<_>, _>>()?;
        let mut admin = config.admin.map(bind_admin).transpose()?;
        let admin_address = admin.as_ref().and_then(|listener| listener.local_addr().ok());
        let addresses = bound.iter().map(|bound| bound.address().clone()).collect();
        let health = Health::default();
        let dedup = Dedup::new(window(&config.request_ids)).counted(Repeats::new(telemetry.metrics()));
        let dedup = Arc::new(dedup);
        let (stop, _) = watched::channel(Stop::Not);
        let limits = Limits {
            max_message_size: usize::try_from(config.max_message_size).unwrap_or(usize::MAX),
            memory,
        };
        let credentials = state.credentials();
        let quit = Arc::new(Notify::new());
        let control = Control {
            level: Log::installed().map(|log| log.level().clone()),
            quit: config.admin_quit.then(|| Arc::clone(&quit)),
        };
        let mut threads = Vec::with_capacity(config.threads);
        let mut updates = Vec::with_capacity(config.threads);
        for number in 0..config.threads {
            let (sender, receiver) = mpsc::unbounded_channel();
            updates.push(sender);
            let worker = Worker {
                blueprint: Arc::clone(&blueprint),
                door: Arc::clone(&door),
                listeners: bound.iter().map(Bound::share).collect::<Result<_, _>>()?,
                health: health.clone(),
                dedup: Arc::clone(&dedup),
                limits: limits.clone(),
                telemetry: Arc::clone(&telemetry),
                stop: stop.subscribe(),
                updates: receiver,
                // One thread is enough for pages that people and probes read.
                admin: admin.take().map(|listener| {
                    let pages = Pages {
                        serving: health.serving(),
                        config: state.shown(),
                        credentials: credentials.clone(),
                        metrics: Arc::clone(telemetry.metrics()),
                        control: control.clone(),
                    };
                    (listener, pages)
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
            config: config.clone(),
            blueprint,
            door,
            updates,
            state,
            telemetry,
            quit,
        })
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
        let finished = tokio::time::timeout(self.config.drain_timeout, &mut joined)
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
    door: Arc<Door>,
    listeners: Vec<Bound>,
    health: Health,
    dedup: Arc<Dedup>,
    limits: Limits,
    telemetry: Arc<Telemetry>,
    stop: watched::Receiver<Stop>,
    updates: mpsc::UnboundedReceiver<Update>,
    admin: Option<(TcpListener, Pages)>,
}

impl Worker {
    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(fault) => return warn!("a serving thread cannot run: {fault}"),
        };
        runtime.block_on(async move {
            let built = match self.blueprint.build(&Built::default()) {
                Ok(built) => built,
                Err(fault) => return warn!("a serving thread cannot run: {fault}"),
            };
            let targets = Arc::new(ArcSwap::from_pointee(self.blueprint.targets(&built)));
            // Ends with the thread.
            tokio::spawn(reload::follow(self.updates, Arc::clone(&targets), built));
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
                .map(|bound| accept::serve(bound, router.clone(), Arc::clone(&self.door), self.stop.clone()));
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

fn bind_admin(address: SocketAddr) -> Result<TcpListener, StartError> {
    let fault =
        |why: std::io::Error| StartError(format!("cannot listen on {address} for the admin pages ({why})"));
    let listener = TcpListener::bind(address).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    Ok(listener)
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
        info!(target = %name, provider = target.cloud.provider().name(), credentials = ?target.credentials.source, "target");
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
    if let Some(address) = sidecar.admin {
        info!(%address, "admin pages");
    }
}
