//! A documented answer of every operation that answers with a document, with every member that the
//! sidecar reads.

use serde_json::{Value, json};

use crate::bench::{Cloud, PROJECT};
use crate::operations::ID;

/// The samples of a cloud: the operation, and what it answers. NCP's stand under `content`.
pub fn of(cloud: Cloud) -> Vec<(&'static str, Value)> {
    match cloud {
        Cloud::Ncp21 => ncp(json!(1_713_936_450_099_i64), json!(1_713_936_450_102_i64)),
        Cloud::Ncp20 => ncp(json!("2024-04-24T14:27:30"), json!("2024-04-24T14:27:31")),
        Cloud::FunctionGraph => functiongraph(),
    }
}

/// An object with more members.
fn with(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("{more}")
    };
    object.as_object_mut().unwrap().extend(more);
    object
}

#[expect(clippy::needless_pass_by_value, reason = "JSON literals")]
fn ncp(start: Value, end: Value) -> Vec<(&'static str, Value)> {
    let item = json!({"name": "hello", "description": "d", "runtime": "nodejs:22", "type": "basic", "web": false});
    let action = json!({
        "name": "hello", "resourceId": "r-1", "path": "/p", "description": "d", "type": "basic", "web": true,
        "parameters": {"env": "prod"}, "raw-http": true, "custom-options": true, "version": "0.0.1",
        "exec": {"kind": "nodejs:22", "main": "main", "binary": false, "code": "x", "imageUri": "", "components": ["a"]},
        "limits": {"timeout": 60_000, "memory": 256}, "vpc": [{"vpcNo": 1001, "subnetNo": 2002}],
    });
    let activation = json!({
        "activationId": ID, "duration": 3, "start": start, "end": end, "logs": ["a", "b"], "name": "hello",
        "namespace": "N", "subject": "S", "annotations": [{"key": "initTime", "value": 12}],
        "response": {"result": {"n": 1}, "status": "success", "success": true},
    });
    let in_list = json!({
        "activationId": ID, "duration": 3, "start": start, "end": end, "status": "success", "success": true,
        "name": "hello",
    });
    let list = json!({"activations": [in_list], "totalCount": 1});
    let package = json!({
        "name": "orders", "description": "d", "parameters": {"a": 1}, "namespace": "N", "resourceId": "r-2",
        "platform": "vpc", "actions": [item],
    });
    let trigger = |more: Value| {
        let common = json!({
            "name": "nightly", "description": "d", "resourceId": "r-3", "parameters": {"a": 1}, "actions": ["p/hello"],
        });
        with(common, more)
    };
    vec![
        ("ListPackages", json!([package])),
        ("GetPackage", package),
        ("ListActions", json!({"actions": [item]})),
        ("GetAction", action.clone()),
        ("PutAction", action),
        ("Invoke", activation.clone()),
        ("GetActivation", activation.clone()),
        ("GetTriggerActivation", activation),
        ("ListActivations", list.clone()),
        ("ListTriggerActivations", list),
        (
            "ListTriggers",
            json!({"triggers": [{"name": "nightly", "type": "cron"}]}),
        ),
        (
            "GetTrigger",
            trigger(
                json!({"type": "cron", "execOption": [{"key": "cronOption", "value": "0 3 * * *"}]}),
            ),
        ),
        (
            "GetTrigger",
            trigger(json!({"triggerType": "cron", "cronOption": "0 3 * * *"})),
        ),
        (
            "GetTrigger",
            trigger(
                json!({"type": "github", "credential": {"username": "u", "repository": "o/r"}, "events": ["push"],
                "link": {"productName": "p", "productId": "i", "apiName": "a", "stageName": "s"}}),
            ),
        ),
        (
            "GetTrigger",
            trigger(
                json!({"type": "insight", "insightLink": [{"prodKey": "k", "ruleGrpId": "g", "reminderTime": 5,
                "enableNotiWhenEventClose": true}]}),
            ),
        ),
        (
            "GetTrigger",
            trigger(
                json!({"type": "object_storage", "objectStorageLink": [{"bucketName": "b", "eventRuleName": "e"}]}),
            ),
        ),
        (
            "GetTrigger",
            trigger(
                json!({"type": "source_commit", "sourceCommitLink": [{"repositoryName": "r", "webhookName": "w",
                "enable": true}]}),
            ),
        ),
        ("LinkAction", json!({"status": "active", "namespace": "N"})),
    ]
}

fn functiongraph() -> Vec<(&'static str, Value)> {
    let urn = format!("urn:fss:cn-north-4:{PROJECT}:function:default:hello");
    let item = json!({
        "func_urn": urn, "func_name": "hello", "package": "default", "runtime": "Node.js18.15", "description": "d",
        "version": "1.0", "version_description": "v", "digest": "x", "code_size": 272,
        "last_modified": "2018-03-28T11:30:32+08:00",
    });
    let function = json!({
        "func_id": "i", "func_urn": urn, "func_name": "hello", "package": "default", "project_name": "cn-north-4",
        "domain_id": "d", "version": "latest", "image_name": "latest-1", "enterprise_project_id": "0",
        "runtime": "Node.js18.15", "handler": "index.handler", "timeout": 30, "memory_size": 128, "cpu": 300,
        "gpu_memory": 0, "gpu_type": "", "ephemeral_storage": 512, "long_time": false, "type": "v2",
    });
    let function = with(
        function,
        json!({
            "code_type": "inline", "code_url": "", "code_filename": "index.js", "code_size": 272, "digest": "x",
            "depend_version_list": ["d1"], "strategy_config": {"concurrency": -1, "concurrent_num": 1},
            "initializer_handler": "index.init", "initializer_timeout": 3, "pre_stop_handler": "index.stop",
            "pre_stop_timeout": 3, "heartbeat_handler": "", "restore_hook_handler": "index.restore",
            "restore_hook_timeout": 3, "enable_class_isolation": false, "is_stateful_function": false,
            "enable_dynamic_memory": false, "enable_auth_in_header": true, "reserved_instance_count": 0,
        }),
    );
    let function = with(
        function,
        json!({
            "user_data": "{\"a\":\"b\"}", "xrole": "x", "app_xrole": "y", "description": "d", "extend_config": "",
            "domain_names": "", "peering_cidr": "", "log_group_id": "g", "log_stream_id": "s", "enable_lts_log": true,
            "lts_custom_tag": {"k": "v"}, "last_modified": "2018-03-28T11:30:32+08:00",
            "func_vpc": {"vpc_id": "v", "subnet_id": "s", "cidr": "10.0.0.0/24", "gateway": "10.0.0.1",
                "security_groups": ["g"], "is_safety": true},
            "mount_config": {"mount_user": {"user_id": -1, "user_group_id": -1},
                "func_mounts": [{"mount_type": "sfs", "mount_resource": "r", "local_mount_path": "/mnt"}]},
            "network_controller": {"disable_public_network": true, "trigger_access_vpcs": [{"vpc_id": "v"}]},
        }),
    );
    let alias = json!({
        "name": "prod", "version": "1.0", "description": "d", "last_modified": "2018-03-28T11:30:32+08:00",
        "alias_urn": format!("{urn}:!prod"), "additional_version_weights": {"2.0": 10},
        "additional_version_strategy": {"3.0": {"combine_type": "and",
            "rules": [{"rule_type": "Header", "param": "p", "op": "=", "value": "v"}]}},
    });
    let config = async_config(&urn);
    let records = json!({
        "invocations": [{"request_id": ID, "status": "SUCCESS", "error_message": "", "error_code": 0,
            "start_time": "2019-10-25T15:37:27", "end_time": "2019-10-25T15:37:28"}],
        "count": 1, "next_marker": 1,
    });
    vec![
        (
            "ListPackages",
            json!({"functions": [item], "next_marker": 1}),
        ),
        (
            "GetPackage",
            json!({"functions": [{"func_name": "hello", "package": "orders"}], "next_marker": 1}),
        ),
        (
            "ListActions",
            json!({"functions": [item], "next_marker": 1}),
        ),
        ("GetAction", function),
        (
            "ListActionVersions",
            json!({"versions": [item], "next_marker": 1}),
        ),
        ("PublishActionVersion", item),
        ("ListActionAliases", json!([alias])),
        ("PutActionAlias", alias),
        ("GetAsyncInvokeConfig", config),
        ("GetActivation", records.clone()),
        ("ListActivations", records),
    ]
}

/// The settings of asynchronous runs of the function of that URN, all of them.
pub fn async_config(urn: &str) -> Value {
    json!({
        "func_urn": urn, "max_async_event_age_in_seconds": 3600, "max_async_retry_attempts": 3,
        "destination_config": {"on_success": {"destination": "OBS", "param": "{\"bucket\":\"b\"}"},
            "on_failure": {"destination": "SMN", "param": "{\"topic_urn\":\"t\"}"}},
        "enable_async_status_log": true, "log_group_id": "g", "log_group_name": "n", "log_stream_id": "s",
        "log_stream_name": "m", "created_time": "2021-05-25 16:41:24", "last_modified": "2021-05-25 16:41:24",
    })
}
