//! How the end of a run reads to the caller.
//!
//! The object of `errorMessage`, `errorType` and `stackTrace` is the developer guide's. The inner
//! codes are those of the open-sourced engine (openYuanrong); carrying them over is INFERRED, as is
//! every status but 500 and 507, which the Go runtime's contract names.

use serde_json::{Value, json};

use super::codes::{self, Refusal};
use super::run::Execution;
use crate::runtime::Failure;

/// What the function gave, or how it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Plain text as it is, anything else as JSON text.
    pub(super) result: String,
    /// 0 when fine.
    pub(super) inner_code: i64,
    /// `status` of the v1 envelope.
    pub(super) status: u16,
}

impl Verdict {
    pub(super) fn is_failure(&self) -> bool {
        self.inner_code != 0
    }
}

/// A refusal when it was the platform that failed.
pub(super) fn verdict(execution: &Execution, limit: usize) -> Result<Verdict, Refusal> {
    let failure = match &execution.outcome.result {
        Ok(value) => {
            let result = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            return Ok(Verdict {
                result,
                inner_code: 0,
                status: 200,
            });
        }
        Err(failure) => failure,
    };
    let failed = |inner_code, status, error: Value| {
        Ok(Verdict {
            result: error.to_string(),
            inner_code,
            status,
        })
    };
    let plain =
        |kind: &str, why: &str| json!({"errorMessage": why, "errorType": kind, "stackTrace": []});
    match failure {
        Failure::Rejected(error) => failed(4002, 500, raised(error)),
        Failure::NotInitialized(error) => failed(4009, 500, raised(error)),
        Failure::Threw(why) => failed(4002, 500, plain("Error", why)),
        Failure::NotLoaded(why) => failed(4001, 500, plain("HandlerNotFound", why)),
        Failure::OutOfTime { .. } => {
            let why = format!(
                "the function timed out after {} seconds",
                execution.timeout_s
            );
            failed(4010, 500, plain("InvocationTimeout", &why))
        }
        Failure::OutOfMemory => {
            let why = format!(
                "the function needed more than its {} MB of memory",
                execution.memory_mb
            );
            failed(4002, 500, plain("OutOfMemory", &why))
        }
        Failure::Exited => failed(
            4002,
            500,
            plain("RuntimeExited", "the runtime ended without a result"),
        ),
        Failure::NotJson(why) => failed(4007, 500, plain("SerializationError", why)),
        Failure::TooLong { length, .. } => {
            let why = format!("response body size {length} exceeds the limit of {limit}");
            failed(4004, 507, plain("FunctionResponseTooLarge", &why))
        }
        Failure::Unsupported(why) | Failure::Internal(why) => {
            Err(codes::INTERNAL.refuse(why.clone()))
        }
    }
}

/// An error object of a runtime, or whatever else was thrown.
fn raised(error: &Value) -> Value {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let message = match (text("message"), error) {
        (Some(message), _) => message.to_owned(),
        (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    };
    let stack: Vec<&str> = text("stack")
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .collect();
    json!({
        "errorMessage": message,
        "errorType": text("name").unwrap_or("Error"),
        "stackTrace": stack,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Outcome;
    use std::time::Duration;

    fn told(result: Result<Value, Failure>) -> Result<Verdict, Refusal> {
        let execution = Execution {
            request_id: String::new(),
            version: String::new(),
            timeout_s: 3,
            memory_mb: 128,
            started_ms: 0,
            ended_ms: 0,
            duration: Duration::ZERO,
            outcome: Outcome {
                result,
                logs: Vec::new(),
                logs_cut: false,
                memory_used: None,
            },
        };
        verdict(&execution, 100)
    }

    #[test]
    fn results_are_text() {
        assert_eq!(told(Ok("a b".into())).unwrap().result, "a b");
        assert_eq!(told(Ok(json!({"a": [1]}))).unwrap().result, r#"{"a":[1]}"#);
        assert_eq!(told(Ok(Value::Null)).unwrap().result, "null");
    }

    #[test]
    fn failures_have_their_codes() {
        let code = |failure| {
            told(Err(failure))
                .map(|verdict| (verdict.inner_code, verdict.status))
                .ok()
        };
        assert_eq!(code(Failure::Rejected("x".into())), Some((4002, 500)));
        assert_eq!(code(Failure::NotInitialized("x".into())), Some((4009, 500)));
        assert_eq!(code(Failure::NotLoaded("x".into())), Some((4001, 500)));
        assert_eq!(
            code(Failure::OutOfTime { loading: false }),
            Some((4010, 500))
        );
        let long = Failure::TooLong {
            length: 200,
            head: String::new(),
        };
        assert_eq!(code(long), Some((4004, 507)));
        assert_eq!(code(Failure::Unsupported("x".into())), None);
        let error = json!({"name": "TypeError", "message": "boom", "stack": "a\n  b"});
        let shown: Value =
            serde_json::from_str(&told(Err(Failure::Rejected(error))).unwrap().result).unwrap();
        assert_eq!(
            shown,
            json!({"errorMessage": "boom", "errorType": "TypeError", "stackTrace": ["a", "b"]})
        );
    }
}
