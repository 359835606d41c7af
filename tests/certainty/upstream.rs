//! One lane: an address where a cloud is played for one call after the other, each with its own
//! script of faults.
//!
//! A lane serves one target of the sidecar and one call at a time, so that what happens before the
//! upstream knows whose request it has (a refused connection, a reset in the head) is that call's
//! too, and follows from its number alone.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answers::Cloud;
use crate::connection;
use crate::fault::{Fault, Idle};
use crate::ledger::Ledger;

/// Small, so that a large request is still half in the client's hands when the upstream stops
/// reading.
const RECEIVE_BUFFER: u32 = 8 << 10;

/// One lane. Its connections end when it is dropped.
pub struct Lane {
    pub number: usize,
    pub shared: Arc<Shared>,
    address: SocketAddr,
    /// Bound and never listening: keeps the port while nobody listens on it.
    _reserved: TcpSocket,
    accepting: Mutex<JoinSet<()>>,
}

/// What the lane and its connections share.
pub struct Shared {
    pub cloud: Cloud,
    pub ledger: Ledger,
    script: Mutex<Script>,
    /// An order for connections that idle now.
    pub orders: watch::Sender<Idle>,
    open: AtomicUsize,
    requests: AtomicUsize,
}

#[derive(Default)]
struct Script {
    call: u64,
    faults: VecDeque<Fault>,
    /// What all others meet.
    then: Option<Fault>,
}

impl Lane {
    pub fn new(number: usize, cloud: Cloud, ledger: &Ledger) -> Self {
        let reserved = socket("127.0.0.1:0".parse().unwrap());
        let address = reserved.local_addr().unwrap();
        let (orders, _) = watch::channel(Idle::Garbage);
        let lane = Self {
            number,
            shared: Arc::new(Shared {
                cloud,
                ledger: ledger.clone(),
                script: Mutex::default(),
                orders,
                open: AtomicUsize::new(0),
                requests: AtomicUsize::new(0),
            }),
            address,
            _reserved: reserved,
            accepting: Mutex::default(),
        };
        lane.listen();
        lane
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of the target that leads here.
    pub fn target(&self) -> String {
        format!("{}-{}", self.shared.cloud.name(), self.number)
    }

    /// Accepts connections (again).
    pub fn listen(&self) {
        let listener = socket(self.address).listen(128).unwrap();
        self.accepting
            .lock()
            .unwrap()
            .spawn(accept(listener, Arc::clone(&self.shared)));
    }

    /// Ends the listener and every connection: whoever connects now is refused.
    pub async fn refuse(&self) {
        let mut accepting = std::mem::take(&mut *self.accepting.lock().unwrap());
        accepting.shutdown().await;
    }

    /// Ends every connection, and whoever connects now gets no answer at all: the queue of
    /// connections to accept is full, and what does not fit into it the system drops.
    pub async fn leave_unanswered(&self) {
        self.refuse().await;
        let listener = socket(self.address).listen(0).unwrap();
        let first = TcpStream::connect(self.address).await.unwrap();
        self.accepting.lock().unwrap().spawn(async move {
            let _held = (listener, first);
            std::future::pending::<()>().await;
        });
    }

    /// The next requests are of `call` and meet these faults, in this order; then none.
    pub fn arm(&self, call: u64, faults: impl IntoIterator<Item = Fault>) {
        *self.shared.script.lock().unwrap() = Script {
            call,
            faults: faults.into_iter().collect(),
            then: None,
        };
    }

    /// The same, and all requests after these meet `then`.
    pub fn arm_for_good(&self, call: u64, faults: impl IntoIterator<Item = Fault>, then: Fault) {
        self.arm(call, faults);
        self.shared.script.lock().unwrap().then = Some(then);
    }

    /// Requests that began to arrive.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// What happens to the connection that was accepted just now, if anything.
    pub fn on_accept(&self) -> Option<Fault> {
        let mut script = self.script.lock().unwrap();
        let fault = script.faults.front().copied().or(script.then)?;
        if !matches!(fault, Fault::OnAccept(_)) {
            return None;
        }
        script.faults.pop_front();
        self.ledger.met(script.call, fault);
        Some(fault)
    }

    /// The call whose turn it is.
    pub fn call(&self) -> u64 {
        self.script.lock().unwrap().call
    }

    /// What happens to the request that comes now.
    pub fn on_request(&self) -> Fault {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut script = self.script.lock().unwrap();
        let fault = script
            .faults
            .pop_front()
            .or(script.then)
            .unwrap_or(Fault::None);
        self.ledger.met(script.call, fault);
        fault
    }
}

/// A socket at `address`; several may share it, of which one listens at most.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(one(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn one(stream: TcpStream, shared: Arc<Shared>) {
    shared.open.fetch_add(1, Ordering::SeqCst);
    let _counted = Counted(&shared.open);
    connection::serve(stream, &shared).await;
}

/// Counts a connection out however its task ends.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
