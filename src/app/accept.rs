//! Callers come in: accepted within the bound of connections, with TLS where it is asked for, each in a task of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::Stop;
use super::authority;
use super::connection::{self, Socket};
use super::door::Door;
use super::listen::{Bound, Listener};
use crate::grpc::Router;

/// Pause when the system has no file descriptor left: one comes free when a connection ends.
const STARVED: Duration = Duration::from_millis(100);

/// A caller that has come in.
enum Caller {
    Tcp(TcpStream),
    Local(Box<dyn Socket>),
}

/// Serves one address until told to drain, then until the last call in flight has ended.
pub(super) async fn serve(bound: Bound, router: Router, door: Arc<Door>, mut stop: watch::Receiver<Stop>) {
    let address = bound.address().clone();
    let (listener, _file) = match bound.open() {
        Ok(open) => open,
        Err(why) => return warn!(%address, "cannot serve: {why}"),
    };
    let router = match &listener {
        Listener::Tcp(_) => router.guarded(door.tokens()),
        // Its file's owner, group and mode say who may call.
        Listener::Unix(_) => router,
    };
    // Every connection holds a receiver: when the last is gone, all have ended.
    let (ends, alive) = watch::channel(());
    loop {
        let caller = tokio::select! {
            _ = stop.wait_for(|stop| *stop >= Stop::Drain) => break,
            caller = listener.accept() => caller,
        };
        let caller = match caller {
            Ok(caller) => caller,
            // The caller went away between knocking and coming in.
            Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(why) => {
                warn!(%address, "a connection cannot be accepted: {why}");
                sleep(STARVED).await;
                continue;
            }
        };
        let slot = tokio::select! {
            _ = stop.wait_for(|stop| *stop >= Stop::Drain) => break,
            slot = slot(&door) => slot,
        };
        let (router, door, mut stop, alive) =
            (router.clone(), Arc::clone(&door), stop.clone(), alive.clone());
        tokio::spawn(async move {
            let _held = (slot, alive);
            let filter = matches!(caller, Caller::Local(_)).then(authority::Filter::new);
            let socket: Box<dyn Socket> = match (caller, door.tls()) {
                (Caller::Local(socket), _) => socket,
                (Caller::Tcp(socket), None) => Box::new(socket),
                (Caller::Tcp(socket), Some(tls)) => {
                    let shaken = tokio::select! {
                        // Who has not even begun has no call to finish.
                        _ = stop.wait_for(|stop| *stop >= Stop::Drain) => return,
                        shaken = handshake(socket, tls, door.bounds.handshake_timeout) => shaken,
                    };
                    match shaken {
                        Ok(socket) => socket,
                        Err(why) => return debug!("a caller's TLS handshake failed: {why}"),
                    }
                }
            };
            connection::serve(socket, filter, router, &door.bounds, stop).await;
        });
    }
    // The address is free from here on; what was accepted goes on.
    drop((listener, alive));
    ends.closed().await;
}

/// A place among the connections. Callers beyond the bound wait unheard.
async fn slot(door: &Door) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(&door.slots).try_acquire_owned() {
        door.full.store(false, Ordering::Relaxed);
        return Some(slot);
    }
    if !door.full.swap(true, Ordering::Relaxed) {
        warn!(
            max = door.bounds.max,
            "as many connections are open as connections.max allows; the next caller waits until one ends"
        );
    }
    // The semaphore is never closed.
    Arc::clone(&door.slots).acquire_owned().await.ok()
}

pub(super) async fn handshake(
    socket: TcpStream,
    tls: Arc<ServerConfig>,
    patience: Duration,
) -> io::Result<Box<dyn Socket>> {
    let accepted = timeout(patience, TlsAcceptor::from(tls).accept(socket)).await;
    let socket = accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Box::new(socket))
}

impl Listener {
    async fn accept(&self) -> io::Result<Caller> {
        match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept().await?;
                // An answer must not wait for the one before it to be acknowledged.
                // A caller that is gone already is found out when it is served.
                let _ = socket.set_nodelay(true);
                Ok(Caller::Tcp(socket))
            }
            Self::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                Ok(Caller::Local(Box::new(socket)))
            }
        }
    }
}
