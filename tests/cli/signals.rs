//! What SIGTERM does to `serve` and `emulator`, and a request that is signed by hand.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::{file, sidecar, text};
use faas_testkit::process::Stream;

/// One request from a connection that is kept alive, head and body.
fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    let head = String::from_utf8(seen).unwrap();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    head + text(&body)
}

#[test]
fn a_call_in_flight_survives_sigterm() {
    // The cloud is this test, so that it knows when the call is in flight.
    let cloud = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = file(&format!(
        "targets:\n  it:\n    provider: ncp\n    base_url: http://{}\n    credentials: {{ source: env }}\n",
        cloud.local_addr().unwrap()
    ));
    let keys = [
        ("NCLOUD_ACCESS_KEY_ID", "id"),
        ("NCLOUD_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let mut server = crate::serve(&["--config", config.path().to_str().unwrap()], &keys);
    let mut invoke = crate::start(
        &["invoke", "slow", "--address", &server.address, "-o", "json"],
        &[],
        Stream::Output,
    );
    let (mut connection, _) = cloud.accept().unwrap();
    let request = read_request(&mut connection);
    assert!(
        request.contains("x-ncp-apigw-signature-v2: ") && request.ends_with("\r\n\r\n{}"),
        "{request}"
    );

    server.signal("TERM");
    server.event("draining");
    let body = "{\"content\":{\"activationId\":\"0123456789abcdef0123456789abcdef\",\"response\":\
                {\"status\":\"success\",\"success\":true,\"result\":{\"n\":12345678901234567890.10}}}}";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(answer.as_bytes()).unwrap();

    let printed = invoke.line(|line| Some(line.to_owned()));
    assert!(
        printed.contains("\"result\":{\"n\":12345678901234567890.10}"),
        "{printed}"
    );
    assert_eq!(invoke.end().code(), Some(0));
    server.event("stopped");
    assert_eq!(server.end().code(), Some(0));
    let output = sidecar(&["probe", "--address", &server.address], &[]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_sidecar_that_falls_silent_is_given_up_at_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = sidecar(
        &["invoke", "any", "--address", &address, "--timeout", "200ms"],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.starts_with("DEADLINE_EXCEEDED: ") || told.starts_with("UNAVAILABLE: "),
        "{told}"
    );
    assert!(told.contains("execution  "), "{told}");
}

#[test]
fn the_emulator_answers_what_sign_signs_and_ends_by_signal() {
    let keys = [
        ("NCLOUD_ACCESS_KEY_ID", "mine"),
        ("NCLOUD_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let mut emulator = crate::start(
        &["emulator", "--listen", "127.0.0.1:0", "--site", "sg"],
        &keys,
        Stream::Output,
    );
    let line = emulator.line(|line| Some(line.to_owned()));
    assert!(
        line.contains("(sg)") && line.contains("mine") && !line.contains("hunter2"),
        "{line}"
    );
    let base = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let url = format!("{base}/ncf/api/v2/packages?platform=vpc");
    let output = sidecar(&["sign", "GET", &url, "-o", "json"], &keys);
    let signed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut head = "GET /ncf/api/v2/packages?platform=vpc HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
        .to_owned();
    let unsigned = format!("{head}\r\n");
    for (name, value) in signed["headers"].as_object().unwrap() {
        head += &format!("{name}: {}\r\n", value.as_str().unwrap());
    }
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask(&format!("{head}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = ask(&unsigned);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    emulator.signal("INT");
    assert_eq!(emulator.end().code(), Some(0));
}

#[test]
fn the_emulator_injects_faults_and_refuses_nonsense() {
    let mut emulator = crate::start(
        &[
            "emulator",
            "--listen",
            "127.0.0.1:0",
            "--fault",
            "status=503,body=broken",
        ],
        &[],
        Stream::Output,
    );
    let line = emulator.line(|line| Some(line.to_owned()));
    assert!(
        line.contains("NCLOUD_ACCESS_KEY_ID=EMULATOR")
            && line.contains("NCLOUD_SECRET_ACCESS_KEY="),
        "{line}"
    );
    let base = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("broken"),
        "{answer}"
    );
    emulator.signal("TERM");
    assert_eq!(emulator.end().code(), Some(0));
    for wrong in [
        &["--fault", "boom=1"][..],
        &["--site", "mars"],
        &["--access-key", "alone"],
    ] {
        let output = sidecar(&[&["emulator"], wrong].concat(), &[]);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{wrong:?}: {}",
            text(&output.stderr)
        );
    }
}
