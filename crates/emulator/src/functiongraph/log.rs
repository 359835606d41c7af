//! The log of one run as text (sync page, sample of `log`). INFERRED: how the function's own lines
//! look.

use super::run::Execution;
use super::time;

/// Bytes in the body of a v1 answer (sync page: 4 KB).
pub(super) const BODY_TAIL: usize = 4 << 10;
/// Bytes before base64 in `X-Cff-Function-Log` (sync page: 2,000).
pub(super) const HEADER_TAIL: usize = 2000;

pub(super) fn text(execution: &Execution) -> String {
    let (id, version) = (&execution.request_id, &execution.version);
    let mut text = format!(
        "{} Start invoke request '{id}', version: {version}\n",
        time::millis(execution.started_ms)
    );
    for line in &execution.outcome.logs {
        let when = time::millis(line.time.timestamp_millis());
        let level = if line.is_error { "ERROR" } else { "INFO" };
        text.push_str(&format!("{when} {id} {level} {}\n", line.text));
    }
    if execution.outcome.logs_cut {
        text.push_str("the log is longer than is kept\n");
    }
    text.push_str(&format!(
        "{} Finish invoke request '{id}', duration: {:.3}ms, billing duration: {}ms, memory used: {:.3}MB, \
         billing memory: {}MB, cpu used: 0.000U, storage used: 0.000MB\n",
        time::millis(execution.ended_ms),
        execution.duration_ms(),
        execution.billing_ms(),
        execution.used_mb(),
        execution.memory_mb,
    ));
    text
}

/// The end of a text, whole characters only.
pub(super) fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_end_at_characters() {
        assert_eq!(tail("abc", 9), "abc");
        assert_eq!(tail("a函数", 4), "数");
        assert_eq!(tail("", 4), "");
    }
}
