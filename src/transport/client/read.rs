//! Reads the body of an answer, within the limit.

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::fault;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::memory::{Held, Memory, weight};

/// A body that comes in pieces.
pub(super) trait Chunks: Send {
    /// The next piece; `None` at the end.
    fn next(
        &mut self,
    ) -> impl Future<Output = Option<std::result::Result<Bytes, impl std::error::Error + 'static>>> + Send;
}

/// The whole body; `expected` is the length that the head tells. Each piece waits for room before
/// the next is asked for, so that the connection's flow control holds the upstream back: work that
/// is done is not thrown away for want of memory.
pub(super) async fn whole(
    mut body: impl Chunks,
    expected: Option<u64>,
    limit: usize,
    progress: &Progress,
    (memory, held): (&Memory, &mut Held),
) -> Result<Bytes> {
    if expected.is_some_and(|length| length > limit as u64) {
        return Err(fault::too_large(limit, progress));
    }
    let Some(first) = piece(&mut body, progress).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(fault::too_large(limit, progress));
    }
    held.grow(memory, weight(&first)).await;
    let Some(second) = piece(&mut body, progress).await? else {
        // Most answers come in one piece, which needs no copy.
        return Ok(first);
    };
    let expected = expected.and_then(|length| usize::try_from(length).ok());
    let mut all = BytesMut::with_capacity(expected.unwrap_or(first.len() + second.len()));
    all.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if all.len() + chunk.len() > limit {
            return Err(fault::too_large(limit, progress));
        }
        held.grow(memory, weight(&chunk)).await;
        all.extend_from_slice(&chunk);
        next = piece(&mut body, progress).await?;
    }
    Ok(all.freeze())
}

async fn piece(body: &mut impl Chunks, progress: &Progress) -> Result<Option<Bytes>> {
    match body.next().await {
        None => Ok(None),
        Some(Ok(chunk)) => Ok(Some(chunk)),
        Some(Err(fault)) => Err::<_, Error>(fault::cut(progress, &fault)),
    }
}

impl Chunks for Incoming {
    async fn next(
        &mut self,
    ) -> Option<std::result::Result<Bytes, impl std::error::Error + 'static>> {
        loop {
            match self.frame().await? {
                // Trailers say nothing here.
                Ok(frame) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Some(Ok(chunk));
                    }
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
    }
}

impl Chunks for RecvStream {
    async fn next(
        &mut self,
    ) -> Option<std::result::Result<Bytes, impl std::error::Error + 'static>> {
        let chunk = self.data().await?;
        Some(chunk.and_then(|chunk| {
            // Makes room for as much again.
            self.flow_control().release_capacity(chunk.len())?;
            Ok(chunk)
        }))
    }
}
