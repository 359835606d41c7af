//! What an HTTP/2 server may do to one stream, or to all streams of its connection.

use crate::dice::Dice;
use crate::fault::End;
use faas_testkit::frames::{CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR};

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// A good answer.
    None,
    /// `REFUSED_STREAM`: not processed, by the protocol's own word.
    Refused,
    /// A goodbye that does not count this stream; earlier ones are still answered.
    Uncounted,
    /// A goodbye that counts this stream, which is then answered.
    Counted,
    /// The stream is reset for this reason, carried out or not.
    Reset(u32, bool),
    /// Carried out; reset within the answer's body.
    ResetInBody(u32),
    /// The connection ends, with all streams on it; this one was carried out or not.
    Lost(End, bool),
    /// Carried out; the connection ends within the frame of the answer's head.
    HeadCut(End),
    /// Carried out; the connection ends within the answer's body.
    BodyCut(End),
    /// Nothing more happens on this stream, carried out or not.
    Stalled(bool),
    /// Carried out late, whether or not the peer still waits.
    Late(u16),
    /// A 103 and a frame of an unknown kind before the good answer.
    Interim,
    /// Carried out; a good head that is also the end.
    Empty,
    /// 503 in the cloud's shape, carried out or not.
    Unavailable(bool),
    /// 429 in the cloud's shape.
    Throttled,
}

impl StreamFault {
    /// The fault that this attempt of the call meets.
    pub fn of(seed: u64, call: u64, attempt: u64) -> Self {
        let mut dice = Dice::of(seed.wrapping_add(attempt), call);
        let reason =
            |dice: &mut Dice| dice.one_of(&[NO_ERROR, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM]);
        let end = |dice: &mut Dice| dice.one_of(&[End::Close, End::Reset]);
        match dice.between(0, 99) {
            0..=12 => Self::Refused,
            13..=14 => Self::Uncounted,
            15..=16 => Self::Counted,
            17..=24 => Self::Reset(reason(&mut dice), dice.percent(50)),
            25..=28 => Self::ResetInBody(reason(&mut dice)),
            29..=30 => Self::Lost(end(&mut dice), dice.percent(50)),
            31 => Self::HeadCut(end(&mut dice)),
            32 => Self::BodyCut(end(&mut dice)),
            33..=35 => Self::Stalled(dice.percent(50)),
            36..=37 => Self::Late(u16::try_from(dice.between(1, 400)).unwrap()),
            38..=40 => Self::Interim,
            41..=42 => Self::Empty,
            43..=46 => Self::Unavailable(dice.percent(50)),
            47..=50 => Self::Throttled,
            _ => Self::None,
        }
    }

    /// What a peer could have known for sure.
    pub fn knowable(self) -> Option<&'static str> {
        match self {
            Self::Refused | Self::Uncounted | Self::Throttled => Some("not_started"),
            _ => None,
        }
    }

    /// Its row in the summary.
    pub fn name(self) -> String {
        let done = |done| if done { "executed" } else { "not executed" };
        match self {
            Self::None => "none".to_owned(),
            Self::Refused => "REFUSED_STREAM".to_owned(),
            Self::Uncounted => "GOAWAY below the stream".to_owned(),
            Self::Counted => "GOAWAY above the stream".to_owned(),
            Self::Reset(_, executed) => format!("RST_STREAM, {}", done(executed)),
            Self::ResetInBody(_) => "RST_STREAM in the answer's body".to_owned(),
            Self::Lost(_, executed) => format!("connection lost, {}", done(executed)),
            Self::HeadCut(_) => "connection lost in the answer's head".to_owned(),
            Self::BodyCut(_) => "connection lost in the answer's body".to_owned(),
            Self::Stalled(executed) => format!("stalled, {}", done(executed)),
            Self::Late(_) => "executed after a stall".to_owned(),
            Self::Interim => "103 and an unknown frame before the answer".to_owned(),
            Self::Empty => "good head without a body".to_owned(),
            Self::Unavailable(executed) => format!("503, {}", done(executed)),
            Self::Throttled => "429".to_owned(),
        }
    }
}
