//! A request's body where the method takes one message: no more, no less, and nothing behind it.
//!
//! The server library takes the first message and drops what follows, so that a caller who sends
//! two would believe that both were heard. A method that streams its requests does not come through
//! here.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::status::status;
use crate::error::{Error, Kind, reason};

/// Compressed-Flag and Message-Length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// A body that breaks off with a status when it is not one whole message.
pub(super) struct OneMessage {
    inner: Body,
    message: Message,
    /// What follows it, which is dropped as it comes.
    second: Message,
    /// The body has ended, or was refused.
    over: bool,
}

/// How far one message has come.
#[derive(Default)]
struct Message {
    prefix: [u8; PREFIX],
    known: usize,
    /// Bytes left once the prefix is known.
    left: usize,
}

impl Message {
    /// Takes the next bytes; how many of them belong to this message.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let head = bytes.len().min(PREFIX - self.known);
        self.prefix[self.known..self.known + head].copy_from_slice(&bytes[..head]);
        self.known += head;
        if head > 0 && self.known == PREFIX {
            let [_, length @ ..] = self.prefix;
            self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        }
        let body = self.left.min(bytes.len() - head);
        self.left -= body;
        head + body
    }

    fn is_whole(&self) -> bool {
        self.known == PREFIX && self.left == 0
    }
}

impl OneMessage {
    pub(super) fn new(inner: Body) -> Self {
        Self {
            inner,
            message: Message::default(),
            second: Message::default(),
            over: false,
        }
    }

    /// Looks at the next data; how many bytes of it belong to the message.
    fn look(&mut self, data: &[u8]) -> Result<usize, Status> {
        let taken = self.message.take(data);
        self.second.take(&data[taken..]);
        if self.second.known > 0 && self.second.prefix[0] > 1 {
            return Err(broken(
                "Nothing was started: the call goes on behind its message with something that is none.",
            ));
        }
        if self.second.is_whole() {
            return Err(not_one(
                "Nothing was started: the call has more than one message, and this method takes one.",
            ));
        }
        Ok(taken)
    }

    /// What an end at this place means.
    fn end(&self) -> Option<Status> {
        if self.message.is_whole() && self.second.known == 0 {
            None
        } else if self.message.known == 0 {
            Some(not_one(
                "Nothing was started: the call has no message, and this method takes one.",
            ))
        } else {
            Some(broken(
                "Nothing was started: the call ended within a message.",
            ))
        }
    }
}

/// Not one message: gRPC's own code for that ("Status codes": a violation of cardinality).
fn not_one(sentence: &'static str) -> Status {
    let error = Error::new(Kind::Unimplemented, reason::ONE_MESSAGE_EXPECTED, sentence);
    status(&error, &super::status::Context::default())
}

/// Bytes that are no message: gRPC's own code for those.
fn broken(sentence: &'static str) -> Status {
    let error = Error::new(Kind::Internal, reason::MESSAGE_INCOMPLETE, sentence);
    status(&error, &super::status::Context::default())
}

impl http_body::Body for OneMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        loop {
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(broken)) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(broken)));
                }
                None => {
                    self.over = true;
                    return Poll::Ready(self.end().map(Err));
                }
            };
            let looked = match frame.into_data() {
                Ok(data) => match self.look(&data) {
                    // All of it lies behind the message.
                    Ok(0) if !data.is_empty() => continue,
                    Ok(taken) => Ok(Frame::data(data.slice(..taken))),
                    Err(status) => Err(status),
                },
                // Trailers are an end, too. A request of gRPC has none, and what came is not kept.
                Err(_trailers) => {
                    self.over = true;
                    return Poll::Ready(self.end().map(Err));
                }
            };
            self.over = looked.is_err();
            return Poll::Ready(Some(looked));
        }
    }

    /// Only a whole message is an end that needs no look.
    fn is_end_stream(&self) -> bool {
        self.over || (self.end().is_none() && self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt as _, StreamBody};
    use tonic::Code;

    use super::*;

    async fn outcome(pieces: &[&[u8]]) -> Result<usize, (Code, bool)> {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        OneMessage::new(body)
            .collect()
            .await
            .map(|body| body.to_bytes().len())
            .map_err(|status| {
                (
                    status.code(),
                    status.message().starts_with("Nothing was started"),
                )
            })
    }

    #[tokio::test]
    async fn trailers_end_a_request_and_are_not_kept() {
        for (data, whole) in [(&b"\0\0\0\0\x03abc"[..], true), (b"\0\0\0", false)] {
            let frames = [
                Frame::data(Bytes::copy_from_slice(data)),
                Frame::trailers(http::HeaderMap::from_iter([(
                    http::header::COOKIE,
                    http::HeaderValue::from_static("kept"),
                )])),
            ];
            let body = Body::new(StreamBody::new(futures_util::stream::iter(
                frames.map(Ok::<_, Infallible>),
            )));
            let collected = OneMessage::new(body).collect().await;
            assert_eq!(collected.is_ok(), whole);
            assert!(collected.is_ok_and(|body| body.trailers().is_none()) || !whole);
        }
    }

    #[tokio::test]
    async fn one_whole_message_passes_and_nothing_else() {
        let message = b"\0\0\0\0\x03abc";
        let (unimplemented, internal) = (
            Err((Code::Unimplemented, true)),
            Err((Code::Internal, true)),
        );
        for (bytes, expected) in [
            (&message[..], Ok(8)),
            (b"\0\0\0\0\0", Ok(5)),
            (b"", unimplemented),
            (b"\0\0\0", internal),
            (b"\0\0\0\0\x03ab", internal),
            (b"\0\0\0\0\x03abc\0", internal),
            (b"\0\0\0\0\x03abc\0\0\0\0\x03ab", internal),
            (b"\0\0\0\0\x03abcgarbage and more of it", internal),
            (b"\0\0\0\0\x03abc\0\0\0\0\x03abc", unimplemented),
            (b"\0\0\0\0\0\0\0\0\0\0", unimplemented),
            (b"\0\xff\xff\xff\xff", internal),
        ] {
            for size in [1, 3, 100] {
                let pieces: Vec<_> = bytes.chunks(size).collect();
                assert_eq!(outcome(&pieces).await, expected, "{bytes:?} by {size}");
            }
        }
    }
}
