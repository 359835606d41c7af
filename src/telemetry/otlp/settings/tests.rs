use super::*;

fn read(variables: &[(&str, &str)]) -> (Option<Settings>, Vec<String>) {
    let mut warnings = Vec::new();
    let find = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    (
        Settings::read(Signal::Traces, &find, &mut warnings),
        warnings,
    )
}

fn good(variables: &[(&str, &str)]) -> Settings {
    let (settings, warnings) = read(variables);
    assert_eq!(warnings, Vec::<String>::new());
    settings.unwrap()
}

#[test]
fn nothing_is_sent_unless_asked_for() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
    for off in [
        &[][..],
        &[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4318")],
        &[endpoint, ("OTEL_SDK_DISABLED", "TRUE")],
        &[endpoint, ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        let (settings, warnings) = read(off);
        assert!(settings.is_none() && warnings.is_empty(), "{off:?}");
    }
    assert_eq!(
        good(&[("OTEL_TRACES_EXPORTER", "otlp")]).endpoint,
        "http://localhost:4318/v1/traces"
    );
    for (listed, sent, told) in [
        ("zipkin", false, 1),
        ("console", false, 1),
        ("otlp,console", true, 1),
        ("console, otlp", true, 1),
        ("otlp", true, 0),
    ] {
        let (settings, warnings) = read(&[endpoint, ("OTEL_TRACES_EXPORTER", listed)]);
        assert_eq!(
            (settings.is_some(), warnings.len()),
            (sent, told),
            "{listed}"
        );
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_told_by_its_variable_and_nothing_is_sent() {
    let general = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (http, grpc) = ("http/protobuf", "grpc");
    for (text, protocols) in [
        ("collector:4318", &[http][..]),
        ("127.0.0.1:4318", &[http]),
        ("localhost", &[http]),
        ("http://127.0.0.1:4318 ", &[http, grpc]),
        (" http://127.0.0.1:4318", &[http, grpc]),
        ("\"http://127.0.0.1:4318\"", &[http, grpc]),
        ("'http://127.0.0.1:4318'", &[http, grpc]),
        ("unix:/run/collector.sock", &[http, grpc]),
        ("unix:///run/collector.sock", &[http, grpc]),
        ("http://[::1:4318", &[http, grpc]),
        ("http://", &[http, grpc]),
        ("http://:4318", &[http, grpc]),
        ("http://c:99999", &[http, grpc]),
        ("ftp://c:4318", &[http, grpc]),
        ("/v1/traces", &[http, grpc]),
        ("http:/c:4318", &[http, grpc]),
        ("http://us er:secret-canary@c", &[http, grpc]),
    ] {
        for protocol in protocols {
            let (settings, warnings) =
                read(&[(general, text), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
            assert!(settings.is_none(), "{text:?} over {protocol}: {settings:?}");
            assert!(
                warnings.len() == 1
                    && warnings[0].starts_with(general)
                    && !warnings[0].contains("canary"),
                "{text:?} over {protocol}: {warnings:?}"
            );
        }
    }
    let own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    let (_, warnings) = read(&[(general, "http://c:4318"), (own, "c:4318")]);
    assert!(warnings[0].starts_with(own), "{warnings:?}");
    for good in [
        "http://c",
        "https://[::1]:4318/x",
        "http://user:word@c:1",
        "http://c:4318?key=1",
    ] {
        assert!(read(&[(own, good)]).0.is_some(), "{good}");
    }
}

#[test]
fn no_timeout_is_no_limit_and_half_a_client_certificate_is_told() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
    let settings = good(&[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "0")]);
    assert_eq!(settings.timeout, INDEFINITE);
    for half in [
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ] {
        let (settings, warnings) = read(&[endpoint, (half, "/no/such/file")]);
        assert!(settings.unwrap().client.is_none());
        assert!(
            warnings.len() == 1 && warnings[0].contains("CLIENT_KEY"),
            "{warnings:?}"
        );
    }
}

#[test]
fn files_that_are_not_there_yet_are_told_and_waited_for() {
    for file in [
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    ] {
        let missing = (file, "/no/such/ca.crt");
        let (settings, warnings) =
            read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:4318"), missing]);
        assert!(settings.is_some());
        assert!(
            warnings.len() == 1 && warnings[0].contains("/no/such/ca.crt"),
            "{warnings:?}"
        );
        let (settings, warnings) =
            read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), missing]);
        assert!(
            settings.is_some() && warnings.is_empty(),
            "a plain connection reads no file: {warnings:?}"
        );
    }
}

#[test]
fn the_general_endpoint_gets_a_path_and_the_signals_own_does_not() {
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example/otlp/");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://d:1/in");
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(
        good(&[general]).endpoint,
        "https://c.example/otlp/v1/traces"
    );
    assert_eq!(good(&[general, own]).endpoint, "http://d:1/in");
    assert_eq!(good(&[general, grpc]).endpoint, "https://c.example/otlp/");
    let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317");
    assert_eq!(good(&[bare, grpc]).endpoint, "https://c:4317");
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(good(&[bare, grpc, insecure]).endpoint, "http://c:4317");
    assert_eq!(good(&[general, grpc]).protocol, Protocol::Grpc);
}

#[test]
fn headers_are_decoded_and_never_shown() {
    let settings = good(&[
        ("OTEL_TRACES_EXPORTER", "otlp"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20otlp-canary, x-tenant = 7 ,x-sign=50%+f%zz%2",
        ),
    ]);
    assert_eq!(settings.headers["authorization"], "Bearer otlp-canary");
    assert_eq!(settings.headers["x-sign"], "50%+f%zz%2");
    assert_eq!(settings.headers["x-tenant"], "7");
    assert!(!format!("{settings:?}").contains("canary"));
    let (_, warnings) = read(&[
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "otlp-canary,a b=otlp-canary"),
    ]);
    assert_eq!(warnings.len(), 2);
    assert!(!warnings.concat().contains("canary"), "{warnings:?}");
}

#[test]
fn what_cannot_be_used_is_told_by_name_and_ignored() {
    let (settings, warnings) = read(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4"),
    ]);
    let settings = settings.unwrap();
    assert_eq!(
        (settings.protocol, settings.timeout, settings.gzip),
        (Protocol::Http, Duration::from_secs(10), false)
    );
    for name in ["PROTOCOL", "TIMEOUT", "COMPRESSION"] {
        assert!(
            warnings.iter().any(|warning| warning.contains(name)),
            "{name}: {warnings:?}"
        );
    }
}

#[test]
fn the_resource_is_named_by_the_variables_and_else_by_us() {
    let resource_of = |variables: &[(&str, &str)]| {
        let find = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        resource(&find, &mut Vec::new())
    };
    let get = |resource: &Resource, key: &'static str| {
        resource
            .get(&opentelemetry::Key::from_static_str(key))
            .map(|value| value.to_string())
    };
    let ours = resource_of(&[]);
    assert_eq!(
        get(&ours, "telemetry.sdk.name").as_deref(),
        Some("faas-sidecar")
    );
    assert_eq!(
        get(&ours, "telemetry.sdk.version").as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(get(&ours, "service.name").as_deref(), Some("faas-sidecar"));
    assert_eq!(
        get(&ours, "service.version").as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    let theirs = resource_of(&[
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=a,service.instance.id=pod-7,k8s.namespace.name=x%2Cy",
        ),
        ("OTEL_SERVICE_NAME", "orders"),
    ]);
    assert_eq!(get(&theirs, "service.name").as_deref(), Some("orders"));
    assert_eq!(
        get(&theirs, "service.instance.id").as_deref(),
        Some("pod-7")
    );
    assert_eq!(get(&theirs, "k8s.namespace.name").as_deref(), Some("x,y"));
}
