//! The `injector` command's life: a webhook of the Kubernetes API server over HTTPS, until it is
//! told to stop.
//!
//! Certificates and template are read again when they change; what cannot be used never replaces
//! what works.

mod pages;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

use super::StartError;
use super::accept::{cannot_accept, handshake};
use super::certificate::{Certificate, Names};
use super::serve::{runtime, second};
use super::watch::Watch;
use crate::config::{Tls, digest};
use crate::inject::Template;
use crate::telemetry::log::REFUSALS;

/// Connections at once; the API server keeps a few, and probes come and go.
const MAX_CONNECTIONS: usize = 256;
/// A caller that has not shaken hands by then is sent away.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A caller that has not sent the head of its next request by then is sent away; it connects again
/// by itself.
const IDLE: Duration = Duration::from_secs(60);
/// Answers in flight may go on for this long; each takes milliseconds.
const DRAIN: Duration = Duration::from_secs(10);
/// Bytes that a connection is read ahead of its answers; also the longest head.
const READ_AHEAD: usize = 32 << 10;
/// Pause when the system has no file descriptor left.
const STARVED: Duration = Duration::from_millis(100);

const FLAGS: Names = Names {
    cert_file: "--cert-file",
    key_file: "--key-file",
    client_ca_file: "--client-ca-file",
};

/// What a webhook is told.
#[derive(Clone, Debug)]
pub struct Injector {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its PEM chain, the own certificate first.
    pub cert_file: PathBuf,
    /// Its PEM key.
    pub key_file: PathBuf,
    /// Where `template` was read; `None` = it is the one built in.
    pub template_file: Option<PathBuf>,
    /// What pods get.
    pub template: Template,
    /// How long it goes on answering after SIGTERM, until the cluster knows that it goes.
    pub shutdown_delay: Duration,
}

/// What connections share.
struct Shared {
    certificate: Certificate,
    template_file: Option<PathBuf>,
    template: ArcSwap<Template>,
    /// The template's file as it was read last, good or bad.
    seen: ArcSwap<Option<[u8; 32]>>,
    /// The certificate's trouble that was told last.
    told: ArcSwap<Option<String>>,
    leaving: AtomicBool,
    /// Bytes that large bodies may still take.
    room: Semaphore,
}

/// Answers until SIGTERM or SIGINT, then goes on for `shutdown_delay` and drains; a second signal a
/// second later ends it at once.
///
/// # Errors
/// When it cannot start.
pub fn inject(injector: Injector) -> Result<(), StartError> {
    runtime()?.block_on(until_signal(injector))
}

async fn until_signal(injector: Injector) -> Result<(), StartError> {
    let handler = |kind| {
        signal(kind).map_err(|why| StartError(format!("signals cannot be received ({why})")))
    };
    let (mut terminate, mut interrupt) = (
        handler(SignalKind::terminate())?,
        handler(SignalKind::interrupt())?,
    );
    let Injector {
        listen,
        cert_file,
        key_file,
        template_file,
        template,
        shutdown_delay,
    } = injector;
    let files = Tls {
        cert_file,
        key_file,
        client_ca_file: None,
    };
    let shared = Arc::new(Shared {
        // The API server speaks no HTTP/2 to webhooks, so that its requests spread over their
        // replicas.
        certificate: Certificate::load(files, &FLAGS, &[b"http/1.1"]).map_err(StartError)?,
        // Read once more below: what changed since is not lost.
        seen: ArcSwap::default(),
        template: ArcSwap::from_pointee(template),
        template_file,
        told: ArcSwap::default(),
        leaving: AtomicBool::new(false),
        room: Semaphore::new(pages::ROOM),
    });
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|why| StartError(format!("--listen {listen}: cannot be listened at ({why})")))?;
    let address = listener.local_addr().unwrap_or(listen);
    let mut watch = Watch::new();
    watch.files(shared.files());
    shared.refresh(false);
    info!(%address, "listening");
    info!("ready");

    let (stop, stopping) = watch::channel(false);
    let mut accepting = tokio::spawn(accept(listener, Arc::clone(&shared), stopping));
    loop {
        watch.files(shared.files());
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => break,
            () = watch.changed() => shared.refresh(true),
        }
    }
    shared.leaving.store(true, Ordering::Relaxed);
    info!(delay = ?shutdown_delay, "stopping: not ready any more, and answering until the cluster knows");
    let finish = async {
        sleep(shutdown_delay).await;
        // Connections hold receivers; none is left when the last has ended.
        let _ = stop.send(true);
        if timeout(DRAIN, &mut accepting).await.is_err() {
            warn!("stopped: connections were still open after {DRAIN:?}");
        } else {
            info!("stopped");
        }
    };
    tokio::select! {
        () = finish => {}
        () = second(&mut terminate, &mut interrupt) => warn!("stopped at once by a second signal"),
    }
    Ok(())
}

impl Shared {
    fn files(&self) -> Vec<PathBuf> {
        self.certificate
            .files()
            .chain(&self.template_file)
            .cloned()
            .collect()
    }

    /// Reads everything again; `tell` whether a reading that worked is worth a line.
    fn refresh(&self, tell: bool) {
        let trouble = match self.certificate.refresh() {
            Ok(true) => {
                info!("certificate: read again");
                None
            }
            Ok(false) => None,
            Err(why) => Some(why),
        };
        if let Some(why) = &trouble
            && self.told.load().as_ref().as_ref() != Some(why)
            && let Some(left_out) = REFUSALS.pass()
        {
            error!(
                left_out,
                "certificate: refused, and the one before stays in use: {why}"
            );
        }
        self.told.store(Arc::new(trouble));

        let Some(file) = &self.template_file else {
            return;
        };
        let text = std::fs::read_to_string(file);
        let now = text.as_ref().ok().map(|text| digest(text.as_bytes()));
        if **self.seen.load() == now && now.is_some() {
            return;
        }
        // A file that is gone is told once, too.
        let before = self.seen.swap(Arc::new(now));
        let read = text.map_err(|why| format!("cannot be read ({why})"));
        match read.and_then(|text| Template::read(&text).map_err(|faults| format!("\n{faults}"))) {
            Ok(template) => {
                self.template.store(Arc::new(template));
                if tell {
                    info!(file = %file.display(), "template: read again");
                }
            }
            Err(why) if before.is_some() || now.is_some() => {
                if let Some(left_out) = REFUSALS.pass() {
                    error!(left_out, file = %file.display(), "template: refused, and the one before stays in use: {why}");
                }
            }
            Err(_) => {}
        }
    }
}

/// Takes callers in until told to stop; ends with the last of them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (ends, alive) = watch::channel(());
    loop {
        let slot = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(why) => {
                cannot_accept(&why, listener.local_addr().ok());
                sleep(STARVED).await;
                continue;
            }
        };
        // The semaphore is never closed.
        let Ok(slot) = slot else { break };
        let (shared, stop, alive) = (Arc::clone(&shared), stop.clone(), alive.clone());
        tokio::spawn(async move {
            connection(socket, shared, stop, slot).await;
            drop(alive);
        });
    }
    drop((listener, alive));
    ends.closed().await;
}

async fn connection(
    socket: TcpStream,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
    _slot: OwnedSemaphorePermit,
) {
    let _ = socket.set_nodelay(true);
    let shaken = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => return,
        shaken = handshake(socket, shared.certificate.current(), HANDSHAKE) => shaken,
    };
    let socket = match shaken {
        Ok(socket) => socket,
        Err(why) if says_no(&why) => {
            return warn!(
                "a caller refused the certificate ({why}): see that the webhook's caBundle is its authority"
            );
        }
        Err(why) => return debug!("a caller's TLS handshake failed: {why}"),
    };
    let service = hyper::service::service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(pages::answer(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A caller that goes away is its own business.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// The caller said so in a TLS alert.
fn says_no(why: &io::Error) -> bool {
    let inner = why
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::AlertReceived(_)))
}

async fn either(first: &mut Signal, second: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
