//! The authority of calls, put in a form that HTTP/2 takes.
//!
//! Clients built on gRPC's C core (Python, C++, Ruby, PHP) name as `:authority` what their target
//! names: over a Unix socket its path, percent-encoded, such as `run%2Ffaas.sock`; over TCP the
//! whole list of a target such as `ipv4:10.0.0.1:50051,10.0.0.2:50051`. grpcurl sends
//! `unix:%2Frun%2Ffaas.sock`. No host has such a name, so that the HTTP/2 library refuses the call
//! before any of our code sees it (<https://github.com/hyperium/h2/pull/487> would end that). There
//! is one server here and the authority says nothing: in the bytes on their way in, what a host's
//! name cannot hold becomes something that it can.
//!
//! One byte becomes one byte, so that neither lengths, nor frames, nor the compression of headers
//! change: an entry of HPACK's dynamic table (RFC 7541) has the size that the caller counts with,
//! and what refers to it later gets the text that was put there. Nothing is kept but the place in
//! the stream, whatever comes; what cannot be followed is passed on as it is, for the library to
//! judge. So is an authority whose name is a reference to the dynamic table: no such client writes
//! one.

/// Length of the text that begins an HTTP/2 connection (RFC 9113 §3.4).
const PREFACE: usize = 24;
const HEAD: usize = 9;
/// Frame types and flags (RFC 9113 §6).
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Its place in HPACK's static table (RFC 7541 appendix A), its name, and that in Huffman code.
const INDEX: usize = 1;
const NAME: &[u8] = b":authority";
const NAME_CODED: &[u8] = b"\xb8\x3b\x53\x39\xec\x32\x7d\x7f";
/// As many bytes as the HTTP/2 library lets a number have.
const MAX_NUMBER: u8 = 5;

/// Follows one connection from its first byte.
pub(super) struct Filter {
    part: Part,
    /// Bytes left of the part.
    left: usize,
    head: [u8; HEAD],
    /// Bytes of the frame beyond the part, padding included.
    beyond: usize,
    padding: usize,
    fields: Fields,
}

/// What the next bytes are.
#[derive(Clone, Copy)]
enum Part {
    Preface,
    Head,
    PadLength,
    Priority,
    /// A block of header fields, or a piece of one.
    Block,
    /// The rest of a frame, which is none of our business.
    Rest,
    /// Nobody knows.
    Lost,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            part: Part::Preface,
            left: PREFACE,
            head: [0; HEAD],
            beyond: 0,
            padding: 0,
            fields: Fields::default(),
        }
    }

    /// Takes the next bytes of the connection.
    pub(super) fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at_mut(self.left.min(bytes.len()));
            match self.part {
                Part::Head => {
                    let at = HEAD - self.left;
                    self.head[at..at + now.len()].copy_from_slice(now);
                }
                Part::PadLength => self.padding = usize::from(now[0]),
                Part::Block if self.fields.pass(now).is_none() => return self.lose(),
                Part::Lost => return,
                _ => {}
            }
            self.left -= now.len();
            bytes = later;
            while self.left == 0 {
                self.next_part();
            }
        }
    }

    fn next_part(&mut self) {
        match self.part {
            Part::Preface | Part::Rest => self.begin(Part::Head, HEAD),
            Part::Head => {
                let [high, middle, low, kind, flags, ..] = self.head;
                self.beyond = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.padding = 0;
                match kind {
                    HEADERS => {
                        self.fields = Fields::default();
                        if flags & PADDED == 0 {
                            self.after_padding();
                        } else {
                            self.take(Part::PadLength, 1);
                        }
                    }
                    CONTINUATION => self.take(Part::Block, self.beyond),
                    _ => self.take(Part::Rest, self.beyond),
                }
            }
            Part::PadLength => self.after_padding(),
            Part::Priority => self.block(),
            Part::Block => self.take(Part::Rest, self.beyond),
            Part::Lost => self.lose(),
        }
    }

    fn after_padding(&mut self) {
        if self.head[4] & PRIORITY == 0 {
            self.block();
        } else {
            self.take(Part::Priority, 5);
        }
    }

    fn block(&mut self) {
        match self.beyond.checked_sub(self.padding) {
            Some(length) => self.take(Part::Block, length),
            None => self.lose(),
        }
    }

    /// The next bytes of the frame.
    fn take(&mut self, part: Part, length: usize) {
        match self.beyond.checked_sub(length) {
            Some(beyond) => {
                self.beyond = beyond;
                self.begin(part, length);
            }
            None => self.lose(),
        }
    }

    fn begin(&mut self, part: Part, length: usize) {
        (self.part, self.left) = (part, length);
    }

    fn lose(&mut self) {
        self.begin(Part::Lost, usize::MAX);
    }
}

/// The place in a block of header fields (RFC 7541 §6).
#[derive(Default)]
struct Fields {
    at: At,
    /// The number that is being read, then how much is left of the text that it is the length of.
    number: usize,
    /// Bytes of the number so far.
    digits: u8,
    /// The text is in Huffman code.
    coded: bool,
    symbol: Symbol,
    /// The field is the authority; while its name is read, it may still be.
    authority: bool,
}

#[derive(Clone, Copy, Default)]
enum At {
    #[default]
    Field,
    Length(Text),
    /// Within a number that is more than one byte long.
    Number(Means),
    Text(Text),
}

#[derive(Clone, Copy)]
enum Text {
    Name,
    Value,
}

impl Text {
    /// What follows it.
    fn next(self) -> At {
        match self {
            Self::Name => At::Length(Self::Value),
            Self::Value => At::Field,
        }
    }
}

#[derive(Clone, Copy)]
enum Means {
    /// A whole field of a table, or the size of one.
    Nothing,
    /// The name's place in a table, or 0 when it follows as text.
    Index,
    Length(Text),
}

impl Fields {
    /// Takes the next bytes of the block; none when it is not a block.
    fn pass(&mut self, bytes: &mut [u8]) -> Option<()> {
        let mut at = 0;
        while let Some(byte) = bytes.get_mut(at) {
            match self.at {
                // A text that is none of our business is stepped over.
                At::Text(text) if !self.authority => {
                    let step = self.number.min(bytes.len() - at);
                    at += step;
                    self.number -= step;
                    if self.number == 0 {
                        self.at = text.next();
                    }
                    continue;
                }
                At::Field => match *byte {
                    // Most fields are in a table, and their place fits in the byte.
                    0x80..0xff => {}
                    0xff => self.begin_number(Means::Nothing, *byte, 0x7f),
                    0x40.. => self.begin_number(Means::Index, *byte, 0x3f),
                    0x20.. => self.begin_number(Means::Nothing, *byte, 0x1f),
                    _ => self.begin_number(Means::Index, *byte, 0x0f),
                },
                At::Length(text) => {
                    self.coded = *byte & 0x80 != 0;
                    self.begin_number(Means::Length(text), *byte, 0x7f);
                }
                At::Number(means) => self.go_on(means, *byte)?,
                At::Text(Text::Name) => self.name(*byte),
                At::Text(Text::Value) => self.value(byte),
            }
            at += 1;
        }
        Some(())
    }

    /// The first byte of a number: all ones say that more follow (RFC 7541 §5.1).
    fn begin_number(&mut self, means: Means, byte: u8, mask: u8) {
        (self.number, self.digits) = (usize::from(byte & mask), 1);
        if byte & mask == mask {
            self.at = At::Number(means);
        } else {
            self.end_number(means);
        }
    }

    fn go_on(&mut self, means: Means, byte: u8) -> Option<()> {
        // No more than 28 bits beside the first byte: it cannot overflow.
        self.number += usize::from(byte & 0x7f) << (7 * (self.digits - 1));
        self.digits += 1;
        if byte & 0x80 == 0 {
            self.end_number(means);
        } else if self.digits == MAX_NUMBER {
            return None;
        }
        Some(())
    }

    fn end_number(&mut self, means: Means) {
        self.at = match means {
            Means::Nothing => At::Field,
            Means::Index if self.number == 0 => At::Length(Text::Name),
            Means::Index => {
                self.authority = self.number == INDEX;
                At::Length(Text::Value)
            }
            Means::Length(Text::Name) => {
                self.authority = self.number == self.expected().len();
                if self.number == 0 {
                    At::Length(Text::Value)
                } else {
                    At::Text(Text::Name)
                }
            }
            Means::Length(Text::Value) if self.number == 0 => At::Field,
            Means::Length(Text::Value) => {
                self.symbol = Symbol::default();
                At::Text(Text::Value)
            }
        };
    }

    /// The authority's name, as it would be written.
    fn expected(&self) -> &'static [u8] {
        if self.coded { NAME_CODED } else { NAME }
    }

    /// A byte of what may still be the authority's name.
    fn name(&mut self, byte: u8) {
        let expected = self.expected();
        self.authority = expected[expected.len() - self.number] == byte;
        self.step(Text::Name);
    }

    /// A byte of the authority.
    fn value(&mut self, byte: &mut u8) {
        if self.coded {
            self.symbol.pass(byte);
        } else if is_delimiter(*byte) {
            *byte = b'-';
        }
        self.step(Text::Value);
    }

    fn step(&mut self, text: Text) {
        self.number -= 1;
        if self.number == 0 {
            self.at = text.next();
        }
    }
}

/// A symbol of Huffman code that is being read (RFC 7541 appendix B), and what the text held before
/// it.
///
/// To become another symbol of the same length, a bit must be changed before the byte that holds it
/// is gone, and it is gone with the last piece that was read. `%` and `/`, all that paths need, and
/// `:`, which lists have too many of, each have a bit that suffices as soon as it comes.
#[derive(Default)]
struct Symbol {
    code: u16,
    bits: usize,
    /// A colon was there: a name may have one, before its port.
    colon: bool,
    /// A bracket was there: an IPv6 address, whose colons are right.
    bracket: bool,
}

impl Symbol {
    /// For each number of bits from 5: codes below this end there. The code is canonical, so that
    /// no table is needed.
    const ENDS: [u16; 11] = [
        10, 46, 124, 254, 508, 1021, 2045, 4092, 8190, 16_382, 32_767,
    ];
    const SHORTEST: usize = 5;
    /// Nothing that a host or a path is made of is longer: the rest of the text is left alone.
    const LONGEST: usize = Self::SHORTEST + Self::ENDS.len() - 1;

    fn pass(&mut self, byte: &mut u8) {
        for bit in (0..8).rev() {
            if self.bits == Self::LONGEST {
                return;
            }
            self.code = self.code << 1 | u16::from(*byte >> bit & 1);
            self.bits += 1;
            let wrong = match (self.bits, self.code) {
                // `%` is 010101 and becomes `.`, 010111; the one other symbol that begins like it
                // is a space. `/` is 011000 and becomes `3`, 011001.
                (5, 0b01010) | (6, 0b01_1000) => true,
                // `:` is 1011100; a second one becomes `B`, 1011101.
                (7, 0b101_1100) => std::mem::replace(&mut self.colon, true) && !self.bracket,
                // `[`
                (13, 0x1ffb) => {
                    self.bracket = true;
                    false
                }
                _ => false,
            };
            if wrong {
                self.code |= 1;
                *byte |= 1 << bit;
            }
            let ends = self
                .bits
                .checked_sub(Self::SHORTEST)
                .map(|at| Self::ENDS[at]);
            if ends.is_some_and(|ends| self.code < ends) {
                (self.code, self.bits) = (0, 0);
            }
        }
    }
}

/// What a host's name cannot hold though a URI can (RFC 3986 §2.2, and `%`).
fn is_delimiter(byte: u8) -> bool {
    b"%:/?#[]@".contains(&byte)
}

/// Pieces of any length have the effect of the whole, and nothing changes but delimiters and single
/// bits of codes.
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is reported by a panic"
)]
pub(crate) fn fuzz(data: &[u8]) {
    let mut whole = data.to_vec();
    Filter::new().pass(&mut whole);
    let mut pieces = data.to_vec();
    let mut filter = Filter::new();
    for (at, piece) in pieces.chunks_mut(3).enumerate() {
        let (first, second) = piece.split_at_mut(at % (piece.len() + 1));
        filter.pass(first);
        filter.pass(second);
    }
    assert_eq!(whole, pieces);
    for (before, after) in data.iter().zip(&whole) {
        let delimiter = is_delimiter(*before) && *after == b'-';
        assert!(delimiter || before & after == *before);
    }
}

#[cfg(test)]
mod tests;
