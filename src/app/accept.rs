//! Callers come in: accepted within the bound of connections, with TLS where it is asked for, each
//! in a task of its own.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::Stop;
use super::authority;
use super::connection::{self, Socket};
use super::door::Door;
use super::greeting;
use super::listen::{Bound, Listener};
use crate::grpc::Router;
use crate::telemetry::log::LineLimit;

/// Pause when the system has no file descriptor left: one comes free when a connection ends.
const STARVED: Duration = Duration::from_millis(100);

static LINES: LineLimit = LineLimit::new(Duration::from_secs(5));
static UNSHAKEN: LineLimit = LineLimit::new(Duration::from_secs(5));

/// A caller that has come in.
enum Caller {
    Tcp(TcpStream, SocketAddr),
    Local(Box<dyn Socket>),
}

/// Serves one address until told to drain, then until the last call in flight has ended.
pub(super) async fn serve(
    bound: Bound,
    router: Router,
    door: Arc<Door>,
    mut stop: watch::Receiver<Stop>,
) {
    let address = bound.address().clone();
    let (listener, _file) = match bound.open() {
        Ok(open) => open,
        Err(why) => return warn!(%address, "cannot serve: {why}"),
    };
    let router = match &listener {
        Listener::Tcp(_) => router.guarded(door.tokens()),
        // Its file's owner, group and mode say who may call.
        Listener::Unix(_) => router.local(),
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
                cannot_accept(&why, Some(&address));
                sleep(STARVED).await;
                continue;
            }
        };
        let peer = match &caller {
            Caller::Tcp(_, peer) => Some(*peer),
            Caller::Local(_) => None,
        };
        let Some(mut place) = door.places.take(peer.map(|peer| peer.ip())) else {
            continue;
        };
        let (router, door, mut stop, alive) = (
            router
                .clone()
                .on_connection(place.number(), &place.shares, place.proof.clone()),
            Arc::clone(&door),
            stop.clone(),
            alive.clone(),
        );
        tokio::spawn(async move {
            let _alive = alive;
            let patience = door.bounds.handshake_timeout;
            let mut socket: Box<dyn Socket> = match (caller, door.tls()) {
                (Caller::Local(socket), _) => socket,
                (Caller::Tcp(socket, _), None) => Box::new(socket),
                (Caller::Tcp(socket, _), Some(tls)) => {
                    let shaken = tokio::select! {
                        // Who has not even begun has no call to finish.
                        _ = stop.wait_for(|stop| *stop >= Stop::Drain) => return,
                        () = connection::sent_away(&mut place.seat) => return,
                        shaken = secured(socket, peer, tls, patience) => shaken,
                    };
                    match shaken {
                        Ok(Some(socket)) => {
                            if door.asks_certificate() {
                                place.proof.show();
                            }
                            socket
                        }
                        Ok(None) => return,
                        Err(why) => return unshaken(peer, &why),
                    }
                }
            };
            let speaks = tokio::select! {
                _ = stop.wait_for(|stop| *stop >= Stop::Drain) => return,
                () = connection::sent_away(&mut place.seat) => return,
                speaks = greeting::is_http2(&mut socket, peer, patience) => speaks,
            };
            if speaks {
                let filter = Some(authority::Filter::new());
                connection::serve(socket, filter, router, &door.bounds, place, stop).await;
            }
        });
    }
    // The address is free from here on; what was accepted goes on.
    drop((listener, alive));
    ends.closed().await;
}

/// TLS with a caller that begins with it; none with one that does not, and was told so.
async fn secured(
    mut socket: TcpStream,
    peer: Option<SocketAddr>,
    tls: Arc<ServerConfig>,
    patience: Duration,
) -> io::Result<Option<Box<dyn Socket>>> {
    let begins = timeout(patience, greeting::is_tls(&mut socket, peer)).await;
    if !begins.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
        return Ok(None);
    }
    handshake(socket, tls, patience).await.map(Some)
}

/// Tells of a handshake that failed, one in a while. Whoever connects and goes looks whether
/// somebody listens.
fn unshaken(peer: Option<SocketAddr>, why: &io::Error) {
    if why.kind() == io::ErrorKind::UnexpectedEof {
        return debug!("a caller's TLS handshake failed: {why}");
    }
    if let Some(left_out) = UNSHAKEN.pass() {
        let peer = peer.map(|peer| peer.to_string());
        warn!(peer, left_out, "a caller's TLS handshake failed: {why}");
    }
}

/// Tells that a connection cannot be taken, one in a while. For want of file descriptors it is this
/// process's own doing.
pub(super) fn cannot_accept(why: &io::Error, address: Option<impl fmt::Display>) {
    // EMFILE and ENFILE (errno(3)).
    const PROCESS_FULL: i32 = 24;
    const SYSTEM_FULL: i32 = 23;
    let Some(left_out) = LINES.pass() else { return };
    let why = match why.raw_os_error() {
        Some(PROCESS_FULL) => {
            format!(
                "the sidecar has as many files open as it may ({why}); raise its limit, or lower connections.max"
            )
        }
        Some(SYSTEM_FULL) => format!("this machine has as many files open as it may ({why})"),
        _ => why.to_string(),
    };
    let address = address.map(|address| address.to_string());
    warn!(address, left_out, "a connection cannot be accepted: {why}");
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
                let (socket, peer) = listener.accept().await?;
                // An answer must not wait for the one before it to be acknowledged.
                // A caller that is gone already is found out when it is served.
                let _ = socket.set_nodelay(true);
                Ok(Caller::Tcp(socket, peer))
            }
            Self::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                Ok(Caller::Local(Box::new(socket)))
            }
        }
    }
}
