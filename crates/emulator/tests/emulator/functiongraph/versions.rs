//! Versions and aliases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::functiongraph::{DEFAULT_PROJECT_ID, Limits, Options};
use serde_json::{Value, json};

use super::client::Client;

async fn change(client: &Client, source: &str) {
    let code = json!({"code_type": "inline", "func_code": {"file": STANDARD.encode(source)}});
    client.put_to("f", "code", code).await.ok();
}

fn returns(number: u32) -> String {
    format!("exports.handler = async () => {number}")
}

/// Version `v1` returns 1, `v2` returns 2, `latest` returns 3.
async fn published() -> Client {
    let client = Client::new().await;
    client.deploy("f", &returns(1)).await;
    client
        .post_to(
            "f",
            "versions",
            json!({"version": "v1", "description": "first"}),
        )
        .await
        .ok();
    change(&client, &returns(2)).await;
    client
        .post_to("f", "versions", json!({"version": "v2"}))
        .await
        .ok();
    change(&client, &returns(3)).await;
    client
}

#[tokio::test]
async fn a_version_stays_as_it_was_published() {
    let client = published().await;
    for slot in ["f", "default:f"] {
        assert_eq!(client.result(slot, json!({})).await, 3);
    }
    let project = DEFAULT_PROJECT_ID;
    for (version, result) in [("latest", 3), ("v1", 1), ("v2", 2)] {
        assert_eq!(
            client
                .result(&format!("{project}:default:f:{version}"), json!({}))
                .await,
            result
        );
    }
    let v1 = client
        .get_of(&format!("{project}:default:f:v1"), "config")
        .await
        .ok();
    assert!(v1["func_urn"].as_str().unwrap().ends_with(":f:v1"));
    let listed = client.get_of("f", "versions").await.ok();
    let names: Vec<_> = listed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["version"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names[0], names.len(), &listed["count"]),
        ("latest", 3, &3.into())
    );
    let first = listed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["version"] == "v1")
        .unwrap();
    assert_eq!(first["version_description"], "first");
    // This list does not look at them.
    let page = client
        .get_of("f", "versions?marker=2&maxitems=1")
        .await
        .ok();
    assert_eq!(
        (
            page["versions"].as_array().unwrap().len(),
            &page["next_marker"]
        ),
        (3, &3.into())
    );
    let code = json!({"code_type": "inline", "func_code": {"file": ""}});
    client
        .put_to(&format!("{project}:default:f:v1"), "code", code)
        .await
        .failed(400, "FSS.1015");
    client
        .run(&format!("{project}:default:f:v9"), json!({}))
        .await
        .failed(404, "FSS.1052");
}

#[tokio::test]
async fn what_can_go_wrong_with_publishing() {
    let limits = Limits {
        versions: 3,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    client
        .post_to("f", "versions", json!({}))
        .await
        .failed(404, "FSS.1051");
    client.deploy("f", &returns(1)).await;
    for bad in ["latest", "-x", "a b", &"x".repeat(43)] {
        client
            .post_to("f", "versions", json!({"version": bad}))
            .await
            .failed(400, "FSS.1015");
    }
    client
        .post_to("f", "versions", json!({"digest": "0"}))
        .await
        .failed(400, "FSS.0400");
    client
        .post_to("f", "versions", json!({"description": "x".repeat(513)}))
        .await
        .failed(400, "FSS.1019");
    let made = client.post_to("f", "versions", json!({})).await.ok();
    let name = made["version"].as_str().unwrap();
    assert!(name.starts_with('v') && name.len() == 16, "{name}");
    client
        .post_to("f", "versions", json!({"version": "again"}))
        .await
        .failed(400, "FSS.1016");
    change(&client, &returns(2)).await;
    client
        .post_to("f", "versions", json!({"version": name}))
        .await
        .failed(409, "FSS.1062");
    let digest = client.get_of("f", "config").await.ok()["digest"].clone();
    client
        .post_to("f", "versions", json!({"version": "1.0", "digest": digest}))
        .await
        .ok();
    change(&client, &returns(3)).await;
    client
        .post_to("f", "versions", json!({"version": "2.0"}))
        .await
        .failed(400, "FSS.0400");
}

#[tokio::test]
async fn an_alias_leads_to_its_version() {
    let client = published().await;
    let made = client
        .post_to(
            "f",
            "aliases",
            json!({"name": "prod", "version": "v1", "description": "d"}),
        )
        .await
        .ok();
    assert_eq!(
        made["alias_urn"],
        format!("urn:fss:cn-north-4:{DEFAULT_PROJECT_ID}:function:default:f:!prod")
    );
    let slot = format!("{DEFAULT_PROJECT_ID}:default:f:!prod");
    assert_eq!(client.result(&slot, json!({})).await, 1);
    assert_eq!(
        client
            .result(&slot.replace(':', "%3A").replace('!', "%21"), json!({}))
            .await,
        1
    );
    assert_eq!(client.get_of("f", "aliases").await.ok(), json!([made]));
    assert_eq!(client.get_of("f", "aliases/prod").await.ok(), made);
    client
        .put_to("f", "aliases/prod", json!({"version": "v2"}))
        .await
        .ok();
    assert_eq!(client.result(&slot, json!({})).await, 2);
    let split = json!({"version": "v2", "additional_version_weights": {"v1": 100}});
    client.put_to("f", "aliases/prod", split).await.ok();
    assert_eq!(client.result(&slot, json!({})).await, 1);
    client
        .delete_of(&format!("{DEFAULT_PROJECT_ID}:default:f:v1"), "")
        .await
        .failed(403, "FSS.1094");
    assert_eq!(client.delete_of("f", "aliases/prod").await.status, 204);
    client.run(&slot, json!({})).await.failed(404, "FSS.1053");
    for answer in [
        client.get_of("f", "aliases/prod").await,
        client.delete_of("f", "aliases/prod").await,
    ] {
        answer.failed(404, "FSS.1053");
    }
}

#[tokio::test]
async fn what_can_go_wrong_with_aliases() {
    let client = published().await;
    let create = |body: Value| client.post_to("f", "aliases", body);
    create(json!({"name": "prod", "version": "v1"})).await.ok();
    for (body, status, code) in [
        (json!({"version": "v2"}), 400, "FSS.1014"),
        (json!({"name": "9", "version": "v2"}), 400, "FSS.1014"),
        (json!({"name": "a"}), 400, "FSS.1015"),
        (json!({"name": "a", "version": "v9"}), 404, "FSS.1052"),
        (json!({"name": "prod", "version": "v2"}), 409, "FSS.1063"),
        (json!({"name": "a", "version": "v1"}), 409, "FSS.1066"),
        (
            json!({"name": "a", "version": "v2", "additional_version_weights": {"v9": 1}}),
            400,
            "FSS.1091",
        ),
        (
            json!({"name": "a", "version": "v2", "additional_version_weights": {"v1": 101}}),
            400,
            "FSS.1092",
        ),
        (
            json!({"name": "a", "version": "v2", "additional_version_weights": {"v1": "1"}}),
            400,
            "FSS.1092",
        ),
        (
            json!({"name": "a", "version": "v2", "additional_version_weights": {"v2": 1}}),
            400,
            "FSS.1093",
        ),
    ] {
        create(body).await.failed(status, code);
    }
    client
        .put_to("f", "aliases/none", json!({"version": "v2"}))
        .await
        .failed(404, "FSS.1053");
    client
        .post_to("g", "aliases", json!({"name": "a", "version": "v1"}))
        .await
        .failed(404, "FSS.1051");
    let limits = Limits {
        aliases: 0,
        ..Limits::default()
    };
    let full = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    full.deploy("f", "1").await;
    full.post_to("f", "aliases", json!({"name": "a", "version": "latest"}))
        .await
        .failed(403, "FSS.1043");
}

#[tokio::test]
async fn deleting_a_version_or_all_of_them() {
    let client = published().await;
    let slot = |qualifier: &str| format!("{DEFAULT_PROJECT_ID}:default:f:{qualifier}");
    client
        .delete_of(&slot("latest"), "")
        .await
        .failed(400, "FSS.1015");
    client
        .post_to("f", "aliases", json!({"name": "prod", "version": "v1"}))
        .await
        .ok();
    // The version behind the alias goes, and the alias with it.
    assert_eq!(client.delete_of(&slot("!prod"), "").await.status, 204);
    client
        .get_of(&slot("v1"), "config")
        .await
        .failed(404, "FSS.1052");
    assert_eq!(client.get_of("f", "aliases").await.ok(), json!([]));
    assert_eq!(client.result(&slot("v2"), json!({})).await, 2);
    assert_eq!(client.delete_of("f", "").await.status, 204);
    client
        .get_of(&slot("v2"), "config")
        .await
        .failed(404, "FSS.1051");
    client.deploy("f", &returns(4)).await;
    assert_eq!(client.get_of("f", "versions").await.ok()["count"], 1);
}
