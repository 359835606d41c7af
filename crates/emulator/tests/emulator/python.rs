//! Python actions: what they may use, how they fail, their limits. They need `python3` on PATH.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{Client, action};

async fn outcome(body: Value, params: Value) -> (Value, Vec<String>) {
    let client = Client::new().await;
    client.deploy_as("a", body).await;
    let run = client.run("a", params).await;
    let detail = client
        .detail(
            "packages/-/actions/a",
            run["activationId"].as_str().unwrap(),
        )
        .await;
    let logs = detail["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap()[31..].to_owned());
    (run["response"].clone(), logs.collect())
}

async fn python(code: &str, params: Value) -> (Value, Vec<String>) {
    outcome(action("python:3.13", code), params).await
}

/// Where there is no Python the emulator says so, and there is nothing else to test.
async fn is_missing() -> bool {
    let (response, _) = python("def main(p): return {}", json!({})).await;
    let text = response.to_string();
    text.contains("python3 was not found")
}

#[track_caller]
fn developer_error(response: &Value) -> String {
    assert_eq!(response["status"], "action developer error", "{response}");
    response["result"]["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn results_and_logs() {
    if is_missing().await {
        return;
    }
    let code = "import sys, os\n\
                def main(p):\n\
                \x20   print('안녕', p['n'])\n\
                \x20   print()\n\
                \x20   print('no end', end='')\n\
                \x20   return {'n': p['n'] + 1, 'id': len(os.environ['__OW_ACTIVATION_ID']), 'home': os.environ.get('HOME')}\n";
    let (response, logs) = python(code, json!({"n": 1})).await;
    assert_eq!(
        response["result"],
        json!({"n": 2, "id": 32, "home": null}),
        "{response}"
    );
    assert_eq!(logs, ["stdout: 안녕 1", "stdout: ", "stdout: no end"]);
    let (response, logs) = python(
        "import sys\ndef main(p):\n print('e', file=sys.stderr)\n",
        json!({}),
    )
    .await;
    assert_eq!(
        (&response["result"], logs),
        (&json!({}), vec!["stderr: e".to_owned()])
    );
    let (response, _) = python("def main(p): return {'error': 'mine'}", json!({})).await;
    assert_eq!(response["status"], "application error");
}

#[tokio::test]
async fn failures() {
    if is_missing().await {
        return;
    }
    let (response, logs) = python("def main(p): raise ValueError('boom')", json!({})).await;
    assert_eq!(
        developer_error(&response),
        "An error has occurred: ValueError: boom"
    );
    assert!(logs[0].starts_with("stderr: Traceback"), "{logs:?}");
    for (code, part) in [
        ("def main(p): return [1]", "did not return a dictionary"),
        (
            "def main(p): return {'x': object()}",
            "valid JSON response: TypeError",
        ),
        (
            "def main(p): return {'x': float('nan')}",
            "valid JSON response: ValueError",
        ),
        (
            "def main(p",
            "Initialization has failed due to: SyntaxError",
        ),
        ("x = 1", "Action entrypoint 'main' is not a function."),
        ("import nothing_like_this", "ModuleNotFoundError"),
        (
            "import sys\ndef main(p): sys.exit(0)",
            "exited unexpectedly",
        ),
        ("import os\ndef main(p): os._exit(3)", "exited unexpectedly"),
    ] {
        let (response, _) = python(code, json!({})).await;
        let why = developer_error(&response);
        assert!(why.contains(part), "{code}: {why}");
    }
}

#[tokio::test]
async fn limits() {
    if is_missing().await {
        return;
    }
    for (code, part) in [
        (
            "import time\ndef main(p): time.sleep(60)",
            "time limits of 1500 milliseconds.",
        ),
        (
            "def main(p):\n while True: pass",
            "time limits of 1500 milliseconds.",
        ),
        ("while True: pass", "milliseconds during initialization."),
    ] {
        let mut body = action("python:3.13", code);
        body["limits"]["timeout"] = 1500.into();
        let (response, _) = outcome(body, json!({})).await;
        let why = developer_error(&response);
        assert!(why.contains(part), "{code}: {why}");
    }
    let (response, _) = python(
        "def main(p):\n x = bytearray(300 << 20)\n return {}",
        json!({}),
    )
    .await;
    assert!(
        developer_error(&response).contains("exhausted its memory"),
        "{response}"
    );
    let (response, _) = python("def main(p): return {'x': 'y' * 2000000}", json!({})).await;
    assert!(developer_error(&response).contains("exceeded the allowed length"));
    let code = "def main(p):\n for i in range(2000): print('x' * 1000)\n return {}";
    let (response, logs) = python(code, json!({})).await;
    assert_eq!(response["success"], true);
    assert!(logs.last().unwrap().contains("Logs were truncated"));
}

#[tokio::test]
async fn archives() {
    if is_missing().await {
        return;
    }
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [
        (
            "__main__.py",
            "from lib.tools import add\ndef main(p): return {'n': add(p['n'])}",
        ),
        ("lib/__init__.py", ""),
        ("lib/tools.py", "def add(n): return n + 1"),
    ] {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let mut body = action(
        "python:3.13",
        &STANDARD.encode(writer.finish().unwrap().into_inner()),
    );
    body["exec"]["binary"] = true.into();
    let (response, _) = outcome(body, json!({"n": 1})).await;
    assert_eq!(response["result"], json!({"n": 2}), "{response}");
}
