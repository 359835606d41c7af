//! The connections to one origin: HTTP/1.1 ones that wait for their next exchange, and a shared HTTP/2 one.
//!
//! A connection is used again only while it is young enough, was not idle for too long, and is not known to be closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::connect::{ConnectFault, Connected, Connector};
use super::http1::Http1;
use super::http2::Http2;

/// Connections to one scheme, host and port.
pub(super) struct Pool {
    connector: Connector,
    idle: Duration,
    state: Mutex<State>,
    /// Held while connecting to a server that may speak HTTP/2, so that calls which begin together share one connection.
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Longest idle first.
    free: Vec<Http1>,
    shared: Option<Http2>,
    /// The server chose HTTP/1.1: connections may be made side by side.
    http1: bool,
    sweeping: bool,
    /// Failed connects so far, and the last one's cause: shared by all who waited for it.
    failures: u64,
    failure: Option<ConnectFault>,
}

/// What there is for a call that needs a connection.
enum Found {
    Lease(Lease),
    /// Nothing; each call makes its own.
    OneEach,
    /// Nothing; one made now may serve all. So many attempts failed before.
    Shareable {
        failures: u64,
    },
}

/// A connection for one exchange.
pub(super) enum Lease {
    Http1(Http1),
    Http2(Http2),
}

impl Pool {
    pub(super) fn new(connector: Connector, idle: Duration) -> Self {
        Self {
            connector,
            idle,
            state: Mutex::default(),
            dialling: tokio::sync::Mutex::default(),
        }
    }

    /// A connection that should work: a used one if there is, else a fresh one.
    pub(super) async fn lease(&self) -> Result<Lease, ConnectFault> {
        let failures = match self.find() {
            Found::Lease(lease) => return Ok(lease),
            Found::OneEach => return self.dial().await,
            Found::Shareable { failures } => failures,
        };
        let _turn = self.dialling.lock().await;
        match self.find() {
            Found::Lease(lease) => Ok(lease),
            // Someone tried while we waited: one failed attempt answers all of them.
            Found::Shareable { failures: now } if now > failures => Err(self.last_failure()),
            _ => self.dial().await,
        }
    }

    fn find(&self) -> Found {
        let mut state = self.state();
        match state.take(Instant::now()) {
            Some(lease) => Found::Lease(lease),
            None if state.http1 || !self.connector.negotiates() => Found::OneEach,
            None => Found::Shareable {
                failures: state.failures,
            },
        }
    }

    fn last_failure(&self) -> ConnectFault {
        self.state().failure.clone().unwrap_or(ConnectFault::Timeout)
    }

    async fn dial(&self) -> Result<Lease, ConnectFault> {
        let connected = self.connector.connect().await;
        let mut state = self.state();
        match connected {
            Ok(Connected::Http1(connection)) => {
                state.http1 = true;
                Ok(Lease::Http1(connection))
            }
            Ok(Connected::Http2(connection)) => {
                state.http1 = false;
                state.shared = Some(connection.clone());
                Ok(Lease::Http2(connection))
            }
            Err(failure) => {
                state.failures += 1;
                state.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Takes a connection back whose answer was read to its end.
    pub(super) fn give_back(self: &Arc<Self>, mut connection: Http1, headers: &HeaderMap) {
        let now = Instant::now();
        connection.rest(now, self.idle, headers);
        if !connection.usable(now) {
            return;
        }
        let mut state = self.state();
        state.free.push(connection);
        if !state.sweeping {
            state.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.idle));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, now: Instant) -> Option<Lease> {
        if let Some(shared) = &self.shared {
            if shared.usable(now) {
                return Some(Lease::Http2(shared.clone()));
            }
            self.shared = None;
        }
        // The most recently used is the likeliest to be alive, and lets the others grow old.
        while let Some(connection) = self.free.pop() {
            if connection.usable(now) {
                return Some(Lease::Http1(connection));
            }
        }
        None
    }
}

/// Closes connections that nobody used for long; ends when there are none.
async fn sweep(pool: Weak<Pool>, idle: Duration) {
    let pause = (idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(10));
    loop {
        tokio::time::sleep(pause).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = pool.state();
        let now = Instant::now();
        state.free.retain(|connection| connection.usable(now));
        if state.free.is_empty() {
            state.sweeping = false;
            return;
        }
    }
}
