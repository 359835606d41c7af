//! One caller's connection: HTTP/2 within bounds, from its first byte to its last call.
//!
//! Many cheap frames (resets, pings, settings, continuations) are the HTTP/2 library's to bound, and it ends such a
//! connection; slowness and idleness are bounded here.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use super::{Stop, authority, greeting};
use crate::config::Connections;
use crate::grpc::{Pending, Router};

/// Flow-control windows: a code archive of tens of megabytes must not wait for a round trip every 64 KiB.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Length of the text that begins an HTTP/2 connection.
const PREFACE: usize = greeting::PREFACE.len();
/// The least time between two looks at whether a connection is in use.
const LOOK: Duration = Duration::from_millis(100);

/// What a connection runs on: a socket, with or without TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// What the parts of one connection know of it.
#[derive(Default)]
struct Life {
    /// The caller has begun to speak HTTP/2.
    begun: AtomicBool,
    /// Calls being answered.
    calls: AtomicUsize,
    /// Calls so far: tells whether one came and went between two looks.
    total: AtomicUsize,
}

/// Serves a caller whose preface has been read until it goes, falls silent for too long, or is sent away by a drain. What comes in goes through the
/// filter, if there is one.
pub(super) async fn serve(
    socket: Box<dyn Socket>,
    filter: Option<authority::Filter>,
    router: Router,
    bounds: &Connections,
    mut stop: watch::Receiver<Stop>,
) {
    let life = Arc::<Life>::default();
    let begins = Begins {
        socket,
        filter,
        read: 0,
        life: Arc::clone(&life),
    };
    let answers = Answers {
        router,
        life: Arc::clone(&life),
        message_timeout: bounds.message_timeout,
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(bounds.max_streams)
        .max_header_list_size(u32::try_from(bounds.max_header_size).unwrap_or(u32::MAX))
        .keep_alive_interval(bounds.keepalive_interval)
        .keep_alive_timeout(bounds.keepalive_timeout)
        .serve_connection(TokioIo::new(begins), answers);
    let mut connection = pin!(connection);
    let born = Instant::now();
    let mut look = pin!(sleep(bounds.handshake_timeout.min(bounds.idle_timeout)));
    // Callers that came together leave one after the other.
    let mut old = pin!(sleep(bounds.max_age.mul_f64(0.9 + fastrand::f64() / 5.0)));
    let (mut idle_since, mut seen, mut leaving) = (born, 0, false);
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
            () = old.as_mut(), if !leaving && !bounds.max_age.is_zero() => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
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
                    // GOAWAY: streams that are still open go on, the caller's next call makes a new connection.
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
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The router, counting calls.
struct Answers {
    router: Router,
    life: Arc<Life>,
    message_timeout: Duration,
}

/// A call being answered; counted until it is dropped, however it ends.
struct Calling(Arc<Life>);

impl hyper::service::Service<http::Request<Incoming>> for Answers {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<Incoming>) -> Answering {
        self.life.calls.fetch_add(1, Ordering::Relaxed);
        self.life.total.fetch_add(1, Ordering::Relaxed);
        let message_timeout = self.message_timeout;
        let request = request.map(|body| {
            tonic::body::Body::new(Message {
                body,
                message_timeout,
                pause: None,
            })
        });
        Answering {
            answer: self.router.answer(request),
            _calling: Calling(Arc::clone(&self.life)),
        }
    }
}

struct Answering {
    answer: Pending,
    _calling: Calling,
}

impl Future for Answering {
    type Output = Result<http::Response<tonic::body::Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
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
