//! Asynchronous runs seen from outside: records, what is active, cancelling (OpenAPI,
//! `ListAsyncInvocations`, `ListActiveAsyncInvocations`, `CancelAsyncInvocation`).

use serde_json::{Value, json};

use super::body::{self, Fields};
use super::cloud::{Call, Cloud, RECORDS};
use super::codes::{self, Refusal};
use super::function::Page;
use super::model::{Record, Status, function_key};
use super::time;
use super::urn::Urn;
use crate::http::Reply;

/// Default: the last hour.
const WINDOW_MS: i64 = 60 * 60 * 1000;

/// The code that these three pages show for a missing function is not the usual one.
fn function(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<String, Refusal> {
    match cloud.latest(&call.project.id, urn) {
        Ok(_) => Ok(function_key(&call.project.id, &urn.package, &urn.name)),
        Err(refusal) if refusal.code == codes::FUNCTION_MISSING => {
            Err(codes::NOT_FOUND.refuse("can not find function"))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Which records are asked for.
struct Filter {
    ids: Vec<String>,
    status: Option<Status>,
    from_ms: i64,
    to_ms: i64,
}

impl Filter {
    fn read(cloud: &Cloud, call: &Call<'_>, ids: Vec<String>) -> Result<Self, Refusal> {
        let now = cloud.clock.now_ms();
        let moment = |name: &str, default: i64| match call.query.get(name) {
            None => Ok(default),
            Some(text) => time::parse_bare(text)
                .ok_or_else(|| codes::QUERY.refuse(format!("{name} must be YYYY-MM-DDTHH:mm:ss"))),
        };
        let status = match call.query.get("status") {
            None | Some("") => None,
            Some(text) => {
                Some(Status::parse(text).ok_or_else(|| codes::QUERY.refuse("status is invalid"))?)
            }
        };
        Ok(Self {
            ids,
            status,
            from_ms: moment("query_begin_time", now - WINDOW_MS)?,
            // Times have seconds: what began within the last one belongs to it.
            to_ms: moment("query_end_time", now)?.saturating_add(999),
        })
    }

    fn fits(&self, record: &Record) -> bool {
        (self.ids.is_empty() || self.ids.contains(&record.request_id))
            && self.status.is_none_or(|status| record.status == status)
            && (self.from_ms..=self.to_ms).contains(&record.submitted_ms)
    }
}

fn shown(record: &Record) -> Value {
    json!({
        "request_id": record.request_id,
        "status": record.status,
        "error_message": record.error_message,
        "error_code": record.error_code,
        "start_time": time::bare(record.start_ms.unwrap_or(record.submitted_ms)),
        "end_time": record.end_ms.map(time::bare),
    })
}

/// INFERRED: newest first.
fn page(
    cloud: &Cloud,
    call: &Call<'_>,
    mut records: Vec<Record>,
    filter: &Filter,
) -> Result<Reply, Refusal> {
    let page = Page::read(cloud, call, "limit", 100, 500)?;
    records.retain(|record| filter.fits(record));
    records.sort_by_key(|record| std::cmp::Reverse(record.submitted_ms));
    let count = records.len();
    let (items, next) = page.cut(records);
    let items: Vec<Value> = items.iter().map(shown).collect();
    Ok(Reply::json(
        200,
        &json!({"invocations": items, "count": count, "next_marker": next}),
    ))
}

pub(super) fn list(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let key = function(cloud, call, urn)?;
    let ids = call.query.get("request_id").filter(|id| !id.is_empty());
    let filter = Filter::read(
        cloud,
        call,
        ids.map(ToOwned::to_owned).into_iter().collect(),
    )?;
    let records = cloud.store.list::<Record>(RECORDS, &format!("{key}/"))?;
    page(cloud, call, records, &filter)
}

/// `requests`: up to 10 ids with commas between, 640 characters at most.
pub(super) fn list_active(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let key = function(cloud, call, urn)?;
    let asked = call.query.get("requests").unwrap_or_default();
    let ids: Vec<String> = asked
        .split(',')
        .filter(|id| !id.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    if ids.len() > 10 || asked.len() > 640 {
        return Err(codes::QUERY.refuse("requests may hold 10 ids in 640 characters"));
    }
    let filter = Filter::read(cloud, call, ids)?;
    let active = cloud.active();
    let of_function = active.values().filter(|active| active.function == key);
    let records = of_function.map(|active| active.record.clone()).collect();
    drop(active);
    page(cloud, call, records, &filter)
}

/// Both types end the run here, since no run has an instance to itself. INFERRED: a run that is
/// over is an invalid id.
pub(super) fn cancel(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let key = function(cloud, call, urn)?;
    let map = body::object(call.body())?;
    let fields = Fields::new(&map);
    let id = fields.need_string("request_id", codes::PARAMETER)?;
    if !matches!(
        fields.string("type", codes::PARAMETER)?,
        None | Some("force" | "recursive")
    ) {
        return Err(codes::PARAMETER.refuse("type must be force or recursive"));
    }
    match cloud.active().get(id) {
        Some(active) if active.function == key => {
            active.stop.stop();
            Ok(Reply::json(200, &json!({})))
        }
        _ => Err(codes::PARAMETER.refuse("Invalid RequestId")),
    }
}
