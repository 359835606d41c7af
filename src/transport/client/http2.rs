//! One HTTP/2 connection, shared by many exchanges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::frames::{Follow, Frame, Frames};
use super::progress::Received;
use super::wire::{Observer, Stream, Wire};

/// Answers of a megabyte should not wait for window updates.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Largest answer head, as for HTTP/1.1.
const MAX_HEADER_LIST: u32 = 64 << 10;

/// A handle of the connection; clones share it.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    pub(super) frames: Arc<Frames>,
    /// Not used for new exchanges: it ended, or an exchange on it got no answer in time.
    retired: Arc<AtomicBool>,
    retires: Instant,
}

/// A request that is on its way.
pub(super) struct Exchange {
    response: ResponseFuture,
    pub(super) stream: u32,
}

struct Watch {
    frames: Arc<Frames>,
    out: Follow,
    back: Follow,
}

impl Http2 {
    /// Speaks HTTP/2 on a fresh stream.
    pub(super) async fn open(stream: Stream, retires: Instant) -> Result<Self, h2::Error> {
        let frames = Arc::<Frames>::default();
        let watch = Watch {
            frames: Arc::clone(&frames),
            out: Follow::outbound(),
            back: Follow::inbound(),
        };
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .enable_push(false)
            .handshake(Wire::new(stream, watch))
            .await?;
        let retired = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&retired);
        tokio::spawn(async move {
            drop(connection.await);
            ended.store(true, Ordering::Relaxed);
        });
        Ok(Self {
            sender,
            frames,
            retired,
            retires,
        })
    }

    pub(super) fn usable(&self, now: Instant) -> bool {
        now < self.retires && !self.retired.load(Ordering::Relaxed) && !self.frames.ending()
    }

    /// No new exchanges; those in flight go on.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Sends a request as soon as the server allows another stream.
    pub(super) async fn begin(&self, request: Request<()>, body: Bytes) -> Result<Exchange, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            // The library sends it as the windows allow; it is in memory already, so nothing is gained by waiting here.
            stream.send_data(body, true)?;
        }
        Ok(Exchange {
            stream: response.stream_id().as_u32(),
            response,
        })
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2")
            .field("frames", &self.frames)
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

impl Observer for Watch {
    fn before_write(&mut self, _: &TcpStream) -> io::Result<()> {
        Ok(())
    }

    // Each direction has its own word: a goodbye that this side says (with stream 0, as servers open none) is about the
    // server's streams, and says nothing of ours.
    fn wrote(&mut self, bytes: &[u8]) {
        self.out.pass(bytes, |frame| {
            if matches!(frame, Frame::Headers { .. }) {
                self.frames.note(frame);
            }
        });
    }

    fn read(&mut self, bytes: &[u8]) {
        self.back.pass(bytes, |frame| {
            if matches!(frame, Frame::GoAway { .. }) {
                self.frames.note(frame);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame header and its payload.
    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], payload].concat()
    }

    /// A goodbye that names this last stream.
    fn goodbye(last: u8) -> Vec<u8> {
        frame(0x7, 0, &[0, 0, 0, last, 0, 0, 0, 0])
    }

    fn watch() -> (Arc<Frames>, Watch) {
        let frames = Arc::<Frames>::default();
        let watch = Watch {
            frames: Arc::clone(&frames),
            out: Follow::outbound(),
            back: Follow::inbound(),
        };
        (frames, watch)
    }

    #[test]
    fn our_own_goodbye_does_not_mean_that_the_server_refused_what_we_sent() {
        let (frames, mut watch) = watch();
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
        let (frames, mut watch) = watch();
        watch.read(&frame(0x1, 7, b"head"));
        assert_eq!(frames.received(7), Received::Nothing);
    }
}
