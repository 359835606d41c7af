//! Reads a request's message as far as must be known before the server library buffers it: its size, and whether there
//! is room for it.
//!
//! The five bytes before a message tell its length (gRPC over HTTP/2, "Length-Prefixed-Message"). Nothing more is pulled
//! until the length has room, so HTTP/2's flow control holds the sender back. A compressed message tells its real size
//! at its end alone (gzip's ISIZE, RFC 1952 §2.3.1), so it is looked at before the library unpacks it; one that lies
//! there is bounded by `max_message_size` alone.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic::body::Body;

use super::one_message::OneMessage;
use super::status;
use crate::error::{Error, Kind};
use crate::memory::{Held, Memory, NoRoom};

/// Compressed-Flag and Message-Length.
const PREFIX: usize = 5;

/// A request body of which the first frames have been read.
pub(super) struct Intake {
    /// The first frame, which is all of most bodies.
    first: Option<Bytes>,
    more: VecDeque<Bytes>,
    /// What came instead of more data: trailers, or the failure of the connection.
    end: Option<Result<Frame<Bytes>, Status>>,
    rest: OneMessage,
}

/// How far a message has been read.
struct Message {
    compressed: bool,
    /// Bytes of the message itself.
    length: usize,
    /// Bytes read, the prefix included.
    read: usize,
    /// The last four bytes read.
    tail: [u8; 4],
}

impl Intake {
    /// Reads a body until its message has room: its first bytes, or to the end if it is compressed. What it takes of
    /// `memory` belongs to the whole call.
    ///
    /// # Errors
    /// The status to refuse the call with: there is no room.
    pub(super) async fn read(
        body: Body,
        memory: &Memory,
        max_message_size: usize,
    ) -> Result<(Self, Held), Status> {
        let mut intake = Self {
            first: None,
            more: VecDeque::new(),
            end: None,
            rest: OneMessage::new(body),
        };
        let mut held = Held::default();
        let Some(message) = intake.prefix().await else {
            return Ok((intake, held));
        };
        // What is too large the library refuses by its length; a small message is not counted.
        if message.length > max_message_size || !message.is_large() {
            return Ok((intake, held));
        }
        held.try_grow(memory, message.length).map_err(no_room)?;
        if let Some(unpacked) = intake.unpacked_size(message).await {
            // More than the limit the library refuses while unpacking.
            let more = unpacked.min(max_message_size);
            held.try_grow(memory, more).map_err(no_room)?;
        }
        Ok((intake, held))
    }

    /// Reads until the length is known; none when the body ends or breaks before, which the library sees for itself.
    async fn prefix(&mut self) -> Option<Message> {
        let mut prefix = [0; PREFIX];
        let (mut known, mut message) = (0, None);
        while message.is_none() {
            let frame = self.pull().await?;
            let taken = frame.len().min(PREFIX - known);
            prefix[known..known + taken].copy_from_slice(&frame[..taken]);
            known += taken;
            if known == PREFIX {
                let [flag, length @ ..] = prefix;
                message = Some(Message {
                    compressed: flag == 1,
                    length: usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX),
                    read: 0,
                    tail: [0; 4],
                });
            }
        }
        let mut message = message?;
        for frame in self.first.iter().chain(&self.more) {
            message.note(frame);
        }
        Some(message)
    }

    /// Reads a compressed message to its end; what it says to be when unpacked.
    async fn unpacked_size(&mut self, mut message: Message) -> Option<usize> {
        if !message.compressed {
            return None;
        }
        while message.read < message.length.saturating_add(PREFIX) {
            let frame = self.pull().await?;
            message.note(&frame);
        }
        usize::try_from(u32::from_le_bytes(message.tail)).ok()
    }

    /// The next frame of data, which stays here, too.
    async fn pull(&mut self) -> Option<Bytes> {
        loop {
            let data = match self.rest.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => data,
                    Err(trailers) => {
                        self.end = Some(Ok(trailers));
                        return None;
                    }
                },
                Err(broken) => {
                    self.end = Some(Err(broken));
                    return None;
                }
            };
            if self.first.is_none() {
                self.first = Some(data.clone());
            } else {
                self.more.push_back(data.clone());
            }
            return Some(data);
        }
    }
}

impl Message {
    /// Whether it must be counted; a compressed one of any size may be large when unpacked.
    fn is_large(&self) -> bool {
        self.compressed || self.length > crate::memory::SMALL
    }

    fn note(&mut self, frame: &[u8]) {
        self.read += frame.len();
        for byte in frame.iter().skip(frame.len().saturating_sub(4)) {
            self.tail.rotate_left(1);
            self.tail[3] = *byte;
        }
    }
}

impl http_body::Body for Intake {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let read = self.first.take().or_else(|| self.more.pop_front());
        if let Some(data) = read {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match self.end.take() {
            Some(end) => Poll::Ready(Some(end)),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.more.is_empty() && self.end.is_none() && self.rest.is_end_stream()
    }
}

fn no_room(refusal: NoRoom) -> Status {
    let (wanted, limit) = (refusal.wanted, refusal.limit);
    let error = Error::new(
        Kind::ResourceExhausted,
        "MEMORY_LIMIT",
        format!(
            "Nothing was started: the message needs {wanted} bytes of memory, and the calls in flight leave less of the \
             {limit} that max_body_memory allows. Send fewer large messages at once, or raise it with the container's \
             memory limit."
        ),
    )
    .transient(true)
    .with(|facts| {
        facts.retry_after = Some(std::time::Duration::from_millis(100));
        facts.quota = Some(("sidecar".to_owned(), "max_body_memory".to_owned()));
    });
    status::status(&error, &status::Context::default())
}

#[cfg(test)]
mod tests;
