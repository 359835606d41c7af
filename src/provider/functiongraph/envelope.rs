//! Which form the answer of a synchronous run has, and what proves that it is one.
//!
//! v1 is an envelope, v0 is what the function returned and nothing else. The version header says
//! which. Back ends that send none are told apart by what they have in common with either
//! (huaweicloud-sdk-java-v3#34 shows a v0 answer: `text/plain`, `X-Cff-Request-Id`, no version);
//! the rules for that case are INFERRED.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::header_text;
use crate::json;
use crate::names::AsyncRequestId;
use crate::provider::lenient::{
    self, Clock, Found, Member, NotJson, Notes, Place, Present, Raw, Scalar, Text, object, scalar,
};
use crate::transport::Response;

const RESPONSE_VERSION: HeaderName = HeaderName::from_static("x-cff-response-version");
pub(super) const RUN_ID: HeaderName = HeaderName::from_static("x-cff-request-id");
const FUNCTION_ERROR_CODE: HeaderName = HeaderName::from_static("x-func-err-code");

/// What an answer is.
pub(super) enum Form<'a> {
    /// v1, and which of its members cannot be read.
    Envelope(Run<'a>, Notes),
    /// v0: the body is what the function returned.
    Bare,
    /// Its head is a run's, and its body is not what the head promises: why.
    Broken(&'static str),
    /// Nothing about it is a run's: why.
    Unproven(&'static str),
}

object! {
    /// The envelope.
    pub(super) struct Run<'a> {
        pub(super) request_id: Text<'a>,
        /// `null` is a result, too.
        pub(super) result: Option<Present<'a>>,
        /// The log as far as it is text; other bytes are replaced by U+FFFD.
        pub(super) log: Text<'a>,
        pub(super) status: Status,
        pub(super) error_code: ErrorCode,
    }
}

/// The status of a run. Inner `None`: there is one, and it is no number, so that it must not pass
/// for 200.
#[derive(Clone, Copy, Default)]
pub(super) struct Status(pub(super) Option<Option<i64>>);

/// The code of an error.
#[derive(Default)]
pub(super) enum ErrorCode {
    #[default]
    None,
    /// The run's.
    OfRun(i64),
    /// A text such as `FSS.0500`, as the service and its gateway write theirs.
    OfService,
}

/// What a function returned, as the envelope holds it.
pub(super) enum Returned<'a> {
    /// The text of the envelope's string.
    Text(Cow<'a, str>),
    /// A text with a lone surrogate: the bytes that it stands for, and the string that spells it.
    Spelt(Vec<u8>, &'a RawValue),
    /// Any other JSON.
    Json(&'a RawValue),
    /// Bytes that are not UTF-8.
    Bytes(Vec<u8>),
}

impl Form<'_> {
    pub(super) fn of(response: &Response) -> Form<'_> {
        let run_id = run_id(&response.headers);
        match version(&response.headers) {
            Some(Version::V0) => return Form::Bare,
            Some(Version::V1) => {
                return match envelope(response.json()) {
                    (Some(run), notes) if run.says_something() => Form::Envelope(run, notes),
                    _ => Form::Broken(
                        "it ends too early or is not the envelope that its head promises",
                    ),
                };
            }
            None => {}
        }
        let kind = header_text(response, &CONTENT_TYPE)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let (run, notes) = envelope(response.json());
        match (run.filter(|run| is_complete(run, run_id, &kind)), run_id) {
            (Some(run), _) => Form::Envelope(run, notes),
            (None, Some(_)) if kind.contains("json") && !is_json(response.json()) => {
                Form::Broken("it ends too early or is not JSON")
            }
            (None, Some(_)) => Form::Bare,
            (None, None) => Form::Unproven("nothing in it names a run"),
        }
    }
}

/// True when the head of a good answer shows that the function ran: it names the run or the form of
/// its result, and no code says otherwise.
pub(super) fn head_proves_run(status: StatusCode, headers: &HeaderMap) -> bool {
    let code = headers
        .get(FUNCTION_ERROR_CODE)
        .map(|code| code.as_bytes().trim_ascii());
    status.is_success()
        && code.is_none_or(|code| matches!(code, b"" | b"0"))
        && (version(headers).is_some() || run_id(headers).is_some())
}

/// The id of the run that a head names.
pub(super) fn run_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(RUN_ID)?.to_str().ok()?.trim();
    AsyncRequestId::read(id).map(|_| id)
}

/// The code of a run that failed, other than 0.
pub(super) fn header_code(response: &Response) -> Option<i64> {
    header_text(response, &FUNCTION_ERROR_CODE)?
        .parse()
        .ok()
        .filter(|code| *code != 0)
}

enum Version {
    V0,
    V1,
}

fn version(headers: &HeaderMap) -> Option<Version> {
    match headers.get(RESPONSE_VERSION)?.as_bytes().trim_ascii() {
        b"v0" | b"V0" => Some(Version::V0),
        b"v1" | b"V1" => Some(Version::V1),
        _ => None,
    }
}

/// Whether an object without a version header is an envelope and no object of the function's own.
/// An id that is also the head's is enough beside any of the rest; without that it takes all of
/// them, and in a body that the head calls text it is the function's.
fn is_complete(run: &Run<'_>, run_id: Option<&str>, kind: &str) -> bool {
    let named = run.request_id.0.as_deref();
    if named.is_some() && named == run_id {
        return run.says_something();
    }
    let is_text = run_id.is_some() && kind.starts_with("text/");
    named.is_some() && run.result.is_some() && run.status.0.is_some() && !is_text
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// An object with members of the envelope. Text in it may hold bytes that are not UTF-8: a log that
/// was cut at a byte count, or what the function returned.
fn envelope(body: &[u8]) -> (Option<Run<'_>>, Notes) {
    if !body.trim_ascii_start().starts_with(b"{") {
        return (None, Notes::new(Clock::UTC));
    }
    lenient::noted(body, "envelope", Clock::UTC)
}

impl Run<'_> {
    fn says_something(&self) -> bool {
        self.result.is_some() || self.status.0.is_some()
    }
}

impl<'a> Returned<'a> {
    pub(super) fn of(Present(raw): Present<'a>) -> Self {
        let raw = match raw {
            Raw::Text(raw) => raw,
            Raw::Bytes(bytes) => {
                return Self::Bytes(
                    json::string_bytes(bytes).map_or_else(|| bytes.to_owned(), Cow::into_owned),
                );
            }
        };
        match json::string_bytes(raw.get().as_bytes()) {
            None => Self::Json(raw),
            Some(Cow::Borrowed(bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(Cow::Borrowed(text)),
                Err(_) => Self::Spelt(bytes.to_owned(), raw),
            },
            Some(Cow::Owned(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Self::Text(Cow::Owned(text)),
                Err(bytes) => Self::Spelt(bytes.into_bytes(), raw),
            },
        }
    }
}

impl<'a> Member<'a> for Status {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        let is_null = place.next() == Some(b'n');
        let number = i64::read(place, notes)?;
        Ok((!is_null).then_some(Self(Some(number))))
    }
}

impl<'a> Member<'a> for ErrorCode {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        scalar(place, notes, |scalar, _| match (scalar.whole(), &scalar) {
            (Found::Unreadable, Scalar::Text(_)) => Found::Value(Self::OfService),
            (code, _) => code.and_then(|code| Found::Value(Self::OfRun(code))),
        })
    }
}
