//! What a synchronous run came to: told from headers, envelope and status, since the HTTP status of
//! a function that throws is published nowhere.
//!
//! "Executing a Function Synchronously" (`functiongraph_06_0125`, zh 2025-08-29). The order of the
//! signals is INFERRED: codes of gateway and service, `X-Is-Func-Err`, `X-Func-Err-Code`, the
//! envelope's `status`, the HTTP status.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use serde::Deserialize as _;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::envelope::{ErrorCode, Form, Returned, Run, header_code, run_id};
use super::errors::{self, Fault, fault_of};
use super::{header_text, wire};
use crate::error::{Error, Execution, Kind, Result, Scope, reason};
use crate::json;
use crate::names::AsyncRequestId;
use crate::proto::json::Encoding;
use crate::proto::{Activation, ActivationStatus, Json, JsonEncoding};
use crate::provider::inner_error;
use crate::provider::lenient::{self, Clock, times};
use crate::provider::runs::set_json;
use crate::provider::status::{not_understood, too_many_items};
use crate::telemetry::metrics::TargetMetrics;
use crate::transport::Response;

const IS_FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-is-func-err");
const SUMMARY: HeaderName = HeaderName::from_static("x-cff-invoke-summary");
const BILLED: HeaderName = HeaderName::from_static("x-cff-billing-duration");
const LOG: HeaderName = HeaderName::from_static("x-cff-function-log");
/// What a line of the log takes beside its characters: its place in a list that grows, and a text
/// of its own.
const LINE: usize = 2 * size_of::<String>() + 16;

/// Accepts every answer that proves a run, a failed one included, whatever its status; the rest is
/// a failure of the call. Neither a good status nor a good-looking body is a proof: gateways and
/// proxies answer so, too.
pub(super) fn judge(response: &Response) -> Result<()> {
    let form = Form::of(response);
    let failed = || wall(errors::classify(response, &errors::read(response.json())));
    let good = response.status.is_success();
    // The code of the service or its gateway speaks first; in the object of a function that ran
    // well it is the function's.
    let coded = match &form {
        Form::Envelope(run, _) => matches!(run.error_code, ErrorCode::OfService),
        Form::Bare if good => false,
        Form::Bare | Form::Broken(_) | Form::Unproven(_) => has_code(response.json()),
    };
    if coded {
        return Err(failed());
    }
    if is_function_error(response) == Some(true) {
        return Ok(());
    }
    if let Some(code) = header_code(response) {
        let lost = |error: Error| {
            Err(error.with(|facts| facts.http_status = Some(response.status.as_u16())))
        };
        return fault_of(code).error(code).map_or(Ok(()), lost);
    }
    match form {
        Form::Envelope(..) => Ok(()),
        Form::Bare if good || has_result(response) => Ok(()),
        Form::Bare => Err(begun(failed())),
        Form::Broken(what) if good => {
            Err(not_understood(response, what).execution(Execution::Completed))
        }
        Form::Broken(_) => Err(begun(failed())),
        Form::Unproven(_) if !good || inner_error::reported(response.json()) => Err(failed()),
        Form::Unproven(what) => Err(not_understood(response, what)),
    }
}

/// The outcome of a run that [`judge`] accepted.
pub(super) fn read(
    response: &Response,
    encoding: JsonEncoding,
    logs: bool,
    metrics: &TargetMetrics,
) -> Result<Activation> {
    let envelope = match Form::of(response) {
        Form::Envelope(run, notes) => {
            lenient::report(&notes, metrics);
            Some(run)
        }
        Form::Bare | Form::Broken(_) | Form::Unproven(_) => None,
    };
    let mut activation = Activation {
        upstream_request_id: super::auth::request_id(&response.headers).unwrap_or_default(),
        ..Activation::default()
    };
    let in_body = || {
        let id = envelope.as_ref()?.request_id.0.as_deref()?;
        AsyncRequestId::read(id).map(|_| id)
    };
    let id = run_id(&response.headers).or_else(in_body);
    activation.activation_id = id.unwrap_or_default().to_owned();
    figures(response, &mut activation, metrics);
    if logs {
        activation.logs = log_lines(response, envelope.as_ref())?;
    }
    let (status, words) = verdict(response, envelope.as_ref())?;
    activation.status = status.into();
    activation.status_text = words;
    activation.success = status == ActivationStatus::Success;
    match envelope.map(|run| run.result.map(Returned::of)) {
        Some(Some(Returned::Json(raw))) => set_json(&mut activation, raw, encoding)?,
        Some(Some(Returned::Text(text))) => of_text(&mut activation, text.into_owned(), encoding)?,
        Some(Some(Returned::Spelt(bytes, raw))) => {
            set_json(&mut activation, raw, encoding)?;
            activation.result_bytes = bytes.into();
        }
        Some(Some(Returned::Bytes(bytes))) => activation.result_bytes = bytes.into(),
        Some(None) => {}
        None => match std::str::from_utf8(&response.body) {
            Ok(text) => of_text(&mut activation, text.to_owned(), encoding)?,
            Err(_) => activation.result_bytes = response.body.clone(),
        },
    }
    Ok(activation)
}

/// A run was begun, so that no refusal may say that nothing was.
fn begun(error: Error) -> Error {
    let execution = error.execution.max(Execution::Unknown);
    error.execution(execution)
}

/// An error status over what a function returned, and not over a page or nothing.
fn has_result(response: &Response) -> bool {
    let kind = header_text(response, &CONTENT_TYPE).unwrap_or_default();
    !response.body.is_empty() && !kind.to_ascii_lowercase().starts_with("text/html")
}

/// True when the top of a body has the code of the service or its gateway.
fn has_code(body: &[u8]) -> bool {
    let coded = |object: &wire::Coded<'_>| {
        [object.snake, object.camel, object.plain]
            .into_iter()
            .any(|code| wire::text(code).is_some_and(|code| errors::is_code(&code)))
    };
    serde_json::from_slice::<wire::Coded<'_>>(body).is_ok_and(|object| coded(&object))
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

fn verdict(response: &Response, envelope: Option<&Run<'_>>) -> Result<(ActivationStatus, String)> {
    let in_body = match envelope.map(|run| &run.error_code) {
        Some(ErrorCode::OfRun(code)) if *code != 0 => Some(*code),
        _ => None,
    };
    let code = header_code(response).or(in_body);
    let status = envelope.and_then(|run| run.status.0);
    let of_function = is_function_error(response) == Some(true);
    let words = || {
        let parts = [
            code.map(|code| format!("error code {code}")),
            status.map(|status| match status {
                Some(status) => format!("status {status}"),
                None => "a status that is no number".to_owned(),
            }),
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
                Some(error) => {
                    error.with(|facts| facts.http_status = Some(response.status.as_u16()))
                }
                None => errors::classify(response, &errors::Said::default()),
            });
        }
        // The function's own status, passed through.
        (None, Some(None)) => ActivationStatus::Unspecified,
        (None, Some(Some(status))) if status != 200 => ActivationStatus::ApplicationError,
        (None, None) if !response.status.is_success() => ActivationStatus::ApplicationError,
        (None, None) if envelope.is_none() && looks_failed(&response.body) => {
            ActivationStatus::DeveloperError
        }
        (None, _) => return Ok((ActivationStatus::Success, String::new())),
    };
    Ok((verdict, words()))
}

/// Without envelope and headers, an object of `errorMessage`, `errorType` and perhaps `stackTrace`
/// alone is what a runtime writes for a function that threw (INFERRED). Calling that a success
/// would be worse.
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

fn figures(response: &Response, activation: &mut Activation, metrics: &TargetMetrics) {
    let summary: wire::Summary = header_text(response, &SUMMARY)
        .and_then(|text| {
            lenient::welcome(text.as_bytes(), "X-Cff-Invoke-Summary", Clock::UTC, metrics)
        })
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
fn log_lines(response: &Response, envelope: Option<&Run<'_>>) -> Result<Vec<String>> {
    let in_body = envelope.and_then(|run| run.log.0.as_deref());
    let log = in_body.map(ToOwned::to_owned).or_else(|| {
        let bytes = STANDARD.decode(header_text(response, &LOG)?).ok()?;
        // Cut at a byte count, so the first character may be half of one.
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    let log = log.unwrap_or_default();
    // An empty line is one character, and a text of its own.
    if log.lines().count().saturating_mul(LINE) > json::largest_build() {
        return Err(too_many_items().execution(Execution::Completed));
    }
    Ok(log.lines().map(ToOwned::to_owned).collect())
}

/// What a function returned, from its text: JSON if it is JSON, else the text as a JSON string.
fn of_text(activation: &mut Activation, text: String, encoding: JsonEncoding) -> Result<()> {
    match serde_json::from_str::<&RawValue>(&text) {
        // The text moves on as it is: a large result is copied no more.
        Ok(raw) if encoding == JsonEncoding::Text && raw.get().len() == text.len() => {
            activation.result = Some(Json {
                encoding: Some(Encoding::Text(text)),
            });
            Ok(())
        }
        Ok(raw) => set_json(activation, raw, encoding),
        Err(_) => {
            let quoted = serde_json::to_string(&text)
                .and_then(RawValue::from_string)
                .map_err(|fault| {
                    Error::new(
                        Kind::Internal,
                        reason::RESULT_NOT_REPRESENTABLE,
                        format!("The result is no text: {fault}."),
                    )
                })?;
            set_json(activation, &quoted, encoding)
        }
    }
}

#[cfg(test)]
mod tests;
