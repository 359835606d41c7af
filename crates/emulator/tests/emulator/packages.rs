//! Packages and their error codes, in both generations.

use faas_emulator::ncp::{Options, Quotas};
use serde_json::json;

use crate::client::{Client, NEW, OLD};

#[tokio::test]
async fn a_package_from_put_to_delete() {
    let client = Client::new().await;
    for prefix in [NEW, OLD] {
        let path = format!("{prefix}/packages/orders");
        let body = json!({"description": "order functions", "parameters": {"env": "prod"}});
        let put = client.put(&path, body.clone()).await.content();
        assert_eq!(put["namespace"], "LocEmu");
        assert_eq!(put["description"], "order functions");
        assert!(put["resourceId"].is_string());
        let list = client.get(&format!("{prefix}/packages")).await.content();
        assert_eq!(
            list,
            json!([{"name": "orders", "description": "order functions"}])
        );
        let get = client.get(&path).await.content();
        assert_eq!(get["parameters"], json!({"env": "prod"}));
        assert_eq!(get["actions"], json!([]));
        assert_eq!(get["resourceId"], put["resourceId"]);
        let replaced = client.put(&path, json!({})).await.content();
        assert_eq!(
            (&replaced["description"], &replaced["parameters"]),
            (&json!(""), &json!({}))
        );
        let answer = client.delete(&path).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        assert!(!answer.head.to_lowercase().contains("content-length"));
        client.delete(&path).await.refused(404, "80101");
        client.get(&path).await.refused(404, "80101");
    }
}

#[tokio::test]
async fn refusals() {
    let client = Client::new().await;
    let path = format!("{NEW}/packages/p");
    for name in ["-p", "a.b", "%ED%95%A8", "a%20b", &"x".repeat(51)] {
        client
            .put(&format!("{NEW}/packages/{name}"), json!({}))
            .await
            .refused(400, "80100");
    }
    for body in [
        "",
        "[]",
        "5",
        "{",
        "{\"description\": 5}",
        "{\"parameters\": []}",
        "{\"parameters\": null}",
    ] {
        client.send("PUT", &path, body).await.refused(400, "80103");
    }
    // 3000 bytes, not characters.
    client
        .put(&path, json!({"description": "한".repeat(1001)}))
        .await
        .refused(400, "80105");
    client
        .put(&path, json!({"parameters": {"x": "y".repeat(1 << 20)}}))
        .await
        .refused(400, "80105");
    client
        .put(&path, json!({"description": "한".repeat(1000)}))
        .await
        .content();
    client
        .get(&format!("{NEW}/packages/-/actions"))
        .await
        .content();
    client
        .get(&format!("{NEW}/packages/other/actions"))
        .await
        .refused(404, "80101");
}

#[tokio::test]
async fn names_counts_and_contents() {
    let quotas = Quotas {
        packages: 2,
        ..Quotas::default()
    };
    let client = Client::with(Options {
        quotas,
        ..Options::default()
    })
    .await;
    client.deploy("taken", "function main() {}").await;
    client
        .put(
            &format!("{NEW}/triggers/alarm?type=cron"),
            json!({"cronOption": "* * * * *"}),
        )
        .await
        .content();
    for name in ["taken", "alarm"] {
        client
            .put(&format!("{NEW}/packages/{name}"), json!({}))
            .await
            .refused(409, "80011");
    }
    client
        .put(&format!("{NEW}/packages/one"), json!({}))
        .await
        .content();
    client
        .put(&format!("{NEW}/packages/two"), json!({}))
        .await
        .content();
    client
        .put(&format!("{NEW}/packages/two"), json!({}))
        .await
        .content();
    client
        .put(&format!("{NEW}/packages/three"), json!({}))
        .await
        .refused(422, "80106");
    let action = crate::client::action("nodejs:22", "function main() {}");
    client
        .put(&format!("{NEW}/packages/one/actions/inside"), action)
        .await
        .content();
    let get = client.get(&format!("{NEW}/packages/one")).await.content();
    assert_eq!(get["actions"][0]["name"], "inside");
    client
        .delete(&format!("{NEW}/packages/one"))
        .await
        .refused(409, "80109");
    client
        .delete(&format!("{NEW}/packages/one/actions/inside"))
        .await;
    assert_eq!(
        client.delete(&format!("{NEW}/packages/one")).await.status,
        204
    );
}
