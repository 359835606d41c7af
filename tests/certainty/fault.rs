//! What an upstream may do to one request or its connection.

use crate::dice::Dice;
use crate::http2::StreamFault;

/// How a connection ends, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As a good server would (FIN).
    Close,
    /// As a dying one does (RST).
    Reset,
    /// It stays open, and nothing more happens on it.
    Stall,
}

/// What happens on a connection that idles between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// The server has had enough of it.
    Ended(End),
    /// A 408 that nobody asked for, and the end: what load balancers do.
    Timeout408,
    /// Bytes that are no HTTP.
    Garbage,
    /// A whole good answer that nobody asked for.
    Answer,
}

/// What a refusing or failing cloud says instead of running the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its gateway's 429; with `Retry-After: 0` or without.
    GatewayThrottle(bool),
    /// Its functions service's 429 (`FunctionGraph` alone has one; NCP's is its gateway's second).
    ServiceThrottle,
    /// 401 of the gateway.
    Unauthenticated,
    /// 403 of the service.
    Forbidden,
    /// 400 of the service, with a code that says "try again".
    TryAgain,
    /// 500 of the service.
    ServiceFailed,
    /// 503 of the service.
    Unavailable,
    /// 500 of the gateway.
    GatewayFailed,
    /// 504 of the gateway.
    GatewayTimeout,
    /// A proxy's page with this status.
    Page(u16),
    /// This status and nothing else.
    Bare(u16),
    /// A refusal of the service under a 200.
    RefusedInGood,
    /// A failure of the service under a 200.
    FailedInGood,
    /// A 200 whose body is in a coding that nobody asked for.
    Coded,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A good answer.
    None,
    /// Nobody listens for so many milliseconds.
    Refused(u16),
    /// Who connects gets no answer (the SYN is dropped) for so many milliseconds.
    Unanswered(u16),
    /// Something happens on the idle connections, so many milliseconds before the call.
    WhileIdle(Idle, u16),
    /// Accepted, and ended at once.
    OnAccept(End),
    /// Ended when the first bytes of the request have come, unread.
    OnArrival(End),
    /// Ended after so many bytes of the head.
    InHead(u16, End),
    /// Ended after so many bytes of the body.
    InBody(u32, End),
    /// 503 as soon as the head is read; the body is not.
    EarlyRefusal,
    /// The whole request is read, and nothing is done with it.
    BeforeExecution(End),
    /// Carried out so many milliseconds later, whether or not the peer still waits; then the end.
    CarriedOutLate(u16),
    /// Carried out, and no byte of an answer.
    AfterExecution(End),
    /// Carried out; the answer ends after so many bytes of its head.
    InAnswerHead(u16, End),
    /// Carried out; the answer ends after so many bytes of its body.
    InAnswerBody(u16, End),
    /// Carried out; a few bytes a pause of so many milliseconds.
    Drip(u16),
    /// Carried out; some 1xx before the good answer.
    Interim(u8),
    /// Carried out; 204, with a body all the same.
    NoContentWithBody,
    /// Carried out; the length is longer than the body, then the end.
    LengthTooLong(End),
    /// Carried out; the length is shorter than the body.
    LengthTooShort,
    /// Carried out; two lengths, equal or not.
    LengthTwice(bool),
    /// Carried out; a good answer in chunks.
    Chunked,
    /// Carried out; the second chunk has no length.
    ChunkGarbage,
    /// Carried out; the last chunk never comes.
    ChunksCut(End),
    /// Carried out; good, with each header twice.
    HeadersTwice,
    /// Carried out; good, says `Connection: close` and does it.
    SaysClose,
    /// Carried out; good, and the connection ends without a word.
    EndsAfterAnswer(End),
    /// Carried out; a run's good answer under this status.
    Under(u16),
    /// Carried out; bytes that are not UTF-8 stand in the log of a run.
    BadText,
    /// Not carried out; a refusal under a 200, of which the last byte never comes.
    RefusalCut,
    /// A record of another run, or a function of another name; a good answer to everything else.
    OfAnother,
    /// An answer of refusal or failure; carried out before it or not.
    Answers(Said, bool),
    /// Something that only HTTP/2 has.
    OnStream(StreamFault),
}

impl From<StreamFault> for Fault {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::None => Self::None,
            fault => Self::OnStream(fault),
        }
    }
}

impl Fault {
    /// One at random; `body` is the length of the request's body.
    pub fn draw(dice: &mut Dice, body: u32) -> Self {
        let end = |dice: &mut Dice| {
            dice.one_of(&[End::Close, End::Close, End::Reset, End::Reset, End::Stall])
        };
        let cut = |dice: &mut Dice| dice.one_of(&[End::Close, End::Reset]);
        let small = |dice: &mut Dice, high| u16::try_from(dice.between(1, high)).unwrap();
        match dice.between(0, 99) {
            0..=1 => Self::Refused(small(dice, 30)),
            2 => Self::Unanswered(small(dice, 30)),
            3..=8 => {
                let idle = [
                    Idle::Ended(End::Close),
                    Idle::Ended(End::Reset),
                    Idle::Timeout408,
                    Idle::Garbage,
                ];
                Self::WhileIdle(
                    dice.one_of(&idle),
                    u16::try_from(dice.between(0, 3)).unwrap(),
                )
            }
            9..=12 => Self::OnAccept(end(dice)),
            13..=17 => Self::OnArrival(end(dice)),
            18..=22 => Self::InHead(small(dice, 250), end(dice)),
            23..=27 => {
                let at = dice.between(1, u64::from(body.max(2)) - 1);
                Self::InBody(u32::try_from(at).unwrap(), end(dice))
            }
            28 => Self::EarlyRefusal,
            29..=32 => Self::BeforeExecution(end(dice)),
            33 => Self::CarriedOutLate(small(dice, 400)),
            34..=38 => Self::AfterExecution(end(dice)),
            39..=47 => Self::InAnswerHead(small(dice, 400), end(dice)),
            48..=53 => Self::InAnswerBody(small(dice, 400), end(dice)),
            54..=56 => Self::Drip(small(dice, 3)),
            57..=59 => Self::Interim(u8::try_from(dice.between(1, 3)).unwrap()),
            60 => Self::NoContentWithBody,
            61..=62 => Self::LengthTooLong(end(dice)),
            63 => Self::LengthTooShort,
            64..=65 => Self::LengthTwice(dice.percent(50)),
            66..=67 => Self::Chunked,
            68 => Self::ChunkGarbage,
            69..=70 => Self::ChunksCut(end(dice)),
            71 => Self::HeadersTwice,
            72..=73 => Self::SaysClose,
            74..=76 => Self::EndsAfterAnswer(cut(dice)),
            77 => {
                Self::Under(dice.one_of(&[207, 302, 303, 404, 409, 422, 429, 500, 502, 503, 600]))
            }
            78 => Self::BadText,
            79 => Self::RefusalCut,
            80 => Self::OfAnother,
            81..=85 => Self::Answers(
                dice.one_of(&[
                    Said::GatewayThrottle(true),
                    Said::GatewayThrottle(false),
                    Said::ServiceThrottle,
                ]),
                false,
            ),
            86..=87 => Self::Answers(
                dice.one_of(&[
                    Said::Forbidden,
                    Said::TryAgain,
                    Said::Bare(404),
                    Said::Page(403),
                    Said::Page(302),
                ]),
                false,
            ),
            88 => Self::Answers(
                dice.one_of(&[Said::Page(200), Said::RefusedInGood, Said::RefusedInGood]),
                false,
            ),
            89..=90 => {
                let said = [
                    Said::FailedInGood,
                    Said::Coded,
                    Said::Bare(303),
                    Said::Bare(600),
                    Said::Bare(999),
                ];
                Self::Answers(dice.one_of(&said), dice.percent(50))
            }
            91 => Self::Answers(Said::Bare(204), true),
            _ => {
                let said = [
                    Said::ServiceFailed,
                    Said::Unavailable,
                    Said::GatewayFailed,
                    Said::GatewayTimeout,
                    Said::Page(500),
                    Said::Page(502),
                    Said::Page(503),
                    Said::Page(504),
                    Said::Bare(500),
                    Said::Bare(503),
                ];
                Self::Answers(dice.one_of(&said), dice.percent(50))
            }
        }
    }

    /// True when nothing more comes of it until the peer gives up.
    pub fn stalls(self) -> bool {
        match self {
            Self::WhileIdle(Idle::Ended(end), _)
            | Self::OnAccept(end)
            | Self::OnArrival(end)
            | Self::InHead(_, end)
            | Self::InBody(_, end)
            | Self::BeforeExecution(end)
            | Self::AfterExecution(end)
            | Self::InAnswerHead(_, end)
            | Self::InAnswerBody(_, end)
            | Self::LengthTooLong(end)
            | Self::ChunksCut(end)
            | Self::EndsAfterAnswer(end) => end == End::Stall,
            Self::CarriedOutLate(_) | Self::Answers(Said::Bare(100 | 102..=199), _) => true,
            _ => false,
        }
    }

    /// What a peer could have known for sure: from the connection that never was, from the cloud's
    /// own word. `None` where the same bytes may mean either.
    pub fn knowable(self) -> Option<&'static str> {
        match self {
            Self::Refused(_) | Self::Unanswered(_) => Some("not_started"),
            Self::Answers(said, false) if said.is_refusal() => Some("not_started"),
            Self::OnStream(fault) => fault.knowable(),
            _ => None,
        }
    }

    /// Its row in the summary, without the figures.
    pub fn name(self) -> String {
        let how = |end| match end {
            End::Close => "closed",
            End::Reset => "reset",
            End::Stall => "stalled",
        };
        match self {
            Self::None => "none".to_owned(),
            Self::Refused(_) => "connection refused".to_owned(),
            Self::Unanswered(_) => "connection unanswered".to_owned(),
            Self::WhileIdle(Idle::Ended(end), _) => format!("idle connection {}", how(end)),
            Self::WhileIdle(Idle::Timeout408, _) => "408 on an idle connection".to_owned(),
            Self::WhileIdle(Idle::Garbage, _) => "garbage on an idle connection".to_owned(),
            Self::WhileIdle(Idle::Answer, _) => "answer on an idle connection".to_owned(),
            Self::OnAccept(end) => format!("{} on accept", how(end)),
            Self::OnArrival(end) => format!("{} as the request arrives", how(end)),
            Self::InHead(_, end) => format!("{} in the request's head", how(end)),
            Self::InBody(_, end) => format!("{} in the request's body", how(end)),
            Self::EarlyRefusal => "503 before the body is read".to_owned(),
            Self::BeforeExecution(end) => format!("{} before execution", how(end)),
            Self::CarriedOutLate(_) => "executed after a stall".to_owned(),
            Self::AfterExecution(end) => format!("{} after execution", how(end)),
            Self::InAnswerHead(_, end) => format!("{} in the answer's head", how(end)),
            Self::InAnswerBody(_, end) => format!("{} in the answer's body", how(end)),
            Self::Drip(_) => "slow drip".to_owned(),
            Self::Interim(_) => "1xx before the answer".to_owned(),
            Self::NoContentWithBody => "204 with a body".to_owned(),
            Self::LengthTooLong(end) => format!("length too long, {}", how(end)),
            Self::LengthTooShort => "length too short".to_owned(),
            Self::LengthTwice(true) => "length twice, equal".to_owned(),
            Self::LengthTwice(false) => "length twice, unequal".to_owned(),
            Self::Chunked => "chunked".to_owned(),
            Self::ChunkGarbage => "garbage for a chunk".to_owned(),
            Self::ChunksCut(end) => format!("last chunk missing, {}", how(end)),
            Self::HeadersTwice => "every header twice".to_owned(),
            Self::SaysClose => "Connection: close".to_owned(),
            Self::Under(_) => "a run's answer under another status".to_owned(),
            Self::BadText => "a log that is not UTF-8".to_owned(),
            Self::RefusalCut => "200 with half an error inside".to_owned(),
            Self::OfAnother => "an answer about another".to_owned(),
            Self::OnStream(fault) => fault.name(),
            Self::EndsAfterAnswer(end) => format!("{} after the answer", how(end)),
            Self::Answers(said, executed) => {
                let when = match (said.is_refusal(), executed) {
                    (true, _) => "",
                    (false, true) => ", executed",
                    (false, false) => ", not executed",
                };
                format!("{}{when}", said.name())
            }
        }
    }
}

impl Said {
    /// True for an answer which by itself says that nothing was done.
    pub fn is_refusal(self) -> bool {
        match self {
            Self::GatewayThrottle(_)
            | Self::ServiceThrottle
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::TryAgain
            | Self::RefusedInGood => true,
            Self::Page(status) | Self::Bare(status) => {
                (300..500).contains(&status) && status != 303
            }
            _ => false,
        }
    }

    fn name(self) -> String {
        match self {
            Self::GatewayThrottle(true) => "429 of the gateway, Retry-After: 0".to_owned(),
            Self::GatewayThrottle(false) => "429 of the gateway".to_owned(),
            Self::ServiceThrottle => "429 of the service".to_owned(),
            Self::Unauthenticated => "401 of the gateway".to_owned(),
            Self::Forbidden => "403 of the service".to_owned(),
            Self::TryAgain => "\"try again\" of the service".to_owned(),
            Self::ServiceFailed => "500 of the service".to_owned(),
            Self::Unavailable => "503 of the service".to_owned(),
            Self::GatewayFailed => "500 of the gateway".to_owned(),
            Self::GatewayTimeout => "504 of the gateway".to_owned(),
            Self::Page(status) => format!("HTML page with {status}"),
            Self::Bare(status) => format!("{status} without a body"),
            Self::RefusedInGood => "200 with a refusal inside".to_owned(),
            Self::FailedInGood => "200 with a failure inside".to_owned(),
            Self::Coded => "200 in a coding".to_owned(),
        }
    }
}
