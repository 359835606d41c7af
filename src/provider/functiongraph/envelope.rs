//! Which form the answer of a synchronous run has, and what proves that it is one.
//!
//! v1 is an envelope, v0 is what the function returned and nothing else. The version header says which. Back ends that send
//! none are told apart by what they have in common with either (huaweicloud-sdk-java-v3#34 shows a v0 answer: `text/plain`,
//! `X-Cff-Request-Id`, no version); the rules for that case are INFERRED.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{header_text, wire};
use crate::json;
use crate::names::AsyncRequestId;
use crate::transport::Response;

const RESPONSE_VERSION: HeaderName = HeaderName::from_static("x-cff-response-version");
pub(super) const RUN_ID: HeaderName = HeaderName::from_static("x-cff-request-id");
const FUNCTION_ERROR_CODE: HeaderName = HeaderName::from_static("x-func-err-code");

/// What an answer is.
pub(super) enum Form<'a> {
    /// v1.
    Envelope(Run<'a>),
    /// v0: the body is what the function returned.
    Bare,
    /// Its head is a run's, and its body is not what the head promises: why.
    Broken(&'static str),
    /// Nothing about it is a run's: why.
    Unproven(&'static str),
}

/// The envelope.
#[derive(Default)]
pub(super) struct Run<'a> {
    pub(super) request_id: Option<Cow<'a, str>>,
    /// `null` is a result, too.
    pub(super) result: Option<Returned<'a>>,
    /// The log as far as it is text; other bytes are replaced by U+FFFD.
    pub(super) log: Option<Cow<'a, str>>,
    /// Inner `None`: there is one, and it is no number.
    pub(super) status: Option<Option<i64>>,
    pub(super) error_code: Option<i64>,
    /// The code of an error of the service or its gateway, which is a text such as `FSS.0500`.
    pub(super) has_text_code: bool,
}

/// What a function returned, as the envelope holds it.
pub(super) enum Returned<'a> {
    /// The text of the envelope's string.
    Text(Cow<'a, str>),
    /// A text with a lone surrogate: the bytes that it stands for, and the string that spells it.
    Spelt(Vec<u8>, Cow<'a, RawValue>),
    /// Any other JSON.
    Json(Cow<'a, RawValue>),
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
                    Some(run) if run.result.is_some() || run.status.is_some() => Form::Envelope(run),
                    _ => Form::Broken("it ends too early or is not the envelope that its head promises"),
                };
            }
            None => {}
        }
        let kind = header_text(response, &CONTENT_TYPE)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let run = envelope(response.json()).filter(|run| is_complete(run, run_id, &kind));
        match (run, run_id) {
            (Some(run), _) => Form::Envelope(run),
            (None, Some(_)) if kind.contains("json") && !is_json(response.json()) => {
                Form::Broken("it ends too early or is not JSON")
            }
            (None, Some(_)) => Form::Bare,
            (None, None) => Form::Unproven("nothing in it names a run"),
        }
    }
}

/// True when the head of a good answer shows that the function ran: it names the run or the form of its result, and no code
/// says otherwise.
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

/// Whether an object without a version header is an envelope and no object of the function's own. An id that is also the
/// head's is enough beside any of the rest; without that it takes all of them, and in a body that the head calls text it is
/// the function's.
fn is_complete(run: &Run<'_>, run_id: Option<&str>, kind: &str) -> bool {
    let named = run.request_id.as_deref().filter(|id| !id.is_empty());
    if named.is_some() && named == run_id {
        return run.result.is_some() || run.status.is_some();
    }
    let is_text = run_id.is_some() && kind.starts_with("text/");
    named.is_some() && run.result.is_some() && run.status.is_some() && !is_text
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// An object with members of the envelope. Text in it may hold bytes that are not UTF-8: a log that was cut at a byte
/// count, or what the function returned.
fn envelope(body: &[u8]) -> Option<Run<'_>> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    if let Ok(run) = serde_json::from_slice::<wire::Run<'_>>(body) {
        return Some(Run {
            request_id: wire::text(run.request_id),
            result: run
                .result
                .map(|raw| returned(Cow::Borrowed(raw), json::string_bytes(raw))),
            log: run.log.and_then(json::string_bytes).map(lossy),
            status: status(run.status),
            error_code: wire::number(run.error_code),
            has_text_code: has_text_code(run.error_code),
        });
    }
    let readable = json::readable(body)?;
    let run = serde_json::from_str::<wire::Run<'_>>(&readable).ok()?;
    let log = run.log.and_then(|raw| json::bytes_of(body, &readable, raw));
    Some(Run {
        request_id: wire::text(run.request_id).map(|id| Cow::Owned(id.into_owned())),
        result: match run.result {
            Some(raw) => Some(returned_bytes(json::bytes_of(body, &readable, raw)?)?),
            None => None,
        },
        log: log.and_then(json::string_bytes_of).map(lossy),
        status: status(run.status),
        error_code: wire::number(run.error_code),
        has_text_code: has_text_code(run.error_code),
    })
}

fn returned<'a>(raw: Cow<'a, RawValue>, text: Option<Cow<'a, [u8]>>) -> Returned<'a> {
    match text {
        None => Returned::Json(raw),
        Some(Cow::Borrowed(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Returned::Text(Cow::Borrowed(text)),
            Err(_) => Returned::Spelt(bytes.to_owned(), raw),
        },
        Some(Cow::Owned(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Returned::Text(Cow::Owned(text)),
            Err(bytes) => Returned::Spelt(bytes.into_bytes(), raw),
        },
    }
}

/// The same of a member's bytes as they came.
fn returned_bytes(bytes: &[u8]) -> Option<Returned<'_>> {
    if let Ok(raw) = serde_json::from_slice::<&RawValue>(bytes) {
        return Some(returned(Cow::Borrowed(raw), json::string_bytes(raw)));
    }
    let text = if bytes.starts_with(b"\"") {
        json::string_bytes_of(bytes)?.into_owned()
    } else {
        bytes.to_owned()
    };
    Some(Returned::Bytes(text))
}

fn status(raw: Option<&RawValue>) -> Option<Option<i64>> {
    raw.filter(|raw| raw.get() != "null")
        .map(|raw| wire::number(Some(raw)))
}

fn has_text_code(raw: Option<&RawValue>) -> bool {
    wire::number(raw).is_none() && wire::text(raw).is_some_and(|code| !code.trim().is_empty())
}

fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()),
        ),
    }
}
