//! What happens with asynchronous runs of a version (OpenAPI, `UpdateFunctionAsyncInvokeConfig` and
//! its kin).

use serde_json::{Map, Value, json};

use super::body::{self, Fields};
use super::cloud::{ASYNC_CONFIGS, Call, Cloud};
use super::codes::{self, Refusal};
use super::function::{Page, urn_text};
use super::model::{AsyncConfig, function_key};
use super::time;
use super::urn::{LATEST, Qualifier, Urn};
use crate::http::Reply;
use crate::store::Batch;

/// Request schema: 1 to 86400, default 3600.
pub(super) const DEFAULT_MAX_AGE_S: i64 = 3600;
/// Request schema: 0 to 3, default 1. The response's text and Terraform say 0 to 8, default 3: the
/// wider is taken.
pub(super) const DEFAULT_MAX_RETRIES: i64 = 1;
const MAX_RETRIES: i64 = 8;
const LOG_FIELDS: [&str; 4] = [
    "log_group_id",
    "log_group_name",
    "log_stream_id",
    "log_stream_name",
];
const NONE_SET: &str = "the function has no asynchronous invocation configuration";

fn qualifier(urn: &Urn) -> String {
    match &urn.qualifier {
        Qualifier::None => LATEST.to_owned(),
        Qualifier::Version(version) => version.clone(),
        Qualifier::Alias(alias) => format!("!{alias}"),
    }
}

fn key(project: &str, urn: &Urn) -> String {
    format!(
        "{}/{}",
        function_key(project, &urn.package, &urn.name),
        qualifier(urn)
    )
}

/// The configuration of exactly this qualifier.
pub(super) fn find(
    cloud: &Cloud,
    project: &str,
    urn: &Urn,
) -> Result<Option<AsyncConfig>, Refusal> {
    Ok(cloud.store.get(ASYNC_CONFIGS, &key(project, urn))?)
}

fn shown(call: &Call<'_>, urn: &Urn, config: &AsyncConfig) -> Value {
    let function = urn_text(call.project, &urn.package, &urn.name);
    let mut shown = json!({
        "func_urn": format!("{function}:{}", config.qualifier),
        "max_async_event_age_in_seconds": config.max_age_s,
        "max_async_retry_attempts": config.max_retries,
        "destination_config": config.destinations,
        "created_time": time::local(config.created_ms),
        "last_modified": time::local(config.modified_ms),
        "enable_async_status_log": config.status_log,
    });
    if let Some(map) = shown.as_object_mut() {
        map.extend(config.log.clone());
    }
    shown
}

pub(super) fn get(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    cloud.version(&call.project.id, urn)?;
    let config =
        find(cloud, &call.project.id, urn)?.ok_or_else(|| codes::NOT_FOUND.refuse(NONE_SET))?;
    Ok(Reply::json(200, &shown(call, urn, &config)))
}

pub(super) fn put(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let fields = Fields::new(&map);
    let age = fields.within(
        "max_async_event_age_in_seconds",
        1..=86_400,
        DEFAULT_MAX_AGE_S,
        codes::PARAMETER,
    )?;
    let retries = fields.within(
        "max_async_retry_attempts",
        0..=MAX_RETRIES,
        DEFAULT_MAX_RETRIES,
        codes::PARAMETER,
    )?;
    let mut log = Map::new();
    for name in LOG_FIELDS {
        let text = fields.string(name, codes::PARAMETER)?;
        log.extend(text.map(|text| (name.to_owned(), text.into())));
    }
    let destinations = destinations(&fields)?;
    let status_log = fields.boolean("enable_async_status_log")?.unwrap_or(false);
    let _writing = cloud.writing();
    cloud.version(&call.project.id, urn)?;
    let now = cloud.clock.now_ms();
    let present = find(cloud, &call.project.id, urn)?;
    let config = AsyncConfig {
        qualifier: qualifier(urn),
        max_age_s: age,
        max_retries: retries,
        destinations,
        status_log,
        log,
        created_ms: present.map_or(now, |present| present.created_ms),
        modified_ms: now,
    };
    let key = key(&call.project.id, urn);
    cloud
        .store
        .write(&Batch::default().put(ASYNC_CONFIGS, &key, &config)?)?;
    Ok(Reply::json(200, &shown(call, urn, &config)))
}

/// `param` is JSON as text.
fn destinations(fields: &Fields<'_>) -> Result<Map<String, Value>, Refusal> {
    let Some(map) = fields.object("destination_config", codes::PARAMETER)? else {
        return Ok(Map::new());
    };
    let sides = Fields::new(map);
    for side in ["on_success", "on_failure"] {
        let Some(side) = sides.object(side, codes::PARAMETER)? else {
            continue;
        };
        let side = Fields::new(side);
        let kind = side
            .string("destination", codes::PARAMETER)?
            .unwrap_or_default();
        if !matches!(kind, "OBS" | "SMN" | "DIS" | "FunctionGraph") {
            return Err(
                codes::PARAMETER.refuse("destination must be OBS, SMN, DIS or FunctionGraph")
            );
        }
        let param = side.string("param", codes::PARAMETER)?.unwrap_or_default();
        if !matches!(serde_json::from_str(param), Ok(Value::Object(_))) {
            return Err(codes::PARAMETER.refuse("param must be the text of a JSON object"));
        }
    }
    Ok(map.clone())
}

pub(super) fn delete(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    cloud.version(&call.project.id, urn)?;
    if find(cloud, &call.project.id, urn)?.is_none() {
        return Err(codes::NOT_FOUND.refuse(NONE_SET));
    }
    let batch = Batch::default().remove(ASYNC_CONFIGS, &key(&call.project.id, urn));
    cloud.store.write(&batch)?;
    Ok(Reply::empty(204))
}

/// Those of all versions of the function.
pub(super) fn list(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let page = Page::lenient(cloud, call, "limit", 10, 100)?;
    cloud.latest(&call.project.id, urn)?;
    let prefix = format!(
        "{}/",
        function_key(&call.project.id, &urn.package, &urn.name)
    );
    let configs = cloud.store.list::<AsyncConfig>(ASYNC_CONFIGS, &prefix)?;
    let count = configs.len();
    let (items, next) = page.cut(configs);
    let items: Vec<Value> = items
        .iter()
        .map(|config| shown(call, urn, config))
        .collect();
    let info = json!({"next_marker": next, "previous_marker": 0, "current_count": items.len()});
    Ok(Reply::json(
        200,
        &json!({"async_invoke_configs": items, "count": count, "page_info": info}),
    ))
}

/// For the whole project; the emulator keeps records without it, as each function's own switch
/// says.
pub(super) fn enable_status_log() -> Result<Reply, Refusal> {
    Ok(Reply::empty(200))
}

pub(super) fn show_status_log(call: &Call<'_>) -> Result<Reply, Refusal> {
    let project = &call.project.id;
    Ok(Reply::json(
        200,
        &json!({
            "group_id": format!("{project}-group"), "group_name": format!("functiongraph.log.group.{project}"),
            "stream_id": format!("{project}-stream"), "stream_name": "functiongraph.async.status",
        }),
    ))
}
