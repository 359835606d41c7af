//! Links between triggers and actions (NCP docs: posttriggerlinkaction, deletetriggerlinkaction).

use serde_json::json;

use super::body::{self, Fields};
use super::cloud::{Call, Cloud, LINKS};
use super::codes::{self, Refusal};
use super::model::{Link, NO_PACKAGE};
use super::package::content;
use super::site::Generation;
use crate::http::Reply;
use crate::store::Batch;

/// Reads `action` and `package` and checks that both ends exist.
fn read(cloud: &Cloud, call: &Call, trigger: &str) -> Result<Link, Refusal> {
    let map = body::object(&call.body, codes::RULE_BODY_TYPE)?;
    let fields = Fields::new(&map, "", body::RULE);
    let action = fields.need("action", Fields::string)?;
    let package = match call.generation {
        Generation::V21 => fields.string("package")?.unwrap_or(NO_PACKAGE),
        Generation::V20 => fields.need("package", Fields::string)?,
    };
    cloud.trigger(trigger, call.platform)?;
    cloud.action(package, action, call.platform)?;
    Ok(Link {
        trigger: trigger.to_owned(),
        package: package.to_owned(),
        action: action.to_owned(),
    })
}

pub(super) fn link(cloud: &Cloud, call: &Call, trigger: &str) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    let link = read(cloud, call, trigger)?;
    let of_trigger = cloud.links_of_trigger(trigger)?;
    if of_trigger.contains(&link) {
        return Err(codes::DUPLICATED_RULE.refuse(format!("{} is linked already", link.action)));
    }
    if of_trigger.len() >= cloud.options.quotas.links_per_trigger {
        return Err(codes::TRIGGER_LINK_COUNT_EXCEED.refuse(""));
    }
    if cloud.links_to_action(&link.package, &link.action)?.len()
        >= cloud.options.quotas.links_per_action
    {
        return Err(codes::ACTION_LINK_COUNT_EXCEED.refuse(""));
    }
    cloud
        .store
        .write(&Batch::default().put(LINKS, &link.key(), &link)?)?;
    let namespace = &cloud.options.namespace;
    Ok(content(&json!({
        "action": {"name": link.action, "path": cloud.path(&link.package)},
        "namespace": namespace,
        "status": "active",
        "trigger": {"name": link.trigger, "path": namespace},
    })))
}

/// INFERRED: the page has no code for two things that exist but are not linked.
pub(super) fn unlink(cloud: &Cloud, call: &Call, trigger: &str) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    let link = read(cloud, call, trigger)?;
    if !cloud.links_of_trigger(trigger)?.contains(&link) {
        return Err(
            codes::ACTION_NOT_FOUND.refuse(format!("{} is not linked to {trigger}", link.action))
        );
    }
    cloud
        .store
        .write(&Batch::default().remove(LINKS, &link.key()))?;
    Ok(Reply::empty(204))
}
