//! The synchronous run (`functiongraph_06_0125`; a wire log in an issue of the Java client for
//! headers that no page names).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::alias;
use super::cloud::{Call, Cloud, uuid};
use super::codes::{self, Code, Refusal};
use super::log::{self, BODY_TAIL, HEADER_TAIL};
use super::model::Function;
use super::outcome::{self, Verdict};
use super::run::{self, Execution, Run};
use super::slots::Slot;
use super::urn::{Qualifier, Urn};
use crate::http::Reply;

/// Values of `X-Cff-Instance-Memory` (sync page).
const MEMORY_MB: [i64; 15] = [
    128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 8192, 10240,
];

/// What a run goes to.
pub(super) struct Target {
    pub(super) function: Function,
    pub(super) alias: Option<String>,
    /// MB for this run, when the function allows it.
    pub(super) memory_mb: Option<i64>,
}

/// The function of the URN, ready to run.
pub(super) fn target(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Target, Refusal> {
    let project = &call.project.id;
    let (function, alias) = match &urn.qualifier {
        Qualifier::Alias(name) => {
            cloud.latest(project, urn)?;
            let found = cloud.alias(project, urn, name)?;
            let version = alias::pick(&found, call.request);
            let function = cloud
                .find(project, urn, &version)?
                .ok_or(codes::VERSION_MISSING)?;
            (function, Some(name.clone()))
        }
        _ => (cloud.version(project, urn)?, None),
    };
    if strategy_of(cloud, call, urn, &function)? == 0 {
        return Err(codes::TOO_MANY_REQUESTS.refuse("Function Disabled"));
    }
    // "bad value → FSS.0406; ignored unless enable_dynamic_memory" (sync page).
    let memory_mb =
        match call.request.header("x-cff-instance-memory") {
            None => None,
            Some(text) => {
                let known = text.trim().parse().ok().filter(|mb| MEMORY_MB.contains(mb));
                Some(known.ok_or_else(|| {
                    codes::NOT_ACCEPTABLE.refuse("X-Cff-Instance-Memory is invalid")
                })?)
            }
        };
    Ok(Target {
        memory_mb: memory_mb.filter(|_| function.flag("enable_dynamic_memory")),
        function,
        alias,
    })
}

/// The limit of the whole function, which stands with `latest`.
fn strategy_of(
    cloud: &Cloud,
    call: &Call<'_>,
    urn: &Urn,
    function: &Function,
) -> Result<i64, Refusal> {
    if function.is_latest() {
        return Ok(function.strategy.concurrency);
    }
    Ok(cloud.latest(&call.project.id, urn)?.strategy.concurrency)
}

/// The body as an event. INFERRED: a body that is no JSON object is refused; no page says more than
/// "JSON".
pub(super) fn event(
    body: &[u8],
    limit: usize,
    too_large: Code,
) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Err(codes::PARAMETER.refuse("function event body is empty"));
    }
    if body.len() > limit {
        return Err(too_large.into());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(event)) => Ok(event),
        _ => Err(codes::NOT_ACCEPTABLE
            .refuse("the function event body is not in the required JSON format")),
    }
}

/// INFERRED: an unknown value of either header is a bad parameter.
fn choice<'a>(call: &'a Call<'_>, header: &str, known: &[&str]) -> Result<&'a str, Refusal> {
    let value = call.request.header(header).unwrap_or_default().trim();
    if value.is_empty() || known.contains(&value) {
        return Ok(value);
    }
    Err(codes::PARAMETER.refuse(format!("{header} must be one of {known:?}")))
}

pub(super) async fn invoke(
    cloud: &Arc<Cloud>,
    call: &Call<'_>,
    urn: &Urn,
) -> Result<Reply, Refusal> {
    let target = target(cloud, call, urn)?;
    let limits = &cloud.options.limits;
    let event = event(call.body(), limits.sync_body, codes::EVENT_TOO_LARGE)?;
    let is_v1 = choice(call, "x-cff-request-version", &["v0", "v1"])? == "v1";
    let wants_log = choice(call, "x-cff-log-type", &["tail"])? == "tail";
    let function_limit = strategy_of(cloud, call, urn, &target.function)?;
    let slot = cloud
        .slots
        .take(
            &target.function.whole_key(),
            function_limit,
            limits.concurrency,
        )
        .ok_or_else(|| codes::TOO_MANY_REQUESTS.refuse(""))?;
    let run = Run {
        code: cloud.code(&target.function)?,
        function: target.function,
        event,
        request_id: uuid(),
        memory_mb: target.memory_mb,
        alias: target.alias,
        stop: cloud.stop.child(),
    };
    let task = tokio::spawn(with_slot(Arc::clone(cloud), run, slot));
    // The gateway stops waiting; the function runs on (FAQ, "Why Can't I Receive Responses for
    // Synchronous Invocation?").
    let execution = tokio::time::timeout(limits.gateway_wall, task)
        .await
        .map_err(|_| codes::BACKEND_TIMEOUT)?
        .map_err(|error| codes::INTERNAL.refuse(error.to_string()))?;
    let verdict = outcome::verdict(&execution, limits.result)?;
    Ok(reply(cloud, &execution, &verdict, is_v1, wants_log))
}

async fn with_slot(cloud: Arc<Cloud>, run: Run, slot: Slot) -> Execution {
    let execution = run::execute(&cloud, run).await;
    drop(slot);
    execution
}

fn reply(
    cloud: &Cloud,
    execution: &Execution,
    verdict: &Verdict,
    is_v1: bool,
    wants_log: bool,
) -> Reply {
    let log = if wants_log {
        log::text(execution)
    } else {
        String::new()
    };
    let status = if verdict.is_failure() {
        cloud.options.function_error_status
    } else {
        200
    };
    // An answer of v0 does not say that it is one (wire log in an issue of the Java client).
    let reply = if is_v1 {
        let envelope = json!({
            "request_id": execution.request_id,
            "result": verdict.result,
            "log": log::tail(&log, BODY_TAIL),
            "status": verdict.status,
        });
        Reply::json(status, &envelope).with_header("X-Cff-Response-Version", "v1")
    } else {
        Reply::new(status, "text/plain; charset=utf-8", verdict.result.clone())
    };
    let billing = execution.billing_ms();
    let summary = json!({
        "funcDigest": "",
        "duration": execution.duration_ms(),
        "billingDuration": billing,
        "memorySize": execution.memory_mb,
        "memoryUsed": execution.used_mb(),
    });
    let reply = reply
        .with_header("X-Cff-Request-Id", execution.request_id.clone())
        .with_header("X-Cff-Invoke-Summary", summary.to_string())
        .with_header("X-CFF-Billing-Duration", billing.to_string())
        .with_header("X-Func-Err-Code", verdict.inner_code.to_string())
        .with_header("X-Is-Func-Err", verdict.is_failure().to_string())
        .with_header("X-Cff-Result-Length", verdict.result.len().to_string());
    if wants_log {
        reply.with_header(
            "X-Cff-Function-Log",
            STANDARD.encode(log::tail(&log, HEADER_TAIL)),
        )
    } else {
        reply
    }
}
