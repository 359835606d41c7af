//! Reads a request's message as far as must be known before the server library buffers it: its
//! size, and whether there is room for it.
//!
//! The five bytes before a message tell its length (gRPC over HTTP/2, "Length-Prefixed-Message").
//! Nothing more is pulled until the length has room, so HTTP/2's flow control holds the sender
//! back. A compressed message is unpacked here, when all of it has come, and counted as it comes
//! out: what gzip says of its size (RFC 1952 §2.3.1) is the sender's word.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::{Code, Status};

use super::one_message::OneMessage;
use super::status;
use crate::error::{Error, Kind, reason};
use crate::memory::{Held, Memory, NoRoom};

/// Compressed-Flag and Message-Length.
const PREFIX: usize = 5;

/// What unpacking takes while it goes on: the window, tables and buffers of the library. Measured:
/// 75 KiB.
const UNPACKER: usize = 80 << 10;

/// Packed bytes that are unpacked at once, of which gzip makes a thousand times as many; and
/// unpacked ones after which other calls have their turn.
const BITE: usize = 128;
const STRETCH: usize = 64 << 10;

/// A request body of which the first frames have been read.
pub(super) struct BufferedBody {
    /// The first frame, which is all of most bodies.
    first: Option<Bytes>,
    more: VecDeque<Bytes>,
    /// The failure that came instead of more data.
    end: Option<Status>,
    rest: OneMessage,
}

/// What the prefix says of a message.
struct Message {
    compressed: bool,
    /// Bytes of the message itself.
    length: usize,
}

/// How large and how packed a message may be.
#[derive(Clone, Copy)]
pub(super) struct Accepted {
    /// Bytes, packed and unpacked.
    pub(super) max_size: usize,
    /// The call says that its messages may be packed with gzip.
    pub(super) gzip: bool,
}

/// A message as it is unpacked, behind room for its prefix.
struct Unpacked<'m> {
    message: Vec<u8>,
    max_size: usize,
    memory: &'m Memory,
    held: &'m mut Held,
    /// Why no more was taken.
    refused: Option<Status>,
}

impl BufferedBody {
    /// Reads a body until its message has room: its first bytes, or to the end if it is compressed.
    /// What it takes of `memory` is added to `held`, which belongs to the whole call.
    ///
    /// # Errors
    /// The status to refuse the call with: there is no room, or it cannot be unpacked.
    pub(super) async fn read(
        body: Body,
        memory: &Memory,
        held: &mut Held,
        accepted: Accepted,
    ) -> Result<Self, Status> {
        let mut intake = Self {
            first: None,
            more: VecDeque::new(),
            end: None,
            rest: OneMessage::new(body),
        };
        let Some(message) = intake.prefix().await else {
            return Ok(intake);
        };
        if message.compressed && !accepted.gzip {
            return Err(broken(
                "it is marked as compressed, and the call names no encoding for that",
            ));
        }
        // What is too large the library refuses by its length; a small message is not counted.
        if message.length > accepted.max_size || !message.is_large() {
            return Ok(intake);
        }
        held.try_grow(memory, message.length).map_err(no_room)?;
        if message.compressed && intake.gather(PREFIX + message.length).await? {
            // Only now, so that a message that does not come keeps no state of gzip's.
            let mut unpacking = Held::default();
            unpacking.take(memory, UNPACKER).map_err(no_room)?;
            let unpacked = Unpacked {
                message: vec![0; PREFIX],
                max_size: accepted.max_size,
                memory,
                held,
                refused: None,
            };
            intake.unpack(message.length, unpacked).await?;
        }
        Ok(intake)
    }

    /// Reads until the length is known; none when the body ends or breaks before, which the library
    /// sees for itself.
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
                });
            }
        }
        message
    }

    /// Reads until `bytes` have come; false when the connection breaks before, which the library
    /// sees for itself.
    async fn gather(&mut self, bytes: usize) -> Result<bool, Status> {
        let mut come: usize = self.first.iter().chain(&self.more).map(Bytes::len).sum();
        while come < bytes {
            match self.pull().await {
                Some(frame) => come += frame.len(),
                None if self.end.is_some() => return Ok(false),
                None => return Err(broken("it ends before its time")),
            }
        }
        Ok(true)
    }

    /// Unpacks a message of `left` bytes that has come, and puts it in the place of its frames.
    /// Other calls go on meanwhile.
    async fn unpack(&mut self, mut left: usize, unpacked: Unpacked<'_>) -> Result<(), Status> {
        let (mut prefix, mut before) = (PREFIX, 0);
        let mut gzip = GzDecoder::new(unpacked);
        while left > 0
            && let Some(mut frame) = self.first.take().or_else(|| self.more.pop_front())
        {
            let skipped = prefix.min(frame.len());
            drop(frame.split_to(skipped));
            prefix -= skipped;
            let piece = frame.split_to(left.min(frame.len()));
            left -= piece.len();
            for bite in piece.chunks(BITE) {
                let written = gzip.write_all(bite);
                Unpacked::check(gzip.get_mut(), written)?;
                let message = &gzip.get_ref().message;
                if message.len() - before >= STRETCH {
                    before = message.len();
                    tokio::task::yield_now().await;
                }
            }
            if !frame.is_empty() {
                self.more.push_front(frame);
            }
        }
        let ended = gzip.try_finish();
        Unpacked::check(gzip.get_mut(), ended)?;
        let mut message = std::mem::take(&mut gzip.get_mut().message);
        // Not larger than what a prefix can tell: that is the largest max_message_size.
        let length = u32::try_from(message.len() - PREFIX).unwrap_or(u32::MAX);
        message[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        self.first = Some(message.into());
        Ok(())
    }

    /// The next frame of data, which stays here, too.
    async fn pull(&mut self) -> Option<Bytes> {
        let data = self.data().await?;
        if self.first.is_none() {
            self.first = Some(data.clone());
        } else {
            self.more.push_back(data.clone());
        }
        Some(data)
    }

    /// The next frame of data that is not empty.
    async fn data(&mut self) -> Option<Bytes> {
        loop {
            match self.rest.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some(data),
                    _ => {}
                },
                Err(broken) => {
                    self.end = Some(broken);
                    return None;
                }
            }
        }
    }
}

impl Unpacked<'_> {
    /// What a step of unpacking came to.
    fn check(&mut self, step: io::Result<()>) -> Result<(), Status> {
        step.map_err(|fault| match (self.refused.take(), fault.kind()) {
            (Some(refused), _) => refused,
            (None, io::ErrorKind::WriteZero) => broken("bytes follow the end of its gzip data"),
            _ => broken("it is not whole gzip data"),
        })
    }
}

impl Write for Unpacked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let refused = if self.message.len() - PREFIX + bytes.len() > self.max_size {
            let max = self.max_size;
            let message =
                format!("The message is larger than {max} bytes when unpacked (max_message_size).");
            Some(status::bare(Code::ResourceExhausted, &message))
        } else {
            self.held
                .try_grow(self.memory, bytes.len())
                .err()
                .map(no_room)
        };
        if refused.is_some() {
            self.refused = refused;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.message.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Message {
    /// Whether it must be counted; a compressed one of any size may be large when unpacked.
    fn is_large(&self) -> bool {
        self.compressed || self.length > crate::memory::SMALL
    }
}

impl http_body::Body for BufferedBody {
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
            Some(broken) => Poll::Ready(Some(Err(broken))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none()
            && self.more.is_empty()
            && self.end.is_none()
            && self.rest.is_end_stream()
    }
}

/// A message that no repetition makes readable.
fn broken(why: &str) -> Status {
    let message = format!("Nothing was started: the message cannot be unpacked, for {why}.");
    let error = Error::new(Kind::Internal, reason::MESSAGE_NOT_DECODABLE, message);
    status::status(&error, &status::Context::default())
}

pub(super) fn no_room(refusal: NoRoom) -> Status {
    let (wanted, limit) = (refusal.wanted, refusal.limit);
    let error = Error::new(
        Kind::ResourceExhausted,
        reason::MEMORY_LIMIT,
        format!(
            "Nothing was started: the call needs {wanted} bytes of memory, and the calls in flight leave less of the \
             {limit} that max_body_memory allows. Send fewer or smaller calls at once, or raise it with the container's \
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
