//! The access line: one a call, JSON or text, formatted by hand into a buffer that is used again
//! and again.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::SpanId;
use time::OffsetDateTime;

use super::{Format, Log};
use crate::clock;
use crate::telemetry::facts::CallFacts;

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
    fn wants(self, call: &CallFacts) -> bool {
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
pub(in crate::telemetry) fn write(lines: Lines, log: &Log, call: &CallFacts) {
    if !lines.wants(call) || !log.level().hears_access_lines() {
        return;
    }
    BUFFER.with_borrow_mut(|line| {
        line.clear();
        LineWriter::new(line, log.format()).call(call, clock::now());
        line.push('\n');
        log.writer().line(line.as_bytes());
    });
}

/// Writes the fields of one line, as JSON or as text.
struct LineWriter<'b> {
    line: &'b mut String,
    json: bool,
}

impl<'b> LineWriter<'b> {
    fn new(line: &'b mut String, format: Format) -> Self {
        Self {
            line,
            json: format == Format::Json,
        }
    }

    fn call(mut self, call: &CallFacts, now: SystemTime) {
        if self.json {
            self.line.push_str(r#"{"timestamp":""#);
            timestamp(self.line, now);
            self.line.push_str(r#"","level":"INFO","message":"call""#);
            self.text("method", call.method);
        } else {
            timestamp(self.line, now);
            for part in ["  INFO call ", call.code, " ", call.method] {
                self.line.push_str(part);
            }
        }
        if let Some(destination) = &call.destination {
            self.text("target", &destination.target);
        }
        self.known("subject", &call.subject);
        if self.json {
            self.text("code", call.code);
        }
        self.known("outcome", call.outcome.unwrap_or_default());
        if let Some(failure) = &call.failure {
            self.text("reason", &failure.reason);
            self.text("execution", failure.execution.as_str());
            self.text("component", failure.component.as_str());
        }
        if call.function_failed {
            self.name("function_failed");
            self.line.push_str("true");
        }
        if call.config_generation > 0 {
            self.number("config_generation", call.config_generation);
        }
        self.number("attempts", u64::from(call.sent.attempts));
        self.number("duration_us", micros(call.duration()));
        if let Some(id) = &call.sent.upstream_request_id {
            self.text("upstream_request_id", id);
        }
        self.known("activation_id", &call.activation_id);
        if let Some(trace) = &call.trace {
            self.id("trace_id", trace.trace_id);
            if trace.span_id != SpanId::INVALID {
                self.id("span_id", trace.span_id);
            }
        }
        if self.json {
            self.line.push('}');
        }
    }

    fn name(&mut self, name: &str) {
        let [before, after] = if self.json {
            [",\"", "\":"]
        } else {
            [" ", "="]
        };
        for part in [before, name, after] {
            self.line.push_str(part);
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.line.push_str(itoa::Buffer::new().format(value));
    }

    fn id(&mut self, name: &str, id: impl fmt::Display) {
        self.name(name);
        let quote = if self.json { "\"" } else { "" };
        let _ = write!(self.line, "{quote}{id}{quote}");
    }

    /// A text, unless it is empty.
    fn known(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    /// What an upstream or a caller chose may hold anything, of any length; the line stays one.
    fn text(&mut self, name: &str, value: &str) {
        let value = bounded(value);
        self.name(name);
        if self.json {
            self.line.push('"');
            self.json_string(value);
            self.line.push('"');
        } else if value.chars().any(|c| c.is_whitespace() || is_unseen(c)) {
            let _ = write!(self.line, "{value:?}");
        } else {
            self.line.push_str(value);
        }
    }

    fn json_string(&mut self, value: &str) {
        let plain = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if value.bytes().all(plain) {
            self.line.push_str(value);
            return;
        }
        for c in value.chars() {
            match c {
                '"' | '\\' => self.line.extend(['\\', c]),
                c if is_unseen(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.line, "\\u{unit:04x}");
                    }
                }
                c => self.line.push(c),
            }
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
