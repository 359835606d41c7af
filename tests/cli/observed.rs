//! What operators see of the running binary: access lines, the log's level, its end by request, and
//! no secret anywhere.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::{file, sidecar};
use faas_testkit::leak::assert_clean;
use faas_testkit::process::{Process, Stream};

/// One request to the admin pages: status and body.
fn ask(address: &str, request: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "{request} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// A sidecar with admin pages, and where they are.
fn with_admin(args: &[&str], env: &[(&str, &str)]) -> (Process, String) {
    // The port is free for a moment; nothing else here asks for one.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let admin = format!("127.0.0.1:{port}");
    let server = crate::serve(&[&["--admin", admin.as_str()], args].concat(), env);
    (server, admin)
}

#[test]
fn each_call_has_one_line_with_what_an_operator_asks_first() {
    let server = crate::serve(&["--emulator"], &[]);
    let called = sidecar(&["invoke", "--address", &server.address, "absent"], &[]);
    assert_eq!(called.status.code(), Some(1));
    let line = server.event("call");
    for (name, value) in [
        ("method", "faas.v1.InvocationService/Invoke"),
        ("target", "default"),
        ("subject", "-/absent"),
        ("code", "NOT_FOUND"),
        ("reason", "ACTION_NOT_FOUND"),
        ("execution", "not_started"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(line["attempts"], 1, "{line}");
    assert!(line["duration_us"].as_u64().unwrap() > 0, "{line}");
    assert!(line["upstream_request_id"].is_string(), "{line}");
}

#[test]
fn the_word_target_has_one_meaning_in_every_line() {
    let serve = [
        "serve",
        "--emulator",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
    ];
    let process = crate::start(&serve, &[], Stream::Log);
    // Of a key that stands twice, a reader of JSON takes the last.
    let line = process.event("target");
    assert_eq!(line["target"], "default", "{line}");
    let line = process.event("listening");
    assert!(line.get("target").is_none(), "{line}");
}

#[test]
fn the_level_changes_for_a_while_and_comes_back() {
    let (server, admin) = with_admin(&["--emulator"], &[]);
    assert_eq!(
        ask(&admin, "GET /loglevel"),
        (
            200,
            "{\"configured\":\"info\",\"level\":\"info\",\"reverts_in_seconds\":null}\n".to_owned()
        )
    );
    let (status, body) = ask(&admin, "PUT /loglevel?level=warn&duration=4s");
    assert_eq!(status, 200);
    assert!(body.contains("\"level\":\"warn\""), "{body}");
    // Silenced, and heard again when the time is over.
    sidecar(&["invoke", "--address", &server.address, "silenced"], &[]);
    let back = server.event("the log's level is the configured one again");
    assert_eq!(
        (&back["level"], &back["log_level"]),
        (&"INFO".into(), &"info".into()),
        "{back}"
    );
    sidecar(&["invoke", "--address", &server.address, "heard"], &[]);
    assert_eq!(server.event("call")["subject"], "-/heard");
    for wrong in [
        "PUT /loglevel",
        "PUT /loglevel?level=loud",
        "PUT /loglevel?level=debug&duration=0s",
        "PUT /loglevel?level=debug&for=1s",
    ] {
        assert_eq!(ask(&admin, wrong).0, 400, "{wrong}");
    }
    assert_eq!(ask(&admin, "POST /loglevel?level=debug").0, 405);
    assert_eq!(
        ask(&admin, "POST /quitquitquit").0,
        404,
        "it is off by default"
    );
}

#[test]
fn an_admin_request_ends_the_process_as_a_signal_does() {
    let (mut server, admin) = with_admin(&["--emulator", "--admin-quit"], &[]);
    assert_eq!(ask(&admin, "GET /quitquitquit").0, 405);
    assert_eq!(ask(&admin, "POST /quitquitquit").0, 200);
    server.event("draining");
    server.event("stopped");
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn no_secret_is_in_the_log_at_any_level_nor_on_a_page() {
    const SECRETS: [&str; 6] = [
        "access-canary-0123456789",
        "secret-canary-0123456789",
        "otlp-canary-0123456789",
        "argument-canary-0123456789",
        "password-canary-0123456789",
        "session-canary-0123456789",
    ];
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("username", "someone"),
        ("password", SECRETS[4]),
        ("domain", "d"),
        ("access-key-id", "AKAKAKAKAK"),
        ("secret-access-key", SECRETS[1]),
        ("security-token", SECRETS[5]),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let keys = directory.path().display();
    let dead = "http://127.0.0.1:9";
    let config = file(&format!(
        "default_target: a\ntargets:\n  a: {{provider: ncp, base_url: \"{dead}\"}}\n  \
         b: {{provider: functiongraph, region: cn-north-4, project_id: 0123456789abcdef0123456789abcdef, \
         base_url: \"{dead}\", iam_url: \"{dead}\", credentials: {{source: iam_password, directory: {keys}}}}}\n  \
         c: {{provider: functiongraph, region: cn-north-4, project_id: 0123456789abcdef0123456789abcdef, \
         base_url: \"{dead}\", credentials: {{source: files, directory: {keys}}}}}\n"
    ));
    let headers = format!("authorization=Bearer%20{}", SECRETS[2]);
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", SECRETS[0]),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRETS[1]),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://user:otlp-canary-0123456789@127.0.0.1:9",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", headers.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ];
    let path = config.path().to_str().unwrap();
    let (server, admin) = with_admin(&["--config", path, "--log-level", "trace"], &env);
    let mut told = Vec::new();
    for target in ["a", "b", "c", "none"] {
        let arguments = format!("{{\"password\":\"{}\"}}", SECRETS[3]);
        let called = sidecar(
            &[
                "invoke",
                "--address",
                &server.address,
                "--target",
                target,
                "x/y",
                "--json",
                &arguments,
            ],
            &[],
        );
        assert_eq!(called.status.code(), Some(1));
        told.extend(called.stderr);
    }
    let pages: String = ["/config", "/readyz", "/metrics", "/loglevel"]
        .iter()
        .map(|page| ask(&admin, &format!("GET {page}")).1)
        .collect();
    server.signal("TERM");
    let logged = server.rest();
    let lines = logged.matches("\"message\":\"call\"").count();
    assert_eq!(lines, 4, "{logged}");
    assert!(logged.contains("traces cannot be exported"), "{logged}");
    assert_clean(
        &[
            ("the log", logged.as_bytes()),
            ("the admin pages", pages.as_bytes()),
            ("what the caller is told", &told),
        ],
        &SECRETS,
    );
}
