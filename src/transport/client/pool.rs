//! The connections to one origin: HTTP/1.1 ones that wait for their next exchange, and shared
//! HTTP/2 ones.
//!
//! A connection is used again only while it was not idle for too long and is not known to be
//! closed. One that is old serves until a younger one is there, however long that takes. Calls that
//! find none wait in a row; what comes first, a connection that becomes free or one that is being
//! made, goes to the first of them. A connection is made to its end though the call that wanted it
//! has gone, and serves the next.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connect::{ConnectFault, Connected, Connector};
use super::http1::{Http1, idle_bound};
use super::http2::StreamPermit;
use super::origin::OriginContext;

mod state;

use state::State;

/// Connections to one scheme, host and port.
pub(super) struct Pool {
    connector: Arc<Connector>,
    pub(super) origin: Arc<OriginContext>,
    state: Mutex<State>,
}

type Waiter = oneshot::Sender<Result<Delivered, ConnectFault>>;

/// A connection for one exchange.
pub(super) enum Lease {
    Http1(Http1),
    Http2(StreamPermit),
}

/// A connection on its way to a call, which may be gone when it arrives.
struct Delivered {
    lease: Option<Lease>,
    pool: Weak<Pool>,
}

impl Pool {
    pub(super) fn new(connector: Connector, origin: Arc<OriginContext>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::new(State::new(Weak::clone(this), !connector.negotiates())),
            connector: Arc::new(connector),
            origin,
        })
    }

    /// A connection that should work: a used one if there is, else the first that becomes free or
    /// is made.
    pub(super) async fn lease(&self) -> Result<Lease, ConnectFault> {
        let delivered = {
            let mut state = self.state();
            if state.nobody_waits()
                && let Some(lease) = state.take(Instant::now())
            {
                self.dial(&mut state);
                return Ok(lease);
            }
            let (waiter, delivered) = oneshot::channel();
            state.waiting.retain(|waiter| !waiter.is_closed());
            state.waiting.push_back(waiter);
            self.keep(&mut state);
            state.serve(Instant::now());
            self.dial(&mut state);
            self.count(&state);
            delivered
        };
        match delivered.await {
            Ok(Ok(mut delivered)) => delivered.lease.take().ok_or(ConnectFault::Timeout),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(ConnectFault::Timeout),
        }
    }

    /// Takes a connection back whose answer was read to its end.
    pub(super) fn give_back(&self, mut connection: Http1, headers: &HeaderMap) {
        connection.rest(Instant::now(), idle_bound(headers, self.origin.idle));
        self.put(connection);
    }

    /// An exchange on an HTTP/1.1 connection ended without a byte of an answer, and the connection
    /// with it. Others that have idled since before it began may be as dead: they serve until a
    /// younger one is there.
    pub(super) fn fell_silent(&self, began: Instant) {
        self.origin.metrics.silent_connections.http1.inc();
        let (mut state, now) = (self.state(), Instant::now());
        let mut doubtful = state
            .free
            .iter_mut()
            .filter(|free| free.idle_since < began)
            .peekable();
        if doubtful.peek().is_some() {
            doubtful.for_each(|free| free.retires = free.retires.min(now));
            state.replace = true;
            self.origin.changed.notify_one();
        }
    }

    /// The server wants HTTP/1.1: no new exchange over HTTP/2. True the first time.
    pub(super) fn leave_http2(&self) -> bool {
        let first = self.connector.leave_http2();
        let mut state = self.state();
        state.http1 = true;
        let shared = std::mem::take(&mut state.shared);
        drop(state);
        for connection in shared {
            connection.retire();
        }
        first
    }

    fn put(&self, connection: Http1) {
        let mut state = self.state();
        self.shelve(&mut state, connection, Instant::now());
    }

    fn shelve(&self, state: &mut State, connection: Http1, now: Instant) {
        if !connection.usable(now) || state.outlived(connection.retires, now) {
            return;
        }
        state.free.push(connection);
        state.serve(now);
        if !state.sweeping && !state.free.is_empty() {
            state.sweeping = true;
            let sweep = sweep(Weak::clone(&state.this), self.origin.idle);
            state.tasks.spawn(sweep);
        }
        self.count(state);
    }

    /// Has the row served whenever something changes.
    fn keep(&self, state: &mut State) {
        self.count(state);
        if !std::mem::replace(&mut state.kept, true) {
            let (this, origin) = (Weak::clone(&state.this), Arc::clone(&self.origin));
            state.tasks.spawn(async move {
                loop {
                    origin.changed.notified().await;
                    let Some(pool) = this.upgrade() else { return };
                    let mut state = pool.state();
                    state.serve(Instant::now());
                    pool.dial(&mut state);
                    pool.count(&state);
                }
            });
        }
    }

    /// Begins to make as many connections as are missing.
    fn dial(&self, state: &mut State) {
        let missing = state.missing(Instant::now());
        if missing == 0 {
            return;
        }
        while state.tasks.try_join_next().is_some() {}
        for _ in 0..missing {
            state.dials += 1;
            let (this, connector) = (Weak::clone(&state.this), Arc::clone(&self.connector));
            let origin = Arc::clone(&self.origin);
            state.tasks.spawn(async move {
                let connected = connector.connect(&origin).await;
                if let Some(pool) = this.upgrade() {
                    pool.dialled(connected);
                }
            });
        }
    }

    fn dialled(&self, connected: Result<Connected, ConnectFault>) {
        let now = Instant::now();
        let mut state = self.state();
        state.dials -= 1;
        state.replace = false;
        match connected {
            Ok(connected) => {
                state.made = Some(now);
                state.failed = None;
                match connected {
                    // At least as long as this: the youngest must not pass for one that a younger
                    // has replaced.
                    Connected::Http1(mut connection) => {
                        connection.retires = connection.retires.max(now);
                        state.http1 = true;
                        if state.nobody_waits() {
                            connection.rest(now, self.origin.idle);
                        }
                        self.shelve(&mut state, connection, now);
                    }
                    Connected::Http2(mut connection) => {
                        connection.retires = connection.retires.max(now);
                        state.http1 = false;
                        state.shared.push(connection);
                        state.serve(now);
                    }
                }
            }
            Err(fault) => {
                state.failed = Some(now);
                state.serve(now);
                state.fail(&fault);
            }
        }
        self.dial(&mut state);
        self.count(&state);
    }

    fn count(&self, state: &State) {
        self.origin
            .waiting
            .store(state.waiting.len(), Ordering::SeqCst);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Delivered {
    fn drop(&mut self) {
        if let Some(Lease::Http1(mut connection)) = self.lease.take()
            && let Some(pool) = self.pool.upgrade()
        {
            connection.rest(Instant::now(), pool.origin.idle);
            pool.put(connection);
        }
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
