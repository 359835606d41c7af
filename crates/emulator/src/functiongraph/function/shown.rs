//! How a function is written in answers (create, list, version pages; OpenAPI for the code).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::functiongraph::cloud::Cloud;
use crate::functiongraph::model::Function;
use crate::functiongraph::options::Project;
use crate::functiongraph::time;

/// Which of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::functiongraph) enum View {
    /// Create and get: the URN ends in the version.
    Whole,
    /// Updates: the URN often comes without a version.
    Short,
    /// An item of a list of functions: also the failures of the last day.
    Item,
    /// An item of a list of versions, and the answer to a publication.
    Version,
}

/// What a create or an update takes and no answer shows (create page against the schema of the
/// answers).
const ONLY_SENT: [&str; 6] = [
    "log_config",
    "tags",
    "user_data_encrypt_kms_key_id",
    "code_encrypt_kms_key_id",
    "restore_hook_handler",
    "restore_hook_timeout",
];

/// `urn:fss:{region}:{project}:function:{package}:{name}`.
pub(in crate::functiongraph) fn urn_text(project: &Project, package: &str, name: &str) -> String {
    format!(
        "urn:fss:{}:{}:function:{package}:{name}",
        project.region(),
        project.id
    )
}

pub(in crate::functiongraph) fn full(
    cloud: &Cloud,
    project: &Project,
    function: &Function,
    view: View,
) -> Value {
    let mut urn = urn_text(project, &function.package, &function.name);
    if view == View::Whole {
        urn = format!("{urn}:{}", function.version);
    }
    let mut shown = json!({
        "func_id": function.id,
        "resource_id": format!("{}:{}", function.id, function.name),
        "func_urn": urn,
        "func_name": function.name,
        "domain_id": cloud.options.domain_id,
        "namespace": function.project,
        "project_name": project.name,
        "package": function.package,
        "runtime": function.runtime,
        "timeout": function.timeout_s,
        "handler": function.handler,
        "memory_size": function.memory_mb,
        // Function Model: memory/128 × 100 + 200 millicores.
        "cpu": function.memory_mb * 100 / 128 + 200,
        "code_type": function.code.kind,
        "code_url": function.code.url,
        "code_filename": function.code.filename,
        "code_size": function.code.size,
        "digest": function.code.digest,
        "version": function.version,
        "image_name": format!("{}-{}", function.version, function.id),
        "last_modified": time::local(function.modified_ms),
        "strategy_config": function.strategy,
        // Undeclared, yet in every sample.
        "func_code": {},
        "last_modified_utc": function.modified_ms / 1000,
        "depend_list": null,
        "dependencies": [],
        "long_time": function.timeout_s > 900,
        "is_bridge_function": false,
        "enterprise_project_id": "",
        "type": "v2",
        "xrole": "",
        "app_xrole": null,
        "description": "",
        "user_data": "",
        "func_vpc": null,
        "mount_config": null,
        "ephemeral_storage": 512,
        "enable_dynamic_memory": false,
        "is_stateful_function": false,
        "enable_lts_log": false,
    });
    let Some(map) = shown.as_object_mut() else {
        return shown;
    };
    for (name, value) in &function.settings {
        if !ONLY_SENT.contains(&name.as_str()) {
            map.insert(name.clone(), value.clone());
        }
    }
    // Of a log the answer has the ids and not the names (terraform-provider-huaweicloud, pull
    // request 6987).
    let log = function.settings.get("log_config");
    for (name, member) in [("log_group_id", "group_id"), ("log_stream_id", "stream_id")] {
        let id = log
            .and_then(|log| log.get(member))
            .filter(|id| id.is_string());
        map.extend(id.map(|id| (name.to_owned(), id.clone())));
    }
    if let Some(secrets) = map.get("encrypted_user_data").and_then(Value::as_str) {
        let blanked = blanked(secrets);
        map.insert("encrypted_user_data".into(), blanked.into());
    }
    if view != View::Whole {
        // Only the answers that show one function whole have it.
        map.remove("peering_cidr");
    }
    match view {
        View::Item => {
            map.insert("fail_count".into(), 0.into());
            let vpc = map.remove("func_vpc").unwrap_or_default();
            map.insert(
                "func_vpc_id".into(),
                vpc.get("vpc_id").cloned().unwrap_or("".into()),
            );
        }
        View::Version => {
            let description = function.version_description.clone().unwrap_or_default();
            map.insert("version_description".into(), description.into());
            map.insert("concurrency".into(), function.strategy.concurrency.into());
            map.insert(
                "concurrent_num".into(),
                function.strategy.concurrent_num.into(),
            );
        }
        View::Whole | View::Short => {}
    }
    shown
}

/// The values of secret variables do not come back. INFERRED: they come back empty.
fn blanked(text: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(map) => {
            let blank = map
                .into_iter()
                .map(|(name, _)| (name, Value::String(String::new())));
            Value::Object(blank.collect()).to_string()
        }
        Err(_) => String::new(),
    }
}

/// The answer of both operations on code.
pub(super) fn code(project: &Project, cloud: &Cloud, function: &Function, bytes: &[u8]) -> Value {
    let urn = urn_text(project, &function.package, &function.name);
    let list = function.settings.get("depend_version_list");
    json!({
        "func_urn": format!("{urn}:{}", function.version),
        "func_name": function.name,
        "domain_id": cloud.options.domain_id,
        "runtime": function.runtime,
        "code_type": function.code.kind,
        "code_url": function.code.url,
        "code_filename": function.code.filename,
        "code_size": function.code.size,
        "digest": function.code.digest,
        "last_modified": time::local(function.modified_ms),
        "func_code": {"file": STANDARD.encode(bytes), "link": ""},
        "depend_list": null,
        "depend_version_list": list,
        "strategy_config": function.strategy,
        "dependencies": [],
    })
}
