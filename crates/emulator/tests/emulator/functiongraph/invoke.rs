//! The synchronous run: both answers, function errors and platform errors, limits.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::functiongraph::{Limits, Options};
use serde_json::{Value, json};

use super::client::{Client, function, functions};
use crate::client::Answer;

const ECHO: &str =
    "exports.handler = async (event) => { console.log('hello', event.a); return { got: event }; }";

async fn ask(client: &Client, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut draft = client.draft("POST", &format!("{}/f/invocations", functions()), body);
    draft.headers.extend(
        headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    client.send(&draft).await
}

async fn echo() -> Client {
    let client = Client::new().await;
    client.deploy("f", ECHO).await;
    client
}

#[tokio::test]
async fn v0_is_the_bare_text_and_the_default() {
    let client = echo().await;
    for headers in [&[][..], &[("x-cff-request-version", "v0")]] {
        let answer = ask(&client, r#"{"a":1}"#, headers).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &br#"{"got":{"a":1}}"#[..])
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("x-cff-response-version"), None);
        assert_eq!(answer.header("x-func-err-code"), Some("0"));
        assert_eq!(answer.header("x-is-func-err"), Some("false"));
        assert_eq!(answer.header("x-cff-result-length"), Some("15"));
        assert_eq!(answer.header("x-cff-function-log"), None);
        assert_ne!(
            answer.header("x-cff-request-id"),
            answer.header("x-request-id")
        );
        let summary: Value =
            serde_json::from_str(answer.header("x-cff-invoke-summary").unwrap()).unwrap();
        assert_eq!(summary["memorySize"], 128);
        assert!(
            summary["duration"].as_f64().unwrap() > 0.0
                && summary["memoryUsed"].as_f64().unwrap() > 0.0
        );
        assert_eq!(
            answer.header("x-cff-billing-duration").unwrap(),
            summary["billingDuration"].to_string()
        );
    }
}

#[tokio::test]
async fn v1_is_an_envelope() {
    let client = echo().await;
    let answer = ask(&client, r#"{"a":1}"#, &[("x-cff-request-version", "v1")]).await;
    let envelope = answer.ok();
    let id = answer.header("x-cff-request-id").unwrap();
    assert_eq!(
        envelope,
        json!({"request_id": id, "result": "{\"got\":{\"a\":1}}", "log": "", "status": 200})
    );
    assert_eq!(answer.header("x-cff-response-version"), Some("v1"));
    let answer = client.run("f", json!({"a": "x".repeat(5000)})).await;
    let log = answer.ok()["log"].as_str().unwrap().to_owned();
    assert!(
        log.len() <= 4096
            && log.contains("xxx")
            && log.trim_end().ends_with("storage used: 0.000MB"),
        "{log}"
    );
    let header = STANDARD
        .decode(answer.header("x-cff-function-log").unwrap())
        .unwrap();
    assert!(header.len() == 2000 && log.as_bytes().ends_with(&header));
    let answer = client.run("f", json!({"a": 1})).await;
    let id = answer.header("x-cff-request-id").unwrap();
    let log = answer.ok()["log"].as_str().unwrap().to_owned();
    assert!(
        log.contains(&format!("Z Start invoke request '{id}', version: latest\n")),
        "{log}"
    );
    assert!(
        log.contains("INFO hello 1\n")
            && log.contains(&format!("Finish invoke request '{id}', duration: ")),
        "{log}"
    );
}

#[tokio::test]
async fn text_is_not_quoted() {
    let client = Client::new().await;
    client
        .deploy("f", "exports.handler = async (e) => e.a")
        .await;
    for (event, result) in [
        (json!({"a": "x y\n"}), "x y\n"),
        (json!({"a": [1, "b"]}), "[1,\"b\"]"),
        (json!({}), "null"),
        (json!({"a": ""}), ""),
    ] {
        assert_eq!(client.run("f", event).await.ok()["result"], result);
    }
}

#[tokio::test]
async fn a_function_that_throws_is_a_result() {
    for status in [200, 500] {
        let client = Client::with(Options {
            function_error_status: status,
            ..Options::default()
        })
        .await;
        client
            .deploy(
                "f",
                "exports.handler = async () => { throw new TypeError('boom') }",
            )
            .await;
        let answer = client.run("f", json!({})).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-is-func-err"), Some("true"));
        assert_eq!(answer.header("x-func-err-code"), Some("4002"));
        let envelope = answer.json();
        assert_eq!(envelope["status"], 500);
        let error: Value = serde_json::from_str(envelope["result"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&error["errorMessage"], &error["errorType"]),
            (&"boom".into(), &"TypeError".into())
        );
        assert!(!error["stackTrace"].as_array().unwrap().is_empty());
        assert!(envelope["log"].as_str().unwrap().contains("boom"));
        let v0 = ask(&client, "{}", &[]).await;
        assert_eq!(
            (v0.status, v0.header("x-is-func-err")),
            (status, Some("true"))
        );
        assert_eq!(v0.json()["errorType"], "TypeError");
    }
}

#[tokio::test]
async fn events_must_be_objects_within_their_size() {
    let limits = Limits {
        sync_body: 20,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    client.deploy("f", ECHO).await;
    assert_eq!(
        ask(&client, "", &[]).await.failed(400, "FSS.0400"),
        "function event body is empty"
    );
    for body in ["[]", "1", "x", "{"] {
        ask(&client, body, &[]).await.failed(406, "FSS.0406");
    }
    ask(&client, &json!({"a": "0123456789abcd"}).to_string(), &[])
        .await
        .failed(413, "FSS.1201");
    ask(&client, "{}", &[("x-cff-request-version", "v2")])
        .await
        .failed(400, "FSS.0400");
    ask(&client, "{}", &[("x-cff-log-type", "null")])
        .await
        .failed(400, "FSS.0400");
    ask(&client, "{}", &[("x-cff-log-type", "")]).await.ok();
    client.run("gone", json!({})).await.failed(404, "FSS.1051");
}

#[tokio::test]
async fn memory_is_dynamic_when_the_function_allows_it() {
    let client = Client::new().await;
    let source = "exports.handler = async (e, context) => context.getMemorySize()";
    client.deploy("f", source).await;
    let with = async |memory: &str| ask(&client, "{}", &[("x-cff-instance-memory", memory)]).await;
    assert_eq!(with("512").await.body, b"128");
    with("500").await.failed(406, "FSS.0406");
    with("x").await.failed(406, "FSS.0406");
    let config = json!({"func_name": "f", "runtime": "Node.js20.15", "handler": "index.handler", "memory_size": 128,
        "timeout": 3, "enable_dynamic_memory": true});
    client.put_to("f", "config", config).await.ok();
    assert_eq!(with("512").await.body, b"512");
    assert_eq!(ask(&client, "{}", &[]).await.body, b"128");
}

#[tokio::test]
async fn the_gateway_stops_waiting_and_the_function_runs_on() {
    let limits = Limits {
        gateway_wall: Duration::from_millis(300),
        concurrency: 1,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    client
        .deploy(
            "f",
            "exports.handler = (e, c, done) => setTimeout(() => done(null, 'late'), e.ms)",
        )
        .await;
    assert_eq!(ask(&client, r#"{"ms":1}"#, &[]).await.body, b"late");
    assert_eq!(
        ask(&client, r#"{"ms":1200}"#, &[])
            .await
            .failed(504, "APIGW.0201"),
        "Backend timeout."
    );
    // Its place is still taken.
    ask(&client, r#"{"ms":1}"#, &[])
        .await
        .failed(429, "FSS.0429");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(ask(&client, r#"{"ms":1}"#, &[]).await.body, b"late");
}

#[tokio::test]
async fn results_have_a_size() {
    let limits = Limits {
        result: 100,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    for (runtime, source) in [
        (
            "Node.js18.15",
            "exports.handler = async (e) => 'x'.repeat(e.n)",
        ),
        (
            "Python3.10",
            "def handler(event, context):\n    return 'x' * event['n']\n",
        ),
    ] {
        let name = if runtime.starts_with('N') { "js" } else { "py" };
        client.create(function(name, runtime, source)).await.ok();
        assert_eq!(client.run(name, json!({"n": 98})).await.ok()["status"], 200);
        let answer = client.run(name, json!({"n": 200})).await;
        let envelope = answer.ok();
        assert_eq!(
            (&envelope["status"], answer.header("x-func-err-code")),
            (&507.into(), Some("4004"))
        );
        assert!(
            envelope["result"]
                .as_str()
                .unwrap()
                .contains("FunctionResponseTooLarge")
        );
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_the_platforms_failure() {
    let client = Client::new().await;
    let mut java = function("f", "Java17", "x");
    java["handler"] = "com.example.Main.handler".into();
    client.create(java).await.ok();
    let why = ask(&client, "{}", &[]).await.failed(500, "FSS.0500");
    assert!(why.contains("Java17"), "{why}");
}
