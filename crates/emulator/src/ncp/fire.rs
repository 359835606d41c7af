//! Fires triggers: by the operation (NCP docs: posttrigger) and by cron.
//!
//! The activation of a trigger logs one JSON text for each linked action, with the activation id of
//! its run, as OpenWhisk does: that is how a caller finds the run that a trigger caused.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::cloud::{Call, Cloud};
use super::codes::{self, Refusal};
use super::engine::{self, new_id, runtime_params};
use super::model::{Activation, Link, Response, Trigger};
use super::package::content;
use super::site::korean_time;
use crate::http::Reply;

/// How often the schedule is looked at. Cron counts minutes, so this only has to be well below a
/// second.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn fire(cloud: &Arc<Cloud>, call: &Call, name: &str) -> Result<Reply, Refusal> {
    let trigger = cloud.trigger(name, call.platform)?;
    let params = runtime_params(&call.body, codes::TRIGGER_RUNTIME_PARAMS)?;
    let id = strike(cloud, &trigger, params)?;
    Ok(content(&json!({ "activationId": id })))
}

/// Starts every linked action and records the trigger's own activation.
fn strike(
    cloud: &Arc<Cloud>,
    trigger: &Trigger,
    params: Map<String, Value>,
) -> Result<String, Refusal> {
    let links = cloud.links_of_trigger(&trigger.name)?;
    if links.is_empty() {
        return Err(
            codes::TRIGGER_INVOKE_FAIL.refuse(format!("no action is linked to {}", trigger.name))
        );
    }
    let start = cloud.clock.now_ms();
    let mut input = trigger.parameters.clone();
    input.extend(params);
    let mut logs = Vec::new();
    for link in &links {
        logs.push(follow(cloud, link, &input)?.to_string());
    }
    let activation = Activation {
        id: new_id(),
        name: trigger.name.clone(),
        package: None,
        platform: trigger.platform,
        start,
        // OpenWhisk's trigger activations never end: "by design" (apache/openwhisk#4194). INFERRED
        // that NCP shows it.
        end: 0,
        logs,
        response: Response {
            result: Value::Object(input),
            status: "success".into(),
            success: true,
        },
    };
    cloud.record(&activation)?;
    Ok(activation.id)
}

fn follow(cloud: &Arc<Cloud>, link: &Link, input: &Map<String, Value>) -> Result<Value, Refusal> {
    let namespace = &cloud.options.namespace;
    let mut line = json!({
        "statusCode": 0,
        "success": true,
        "rule": format!("{namespace}/{}_{}", link.trigger, link.action),
        "action": format!("{}/{}", cloud.path(&link.package), link.action),
    });
    let found = cloud.find_action(&link.package, &link.action)?;
    let started = match found {
        Some(action) => engine::start(cloud, action, input.clone()),
        None => Err(codes::ACTION_NOT_FOUND.refuse("")),
    };
    match started {
        Ok(started) => line["activationId"] = started.id.into(),
        Err(refusal) => {
            line["statusCode"] = refusal.code.status.into();
            line["success"] = false.into();
            line["error"] = refusal.details.into();
        }
    }
    Ok(line)
}

/// Fires cron triggers when their minute comes, in Korean time, until the cloud stops.
pub(super) async fn keep_schedule(cloud: Arc<Cloud>) {
    while !cloud.stop.is_stopped() {
        tokio::time::sleep(TICK).await;
        let now = cloud.clock.now().with_timezone(&korean_time());
        for name in cloud.schedule.due(now) {
            if let Ok(Some(trigger)) = cloud.find_trigger(&name) {
                // Nothing linked: there is nobody to tell.
                let _ = strike(&cloud, &trigger, Map::new());
            }
        }
    }
}
