//! Actions (NCP docs: getactionlist, getaction, putaction, deleteaction).
//!
//! The code comes back in answers, as on the real cloud. What a body may hold is in
//! `action/definition.rs`.

mod definition;

use serde_json::{Value, json};

use super::cloud::{ACTIONS, Call, Cloud, Holder, LINKS, NAMES};
use super::codes::{self, Refusal};
use super::model::{Action, Exec, Kind, NO_PACKAGE};
use super::package::content;
use super::route::is_name;
use super::site::{Generation, Platform};
use crate::http::Reply;
use crate::store::Batch;

/// An action in a list: v2.1 has `type`, v2.0 has `web`.
pub(super) fn list_item(action: &Action, generation: Generation) -> Value {
    let mut item = json!({"description": action.description, "name": action.name, "runtime": action.runtime()});
    match generation {
        Generation::V21 => item["type"] = action.kind.name().into(),
        Generation::V20 => item["web"] = action.kind.is_web().into(),
    }
    item
}

/// INFERRED: the pages of these operations do not show how an unknown package is answered.
fn package_exists(cloud: &Cloud, package: &str, platform: Platform) -> Result<(), Refusal> {
    if package != NO_PACKAGE {
        cloud.package(package, platform)?;
    }
    Ok(())
}

pub(super) fn list(cloud: &Cloud, call: &Call, package: &str) -> Result<Reply, Refusal> {
    package_exists(cloud, package, call.platform)?;
    let mut actions = cloud
        .store
        .list::<Action>(ACTIONS, &format!("{package}/"))?;
    actions.retain(|action| action.platform == call.platform);
    let items: Vec<Value> = actions
        .iter()
        .map(|action| list_item(action, call.generation))
        .collect();
    Ok(content(&json!({ "actions": items })))
}

pub(super) fn get(cloud: &Cloud, call: &Call, package: &str, name: &str) -> Result<Reply, Refusal> {
    let action = cloud.action(package, name, call.platform)?;
    Ok(content(&shown(cloud, &action, call.generation)))
}

pub(super) fn put(cloud: &Cloud, call: &Call, package: &str, name: &str) -> Result<Reply, Refusal> {
    if !is_name(name) {
        return Err(codes::ACTION_INVALID_NAME.refuse(format!("{name:?} is no valid name")));
    }
    let _writing = cloud.writing();
    package_exists(cloud, package, call.platform)?;
    let holder = Holder::Action(package.to_owned());
    let present = if cloud.claim(name, &holder)? {
        Some(cloud.action(package, name, call.platform)?)
    } else if cloud.store.count(ACTIONS)? >= cloud.options.quotas.actions {
        return Err(codes::ACTION_COUNT_EXCEED.refuse(""));
    } else {
        None
    };
    let definition = definition::read(call, present.as_ref(), &cloud.options.namespace)?;
    if present
        .as_ref()
        .is_some_and(|present| present.kind != definition.kind)
    {
        return Err(codes::ACTION_TYPE_MISMATCH.refuse("the type of an action cannot be changed"));
    }
    let action = definition.into_action(package, name, call.platform);
    if let Exec::Sequence(components) = &action.exec {
        check_components(cloud, &action, components)?;
    }
    let batch = Batch::default()
        .put(ACTIONS, &action.full_name(), &action)?
        .put(NAMES, name, &holder)?;
    cloud.store.write(&batch)?;
    Ok(content(&shown(cloud, &action, call.generation)))
}

/// INFERRED, after OpenWhisk: components exist when a sequence is made, and no sequence reaches
/// itself.
fn check_components(cloud: &Cloud, action: &Action, components: &[String]) -> Result<(), Refusal> {
    let mut to_visit: Vec<String> = components.to_vec();
    let mut seen = Vec::new();
    while let Some(component) = to_visit.pop() {
        if component == action.full_name() {
            return Err(codes::ACTION_BODY_VALUE
                .refuse("exec.components leads back to the sequence itself"));
        }
        if seen.contains(&component) {
            continue;
        }
        let (package, name) = component
            .split_once('/')
            .unwrap_or((NO_PACKAGE, &component));
        let Some(found) = cloud.find_action(package, name)? else {
            return Err(
                codes::ACTION_BODY_VALUE.refuse(format!("exec.components: no action {component}"))
            );
        };
        if found.platform != action.platform {
            return Err(codes::ACTION_PLATFORM_MISMATCH.refuse(format!(
                "exec.components: {component} is on another platform"
            )));
        }
        if let Exec::Sequence(inner) = &found.exec {
            to_visit.extend(inner.iter().cloned());
        }
        seen.push(component);
    }
    Ok(())
}

/// INFERRED: links to a deleted action go with it; its activations stay until their month is over.
pub(super) fn delete(
    cloud: &Cloud,
    call: &Call,
    package: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    let action = cloud.action(package, name, call.platform)?;
    let mut batch = Batch::default()
        .remove(ACTIONS, &action.full_name())
        .remove(NAMES, name);
    for link in cloud.links_to_action(package, name)? {
        batch = batch.remove(LINKS, &link.key());
    }
    cloud.store.write(&batch)?;
    Ok(Reply::empty(204))
}

fn shown(cloud: &Cloud, action: &Action, generation: Generation) -> Value {
    let mut shown = json!({
        "description": action.description,
        "name": action.name,
        "path": cloud.path(&action.package),
        "resourceId": cloud.resource_id("action", &action.full_name()),
    });
    match generation {
        Generation::V21 => shown["type"] = action.kind.name().into(),
        Generation::V20 => shown["web"] = action.kind.is_web().into(),
    }
    let code = match &action.exec {
        Exec::Sequence(components) => {
            shown["exec"] = json!({"components": components, "kind": "sequence"});
            return shown;
        }
        Exec::Code(code) => code,
    };
    shown["exec"] =
        json!({"binary": code.binary, "code": code.code, "kind": code.runtime, "main": code.main});
    if let Some(uri) = &code.image_uri {
        shown["exec"]["imageUri"] = uri.as_str().into();
    }
    shown["limits"] = json!({"memory": code.memory_mb, "timeout": code.timeout_ms});
    shown["parameters"] = Value::Object(action.parameters.clone());
    if action.kind == Kind::Web {
        shown["raw-http"] = action.raw_http.into();
        shown["custom-options"] = action.custom_options.into();
    }
    match (generation, action.vpc.first()) {
        (Generation::V21, Some(_)) => shown["vpc"] = json!(action.vpc),
        (Generation::V20, Some(first)) => shown["vpc"] = json!(first),
        (_, None) => {}
    }
    shown
}
