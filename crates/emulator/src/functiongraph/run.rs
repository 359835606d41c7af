//! Runs one version of a function (FunctionGraph developer guide, "Developing Functions": handler,
//! initializer, context; the environment is that of the open-sourced Go runtime).
//!
//! Each run is a cold start: the initializer comes before every one.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::cloud::Cloud;
use super::model::Function;
use crate::runtime::{self, Code, Convention, EventContext, Job, Outcome, Stop, is_archive};

/// What is to be run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) function: Function,
    pub(super) code: Vec<u8>,
    pub(super) event: Map<String, Value>,
    pub(super) request_id: String,
    /// MB instead of the function's own.
    pub(super) memory_mb: Option<i64>,
    pub(super) alias: Option<String>,
    pub(super) stop: Stop,
}

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) request_id: String,
    pub(super) version: String,
    pub(super) timeout_s: i64,
    pub(super) memory_mb: u64,
    pub(super) started_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) duration: Duration,
    pub(super) outcome: Outcome,
}

impl Execution {
    pub(super) fn duration_ms(&self) -> f64 {
        self.duration.as_secs_f64() * 1000.0
    }

    /// Started milliseconds.
    pub(super) fn billing_ms(&self) -> u64 {
        u64::try_from(self.duration.as_micros().div_ceil(1000))
            .unwrap_or(u64::MAX)
            .max(1)
    }

    pub(super) fn used_mb(&self) -> f64 {
        let kib = self.outcome.memory_used.unwrap_or_default() >> 10;
        f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
    }
}

pub(super) async fn execute(cloud: &Cloud, run: Run) -> Execution {
    let memory_mb = run
        .memory_mb
        .unwrap_or(run.function.memory_mb)
        .unsigned_abs();
    let (request_id, stop) = (run.request_id.clone(), run.stop.clone());
    let (version, timeout_s) = (run.function.version.clone(), run.function.timeout_s);
    let job = job(cloud, run, memory_mb);
    let (started_ms, began) = (cloud.clock.now_ms(), Instant::now());
    let outcome = runtime::run(job, &cloud.clock, &stop).await;
    Execution {
        request_id,
        version,
        timeout_s,
        memory_mb,
        started_ms,
        ended_ms: cloud.clock.now_ms().max(started_ms),
        duration: began.elapsed(),
        outcome,
    }
}

fn job(cloud: &Cloud, run: Run, memory_mb: u64) -> Job {
    let function = &run.function;
    let (file, entry) = function
        .handler
        .rsplit_once('.')
        .unwrap_or(("index", function.handler.as_str()));
    let initializer = function.text("initializer_handler");
    let initializer = initializer
        .rsplit('.')
        .next()
        .filter(|name| !name.is_empty());
    let setting = |name: &str| function.settings.get(name).and_then(Value::as_u64);
    // INFERRED: the initializer's time comes on top of the function's.
    let initializer_s = initializer.map_or(0, |_| setting("initializer_timeout").unwrap_or(3));
    let variables = variables(function);
    let mut env = environment(function, memory_mb);
    env.extend(
        variables
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())),
    );
    let context = EventContext {
        initializer: initializer.map(ToOwned::to_owned),
        values: values(&run, memory_mb),
        tables: Map::from_iter([("getUserData".to_owned(), Value::Object(variables))]),
        remaining: "getRemainingTimeInMilliSeconds".into(),
        logger: "getLogger".into(),
    };
    let code = match function.code.kind.as_str() {
        "inline" if !is_archive(&run.code) => {
            Code::Source(String::from_utf8_lossy(&run.code).into_owned())
        }
        _ => Code::Archive(run.code.clone()),
    };
    Job {
        runtime: runtime_id(function),
        code,
        file: Some(file.to_owned()),
        entry: entry.to_owned(),
        convention: Convention::Event(Box::new(context)),
        params: run.event,
        time_limit: Duration::from_secs(function.timeout_s.unsigned_abs() + initializer_s),
        memory_mb,
        max_log_bytes: cloud.options.limits.log,
        max_result: cloud.options.limits.result,
        env,
        processes: cloud.options.processes,
    }
}

/// `Node.js20.15` → `nodejs:20`, `Python3.9` → `python:3.9`; what cannot be run keeps a name that
/// says so.
fn runtime_id(function: &Function) -> String {
    let (runtime, kind) = (&function.runtime, &function.code.kind);
    if !matches!(kind.as_str(), "inline" | "zip") {
        return format!("{runtime} with code of type {kind}");
    }
    if let Some(version) = runtime.strip_prefix("Node.js") {
        return format!("nodejs:{}", version.split('.').next().unwrap_or_default());
    }
    match runtime.strip_prefix("Python") {
        Some(version) => format!("python:{version}"),
        None => runtime.clone(),
    }
}

/// Both kinds of variables as the function sees them.
fn variables(function: &Function) -> Map<String, Value> {
    let mut all = Map::new();
    for name in ["user_data", "encrypted_user_data"] {
        let map = serde_json::from_str::<Map<String, Value>>(function.text(name));
        all.extend(map.unwrap_or_default());
    }
    all
}

/// Methods of the context without arguments (developer guide, "SDK APIs" of Node.js and Python).
/// There is no agency here, so its keys are empty.
fn values(run: &Run, memory_mb: u64) -> Map<String, Value> {
    let function = &run.function;
    let values = json!({
        "getRequestID": run.request_id,
        "getFunctionName": function.name,
        "getRunningTimeInSeconds": function.timeout_s,
        "getVersion": function.version,
        "getMemorySize": memory_mb,
        // Function Model: memory/128 × 100 + 200 millicores.
        "getCPUNumber": memory_mb * 100 / 128 + 200,
        "getPackage": function.package,
        "getProjectID": function.project,
        "getAlias": run.alias.clone().unwrap_or_default(),
        "getAccessKey": "", "getSecretKey": "", "getToken": "",
        "getSecurityAccessKey": "", "getSecuritySecretKey": "", "getSecurityToken": "",
    });
    values.as_object().cloned().unwrap_or_default()
}

fn environment(function: &Function, memory_mb: u64) -> Vec<(String, String)> {
    let pairs = [
        ("RUNTIME_PROJECT_ID", function.project.clone()),
        ("RUNTIME_FUNC_NAME", function.name.clone()),
        ("RUNTIME_FUNC_VERSION", function.version.clone()),
        ("RUNTIME_PACKAGE", function.package.clone()),
        ("RUNTIME_HANDLER", function.handler.clone()),
        ("RUNTIME_TIMEOUT", function.timeout_s.to_string()),
        ("RUNTIME_MEMORY", memory_mb.to_string()),
        ("RUNTIME_USERDATA", function.text("user_data").to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
