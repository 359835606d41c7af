//! Reads along the frames of an HTTP/2 connection (RFC 9113 §4.1): which requests went out, and how
//! far the server says that it got. The HTTP/2 library keeps both to itself.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::http1::MAX_HEAD;

/// Client preface, before the first frame (RFC 9113 §3.4).
const PREFACE: usize = 24;
const HEADER: usize = 9;
const HEADERS: u8 = 0x1;
const GOAWAY: u8 = 0x7;
const CONTINUATION: u8 = 0x9;
/// A packed head of so many bytes is likely to be too large unpacked (Huffman coding saves three
/// eighths at most).
const LARGE: usize = MAX_HEAD as usize / 2;
/// The highest stream id.
const LAST: u32 = 0x7fff_ffff;

/// What is known of one connection's streams.
#[derive(Debug)]
pub(super) struct Frames {
    /// The highest stream whose request began to go out.
    begun: AtomicU32,
    /// The highest stream that the server processed or may process; it says less when it says
    /// goodbye.
    last: AtomicU32,
    /// The stream whose answer's head came last, and the packed bytes of that head.
    answered: AtomicU32,
    head: AtomicUsize,
    /// The stream whose answer's head was large, if one was.
    large: AtomicU32,
}

/// Follows one direction's frames, however they are cut.
#[derive(Debug)]
pub(super) struct Follow {
    /// Bytes to pass over.
    skip: usize,
    /// The frame header, and the first bytes of a goodbye, as far as they came.
    header: [u8; HEADER + 4],
    filled: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            begun: AtomicU32::new(0),
            last: AtomicU32::new(LAST),
            answered: AtomicU32::new(0),
            head: AtomicUsize::new(0),
            large: AtomicU32::new(0),
        }
    }
}

impl Frames {
    /// True when a byte of that stream's request can have gone out.
    pub(super) fn began(&self, stream: u32) -> bool {
        stream <= self.begun.load(Ordering::Relaxed)
    }

    /// True when the server said that it did not, and will not, process that stream.
    pub(super) fn refused(&self, stream: u32) -> bool {
        stream > self.last.load(Ordering::Relaxed)
    }

    /// True once the server said goodbye: no new requests.
    pub(super) fn ending(&self) -> bool {
        self.last.load(Ordering::Relaxed) != LAST
    }

    /// True when that stream's answer was the last that began to come.
    pub(super) fn answered_last(&self, stream: u32) -> bool {
        self.answered.load(Ordering::Relaxed) == stream
    }

    /// True when the head of that stream's answer is large, packed as it is.
    pub(super) fn large(&self, stream: u32) -> bool {
        self.large.load(Ordering::Relaxed) == stream
    }

    /// Notes a frame of the server's.
    pub(super) fn note_inbound(&self, frame: Frame) {
        let length = match frame {
            Frame::GoAway { .. } => return self.note(frame),
            Frame::Headers { stream, length } => {
                self.answered.store(stream, Ordering::Relaxed);
                length
            }
            Frame::Continuation { length } => {
                self.head.load(Ordering::Relaxed).saturating_add(length)
            }
        };
        self.head.store(length, Ordering::Relaxed);
        if length >= LARGE {
            let stream = self.answered.load(Ordering::Relaxed);
            self.large.store(stream, Ordering::Relaxed);
        }
    }

    /// Notes a frame of ours, or the server's goodbye.
    pub(super) fn note(&self, frame: Frame) {
        match frame {
            Frame::Headers { stream, .. } => {
                self.begun.fetch_max(stream, Ordering::Relaxed);
            }
            Frame::Continuation { .. } => {}
            // A first goodbye may name the highest id there is: "soon" (RFC 9113 §6.8). It ends new
            // requests, too.
            Frame::GoAway { last } => {
                self.last.fetch_min(last.min(LAST - 1), Ordering::Relaxed);
            }
        }
    }
}

/// A frame that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Headers { stream: u32, length: usize },
    Continuation { length: usize },
    GoAway { last: u32 },
}

impl Follow {
    /// What a client writes.
    pub(super) fn outbound() -> Self {
        Self {
            skip: PREFACE,
            ..Self::inbound()
        }
    }

    /// What a server writes.
    pub(super) fn inbound() -> Self {
        Self {
            skip: 0,
            header: [0; HEADER + 4],
            filled: 0,
        }
    }

    /// Tells every frame that matters, as soon as enough of it passed.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if self.skip > 0 || bytes.is_empty() {
                return;
            }
            let wanted = self.wanted() - self.filled;
            let taken = wanted.min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            self.conclude(&mut tell);
        }
    }

    /// How many bytes are needed before the frame can be told or passed over.
    fn wanted(&self) -> usize {
        let goodbye = self.filled >= HEADER && self.header[3] == GOAWAY && self.length() >= 4;
        if goodbye { HEADER + 4 } else { HEADER }
    }

    fn conclude(&mut self, tell: &mut impl FnMut(Frame)) {
        // A first byte of a request is as good as all of it: it went out.
        if self.filled < self.wanted() {
            return;
        }
        let length = self.length();
        match self.header[3] {
            HEADERS => tell(Frame::Headers {
                stream: self.number(5),
                length,
            }),
            CONTINUATION => tell(Frame::Continuation { length }),
            GOAWAY if length >= 4 => tell(Frame::GoAway {
                last: self.number(HEADER),
            }),
            _ => {}
        }
        self.skip = length - (self.filled - HEADER);
        self.filled = 0;
    }

    fn length(&self) -> usize {
        usize::from(self.header[0]) << 16
            | usize::from(self.header[1]) << 8
            | usize::from(self.header[2])
    }

    /// 31 bits, big-endian.
    fn number(&self, at: usize) -> u32 {
        self.header[at..at + 4]
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte))
            & LAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([kind, 0]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn goodbye(last: u32) -> Vec<u8> {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend([0, 0, 0, 0]);
        payload.extend(b"debug");
        frame(GOAWAY, 0, &payload)
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, &[0; 18]));
        bytes.extend(frame(HEADERS, 1, b"block"));
        bytes.extend(frame(CONTINUATION, 1, b"on"));
        // A body that looks like frames.
        bytes.extend(frame(0, 1, &frame(HEADERS, 99, b"")));
        bytes.extend(goodbye(1));
        bytes.extend(frame(HEADERS, 3, b""));
        let expected = [
            Frame::Headers {
                stream: 1,
                length: 5,
            },
            Frame::Continuation { length: 2 },
            Frame::GoAway { last: 1 },
            Frame::Headers {
                stream: 3,
                length: 0,
            },
        ];
        for size in 1..=bytes.len() {
            let (mut follow, mut seen) = (Follow::outbound(), Vec::new());
            for part in bytes.chunks(size) {
                follow.pass(part, |frame| seen.push(frame));
            }
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_the_server_says_decides() {
        let frames = Frames::default();
        frames.note(Frame::Headers {
            stream: 5,
            length: 1,
        });
        assert!(frames.began(5) && frames.began(3) && !frames.began(7));
        assert!(!frames.ending() && !frames.refused(5));
        // "Soon", then for certain.
        frames.note(Frame::GoAway { last: LAST });
        assert!(frames.ending() && !frames.refused(5));
        frames.note(Frame::GoAway { last: 3 });
        assert!(frames.refused(5) && !frames.refused(3));
    }

    #[test]
    fn a_large_head_is_told_by_all_its_frames() {
        let frames = Frames::default();
        let half = LARGE / 2;
        frames.note_inbound(Frame::Headers {
            stream: 1,
            length: half,
        });
        assert!(frames.answered_last(1) && !frames.large(1) && !frames.began(1));
        frames.note_inbound(Frame::Headers {
            stream: 3,
            length: half,
        });
        frames.note_inbound(Frame::Continuation {
            length: LARGE - half,
        });
        frames.note_inbound(Frame::Headers {
            stream: 5,
            length: 9,
        });
        assert!(frames.large(3) && !frames.large(1) && !frames.large(5));
    }
}
