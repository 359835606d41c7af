//! Activations: lists, details, lag, history, and what outlives a restart.

use std::time::Duration;

use faas_emulator::ncp::Options;
use serde_json::{Value, json};

use crate::client::{Client, NEW};

const ECHO: &str = "function main(p) { console.log('hi'); return p }";

async fn ids(client: &Client, target: &str) -> (Vec<String>, Value) {
    let content = client.get(&format!("{NEW}/{target}")).await.content();
    let items = content["activations"].as_array().unwrap();
    let ids = items
        .iter()
        .map(|item| item["activationId"].as_str().unwrap().to_owned());
    (ids.collect(), content["totalCount"].clone())
}

#[tokio::test]
async fn lists_have_pages_and_windows() {
    let client = Client::new().await;
    client.deploy("a", ECHO).await;
    client
        .deploy("b", "function main() { throw new Error('x') }")
        .await;
    let mut expected = Vec::new();
    for _ in 0..25 {
        let run = client.run("a", json!({})).await;
        expected.insert(0, run["activationId"].as_str().unwrap().to_owned());
        client.emulator.clock().advance(Duration::from_millis(5));
    }
    let other = client.run("b", json!({})).await;
    let of_a = "packages/-/actions/a/activations";
    assert_eq!(
        ids(&client, of_a).await,
        (expected[..20].to_vec(), json!(25))
    );
    assert_eq!(
        ids(&client, &format!("{of_a}?pageNo=2")).await,
        (expected[20..].to_vec(), json!(25))
    );
    assert_eq!(
        ids(&client, &format!("{of_a}?pageSize=3&pageNo=2")).await.0,
        expected[3..6]
    );
    assert_eq!(
        ids(&client, &format!("{of_a}?pageNo=99")).await,
        (vec![], json!(25))
    );
    let (all, total) = ids(&client, "activations?pageSize=100&platform=vpc").await;
    assert_eq!((all.len(), &total), (26, &json!(26)));
    assert_eq!(all[0], other["activationId"].as_str().unwrap());
    assert_eq!(
        ids(&client, "activations?platform=classic").await,
        (vec![], json!(0))
    );
    let content = client
        .get(&format!("{NEW}/activations?pageSize=1"))
        .await
        .content();
    let item = &content["activations"][0];
    assert_eq!(item["status"], "action developer error");
    assert_eq!(item.as_object().unwrap().len(), 3);
    assert!(item["duration"].is_i64());
    let tenth = client.detail("packages/-/actions/a", &expected[10]).await;
    let start = tenth["start"].as_i64().unwrap();
    let (window, _) = ids(&client, &format!("{of_a}?start={start}&end={start}")).await;
    assert_eq!(window, expected[10..11]);
    for query in [
        "pageSize=0",
        "pageSize=x",
        "pageNo=0",
        "pageNo=-1",
        "start=x",
        "end=2024-01-01T00:00:00",
    ] {
        client
            .get(&format!("{NEW}/{of_a}?{query}"))
            .await
            .refused(400, "80000");
        client
            .get(&format!("{NEW}/activations?{query}"))
            .await
            .refused(400, "80000");
    }
}

#[tokio::test]
async fn details_belong_to_their_action() {
    let client = Client::new().await;
    client.deploy("a", ECHO).await;
    client.deploy("b", ECHO).await;
    let run = client.run("a", json!({"x": 1})).await;
    let id = run["activationId"].as_str().unwrap();
    let detail = client
        .get(&format!("{NEW}/packages/-/actions/a/activations/{id}"))
        .await
        .content();
    assert_eq!(detail["response"]["result"], json!({"x": 1}));
    assert_eq!(detail["logs"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&detail["namespace"], &detail["subject"]),
        (&json!("LocEmu"), &json!("LocEmu"))
    );
    for target in [
        format!("packages/-/actions/b/activations/{id}"),
        "packages/-/actions/a/activations/x".into(),
    ] {
        client
            .get(&format!("{NEW}/{target}"))
            .await
            .refused(404, "80322");
    }
}

#[tokio::test]
async fn the_detail_lags_behind_the_list() {
    let lag = Duration::from_secs(35);
    let client = Client::with(Options {
        activation_lag: lag,
        ..Options::default()
    })
    .await;
    client.deploy("a", ECHO).await;
    let run = client.run("a", json!({})).await;
    let id = run["activationId"].as_str().unwrap();
    let target = format!("{NEW}/packages/-/actions/a/activations/{id}");
    client.get(&target).await.refused(404, "80322");
    assert_eq!(ids(&client, "activations").await.1, 1);
    client.emulator.clock().advance(Duration::from_secs(36));
    client.get(&target).await.content();
}

#[tokio::test]
async fn history_is_a_month() {
    let client = Client::new().await;
    client.deploy("a", ECHO).await;
    let run = client.run("a", json!({})).await;
    let id = run["activationId"].as_str().unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    client.emulator.clock().advance(29 * day);
    assert_eq!(ids(&client, "activations").await.1, 1);
    client.emulator.clock().advance(2 * day);
    assert_eq!(ids(&client, "activations?start=0").await.1, 0);
    let target = format!("{NEW}/packages/-/actions/a/activations/{id}");
    client.get(&target).await.refused(404, "80322");
    client.run("a", json!({})).await;
    assert_eq!(ids(&client, "activations").await.1, 1);
}

#[tokio::test]
async fn everything_outlives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        data_dir: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let client = Client::with(options()).await;
    client
        .put(&format!("{NEW}/packages/p"), json!({"description": "d"}))
        .await
        .content();
    client.deploy("a", ECHO).await;
    let cron = json!({"cronOption": "* * * * *"});
    client
        .put(&format!("{NEW}/triggers/t?type=cron"), cron)
        .await
        .content();
    client
        .post(
            &format!("{NEW}/triggers/t/link-action"),
            json!({"action": "a"}),
        )
        .await
        .content();
    let run = client.run("a", json!({"x": 1})).await;
    // An action that runs does not keep the data from being opened again.
    client.deploy("busy", "function main() { for (;;); }").await;
    client
        .post(
            &format!("{NEW}/packages/-/actions/busy?timeout=0"),
            json!({}),
        )
        .await
        .content();
    client.emulator.shutdown().await;
    let client = Client::with(options()).await;
    assert_eq!(
        client.get(&format!("{NEW}/packages/p")).await.content()["description"],
        "d"
    );
    assert_eq!(
        client.run("a", json!({})).await["response"]["success"],
        true
    );
    assert_eq!(
        client.get(&format!("{NEW}/triggers/t")).await.content()["actions"],
        json!(["a"])
    );
    let detail = client
        .detail(
            "packages/-/actions/a",
            run["activationId"].as_str().unwrap(),
        )
        .await;
    assert_eq!(detail["response"]["result"], json!({"x": 1}));
    client
        .put(&format!("{NEW}/packages/a"), json!({}))
        .await
        .refused(409, "80011");
    // Cron goes on as well.
    client.emulator.clock().advance(Duration::from_secs(60));
    for _ in 0..100 {
        if ids(&client, "triggers/t/activations").await.1 != 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the cron trigger did not fire after the restart");
}
