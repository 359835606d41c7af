use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn incoming(sampled: bool) -> IncomingTrace {
    IncomingTrace {
        parent: Some(TraceParent {
            text: format!("00-{TRACE}-{SPAN}-0{}", u8::from(sampled)),
            trace_id: TraceId::from_hex(TRACE).unwrap(),
            span_id: SpanId::from_hex(SPAN).unwrap(),
            sampled,
        }),
        tracestate: Some("a=b".to_owned()),
        baggage: Some("tenant=1".to_owned()),
    }
}

/// Exports to a port that nobody listens on.
fn traces(more: &[(&str, &str)], keep: Keep) -> (Traces, Vec<String>) {
    let mut warnings = Vec::new();
    let find = |name: &str| {
        more.iter()
            .chain(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")])
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let metrics = Metrics::new(1);
    let baggage = ["tenant".to_owned()];
    (
        Traces::start(&find, keep, &baggage, &metrics, &mut warnings),
        warnings,
    )
}

const KEEP: Keep = Keep {
    failures: true,
    slower_than: None,
};

fn header<'b>(begun: &'b TraceStart, name: &str) -> Option<&'b str> {
    begun
        .headers
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn without_an_export_the_callers_headers_pass_through_and_nothing_is_recorded() {
    let traces = Traces::off();
    let begun = traces.begin(incoming(true));
    assert_eq!(
        begun.headers,
        [
            ("traceparent", format!("00-{TRACE}-{SPAN}-01")),
            ("tracestate", "a=b".to_owned()),
        ]
    );
    assert!(begun.record.is_none());
    assert_eq!(begun.context.unwrap().trace_id.to_string(), TRACE);
    let begun = traces.begin(IncomingTrace::default());
    assert!(begun.headers.is_empty() && begun.context.is_none() && begun.record.is_none());
}

#[test]
fn a_trace_that_begins_here_is_told_to_the_upstream_with_its_decision() {
    for (sampler, flags) in [("always_on", "01"), ("always_off", "00")] {
        let (traces, warnings) = traces(&[("OTEL_TRACES_SAMPLER", sampler)], KEEP);
        assert!(warnings.is_empty(), "{warnings:?}");
        let begun = traces.begin(IncomingTrace::default());
        let context = begun.context.as_ref().unwrap();
        assert_eq!(
            header(&begun, "traceparent").unwrap(),
            format!("00-{}-{}-{flags}", context.trace_id, context.span_id)
        );
        assert_eq!(context.parent, SpanId::INVALID);
        assert_eq!(begun.record.unwrap().sampled.is_some(), flags == "01");
    }
}

#[test]
fn what_nobody_may_want_is_not_recorded() {
    let none = Keep {
        failures: false,
        slower_than: None,
    };
    let (traces, _) = traces(&[("OTEL_TRACES_SAMPLER", "always_off")], none);
    let begun = traces.begin(incoming(false));
    assert!(begun.record.is_none());
    assert_eq!(
        header(&begun, "traceparent"),
        Some(format!("00-{TRACE}-{SPAN}-00").as_str())
    );
}

#[test]
fn propagators_are_as_the_variable_says() {
    for (text, told, expected) in [
        (
            "tracecontext",
            0,
            Propagation {
                trace_context: true,
                baggage: false,
            },
        ),
        (
            "baggage, none",
            0,
            Propagation {
                trace_context: false,
                baggage: true,
            },
        ),
        ("b3,tracecontext,baggage", 1, Propagation::ALL),
    ] {
        let (traces, warnings) = traces(&[("OTEL_PROPAGATORS", text)], KEEP);
        assert_eq!(
            (traces.propagation(), warnings.len()),
            (expected, told),
            "{text}"
        );
    }
    let (traces, _) = traces(&[("OTEL_PROPAGATORS", "none")], KEEP);
    assert_eq!(
        header(&traces.begin(IncomingTrace::default()), "traceparent"),
        None,
        "a context that nobody asked to be passed on"
    );
}

#[test]
fn what_does_not_fit_is_dropped_and_counted_and_a_stop_is_bounded() {
    let (traces, _) = traces(
        &[
            ("OTEL_BSP_MAX_QUEUE_SIZE", "3"),
            ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "3"),
        ],
        KEEP,
    );
    let began = tokio::time::Instant::now();
    for _ in 0..100 {
        let context = traces.begin(IncomingTrace::default()).context.unwrap();
        traces.finished(finished(context));
    }
    traces.stop(Duration::from_secs(20));
    assert!(began.elapsed() < Duration::from_secs(20));
    let counts = traces.counts();
    assert_eq!(
        (counts.exported, counts.failed + counts.dropped),
        (0, 100),
        "{counts:?}"
    );
    assert!(counts.dropped > 0, "{counts:?}");
}

fn finished(context: TraceContext) -> CallFacts {
    let now = tokio::time::Instant::now();
    CallFacts {
        code: "OK",
        config_generation: 3,
        trace: Some(context),
        ..CallFacts::new("faas.v1.PackageService/ListPackages", false, now)
    }
}

#[test]
fn a_wrong_endpoint_is_told_and_costs_the_traces_only() {
    let (traces, warnings) = traces(
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "no url"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
        KEEP,
    );
    assert!(traces.told().is_none());
    assert!(
        warnings.len() == 1 && warnings[0].ends_with("no traces are exported"),
        "{warnings:?}"
    );
}

#[test]
fn only_listed_members_of_baggage_go_on() {
    let (traces, _) = traces(&[], KEEP);
    let passed = |text: &str| {
        let begun = traces.begin(IncomingTrace {
            baggage: Some(text.to_owned()),
            ..IncomingTrace::default()
        });
        header(&begun, "baggage").map(str::to_owned)
    };
    for (text, expected) in [
        ("tenant=1", Some("tenant=1")),
        (
            "user=kim%40corp, tenant = 1;p=2 ,tenants=3",
            Some("tenant = 1;p=2"),
        ),
        ("tenant=1,tenant=2", Some("tenant=1,tenant=2")),
        ("user=tenant", None),
        ("user;tenant=1", None),
        ("Tenant=1", None),
        (",,=,;", None),
    ] {
        assert_eq!(passed(text).as_deref(), expected, "{text}");
    }
}
