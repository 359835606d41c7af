//! Every answer of FunctionGraph and IAM against its documents, member by member: `../shapes.txt`.

use faas_emulator::functiongraph::{DEFAULT_DOMAIN, DEFAULT_PROJECT_ID, DEFAULT_USER, Options};
use serde_json::{Value, json};

use super::client::{Client, function, functions};
use crate::client::Answer;
use crate::shape::Shapes;

const SOURCE: &str =
    "exports.handler = async (event) => { if (event.fail) throw new Error('boom'); return event }";

/// A create with every field that the emulator knows.
fn everything() -> Value {
    let mut body = function("full", "Node.js20.15", SOURCE);
    let more = json!({
        "package": "app", "description": "d", "user_data": "{\"a\":\"1\"}", "encrypted_user_data": "{\"b\":\"2\"}",
        "xrole": "x", "app_xrole": "y", "enterprise_project_id": "0", "type": "v2", "gpu_type": "t", "gpu_memory": 1024,
        "domain_names": "[]", "tags": "k=v", "user_data_encrypt_kms_key_id": "k", "code_encrypt_kms_key_id": "k",
        "initializer_handler": "index.handler", "initializer_timeout": 3, "pre_stop_handler": "index.handler",
        "pre_stop_timeout": 3, "is_stateful_function": true, "enable_dynamic_memory": true,
        "func_vpc": {"vpc_id": "v", "subnet_id": "s"}, "depend_version_list": ["id"],
        "mount_config": {"mount_user": {"user_id": 7, "user_group_id": 7}, "func_mounts": []},
        "enable_lts_log": true, "lts_custom_tag": {"a": "b"},
        "log_config": {"group_id": "g", "group_name": "gn", "stream_id": "s", "stream_name": "sn"},
        "network_controller": {"disable_public_network": false},
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn item(answer: &Answer, list: &str) -> Value {
    answer.json()[list][0].clone()
}

async fn objects(client: &Client, shapes: &mut Shapes) {
    shapes.check(
        "functiongraph function",
        &client.create(function("f", "Node.js20.15", SOURCE)).await,
    );
    let made = client.create(everything()).await;
    shapes.check("functiongraph function", &made);
    let made = made.json();
    assert_eq!(
        (&made["log_group_id"], &made["log_stream_id"]),
        (&"g".into(), &"s".into())
    );
    let mut config = everything();
    let fields = config.as_object_mut().unwrap();
    fields.retain(|name, _| {
        !matches!(
            name.as_str(),
            "package" | "code_type" | "func_code" | "type"
        )
    });
    let more = json!({
        "strategy_config": {"concurrent_num": 5}, "ephemeral_storage": 512, "peering_cidr": "c", "extend_config": "e",
        "heartbeat_handler": "index.beat", "enable_class_isolation": true, "enable_auth_in_header": true,
        "restore_hook_handler": "index.restore", "restore_hook_timeout": 3,
    });
    fields.extend(more.as_object().unwrap().clone());
    shapes.check(
        "functiongraph function",
        &client.put_to("app:full", "config", config).await,
    );
    shapes.check(
        "functiongraph function config",
        &client.get_of("app:full", "config").await,
    );
    shapes.check(
        "functiongraph log",
        &client.get_of("app:full", "lts-log-detail").await,
    );
    let limited = client
        .put_to("f", "config-max-instance", json!({"max_instance_num": 9}))
        .await;
    shapes.check("functiongraph function", &limited);

    let listed = client.get(&functions()).await;
    shapes.check("functiongraph functions", &listed);
    for item in listed.json()["functions"].as_array().unwrap() {
        shapes.check_value("functiongraph functions item", item);
    }
    shapes.check("functiongraph code", &client.get_of("f", "code").await);
    let code =
        json!({"code_type": "inline", "func_code": {"file": ""}, "depend_version_list": ["id"]});
    shapes.check(
        "functiongraph code",
        &client.put_to("app:full", "code", code).await,
    );

    let published = client
        .post_to("f", "versions", json!({"version": "v1"}))
        .await;
    shapes.check("functiongraph version", &published);
    let versions = client.get_of("f", "versions").await;
    shapes.check("functiongraph versions", &versions);
    shapes.check_value("functiongraph version", &item(&versions, "versions"));
    let alias =
        json!({"name": "prod", "version": "v1", "additional_version_weights": {"latest": 10}});
    shapes.check(
        "functiongraph alias",
        &client.post_to("f", "aliases", alias).await,
    );
    shapes.check(
        "functiongraph alias",
        &client.get_of("f", "aliases/prod").await,
    );
    shapes.check(
        "functiongraph aliases",
        &client.get_of("f", "aliases").await,
    );
    let alone = client
        .put_to("f", "aliases/prod", json!({"version": "v1"}))
        .await;
    shapes.check("functiongraph alias", &alone);
    let quotas = client
        .get(&format!("/v2/{DEFAULT_PROJECT_ID}/fgs/quotas"))
        .await;
    shapes.check("functiongraph quotas", &quotas);
    shapes.check(
        "functiongraph refused",
        &client.get_of("gone", "config").await,
    );
    shapes.check(
        "functiongraph deleted",
        &client.delete_of("f", "aliases/prod").await,
    );
}

async fn runs(client: &Client, shapes: &mut Shapes) {
    shapes.check(
        "functiongraph run v1",
        &client.run("f", json!({"a": 1})).await,
    );
    let v0 = client.post_to("f", "invocations", json!({"a": 1})).await;
    shapes.check("functiongraph run v0", &v0);
    assert_eq!(v0.body, br#"{"a":1}"#);
    let failed = client.run("f", json!({"fail": true})).await;
    shapes.check("functiongraph run failed", &failed);
    let result = failed.json()["result"].as_str().unwrap().to_owned();
    shapes.check_value(
        "functiongraph failure",
        &serde_json::from_str(&result).unwrap(),
    );

    let config = json!({
        "enable_async_status_log": true, "max_async_retry_attempts": 0,
        "destination_config": {"on_failure": {"destination": "SMN", "param": "{\"topic_urn\":\"t\"}"}},
        "log_group_id": "g", "log_group_name": "gn", "log_stream_id": "s", "log_stream_name": "sn",
    });
    let path = "async-invoke-config";
    shapes.check(
        "functiongraph async config",
        &client.put_to("f", path, config).await,
    );
    shapes.check(
        "functiongraph async config",
        &client.get_of("f", path).await,
    );
    let configs = client.get_of("f", "async-invoke-configs").await;
    shapes.check("functiongraph async configs", &configs);
    shapes.check_value(
        "functiongraph async config",
        &item(&configs, "async_invoke_configs"),
    );
    let on = client
        .post(
            &format!("{}/enable-async-status-logs", functions()),
            json!({}),
        )
        .await;
    shapes.check("functiongraph status log on", &on);
    let status_log = client
        .get(&format!("{}/async-status-log-detail", functions()))
        .await;
    shapes.check("functiongraph status log", &status_log);
    for event in [json!({}), json!({"fail": true})] {
        let submitted = client.post_to("f", "invocations-async", event).await;
        shapes.check("functiongraph async", &submitted);
    }
    let over = |body: &Value| {
        let runs = body["invocations"].as_array().unwrap();
        runs.len() == 2 && runs.iter().all(|run| run["end_time"].is_string())
    };
    client
        .until(&format!("{}/f/async-invocations", functions()), over)
        .await;
    shapes.check(
        "functiongraph records",
        &client.get_of("f", "async-invocations").await,
    );
    client
        .deploy("slow", "exports.handler = async () => new Promise(() => 0)")
        .await;
    let submitted = client
        .post_to("slow", "invocations-async", json!({}))
        .await
        .json();
    let active = client.get_of("slow", "active-async-invocations").await;
    shapes.check("functiongraph records", &active);
    let cancel = json!({"request_id": submitted["request_id"]});
    shapes.check(
        "functiongraph cancelled",
        &client.post_to("slow", "cancel", cancel).await,
    );
    shapes.check("functiongraph deleted", &client.delete_of("f", path).await);
}

async fn refusals(client: &mut Client, shapes: &mut Shapes) {
    let faults = client.emulator.faults();
    faults.add("code=APIGW.0308,count=1".parse().unwrap());
    faults.add("status=504,count=1".parse().unwrap());
    shapes.check("functiongraph throttled", &client.get(&functions()).await);
    shapes.check("functiongraph too slow", &client.get(&functions()).await);
    for (password, name) in [
        (client.password.clone(), "iam token"),
        ("wrong".to_owned(), "iam refused"),
    ] {
        let user =
            json!({"name": DEFAULT_USER, "password": password, "domain": {"name": DEFAULT_DOMAIN}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let scope = json!({"project": {"name": "cn-north-4"}});
        let body = json!({"auth": {"identity": identity, "scope": scope}}).to_string();
        let head = format!(
            "POST /v3/auth/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        shapes.check(name, &client.plain(&head, body.as_bytes()).await);
    }
    client.secret_key = "another".to_owned();
    shapes.check(
        "functiongraph refused by the gateway",
        &client.get(&functions()).await,
    );
}

#[tokio::test]
async fn every_answer_has_the_members_of_its_document_and_no_others() {
    let mut shapes = Shapes::read();
    let mut client = Client::new().await;
    objects(&client, &mut shapes).await;
    runs(&client, &mut shapes).await;
    refusals(&mut client, &mut shapes).await;
    shapes.all_were_compared(&["functiongraph", "iam"]);
}

#[tokio::test]
async fn a_back_end_may_ignore_markers_and_limits() {
    let client = Client::with(Options {
        ignore_paging: true,
        ..Options::default()
    })
    .await;
    for name in ["a", "b", "c"] {
        client.deploy(name, SOURCE).await;
    }
    for query in ["maxitems=1", "maxitems=1&marker=1", "marker=3"] {
        let body = client.get(&format!("{}?{query}", functions())).await.ok();
        assert_eq!(body["functions"].as_array().unwrap().len(), 3, "{query}");
        assert_eq!(
            (&body["count"], &body["next_marker"]),
            (&3.into(), &3.into())
        );
    }
}

#[tokio::test]
async fn updates_that_the_cloud_refuses() {
    let client = Client::new().await;
    let log = json!({"group_id": "g", "group_name": "gn", "stream_id": "s", "stream_name": "sn"});
    let mut body = function("f", "Node.js20.15", SOURCE);
    body["func_vpc"] = json!({"vpc_id": "v", "subnet_id": "s", "is_safety": true});
    // A new function may leave the group to the cloud.
    body["enable_lts_log"] = true.into();
    client.create(body.clone()).await.ok();
    let names = client.get_of("f", "lts-log-detail").await.ok();
    let put = |changes: Value| {
        let mut config = json!({
            "func_name": "f", "runtime": "Node.js20.15", "handler": "index.handler", "memory_size": 128, "timeout": 3,
            "func_vpc": {"vpc_id": "v", "subnet_id": "s", "is_safety": true},
        });
        config
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        client.put_to("f", "config", config)
    };
    // An update may not, and the configuration does not have the names that it needs.
    let told = put(json!({"enable_lts_log": true}))
        .await
        .failed(400, "FSS.0400");
    assert!(told.contains("log_config"), "{told}");
    assert!(
        client
            .get_of("f", "config")
            .await
            .ok()
            .get("log_config")
            .is_none()
    );
    put(json!({"enable_lts_log": true, "log_config": names}))
        .await
        .ok();
    put(json!({"enable_lts_log": false, "log_config": log}))
        .await
        .failed(400, "FSS.0400");
    put(json!({"type": "v1"})).await.failed(400, "FSS.0400");
    put(json!({"func_vpc": {"vpc_id": "v", "subnet_id": "s"}}))
        .await
        .failed(400, "FSS.0400");
    put(json!({"runtime": "Python3.9"}))
        .await
        .failed(400, "FSS.1005");
    client.get_of("f", "config").await.ok();

    // Each member of the strategy stands for itself.
    let strategy = |answer: &Answer| answer.ok()["strategy_config"].clone();
    let changed = put(json!({"strategy_config": {"concurrent_num": 10}})).await;
    assert_eq!(
        strategy(&changed),
        json!({"concurrency": 400, "concurrent_num": 10})
    );
    let changed = put(json!({"strategy_config": {"concurrency": 7}})).await;
    assert_eq!(
        strategy(&changed),
        json!({"concurrency": 7, "concurrent_num": 10})
    );
    let changed = put(json!({"strategy_config": {"concurrent_num": -1}})).await;
    assert_eq!(
        strategy(&changed),
        json!({"concurrency": 7, "concurrent_num": -1})
    );
    assert_eq!(
        strategy(&put(json!({})).await),
        json!({"concurrency": 7, "concurrent_num": -1})
    );
    client.run("f", json!({})).await.ok();

    let image = json!({
        "func_name": "i", "package": "default", "runtime": "Custom Image", "handler": "-", "memory_size": 128,
        "timeout": 3, "custom_image": {"enabled": true, "image": "swr/x:1"},
    });
    client.create(image).await.ok();
    let code = json!({"code_type": "inline", "func_code": {"file": ""}});
    client
        .put_to("i", "code", code)
        .await
        .failed(400, "FSS.1006");
}
