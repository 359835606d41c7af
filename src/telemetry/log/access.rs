//! The access line: one a call, JSON or text, formatted by hand into a buffer that is used again
//! and again.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::SpanId;
use time::OffsetDateTime;

use super::{Format, Log};
use crate::clock;
use crate::telemetry::finished::Finished;

/// Which calls get a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// None.
    Off,
    /// Those that failed, or ran a function that failed.
    Errors,
    /// Every one.
    All,
}

impl Lines {
    fn wants(self, call: &Finished<'_>) -> bool {
        match self {
            Self::Off => false,
            Self::Errors => call.failed(),
            Self::All => true,
        }
    }
}

thread_local! {
    static BUFFER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Writes a call's line, if it is to have one.
pub(in crate::telemetry) fn write(lines: Lines, log: &Log, call: &Finished<'_>) {
    if !lines.wants(call) || !log.level().hears_access_lines() {
        return;
    }
    BUFFER.with_borrow_mut(|line| {
        line.clear();
        match log.format() {
            Format::Json => Json(line).call(call, clock::now()),
            Format::Text => text(line, call, clock::now()),
        }
        line.push('\n');
        log.writer().line(line.as_bytes());
    });
}

struct Json<'b>(&'b mut String);

impl Json<'_> {
    fn call(mut self, call: &Finished<'_>, now: SystemTime) {
        self.0.push_str(r#"{"timestamp":""#);
        timestamp(self.0, now);
        self.0.push_str(r#"","level":"INFO","message":"call""#);
        self.text("method", call.method);
        if let Some(place) = &call.place {
            self.text("target", place.target);
        }
        if !call.subject.is_empty() {
            self.text("subject", call.subject);
        }
        self.text("code", call.code);
        if let Some(outcome) = call.outcome {
            self.text("outcome", outcome);
        }
        if let Some(failure) = &call.failure {
            self.text("reason", &failure.reason);
            self.text("execution", failure.execution.as_str());
            self.text("component", failure.component.as_str());
        }
        if call.function_failed {
            self.0.push_str(r#","function_failed":true"#);
        }
        if call.config_generation > 0 {
            self.number("config_generation", call.config_generation);
        }
        self.number("attempts", u64::from(call.attempts));
        self.number("duration_us", micros(call.duration()));
        if let Some(id) = call.upstream_request_id {
            self.text("upstream_request_id", id);
        }
        if let Some(id) = call.activation_id {
            self.text("activation_id", id);
        }
        if let Some(trace) = call.trace {
            let _ = write!(self.0, r#","trace_id":"{}""#, trace.trace_id);
            if trace.span_id != SpanId::INVALID {
                let _ = write!(self.0, r#","span_id":"{}""#, trace.span_id);
            }
        }
        self.0.push('}');
    }

    fn name(&mut self, name: &str) {
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.0.push_str(itoa::Buffer::new().format(value));
    }

    /// What an upstream or a caller chose may hold anything, of any length.
    fn text(&mut self, name: &str, value: &str) {
        let value = bounded(value);
        self.name(name);
        self.0.push('"');
        if value
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
        {
            self.0.push_str(value);
            self.0.push('"');
            return;
        }
        for part in value.split_inclusive(|c: char| c == '"' || c == '\\' || is_unseen(c)) {
            let end = part
                .char_indices()
                .next_back()
                .filter(|(_, c)| matches!(c, '"' | '\\') || is_unseen(*c));
            match end {
                None => self.0.push_str(part),
                Some((at, c)) => {
                    self.0.push_str(&part[..at]);
                    match c {
                        '"' | '\\' => {
                            self.0.push('\\');
                            self.0.push(c);
                        }
                        c => {
                            for unit in c.encode_utf16(&mut [0; 2]) {
                                let _ = write!(self.0, "\\u{unit:04x}");
                            }
                        }
                    }
                }
            }
        }
        self.0.push('"');
    }
}

fn text(line: &mut String, call: &Finished<'_>, now: SystemTime) {
    timestamp(line, now);
    let _ = write!(line, "  INFO call {} {}", call.code, call.method);
    let mut pair = |name: &str, value: &str| {
        let value = bounded(value);
        line.push(' ');
        line.push_str(name);
        line.push('=');
        // One line a call, whatever an upstream or a caller chose.
        if value.chars().any(|c| c.is_whitespace() || is_unseen(c)) {
            let _ = write!(line, "{value:?}");
        } else {
            line.push_str(value);
        }
    };
    if let Some(place) = &call.place {
        pair("target", place.target);
    }
    if !call.subject.is_empty() {
        pair("subject", call.subject);
    }
    if let Some(outcome) = call.outcome {
        pair("outcome", outcome);
    }
    if let Some(failure) = &call.failure {
        pair("reason", &failure.reason);
        pair("execution", failure.execution.as_str());
        pair("component", failure.component.as_str());
    }
    if call.function_failed {
        pair("function_failed", "true");
    }
    if call.config_generation > 0 {
        pair(
            "config_generation",
            itoa::Buffer::new().format(call.config_generation),
        );
    }
    pair("attempts", itoa::Buffer::new().format(call.attempts));
    pair(
        "duration_us",
        itoa::Buffer::new().format(micros(call.duration())),
    );
    if let Some(id) = call.upstream_request_id {
        pair("upstream_request_id", id);
    }
    if let Some(id) = call.activation_id {
        pair("activation_id", id);
    }
    if let Some(trace) = call.trace {
        let _ = write!(line, " trace_id={}", trace.trace_id);
        if trace.span_id != SpanId::INVALID {
            let _ = write!(line, " span_id={}", trace.span_id);
        }
    }
}

/// As much of a text as a line holds, in characters: a caller may name something that is as long as
/// a message.
const MAX_TEXT: usize = 256;

fn bounded(value: &str) -> &str {
    if value.len() <= MAX_TEXT {
        return value;
    }
    let end = value
        .char_indices()
        .nth(MAX_TEXT)
        .map_or(value.len(), |(at, _)| at);
    &value[..end]
}

/// Control characters, and those that turn, join or hide others where a line is shown (Unicode's
/// category Cf).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// RFC 3339 in UTC with microseconds, as the log's other lines have it.
fn timestamp(line: &mut String, now: SystemTime) {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let at = OffsetDateTime::UNIX_EPOCH + since;
    let year = u32::try_from(at.year()).unwrap_or_default();
    digits(line, year, 4);
    for (mark, value) in [
        ('-', u8::from(at.month())),
        ('-', at.day()),
        ('T', at.hour()),
        (':', at.minute()),
        (':', at.second()),
    ] {
        line.push(mark);
        digits(line, u32::from(value), 2);
    }
    line.push('.');
    digits(line, at.microsecond(), 6);
    line.push('Z');
}

/// A number with leading zeros; the formatter's padding costs several times as much.
fn digits(line: &mut String, value: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value);
    for _ in text.len()..width {
        line.push('0');
    }
    line.push_str(text);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
