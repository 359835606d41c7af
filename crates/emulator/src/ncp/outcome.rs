//! How the end of a run reads in an activation.
//!
//! NCP documents only that `status` is a string; the four strings and the sentences are those of
//! Apache OpenWhisk, on which Cloud Functions stands (apache/openwhisk: `ActivationResponse`,
//! `Messages`; the Node.js runtime's runner).

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::model::Response;
use crate::runtime::{Failure, LogLine, Outcome};

/// Bytes of log of one run (NCP docs: cloudfunctions-spec, "logs 1 MB").
pub(super) const MAX_LOG: usize = 1 << 20;
/// Bytes of a result (NCP docs: cloudfunctions-spec, "result 1 MB fixed").
pub(super) const MAX_RESULT: usize = 1 << 20;

/// The `response` of an activation.
pub(super) fn response(outcome: &Result<Value, Failure>, timeout_ms: u64) -> Response {
    match outcome {
        Ok(Value::Object(map)) if map.contains_key("error") => {
            failed("application error", Value::Object(map.clone()))
        }
        Ok(value @ Value::Object(_)) => Response {
            result: value.clone(),
            status: "success".into(),
            success: true,
        },
        Ok(_) => developer_error("The action did not return a dictionary."),
        Err(Failure::Rejected(error)) => failed("application error", json!({ "error": error })),
        Err(Failure::Internal(why)) => failed("whisk internal error", json!({ "error": why })),
        Err(failure) => developer_error(sentence(failure, timeout_ms)),
    }
}

fn failed(status: &str, result: Value) -> Response {
    Response {
        result,
        status: status.into(),
        success: false,
    }
}

fn developer_error(why: impl Into<String>) -> Response {
    failed("action developer error", json!({ "error": why.into() }))
}

fn sentence(failure: &Failure, timeout_ms: u64) -> String {
    match failure {
        Failure::OutOfTime { loading: false } => {
            format!("The action exceeded its time limits of {timeout_ms} milliseconds.")
        }
        Failure::OutOfTime { loading: true } => {
            format!(
                "The action exceeded its time limits of {timeout_ms} milliseconds during initialization."
            )
        }
        Failure::OutOfMemory => "The action exhausted its memory and was aborted.".into(),
        Failure::NotLoaded(why) => format!("Initialization has failed due to: {why}"),
        Failure::Threw(why) => format!("An error has occurred: {why}"),
        Failure::Exited => {
            "The action did not produce a valid response and exited unexpectedly.".into()
        }
        Failure::NotJson(why) => format!("The action did not produce a valid JSON response: {why}"),
        Failure::TooLong { length, head } => format!(
            "The action produced a response that exceeded the allowed length: {length} > {MAX_RESULT} bytes. \
             The truncated response was: {head}"
        ),
        Failure::Unsupported(why) | Failure::Internal(why) => why.clone(),
        Failure::Rejected(error) | Failure::NotInitialized(error) => error.to_string(),
    }
}

/// The `logs` of an activation: `2026-01-02T03:04:05.678901234Z stdout: text`.
pub(super) fn log_lines(outcome: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = outcome.logs.iter().map(log_line).collect();
    if outcome.logs_cut {
        let time = outcome
            .logs
            .last()
            .map_or_else(String::new, |line| format!("{} ", time(line)));
        lines.push(format!(
            "{time}stderr: Logs were truncated because the total bytes size exceeds the limit of {MAX_LOG} bytes."
        ));
    }
    lines
}

fn log_line(line: &LogLine) -> String {
    let stream = if line.is_error { "stderr" } else { "stdout" };
    format!("{} {stream}: {}", time(line), line.text)
}

fn time(line: &LogLine) -> String {
    line.time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_statuses() {
        let status = |outcome| response(&outcome, 500).status;
        assert_eq!(status(Ok(json!({"a": 1}))), "success");
        assert_eq!(status(Ok(json!({"error": "no"}))), "application error");
        assert_eq!(status(Ok(json!([1]))), "action developer error");
        assert_eq!(
            status(Err(Failure::Rejected(json!({})))),
            "application error"
        );
        assert_eq!(
            status(Err(Failure::Threw("x".into()))),
            "action developer error"
        );
        assert_eq!(
            status(Err(Failure::Internal("x".into()))),
            "whisk internal error"
        );
        let late = response(&Err(Failure::OutOfTime { loading: false }), 500).result;
        assert_eq!(
            late["error"],
            "The action exceeded its time limits of 500 milliseconds."
        );
    }
}
