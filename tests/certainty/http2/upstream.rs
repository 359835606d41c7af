//! An HTTPS server that speaks HTTP/2 frame by frame, and keeps the books.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use faas_testkit::frames::{
    self, ACK, DATA, END_STREAM, Frame, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
};
use faas_testkit::tls::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::StreamFault;
use crate::answers::Cloud;
use crate::fault::{End, Said};
use crate::ledger::{Ledger, Step};

/// A frame type that no document knows: to be passed over (RFC 9113 §4.1).
const UNKNOWN: u8 = 0x42;

/// The running server; it ends when dropped.
pub struct Upstream {
    port: u16,
    /// The certificate that the sidecar must trust.
    pub authority: Authority,
    connections: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

/// What a connection should do.
enum Order {
    Write(Vec<u8>),
    /// Write these bytes and end.
    End(Vec<u8>, End),
}

/// Which cloud it plays, by which schedule, into which books.
#[derive(Clone)]
struct Part {
    cloud: Cloud,
    seed: u64,
    ledger: Ledger,
}

/// One connection's streams.
struct Connection {
    part: Part,
    /// Bodies that are not whole yet.
    bodies: HashMap<u32, Vec<u8>>,
    /// The last stream that is processed; less after a goodbye.
    last: u32,
    /// The last one that was.
    processed: u32,
    orders: UnboundedSender<Order>,
}

impl Upstream {
    pub async fn start(cloud: Cloud, seed: u64, ledger: &Ledger) -> Self {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(authority.server(&["h2"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        let part = Part {
            cloud,
            seed,
            ledger: ledger.clone(),
        };
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, counted, part) =
                    (acceptor.clone(), Arc::clone(&counted), part.clone());
                serving.spawn(async move {
                    let Ok(socket) = acceptor.accept(socket).await else {
                        return;
                    };
                    counted.fetch_add(1, Ordering::Relaxed);
                    serve(socket, part).await;
                });
            }
        });
        Self {
            port,
            authority,
            connections,
            _accepting: accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(mut socket: TlsStream<TcpStream>, part: Part) {
    let (orders, mut ordered) = unbounded_channel();
    let mut connection = Connection {
        part,
        bodies: HashMap::new(),
        last: u32::MAX,
        processed: 0,
        orders,
    };
    if socket
        .write_all(&frames::frame(SETTINGS, 0, 0, &[]))
        .await
        .is_err()
    {
        return;
    }
    let mut unused = Vec::new();
    let mut greeted = false;
    loop {
        tokio::select! {
            read = socket.read_buf(&mut unused) => {
                if !matches!(read, Ok(count) if count > 0) {
                    return;
                }
                if !greeted && unused.len() >= PREFACE.len() {
                    assert!(unused.starts_with(PREFACE));
                    unused.drain(..PREFACE.len());
                    greeted = true;
                }
                while greeted && let Some(frame) = frames::take(&mut unused) {
                    connection.meet(&frame);
                }
            }
            // A sender is kept in the connection, so that there is always a next one.
            Some(order) = ordered.recv() => {
                if !obey(&mut socket, order).await {
                    return;
                }
            }
        }
    }
}

/// Writes what was ordered; false when the connection has ended.
async fn obey(socket: &mut TlsStream<TcpStream>, order: Order) -> bool {
    match order {
        Order::Write(bytes) => {
            socket.write_all(&bytes).await.is_ok() && socket.flush().await.is_ok()
        }
        Order::End(bytes, end) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.flush().await;
            if end == End::Reset {
                let _ = socket.get_ref().0.set_zero_linger();
            }
            false
        }
    }
}

impl Connection {
    fn write(&self, bytes: Vec<u8>) {
        // The connection may be over.
        let _ = self.orders.send(Order::Write(bytes));
    }

    fn meet(&mut self, frame: &Frame) {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => self.write(frames::frame(SETTINGS, ACK, 0, &[])),
            PING if frame.flags & ACK == 0 => {
                self.write(frames::frame(PING, ACK, 0, &frame.payload));
            }
            HEADERS => {
                self.bodies.insert(frame.stream, Vec::new());
            }
            DATA => {
                if let Some(body) = self.bodies.get_mut(&frame.stream) {
                    body.extend(&frame.payload);
                }
                if !frame.payload.is_empty() {
                    self.write(frames::room(frame.stream, frame.payload.len()));
                }
                if frame.flags & END_STREAM != 0
                    && let Some(body) = self.bodies.remove(&frame.stream)
                {
                    self.request(frame.stream, &body);
                }
            }
            // A stream that its caller gave up: what came of it is not a request.
            RST_STREAM => {
                self.bodies.remove(&frame.stream);
            }
            _ => {}
        }
    }

    /// A whole request. Those above the last stream of a goodbye are passed over, as the goodbye
    /// says.
    fn request(&mut self, stream: u32, body: &[u8]) {
        if stream > self.last {
            return;
        }
        let text = String::from_utf8_lossy(body);
        let Some(call) = call_of(&text) else {
            return self
                .part
                .ledger
                .broken(format!("a body of {} bytes names no call", body.len()));
        };
        let Part {
            cloud,
            seed,
            ledger,
        } = &self.part;
        let attempt = ledger.read(call, Step::Run, None);
        let fault = StreamFault::of(*seed, call, u64::try_from(attempt).unwrap());
        // Bodies come in any order: a goodbye below a stream that was processed would be a lie of
        // this server.
        let fault = match fault {
            StreamFault::Uncounted if stream < self.processed => StreamFault::Refused,
            StreamFault::Counted if stream < self.processed => StreamFault::None,
            fault => fault,
        };
        ledger.met(call, fault.into());
        if !matches!(fault, StreamFault::Refused | StreamFault::Uncounted) {
            self.processed = self.processed.max(stream);
        }
        let execute = || ledger.execute(call, Step::Run, None);
        let whole = cloud.good(Step::Run, call);
        let (head, answer) = (
            frames::head(stream, whole.status, &whole.headers, false),
            whole.body,
        );
        let good = [head.clone(), frames::data(stream, answer.as_bytes(), true)].concat();
        match fault {
            StreamFault::None => {
                execute();
                self.write(good);
            }
            StreamFault::Refused => self.write(frames::reset(stream, frames::REFUSED_STREAM)),
            StreamFault::Uncounted => {
                self.last = stream.saturating_sub(2);
                self.write(frames::goodbye(self.last, frames::NO_ERROR));
                self.end_soon();
            }
            StreamFault::Counted => {
                self.last = stream;
                execute();
                self.write([frames::goodbye(stream, frames::NO_ERROR), good].concat());
                self.end_soon();
            }
            StreamFault::Reset(reason, executed) => {
                if executed {
                    execute();
                }
                self.write(frames::reset(stream, reason));
            }
            StreamFault::ResetInBody(reason) => {
                execute();
                let half = &answer.as_bytes()[..answer.len() / 2];
                self.write(
                    [
                        head,
                        frames::data(stream, half, false),
                        frames::reset(stream, reason),
                    ]
                    .concat(),
                );
            }
            StreamFault::Lost(end, executed) => {
                if executed {
                    execute();
                }
                self.end(Vec::new(), end);
            }
            StreamFault::HeadCut(end) => {
                execute();
                self.end(good[..12].to_vec(), end);
            }
            StreamFault::BodyCut(end) => {
                execute();
                self.end(good[..good.len() - 20].to_vec(), end);
            }
            StreamFault::Stalled(executed) => {
                if executed {
                    execute();
                }
            }
            StreamFault::Late(millis) => {
                let (ledger, orders) = (ledger.clone(), self.orders.clone());
                tokio::spawn(async move {
                    sleep(Duration::from_millis(millis.into())).await;
                    ledger.execute(call, Step::Run, None);
                    let _ = orders.send(Order::Write(good));
                });
            }
            StreamFault::Interim => {
                execute();
                self.write(
                    [
                        frames::frame(UNKNOWN, 0xff, 0, b"what is this"),
                        frames::head(stream, 103, frames::NONE, false),
                        good,
                    ]
                    .concat(),
                );
            }
            StreamFault::Empty => {
                execute();
                self.write(frames::head(stream, 200, &whole.headers, true));
            }
            StreamFault::Unavailable(executed) => {
                if executed {
                    execute();
                }
                self.said(stream, Said::Unavailable);
            }
            StreamFault::Throttled => self.said(stream, Said::GatewayThrottle(false)),
        }
    }

    fn said(&self, stream: u32, said: Said) {
        let answer = self.part.cloud.said(said);
        self.write(
            [
                frames::head(stream, answer.status, &answer.headers, false),
                frames::data(stream, answer.body.as_bytes(), true),
            ]
            .concat(),
        );
    }

    fn end(&mut self, bytes: Vec<u8>, end: End) {
        // Requests that are read together with this one are not looked at any more.
        self.last = 0;
        let _ = self.orders.send(Order::End(bytes, end));
    }

    /// After a goodbye the connection ends when what it counted has had time to end.
    fn end_soon(&self) {
        let orders = self.orders.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(100)).await;
            let _ = orders.send(Order::End(Vec::new(), End::Close));
        });
    }
}

fn call_of(body: &str) -> Option<u64> {
    let (_, rest) = body.split_once("\"id\":")?;
    let (digits, _) = rest.split_once(',')?;
    digits.parse().ok()
}
