//! Listening addresses: bound once, shared by all serving threads.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tracing::warn;

use super::{StartError, Stop};
use crate::config::Listen;
use crate::grpc::Router;

/// Flow-control windows: a code archive of tens of megabytes must not wait for a round trip every 64 KiB.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Calls in flight on one connection; beyond that the client waits.
const MAX_STREAMS: u32 = 4096;
/// Owner and group may connect: containers of one pod often share a group, not a user.
const SOCKET_MODE: u32 = 0o660;

/// One bound address.
pub(super) struct Bound {
    address: Listen,
    socket: Socket,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<SocketFile>),
}

/// The file of a Unix socket, taken away when the last listener is gone.
struct SocketFile(PathBuf);

impl Bound {
    pub(super) fn bind(address: &Listen) -> Result<Self, StartError> {
        let fault = |why: std::io::Error| StartError(format!("cannot listen on {address} ({why})"));
        match address {
            Listen::Tcp(tcp) => {
                let listener = TcpListener::bind(tcp).map_err(fault)?;
                listener.set_nonblocking(true).map_err(fault)?;
                let address = Listen::Tcp(listener.local_addr().map_err(fault)?);
                Ok(Self {
                    address,
                    socket: Socket::Tcp(listener),
                })
            }
            Listen::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path).map_err(fault)?;
                listener.set_nonblocking(true).map_err(fault)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))
                    .map_err(fault)?;
                let file = Arc::new(SocketFile(path.clone()));
                Ok(Self {
                    address: address.clone(),
                    socket: Socket::Unix(listener, file),
                })
            }
        }
    }

    pub(super) fn address(&self) -> &Listen {
        &self.address
    }

    /// The same listening socket for another thread; the system gives each connection to one of them.
    pub(super) fn share(&self) -> Result<Self, StartError> {
        let socket = match &self.socket {
            Socket::Tcp(listener) => listener.try_clone().map(Socket::Tcp),
            Socket::Unix(listener, file) => listener
                .try_clone()
                .map(|listener| Socket::Unix(listener, Arc::clone(file))),
        };
        let socket = socket.map_err(|why| StartError(format!("cannot share {} ({why})", self.address)))?;
        Ok(Self {
            address: self.address.clone(),
            socket,
        })
    }

    /// Serves until told to drain, then until the last call in flight has ended.
    pub(super) async fn serve(self, router: Router, mut stop: watch::Receiver<Stop>) {
        let server = || {
            Server::builder()
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_concurrent_streams(MAX_STREAMS)
        };
        let drain = async move { drop(stop.wait_for(|stop| *stop >= Stop::Drain).await) };
        let served = match self.socket {
            Socket::Tcp(listener) => match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let incoming =
                        tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
                    server()
                        .serve_with_incoming_shutdown(router, incoming, drain)
                        .await
                }
                Err(why) => return warn!(address = %self.address, "cannot serve: {why}"),
            },
            Socket::Unix(listener, _file) => match tokio::net::UnixListener::from_std(listener) {
                Ok(listener) => {
                    let incoming = UnixListenerStream::new(listener);
                    server()
                        .serve_with_incoming_shutdown(router, incoming, drain)
                        .await
                }
                Err(why) => return warn!(address = %self.address, "cannot serve: {why}"),
            },
        };
        if let Err(why) = served {
            warn!(address = %self.address, "serving ended: {why}");
        }
    }
}

/// A socket file that nobody listens on is what a killed process leaves behind; anything else is not ours to remove.
fn remove_stale(path: &Path) -> Result<(), StartError> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let shown = path.display();
    if !found.file_type().is_socket() {
        return Err(StartError(format!(
            "cannot listen on unix:{shown}: the file exists and is no socket"
        )));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(StartError(format!(
            "cannot listen on unix:{shown}: another process listens there"
        )));
    }
    std::fs::remove_file(path)
        .map_err(|why| StartError(format!("cannot remove the old socket {shown} ({why})")))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
