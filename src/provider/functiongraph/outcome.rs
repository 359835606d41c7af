//! What a synchronous run came to: told from headers, envelope and status, since the HTTP status of a function that
//! throws is published nowhere.
//!
//! "Executing a Function Synchronously" (`functiongraph_06_0125`, zh 2025-08-29). The order of the signals is INFERRED:
//! codes of gateway and service, `X-Is-Func-Err`, `X-Func-Err-Code`, the envelope's `status`, the HTTP status.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use serde::Deserialize as _;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::errors::{self, Fault, fault_of};
use super::{header_text, wire};
use crate::error::{Error, Kind, Result, Scope};
use crate::json;
use crate::proto::json::Encoding;
use crate::proto::{Activation, ActivationStatus, Json, JsonEncoding};
use crate::provider::lenient::times;
use crate::provider::status::not_understood;
use crate::transport::Response;

const RESPONSE_VERSION: HeaderName = HeaderName::from_static("x-cff-response-version");
pub(super) const RUN_ID: HeaderName = HeaderName::from_static("x-cff-request-id");
const IS_FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-is-func-err");
const FUNCTION_ERROR_CODE: HeaderName = HeaderName::from_static("x-func-err-code");
const SUMMARY: HeaderName = HeaderName::from_static("x-cff-invoke-summary");
const BILLED: HeaderName = HeaderName::from_static("x-cff-billing-duration");
const LOG: HeaderName = HeaderName::from_static("x-cff-function-log");

/// Accepts every answer that holds a run's outcome, a failed one included; the rest is a failure of the call.
pub(super) fn judge(response: &Response) -> Result<()> {
    let lost = |error: Error| Err(error.with(|facts| facts.http_status = Some(response.status.as_u16())));
    let said = if response.status.is_success() {
        None
    } else {
        Some(errors::read(&response.body))
    };
    if let Some(said) = &said
        && said.number().is_some()
    {
        return Err(wall(errors::classify(response, said)));
    }
    if is_function_error(response) == Some(true) {
        return Ok(());
    }
    if let Some(code) = header_code(response) {
        return fault_of(code).error(code).map_or(Ok(()), lost);
    }
    if envelope(response).is_some() {
        return Ok(());
    }
    match said {
        Some(said) => Err(wall(errors::classify(response, &said))),
        None => no_outcome(response).map_or(Ok(()), |what| Err(not_understood(response, what))),
    }
}

/// Why a good answer without an envelope cannot be what a function returned, if so.
fn no_outcome(response: &Response) -> Option<&'static str> {
    let kind = header_text(response, &CONTENT_TYPE)
        .unwrap_or_default()
        .to_ascii_lowercase();
    // A function may return a page, too; the cloud's own answer to a run names the run.
    if kind.starts_with("text/html") && header_text(response, &RUN_ID).is_none() {
        return Some("a page that names no run");
    }
    let version = header_text(response, &RESPONSE_VERSION);
    let enveloped = version.is_some_and(|version| version.eq_ignore_ascii_case("v1"));
    let claims = enveloped || (kind.contains("json") && response.body.trim_ascii_start().starts_with(b"{"));
    let whole = || serde_json::from_slice::<IgnoredAny>(&response.body).is_ok();
    (claims && !whole()).then_some("it ends too early or is not JSON")
}

/// The outcome of a run that [`judge`] accepted.
pub(super) fn read(response: &Response, encoding: JsonEncoding, logs: bool) -> Result<Activation> {
    let envelope = envelope(response);
    let mut activation = Activation {
        upstream_request_id: super::auth::request_id(&response.headers).unwrap_or_default(),
        ..Activation::default()
    };
    let in_body = envelope
        .as_ref()
        .and_then(|run| wire::text(run.request_id))
        .map(std::borrow::Cow::into_owned);
    let in_header = header_text(response, &RUN_ID).map(ToOwned::to_owned);
    activation.activation_id = in_header.or(in_body).unwrap_or_default();
    figures(response, &mut activation);
    if logs {
        activation.logs = log_lines(response, envelope.as_ref());
    }
    let (status, words) = verdict(response, envelope.as_ref())?;
    activation.status = status.into();
    activation.status_text = words;
    activation.success = status == ActivationStatus::Success;
    let result = match envelope.as_ref().map(|run| run.result) {
        Some(Some(raw)) if raw.get().starts_with('"') => Some(of_text(
            wire::text(Some(raw)).unwrap_or_default().into_owned(),
            encoding,
        )?),
        Some(Some(raw)) => Some(json::answer(raw, encoding)?),
        Some(None) => None,
        None => Some(of_text(
            String::from_utf8_lossy(&response.body).into_owned(),
            encoding,
        )?),
    };
    if let Some((result, inexact)) = result {
        activation.result = Some(result);
        activation.inexact = inexact;
    }
    Ok(activation)
}

/// A gateway that gave up says nothing of the run, and asking again would wait as long again.
fn wall(error: Error) -> Error {
    if error.kind != Kind::DeadlineExceeded {
        return error;
    }
    error.transient(false).scope(Scope::Resource).with(|facts| {
        "The gateway stops answering a synchronous run after 90 s; the function may still be running, and leaves no \
         record to ask for. Use InvokeAsync for long runs."
            .clone_into(&mut facts.message);
    })
}

/// The v1 envelope, if the answer is one: v0 is what comes when the back end does not know better, and a function's own
/// object must not be taken for an envelope.
fn envelope(response: &Response) -> Option<wire::Run<'_>> {
    let version = header_text(response, &RESPONSE_VERSION);
    if version.is_some_and(|version| version.eq_ignore_ascii_case("v0")) {
        return None;
    }
    let run: wire::Run<'_> = serde_json::from_slice(&response.body).ok()?;
    let signs = [
        run.result.is_some(),
        run.status.0.is_some(),
        wire::text(run.request_id).is_some(),
    ];
    let needed = if version.is_some_and(|version| version.eq_ignore_ascii_case("v1")) {
        1
    } else {
        2
    };
    (signs.into_iter().filter(|sign| *sign).count() >= needed).then_some(run)
}

fn verdict(response: &Response, envelope: Option<&wire::Run<'_>>) -> Result<(ActivationStatus, String)> {
    let in_body = envelope
        .and_then(|run| run.error_code.whole())
        .filter(|code| *code != 0);
    let code = header_code(response).or(in_body);
    let status = envelope.and_then(|run| run.status.whole());
    let of_function = is_function_error(response) == Some(true);
    let words = || {
        let parts = [
            code.map(|code| format!("error code {code}")),
            status.map(|status| format!("status {status}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let verdict = match (code.map(|code| (code, fault_of(code))), status) {
        (Some((_, Fault::Cancelled)), _) => ActivationStatus::Cancelled,
        (Some((_, Fault::Platform)), _) if !of_function => ActivationStatus::SystemError,
        (Some((_, Fault::Function)), _) => ActivationStatus::DeveloperError,
        _ if of_function => ActivationStatus::DeveloperError,
        (Some((code, fault)), _) => {
            return Err(match fault.error(code) {
                Some(error) => error.with(|facts| facts.http_status = Some(response.status.as_u16())),
                None => errors::classify(response, &errors::Said::default()),
            });
        }
        // The function's own status, passed through.
        (None, Some(status)) if status != 200 => ActivationStatus::ApplicationError,
        (None, None) if !response.status.is_success() => ActivationStatus::ApplicationError,
        (None, None) if envelope.is_none() && looks_failed(&response.body) => {
            ActivationStatus::DeveloperError
        }
        (None, _) => return Ok((ActivationStatus::Success, String::new())),
    };
    Ok((verdict, words()))
}

/// Without envelope and headers, an object of `errorMessage`, `errorType` and perhaps `stackTrace` alone is what a
/// runtime writes for a function that threw (INFERRED). Calling that a success would be worse.
fn looks_failed(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thrown {
        #[serde(rename = "errorMessage")]
        _message: IgnoredAny,
        #[serde(rename = "errorType")]
        _kind: IgnoredAny,
        #[serde(rename = "stackTrace", default)]
        _trace: Option<IgnoredAny>,
    }
    body.trim_ascii_start().starts_with(b"{")
        && Thrown::deserialize(&mut serde_json::Deserializer::from_slice(body)).is_ok()
}

/// The header's literal text is not documented (INFERRED): true, false, 1, 0 in any case.
fn is_function_error(response: &Response) -> Option<bool> {
    let text = header_text(response, &IS_FUNCTION_ERROR)?;
    Some(text == "1" || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("yes"))
}

fn header_code(response: &Response) -> Option<i64> {
    header_text(response, &FUNCTION_ERROR_CODE)?
        .parse()
        .ok()
        .filter(|code| *code != 0)
}

fn figures(response: &Response, activation: &mut Activation) {
    let summary: wire::Summary = header_text(response, &SUMMARY)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let billed = || {
        header_text(response, &BILLED)?
            .trim_end_matches("ms")
            .trim()
            .parse()
            .ok()
    };
    activation.duration = summary.duration.0.and_then(times::from_millis);
    activation.billed_duration = summary
        .billing_duration
        .0
        .or_else(billed)
        .and_then(times::from_millis);
    activation.memory_used_mb = summary.memory_used.0.unwrap_or_default();
}

/// The last 4 KB from the body, else the last 2,000 bytes from the header.
fn log_lines(response: &Response, envelope: Option<&wire::Run<'_>>) -> Vec<String> {
    let in_body = envelope
        .and_then(|run| wire::text(run.log))
        .filter(|log| !log.is_empty());
    let log = in_body.map(std::borrow::Cow::into_owned).or_else(|| {
        let bytes = STANDARD.decode(header_text(response, &LOG)?).ok()?;
        // Cut at a byte count, so the first character may be half of one.
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    log.unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}

/// What a function returned, from its text: JSON if it is JSON, else the text as a JSON string.
fn of_text(text: String, encoding: JsonEncoding) -> Result<(Json, bool)> {
    match serde_json::from_str::<&RawValue>(&text) {
        // The text moves on as it is: a large result is copied no more.
        Ok(raw) if encoding == JsonEncoding::Text && raw.get().len() == text.len() => Ok((
            Json {
                encoding: Some(Encoding::Text(text)),
            },
            false,
        )),
        Ok(raw) => json::answer(raw, encoding),
        Err(_) => {
            let quoted = serde_json::to_string(&text)
                .and_then(RawValue::from_string)
                .map_err(|fault| {
                    Error::new(
                        Kind::Internal,
                        "RESULT_NOT_REPRESENTABLE",
                        format!("The result is no text: {fault}."),
                    )
                })?;
            json::answer(&quoted, encoding)
        }
    }
}

#[cfg(test)]
mod tests;
