//! Asynchronous runs: accepted at once, run when there is a place, retried, recorded
//! (`functiongraph_06_0126`; OpenAPI of the asynchronous configuration; user manual for what a
//! destination receives).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::async_config::{self, DEFAULT_MAX_AGE_S, DEFAULT_MAX_RETRIES};
use super::cloud::{Call, Cloud, RECORDS, uuid};
use super::codes::{self, Refusal};
use super::invoke::{self, Target};
use super::model::{AsyncConfig, Record, Status};
use super::outcome::{self, Verdict};
use super::run::{self, Run};
use super::slots::Slot;
use super::time;
use super::urn::Urn;
use crate::http::Reply;
use crate::runtime::Stop;
use crate::store::Batch;

/// How often a run that waits looks for a place.
const POLL: Duration = Duration::from_millis(10);
/// Of the open-sourced engine, documented with the cancel page.
const CANCELLED: i64 = 4208;
/// INFERRED: functions that are each other's destination end here; the cloud's own bound is not
/// published.
const MAX_CHAIN: u32 = 8;

/// A run that waits or runs.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) record: Record,
    /// Key of the whole function.
    pub(super) function: String,
    pub(super) stop: Stop,
    /// Key of the record, when it is to be kept.
    key: Option<String>,
}

/// 202 with the request id.
pub(super) fn submit(cloud: &Arc<Cloud>, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let target = invoke::target(cloud, call, urn)?;
    // "HTTP functions cannot be invoked asynchronously". INFERRED: the code.
    if target.function.runtime == "http" {
        return Err(codes::PARAMETER.refuse("HTTP functions cannot be invoked asynchronously"));
    }
    let event = invoke::event(
        call.body(),
        cloud.options.limits.async_body,
        codes::TOO_LARGE,
    )?;
    let id = enqueue(cloud, urn, target, event, 0)?;
    Ok(Reply::json(202, &json!({ "request_id": id })))
}

fn enqueue(
    cloud: &Arc<Cloud>,
    urn: &Urn,
    target: Target,
    event: Map<String, Value>,
    chain: u32,
) -> Result<String, Refusal> {
    let (id, now) = (uuid(), cloud.clock.now_ms());
    let function = target.function.whole_key();
    let config = async_config::find(cloud, &target.function.project, urn)?;
    let keeps = config.as_ref().is_some_and(|config| config.status_log);
    let job = Job {
        id: id.clone(),
        code: cloud.code(&target.function)?,
        urn: urn.clone(),
        target,
        event,
        config,
        submitted_ms: now,
        chain,
    };
    let active = Active {
        record: Record {
            request_id: id.clone(),
            status: Status::Wait,
            error_code: 0,
            error_message: String::new(),
            submitted_ms: now,
            start_ms: None,
            end_ms: None,
        },
        key: keeps.then(|| format!("{function}/{now:015}/{id}")),
        function,
        stop: cloud.stop.child(),
    };
    let stop = active.stop.clone();
    cloud.active().insert(id.clone(), active);
    note(cloud, &id, |_| {});
    tokio::spawn(work(Arc::clone(cloud), job, stop));
    Ok(id)
}

/// A run on its way through the queue.
struct Job {
    id: String,
    urn: Urn,
    target: Target,
    code: Vec<u8>,
    event: Map<String, Value>,
    config: Option<AsyncConfig>,
    submitted_ms: i64,
    chain: u32,
}

/// Changes a record, and writes it down when it is to be kept. One that is over leaves the queue.
fn note(cloud: &Cloud, id: &str, change: impl FnOnce(&mut Record)) {
    let mut active = cloud.active();
    let Some(found) = active.get_mut(id) else {
        return;
    };
    change(&mut found.record);
    if let Some(key) = &found.key
        && let Ok(batch) = Batch::default().put(RECORDS, key, &found.record)
    {
        // A full disk loses the record, not the run.
        let _ = cloud.store.write(&batch);
    }
    if found.record.status.is_over() {
        active.remove(id);
    }
}

async fn work(cloud: Arc<Cloud>, job: Job, stop: Stop) {
    let retries = job
        .config
        .as_ref()
        .map_or(DEFAULT_MAX_RETRIES, |config| config.max_retries);
    let mut attempts: i64 = 0;
    let end = loop {
        let slot = match place(&cloud, &job, &stop).await {
            Ok(slot) => slot,
            Err(end) => break end,
        };
        note(&cloud, &job.id, |record| {
            record.status = Status::Running;
            record.start_ms.get_or_insert(cloud.clock.now_ms());
        });
        attempts += 1;
        let verdict = attempt(&cloud, &job, &stop).await;
        drop(slot);
        if stop.is_stopped() {
            break End::Cancelled;
        }
        if !verdict.is_failure() || attempts > retries {
            break End::Ran(verdict);
        }
        note(&cloud, &job.id, |record| record.status = Status::Wait);
        tokio::select! {
            () = tokio::time::sleep(cloud.options.async_retry_delay) => {}
            () = stop.stopped() => break End::Cancelled,
        }
    };
    // An emulator that stops leaves its records as they are: the next one finds them unfinished.
    if !cloud.stop.is_stopped() {
        finish(&cloud, &job, &end);
        deliver(&cloud, &job, &end, attempts);
    }
}

/// How a run came to its end.
enum End {
    Ran(Verdict),
    Cancelled,
    TooOld,
}

/// Waits for a place among what runs.
async fn place(cloud: &Cloud, job: &Job, stop: &Stop) -> Result<Slot, End> {
    let max_age = job
        .config
        .as_ref()
        .map_or(DEFAULT_MAX_AGE_S, |config| config.max_age_s);
    let oldest = job.submitted_ms.saturating_add(max_age * 1000);
    loop {
        if stop.is_stopped() {
            return Err(End::Cancelled);
        }
        if cloud.clock.now_ms() > oldest {
            return Err(End::TooOld);
        }
        let function = &job.target.function;
        // The limit may have been changed meanwhile; a function that was deleted is run with what
        // it had.
        let latest = cloud.latest(&function.project, &job.urn);
        let limit = latest.map_or(function.strategy.concurrency, |latest| {
            latest.strategy.concurrency
        });
        let total = cloud.options.limits.concurrency;
        if let Some(slot) = cloud.slots.take(&function.whole_key(), limit, total) {
            return Ok(slot);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.stopped() => {}
        }
    }
}

/// A failure of the platform counts as one of the run: 200500 is the open-sourced engine's code for
/// it.
async fn attempt(cloud: &Cloud, job: &Job, stop: &Stop) -> Verdict {
    let run = Run {
        function: job.target.function.clone(),
        code: job.code.clone(),
        event: job.event.clone(),
        request_id: job.id.clone(),
        memory_mb: job.target.memory_mb,
        alias: job.target.alias.clone(),
        stop: stop.clone(),
    };
    let execution = run::execute(cloud, run).await;
    outcome::verdict(&execution, cloud.options.limits.result).unwrap_or_else(|refusal| Verdict {
        result: refusal.message,
        inner_code: 200_500,
        status: 500,
    })
}

fn finish(cloud: &Cloud, job: &Job, end: &End) {
    let (status, code, message) = match end {
        End::Ran(verdict) if verdict.is_failure() => {
            (Status::Fail, verdict.inner_code, verdict.result.as_str())
        }
        End::Ran(_) => (Status::Success, 0, ""),
        End::Cancelled => (Status::Fail, CANCELLED, "function invocation canceled"),
        // INFERRED: the sentence, and that there is no code.
        End::TooOld => (
            Status::Discard,
            0,
            "the request is older than max_async_event_age_in_seconds",
        ),
    };
    note(cloud, &job.id, |record| {
        record.status = status;
        record.error_code = code;
        record.error_message = message.to_owned();
        record.end_ms = Some(cloud.clock.now_ms());
    });
}

/// Only functions are delivered to; topics, buckets and streams are not there.
fn deliver(cloud: &Arc<Cloud>, job: &Job, end: &End, attempts: i64) {
    let (side, condition, verdict) = match end {
        End::Ran(verdict) if !verdict.is_failure() => ("on_success", "Success", Some(verdict)),
        End::Ran(verdict) => ("on_failure", "RetriesExhausted", Some(verdict)),
        End::TooOld => ("on_failure", "EventAgeExceeded", None),
        End::Cancelled => return,
    };
    let Some(urn) = destination(cloud, job, side).filter(|_| job.chain < MAX_CHAIN) else {
        return;
    };
    let response: Value = verdict.map_or(Value::Null, |verdict| {
        serde_json::from_str(&verdict.result).unwrap_or_else(|_| verdict.result.clone().into())
    });
    let function = &job.target.function;
    let payload = json!({
        "timestamp": time::millis(cloud.clock.now_ms()),
        "request_context": {
            "request_id": job.id,
            "function_urn": format!("{}:{}:{}", function.project, function.package, function.name),
            "condition": condition,
            "approximate_invoke_count": attempts,
        },
        "request_payload": job.event,
        "response_context": {
            "status_code": verdict.map_or(0, |verdict| verdict.status),
            "function_error": verdict.map_or("", |verdict| if verdict.is_failure() { "Unhandled" } else { "" }),
        },
        "response_payload": response,
    });
    let (Value::Object(event), Ok(function)) = (payload, cloud.version(&function.project, &urn))
    else {
        return;
    };
    let target = Target {
        function,
        alias: None,
        memory_mb: None,
    };
    // Nobody waits for the answer of a delivery.
    let _ = enqueue(cloud, &urn, target, event, job.chain + 1);
}

fn destination(cloud: &Cloud, job: &Job, side: &str) -> Option<Urn> {
    let side = job.config.as_ref()?.destinations.get(side)?;
    if side.get("destination").and_then(Value::as_str) != Some("FunctionGraph") {
        return None;
    }
    let param: Value = serde_json::from_str(side.get("param")?.as_str()?).ok()?;
    let project = cloud.project(&job.target.function.project).ok()?;
    Urn::parse(
        param.get("func_urn")?.as_str()?,
        &project.id,
        project.region(),
    )
    .ok()
}
