//! The HTTP/1.1 server below every emulated cloud: it records requests, plays faults and hands the
//! rest to a `Service`.
//!
//! It reads the wire itself instead of through a general server, because a cloud that checks
//! signatures must see the request target, the header order and the body bytes exactly as they
//! came. Plain HTTP, for loopback only. Knows no cloud.

mod connection;
mod guard;
mod recorder;
mod wire;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::clock::Clock;
use super::faults::Faults;
use guard::Guard;
pub use recorder::RecordedRequest;
use recorder::Recorder;

const SHUTDOWN_POLL: Duration = Duration::from_millis(5);
/// Two seconds; what has not ended by then is left behind.
const SHUTDOWN_POLLS: u32 = 400;

/// One request, as received.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    /// The raw request target: nothing decoded, nothing normalised.
    pub(super) target: String,
    /// In order, names spelt as received.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// The body went past the limit and was thrown away.
    pub(super) too_large: bool,
}

impl Request {
    /// The first header of this name, any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }
}

fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// One answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json;charset=utf-8", body.to_string())
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A cloud behind the server.
#[async_trait]
pub(super) trait Service: fmt::Debug + Send + Sync + 'static {
    /// Carries out one request.
    async fn answer(&self, request: &Request) -> Reply;

    /// What this cloud sends for an error that a fault asks for: by its own code, else by HTTP
    /// status.
    fn error(&self, status: Option<u16>, code: Option<&str>) -> Reply;

    /// Tells everything that still runs to end.
    fn stop(&self);

    /// Whether all of it has ended after [`Self::stop`].
    fn is_idle(&self) -> bool;
}

/// How a server listens.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    /// Names besides `localhost` and addresses that `Host` and `Origin` may have.
    pub(super) allowed_hosts: Vec<String>,
    /// Bytes of one body; a longer one is answered with 413.
    pub(super) max_body: usize,
    /// How many requests the recorder keeps.
    pub(super) recorded: usize,
    /// A file that gets a line of JSON for each request.
    pub(super) record_file: Option<PathBuf>,
    pub(super) clock: Clock,
    pub(super) faults: Faults,
}

#[derive(Debug)]
struct Shared {
    guard: Guard,
    service: Arc<dyn Service>,
    recorder: Recorder,
    faults: Faults,
    clock: Clock,
    max_body: usize,
}

/// A running emulator. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://host:port`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The latest requests, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.all()
    }

    /// Forgets the recorded requests.
    pub fn clear_requests(&self) {
        self.shared.recorder.clear();
    }

    /// The faults in force; changes count from the next request on.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The clock of this emulator, which tests move.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Stops: closes the listener and all connections, ends actions that still run.
    pub async fn shutdown(mut self) {
        self.shared.service.stop();
        for task in self.tasks.drain(..) {
            task.abort();
            // A cancelled task is what was asked for.
            let _ = task.await;
        }
        // Connections and runs let go of the service when they notice, and only then is its store
        // free to be opened again.
        for _ in 0..SHUTDOWN_POLLS {
            if Arc::strong_count(&self.shared) == 1 && self.shared.service.is_idle() {
                break;
            }
            tokio::time::sleep(SHUTDOWN_POLL).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.service.stop();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Binds and starts to answer. `background` are tasks of the service that end with it.
pub(super) async fn serve(
    settings: Settings,
    service: Arc<dyn Service>,
    background: Vec<JoinHandle<()>>,
) -> io::Result<Running> {
    let Settings {
        listen,
        allowed_hosts,
        max_body,
        recorded,
        record_file,
        clock,
        faults,
    } = settings;
    let shared = Arc::new(Shared {
        guard: Guard::new(allowed_hosts),
        service,
        recorder: Recorder::new(recorded, record_file.as_deref())?,
        faults,
        clock,
        max_body,
    });
    let mut running = Running {
        addr: listen,
        shared,
        tasks: background,
    };
    // From here on a failure drops `running`, which ends the background tasks.
    let listener = TcpListener::bind(listen).await?;
    running.addr = listener.local_addr()?;
    let shared = Arc::clone(&running.shared);
    running.tasks.push(tokio::spawn(accept(listener, shared)));
    Ok(running)
}

/// Aborting this task drops the set, and with it every connection.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, most likely: give the connections time to end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
