//! Triggers of every type and their error codes, in both generations.

use faas_emulator::ncp::{Options, Quotas, Site};
use serde_json::{Value, json};

use crate::client::{Client, NEW, OLD};

pub(crate) const ECHO: &str = "function main(p) { return p }";

pub(crate) fn put_path(name: &str, kind: &str) -> String {
    format!("{NEW}/triggers/{name}?type={kind}")
}

fn github() -> Value {
    json!({
        "credential": {"username": "u", "accessToken": "secret", "repository": "org/repo"},
        "events": ["push", "pull_request"],
        "link": {"productName": "p", "apiName": "a", "stageName": "s"},
    })
}

#[tokio::test]
async fn a_cron_trigger_from_put_to_delete() {
    let client = Client::new().await;
    let body =
        json!({"cronOption": "0 3 * * *", "parameters": {"job": "clean"}, "description": "d"});
    let put = client
        .put(&put_path("nightly", "cron"), body)
        .await
        .content();
    assert_eq!(
        (&put["name"], &put["triggerType"]),
        (&json!("nightly"), &json!("cron"))
    );
    assert_eq!(put["cronOption"], "0 3 * * *");
    let get = client
        .get(&format!("{NEW}/triggers/nightly"))
        .await
        .content();
    assert_eq!(
        get["execOption"],
        json!([{"key": "cronOption", "value": "0 3 * * *"}])
    );
    assert_eq!(
        (&get["type"], &get["actions"], &get["description"]),
        (&json!("cron"), &json!([]), &json!("d"))
    );
    let list = client.get(&format!("{NEW}/triggers")).await.content();
    assert_eq!(
        list,
        json!({"triggers": [{"name": "nightly", "type": "cron"}]})
    );
    client
        .put(&put_path("nightly", "object_storage"), json!({}))
        .await
        .refused(400, "80504");
    assert_eq!(
        client
            .delete(&format!("{NEW}/triggers/nightly"))
            .await
            .status,
        204
    );
    for answer in [
        client.delete(&format!("{NEW}/triggers/nightly")).await,
        client.get(&format!("{NEW}/triggers/nightly")).await,
        client
            .post(&format!("{NEW}/triggers/nightly"), json!({}))
            .await,
        client
            .get(&format!("{NEW}/triggers/nightly/activations"))
            .await,
        client
            .get(&format!("{NEW}/triggers/nightly/activations/x"))
            .await,
    ] {
        answer.refused(404, "80501");
    }
}

#[tokio::test]
async fn every_type() {
    let client = Client::new().await;
    let put = client
        .put(&put_path("hub", "github"), github())
        .await
        .content();
    assert_eq!(
        put["credential"]["accessToken"], "secret",
        "the token is echoed"
    );
    let get = client.get(&format!("{NEW}/triggers/hub")).await.content();
    assert!(
        get["execOption"]
            .as_array()
            .unwrap()
            .contains(&json!({"key": "accessToken", "value": "secret"}))
    );
    // The link is for creation only.
    let mut again = github();
    again.as_object_mut().unwrap().remove("link");
    client
        .put(&put_path("hub", "github"), again.clone())
        .await
        .content();
    client
        .put(&put_path("hub2", "github"), again)
        .await
        .refused(400, "80506");
    let insight = json!({"insightLink": [{"prodKey": "k", "ruleGrpId": "r", "reminderTime": 5}]});
    let put = client
        .put(&put_path("i", "insight"), insight)
        .await
        .content();
    assert_eq!(put["insightLink"][0]["enableNotiWhenEventClose"], false);
    client
        .put(&put_path("i0", "insight"), json!({}))
        .await
        .content();
    let storage = json!({"objectStorageLink": [{"bucketName": "b", "eventRuleName": "e"}]});
    client
        .put(&put_path("o", "object_storage"), storage)
        .await
        .content();
    let commit = json!({"sourceCommitLink": [{"repositoryName": "r", "webhookName": "w"}]});
    let put = client
        .put(&put_path("s", "source_commit"), commit)
        .await
        .content();
    assert_eq!(put["sourceCommitLink"][0]["enable"], true);
    let secret = json!({"secretManagerLink": [{"secretName": "one"}]});
    client
        .put(&put_path("m", "secret_manager"), secret.clone())
        .await
        .content();
    client
        .put(&put_path("m", "secret_manager"), secret.clone())
        .await
        .content();
    client
        .put(&put_path("m2", "secret_manager"), secret)
        .await
        .refused(400, "80507");
}

#[tokio::test]
async fn refusals() {
    let quotas = Quotas {
        triggers: 1,
        ..Quotas::default()
    };
    let client = Client::with(Options {
        quotas,
        ..Options::default()
    })
    .await;
    let cron = json!({"cronOption": "* * * * *"});
    client
        .put(&put_path("-t", "cron"), cron.clone())
        .await
        .refused(400, "80500");
    client
        .put(&format!("{NEW}/triggers/t"), cron.clone())
        .await
        .refused(400, "80503");
    client
        .put(&put_path("t", "iot"), cron.clone())
        .await
        .refused(400, "80503");
    client
        .put(&put_path("t", "Cron"), cron.clone())
        .await
        .refused(400, "80503");
    client
        .send("PUT", &put_path("t", "cron"), "")
        .await
        .refused(400, "80505");
    client
        .put(&put_path("t", "cron"), json!({}))
        .await
        .refused(400, "80506");
    client
        .put(&put_path("t", "cron"), json!({"trigger": cron}))
        .await
        .refused(400, "80506");
    client
        .put(&put_path("t", "cron"), json!({"cronOption": 5}))
        .await
        .refused(400, "80505");
    for pattern in ["", "* * * *", "0 0 * * * *", "61 * * * *", "@daily"] {
        client
            .put(&put_path("t", "cron"), json!({ "cronOption": pattern }))
            .await
            .refused(400, "80507");
    }
    let changed = |pointer: &str, value: Value| {
        let mut body = github();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (pointer, value, code) in [
        ("/events", json!("push"), "80505"),
        ("/events", json!([]), "80507"),
        ("/events", json!(["pushed"]), "80507"),
        ("/credential", json!("x"), "80505"),
        ("/credential/accessToken", Value::Null, "80506"),
        ("/credential/username", json!(""), "80507"),
        ("/link/apiName", json!(1), "80505"),
    ] {
        client
            .put(&put_path("t", "github"), changed(pointer, value))
            .await
            .refused(400, code);
    }
    let insight = |minutes: i64| json!({"insightLink": [{"prodKey": "k", "ruleGrpId": "r", "reminderTime": minutes}]});
    client
        .put(&put_path("t", "insight"), insight(4))
        .await
        .refused(400, "80507");
    client
        .put(&put_path("t", "insight"), insight(721))
        .await
        .refused(400, "80507");
    client
        .put(&put_path("t", "object_storage"), json!({}))
        .await
        .refused(400, "80506");
    client
        .put(
            &put_path("t", "object_storage"),
            json!({"objectStorageLink": []}),
        )
        .await
        .refused(400, "80507");
    client
        .put(
            &put_path("t", "source_commit"),
            json!({"sourceCommitLink": [{}]}),
        )
        .await
        .refused(400, "80506");
    client.deploy("taken", ECHO).await;
    client
        .put(&put_path("taken", "cron"), cron.clone())
        .await
        .refused(409, "80011");
    client
        .put(&put_path("t", "cron"), cron.clone())
        .await
        .content();
    client
        .put(&put_path("t2", "cron"), cron)
        .await
        .refused(422, "80508");
}

#[tokio::test]
async fn sites_and_generations() {
    let client = Client::new().await;
    let old = |name: &str, kind: &str| format!("{OLD}/triggers/{name}?type={kind}");
    let body = json!({"trigger": {"cronOption": "*/1 * * * *", "description": "d"}, "link": {}});
    client.put(&old("t", "cron"), body.clone()).await.content();
    let get = client.get(&format!("{OLD}/triggers/t")).await.content();
    assert_eq!(
        get["execOption"],
        json!({"key": "ncf_triggerOptions", "value": [{"key": "cron", "value": "*/1 * * * *"}]})
    );
    client
        .put(&old("u", "cron"), json!({"cronOption": "* * * * *"}))
        .await
        .refused(400, "80506");
    client
        .put(&format!("{OLD}/triggers/b"), json!({"trigger": {}}))
        .await
        .content();
    let hub = json!({
        "trigger": {
            "credentials": {"username": "u", "accessToken": "s", "repository": "r"},
            "events": ["*"],
        },
        "link": {"productId": "p", "apiName": "a", "stageName": "s"},
    });
    client.put(&old("hub", "github"), hub).await.content();
    client
        .put(&old("m", "secret_manager"), json!({"trigger": {}}))
        .await
        .refused(400, "80503");
    let classic = format!("{}&platform=classic", put_path("m", "secret_manager"));
    client.put(&classic, json!({})).await.refused(400, "80503");
    let sg = Client::with(Options {
        site: Site::Singapore,
        ..Options::default()
    })
    .await;
    sg.put(&put_path("s", "source_commit"), json!({}))
        .await
        .refused(400, "80503");
    let gov = Client::with(Options {
        site: Site::Government,
        ..Options::default()
    })
    .await;
    gov.put(&old("i", "insight"), json!({"trigger": {}}))
        .await
        .refused(400, "80503");
    gov.put(&old("t", "cron"), body).await.content();
}
