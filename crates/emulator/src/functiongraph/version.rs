//! Published versions (`functiongraph_06_0144`, `0112`, `0113`; Chinese page of 2025-07-17 for the
//! names).

use serde_json::{Map, Value, json};

use super::body::{self, Fields};
use super::cloud::{Call, Cloud};
use super::codes::{self, Refusal};
use super::function::{self, Page, View, full};
use super::model::Function;
use super::time;
use super::urn::{LATEST, Urn, is_version};
use crate::http::Reply;

/// Makes a copy of `latest` that cannot be changed. INFERRED: `FSS.0400` when there are too many;
/// the table has no code.
pub(super) fn publish(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let map = match call.body() {
        [] => Map::new(),
        bytes => body::object(bytes)?,
    };
    let fields = Fields::new(&map);
    let now = cloud.clock.now_ms();
    let version = match fields.string("version", codes::VERSION_NAME)? {
        None | Some("") => time::version(now),
        Some(LATEST) => {
            return Err(codes::VERSION_NAME.refuse("the version name latest is reserved"));
        }
        Some(name) if is_version(name) => name.to_owned(),
        Some(_) => return Err(codes::VERSION_NAME.into()),
    };
    let description = function::description(&fields, codes::DESCRIPTION)?;
    let _writing = cloud.writing();
    let latest = cloud.changeable(&call.project.id, urn)?;
    if let Some(digest) = fields
        .string("digest", codes::PARAMETER)?
        .filter(|digest| !digest.is_empty())
        && digest != latest.code.digest
    {
        return Err(codes::PARAMETER.refuse("digest is not that of the code"));
    }
    let versions = cloud.versions(&call.project.id, urn)?;
    if versions.iter().any(|known| known.version == version) {
        return Err(codes::VERSION_EXISTS.into());
    }
    let is_same = |known: &Function| !known.is_latest() && known.revision == latest.revision;
    if versions.iter().any(is_same) {
        return Err(codes::NOTHING_CHANGED.into());
    }
    if versions.len() >= cloud.options.limits.versions {
        return Err(codes::PARAMETER.refuse("the number of versions has reached the upper limit"));
    }
    let code = cloud.code(&latest)?;
    let function = Function {
        version,
        version_description: Some(description.unwrap_or_default()),
        created_ms: now,
        modified_ms: now,
        ..latest
    };
    cloud.save(&function, Some(&code))?;
    Ok(Reply::json(
        200,
        &full(cloud, call.project, &function, View::Version),
    ))
}

/// INFERRED: `latest` first, then the newest.
pub(super) fn list(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    // "Does not honour them" (terraform-provider-huaweicloud on marker and maxitems of this list).
    let page = Page::of_items(cloud, call)?.ignored();
    cloud.latest(&call.project.id, urn)?;
    let mut versions = cloud.versions(&call.project.id, urn)?;
    versions.sort_by_key(|version| (!version.is_latest(), std::cmp::Reverse(version.created_ms)));
    let count = versions.len();
    let (items, next) = page.cut(versions);
    let items: Vec<Value> = items
        .iter()
        .map(|version| full(cloud, call.project, version, View::Version))
        .collect();
    Ok(Reply::json(
        200,
        &json!({"versions": items, "next_marker": next, "count": count}),
    ))
}
