//! Activations (NCP docs: getactionactivationlist, getactionactivationdetail, getactivationlist,
//! gettriggeractivationlist, gettriggeractivationdetail).

use chrono::{FixedOffset, NaiveDateTime, TimeZone as _};
use serde_json::{Value, json};

use super::cloud::{ACTIVATIONS, Call, Cloud, TIMELINE, time_key};
use super::codes::{self, Code, Refusal};
use super::model::{Activation, NO_PACKAGE, Summary, action_owner, trigger_owner};
use super::package::content;
use super::site::Generation;
use crate::http::Reply;

/// "One month" of history. INFERRED: the documents do not say how long a month is.
pub(super) const WINDOW_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// INFERRED: the documents name no largest page.
const MAX_PAGE: i64 = 1_000_000;
/// How v2.0 takes times in queries; its answers have milliseconds as those of v2.1 do (NCP docs
/// v2.0: getactionactivationdetail).
const LOCAL_TIME: &str = "%Y-%m-%dT%H:%M:%S";

pub(super) fn list_of_action(
    cloud: &Cloud,
    call: &Call,
    package: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    cloud.action(package, name, call.platform)?;
    list(cloud, call, Some(&action_owner(package, name)))
}

pub(super) fn list_of_trigger(cloud: &Cloud, call: &Call, name: &str) -> Result<Reply, Refusal> {
    cloud.trigger(name, call.platform)?;
    list(cloud, call, Some(&trigger_owner(name)))
}

pub(super) fn list_all(cloud: &Cloud, call: &Call) -> Result<Reply, Refusal> {
    list(cloud, call, None)
}

/// Newest first, as OpenWhisk lists them.
fn list(cloud: &Cloud, call: &Call, owner: Option<&str>) -> Result<Reply, Refusal> {
    let refuse = |why: String| codes::BAD_PARAMETER.refuse(why);
    let ignored = cloud.options.ignore_paging;
    let size = call
        .query
        .integer("pageSize", 20, 1, MAX_PAGE)
        .map_err(refuse)?;
    let page = call
        .query
        .integer("pageNo", 1, 1, MAX_PAGE)
        .map_err(refuse)?;
    let now = cloud.clock.now_ms();
    let zone = cloud.options.site.local_time();
    let time = |name: &str, default: i64| match call.query.get(name) {
        None => Ok(default),
        Some(text) => parse_time(text, call.generation, zone)
            .ok_or_else(|| refuse(format!("{name} is no time: {text}"))),
    };
    // A run that ends within this very millisecond belongs to the list.
    let (start, end) = (time("start", now - WINDOW_MS)?, time("end", now)?);
    let (from, to) = (
        time_key(start.max(now - WINDOW_MS)),
        time_key(end.saturating_add(1)),
    );
    let mut found = cloud.store.range::<Summary>(TIMELINE, &from, &to)?;
    found.retain(|(_, summary)| {
        summary.platform == call.platform && owner.is_none_or(|owner| summary.owner == owner)
    });
    let total = found.len();
    let skip = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let take = usize::try_from(size).unwrap_or(usize::MAX);
    let (skip, take) = if ignored {
        (0, usize::MAX)
    } else {
        (skip, take)
    };
    let items: Vec<Value> = found
        .iter()
        .rev()
        .skip(skip)
        .take(take)
        .map(|(_, summary)| {
            json!({
                "activationId": summary.id,
                "duration": summary.duration,
                "status": summary.status,
            })
        })
        .collect();
    Ok(content(&json!({"activations": items, "totalCount": total})))
}

/// v2.1: milliseconds since 1970. v2.0: local time of the region.
fn parse_time(text: &str, generation: Generation, zone: FixedOffset) -> Option<i64> {
    match generation {
        Generation::V21 => text.parse().ok(),
        Generation::V20 => {
            let local = NaiveDateTime::parse_from_str(text, LOCAL_TIME).ok()?;
            Some(
                zone.from_local_datetime(&local)
                    .single()?
                    .timestamp_millis(),
            )
        }
    }
}

pub(super) fn get_of_action(
    cloud: &Cloud,
    call: &Call,
    package: &str,
    name: &str,
    id: &str,
) -> Result<Reply, Refusal> {
    cloud.action(package, name, call.platform)?;
    get(
        cloud,
        call,
        &action_owner(package, name),
        id,
        codes::ACTION_ACTIVATION_NOT_FOUND,
    )
}

pub(super) fn get_of_trigger(
    cloud: &Cloud,
    call: &Call,
    name: &str,
    id: &str,
) -> Result<Reply, Refusal> {
    cloud.trigger(name, call.platform)?;
    get(
        cloud,
        call,
        &trigger_owner(name),
        id,
        codes::TRIGGER_ACTIVATION_NOT_FOUND,
    )
}

/// The detail lags behind the list: seen live, in no document.
fn get(cloud: &Cloud, call: &Call, owner: &str, id: &str, missing: Code) -> Result<Reply, Refusal> {
    let now = cloud.clock.now_ms();
    let lag = i64::try_from(cloud.options.activation_lag.as_millis()).unwrap_or(i64::MAX);
    let found = cloud
        .store
        .get::<Activation>(ACTIVATIONS, id)?
        .filter(|activation| {
            activation.owner() == owner
                && activation.platform == call.platform
                && now >= activation.end.max(activation.start).saturating_add(lag)
                && activation.start >= now - WINDOW_MS
        });
    let activation = found.ok_or_else(|| missing.refuse(format!("no activation {id}")))?;
    Ok(content(&shown(cloud, &activation, call.generation)))
}

pub(super) fn shown(cloud: &Cloud, activation: &Activation, generation: Generation) -> Value {
    let mut shown = json!({
        "activationId": activation.id,
        "duration": activation.duration(),
        "end": activation.end,
        "logs": activation.logs,
        "name": activation.name,
        "namespace": cloud.options.namespace,
        "response": activation.response,
        "start": activation.start,
        "subject": cloud.options.namespace,
    });
    let package = activation
        .package
        .as_deref()
        .filter(|package| *package != NO_PACKAGE);
    if let (Generation::V20, Some(package)) = (generation, package) {
        shown["name"] = format!("{package}/{}", activation.name).into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ncp::site::Site;

    #[test]
    fn times_of_both_generations() {
        let korea = Site::Korea.local_time();
        assert_eq!(
            parse_time("1714111020170", Generation::V21, korea),
            Some(1_714_111_020_170)
        );
        assert_eq!(
            parse_time("2024-04-26T14:57:00", Generation::V20, korea),
            Some(1_714_111_020_000)
        );
        let singapore = Site::Singapore.local_time();
        assert_eq!(
            parse_time("2024-04-26T13:57:00", Generation::V20, singapore),
            Some(1_714_111_020_000)
        );
        assert_eq!(
            parse_time("2024-04-26T14:57:00", Generation::V21, korea),
            None
        );
        assert_eq!(parse_time("1714111020170", Generation::V20, korea), None);
    }
}
