//! The composition root: configuration → targets → listeners → drain. The only room that knows all
//! others.
//!
//! One single-threaded runtime a serving thread, each with its own upstream connections (a third
//! less CPU a call than a shared multi-threaded one, `docs/performance.md`); what must be one for
//! the whole process — keys, slots, retry budget, request ids, health — is shared.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, watch as watched};
use tracing::warn;

use crate::admin::{self, Control, Pages, Scope};
use crate::config::{self, Config, Listen, TargetConfig, UnixSocket};
use crate::env::Env;
use crate::grpc::{Dedup, Health, Limits, Router, Running, Services, Window};
use crate::json;
use crate::memory::Memory;
use crate::target::Targets;
use crate::telemetry::metrics::{Metrics, Repeats};
use crate::telemetry::{FLUSH, Log, Telemetry};
use crate::transport::{Resolver, Tls};

mod accept;
mod authority;
mod certificate;
mod connection;
mod credential_reports;
mod door;
#[cfg(feature = "emulator")]
mod emulated;
mod gauges;
mod greeting;
mod injector;
mod listen;
mod places;
mod plans;
mod reload;
mod serve;
mod telemetry;
mod upstream;
mod watch;

use door::Door;
use listen::Bound;
use plans::{BuiltTargets, TargetPlans};
use reload::{State, Update};
use upstream::ProcessState;

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
    _kept: TargetPlans,
}

/// The configured targets for commands that ask the clouds directly.
///
/// # Errors
/// When a CA file cannot be read, or a place does not exist.
pub fn targets(config: &Config, env: &Env) -> Result<Unserved, StartError> {
    let process = ProcessState {
        metrics: Metrics::new(1),
        memory: Memory::new(usize::MAX),
        resolver: Resolver::default(),
        keeper: Arc::default(),
    };
    let plans = TargetPlans::new(config, env, &process)?;
    Ok(Unserved {
        targets: plans.targets(&plans.build(&BuiltTargets::default())?),
        _kept: plans,
    })
}

/// A target's TLS towards its upstream; nothing for plain HTTP.
///
/// # Errors
/// When one of its files cannot be read.
pub fn target_tls(config: &TargetConfig) -> Result<Option<Tls>, StartError> {
    upstream::tls(config, None).map_err(StartError)
}

/// A running sidecar. Dropping it stops it without a drain.
#[derive(Debug)]
pub struct Sidecar {
    addresses: Vec<Listen>,
    admin: Option<Listen>,
    metrics: Option<Listen>,
    health: Health,
    dedup: Arc<Dedup>,
    stop: watched::Sender<Stop>,
    threads: Vec<JoinHandle<()>>,
    /// What is served now.
    config: Config,
    plans: Arc<TargetPlans>,
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
        let telemetry = telemetry::start(config, env);
        let memory = Memory::new(config.max_body_memory);
        gauges::of_memory(telemetry.metrics(), &memory);
        let process = ProcessState {
            metrics: Arc::clone(telemetry.metrics()),
            memory: memory.clone(),
            resolver: Resolver::default(),
            keeper: Arc::default(),
        };
        let plans = Arc::new(TargetPlans::new(config, env, &process)?);
        // Built once here so that a mistake shows before anything listens.
        plans.build(&BuiltTargets::default())?;
        let door = Arc::new(Door::load(config)?);
        let state = State::new(config, telemetry.metrics(), plans.reports());
        plans.watched();
        let bound = config
            .listen
            .iter()
            .map(|address| Bound::bind(address, config.unix_socket))
            .collect::<Result<Vec<_>, _>>()?;
        let own = |address: Option<&Listen>| {
            address
                .map(|address| Bound::bind(address, OWN_SOCKET))
                .transpose()
        };
        let admin = own(config.admin.as_ref())?;
        let numbers = own(config.metrics.listen.map(Listen::Tcp).as_ref())?;
        let at = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.address().clone());
        let (admin_address, metrics_address) = (at(&admin), at(&numbers));
        let mut pages: Vec<_> = [(admin, Scope::All), (numbers, Scope::Metrics)]
            .into_iter()
            .filter_map(|(bound, scope)| Some((bound?, scope)))
            .collect();
        let addresses = bound.iter().map(|bound| bound.address().clone()).collect();
        let health = Health::default();
        let dedup =
            Dedup::new(window(&config.request_ids)).counted(Repeats::new(telemetry.metrics()));
        let dedup = Arc::new(dedup);
        let (stop, _) = watched::channel(Stop::Not);
        let limits = Limits {
            max_message_size: config.max_message_size,
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
                plans: Arc::clone(&plans),
                door: Arc::clone(&door),
                listeners: bound.iter().map(Bound::share).collect::<Result<_, _>>()?,
                health: health.clone(),
                dedup: Arc::clone(&dedup),
                limits: limits.clone(),
                telemetry: Arc::clone(&telemetry),
                stop: stop.subscribe(),
                updates: receiver,
                // One thread is enough for pages that people and probes read.
                listening_pages: std::mem::take(&mut pages),
                pages: Pages {
                    serving: health.serving(),
                    config: state.shown(),
                    credentials: credentials.clone(),
                    metrics: Arc::clone(telemetry.metrics()),
                    control: control.clone(),
                },
            };
            let thread = std::thread::Builder::new()
                .name(format!("serve-{number}"))
                .spawn(move || worker.run())
                .map_err(|fault| {
                    StartError(format!("a serving thread cannot be started ({fault})"))
                })?;
            threads.push(thread);
        }
        Ok(Self {
            addresses,
            admin: admin_address,
            metrics: metrics_address,
            health,
            dedup,
            stop,
            threads,
            config: config.clone(),
            plans,
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
        self.addresses.iter().find_map(tcp)
    }

    /// The TCP address of the admin pages, if they have one.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        tcp(self.admin.as_ref()?)
    }

    /// The address of metrics and probes, if there is one beside the admin pages'.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        tcp(self.metrics.as_ref()?)
    }

    /// Health turns `NOT_SERVING`, connections get GOAWAY, calls in flight finish within the drain
    /// timeout, those whose caller has left too; then what is left to export is exported, within a
    /// bound of its own.
    ///
    /// Answers true when all of them did.
    pub async fn drain(mut self) -> bool {
        self.health.stop_serving();
        self.stop.send_replace(Stop::Drain);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(|thread| drop(thread.join()));
        });
        let mut joined = std::pin::pin!(joined);
        let finished = tokio::time::timeout(self.config.drain_timeout, &mut joined)
            .await
            .is_ok();
        if !finished {
            tell_left(&self.dedup.running());
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
    plans: Arc<TargetPlans>,
    door: Arc<Door>,
    listeners: Vec<Bound>,
    health: Health,
    dedup: Arc<Dedup>,
    limits: Limits,
    telemetry: Arc<Telemetry>,
    stop: watched::Receiver<Stop>,
    updates: mpsc::UnboundedReceiver<Update>,
    listening_pages: Vec<(Bound, Scope)>,
    pages: Pages,
}

impl Worker {
    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(fault) => return warn!("a serving thread cannot run: {fault}"),
        };
        json::set_largest_answer(self.limits.max_message_size);
        runtime.block_on(async move {
            let built = match self.plans.build(&BuiltTargets::default()) {
                Ok(built) => built,
                Err(fault) => return warn!("a serving thread cannot run: {fault}"),
            };
            let targets = Arc::new(ArcSwap::from_pointee(self.plans.targets(&built)));
            // Ends with the thread.
            tokio::spawn(reload::follow(self.updates, Arc::clone(&targets), built));
            let services = Services::new(targets, Arc::clone(&self.dedup));
            let router = Router::new(&services, &self.health, &self.limits, self.telemetry);
            let mut stop = self.stop.clone();
            for (bound, scope) in self.listening_pages {
                // Not awaited: the pages answer until the thread ends.
                tokio::spawn(serve_pages(bound, scope, self.pages.clone()));
            }
            let serving = self.listeners.into_iter().map(|bound| {
                accept::serve(
                    bound,
                    router.clone(),
                    Arc::clone(&self.door),
                    self.stop.clone(),
                )
            });
            let served = async {
                futures_util::future::join_all(serving).await;
                // Calls with a request_id go on without their callers, and on the thread that began
                // them.
                self.dedup.ended().await;
            };
            tokio::select! {
                () = served => {}
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
        max_bytes: ids.max_size,
    }
}

/// The file of the admin pages' socket: for this user alone.
const OWN_SOCKET: UnixSocket = UnixSocket {
    mode: 0o600,
    owner: None,
    group: None,
};

async fn serve_pages(bound: Bound, scope: Scope, pages: Pages) {
    let address = bound.address().clone();
    match bound.open() {
        Ok((listener, _file)) => {
            let listener = match listener {
                listen::Listener::Tcp(listener) => admin::Listener::Tcp(listener),
                listen::Listener::Unix(listener) => admin::Listener::Unix(listener),
            };
            admin::serve(listener, scope, pages).await;
        }
        Err(why) => warn!(%address, "the admin pages cannot be served: {why}"),
    }
}

fn tcp(listen: &Listen) -> Option<SocketAddr> {
    match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Names the calls with a request id that a shutdown does not wait for any longer. They may go on
/// in the cloud.
fn tell_left(left: &[Running]) {
    const MOST: usize = 20;
    for call in left.iter().take(MOST) {
        warn!(call = %call.about, request_id_hash = %call.key, since = ?call.since.elapsed(), "left in flight: its outcome is unknown");
    }
    if left.len() > MOST {
        warn!(
            calls = left.len() - MOST,
            "more calls with a request_id are left in flight"
        );
    }
}
