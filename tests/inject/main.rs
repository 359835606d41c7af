//! Injection as its users meet it: the command over manifests, the webhook over real TLS, both over
//! one set of golden pods.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper may fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]

mod bad_requests;
mod client;
mod command;
mod golden;
mod webhook;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs `inject` with this on its standard input.
fn inject(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
        .arg("inject")
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A child that ends early, because of its arguments, breaks the pipe.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A manifest as a value.
fn value(yaml: &str) -> serde_json::Value {
    serde_saphyr::from_str(yaml).unwrap()
}
