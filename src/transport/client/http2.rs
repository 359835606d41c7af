//! One HTTP/2 connection, shared by many exchanges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use rustls::AlertDescription;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connect::ConnectFault;
use super::frames::{Follow, Frame, Frames};
use super::handshake::Handshake;
use super::http1::MAX_HEAD;
use super::origin::OriginContext;
use super::progress::Received;
use super::wire::{Observer, Stream, Wire};

mod pings;

/// Answers of a megabyte should not wait for window updates.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A server that has not said a word for so long is not waited for any more.
const GREETING: Duration = Duration::from_secs(1);

/// A handle of the connection; clones share it.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    pub(super) state: Arc<ConnectionState>,
    /// Used for new exchanges after this only while there is no younger one.
    pub(super) retires: Instant,
}

/// What is known of a connection.
pub(super) struct ConnectionState {
    origin: Arc<OriginContext>,
    pub(super) frames: Frames,
    pub(super) handshake: Handshake,
    health: AtomicU8,
    /// A look was asked for, or the connection ended.
    look: Notify,
    /// Exchanges under way, and how many the server allows.
    active: AtomicUsize,
    allowed: AtomicUsize,
    used: AtomicBool,
    /// The server's first words have come, and with them how many exchanges it allows.
    greeted: AtomicBool,
    opened: Instant,
    /// When bytes came last, in milliseconds since then.
    heard: AtomicU64,
}

/// Whether the other side is there. In this order it is less and less likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Health {
    Well,
    /// Something was awaited in vain, and a ping asks. New exchanges wait for its answer.
    Asked,
    /// The answer is late: calls that wait may have another connection.
    Late,
    /// Not used for new exchanges any more.
    Retired,
}

/// One of the exchanges that the server allows at once, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamPermit {
    pub(super) connection: Http2,
    /// The first exchange on the connection.
    pub(super) first: bool,
}

/// A request that is on its way.
pub(super) struct Exchange {
    response: ResponseFuture,
    pub(super) stream: u32,
    /// Exchanges under way when it began, with this one.
    pub(super) crowd: usize,
}

struct Watch {
    state: Arc<ConnectionState>,
    out: Follow,
    back: Follow,
}

impl Http2 {
    /// Speaks HTTP/2 on a fresh stream.
    pub(super) async fn open(
        stream: Stream,
        retires: Instant,
        origin: Arc<OriginContext>,
    ) -> Result<Self, ConnectFault> {
        let state = Arc::new(ConnectionState::new(origin));
        let (sender, mut connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .initial_max_send_streams(state.allowed())
            .enable_push(false)
            .handshake(Wire::new(stream, Watch::new(&state)))
            .await
            .map_err(|fault| match state.handshake.refused() {
                Some(alert) => ConnectFault::refused(alert),
                None => ConnectFault::Http(fault.to_string()),
            })?;
        if let Some(pings) = connection.ping_pong() {
            tokio::spawn(pings::answer(pings, Arc::clone(&state)));
        }
        let watched = Arc::clone(&state);
        tokio::spawn(async move {
            std::future::poll_fn(|context| {
                let ended = Future::poll(std::pin::Pin::new(&mut connection), context);
                watched.allow(connection.max_concurrent_send_streams());
                ended.map(drop)
            })
            .await;
            watched.retire();
        });
        Ok(Self {
            sender,
            state,
            retires,
        })
    }

    /// Room for a new exchange, unless the server allows no more or it is not sure that the server
    /// is there.
    pub(super) fn permit(&self) -> Option<StreamPermit> {
        let state = &self.state;
        if state.health() > Health::Well || state.frames.ending() {
            return None;
        }
        let active = state.active.load(Ordering::SeqCst);
        if active == 0 && state.silent_for() > state.origin.idle {
            // A flow that idled so long may be forgotten on the way.
            state.doubt();
            return None;
        }
        if active >= state.allowed() {
            return None;
        }
        state.active.fetch_add(1, Ordering::SeqCst);
        Some(StreamPermit {
            connection: self.clone(),
            first: !state.used.swap(true, Ordering::Relaxed),
        })
    }

    /// True while it may serve further exchanges.
    pub(super) fn lives(&self) -> bool {
        self.state.health() < Health::Retired && !self.state.frames.ending()
    }

    /// No new exchanges; those in flight go on.
    pub(super) fn retire(&self) {
        self.state.retire();
    }

    /// Sends a request.
    pub(super) async fn begin(
        &self,
        request: Request<()>,
        body: Bytes,
    ) -> Result<Exchange, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            // The library sends it as the windows allow; it is in memory already, so nothing is
            // gained by waiting here.
            stream.send_data(body, true)?;
        }
        Ok(Exchange {
            stream: response.stream_id().as_u32(),
            response,
            crowd: self.state.active.load(Ordering::SeqCst),
        })
    }
}

impl ConnectionState {
    fn new(origin: Arc<OriginContext>) -> Self {
        Self {
            allowed: AtomicUsize::new(origin.streams.load(Ordering::Relaxed)),
            origin,
            frames: Frames::default(),
            handshake: Handshake::default(),
            health: AtomicU8::new(Health::Well as u8),
            look: Notify::new(),
            active: AtomicUsize::new(0),
            used: AtomicBool::new(false),
            greeted: AtomicBool::new(false),
            opened: Instant::now(),
            heard: AtomicU64::new(0),
        }
    }

    pub(super) fn health(&self) -> Health {
        match self.health.load(Ordering::SeqCst) {
            0 => Health::Well,
            1 => Health::Asked,
            2 => Health::Late,
            _ => Health::Retired,
        }
    }

    /// From one of `from` to `to`; false when it stands otherwise.
    fn turn(&self, from: &[Health], to: Health) -> bool {
        let turned = from.iter().any(|from| {
            let (from, to) = (*from as u8, to as u8);
            self.health
                .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        });
        if turned {
            self.origin.change();
        }
        turned
    }

    /// Exchanges that the server allows at once.
    pub(super) fn allowed(&self) -> usize {
        self.allowed.load(Ordering::SeqCst)
    }

    fn allow(&self, streams: usize) {
        let before = self.allowed.swap(streams, Ordering::SeqCst);
        if before != streams {
            // None at all is meant to pass (RFC 9113 §6.5.2), so the next connection begins with
            // one.
            self.origin.streams.store(streams.max(1), Ordering::Relaxed);
            self.origin.change();
        }
    }

    /// True while the server's first words are still to come, and not overdue.
    pub(super) fn awaits_greeting(&self) -> bool {
        !self.greeted.load(Ordering::Relaxed) && self.opened.elapsed() < GREETING
    }

    /// How long nothing has come.
    fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.heard.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(heard)
    }

    /// An exchange that was `waited` for so long was given up. When nothing at all came meanwhile,
    /// perhaps nobody is there: a ping asks. Its answer clears the connection, so that a caller's
    /// own haste costs the others nothing.
    pub(super) fn wait_abandoned(&self, waited: Duration) {
        if self.silent_for().min(waited) >= self.origin.round_trip.patience() {
            self.doubt();
        }
    }

    fn doubt(&self) {
        if self.turn(&[Health::Well], Health::Asked) {
            self.look.notify_one();
        }
    }

    fn retire(&self) {
        self.turn(
            &[Health::Well, Health::Asked, Health::Late],
            Health::Retired,
        );
        self.look.notify_one();
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.connection.state.active.fetch_sub(1, Ordering::SeqCst);
        self.connection.state.origin.change();
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2")
            .field("frames", &self.state.frames)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// The head of the answer.
    pub(super) async fn head(self) -> Result<Response<RecvStream>, h2::Error> {
        self.response.await
    }
}

/// True when the server refused this very stream before it did anything (RFC 9113 §8.7).
pub(super) fn refused(fault: &h2::Error) -> bool {
    fault.is_remote() && fault.is_reset() && fault.reason() == Some(Reason::REFUSED_STREAM)
}

/// True when the server wants HTTP/1.1 instead. Nobody promises that it did nothing before it said
/// so (RFC 9113 §8.7).
pub(super) fn wants_http1(fault: &h2::Error) -> bool {
    fault.is_remote() && fault.reason() == Some(Reason::HTTP_1_1_REQUIRED)
}

impl Frames {
    /// How much of that stream's request the server can have received.
    pub(super) fn received(&self, stream: u32) -> Received {
        if !self.began(stream) {
            Received::Nothing
        } else if self.refused(stream) {
            Received::Refused
        } else {
            Received::Request
        }
    }
}

impl Watch {
    fn new(state: &Arc<ConnectionState>) -> Self {
        Self {
            state: Arc::clone(state),
            out: Follow::outbound(),
            back: Follow::inbound(),
        }
    }
}

impl Observer for Watch {
    fn before_write(&mut self, _: &TcpStream) -> io::Result<()> {
        Ok(())
    }

    // Each direction has its own word: a goodbye that this side says (with stream 0, as servers
    // open none) is about the server's streams, and says nothing of ours.
    fn wrote(&mut self, bytes: &[u8]) {
        self.out.pass(bytes, |frame| {
            if matches!(frame, Frame::Headers { .. }) {
                self.state.frames.note(frame);
            }
        });
    }

    fn read(&mut self, bytes: &[u8]) {
        let state = &*self.state;
        let heard = u64::try_from(state.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        state.heard.store(heard, Ordering::Relaxed);
        if !state.greeted.swap(true, Ordering::Relaxed) {
            state.origin.change();
        }
        self.back.pass(bytes, |frame| {
            state.frames.note_inbound(frame);
            match frame {
                Frame::Headers { .. } => state.handshake.stands(),
                Frame::GoAway { .. } => state.origin.change(),
                Frame::Continuation { .. } => {}
            }
        });
    }

    fn alerted(&mut self, alert: AlertDescription) {
        self.state.handshake.alerted(alert);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame header and its payload.
    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream][..], payload].concat()
    }

    /// A goodbye that names this last stream.
    fn goodbye(last: u8) -> Vec<u8> {
        frame(0x7, 0, &[0, 0, 0, last, 0, 0, 0, 0])
    }

    fn watch() -> (Arc<ConnectionState>, Watch) {
        let state = Arc::new(ConnectionState::new(OriginContext::unread()));
        let watch = Watch::new(&state);
        (state, watch)
    }

    #[test]
    fn our_own_goodbye_does_not_mean_that_the_server_refused_what_we_sent() {
        let (state, mut watch) = watch();
        let frames = &state.frames;
        watch.wrote(&[0; 24]);
        watch.wrote(&frame(0x1, 1, b"head"));
        watch.wrote(&frame(0x1, 3, b"head"));
        watch.wrote(&goodbye(0));
        assert_eq!(frames.received(3), Received::Request);
        watch.read(&goodbye(1));
        assert_eq!(
            (frames.received(1), frames.received(3)),
            (Received::Request, Received::Refused)
        );
        assert_eq!(frames.received(5), Received::Nothing);
    }

    #[test]
    fn an_answer_does_not_mean_that_a_later_request_began() {
        let (state, mut watch) = watch();
        let frames = &state.frames;
        watch.read(&frame(0x1, 7, b"head"));
        assert_eq!(frames.received(7), Received::Nothing);
    }
}
