//! Listening addresses: bound once, shared by all serving threads.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StartError;
use crate::config::{Listen, UnixSocket};

/// One bound address.
pub(super) struct Bound {
    address: Listen,
    socket: Socket,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<SocketFile>),
}

/// The same on a runtime.
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// The file of a Unix socket, taken away when the last listener is gone.
pub(super) struct SocketFile(PathBuf);

impl Bound {
    pub(super) fn bind(address: &Listen, file: UnixSocket) -> Result<Self, StartError> {
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
                std::os::unix::fs::chown(path, file.owner, file.group).map_err(|why| {
                    StartError(format!(
                        "unix:{} cannot be given the owner and group of unix_socket ({why})",
                        path.display()
                    ))
                })?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(file.mode))
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

    /// The same listening socket for another thread; the system gives each connection to one of
    /// them.
    pub(super) fn share(&self) -> Result<Self, StartError> {
        let socket = match &self.socket {
            Socket::Tcp(listener) => listener.try_clone().map(Socket::Tcp),
            Socket::Unix(listener, file) => listener
                .try_clone()
                .map(|listener| Socket::Unix(listener, Arc::clone(file))),
        };
        let socket =
            socket.map_err(|why| StartError(format!("cannot share {} ({why})", self.address)))?;
        Ok(Self {
            address: self.address.clone(),
            socket,
        })
    }

    /// The listening socket on the present runtime, and the file to be taken away with it.
    pub(super) fn open(self) -> std::io::Result<(Listener, Option<Arc<SocketFile>>)> {
        match self.socket {
            Socket::Tcp(listener) => tokio::net::TcpListener::from_std(listener)
                .map(|listener| (Listener::Tcp(listener), None)),
            Socket::Unix(listener, file) => tokio::net::UnixListener::from_std(listener)
                .map(|listener| (Listener::Unix(listener), Some(file))),
        }
    }
}

/// A socket file that nobody listens on is what a killed process leaves behind; anything else is
/// not ours to remove.
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
