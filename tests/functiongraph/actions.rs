//! Functions as actions: what a put sends, and what half of one says.

use faas_sidecar::error::{Execution, Kind};
use faas_sidecar::proto::exec::Code;
use faas_sidecar::proto::*;
use faas_sidecar::provider::Provider as _;
use prost_types::Duration;

use crate::support::*;

const MISSING: (u16, &str, &str) = (404, "FSS.1051", "Not found the function");

fn missing() -> Http {
    fault(MISSING.0, MISSING.1, MISSING.2)
}

fn function(runtime: &str) -> Http {
    answer(
        200,
        &format!(
            r#"{{"func_urn":"urn:fss:{REGION}:{PROJECT}:function:default:hello:latest","func_name":"hello",
               "package":"default","version":"latest","runtime":"{runtime}","handler":"index.handler","timeout":30,
               "memory_size":"256","code_type":"inline","digest":"abc","code_size":10,"user_data":"{{\"A\":\"1\"}}",
               "encrypted_user_data":"{{\"S\":\"****\"}}","func_vpc":null,"mount_config":null,"depend_list":null,
               "last_modified":"2024-01-02T11:04:05+08:00","strategy_config":{{"concurrency":0}},"new_field":[1]}}"#
        ),
    )
}

fn put(change: impl FnOnce(&mut Action)) -> PutActionRequest {
    let mut action = Action {
        exec: Some(Exec {
            runtime: "Node.js18.15".to_owned(),
            main: "index.handler".to_owned(),
            code: Some(Code::Source("exports.handler = async () => 1".to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(Duration {
                seconds: 30,
                nanos: 0,
            }),
            memory_mb: 256,
        }),
        function_graph: Some(FunctionGraphAction::default()),
        ..Action::default()
    };
    change(&mut action);
    PutActionRequest {
        action_name: "hello".to_owned(),
        result_encoding: JsonEncoding::Text.into(),
        action: Some(action),
        ..PutActionRequest::default()
    }
}

#[tokio::test]
async fn an_action_that_is_missing_is_created() {
    let (provider, upstream) = bench([missing(), function("Node.js18.15")]).await;
    let request = put(|action| {
        action.description = "says hello".to_owned();
        action.function_graph.as_mut().unwrap().user_data = text(r#"{"A":"1"}"#);
        action.function_graph.as_mut().unwrap().encrypted_user_data = text(r#"{"S":"secret"}"#);
    });
    let action = provider
        .put_action(&mut call(), request)
        .await
        .unwrap()
        .action
        .unwrap();
    let received = upstream.received();
    assert_eq!(
        (received[0].method(), rest(&received[0]).as_str()),
        ("GET", "/default%3Ahello/config")
    );
    assert_eq!(
        (received[1].method(), rest(&received[1]).as_str()),
        ("POST", "")
    );
    let expected = serde_json::json!({
        "func_name": "hello", "package": "default", "runtime": "Node.js18.15", "handler": "index.handler",
        "memory_size": 256, "timeout": 30, "code_type": "inline",
        "func_code": { "file": "ZXhwb3J0cy5oYW5kbGVyID0gYXN5bmMgKCkgPT4gMQ==" },
        "description": "says hello", "user_data": r#"{"A":"1"}"#, "encrypted_user_data": r#"{"S":"secret"}"#,
    });
    assert_eq!(received[1].json(), expected);
    assert_eq!(
        action.resource_id,
        format!("urn:fss:{REGION}:{PROJECT}:function:default:hello:latest")
    );
    assert_eq!(
        (action.limits.unwrap().memory_mb, action.version.as_str()),
        (256, "latest")
    );
    assert!(action.exec.unwrap().code.is_none());
}

#[tokio::test]
async fn settings_that_creation_does_not_know_follow_in_an_update() {
    let (provider, upstream) = bench([
        missing(),
        function("Node.js18.15"),
        function("Node.js18.15"),
    ])
    .await;
    let request = put(|action| {
        let strategy = FunctionGraphStrategyConfig {
            concurrency: Some(-1),
            concurrent_num: Some(10),
        };
        action.function_graph.as_mut().unwrap().strategy_config = Some(strategy);
    });
    provider
        .put_action(&mut call(), request.clone())
        .await
        .unwrap();
    let received = upstream.received();
    assert!(received[1].json().get("strategy_config").is_none());
    let update = received[2].json();
    assert_eq!(
        (received[2].method(), rest(&received[2]).as_str()),
        ("PUT", "/default%3Ahello/config")
    );
    assert_eq!(
        update["strategy_config"],
        serde_json::json!({"concurrency": -1, "concurrent_num": 10})
    );
    assert!(
        ["package", "code_type", "func_code", "type"]
            .iter()
            .all(|name| update.get(name).is_none()),
        "{update}"
    );

    let (provider, _upstream) = bench([
        missing(),
        function("Node.js18.15"),
        fault(400, "FSS.1026", "bad"),
    ])
    .await;
    let error = provider.put_action(&mut call(), request).await.unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::InvalidArgument, Execution::Unknown)
    );
    assert!(
        error
            .message
            .contains("was created, but without strategy_config"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn an_action_that_exists_is_updated_in_both_halves() {
    let code = answer(
        200,
        r#"{"digest":"new","code_size":"77","code_type":"zip","func_code":{"file":"UEs=","link":"x"}}"#,
    );
    let (provider, upstream) =
        bench([function("Node.js18.15"), function("Node.js18.15"), code]).await;
    let request = put(|action| {
        action.exec.as_mut().unwrap().code =
            Some(Code::Archive(b"PK\x03\x04zip".as_slice().into()));
        action.function_graph.as_mut().unwrap().depend_version_list = vec!["d1".to_owned()];
    });
    let action = provider
        .put_action(&mut call(), request)
        .await
        .unwrap()
        .action
        .unwrap();
    let received = upstream.received();
    assert_eq!(
        (received[1].method(), rest(&received[1]).as_str()),
        ("PUT", "/default%3Ahello/config")
    );
    assert_eq!(
        (received[2].method(), rest(&received[2]).as_str()),
        ("PUT", "/default%3Ahello/code")
    );
    let expected = serde_json::json!({
        "code_type": "zip", "code_filename": "hello.zip", "func_code": {"file": "UEsDBHppcA=="},
        "depend_version_list": ["d1"],
    });
    assert_eq!(received[2].json(), expected);
    let graph = action.function_graph.unwrap();
    assert_eq!(
        (
            graph.digest.as_str(),
            graph.code_size_bytes,
            graph.code_type.as_str()
        ),
        ("new", 77, "zip")
    );
    // No code comes back from a put.
    assert!(action.exec.unwrap().code.is_none());
}

#[tokio::test]
async fn a_half_done_update_says_which_half_stands() {
    let present = || function("Node.js18.15");
    let (provider, _upstream) = bench([
        present(),
        present(),
        fault(400, "FSS.1011", "not a valid zip file"),
    ])
    .await;
    let error = provider
        .put_action(&mut call(), put(|_| {}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::InvalidArgument, Execution::Unknown)
    );
    assert!(
        error
            .message
            .contains("configuration was changed and stands, but the code was not"),
        "{}",
        error.message
    );
    let (provider, _upstream) = bench([present(), fault(400, "FSS.1007", "bad memory")]).await;
    let error = provider
        .put_action(&mut call(), put(|_| {}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.execution),
        (Kind::InvalidArgument, Execution::NotStarted)
    );
    assert!(
        error.message.ends_with("The code was not sent."),
        "{}",
        error.message
    );
    assert_eq!(error.resource, Some(("action", "default/hello".to_owned())));
}

#[tokio::test]
async fn a_runtime_cannot_change() {
    let (provider, upstream) = bench([function("Python3.10")]).await;
    let error = provider
        .put_action(&mut call(), put(|_| {}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::FailedPrecondition, "RUNTIME_CANNOT_CHANGE")
    );
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn an_image_is_enabled_and_changes_with_the_configuration() {
    let (provider, upstream) = bench([function("Custom Image"), function("Custom Image")]).await;
    let request = put(|action| {
        let exec = action.exec.as_mut().unwrap();
        (exec.runtime, exec.main) = ("Custom Image".to_owned(), "-".to_owned());
        (exec.code, exec.image_uri) = (None, "swr.example/a/b:1".to_owned());
        let image = FunctionGraphCustomImage {
            uid: "1003".to_owned(),
            ..FunctionGraphCustomImage::default()
        };
        action.function_graph.as_mut().unwrap().custom_image = Some(image);
    });
    provider.put_action(&mut call(), request).await.unwrap();
    let received = upstream.received();
    assert_eq!(received.len(), 2);
    let expected =
        serde_json::json!({"enabled": true, "image": "swr.example/a/b:1", "uid": "1003"});
    assert_eq!(received[1].json()["custom_image"], expected);
}

#[tokio::test]
async fn code_in_a_bucket_is_named_and_its_empty_object_sent() {
    let (provider, upstream) = bench([missing(), function("Node.js18.15")]).await;
    let request = put(|action| {
        action.exec.as_mut().unwrap().code = None;
        action.function_graph.as_mut().unwrap().code_url =
            "https://bucket.obs.example/x.zip".to_owned();
    });
    provider.put_action(&mut call(), request).await.unwrap();
    let body = upstream.received()[1].json();
    assert_eq!(
        (body["code_type"].as_str(), &body["func_code"]),
        (Some("obs"), &serde_json::json!({}))
    );
}

#[tokio::test]
async fn all_faults_of_a_put_come_together() {
    let (provider, upstream) = bench([]).await;
    let request = put(|action| {
        action.name = "other".to_owned();
        action.package_name = "other".to_owned();
        action.r#type = ActionType::Web.into();
        action.description = "é".repeat(513);
        action.parameters = text("{}");
        action.vpc = vec![Vpc::default()];
        action.raw_http = true;
        action.custom_options = true;
        action.limits = Some(Limits {
            timeout: Some(Duration {
                seconds: 2,
                nanos: 0,
            }),
            memory_mb: 8192,
        });
        let exec = action.exec.as_mut().unwrap();
        exec.runtime.clear();
        exec.main = "x".to_owned();
        exec.components = vec!["a/b".to_owned()];
        exec.code = Some(Code::Source("x".repeat(10_241)));
        let graph = action.function_graph.as_mut().unwrap();
        graph.code_filename = "x".to_owned();
        graph.user_data = text(r#"{"A":1,"B":"***"}"#);
        graph.encrypted_user_data = text(r#"{"S":""}"#);
        graph.func_vpc = Some(FunctionGraphVpc::default());
        graph.mount_config = Some(FunctionGraphMountConfig::default());
        graph.strategy_config = Some(FunctionGraphStrategyConfig {
            concurrency: Some(-2),
            concurrent_num: Some(-2),
        });
        graph.pre_stop_timeout = Some(Duration {
            seconds: 91,
            nanos: 0,
        });
        graph.custom_image = Some(FunctionGraphCustomImage::default());
        graph.r#type = "v3".to_owned();
        graph.gpu_memory_mb = 1000;
        graph.gpu_type = "t".to_owned();
        graph.ephemeral_storage_mb = 1;
    });
    let error = provider.put_action(&mut call(), request).await.unwrap_err();
    let found: Vec<_> = error
        .violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    for field in [
        "action.name",
        "action.package_name",
        "action.type",
        "action.description",
        "action.parameters",
        "action.vpc",
        "action.raw_http",
        "action.custom_options",
        "action.limits.timeout",
        "action.limits.memory_mb",
        "action.exec.runtime",
        "action.exec.main",
        "action.exec.components",
        "action.exec.source",
        "action.function_graph.code_filename",
        "action.function_graph.user_data[\"A\"]",
        "action.function_graph.user_data[\"B\"]",
        "action.function_graph.encrypted_user_data[\"S\"]",
        "action.function_graph.func_vpc.vpc_id",
        "action.function_graph.func_vpc.subnet_id",
        "action.function_graph.mount_config.mount_user",
        "action.function_graph.mount_config.func_mounts",
        "action.function_graph.strategy_config.concurrency",
        "action.function_graph.strategy_config.concurrent_num",
        "action.function_graph.pre_stop_timeout",
        "action.function_graph.custom_image",
        "action.function_graph.type",
        "action.function_graph.gpu_memory_mb",
        "action.function_graph.ephemeral_storage_mb",
    ] {
        assert!(found.contains(&field), "{field} is not among {found:?}");
    }
    assert!(upstream.received().is_empty());
    assert!(!format!("{error:?}").contains("***"));
}

#[tokio::test]
async fn an_action_is_read_with_its_code_on_request() {
    let code = answer(
        200,
        r#"{"code_type":"inline","func_code":{"file":"ZGVmIGYoKTogcGFzcw==","link":"https://signed"}}"#,
    );
    let (provider, upstream) = bench([function("Python3.10"), code]).await;
    let request = GetActionRequest {
        action_name: "hello".to_owned(),
        version: "v1".to_owned(),
        include_code: true,
        result_encoding: JsonEncoding::Text.into(),
        ..GetActionRequest::default()
    };
    let action = provider
        .get_action(&mut call(), request)
        .await
        .unwrap()
        .action
        .unwrap();
    assert_eq!(rest(&upstream.received()[1]), "/default%3Ahello%3Av1/code");
    assert_eq!(
        action.exec.unwrap().code,
        Some(Code::Source("def f(): pass".to_owned()))
    );
    let graph = action.function_graph.unwrap();
    assert_eq!(shown(graph.user_data.as_ref()), r#"{"A":"1"}"#);
    assert!(graph.encrypted_user_data.is_none());
    assert_eq!(
        (
            graph.code_link.as_str(),
            graph.last_modified.unwrap().seconds
        ),
        ("https://signed", 1_704_164_645)
    );
    assert_eq!(graph.strategy_config.unwrap().concurrency, Some(0));
}

#[tokio::test]
async fn a_delete_takes_the_whole_function_or_one_version() {
    let delete = |version: &str| DeleteActionRequest {
        action_name: "hello".to_owned(),
        version: version.to_owned(),
        ..DeleteActionRequest::default()
    };
    let (provider, upstream) = bench([answer(204, ""), answer(204, "")]).await;
    provider
        .delete_action(&mut call(), delete(""))
        .await
        .unwrap();
    provider
        .delete_action(&mut call(), delete("v1"))
        .await
        .unwrap();
    assert_eq!(
        upstream.received().iter().map(rest).collect::<Vec<_>>(),
        ["/default%3Ahello", "/default%3Ahello%3Av1"]
    );
    for (version, part) in [
        ("latest", "cannot be deleted"),
        ("!prod", "DeleteActionAlias"),
    ] {
        let error = provider
            .delete_action(&mut call(), delete(version))
            .await
            .unwrap_err();
        assert!(error.message.contains(part), "{}", error.message);
    }
    assert_eq!(upstream.received().len(), 2);
}

#[tokio::test]
async fn a_delete_that_was_lost_and_repeated_is_done() {
    let delete = DeleteActionRequest {
        action_name: "hello".to_owned(),
        ..DeleteActionRequest::default()
    };
    let (provider, _upstream) = bench([fault(502, "FSS.0502", "x"), missing()]).await;
    provider
        .delete_action(&mut call(), delete.clone())
        .await
        .unwrap();
    let (provider, _upstream) = bench([missing()]).await;
    let error = provider
        .delete_action(&mut call(), delete)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.upstream_code.as_deref()),
        (Kind::NotFound, Some("FSS.1051"))
    );
}
