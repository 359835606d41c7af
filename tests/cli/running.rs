//! `probe`, `wait` and `invoke` against a real sidecar whose cloud is the emulator.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use faas_sidecar::proto::action_service_client::ActionServiceClient;
use faas_sidecar::proto::exec::Code;
use faas_sidecar::proto::{Action, Exec, Limits, PutActionRequest, Vpc};
use tonic::transport::Endpoint;

use crate::{file, sidecar, text};
use faas_testkit::process::Stream;

/// Deploys actions without a package through the sidecar's own API.
fn deploy(address: &str, actions: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut client = ActionServiceClient::new(endpoint.connect().await.unwrap());
        for (name, body) in actions {
            let request = PutActionRequest {
                action_name: (*name).to_owned(),
                action: Some(Action {
                    exec: Some(Exec {
                        runtime: "nodejs:22".to_owned(),
                        main: "main".to_owned(),
                        code: Some(Code::Source(format!("function main(a) {{ {body} }}"))),
                        ..Exec::default()
                    }),
                    limits: Some(Limits {
                        timeout: Some(prost_types::Duration {
                            seconds: 10,
                            nanos: 0,
                        }),
                        memory_mb: 128,
                    }),
                    vpc: vec![Vpc {
                        vpc_no: 1,
                        subnet_no: 2,
                    }],
                    ..Action::default()
                }),
                ..PutActionRequest::default()
            };
            client.put_action(request).await.unwrap();
        }
    });
}

fn piped(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn probe_tells_health_by_its_exit_code() {
    let server = crate::serve(&["--emulator"], &[]);
    let probe = |args: &[&str]| {
        sidecar(
            &[&["probe", "--address", &server.address], args].concat(),
            &[],
        )
    };
    let output = probe(&[]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "SERVING\n"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(
        probe(&["--service", "faas.v1.InvocationService"])
            .status
            .code(),
        Some(0)
    );
    let output = probe(&["--service", "faas.v1.Nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).starts_with("NOT_FOUND: "),
        "{}",
        text(&output.stderr)
    );
    // The variable says where, too.
    assert_eq!(
        sidecar(&["probe"], &[("FAAS_SIDECAR_ADDRESS", &server.address)])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        sidecar(&["probe"], &[("FAAS_SIDECAR_ADDRESS", "nonsense")])
            .status
            .code(),
        Some(64)
    );
}

#[test]
fn without_a_sidecar_probe_and_wait_fail() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", directory.path().join("none.sock").display());
    let output = sidecar(&["probe", "--address", &address], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("no sidecar answers at unix:"),
        "{}",
        text(&output.stderr)
    );
    let output = sidecar(&["wait", "--address", &address, "--timeout", "100ms"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("waited 100ms"),
        "{}",
        text(&output.stderr)
    );
    // Something listens, but never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = sidecar(&["probe", "--address", &address, "--timeout", "200ms"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("200ms") || text(&output.stderr).contains("DEADLINE"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn wait_begins_before_the_socket_exists() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", directory.path().join("faas.sock").display());
    let mut wait = crate::start(
        &["wait", "--address", &address, "--timeout", "20s"],
        &[],
        Stream::Output,
    );
    let _server = crate::start(
        &["serve", "--emulator", "--listen", &address],
        &[],
        Stream::Log,
    );
    assert_eq!(wait.line(|line| Some(line.to_owned())), "SERVING");
    assert_eq!(wait.end().code(), Some(0));
}

#[test]
fn invoke_calls_functions_and_tells_how_it_went() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", directory.path().join("faas.sock").display());
    let server = crate::serve(&["--emulator", "--listen", &socket], &[]);
    deploy(
        &server.address,
        &[
            ("echo", "console.log('was here'); return a;"),
            ("throws", "throw new Error('on purpose');"),
            (
                "sleeps",
                "return new Promise((done) => setTimeout(() => done({}), 8000));",
            ),
        ],
    );
    let at = ["--address", server.address.as_str()];
    let invoke = |args: &[&str]| sidecar(&[&["invoke"], &at[..], args].concat(), &[]);

    let output = invoke(&["echo", "--param", "n=5", "--param", "word=yes", "--logs"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(
        table.contains("status      SUCCESS\n")
            && table.contains("result      {\"n\":5,\"word\":\"yes\"}\n"),
        "{table}"
    );
    assert!(table.contains("was here"), "{table}");

    let output = invoke(&[
        "echo",
        "--json",
        "{\"b\": 1, \"a\": [1.5, null]}",
        "-o",
        "json",
    ]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&document["success"], &document["result"]["a"][0]),
        (&true.into(), &1.5.into())
    );
    assert!(document.get("logs").is_none(), "{document}");

    let file = directory.path().join("in.json");
    std::fs::write(&file, "{\"from\":\"file\"}\n").unwrap();
    let output = invoke(&[
        "echo",
        "--json",
        &format!("@{}", file.display()),
        "--param",
        "more=1",
    ]);
    assert!(
        text(&output.stdout).contains("{\"from\":\"file\",\"more\":1}"),
        "{}",
        text(&output.stdout)
    );
    let output = piped(
        &["invoke", "echo", "--address", &socket, "--json", "-"],
        "{\"from\":\"pipe\"}",
    );
    assert!(
        text(&output.stdout).contains("{\"from\":\"pipe\"}"),
        "{}",
        text(&output.stderr)
    );

    let output = invoke(&["throws"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("on purpose") && output.stderr.is_empty());

    let output = invoke(&["absent", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        (
            &told["error"]["code"],
            &told["error"]["details"]["execution"]
        ),
        (&"NOT_FOUND".into(), &"not_started".into())
    );
    assert!(output.stdout.is_empty());
    let output = invoke(&["a b"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("\n  action_name: "),
        "{}",
        text(&output.stderr)
    );

    let output = invoke(&["sleeps", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(1));
    // The sidecar keeps a margin, so that the run's id comes before the deadline does.
    assert!(
        text(&output.stdout).contains("status      RUNNING (no result yet)"),
        "{}",
        text(&output.stderr)
    );
    let output = invoke(&["sleeps", "--wait", "0s"]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "no result is no success: {}",
        text(&output.stdout)
    );
    let output = invoke(&["sleeps", "--async"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("no result yet"),
        "{}",
        text(&output.stdout)
    );

    for wrong in [
        &["echo", "--json", "{"][..],
        &["echo", "--json", "@/no/such"],
        &["echo", "--param", "x"],
        &["a/b/c"],
    ] {
        assert_eq!(invoke(wrong).status.code(), Some(64), "{wrong:?}");
    }
}

#[test]
fn both_clouds_are_emulated_at_once() {
    let config = file(
        "default_target: korea\ntargets:\n  korea: {provider: ncp}\n  \
         beijing: {provider: functiongraph, region: cn-north-4, credentials: {source: env}}\n",
    );
    let server = crate::serve(
        &["--emulator", "--config", config.path().to_str().unwrap()],
        &[],
    );
    for target in ["korea", "beijing"] {
        let args = [
            "invoke",
            "--address",
            &server.address,
            "--target",
            target,
            "nothing",
        ];
        let output = sidecar(&args, &[]);
        let told = text(&output.stderr);
        assert!(
            output.status.code() != Some(0) && told.contains("NOT_FOUND"),
            "{target}: {told}"
        );
    }
}

#[test]
fn the_demo_works_on_both_clouds_and_keeps_the_secrets() {
    let output = sidecar(&["demo"], &[]);
    let shown = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown}{}",
        text(&output.stderr)
    );
    assert_eq!(
        shown.matches("x-ncp-apigw-signature-v2: ").count(),
        7,
        "{shown}"
    );
    let signed = "authorization: SDK-HMAC-SHA256 Access=EMULATOR";
    assert_eq!(shown.matches(signed).count(), 8, "{shown}");
    assert_eq!(
        shown.matches(", SignedHeaders=content-type;host;").count(),
        8,
        "{shown}"
    );
    assert_eq!(shown.matches("x-sdk-date: ").count(), 8, "{shown}");
    for part in [
        "{\"message\":\"Hello, World!\"}",
        "name is missing",
        "action.limits.memory_mb: ",
        "OK: DEVELOPER_ERROR {\"errorMessage\":",
        "InvokeAsync",
        "OK: QUEUED, activation ",
        "Try next:",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(
        shown.lines().count() < 145,
        "{} lines",
        shown.lines().count()
    );
}

/// An HTTP server for one answer that shows this `Date`.
fn answers_once(date: String) -> String {
    use std::io::Read as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let read = stream.read(&mut head).unwrap();
        assert!(
            !head[..read].windows(11).any(|part| part == b"x-ncp-apigw"),
            "no key is sent"
        );
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
    });
    url
}

#[test]
fn check_online_tells_how_far_the_clock_is_off() {
    let config = |url: &str| {
        file(&format!(
            "targets:\n  prod: {{provider: ncp, base_url: \"{url}\"}}\n"
        ))
    };
    let now = std::time::UNIX_EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap();
    for (date, part) in [
        (now, "agrees with its"),
        (
            now + std::time::Duration::from_secs(3600),
            " s behind its; signatures are corrected, but set the clock",
        ),
    ] {
        let file = config(&answers_once(httpdate::fmt_http_date(date)));
        let output = sidecar(
            &[
                "check",
                "--config",
                file.path().to_str().unwrap(),
                "--online",
            ],
            &[],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(
            text(&output.stderr).starts_with("prod (127.0.0.1:")
                && text(&output.stderr).contains(part)
        );
        assert!(text(&output.stdout).contains("provider: ncp"));
    }
    let file = config("http://127.0.0.1:1");
    let output = sidecar(
        &[
            "check",
            "--config",
            file.path().to_str().unwrap(),
            "--online",
        ],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("cannot be reached"),
        "{}",
        text(&output.stderr)
    );
}
