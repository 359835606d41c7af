//! What a get answers, a put takes: every field of every object that can be read and written, by
//! the descriptor.
//!
//! The answer of a get of each cloud's full document is put back as it is. Then every field that
//! the answer has is cleared alone: where the put sends the same without it, the field does not
//! arrive at the cloud. A field that arrives from no answer stands in [`EXCEPTIONS`] with the
//! reason, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};

use faas_sidecar::proto::*;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage as _,
    Value as Field,
};
use serde_json::{Value, json};

use crate::bench::{Cloud, Clouds, PROJECT};
use crate::samples::async_config;
use crate::support::answer::{Http, http};
use crate::support::details::{Told, bare};
use crate::support::upstream::Received;

use Cloud::{FunctionGraph, Ncp20, Ncp21};

const NCP: &[Cloud] = &[Ncp21, Ncp20];
const ALL: &[Cloud] = &Cloud::ALL;

/// Fields that a put does not send as a get answers them, and why. What stands below them is left
/// out, too.
const EXCEPTIONS: &[(&[Cloud], &[&str], &str)] = &[
    (
        ALL,
        &[
            "Action.name",
            "Action.package_name",
            "ActionAlias.name",
            "Package.name",
            "Trigger.name",
        ],
        "the request names it",
    ),
    (
        ALL,
        &[
            "Action.resource_id",
            "Action.version",
            "Action.inexact",
            "Package.namespace",
            "Package.resource_id",
            "Package.platform",
            "Package.actions",
            "Package.inexact",
            "Trigger.resource_id",
            "Trigger.actions",
            "Trigger.type_text",
            "Trigger.inexact",
            "ActionAlias.resource_id",
            "ActionAlias.last_modified",
            "AsyncInvokeConfig.resource_id",
            "AsyncInvokeConfig.created_time",
            "AsyncInvokeConfig.last_modified",
            "FunctionGraphAction.func_id",
            "FunctionGraphAction.project_name",
            "FunctionGraphAction.domain_id",
            "FunctionGraphAction.digest",
            "FunctionGraphAction.code_size_bytes",
            "FunctionGraphAction.code_link",
            "FunctionGraphAction.image_name",
            "FunctionGraphAction.cpu_millicores",
            "FunctionGraphAction.long_time",
            "FunctionGraphAction.reserved_instance_count",
            "FunctionGraphAction.last_modified",
        ],
        "output only: the cloud's own word",
    ),
    (
        ALL,
        &["Action.path"],
        "output only: where the cloud keeps it",
    ),
    (
        ALL,
        &[
            "GithubSource.access_token",
            "FunctionGraphAction.encrypted_user_data",
        ],
        "a secret: no answer holds it, and the caller gives it anew",
    ),
    (NCP, &["Action.function_graph"], "of the other cloud"),
    (
        &[FunctionGraph],
        &[
            "Action.parameters",
            "Action.vpc",
            "Action.raw_http",
            "Action.custom_options",
            "Exec.components",
        ],
        "of the other cloud",
    ),
    (
        &[FunctionGraph],
        &["Action.type"],
        "there is one type alone",
    ),
    (
        &[FunctionGraph],
        &[
            "FunctionGraphLogConfig.group_name",
            "FunctionGraphLogConfig.stream_name",
        ],
        "the cloud's answer has the ids alone, and the put asks for the names",
    ),
    (
        &[Ncp20],
        &["Exec.image_uri"],
        "of the other generation: 2.0 has no images",
    ),
    (
        &[Ncp20],
        &["Trigger.secret_manager"],
        "of the other generation",
    ),
    (
        &[Ncp20],
        &["ApiGatewayLink.product_name"],
        "of the other generation, which names the product",
    ),
    (
        &[Ncp21],
        &["ApiGatewayLink.product_id"],
        "of the other generation, which knows the product by its id",
    ),
];

/// What can be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Action,
    Package,
    Trigger,
    ActionAlias,
    AsyncInvokeConfig,
}

/// The document that a cloud answers, and that of a function's code.
struct Document {
    object: Object,
    document: Value,
    code: Value,
}

/// A request of a put: method, target and body.
type Sent = (String, String, String);

impl Document {
    fn of(object: Object, document: Value) -> Self {
        Self {
            object,
            document,
            code: Value::Null,
        }
    }

    /// With the code of a function, whose configuration says the same of it.
    fn coded(mut document: Value, code: &Value, more: &Value) -> Self {
        merge(&mut document, code);
        merge(&mut document, &json!({"func_code": {}}));
        merge(&mut document, more);
        Self {
            object: Object::Action,
            document,
            code: code.clone(),
        }
    }

    /// What the cloud answers; a function may be there or not.
    fn answer(&self, cloud: Cloud, request: &Received, exists: bool) -> Http {
        let (method, target) = (request.method(), request.target());
        let path = target.split('?').next().unwrap();
        let document = match (method, path.rsplit('/').next().unwrap()) {
            ("GET", "config") if !exists => {
                return http(404, r#"{"error_code":"FSS.1051","error_msg":"x"}"#);
            }
            (_, "code") => &self.code,
            (_, "lts-log-detail") => {
                &json!({"group_id": "other", "stream_id": "one", "stream_name": "m"})
            }
            ("GET", "aliases") => &json!([self.document]),
            _ if cloud.is_ncp() => &json!({"content": self.document}),
            _ => &self.document,
        };
        http(200, &document.to_string())
    }

    async fn get(&self, clouds: &Clouds, cloud: Cloud) -> DynamicMessage {
        clouds.upstream.answer_by({
            let document = Self {
                object: self.object,
                document: self.document.clone(),
                code: self.code.clone(),
            };
            move |request| document.answer(cloud, request, true)
        });
        let bytes = get(clouds, cloud, self.object)
            .await
            .unwrap_or_else(|told| {
                panic!("{cloud:?} {:?} is not read: {told:?}", self.object);
            });
        DynamicMessage::decode(descriptor(self.object), &*bytes).unwrap()
    }

    /// Everything that a put sends: where the object exists, and where a function has to be created
    /// first.
    async fn put(
        &self,
        clouds: &Clouds,
        cloud: Cloud,
        message: &DynamicMessage,
    ) -> Result<Vec<Sent>, Told> {
        let mut sent = Vec::new();
        let bytes = message.encode_to_vec();
        for exists in [true, false] {
            if !exists && (cloud.is_ncp() || self.object != Object::Action) {
                continue;
            }
            let document = Self {
                object: self.object,
                document: self.document.clone(),
                code: self.code.clone(),
            };
            clouds
                .upstream
                .answer_by(move |request| document.answer(cloud, request, exists));
            let (told, requests) = clouds
                .requests_of(put(clouds, cloud, self.object, &bytes))
                .await;
            told?;
            let requests = requests.iter().filter(|request| request.method() != "GET");
            sent.extend(requests.map(|request| {
                [request.method(), request.target(), request.text()]
                    .map(str::to_owned)
                    .into()
            }));
        }
        Ok(sent)
    }
}

fn merge(document: &mut Value, more: &Value) {
    let more = more.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(more);
}

fn descriptor(object: Object) -> MessageDescriptor {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    pool.get_message_by_name(&format!("faas.v1.{object:?}"))
        .unwrap()
}

fn platform(cloud: Cloud) -> i32 {
    // 2.0 has subnets on this platform alone.
    if cloud == Ncp20 {
        Platform::Vpc.into()
    } else {
        0
    }
}

async fn get(clouds: &Clouds, cloud: Cloud, object: Object) -> Result<Vec<u8>, Told> {
    let (target, platform) = (cloud.target(), platform(cloud));
    let result_encoding = JsonEncoding::Text.into();
    let s = str::to_owned;
    let bytes = match object {
        Object::Action => {
            let request = GetActionRequest {
                target,
                platform,
                action_name: s("hello"),
                include_code: true,
                result_encoding,
                ..GetActionRequest::default()
            };
            let answer = clouds.actions().get_action(request).await;
            answer.map(|answer| answer.into_inner().action.unwrap().encode_to_vec())
        }
        Object::Package => {
            let request = GetPackageRequest {
                target,
                platform,
                package_name: s("orders"),
                result_encoding,
            };
            let answer = clouds.packages().get_package(request).await;
            answer.map(|answer| answer.into_inner().package.unwrap().encode_to_vec())
        }
        Object::Trigger => {
            let request = GetTriggerRequest {
                target,
                platform,
                trigger_name: s("nightly"),
                result_encoding,
            };
            let answer = clouds.triggers().get_trigger(request).await;
            answer.map(|answer| answer.into_inner().trigger.unwrap().encode_to_vec())
        }
        Object::ActionAlias => {
            let request = ListActionAliasesRequest {
                target,
                action_name: s("hello"),
                ..ListActionAliasesRequest::default()
            };
            let answer = clouds.actions().list_action_aliases(request).await;
            answer.map(|answer| answer.into_inner().aliases.remove(0).encode_to_vec())
        }
        Object::AsyncInvokeConfig => {
            let request = GetAsyncInvokeConfigRequest {
                target,
                action_name: s("hello"),
                ..GetAsyncInvokeConfigRequest::default()
            };
            let answer = clouds.actions().get_async_invoke_config(request).await;
            answer.map(|answer| answer.into_inner().config.unwrap().encode_to_vec())
        }
    };
    bytes.map_err(|status| bare(&status))
}

async fn put(clouds: &Clouds, cloud: Cloud, object: Object, bytes: &[u8]) -> Result<(), Told> {
    let (target, platform) = (cloud.target(), platform(cloud));
    let s = str::to_owned;
    let done = match object {
        Object::Action => {
            let request = PutActionRequest {
                target,
                platform,
                action_name: s("hello"),
                action: Some(Action::decode(bytes).unwrap()),
                ..PutActionRequest::default()
            };
            clouds.actions().put_action(request).await.map(drop)
        }
        Object::Package => {
            let package = Package::decode(bytes).unwrap();
            let request = PutPackageRequest {
                target,
                platform,
                package_name: s("orders"),
                description: package.description,
                parameters: package.parameters,
                ..PutPackageRequest::default()
            };
            clouds.packages().put_package(request).await.map(drop)
        }
        Object::Trigger => {
            let mut trigger = Trigger::decode(bytes).unwrap();
            if let Some(trigger::Source::Github(source)) = &mut trigger.source {
                source.access_token = s("ghp_theirs");
            }
            let request = PutTriggerRequest {
                target,
                platform,
                trigger_name: s("nightly"),
                trigger: Some(trigger),
                ..PutTriggerRequest::default()
            };
            clouds.triggers().put_trigger(request).await.map(drop)
        }
        Object::ActionAlias => {
            let request = PutActionAliasRequest {
                target,
                action_name: s("hello"),
                alias_name: s("prod"),
                alias: Some(ActionAlias::decode(bytes).unwrap()),
                ..PutActionAliasRequest::default()
            };
            clouds.actions().put_action_alias(request).await.map(drop)
        }
        Object::AsyncInvokeConfig => {
            let request = PutAsyncInvokeConfigRequest {
                target,
                action_name: s("hello"),
                config: Some(AsyncInvokeConfig::decode(bytes).unwrap()),
                ..PutAsyncInvokeConfigRequest::default()
            };
            clouds
                .actions()
                .put_async_invoke_config(request)
                .await
                .map(drop)
        }
    };
    done.map_err(|status| bare(&status))
}

/// One step down: the field, and of a list or map which item.
type Step = (u32, Option<MapKey>);

/// Every field that is set in `message` and in the messages inside it.
fn fields(message: &DynamicMessage, at: &[Step], found: &mut Vec<(String, Vec<Step>)>) {
    for (field, value) in message.fields() {
        let name = format!("{}.{}", field.parent_message().name(), field.name());
        let step = |item| [at, &[(field.number(), item)]].concat();
        found.push((name, step(None)));
        match value {
            Field::Message(inner) if is_walked(&inner.descriptor()) => {
                fields(inner, &step(None), found);
            }
            Field::List(items) => {
                for (index, item) in (0..).zip(items) {
                    if let Field::Message(inner) = item {
                        fields(inner, &step(Some(MapKey::U32(index))), found);
                    }
                }
            }
            Field::Map(items) => {
                for (key, item) in items {
                    if let Field::Message(inner) = item {
                        fields(inner, &step(Some(key.clone())), found);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Every field that the descriptor has, except below what is left out.
fn known(message: &MessageDescriptor, left_out: &BTreeSet<&str>, found: &mut BTreeSet<String>) {
    for field in message.fields() {
        let name = format!("{}.{}", message.name(), field.name());
        let inner = match field.kind() {
            Kind::Message(inner) if field.is_map() => {
                inner.map_entry_value_field().kind().as_message().cloned()
            }
            Kind::Message(inner) => Some(inner),
            _ => None,
        };
        if let Some(inner) = inner.filter(|inner| is_walked(inner) && !left_out.contains(&*name)) {
            known(&inner, left_out, found);
        }
        found.insert(name);
    }
}

/// Times, durations and JSON are values.
fn is_walked(message: &MessageDescriptor) -> bool {
    message.package_name() == "faas.v1" && message.name() != "Json"
}

fn clear(message: &mut DynamicMessage, path: &[Step]) {
    let ((number, item), rest) = path.split_first().unwrap();
    if rest.is_empty() {
        return message.clear_field_by_number(*number);
    }
    let inner = match (message.get_field_by_number_mut(*number).unwrap(), item) {
        (Field::List(items), Some(MapKey::U32(index))) => {
            &mut items[usize::try_from(*index).unwrap()]
        }
        (Field::Map(items), Some(key)) => items.get_mut(key).unwrap(),
        (other, _) => other,
    };
    clear(inner.as_message_mut().unwrap(), rest);
}

/// What was sent is what the cloud answered, wherever both have a member.
fn assert_same(sent: &Value, answered: &Value, at: &str) {
    match (sent, answered) {
        (Value::Object(sent), Value::Object(answered)) => {
            for (name, value) in sent {
                if let Some(theirs) = answered.get(name) {
                    assert_same(value, theirs, &format!("{at}/{name}"));
                }
            }
        }
        // 2.1 sends a list where an answer may have one object.
        _ => assert_eq!(sent, answered, "{at}"),
    }
}

/// Every field of every object of a cloud: whether it arrives from any of the documents.
async fn walk(cloud: Cloud) {
    let clouds = Clouds::new().await;
    let left_out: BTreeSet<&str> = EXCEPTIONS
        .iter()
        .filter(|(clouds, ..)| clouds.contains(&cloud))
        .flat_map(|(_, fields, _)| fields.iter().copied())
        .collect();
    let mut arrives: BTreeMap<String, bool> = BTreeMap::new();
    for document in documents(cloud) {
        let message = document.get(&clouds, cloud).await;
        let mut names = BTreeSet::new();
        known(&descriptor(document.object), &left_out, &mut names);
        for name in names {
            arrives.entry(name).or_default();
        }
        let sent = document.put(&clouds, cloud, &message).await;
        let sent = sent.unwrap_or_else(|told| panic!("{cloud:?} {}: {told:?}", document.document));
        for (_, target, body) in &sent {
            let answered = if target.ends_with("/code") {
                &document.code
            } else {
                &document.document
            };
            let body: Value = serde_json::from_str(body).unwrap();
            assert_same(body.get("trigger").unwrap_or(&body), answered, target);
        }
        let mut set = Vec::new();
        fields(&message, &[], &mut set);
        for (name, path) in set {
            let mut without = message.clone();
            clear(&mut without, &path);
            let put = document.put(&clouds, cloud, &without).await;
            if put.is_err() || put.is_ok_and(|put| put != sent) {
                arrives.insert(name, true);
            }
        }
    }
    let lost: Vec<_> = arrives
        .iter()
        .filter(|(name, arrives)| !**arrives && !left_out.contains(&***name))
        .collect();
    assert!(
        lost.is_empty(),
        "{cloud:?}: neither put back nor an exception: {lost:?}"
    );
    let stale: Vec<_> = left_out
        .iter()
        .filter(|name| arrives.get(**name).is_some_and(|arrives| *arrives))
        .collect();
    assert!(
        stale.is_empty(),
        "{cloud:?}: exceptions that are put back: {stale:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_ncp_goes_there_and_back() {
    walk(Ncp21).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_ncp_2_0_goes_there_and_back() {
    walk(Ncp20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_functiongraph_goes_there_and_back() {
    walk(FunctionGraph).await;
}

/// An exception names a field that there is.
#[test]
fn no_exception_is_left_of_a_field_that_is_gone() {
    let mut names = BTreeSet::new();
    for object in [
        Object::Action,
        Object::Package,
        Object::Trigger,
        Object::ActionAlias,
        Object::AsyncInvokeConfig,
    ] {
        known(&descriptor(object), &BTreeSet::new(), &mut names);
    }
    for (_, fields, reason) in EXCEPTIONS {
        for field in *fields {
            assert!(names.contains(*field), "{field}: {reason}");
        }
    }
}

fn documents(cloud: Cloud) -> Vec<Document> {
    match cloud {
        Ncp21 | Ncp20 => ncp(cloud),
        FunctionGraph => functiongraph(),
    }
}

/// Full answers of NCP, each in its generation's words.
fn ncp(cloud: Cloud) -> Vec<Document> {
    let old = cloud == Ncp20;
    let of_kind = |mut document: Value, kind: &str| {
        let more = if old {
            json!({"web": kind.contains("web")})
        } else {
            json!({"type": kind})
        };
        merge(&mut document, &more);
        Document::of(Object::Action, document)
    };
    let subnet = json!({"vpcNo": 1001, "subnetNo": 2002});
    let action = |exec: Value| {
        json!({
            "name": "hello", "resourceId": "r-1", "path": "N", "description": "d", "parameters": {"env": "prod"},
            "version": "0.0.1", "exec": exec, "limits": {"timeout": 60_500, "memory": 512},
            "vpc": if old { subnet.clone() } else { json!([subnet]) },
        })
    };
    let text = json!({"kind": "nodejs:22", "main": "main", "binary": false, "code": "x"});
    let mut web = action(text.clone());
    merge(&mut web, &json!({"raw-http": true, "custom-options": true}));
    let sequence = json!({
        "name": "hello", "resourceId": "r-1", "path": "N", "description": "d",
        "exec": {"kind": "sequence", "components": ["orders/a", "-/b"]},
    });
    let mut documents = vec![
        of_kind(action(text), "basic"),
        of_kind(web, "web"),
        of_kind(
            action(json!({"kind": "java:21", "main": "Main", "binary": true, "code": "UEsDBA=="})),
            "basic",
        ),
        of_kind(sequence.clone(), "sequence"),
        of_kind(sequence, "sequence-web"),
        Document::of(
            Object::Package,
            json!({
                "name": "orders", "description": "d", "parameters": {"a": 1}, "namespace": "N", "resourceId": "r-2",
                "platform": "vpc", "actions": [{"name": "hello", "type": "basic", "runtime": "nodejs:22"}],
            }),
        ),
    ];
    if !old {
        let image = json!({"kind": "custom image", "main": "main", "binary": false, "code": "x", "imageUri": "r/i:1"});
        documents.push(of_kind(action(image), "basic"));
    }
    documents.extend(triggers(cloud));
    documents
}

/// Triggers of every kind, flat as a put answers them and in `execOption` as a get does.
fn triggers(cloud: Cloud) -> Vec<Document> {
    let old = cloud == Ncp20;
    let product = if old { "productId" } else { "productName" };
    let github = json!({"username": "u", "accessToken": "ghp_theirs", "repository": "o/r"});
    let mut kinds = vec![
        ("cron", json!({"cronOption": "0 3 * * *"})),
        (
            "github",
            json!({"credential": github, "events": ["push", "star"]}),
        ),
        (
            "github",
            json!({"credentials": github, "events": ["push"],
                "link": {product: "p", "apiName": "a", "stageName": "s"}}),
        ),
        (
            "insight",
            json!({"insightLink": [{"prodKey": "k", "ruleGrpId": "g", "reminderTime": 5,
                "enableNotiWhenEventClose": true}]}),
        ),
        (
            "object_storage",
            json!({"objectStorageLink": [{"bucketName": "b", "eventRuleName": "e"}]}),
        ),
        (
            "source_commit",
            json!({"sourceCommitLink": [{"repositoryName": "r", "webhookName": "w", "enable": false}]}),
        ),
    ];
    if !old {
        kinds.push((
            "secret_manager",
            json!({"secretManagerLink": [{"secretName": "s"}]}),
        ));
    }
    let common = |kind: &str| {
        json!({
            "name": "nightly", "description": "d", "resourceId": "r-3", "parameters": {"a": 1}, "actions": ["p/hello"],
            "type": kind,
        })
    };
    let both = kinds.into_iter().flat_map(|(kind, fields)| {
        let pairs: Vec<_> = fields
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let option = if old {
            json!({"key": "ncf_triggerOptions", "value": pairs})
        } else {
            json!(pairs)
        };
        [fields, json!({"execOption": option})].map(|more| {
            let mut document = common(kind);
            merge(&mut document, &more);
            Document::of(Object::Trigger, document)
        })
    });
    both.collect()
}

/// Full answers of FunctionGraph.
fn functiongraph() -> Vec<Document> {
    let urn = format!("urn:fss:cn-north-4:{PROJECT}:function:default:hello");
    let mut function = json!({
        "func_id": "i", "func_urn": urn, "func_name": "hello", "package": "default", "project_name": "cn-north-4",
        "domain_id": "d", "version": "latest", "image_name": "latest-1", "enterprise_project_id": "e",
        "runtime": "Custom", "handler": "index.handler", "timeout": 30, "memory_size": 8192, "cpu": 300,
        "gpu_memory": 2048, "gpu_type": "nvidia-t4", "ephemeral_storage": 512, "long_time": true, "type": "v2",
        "digest": "x", "depend_version_list": ["d1"], "initializer_handler": "index.init", "initializer_timeout": 301,
        "strategy_config": {"concurrency": -1, "concurrent_num": 10}, "pre_stop_handler": "index.stop",
        "pre_stop_timeout": 3, "heartbeat_handler": "index.beat", "restore_hook_handler": "index.restore",
        "restore_hook_timeout": 4, "enable_class_isolation": true, "is_stateful_function": true,
        "enable_dynamic_memory": true, "enable_auth_in_header": true, "reserved_instance_count": 1,
    });
    merge(
        &mut function,
        &json!({
            "user_data": "{\"a\":\"b\"}", "encrypted_user_data": "{\"s\":\"\"}", "xrole": "x", "app_xrole": "y",
            "description": "d", "extend_config": "{}", "domain_names": "n", "tags": "t", "peering_cidr": "10.1.0.0/16",
            "log_group_id": "g", "log_stream_id": "s", "enable_lts_log": true, "lts_custom_tag": {"k": "v"},
            "user_data_encrypt_kms_key_id": "k1", "code_encrypt_kms_key_id": "k2",
            "last_modified": "2018-03-28T11:30:32+08:00",
            "func_vpc": {"vpc_id": "v", "subnet_id": "s", "vpc_name": "vn", "subnet_name": "sn", "cidr": "10.0.0.0/24",
                "gateway": "10.0.0.1", "security_groups": ["g"], "is_safety": true, "domain_id": "d", "namespace": "n"},
            "mount_config": {"mount_user": {"user_id": 7, "user_group_id": 8}, "func_mounts": [{"mount_type": "sfs",
                "mount_resource": "r", "local_mount_path": "/mnt", "mount_share_path": "/share"}]},
            "network_controller": {"disable_public_network": true,
                "trigger_access_vpcs": [{"vpc_id": "v", "vpc_name": "vn"}]},
        }),
    );
    let code = |more: Value| {
        let mut code = json!({"func_urn": urn, "func_name": "hello", "digest": "y", "code_size": 272,
            "last_modified": "2018-03-28T11:30:32+08:00"});
        merge(&mut code, &more);
        code
    };
    let alias = json!({
        "name": "prod", "version": "1.0", "description": "d", "last_modified": "2018-03-28T11:30:32+08:00",
        "alias_urn": format!("{urn}:!prod"), "additional_version_weights": {"2.0": 10},
        "additional_version_strategy": {"3.0": {"combine_type": "or",
            "rules": [{"rule_type": "Header", "param": "p", "op": "in", "value": "v,w"}]}},
    });
    let config = async_config(&urn);
    vec![
        Document::coded(
            function.clone(),
            &code(
                json!({"code_type": "inline", "func_code": {"file": "eA==", "link": "https://l"}}),
            ),
            &json!({}),
        ),
        Document::coded(
            function.clone(),
            &code(
                json!({"code_type": "jar", "code_filename": "h.jar", "func_code": {"file": "UEsDBA=="}}),
            ),
            &json!({}),
        ),
        Document::coded(
            function.clone(),
            &code(json!({"code_type": "obs", "code_url": "https://b.obs/h.zip", "func_code": {}})),
            &json!({}),
        ),
        Document::coded(
            function,
            &code(json!({"code_type": "Custom-Image-Swr", "func_code": {}})),
            &json!({"runtime": "Custom Image", "handler": "-", "custom_image": {"enabled": true, "image": "swr/i:1",
                "command": "c", "args": "a", "working_dir": "/w", "uid": "1003", "gid": "1004", "is_public": true}}),
        ),
        Document::of(Object::ActionAlias, alias),
        Document::of(Object::AsyncInvokeConfig, config),
    ]
}

/// Puts back what is read of a document; the bodies of the requests.
async fn there_and_back(clouds: &Clouds, cloud: Cloud, document: &Document) -> Vec<Value> {
    let message = document.get(clouds, cloud).await;
    let sent = document.put(clouds, cloud, &message).await;
    let sent = sent.unwrap_or_else(|told| panic!("{cloud:?} {}: {told:?}", document.document));
    sent.iter()
        .map(|(_, _, body)| serde_json::from_str(body).unwrap())
        .collect()
}

#[tokio::test]
async fn what_open_whisk_keeps_of_a_sequence_does_not_keep_it_from_being_put_back() {
    let clouds = Clouds::new().await;
    for cloud in [Ncp21, Ncp20] {
        for parameters in [json!({}), json!({"a": 1}), Value::Null] {
            let document = json!({
                "name": "hello", "type": "sequence", "parameters": parameters, "raw-http": true,
                "limits": {"timeout": 60_000, "memory": 256, "logs": 10}, "vpc": [{"vpcNo": 1, "subnetNo": 2}],
                "exec": {"kind": "sequence", "code": "", "main": "main", "binary": false,
                    "components": ["/_/orders/a", "/N/b", "/whisk.system/utils/echo", "c", "orders/d"]},
            });
            let document = Document::of(Object::Action, document);
            let sent = there_and_back(&clouds, cloud, &document).await;
            let mut expected = json!({"exec": {"kind": "sequence",
                "components": ["/_/orders/a", "/N/b", "/whisk.system/utils/echo", "-/c", "orders/d"]}});
            if cloud == Ncp20 {
                expected["web"] = false.into();
            }
            assert_eq!(sent, [expected], "{cloud:?}");
        }
    }
}

/// Apache OpenWhisk writes parameters as a list, and none as an empty one.
#[tokio::test]
async fn parameters_that_are_no_object_do_not_keep_an_action_from_being_put_back() {
    let clouds = Clouds::new().await;
    for parameters in [
        json!([]),
        json!(""),
        Value::Null,
        json!("x"),
        json!([{"key": "a", "value": 1}]),
    ] {
        let mut documents = documents(Ncp21);
        let package = documents
            .iter()
            .position(|document| document.object == Object::Package)
            .unwrap();
        for mut document in [documents.remove(package), documents.remove(0)] {
            merge(&mut document.document, &json!({"parameters": parameters}));
            let sent = there_and_back(&clouds, Ncp21, &document).await;
            assert_eq!(sent[0].get("parameters"), None, "{parameters}");
        }
    }
}

/// Base64 may be written in lines, and what is none is no source text that a put would send
/// instead.
#[tokio::test]
async fn an_archive_is_put_back_byte_for_byte_or_not_at_all() {
    let clouds = Clouds::new().await;
    let archive = |code: &str| {
        let mut document = documents(Ncp21).remove(2);
        document.document["exec"]["code"] = code.into();
        document
    };
    let sent = there_and_back(&clouds, Ncp21, &archive("UEsD\r\nBA==\n")).await;
    assert_eq!(
        (&sent[0]["exec"]["code"], &sent[0]["exec"]["binary"]),
        (&json!("UEsDBA=="), &json!(true))
    );
    let broken = archive("not base64!");
    let message = broken.get(&clouds, Ncp21).await;
    let told = broken.put(&clouds, Ncp21, &message).await.unwrap_err();
    assert_eq!(told.fields, ["action.exec.code"]);
    let code = json!({"code_type": "zip", "code_filename": "index.zip", "func_code": {"file": "UEsD\nBA=="}});
    let document = Document::coded(function(&json!({})).document, &code, &json!({}));
    let sent = there_and_back(&clouds, FunctionGraph, &document).await;
    let files: Vec<_> = sent
        .iter()
        .filter_map(|body| body["func_code"].get("file"))
        .collect();
    assert_eq!(files, ["UEsDBA==", "UEsDBA=="]);
}

/// A function as the cloud answers it, with this in it.
fn function(more: &Value) -> Document {
    let function = json!({"func_name": "hello", "runtime": "Node.js18.15", "handler": "index.handler", "timeout": 30,
        "memory_size": 256});
    let code = json!({"code_type": "inline", "func_code": {"file": "eA=="}});
    Document::coded(function, &code, more)
}

#[tokio::test]
async fn empty_objects_and_leftovers_of_a_function_do_not_keep_it_from_being_put_back() {
    let clouds = Clouds::new().await;
    for more in [
        json!({"strategy_config": {}, "network_controller": {}, "func_vpc": {}, "mount_config": {}, "custom_image": {},
            "lts_custom_tag": {}}),
        json!({"strategy_config": {"concurrency": null}, "network_controller": {"trigger_access_vpcs": [{}]},
            "func_vpc": {"vpc_id": "", "subnet_id": ""}, "custom_image": {"enabled": false, "image": "swr/i:1"},
            "mount_config": {"mount_user": {"user_id": 0, "user_group_id": 0}, "func_mounts": []}}),
        json!({"enable_lts_log": false, "log_group_id": "g", "log_stream_id": "s"}),
        json!({"initializer_timeout": 0, "pre_stop_timeout": 0, "gpu_memory": 0, "gpu_type": "x", "code_url": "https://o"}),
        json!({"initializer_handler": "index.init", "initializer_timeout": 3600}),
        json!({"strategy_config": {"concurrent_num": 0}}),
        json!({"mount_config": {"func_mounts": [{"mount_type": "sfs", "mount_resource": "r", "local_mount_path": "/m"}]}}),
    ] {
        let sent = there_and_back(&clouds, FunctionGraph, &function(&more)).await;
        for body in &sent {
            for name in [
                "network_controller",
                "func_vpc",
                "custom_image",
                "log_config",
            ] {
                assert_eq!(body.get(name), None, "{more}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn empty_destinations_do_not_keep_settings_from_being_put_back() {
    let clouds = Clouds::new().await;
    for destinations in [
        json!({}),
        json!(null),
        json!({"on_success": {}, "on_failure": null}),
        json!({"on_success": {"destination": "", "param": ""}}),
        json!({"on_success": {"destination": "OBS", "param": ""}}),
    ] {
        let config = json!({"max_async_event_age_in_seconds": 0, "max_async_retry_attempts": 0,
            "destination_config": destinations});
        let document = Document::of(Object::AsyncInvokeConfig, config);
        let sent = there_and_back(&clouds, FunctionGraph, &document).await;
        assert_eq!(
            sent,
            [json!({"max_async_retry_attempts": 0})],
            "{destinations}"
        );
    }
}

#[tokio::test]
async fn an_update_of_a_function_with_logs_names_the_log_that_it_has() {
    let clouds = Clouds::new().await;
    let detail =
        json!({"group_id": "g", "group_name": "gn", "stream_id": "s", "stream_name": "sn"});
    for (given, answer, expected) in [
        (json!({}), http(200, &detail.to_string()), detail.clone()),
        (
            json!({"group_id": "g"}),
            http(200, &detail.to_string()),
            detail.clone(),
        ),
        // Another log is meant.
        (
            json!({"group_id": "mine", "stream_id": "s"}),
            http(200, &detail.to_string()),
            json!({"group_id": "mine", "stream_id": "s"}),
        ),
        // The function has not logged yet.
        (
            json!({}),
            http(404, r#"{"error_code":"FSS.0404","error_msg":"x"}"#),
            Value::Null,
        ),
    ] {
        let document = function(
            &json!({"enable_lts_log": true, "log_group_id": given["group_id"],
            "log_stream_id": given["stream_id"]}),
        );
        let message = document.get(&clouds, FunctionGraph).await;
        let config = document.document.to_string();
        clouds.answer_by(move |request| {
            if request.target().ends_with("/lts-log-detail") {
                answer.clone()
            } else {
                http(200, &config)
            }
        });
        let bytes = message.encode_to_vec();
        let (told, requests) = clouds
            .requests_of(put(&clouds, FunctionGraph, Object::Action, &bytes))
            .await;
        told.unwrap();
        let update = requests
            .iter()
            .find(|request| request.method() == "PUT" && request.target().ends_with("/config"))
            .unwrap()
            .json();
        assert_eq!(update["enable_lts_log"], json!(true));
        assert_eq!(update["log_config"], expected, "{given}");
    }
}

/// A caller who says nothing of logs does not know that the account switches them on.
#[tokio::test]
async fn an_update_that_says_nothing_of_logs_keeps_those_that_the_function_has() {
    let clouds = Clouds::new().await;
    for (logs, detail, expected) in [
        (
            true,
            r#"{"group_id":"g","stream_id":"s"}"#,
            json!({"group_id": "g", "stream_id": "s"}),
        ),
        (true, "{}", Value::Null),
        (false, r#"{"group_id":"g","stream_id":"s"}"#, Value::Null),
    ] {
        let config = function(&json!({"enable_lts_log": logs}))
            .document
            .to_string();
        clouds.answer_by(move |request| {
            let asked = request.target().ends_with("/lts-log-detail");
            http(200, if asked { detail } else { &config })
        });
        let bytes = crate::operations::action(FunctionGraph).encode_to_vec();
        let (told, requests) = clouds
            .requests_of(put(&clouds, FunctionGraph, Object::Action, &bytes))
            .await;
        told.unwrap();
        let targets: Vec<_> = requests
            .iter()
            .map(|request| (request.method(), request.target()))
            .collect();
        let asked = targets
            .iter()
            .any(|(_, target)| target.ends_with("/lts-log-detail"));
        assert_eq!(asked, logs);
        let update = targets
            .iter()
            .position(|(method, target)| *method == "PUT" && target.ends_with("/config"));
        let update = requests[update.unwrap()].json();
        assert_eq!(update["log_config"], expected, "{detail}");
        let flag = if expected.is_null() {
            Value::Null
        } else {
            json!(true)
        };
        assert_eq!(update["enable_lts_log"], flag, "{detail}");
    }
}

#[tokio::test]
async fn a_log_without_logging_is_refused_before_anything_is_sent() {
    let clouds = Clouds::new().await;
    let mut action = crate::operations::action(FunctionGraph);
    action.function_graph = Some(FunctionGraphAction {
        enable_lts_log: Some(false),
        log_config: Some(FunctionGraphLogConfig {
            group_id: "g".to_owned(),
            ..FunctionGraphLogConfig::default()
        }),
        ..FunctionGraphAction::default()
    });
    let bytes = action.encode_to_vec();
    let (told, requests) = clouds
        .requests_of(put(&clouds, FunctionGraph, Object::Action, &bytes))
        .await;
    assert_eq!(
        told.unwrap_err().fields,
        ["action.function_graph.log_config"]
    );
    assert!(requests.is_empty());
}
