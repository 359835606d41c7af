//! What goes wrong on purpose, and what outlives a restart.

use faas_emulator::functiongraph::Options;
use serde_json::json;

use super::client::{Client, functions};

#[tokio::test]
async fn statuses_and_codes() {
    let client = Client::new().await;
    let faults = client.emulator.faults();
    for (plan, status, code) in [
        ("status=429,count=1", 429, "APIGW.0308"),
        ("status=401,count=1", 401, "APIGW.0301"),
        ("status=500,count=1", 500, "FSS.0500"),
        ("status=502,count=1", 502, "APIGW.0202"),
        ("status=503,count=1", 503, "FSS.0503"),
        ("status=504,count=1", 504, "APIGW.0201"),
        ("code=APIGW.0307,count=1", 401, "APIGW.0307"),
        ("code=APIGW.0613,count=1", 503, "APIGW.0613"),
        ("code=FSS.0429,count=1", 429, "FSS.0429"),
        ("code=FSS.1051,status=400,count=1", 400, "FSS.1051"),
    ] {
        faults.add(plan.parse().unwrap());
        let answer = client.get(&functions()).await;
        answer.failed(status, code);
        assert!(answer.header("x-request-id").is_some());
    }
    faults.add("code=APIG.0308,status=429,count=1".parse().unwrap());
    assert_eq!(
        client.get(&functions()).await.json()["error_code"],
        "APIG.0308"
    );
    faults.add("html=502,count=1".parse().unwrap());
    assert!(client.get(&functions()).await.body.starts_with(b"<html>"));
    client.get(&functions()).await.ok();
}

#[tokio::test]
async fn a_directory_outlives_the_emulator() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        data_dir: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let client = Client::with(options()).await;
    client
        .deploy(
            "f",
            "exports.handler = (e, c, done) => setTimeout(() => done(null, 7), e.ms ?? 0)",
        )
        .await;
    client
        .post_to("f", "versions", json!({"version": "v1"}))
        .await
        .ok();
    client
        .post_to("f", "aliases", json!({"name": "prod", "version": "v1"}))
        .await
        .ok();
    client
        .put_to(
            "f",
            "async-invoke-config",
            json!({"enable_async_status_log": true}),
        )
        .await
        .ok();
    client
        .post_to("f", "invocations-async", json!({"ms": 60_000}))
        .await
        .ok();
    let records = format!("{}/f/async-invocations", functions());
    client
        .until(&records, |body| {
            body["invocations"][0]["status"] == "RUNNING"
        })
        .await;
    client.emulator.shutdown().await;
    let client = Client::with(options()).await;
    let slot = format!(
        "{}:default:f:!prod",
        faas_emulator::functiongraph::DEFAULT_PROJECT_ID
    );
    assert_eq!(client.result(&slot, json!({})).await, 7);
    let record = &client.get(&records).await.ok()["invocations"][0];
    assert_eq!(record["status"], "DISCARD", "{record}");
}
