//! One caller's connection: HTTP/2 within bounds, from its first byte to its last call.
//!
//! Many cheap frames (resets, pings, settings, continuations) are the HTTP/2 library's to bound,
//! and it ends such a connection; slowness and idleness are bounded here. The library looks at a
//! call's answer only when the caller takes more of it, so that the task of each call ends the
//! sending at the call's deadline.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tracing::warn;

use super::places::{Place, Seat};
use super::{Stop, authority, greeting};
use crate::config::Connections;
use crate::grpc::{Answered, Pending, Router};
use crate::telemetry::log::LineLimit;

mod life;

use life::{Calling, Carrier, Life, SendBy};

/// Flow-control windows: a code archive of tens of megabytes must not wait for a round trip every
/// 64 KiB.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Bytes of an answer that wait in the connection for a caller that does not read; the rest waits
/// with the answer.
const SEND_BUFFER: usize = 64 << 10;
/// Length of the text that begins an HTTP/2 connection.
const PREFACE: usize = greeting::PREFACE.len();
/// The least time between two looks at whether a connection is in use.
const LOOK: Duration = Duration::from_millis(100);
/// Calls that a caller may give up before the sidecar has looked at them, and so many may wait for
/// that: a third of a second in which the thread is busy with a large message brings that many of a
/// caller with short deadlines, and more are an attack.
const GIVEN_UP_UNSEEN: usize = 500;
/// Calls that a caller may give up within a second, in multiples of those that it may have at once.
/// Beyond that its connection is closed: a goodbye would not stop who does not listen.
const GIVEN_UP: usize = 2;
static FLOODS: LineLimit = LineLimit::new(Duration::from_secs(5));
/// How long a connection that was told to go may take to say so to its caller.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection runs on: a socket, with or without TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Serves a caller whose preface has been read until it goes, falls silent for too long, or is sent
/// away. What comes in goes through the
/// filter, if there is one.
pub(super) async fn serve(
    socket: Box<dyn Socket>,
    filter: Option<authority::Filter>,
    router: Router,
    bounds: &Connections,
    mut place: Place,
    mut stop: watch::Receiver<Stop>,
) {
    let most = usize::try_from(bounds.max_streams).unwrap_or(usize::MAX);
    let life = Arc::new(Life::new(most.saturating_mul(GIVEN_UP)));
    let begins = Begins {
        socket,
        filter,
        read: 0,
        life: Arc::clone(&life),
    };
    let carrier = Carrier {
        life: Arc::clone(&life),
        memory: router.memory().clone(),
    };
    let answers = Answers {
        router,
        seat: place.seat.clone(),
        life: Arc::clone(&life),
        message_timeout: bounds.message_timeout,
    };
    let connection = http2::Builder::new(carrier)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_concurrent_streams(bounds.max_streams)
        .max_pending_accept_reset_streams(GIVEN_UP_UNSEEN)
        .max_header_list_size(u32::try_from(bounds.max_header_size).unwrap_or(u32::MAX))
        .keep_alive_interval(bounds.keepalive_interval)
        .keep_alive_timeout(bounds.keepalive_timeout)
        .serve_connection(TokioIo::new(begins), answers);
    let mut connection = pin!(connection);
    let born = Instant::now();
    let mut look = pin!(sleep(bounds.handshake_timeout.min(bounds.idle_timeout)));
    // Callers that came together leave one after the other.
    let mut old = pin!(sleep(bounds.max_age.mul_f64(0.9 + fastrand::f64() / 5.0)));
    let asks_proof = place.asks_proof();
    let mut proof = pin!(sleep(bounds.handshake_timeout));
    let mut gone = pin!(sleep(GOODBYE));
    let (mut idle_since, mut seen, mut leaving, mut going) = (born, 0, false, false);
    loop {
        tokio::select! {
            // How a connection ends is its caller's business; failed calls were told already.
            _ = connection.as_mut() => return,
            () = told_to_drain(&mut stop), if !leaving => {
                // Who has not even begun has no call to finish.
                if !life.begun.load(Ordering::Relaxed) {
                    return;
                }
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = life.flooded.notified() => {
                if let Some(left_out) = FLOODS.pass() {
                    warn!(left_out, "a caller gave up thousands of calls within a second; its connection is closed");
                }
                return;
            }
            () = old.as_mut(), if !leaving && !bounds.max_age.is_zero() => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            // Others wait for its place, or it has shown neither token nor certificate in time.
            () = sent_away(&mut place.seat), if !going => {
                going = true;
                leaving = true;
                connection.as_mut().graceful_shutdown();
                gone.as_mut().reset(Instant::now() + GOODBYE);
            }
            () = proof.as_mut(), if asks_proof && !leaving && !place.proof.shown() => {
                going = true;
                leaving = true;
                connection.as_mut().graceful_shutdown();
                gone.as_mut().reset(Instant::now() + GOODBYE);
            }
            () = gone.as_mut(), if going => return,
            () = look.as_mut() => {
                if !life.begun.load(Ordering::Relaxed) {
                    if born.elapsed() >= bounds.handshake_timeout {
                        return;
                    }
                    look.as_mut().reset(born + bounds.handshake_timeout);
                    continue;
                }
                let total = life.total.load(Ordering::Relaxed);
                if seen != total || life.calls.load(Ordering::Relaxed) > 0 {
                    (idle_since, seen) = (Instant::now(), total);
                } else if !leaving && idle_since.elapsed() >= bounds.idle_timeout {
                    // GOAWAY: streams that are still open go on, the caller's next call makes a new
                    // connection.
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                let next = (idle_since + bounds.idle_timeout).max(Instant::now() + LOOK);
                look.as_mut().reset(next);
            }
        }
    }
}

async fn told_to_drain(stop: &mut watch::Receiver<Stop>) {
    // Without a sender there is no sidecar any more.
    let _ = stop.wait_for(|stop| *stop >= Stop::Drain).await;
}

/// Ends when the connection must go.
pub(super) async fn sent_away(seat: &mut watch::Receiver<Seat>) {
    // Without its other end nobody asks for the place any more.
    if seat.wait_for(|seat| *seat == Seat::Goes).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What comes in: notes when the caller has begun to speak HTTP/2.
struct Begins {
    socket: Box<dyn Socket>,
    filter: Option<authority::Filter>,
    /// Bytes read, counted up to the preface's end.
    read: usize,
    life: Arc<Life>,
}

impl AsyncRead for Begins {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        // The preface was read before: what came is HTTP/2.
        if self.read < PREFACE {
            let rest = &greeting::PREFACE[self.read..];
            buffer.put_slice(&rest[..rest.len().min(buffer.remaining())]);
        } else {
            ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        }
        if let Some(filter) = &mut self.filter {
            filter.pass(&mut buffer.filled_mut()[before..]);
        }
        if self.read < PREFACE {
            self.read += buffer.filled().len() - before;
            if self.read >= PREFACE {
                self.life.begun.store(true, Ordering::Relaxed);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begins {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(context))?;
        self.life.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The router, counting calls.
struct Answers {
    router: Router,
    seat: watch::Receiver<Seat>,
    life: Arc<Life>,
    message_timeout: Duration,
}

impl hyper::service::Service<http::Request<Incoming>> for Answers {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<Incoming>) -> Answering {
        self.life.calls.fetch_add(1, Ordering::Relaxed);
        self.life.total.fetch_add(1, Ordering::Relaxed);
        let send_by = SendBy::default();
        *self.life.latest() = Some(Arc::clone(&send_by));
        let message_timeout = self.message_timeout;
        let request = request.map(|body| {
            tonic::body::Body::new(Message {
                body,
                message_timeout,
                pause: None,
            })
        });
        Answering {
            answer: self.answer(request),
            send_by,
            calling: Calling {
                life: Arc::clone(&self.life),
                answered: false,
            },
        }
    }
}

impl Answers {
    fn answer(&self, request: http::Request<tonic::body::Body>) -> Pending {
        if *self.seat.borrow() == Seat::Sits || Router::is_health(&request) {
            return self.router.answer(request);
        }
        let Some(held) = self.router.hold_back(&request) else {
            return self.router.refuse_crowded(&request);
        };
        let (router, mut seat) = (self.router.clone(), self.seat.clone());
        Pending::after(async move {
            let came = seat
                .wait_for(|seat| *seat != Seat::Waits)
                .await
                .map(|seat| *seat);
            drop(held);
            match came {
                Ok(Seat::Sits) => router.answer(request).await,
                _ => router.refuse_crowded(&request).await,
            }
        })
    }
}

struct Answering {
    answer: Pending,
    send_by: SendBy,
    calling: Calling,
}

impl Future for Answering {
    type Output = Result<http::Response<tonic::body::Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Answered { response, send_by } = ready!(Pin::new(&mut self.answer).poll(context));
        if let Some(send_by) = send_by {
            let _ = self.send_by.set(send_by);
        }
        self.calling.answered = true;
        Poll::Ready(Ok(response))
    }
}

/// A caller's message, which must not pause for too long. What is there already costs no timer.
struct Message {
    body: Incoming,
    message_timeout: Duration,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for Message {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.pause = None;
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|fault| Status::from_error(Box::new(fault)))),
            );
        }
        let limit = self.message_timeout;
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(pause.as_mut().poll(context));
        Poll::Ready(Some(Err(Status::deadline_exceeded(format!(
            "The caller paused for {} s within its message; the bound is connections.message_timeout.",
            limit.as_secs()
        )))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
