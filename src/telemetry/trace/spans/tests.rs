use std::collections::BTreeMap;

use http::Method;
use opentelemetry::trace::TraceId;
use url::Url;

use super::*;
use crate::error::{Component, Execution};
use crate::telemetry::{AttemptSummary, CallFailure, Destination};

fn context() -> TraceContext {
    TraceContext {
        trace_id: TraceId::from(7),
        parent: SpanId::from(8),
        span_id: SpanId::from(9),
        sampled: true,
        tracestate: Some("vendor=1".to_owned()),
    }
}

fn attempt(
    started: Instant,
    answer: Option<(u16, Option<usize>)>,
    failure: Option<&'static str>,
) -> Attempt {
    Attempt {
        span_id: SpanId::INVALID,
        started,
        ended: Some(started + Duration::from_millis(20)),
        method: Method::PUT,
        url: Url::parse("https://h.example/very/long?x=y").unwrap(),
        request_size: 5,
        resend: 0,
        answer,
        upstream_request_id: None,
        failure: failure.map(|reason| (reason.into(), Execution::Unknown)),
    }
}

fn built(code: &'static str, attempts: Vec<Attempt>) -> Vec<SpanData> {
    let started = Instant::now() - Duration::from_secs(1);
    let mut record = Record::new(None);
    record.attempts = attempts;
    let call = CallFacts {
        ended: started + Duration::from_millis(300),
        code,
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
            reason: "WHY".into(),
            execution: Execution::Unknown,
            component: Component::Gateway,
        }),
        sent: AttemptSummary {
            attempts: 1,
            upstream_request_id: None,
        },
        record: Some(Box::new(record)),
        ..CallFacts::new("faas.v1.InvocationService/Invoke", true, started)
    };
    let kept = KeptCall {
        call,
        context: context(),
        kept: Kept::Sampled,
    };
    let mut spans = Vec::new();
    kept.build(&scope(), &mut spans);
    spans
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    span.attributes
        .iter()
        .map(|pair| (pair.key.to_string(), pair.value.to_string()))
        .collect()
}

#[test]
fn only_the_servers_own_failures_are_errors_of_the_server_span() {
    for (code, is_error) in [
        ("INVALID_ARGUMENT", false),
        ("NOT_FOUND", false),
        ("CANCELLED", false),
        ("DEADLINE_EXCEEDED", true),
        ("UNAVAILABLE", true),
        ("INTERNAL", true),
    ] {
        let spans = built(code, Vec::new());
        let (status, attributes) = (&spans[0].status, attributes(&spans[0]));
        assert_eq!(*status == Status::error("WHY"), is_error, "{code}");
        assert_eq!(attributes.contains_key("error.type"), is_error, "{code}");
        assert_eq!(attributes["faas_sidecar.reason"], "WHY");
    }
}

#[test]
fn an_attempts_error_is_its_status_or_our_reason() {
    let now = Instant::now() - Duration::from_millis(500);
    for (answer, failure, expected) in [
        (Some((503, None)), Some("UPSTREAM_UNAVAILABLE"), Some("503")),
        // A failed function may answer an error status, and is a result.
        (Some((502, Some(9))), None, Some("502")),
        (
            Some((200, None)),
            Some("RESPONSE_CUT"),
            Some("RESPONSE_CUT"),
        ),
        (None, Some("CONNECT_FAILED"), Some("CONNECT_FAILED")),
        (Some((200, Some(9))), None, None),
        (None, None, None),
    ] {
        let spans = built("OK", vec![attempt(now, answer, failure)]);
        assert_eq!(
            attributes(&spans[1]).get("error.type").map(String::as_str),
            expected,
            "{answer:?} {failure:?}"
        );
        assert_eq!(spans[1].status == Status::Unset, expected.is_none());
    }
}

#[test]
fn spans_hang_together_and_keep_their_times() {
    let began = Instant::now() - Duration::from_millis(900);
    let spans = built("OK", vec![attempt(began, Some((200, Some(3))), None)]);
    let (call, attempt) = (&spans[0], &spans[1]);
    assert_eq!(attempt.parent_span_id, call.span_context.span_id());
    assert_eq!(
        attempt.span_context.trace_id(),
        call.span_context.trace_id()
    );
    assert_eq!(call.parent_span_id, SpanId::from(8));
    assert_eq!(call.span_context.trace_state().header(), "vendor=1");
    let lasted = |span: &SpanData| span.end_time.duration_since(span.start_time).unwrap();
    assert_eq!(
        (lasted(call), lasted(attempt)),
        (Duration::from_millis(300), Duration::from_millis(20))
    );
    let shown = attributes(attempt);
    assert_eq!(
        (
            shown["server.port"].as_str(),
            shown["http.response.body.size"].as_str()
        ),
        ("443", "3")
    );
    assert_eq!(shown["faas.invoked_provider"], "naver_cloud");
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let long = "é".repeat(MAX_TEXT);
    let cut = text("k", &long).value.to_string();
    assert_eq!(cut.len(), MAX_TEXT);
}
