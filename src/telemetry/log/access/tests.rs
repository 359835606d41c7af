use std::borrow::Cow;

use opentelemetry::trace::TraceId;
use tokio::time::Instant;

use super::*;
use crate::error::{Component, Execution};
use crate::telemetry::finished::{Failure, Place};
use crate::telemetry::trace::Context;

fn call(context: &Context) -> Finished<'_> {
    let now = Instant::now();
    Finished {
        method: "faas.v1.InvocationService/Invoke",
        started: now,
        ended: now + Duration::from_micros(1234),
        code: "UNAVAILABLE",
        outcome: None,
        place: Some(Place {
            target: "main",
            cloud: "naver_cloud",
            region: "kr",
        }),
        subject: "p/a",
        invokes: true,
        config_generation: 3,
        failure: Some(Failure {
            reason: Cow::Borrowed("CONNECTION_LOST"),
            execution: Execution::Unknown,
            component: Component::Network,
        }),
        attempts: 2,
        upstream_request_id: Some("a\"b\\c\nd\u{1}é"),
        activation_id: None,
        function_failed: false,
        trace: Some(context),
        record: None,
    }
}

fn context(span: SpanId) -> Context {
    Context {
        trace_id: TraceId::from(0x4bf9),
        parent: SpanId::INVALID,
        span_id: span,
        sampled: false,
        tracestate: None,
    }
}

fn at() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_713_936_450, 102_003_000)
}

#[test]
fn a_json_line_is_json_whatever_an_upstream_chose() {
    let mut line = String::new();
    Json(&mut line).call(&call(&context(SpanId::from(9))), at());
    let document: serde_json::Value = serde_json::from_str(&line).unwrap();
    let expected = serde_json::json!({
        "timestamp": "2024-04-24T05:27:30.102003Z", "level": "INFO", "message": "call",
        "method": "faas.v1.InvocationService/Invoke", "target": "main", "subject": "p/a", "code": "UNAVAILABLE",
        "reason": "CONNECTION_LOST", "execution": "unknown", "component": "network", "config_generation": 3, "attempts": 2, "duration_us": 1234,
        "upstream_request_id": "a\"b\\c\nd\u{1}é", "trace_id": "00000000000000000000000000004bf9",
        "span_id": "0000000000000009",
    });
    assert_eq!(document, expected);
    assert!(!line.contains('\n'));
}

#[test]
fn a_text_line_is_one_line_whatever_an_upstream_chose() {
    let mut line = String::new();
    text(&mut line, &call(&context(SpanId::INVALID)), at());
    assert_eq!(
        line,
        "2024-04-24T05:27:30.102003Z  INFO call UNAVAILABLE faas.v1.InvocationService/Invoke target=main subject=p/a \
         reason=CONNECTION_LOST execution=unknown component=network config_generation=3 attempts=2 duration_us=1234 \
         upstream_request_id=\"a\\\"b\\\\c\\nd\\u{1}é\" trace_id=00000000000000000000000000004bf9"
    );
}

#[test]
fn what_gets_a_line_is_what_was_asked_for() {
    let context = context(SpanId::INVALID);
    let failed = call(&context);
    let good = Finished {
        code: "OK",
        failure: None,
        ..call(&context)
    };
    let function_failed = Finished {
        function_failed: true,
        code: "OK",
        failure: None,
        ..call(&context)
    };
    for (lines, expected) in [
        (Lines::Off, [false, false, false]),
        (Lines::Errors, [true, false, true]),
        (Lines::All, [true, true, true]),
    ] {
        assert_eq!(
            [&failed, &good, &function_failed].map(|call| lines.wants(call)),
            expected,
            "{lines:?}"
        );
    }
}

#[test]
fn long_texts_are_cut_and_characters_that_turn_a_line_are_escaped() {
    let context = context(SpanId::INVALID);
    let long = "é".repeat(900_000);
    let odd = Finished {
        subject: &long,
        upstream_request_id: Some("a\u{202e}b\u{feff}"),
        ..call(&context)
    };
    let (mut plain, mut document) = (String::new(), String::new());
    text(&mut plain, &odd, at());
    Json(&mut document).call(&odd, at());
    for line in [&plain, &document] {
        assert!(line.len() < 1500, "{}", line.len());
        assert!(!line.contains(['\u{202e}', '\u{feff}']), "{line}");
        assert!(line.contains(&"é".repeat(256)) && !line.contains(&"é".repeat(257)));
    }
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["upstream_request_id"], "a\u{202e}b\u{feff}");
}
