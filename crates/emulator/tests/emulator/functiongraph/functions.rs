//! Create, read, change, list, delete and their error codes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::functiongraph::{DEFAULT_PROJECT_ID, EndOfList, Limits, Options};
use serde_json::{Value, json};

use super::client::{Client, function, functions};

const SOURCE: &str = "exports.handler = async () => 1";
const NODE: &str = "Node.js20.15";

/// The body with other fields; `null` takes one away.
fn with(mut body: Value, changes: Value) -> Value {
    let (Some(fields), Value::Object(changes)) = (body.as_object_mut(), changes) else {
        panic!("both must be objects");
    };
    fields.extend(changes);
    fields.retain(|_, value| !value.is_null());
    body
}

#[tokio::test]
async fn a_function_comes_back_as_it_was_made() {
    let client = Client::new().await;
    let body = with(
        function("hello", NODE, SOURCE),
        json!({
            "package": "app_1", "description": "d", "user_data": "{\"a\":\"1\"}",
            "encrypted_user_data": "{\"key\":\"hidden\"}", "xrole": "role", "enable_dynamic_memory": true,
            "func_vpc": {"vpc_id": "v", "subnet_id": "s"},
        }),
    );
    let made = client.create(body.clone()).await;
    assert_eq!(made.status, 200);
    let made = made.json();
    let urn = format!("urn:fss:cn-north-4:{DEFAULT_PROJECT_ID}:function:app_1:hello");
    assert_eq!(made["func_urn"], format!("{urn}:latest"));
    assert_eq!(made["version"], "latest");
    assert_eq!(
        (&made["memory_size"], &made["cpu"]),
        (&128.into(), &300.into())
    );
    assert_eq!(
        (&made["code_size"], &made["digest"].as_str().unwrap().len()),
        (&SOURCE.len().into(), &128)
    );
    assert_eq!(made["encrypted_user_data"], "{\"key\":\"\"}");
    assert_eq!(made["user_data"], "{\"a\":\"1\"}");
    assert!(made["last_modified"].as_str().unwrap().ends_with("+08:00"));
    assert_eq!(client.get_of("app_1:hello", "config").await.ok(), made);
    assert_eq!(
        client.create(body).await.failed(409, "FSS.1061"),
        "The function has existed"
    );
    let code = client.get_of("app_1:hello", "code").await.ok();
    assert_eq!(code["func_code"]["file"], STANDARD.encode(SOURCE));
    assert_eq!(code["digest"], made["digest"]);
    let listed = client.get(&functions()).await.ok();
    let item = &listed["functions"][0];
    assert_eq!(
        (&item["func_urn"], &item["func_vpc_id"]),
        (&urn.into(), &"v".into())
    );
    assert!(item.get("func_vpc").is_none() && item["fail_count"] == 0);
    client.delete_of("app_1:hello", "").await.ok();
    client
        .get_of("app_1:hello", "config")
        .await
        .failed(404, "FSS.1051");
    client
        .delete_of("app_1:hello", "")
        .await
        .failed(404, "FSS.1051");
}

#[tokio::test]
async fn each_field_has_its_code() {
    let limits = Limits {
        package_code: 100,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    let many: serde_json::Map<_, _> = (0..21).map(|n| (format!("k{n}"), "v".into())).collect();
    let zip = |bytes: &[u8]| json!({"code_type": "zip", "code_filename": "a.zip", "func_code": {"file": STANDARD.encode(bytes)}});
    for (changes, status, code) in [
        (json!({"func_name": null}), 400, "FSS.1002"),
        (json!({"func_name": "9a"}), 400, "FSS.1002"),
        (json!({"func_name": 7}), 400, "FSS.1002"),
        (json!({"package": null}), 400, "FSS.1004"),
        (json!({"package": "a b"}), 400, "FSS.1004"),
        (json!({"runtime": ""}), 400, "FSS.1005"),
        (json!({"handler": "handler"}), 400, "FSS.1003"),
        (json!({"handler": "a."}), 400, "FSS.1003"),
        (
            json!({"handler": format!("{}.h", "a".repeat(127))}),
            400,
            "FSS.1003",
        ),
        (json!({"memory_size": 129}), 400, "FSS.1007"),
        (json!({"memory_size": "128"}), 400, "FSS.1007"),
        (json!({"memory_size": 8192}), 400, "FSS.1007"),
        (json!({"timeout": 2}), 400, "FSS.1008"),
        (json!({"timeout": 259_201}), 400, "FSS.1008"),
        (json!({"timeout": null}), 400, "FSS.1008"),
        (json!({"code_type": null}), 400, "FSS.1006"),
        (json!({"code_type": "tar"}), 400, "FSS.1006"),
        (json!({"code_type": "obs"}), 400, "FSS.1010"),
        (json!({"func_code": null}), 400, "FSS.1012"),
        (json!({"func_code": {"file": "?"}}), 400, "FSS.1011"),
        (
            json!({"func_code": {"file": STANDARD.encode([0xff; 3])}}),
            400,
            "FSS.1011",
        ),
        (
            json!({"func_code": {"file": STANDARD.encode([b' '; 10_241])}}),
            413,
            "FSS.1072",
        ),
        (zip(b"no zip"), 400, "FSS.1011"),
        (zip(b""), 400, "FSS.1012"),
        (zip(&[0; 101]), 413, "FSS.1071"),
        (json!({"code_type": "zip"}), 400, "FSS.1013"),
        (json!({"user_data": "[]"}), 400, "FSS.1009"),
        (json!({"user_data": "{\"a\":1}"}), 400, "FSS.1009"),
        (json!({"encrypted_user_data": {}}), 400, "FSS.1009"),
        (
            json!({"user_data": Value::Object(many).to_string()}),
            400,
            "FSS.1017",
        ),
        (
            json!({"user_data": json!({"a": "x".repeat(4096)}).to_string()}),
            400,
            "FSS.1018",
        ),
        (json!({"description": "x".repeat(513)}), 400, "FSS.1019"),
        (
            json!({"strategy_config": {"concurrency": 1001}}),
            400,
            "FSS.1026",
        ),
        (
            json!({"strategy_config": {"concurrent_num": -2}}),
            400,
            "FSS.1026",
        ),
        (
            json!({"enable_lts_log": false, "log_config": {"group_id": "g"}}),
            400,
            "FSS.0400",
        ),
        (json!({"initializer_timeout": 259_201}), 400, "FSS.0400"),
        (json!({"gpu_memory": 1025}), 400, "FSS.0400"),
        (json!({"ephemeral_storage": 1024}), 400, "FSS.0400"),
        (json!({"pre_stop_timeout": 0}), 400, "FSS.0400"),
        (json!({"enable_lts_log": "true"}), 400, "FSS.0400"),
        (json!({"depend_version_list": [1]}), 400, "FSS.0400"),
    ] {
        let answer = client
            .create(with(function("f", NODE, SOURCE), changes.clone()))
            .await;
        assert_eq!(
            (answer.status, &answer.json()["error_code"]),
            (status, &code.into()),
            "{changes}"
        );
    }
    for (index, changes) in [
        json!({"runtime": "Cobol99", "handler": "xyz"}),
        json!({"runtime": "Custom", "handler": "bootstrap"}),
        json!({"runtime": "Custom Image", "handler": "-", "code_type": null, "func_code": null, "custom_image": {"enabled": true, "image": "swr/x:1"}}),
        json!({"memory_size": 10240, "enable_dynamic_memory": true}),
        json!({"code_type": "obs", "code_url": "https://b.obs.x/y.zip", "func_code": null}),
        json!({"func_code": {"file": ""}}),
        json!({"user_data": "", "func_vpc": null}),
        json!({"initializer_timeout": 259_200, "gpu_memory": 2048, "ephemeral_storage": 10240, "package": "_9-"}),
    ]
    .into_iter()
    .enumerate()
    {
        client.create(with(function(&format!("ok{index}"), NODE, SOURCE), changes)).await.ok();
    }
    assert_eq!(
        client.result("ok5", json!({"a": 1})).await,
        json!({"statusCode": 200, "body": {"a": 1}})
    );
}

#[tokio::test]
async fn configuration_and_code_are_put_apart() {
    let client = Client::new().await;
    client
        .create(with(
            function("f", NODE, SOURCE),
            json!({"description": "d", "encrypted_user_data": "{\"k\":\"secret\"}"}),
        ))
        .await
        .ok();
    let config = json!({"func_name": "f", "runtime": NODE, "handler": "index.other", "memory_size": 256, "timeout": 10});
    let put = client.put_to("f", "config", config.clone()).await.ok();
    assert!(!put["func_urn"].as_str().unwrap().ends_with(":latest"));
    let now = client.get_of("f", "config").await.ok();
    assert_eq!(
        (&now["handler"], &now["memory_size"], &now["description"]),
        (&"index.other".into(), &256.into(), &"".into())
    );
    assert_eq!(now["encrypted_user_data"], "{\"k\":\"\"}");
    let put = |changes| client.put_to("f", "config", with(config.clone(), changes));
    put(json!({"func_name": "g"})).await.failed(400, "FSS.1002");
    put(json!({"func_name": null}))
        .await
        .failed(400, "FSS.1002");
    put(json!({"runtime": "Python3.9"}))
        .await
        .failed(400, "FSS.1005");
    put(json!({"timeout": null})).await.failed(400, "FSS.1008");
    let source = "exports.other = async () => process.env.k";
    let code = json!({"code_type": "inline", "func_code": {"file": STANDARD.encode(source)}});
    let answered = client.put_to("f", "code", code.clone()).await.ok();
    assert_eq!(answered["func_code"]["file"], STANDARD.encode(source));
    assert_eq!(client.run("f", json!({})).await.ok()["result"], "secret");
    client
        .put_to("f", "code", json!({"code_type": "inline"}))
        .await
        .failed(400, "FSS.1012");
    client
        .put_to("gone", "code", code.clone())
        .await
        .failed(404, "FSS.1051");
    client
        .put_to("default:f:v1", "code", code)
        .await
        .failed(404, "FSS.1051");
    let keeps = Client::with(Options {
        put_keeps_omitted: true,
        ..Options::default()
    })
    .await;
    keeps
        .create(with(
            function("f", NODE, SOURCE),
            json!({"description": "d"}),
        ))
        .await
        .ok();
    assert_eq!(
        keeps.put_to("f", "config", config).await.ok()["description"],
        "d"
    );
}

#[tokio::test]
async fn lists_have_pages_that_end_in_both_ways() {
    for end_of_list in [EndOfList::Offset, EndOfList::Zero] {
        let client = Client::with(Options {
            end_of_list,
            ..Options::default()
        })
        .await;
        for name in ["a1", "a2", "b1"] {
            client.deploy(name, SOURCE).await;
        }
        client
            .create(with(
                function("a3", NODE, SOURCE),
                json!({"package": "other"}),
            ))
            .await
            .ok();
        let page = async |query: &str| {
            let body = client.get(&format!("{}?{query}", functions())).await.ok();
            let items = body["functions"].as_array().unwrap();
            let names: Vec<_> = items
                .iter()
                .map(|item| item["func_name"].as_str().unwrap().to_owned())
                .collect();
            (
                names.join(" "),
                body["next_marker"].as_i64().unwrap(),
                body["count"].as_i64().unwrap(),
            )
        };
        assert_eq!(page("maxitems=3&marker=0").await, ("a1 a2 b1".into(), 3, 4));
        let last = if end_of_list == EndOfList::Zero { 0 } else { 4 };
        assert_eq!(page("maxitems=3&marker=3").await, ("a3".into(), last, 4));
        assert_eq!(page("marker=4").await, (String::new(), last, 4));
        assert_eq!(page("package_name=other").await.0, "a3");
        assert_eq!(page("func_name=1&package_name=default").await.0, "a1 b1");
        for query in [
            "maxitems=0",
            "maxitems=401",
            "maxitems=-1",
            "marker=-1",
            "marker=x",
        ] {
            client
                .get(&format!("{}?{query}", functions()))
                .await
                .failed(400, "FSS.1001");
        }
    }
}

#[tokio::test]
async fn counts_are_limited() {
    let limits = Limits {
        functions: 2,
        packages: 1,
        code_total: 40,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    client.deploy("a", "1").await;
    client
        .create(with(function("b", NODE, "1"), json!({"package": "p"})))
        .await
        .failed(403, "FSS.1044");
    client
        .create(function("b", NODE, &" ".repeat(40)))
        .await
        .failed(403, "FSS.1042");
    client.deploy("b", "1").await;
    client
        .create(function("c", NODE, "1"))
        .await
        .failed(403, "FSS.1041");
    let quotas = client
        .get(&format!("/v2/{DEFAULT_PROJECT_ID}/fgs/quotas"))
        .await
        .ok();
    assert_eq!(
        quotas["quotas"]["resources"][0],
        json!({"type": "fgs_func_num", "quota": 2, "used": 2})
    );
}

#[tokio::test]
async fn a_new_function_may_have_to_settle_before_it_can_go() {
    let client = Client::with(Options {
        settling: Duration::from_secs(60),
        ..Options::default()
    })
    .await;
    client.deploy("f", SOURCE).await;
    client.delete_of("f", "").await.failed(400, "FSS.0400");
    client.emulator.clock().advance(Duration::from_secs(60));
    assert_eq!(client.delete_of("f", "").await.status, 204);
}

#[tokio::test]
async fn a_function_can_be_disabled() {
    let client = Client::new().await;
    client.deploy("f", SOURCE).await;
    let put = client
        .put_to("f", "config-max-instance", json!({"max_instance_num": 0}))
        .await
        .ok();
    assert_eq!(put["strategy_config"]["concurrency"], 0);
    assert_eq!(
        client.run("f", json!({})).await.failed(429, "FSS.0429"),
        "Function Disabled"
    );
    client
        .post_to("f", "invocations-async", json!({}))
        .await
        .failed(429, "FSS.0429");
    client
        .put_to("f", "config-max-instance", json!({"max_instance_num": -2}))
        .await
        .failed(400, "FSS.1026");
    client
        .put_to("f", "config-max-instance", json!({"max_instance_num": -1}))
        .await
        .ok();
    client.run("f", json!({})).await.ok();
}
