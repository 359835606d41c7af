//! Triggers (NCP docs: gettriggerlist, gettrigger, puttrigger, deletetrigger).
//!
//! The full answer of a put is in no copy of the documents: it shows what was put, the GitHub
//! access token included, as the page of that type says. What a body may hold is in
//! `trigger/definition.rs`.

mod definition;

use serde_json::{Map, Value, json};

use super::cloud::{Call, Cloud, Holder, LINKS, NAMES, TRIGGERS};
use super::codes::{self, Refusal};
use super::model::Trigger;
use super::package::content;
use super::route::is_name;
use super::site::Generation;
use crate::http::Reply;
use crate::store::Batch;

pub(super) fn list(cloud: &Cloud, call: &Call) -> Result<Reply, Refusal> {
    let mut triggers = cloud.store.list::<Trigger>(TRIGGERS, "")?;
    triggers.retain(|trigger| trigger.platform == call.platform);
    let items: Vec<Value> = triggers
        .iter()
        .map(|t| json!({"name": t.name, "type": t.kind}))
        .collect();
    Ok(content(&json!({ "triggers": items })))
}

pub(super) fn get(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    let trigger = cloud.trigger(name, call.platform)?;
    let actions: Vec<String> = cloud
        .links_of_trigger(name)?
        .into_iter()
        .map(|link| link.action)
        .collect();
    Ok(content(&json!({
        "actions": actions,
        "description": trigger.description,
        "execOption": exec_option(&trigger, call.generation),
        "name": trigger.name,
        "resourceId": cloud.resource_id("trigger", name),
        "type": trigger.kind,
    })))
}

/// v2.1 shows `[{key, value}]`, v2.0 the same list inside an object; the key of the cron pattern
/// differs.
fn exec_option(trigger: &Trigger, generation: Generation) -> Value {
    let mut pairs = Vec::new();
    for (name, value) in &trigger.options {
        match (name.as_str(), value) {
            ("credential", Value::Object(credential)) => {
                pairs.extend(
                    credential
                        .iter()
                        .map(|(key, value)| json!({"key": key, "value": value})),
                );
            }
            ("cronOption", value) if generation == Generation::V20 => {
                pairs.push(json!({"key": "cron", "value": value}));
            }
            (name, value) => pairs.push(json!({"key": name, "value": value})),
        }
    }
    match generation {
        Generation::V21 => Value::Array(pairs),
        Generation::V20 => json!({"key": "ncf_triggerOptions", "value": pairs}),
    }
}

pub(super) fn put(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    if !is_name(name) {
        return Err(codes::TRIGGER_INVALID_NAME.refuse(format!("{name:?} is no valid name")));
    }
    let kind = definition::kind(cloud.options.site, call)?;
    let _writing = cloud.writing();
    let present = if cloud.claim(name, &Holder::Trigger)? {
        Some(cloud.trigger(name, call.platform)?)
    } else if cloud.store.count(TRIGGERS)? >= cloud.options.quotas.triggers {
        return Err(codes::TRIGGER_COUNT_EXCEED.refuse(""));
    } else {
        None
    };
    if present.as_ref().is_some_and(|present| present.kind != kind) {
        return Err(codes::TRIGGER_TYPE_MISMATCH.refuse("the type of a trigger cannot be changed"));
    }
    let trigger = definition::read(call, name, kind, present.is_none())?;
    let others = cloud.store.list::<Trigger>(TRIGGERS, "")?;
    definition::check_secrets(&trigger, &others)?;
    let batch =
        Batch::default()
            .put(TRIGGERS, name, &trigger)?
            .put(NAMES, name, &Holder::Trigger)?;
    cloud.store.write(&batch)?;
    cloud.reschedule(&trigger);
    let mut shown = Map::new();
    shown.extend(trigger.options);
    shown.insert("description".into(), trigger.description.into());
    shown.insert("name".into(), trigger.name.into());
    shown.insert("parameters".into(), trigger.parameters.into());
    shown.insert(
        "resourceId".into(),
        cloud.resource_id("trigger", name).into(),
    );
    shown.insert("triggerType".into(), trigger.kind.into());
    Ok(content(&Value::Object(shown)))
}

/// INFERRED: the links of a deleted trigger go with it.
pub(super) fn delete(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    cloud.trigger(name, call.platform)?;
    let mut batch = Batch::default().remove(TRIGGERS, name).remove(NAMES, name);
    for link in cloud.links_of_trigger(name)? {
        batch = batch.remove(LINKS, &link.key());
    }
    cloud.store.write(&batch)?;
    cloud.schedule.remove(name);
    Ok(Reply::empty(204))
}
