//! Asynchronous runs, their configuration and their records.

use std::time::Duration;

use faas_emulator::functiongraph::{DEFAULT_PROJECT_ID, Limits, Options};
use serde_json::{Value, json};

use super::client::{Client, functions};

const SLOW: &str = "exports.handler = (e, c, done) => setTimeout(() => done(null, 1), e.ms)";
const FAILS: &str = "exports.handler = async () => { throw new Error('never') }";

async fn logged(options: Options, source: &str, retries: i64) -> Client {
    let client = Client::with(Options {
        async_retry_delay: Duration::from_millis(20),
        ..options
    })
    .await;
    client.deploy("f", source).await;
    let config = json!({"enable_async_status_log": true, "max_async_retry_attempts": retries});
    client.put_to("f", "async-invoke-config", config).await.ok();
    client
}

async fn submit(client: &Client, event: Value) -> String {
    let answer = client.post_to("f", "invocations-async", event).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    answer.json()["request_id"].as_str().unwrap().to_owned()
}

fn records(query: &str) -> String {
    format!("{}/f/async-invocations?{query}", functions())
}

/// The record of a run once it has this status.
async fn ended(client: &Client, id: &str, status: &str) -> Value {
    let target = records(&format!("request_id={id}"));
    let body = client
        .until(&target, |body| body["invocations"][0]["status"] == status)
        .await;
    body["invocations"][0].clone()
}

#[tokio::test]
async fn a_run_is_accepted_run_and_recorded() {
    let client = logged(Options::default(), SLOW, 0).await;
    let id = submit(&client, json!({"ms": 1})).await;
    let record = ended(&client, &id, "SUCCESS").await;
    assert_eq!(
        (&record["error_code"], &record["error_message"]),
        (&0.into(), &"".into())
    );
    assert_eq!(record["start_time"].as_str().unwrap().len(), 19);
    assert!(record["end_time"].is_string());
    let id = submit(&client, json!({"ms": 400})).await;
    ended(&client, &id, "RUNNING").await;
    let active = client
        .get(&format!("{}/f/active-async-invocations", functions()))
        .await
        .ok();
    assert_eq!(
        (&active["count"], &active["invocations"][0]["request_id"]),
        (&1.into(), &id.as_str().into())
    );
    ended(&client, &id, "SUCCESS").await;
}

#[tokio::test]
async fn records_are_kept_only_when_asked_for() {
    let client = Client::new().await;
    client.deploy("f", SLOW).await;
    submit(&client, json!({"ms": 200})).await;
    let active = format!("{}/f/active-async-invocations", functions());
    client
        .until(&active, |body| {
            body["invocations"][0]["status"] == "RUNNING"
        })
        .await;
    client.until(&active, |body| body["count"] == 0).await;
    assert_eq!(client.get(&records("")).await.ok()["count"], 0);
}

#[tokio::test]
async fn the_queue_waits_for_a_place() {
    let client = logged(Options::default(), SLOW, 0).await;
    client
        .put_to("f", "config-max-instance", json!({"max_instance_num": 1}))
        .await
        .ok();
    let first = submit(&client, json!({"ms": 300})).await;
    ended(&client, &first, "RUNNING").await;
    let second = submit(&client, json!({"ms": 1})).await;
    ended(&client, &second, "WAIT").await;
    let waiting = client.get(&records("status=WAIT")).await.ok();
    assert_eq!(
        (&waiting["count"], &waiting["invocations"][0]["request_id"]),
        (&1.into(), &second.as_str().into())
    );
    ended(&client, &second, "SUCCESS").await;
    let page = client.get(&records("limit=1&marker=1")).await.ok();
    assert_eq!(
        (
            &page["count"],
            &page["next_marker"],
            page["invocations"].as_array().unwrap().len()
        ),
        (&2.into(), &2.into(), 1)
    );
}

#[tokio::test]
async fn failures_are_tried_again_and_then_recorded() {
    let client = logged(Options::default(), FAILS, 2).await;
    let id = submit(&client, json!({})).await;
    let record = ended(&client, &id, "FAIL").await;
    assert_eq!(record["error_code"], 4002);
    assert!(record["error_message"].as_str().unwrap().contains("never"));
}

#[tokio::test]
async fn cancelling() {
    let client = logged(Options::default(), SLOW, 0).await;
    let id = submit(&client, json!({"ms": 60_000})).await;
    ended(&client, &id, "RUNNING").await;
    let cancel = |body: Value| client.post_to("f", "cancel", body);
    assert_eq!(
        cancel(json!({"request_id": "x"}))
            .await
            .failed(400, "FSS.0400"),
        "Invalid RequestId"
    );
    cancel(json!({})).await.failed(400, "FSS.0400");
    cancel(json!({"request_id": id, "type": "gently"}))
        .await
        .failed(400, "FSS.0400");
    assert_eq!(
        cancel(json!({"request_id": id, "type": "force"}))
            .await
            .ok(),
        json!({})
    );
    let record = ended(&client, &id, "FAIL").await;
    assert_eq!(
        (&record["error_code"], &record["error_message"]),
        (&4208.into(), &"function invocation canceled".into())
    );
    cancel(json!({"request_id": id}))
        .await
        .failed(400, "FSS.0400");
    client
        .post_to("gone", "cancel", json!({"request_id": id}))
        .await
        .failed(404, "FSS.0404");
}

#[tokio::test]
async fn an_event_that_waits_too_long_is_discarded() {
    let client = logged(Options::default(), SLOW, 0).await;
    client
        .put_to("f", "config-max-instance", json!({"max_instance_num": 1}))
        .await
        .ok();
    let first = submit(&client, json!({"ms": 60_000})).await;
    ended(&client, &first, "RUNNING").await;
    let second = submit(&client, json!({"ms": 1})).await;
    client.emulator.clock().advance(Duration::from_secs(3601));
    // The time range moved as well: it is asked for from the beginning.
    let target = records("query_begin_time=2020-01-01T00%3A00%3A00&status=DISCARD");
    let found = client.until(&target, |body| body["count"] == 1).await;
    assert_eq!(found["invocations"][0]["request_id"], second);
    assert_eq!(client.get(&records("")).await.ok()["count"], 0);
}

#[tokio::test]
async fn the_configuration_comes_and_goes() {
    let client = Client::new().await;
    client.deploy("f", SLOW).await;
    let path = "async-invoke-config";
    client.get_of("f", path).await.failed(404, "FSS.0404");
    client.delete_of("f", path).await.failed(404, "FSS.0404");
    let body = json!({
        "max_async_event_age_in_seconds": 60, "max_async_retry_attempts": 3,
        "destination_config": {"on_failure": {"destination": "SMN", "param": "{\"topic_urn\":\"t\"}"}},
    });
    let put = client.put_to("f", path, body.clone()).await.ok();
    assert_eq!(
        put["func_urn"],
        format!("urn:fss:cn-north-4:{DEFAULT_PROJECT_ID}:function:default:f:latest")
    );
    assert_eq!(put["destination_config"], body["destination_config"]);
    assert_eq!(client.get_of("f", path).await.ok(), put);
    let listed = client.get_of("f", "async-invoke-configs").await.ok();
    assert_eq!(
        (&listed["async_invoke_configs"], &listed["count"]),
        (&json!([put]), &1.into())
    );
    assert_eq!(listed["page_info"]["current_count"], 1);
    for bad in [
        json!({"max_async_event_age_in_seconds": 0}),
        json!({"max_async_retry_attempts": 9}),
        json!({"destination_config": {"on_success": {"destination": "KAFKA", "param": "{}"}}}),
        json!({"destination_config": {"on_success": {"destination": "OBS", "param": "x"}}}),
    ] {
        client.put_to("f", path, bad).await.failed(400, "FSS.0400");
    }
    assert_eq!(client.delete_of("f", path).await.status, 204);
    client.get_of("f", path).await.failed(404, "FSS.0404");
    client
        .put_to("gone", path, json!({}))
        .await
        .failed(404, "FSS.1051");
    assert_eq!(
        client
            .post(
                &format!("{}/enable-async-status-logs", functions()),
                json!({})
            )
            .await
            .status,
        200
    );
    assert!(
        client
            .get(&format!("{}/async-status-log-detail", functions()))
            .await
            .ok()["group_id"]
            .is_string()
    );
}

#[tokio::test]
async fn a_function_can_be_a_destination() {
    let client = logged(
        Options::default(),
        "exports.handler = async (e) => ({ doubled: 2 * e.n })",
        0,
    )
    .await;
    client
        .deploy(
            "sink",
            "exports.handler = async (e) => { throw new Error(JSON.stringify(e)) }",
        )
        .await;
    let config = json!({"enable_async_status_log": true, "max_async_retry_attempts": 0});
    client
        .put_to("sink", "async-invoke-config", config)
        .await
        .ok();
    let param = json!({"func_urn": format!("urn:fss:cn-north-4:{DEFAULT_PROJECT_ID}:function:default:sink")});
    let config = json!({"destination_config": {"on_success": {"destination": "FunctionGraph", "param": param.to_string()}}});
    client.put_to("f", "async-invoke-config", config).await.ok();
    let id = submit(&client, json!({"n": 21})).await;
    let target = format!("{}/sink/async-invocations?status=FAIL", functions());
    let found = client.until(&target, |body| body["count"] == 1).await;
    let error: Value =
        serde_json::from_str(found["invocations"][0]["error_message"].as_str().unwrap()).unwrap();
    let delivered: Value = serde_json::from_str(error["errorMessage"].as_str().unwrap()).unwrap();
    assert_eq!(delivered["request_context"]["request_id"], id);
    assert_eq!(delivered["request_context"]["condition"], "Success");
    assert_eq!(delivered["request_payload"], json!({"n": 21}));
    assert_eq!(delivered["response_payload"], json!({"doubled": 42}));
    assert_eq!(delivered["response_context"]["status_code"], 200);
}

#[tokio::test]
async fn sizes_and_queries() {
    let limits = Limits {
        async_body: 20,
        ..Limits::default()
    };
    let client = logged(
        Options {
            limits,
            ..Options::default()
        },
        SLOW,
        0,
    )
    .await;
    client
        .post_to("f", "invocations-async", json!({"a": "0123456789abcd"}))
        .await
        .failed(413, "FSS.0413");
    let draft = client.draft("POST", &format!("{}/f/invocations-async", functions()), "");
    client.send(&draft).await.failed(400, "FSS.0400");
    client
        .post_to("gone", "invocations-async", json!({}))
        .await
        .failed(404, "FSS.1051");
    for query in [
        "limit=0",
        "limit=501",
        "status=DONE",
        "query_begin_time=yesterday",
        "marker=-1",
    ] {
        client.get(&records(query)).await.failed(400, "FSS.1001");
    }
    let many = ["1"; 11].join(",");
    let target = format!(
        "{}/f/active-async-invocations?requests={}",
        functions(),
        many.replace(',', "%2C")
    );
    client.get(&target).await.failed(400, "FSS.1001");
    client
        .get_of("gone", "async-invocations")
        .await
        .failed(404, "FSS.0404");
}
