//! Runs actions and sequences and records their activations (NCP docs: postaction;
//! cloudfunctions-spec for the limits).
//!
//! What NCP leaves open follows Apache OpenWhisk: a sequence hands each result on as the next
//! parameters, stops at the first failure and logs the activation ids of its components.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::activation::shown;
use super::body;
use super::cloud::{Call, Cloud, Slot};
use super::codes::{self, Refusal};
use super::model::{Action, Activation, Code, Exec, NO_PACKAGE, Response};
use super::outcome::{self, MAX_LOG, MAX_RESULT};
use super::package::content;
use crate::http::Reply;
use crate::runtime::{self, Convention, Job};

/// Bytes of parameters (NCP docs: cloudfunctions-spec, 1 MB).
pub(super) const MAX_PARAMETERS: usize = 1 << 20;
/// How long a caller may wait (NCP docs: postaction, 0 to 60000, default 60000).
const MAX_WAIT_MS: i64 = 60_000;
/// Sequences in sequences; deeper ones cannot be made, except by changing a component later.
const MAX_DEPTH: usize = 50;

/// A run that was started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) id: String,
    pub(super) task: JoinHandle<Activation>,
}

/// The run operation.
pub(super) async fn run(
    cloud: &Arc<Cloud>,
    call: &Call,
    package: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    let action = cloud.action(package, name, call.platform)?;
    // INFERRED: the page names no code for a wrong timeout; 80000 is the service's word for a bad
    // query parameter.
    let wait = call
        .query
        .integer("timeout", MAX_WAIT_MS, 0, MAX_WAIT_MS)
        .map_err(|why| codes::BAD_PARAMETER.refuse(why))?;
    let params = runtime_params(&call.body, codes::ACTION_RUNTIME_PARAMS)?;
    let Started { id, task } = start(cloud, action, params)?;
    let wait = Duration::from_millis(wait.unsigned_abs());
    let finished = if wait.is_zero() {
        None
    } else {
        tokio::time::timeout(wait, task).await.ok()
    };
    let openwhisk = cloud.options.openwhisk_status;
    let Some(finished) = finished else {
        let mut reply = content(&json!({ "activationId": id }));
        reply.status = if openwhisk { 202 } else { 200 };
        return Ok(reply);
    };
    let activation = finished.map_err(|error| codes::UNEXPECTED.refuse(error.to_string()))?;
    let mut body = shown(cloud, &activation, call.generation);
    if let Some(body) = body.as_object_mut() {
        body.remove("logs");
        // Unlike the detail, the answer to a run has the bare name in both generations.
        body.insert("name".into(), activation.name.clone().into());
    }
    let mut reply = content(&body);
    if openwhisk && !activation.response.success {
        reply.status = if activation.response.status == "whisk internal error" {
            500
        } else {
            502
        };
    }
    Ok(reply)
}

/// The body of a run or a fire: an object, or nothing.
pub(super) fn runtime_params(
    body: &[u8],
    code: codes::Code,
) -> Result<Map<String, Value>, Refusal> {
    if body.len() > MAX_PARAMETERS {
        return Err(codes::ENTITY_TOO_LARGE.refuse("parameters must have 1 MB at most"));
    }
    if body.is_empty() {
        Ok(Map::new())
    } else {
        body::object(body, code)
    }
}

/// Starts an action in the background. INFERRED: NCP does not say how the 101st is answered; the
/// sentence is OpenWhisk's.
pub(super) fn start(
    cloud: &Arc<Cloud>,
    action: Action,
    params: Map<String, Value>,
) -> Result<Started, Refusal> {
    let limit = cloud.options.concurrency;
    let slot = cloud.slot().ok_or_else(|| {
        codes::THROTTLE_LIMITED.refuse(format!(
            "Too many concurrent requests in flight (count: {}, allowed: {limit}).",
            limit + 1
        ))
    })?;
    let id = new_id();
    let run = Run {
        cloud: Arc::clone(cloud),
        id: id.clone(),
        depth: 0,
    };
    let task = tokio::spawn(async move { run.with_slot(action, params, slot).await });
    Ok(Started { id, task })
}

/// 32 lower-case hexadecimal digits.
pub(super) fn new_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

#[derive(Debug)]
struct Run {
    cloud: Arc<Cloud>,
    id: String,
    depth: usize,
}

impl Run {
    async fn execute(self, action: Action, params: Map<String, Value>) -> Activation {
        let start = self.cloud.clock.now_ms();
        let input = self.input(&action, params);
        let (logs, response) = match &action.exec {
            Exec::Code(code) => self.code(&action, code, input).await,
            Exec::Sequence(components) => self.sequence(components, input).await,
        };
        let activation = Activation {
            id: self.id,
            name: action.name,
            package: Some(action.package),
            platform: action.platform,
            start,
            end: self.cloud.clock.now_ms().max(start),
            logs,
            response,
        };
        // A full disk must not lose the caller's answer.
        let _ = self.cloud.record(&activation);
        activation
    }

    async fn with_slot(self, action: Action, params: Map<String, Value>, slot: Slot) -> Activation {
        let activation = self.execute(action, params).await;
        drop(slot);
        activation
    }

    /// Parameters of the run win over the action's, those over the package's (NCP docs:
    /// putpackage). A trigger's come in with the run's.
    fn input(&self, action: &Action, params: Map<String, Value>) -> Map<String, Value> {
        let package = match action.package.as_str() {
            NO_PACKAGE => None,
            package => self.cloud.find_package(package).ok().flatten(),
        };
        let mut input = package
            .map(|package| package.parameters)
            .unwrap_or_default();
        input.extend(action.parameters.clone());
        input.extend(params);
        input
    }

    async fn code(
        &self,
        action: &Action,
        code: &Code,
        params: Map<String, Value>,
    ) -> (Vec<String>, Response) {
        let source = match code.binary.then(|| STANDARD.decode(&code.code)) {
            Some(Ok(bytes)) => runtime::Code::Archive(bytes),
            // Base64 is checked when an action is put.
            _ => runtime::Code::Source(code.code.clone()),
        };
        let job = Job {
            runtime: code.runtime.clone(),
            code: source,
            file: None,
            entry: code.main.clone(),
            convention: Convention::Params,
            params,
            time_limit: Duration::from_millis(code.timeout_ms),
            memory_mb: code.memory_mb,
            max_log_bytes: MAX_LOG,
            max_result: MAX_RESULT,
            env: self.env(action, code),
            processes: self.cloud.options.processes,
        };
        let outcome = runtime::run(job, &self.cloud.clock, &self.cloud.stop).await;
        (
            outcome::log_lines(&outcome),
            outcome::response(&outcome.result, code.timeout_ms),
        )
    }

    /// The variables that OpenWhisk sets.
    fn env(&self, action: &Action, code: &Code) -> Vec<(String, String)> {
        let namespace = &self.cloud.options.namespace;
        let deadline =
            self.cloud.clock.now_ms() + i64::try_from(code.timeout_ms).unwrap_or(i64::MAX / 2);
        let name = format!("/{}/{}", self.cloud.path(&action.package), action.name);
        vec![
            ("__OW_ACTION_NAME".into(), name),
            ("__OW_ACTIVATION_ID".into(), self.id.clone()),
            ("__OW_DEADLINE".into(), deadline.to_string()),
            ("__OW_NAMESPACE".into(), namespace.clone()),
        ]
    }

    async fn sequence(
        &self,
        components: &[String],
        input: Map<String, Value>,
    ) -> (Vec<String>, Response) {
        let mut ids = Vec::new();
        let mut params = input;
        let mut last = Response {
            result: Value::Object(params.clone()),
            status: "success".into(),
            success: true,
        };
        for component in components {
            let (package, name) = component.split_once('/').unwrap_or((NO_PACKAGE, component));
            let found = self.cloud.find_action(package, name).ok().flatten();
            let Some(action) = found.filter(|_| self.depth < MAX_DEPTH) else {
                let error = json!({"error": "Sequence component does not exist."});
                return (
                    ids,
                    Response {
                        result: error,
                        status: "action developer error".into(),
                        success: false,
                    },
                );
            };
            let run = Self {
                cloud: Arc::clone(&self.cloud),
                id: new_id(),
                depth: self.depth + 1,
            };
            ids.push(run.id.clone());
            // A sequence may hold sequences: a future that holds itself has to be boxed.
            last = Box::pin(run.execute(action, params)).await.response;
            params = match (&last.result, last.success) {
                (Value::Object(result), true) => result.clone(),
                _ => break,
            };
        }
        (ids, last)
    }
}
