//! Packages (NCP docs: getpackagelist, getpackage, putpackage, deletepackage).

use serde_json::{Value, json};

use super::action;
use super::body::{self, Fields};
use super::cloud::{ACTIONS, Call, Cloud, Holder, NAMES, PACKAGES};
use super::codes::{self, Refusal};
use super::model::{Action, Package};
use super::route::is_name;
use super::site::Site;
use crate::http::Reply;
use crate::store::Batch;

/// `{"content": …}` with 200.
pub(super) fn content(content: &Value) -> Reply {
    Reply::json(200, &json!({ "content": content }))
}

pub(super) fn list(cloud: &Cloud, call: &Call) -> Result<Reply, Refusal> {
    let mut packages = cloud.store.list::<Package>(PACKAGES, "")?;
    packages.retain(|package| package.platform == call.platform);
    let items = packages
        .iter()
        .map(|p| json!({"name": p.name, "description": p.description}));
    Ok(content(&items.collect()))
}

pub(super) fn get(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    let package = cloud.package(name, call.platform)?;
    let actions = cloud.store.list::<Action>(ACTIONS, &format!("{name}/"))?;
    let items: Vec<Value> = actions
        .iter()
        .map(|a| action::list_item(a, call.generation))
        .collect();
    let mut shown = json!({
        "actions": items,
        "description": package.description,
        "name": package.name,
        "parameters": package.parameters,
        "resourceId": cloud.resource_id("package", name),
    });
    if cloud.options.site != Site::Government {
        shown["platform"] = package.platform.name().into();
    }
    Ok(content(&shown))
}

pub(super) fn put(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    if !is_name(name) {
        return Err(codes::PACKAGE_INVALID_NAME.refuse(format!("{name:?} is no valid name")));
    }
    let map = body::object(&call.body, codes::PACKAGE_BODY_TYPE)?;
    let fields = Fields::new(&map, "", body::PACKAGE);
    let (description, parameters) = (fields.description()?, fields.parameters()?);
    let _writing = cloud.writing();
    let present = if cloud.claim(name, &Holder::Package)? {
        Some(cloud.package(name, call.platform)?)
    } else if cloud.store.count(PACKAGES)? >= cloud.options.quotas.packages {
        return Err(codes::PACKAGE_COUNT_EXCEED.refuse(""));
    } else {
        None
    };
    // INFERRED: PUT replaces; what the body leaves out is cleared, not kept.
    let package = Package {
        name: name.to_owned(),
        platform: present.map_or(call.platform, |package| package.platform),
        description: description.unwrap_or_default(),
        parameters: parameters.unwrap_or_default(),
    };
    let batch =
        Batch::default()
            .put(PACKAGES, name, &package)?
            .put(NAMES, name, &Holder::Package)?;
    cloud.store.write(&batch)?;
    Ok(content(&json!({
        "description": package.description,
        "name": package.name,
        "namespace": cloud.options.namespace,
        "parameters": package.parameters,
        "resourceId": cloud.resource_id("package", name),
    })))
}

pub(super) fn delete(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    cloud.package(name, call.platform)?;
    if !cloud
        .store
        .list::<Action>(ACTIONS, &format!("{name}/"))?
        .is_empty()
    {
        return Err(
            codes::PACKAGE_NOT_EMPTY.refuse(format!("the package {name} still has actions"))
        );
    }
    cloud
        .store
        .write(&Batch::default().remove(PACKAGES, name).remove(NAMES, name))?;
    Ok(Reply::empty(204))
}
