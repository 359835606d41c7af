//! Links, firing and cron.

use std::time::Duration;

use faas_emulator::ncp::{Options, Quotas};
use serde_json::{Value, json};

use crate::client::{Client, NEW, OLD};
use crate::triggers::{ECHO, put_path};

fn link_path(name: &str) -> String {
    format!("{NEW}/triggers/{name}/link-action")
}

#[tokio::test]
async fn links() {
    let quotas = Quotas {
        links_per_action: 2,
        links_per_trigger: 2,
        ..Quotas::default()
    };
    let client = Client::with(Options {
        quotas,
        ..Options::default()
    })
    .await;
    for name in ["a", "b", "c"] {
        client.deploy(name, ECHO).await;
    }
    for name in ["t", "u", "v"] {
        client
            .put(&put_path(name, "cron"), json!({"cronOption": "0 0 1 1 *"}))
            .await
            .content();
    }
    let linked = client
        .post(&link_path("t"), json!({"action": "a", "package": "-"}))
        .await
        .content();
    assert_eq!(
        linked,
        json!({
            "action": {"name": "a", "path": "LocEmu"}, "namespace": "LocEmu", "status": "active",
            "trigger": {"name": "t", "path": "LocEmu"},
        })
    );
    client
        .post(&link_path("t"), json!({"action": "a"}))
        .await
        .refused(409, "80901");
    client
        .post(&link_path("t"), json!({"action": "b"}))
        .await
        .content();
    client
        .post(&link_path("t"), json!({"action": "c"}))
        .await
        .refused(422, "80519");
    client
        .post(&link_path("u"), json!({"action": "a"}))
        .await
        .content();
    client
        .post(&link_path("v"), json!({"action": "a"}))
        .await
        .refused(422, "80324");
    let get = client.get(&format!("{NEW}/triggers/t")).await.content();
    assert_eq!(get["actions"], json!(["a", "b"]));
    for (body, code) in [
        ("", "80520"),
        ("[]", "80520"),
        ("{\"action\": 5}", "80520"),
        ("{}", "80521"),
    ] {
        client
            .send("POST", &link_path("t"), body)
            .await
            .refused(400, code);
        client
            .send("DELETE", &link_path("t"), body)
            .await
            .refused(400, code);
    }
    client
        .post(&link_path("t"), json!({"action": "gone"}))
        .await
        .refused(404, "80301");
    client
        .post(&link_path("gone"), json!({"action": "a"}))
        .await
        .refused(404, "80501");
    let unlink = json!({"action": "b", "package": "-"}).to_string();
    assert_eq!(
        client.send("DELETE", &link_path("t"), &unlink).await.status,
        204
    );
    client
        .send("DELETE", &link_path("t"), &unlink)
        .await
        .refused(404, "80301");
    // Links go with either end.
    assert_eq!(
        client
            .delete(&format!("{NEW}/packages/-/actions/a"))
            .await
            .status,
        204
    );
    client
        .post(&format!("{NEW}/triggers/t"), json!({}))
        .await
        .refused(400, "80512");
    // The old generation wants the package, and platforms must agree.
    client
        .put(
            &format!("{OLD}/triggers/old?type=basic"),
            json!({"trigger": {}}),
        )
        .await
        .content();
    let old = format!("{OLD}/triggers/old/link-action");
    client
        .post(&old, json!({"action": "c"}))
        .await
        .refused(400, "80521");
    client
        .post(&old, json!({"action": "c", "package": "-"}))
        .await
        .refused(400, "80302");
}

#[tokio::test]
async fn fire() {
    let client = Client::new().await;
    client
        .put(
            &format!("{NEW}/packages/p"),
            json!({"parameters": {"from": "package", "p": 1}}),
        )
        .await
        .content();
    let mut body = crate::client::action("nodejs:22", ECHO);
    body["parameters"] = json!({"from": "action", "a": 1});
    client
        .put(&format!("{NEW}/packages/p/actions/echo"), body)
        .await
        .content();
    let trigger = json!({"cronOption": "0 0 1 1 *", "parameters": {"from": "trigger", "t": 1}});
    client.put(&put_path("t", "cron"), trigger).await.content();
    let target = format!("{NEW}/triggers/t");
    client.post(&target, json!({})).await.refused(400, "80512");
    client
        .post(&link_path("t"), json!({"action": "echo", "package": "p"}))
        .await
        .content();
    for body in ["[]", "x"] {
        client
            .send("POST", &target, body)
            .await
            .refused(400, "80511");
    }
    let fired = client
        .post(&target, json!({"from": "runtime"}))
        .await
        .content();
    assert_eq!(fired.as_object().unwrap().len(), 1);
    let id = fired["activationId"].as_str().unwrap();
    let detail = client.detail("triggers/t", id).await;
    assert_eq!(
        detail["response"]["result"],
        json!({"from": "runtime", "t": 1})
    );
    let line: Value = serde_json::from_str(detail["logs"][0].as_str().unwrap()).unwrap();
    assert_eq!(
        (&line["success"], &line["statusCode"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(line["action"], "LocEmu/p/echo");
    let run = client
        .detail(
            "packages/p/actions/echo",
            line["activationId"].as_str().unwrap(),
        )
        .await;
    assert_eq!(
        run["response"]["result"],
        json!({"from": "runtime", "p": 1, "a": 1, "t": 1})
    );
    let list = client.get(&format!("{target}/activations")).await.content();
    assert_eq!(list["totalCount"], 1);
    assert_eq!(list["activations"][0]["activationId"], id);
    client
        .get(&format!("{target}/activations/{}", "0".repeat(32)))
        .await
        .refused(404, "80518");
    // A trigger without parameters of the call may have an empty body.
    assert_eq!(client.send("POST", &target, "").await.status, 200);
}

#[tokio::test]
async fn cron_fires_when_its_minute_comes() {
    let client = Client::new().await;
    client.deploy("a", ECHO).await;
    client
        .put(
            &put_path("t", "cron"),
            json!({"cronOption": "* * * * *", "parameters": {"x": 1}}),
        )
        .await
        .content();
    client
        .post(&link_path("t"), json!({"action": "a"}))
        .await
        .content();
    client.emulator.clock().advance(Duration::from_secs(60));
    let list = format!("{NEW}/packages/-/actions/a/activations");
    for _ in 0..100 {
        if client.get(&list).await.content()["totalCount"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = client.get(&list).await.content();
    let id = found["activations"][0]["activationId"].as_str().unwrap();
    let detail = client.detail("packages/-/actions/a", id).await;
    assert_eq!(detail["response"]["result"], json!({"x": 1}));
}
