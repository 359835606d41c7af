//! What one call did upstream, noted while it runs, so that its spans can be built when it is over.
//!
//! Facts only: times, URL, status, reason. Whether a call's spans are wanted is often known at its
//! end alone (it failed, it was repeated), so that nothing is built before. A call that nobody may
//! want to see has no record at all.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use opentelemetry::trace::{SpanId, TraceId};
use tokio::time::Instant;
use url::Url;

use super::Call;
use crate::error::{Error, Execution};

/// Attempts and pauses kept of one call: a long wait looks for its activation some sixty times.
const MOST: usize = 128;

/// What one call did upstream.
#[derive(Debug, Default)]
pub struct Record {
    /// The trace that each attempt is the upstream's parent in; `None` when it was not sampled,
    /// since then the caller's own context travels on.
    pub sampled: Option<TraceId>,
    /// In order; the last one is open when the caller went away in its midst.
    pub attempts: Vec<Attempt>,
    /// In order.
    pub pauses: Vec<Pause>,
    /// Attempts and pauses beyond those kept.
    pub omitted: u32,
    /// How often the present request has been sent.
    sent: u32,
}

/// One signed HTTP request.
#[derive(Debug)]
pub struct Attempt {
    /// The span that the upstream was told of; invalid when it was told of none.
    pub span_id: SpanId,
    /// When it was signed.
    pub started: Instant,
    /// When its answer was read and judged; `None` = never.
    pub ended: Option<Instant>,
    /// Its method.
    pub method: Method,
    /// Where it went. The signature is in headers, so that the URL holds no secret.
    pub url: Url,
    /// Bytes of its body.
    pub request_size: usize,
    /// How many times this very request had been sent before.
    pub resend: u32,
    /// Status and body size of the answer, if one came.
    pub answer: Option<(u16, Option<usize>)>,
    /// The upstream's id of it.
    pub upstream_request_id: Option<String>,
    /// Why it failed, and whether it may have been carried out all the same.
    pub failure: Option<(Cow<'static, str>, Execution)>,
}

/// A time in which nothing was sent.
#[derive(Debug)]
pub struct Pause {
    /// Why.
    pub why: Why,
    /// When it began.
    pub started: Instant,
    /// How long it was to last, or lasted.
    pub lasts: Duration,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// All slots of the target were taken.
    Queue,
    /// The pause before a repetition.
    BackOff,
    /// The run had not ended yet.
    Poll,
}

impl Record {
    /// Nothing yet, of a call in the trace that each attempt is to be a part of.
    #[must_use]
    pub fn new(sampled: Option<TraceId>) -> Self {
        Self {
            sampled,
            ..Self::default()
        }
    }
}

impl Call {
    /// Notes that an attempt begins, and names it to the upstream as the parent of what it does
    /// there.
    pub fn attempt_begins(&mut self, method: &Method, url: &Url, request_size: usize) {
        let Some(record) = &mut self.record else {
            return;
        };
        let resend = record.sent;
        record.sent += 1;
        let span_id = match record.sampled {
            Some(trace) => {
                let span = SpanId::from(fastrand::u64(1..));
                if let Some((_, parent)) = self
                    .trace
                    .iter_mut()
                    .find(|(name, _)| *name == "traceparent")
                {
                    *parent = traceparent(trace, span, true);
                }
                span
            }
            None => SpanId::INVALID,
        };
        if record.attempts.len() >= MOST {
            record.omitted += 1;
            return;
        }
        record.attempts.push(Attempt {
            span_id,
            started: Instant::now(),
            ended: None,
            method: method.clone(),
            url: url.clone(),
            request_size,
            resend,
            answer: None,
            upstream_request_id: None,
            failure: None,
        });
    }

    /// Notes how the attempt that began last has ended: the answer's status and body size, or the
    /// failure.
    pub fn attempt_ended(&mut self, outcome: Result<(u16, usize), &Error>) {
        let Some(record) = &mut self.record else {
            return;
        };
        let Some(attempt) = record
            .attempts
            .last_mut()
            .filter(|attempt| attempt.ended.is_none())
        else {
            return;
        };
        attempt.ended = Some(Instant::now());
        attempt
            .upstream_request_id
            .clone_from(&self.upstream_request_id);
        match outcome {
            Ok((status, size)) => attempt.answer = Some((status, Some(size))),
            Err(error) => {
                attempt.answer = error.http_status.map(|status| (status, None));
                attempt.failure = Some((error.reason.clone(), error.execution));
            }
        }
    }

    /// Notes that a new request begins, with a wait for a slot: when, if that is of interest.
    #[must_use]
    pub fn request_begins(&mut self) -> Option<Instant> {
        self.record.as_mut().map(|record| {
            record.sent = 0;
            Instant::now()
        })
    }

    /// Notes the wait for a slot that began then, unless there was none to speak of.
    pub fn queued(&mut self, since: Option<Instant>) {
        if let Some(since) = since {
            let waited = since.elapsed();
            if waited >= Duration::from_millis(1) {
                self.pauses(Why::Queue, since, waited);
            }
        }
    }

    /// Notes a time in which nothing is sent.
    pub fn pauses(&mut self, why: Why, started: Instant, lasts: Duration) {
        let Some(record) = &mut self.record else {
            return;
        };
        if record.pauses.len() >= MOST {
            record.omitted += 1;
            return;
        }
        record.pauses.push(Pause {
            why,
            started,
            lasts,
        });
    }
}

/// The W3C header's value (Trace Context, level 2: version 00).
#[must_use]
pub fn traceparent(trace: TraceId, span: SpanId, sampled: bool) -> String {
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    push_hex(&mut text, &trace.to_bytes());
    text.push('-');
    push_hex(&mut text, &span.to_bytes());
    text.push_str(if sampled { "-01" } else { "-00" });
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn call(sampled: bool) -> Call {
        let mut call = Call::new(Instant::now());
        let trace = TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        call.trace = vec![
            ("traceparent", PARENT.to_owned()),
            ("tracestate", "a=b".to_owned()),
        ];
        call.record = Some(Box::new(Record {
            sampled: sampled.then_some(trace),
            ..Record::default()
        }));
        call
    }

    fn url() -> Url {
        Url::parse("https://h.example/a?b=c").unwrap()
    }

    #[tokio::test]
    async fn a_sampled_attempt_becomes_the_parent_and_an_unsampled_one_leaves_the_callers() {
        let mut call_ = call(true);
        for _ in 0..2 {
            call_.attempt_begins(&Method::POST, &url(), 3);
            let span = call_
                .record
                .as_ref()
                .unwrap()
                .attempts
                .last()
                .unwrap()
                .span_id;
            assert_eq!(
                call_.trace[0].1,
                format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01")
            );
        }
        let spans = &call_.record.as_ref().unwrap().attempts;
        assert_ne!(spans[0].span_id, spans[1].span_id);
        assert_eq!((spans[0].resend, spans[1].resend), (0, 1));
        assert_eq!(call_.trace[1].1, "a=b");

        let mut call_ = call(false);
        call_.attempt_begins(&Method::POST, &url(), 3);
        assert_eq!(call_.trace[0].1, PARENT);
    }

    #[tokio::test]
    async fn an_attempt_knows_how_it_ended() {
        let mut call = call(false);
        call.attempt_begins(&Method::GET, &url(), 0);
        let lost = Error::new(Kind::Unavailable, "CONNECTION_LOST", "x")
            .execution(Execution::Unknown)
            .with(|facts| facts.http_status = Some(200));
        call.attempt_ended(Err(&lost));
        // A second end, as of an attempt that was never begun, changes nothing.
        call.attempt_ended(Ok((500, 7)));
        call.attempt_begins(&Method::GET, &url(), 0);
        call.upstream_request_id = Some("r1".to_owned());
        call.attempt_ended(Ok((204, 0)));
        let attempts = &call.record.as_ref().unwrap().attempts;
        assert_eq!(attempts[0].answer, Some((200, None)));
        assert_eq!(
            attempts[0].failure,
            Some(("CONNECTION_LOST".into(), Execution::Unknown))
        );
        assert_eq!(
            (
                attempts[1].answer,
                attempts[1].failure.is_none(),
                attempts[1].upstream_request_id.as_deref()
            ),
            (Some((204, Some(0))), true, Some("r1"))
        );
    }

    #[tokio::test]
    async fn a_record_is_bounded() {
        let mut call = call(false);
        for _ in 0..200 {
            call.attempt_begins(&Method::GET, &url(), 0);
            call.attempt_ended(Ok((200, 0)));
            call.pauses(Why::Poll, Instant::now(), Duration::from_secs(1));
        }
        let record = call.record.unwrap();
        assert_eq!(
            (record.attempts.len(), record.pauses.len(), record.omitted),
            (MOST, MOST, 144)
        );
    }
}
