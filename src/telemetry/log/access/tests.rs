use opentelemetry::trace::TraceId;
use tokio::time::Instant;

use super::*;
use crate::error::{Component, Execution};
use crate::telemetry::{AttemptSummary, CallFailure, Destination, TraceContext};

fn call(span_id: SpanId) -> CallFacts {
    let now = Instant::now();
    CallFacts {
        ended: now + Duration::from_micros(1234),
        code: "UNAVAILABLE",
        destination: Some(
            Destination {
                target: "main".to_owned(),
                cloud: "naver_cloud",
                region: "kr".to_owned(),
            }
            .into(),
        ),
        subject: "p/a".to_owned(),
        config_generation: 3,
        failure: Some(CallFailure {
            reason: "CONNECTION_LOST".into(),
            execution: Execution::Unknown,
            component: Component::Network,
        }),
        sent: AttemptSummary {
            attempts: 2,
            upstream_request_id: Some("a\"b\\c\nd\u{1}é".to_owned()),
        },
        trace: Some(TraceContext {
            trace_id: TraceId::from(0x4bf9),
            parent: SpanId::INVALID,
            span_id,
            sampled: false,
            tracestate: None,
        }),
        ..CallFacts::new("faas.v1.InvocationService/Invoke", true, now)
    }
}

fn line(format: Format, call: &CallFacts) -> String {
    let mut line = String::new();
    LineWriter::new(&mut line, format).call(call, at());
    line
}

fn at() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_713_936_450, 102_003_000)
}

#[test]
fn a_json_line_is_json_whatever_an_upstream_chose() {
    let line = line(Format::Json, &call(SpanId::from(9)));
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
    assert_eq!(
        line(Format::Text, &call(SpanId::INVALID)),
        "2024-04-24T05:27:30.102003Z  INFO call UNAVAILABLE faas.v1.InvocationService/Invoke target=main subject=p/a \
         reason=CONNECTION_LOST execution=unknown component=network config_generation=3 attempts=2 duration_us=1234 \
         upstream_request_id=\"a\\\"b\\\\c\\nd\\u{1}é\" trace_id=00000000000000000000000000004bf9"
    );
}

#[test]
fn what_gets_a_line_is_what_was_asked_for() {
    let call = || call(SpanId::INVALID);
    let failed = call();
    let good = CallFacts {
        code: "OK",
        failure: None,
        ..call()
    };
    let function_failed = CallFacts {
        function_failed: true,
        code: "OK",
        failure: None,
        ..call()
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
    let long = "é".repeat(900_000);
    let odd = CallFacts {
        subject: long,
        sent: AttemptSummary {
            attempts: 2,
            upstream_request_id: Some("a\u{202e}b\u{feff}".to_owned()),
        },
        ..call(SpanId::INVALID)
    };
    let plain = line(Format::Text, &odd);
    let document = line(Format::Json, &odd);
    for line in [&plain, &document] {
        assert!(line.len() < 1500, "{}", line.len());
        assert!(!line.contains(['\u{202e}', '\u{feff}']), "{line}");
        assert!(line.contains(&"é".repeat(256)) && !line.contains(&"é".repeat(257)));
    }
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["upstream_request_id"], "a\u{202e}b\u{feff}");
}
