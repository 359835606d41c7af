//! One try of a call: a gRPC request through a generated client, and its answer taken apart.

use faas_sidecar::proto::exec::Code as Source;
use faas_sidecar::proto::*;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::answers::{Cloud, activation_id};
use crate::lists;
use crate::plan::{Operation, Plan, Repeat};
use crate::sidecar::Caller;
use crate::wire::traceparent;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: Code,
    /// Of an error; `-` for OK.
    pub reason: String,
    /// `not_started`, `unknown`, `completed`; of an error.
    pub execution: Option<String>,
    pub attempts: u32,
    /// The call that a good answer is of, by its own words.
    pub of: Option<u64>,
    /// What it speaks of began then; `None` = with the call.
    pub since: Option<Instant>,
    pub message: String,
}

/// One try: when it was made, and how it ended.
#[derive(Clone, Debug)]
pub struct Try {
    pub began: Instant,
    pub ended: Instant,
    /// `None` = the caller hung up.
    pub answer: Option<Answer>,
}

/// Makes try `number` (from 0) and waits for its answer, however long that takes.
pub async fn perform(caller: &Caller, target: &str, plan: &Plan, number: usize) -> Answer {
    let target = target.to_owned();
    let name = format!("call-{}", plan.number);
    let request_id = match plan.repeat {
        Repeat::Never => String::new(),
        _ => format!("request-{}", plan.number),
    };
    let run = || InvokeRequest {
        target: target.clone(),
        action_name: name.clone(),
        arguments: Some(text(format!(
            "{{\"id\":{},\"ballast\":\"{}\"}}",
            plan.number,
            "x".repeat(plan.ballast)
        ))),
        idempotent: plan.idempotent,
        request_id: request_id.clone(),
        ..InvokeRequest::default()
    };
    match plan.operation {
        Operation::Invoke => {
            let answer = caller
                .invocations()
                .invoke(within(plan, number, run()))
                .await;
            told(answer, |answer| {
                let activation = answer.activation.unwrap_or_default();
                match activation.status() {
                    ActivationStatus::Success => result_id(&activation),
                    // The deadline left no time to wait: an id, and no result.
                    ActivationStatus::Running => id_of(&activation.activation_id),
                    _ => None,
                }
            })
        }
        Operation::InvokeAsync => {
            let run = run();
            let request = InvokeAsyncRequest {
                target: run.target,
                action_name: run.action_name,
                arguments: run.arguments,
                idempotent: run.idempotent,
                request_id: run.request_id,
                ..InvokeAsyncRequest::default()
            };
            let answer = caller
                .invocations()
                .invoke_async(within(plan, number, request))
                .await;
            told(answer, |answer| {
                id_of(&answer.activation.unwrap_or_default().activation_id)
            })
        }
        Operation::GetActivation => {
            let request = GetActivationRequest {
                target,
                action_name: name,
                activation_id: activation_id(plan.number),
                ..GetActivationRequest::default()
            };
            let answer = caller
                .invocations()
                .get_activation(within(plan, number, request))
                .await;
            told(answer, |answer| {
                id_of(&answer.activation.unwrap_or_default().activation_id)
            })
        }
        Operation::PutAction => {
            let request = PutActionRequest {
                target,
                action_name: name,
                action: Some(action(plan.cloud)),
                ..PutActionRequest::default()
            };
            let answer = caller
                .actions()
                .put_action(within(plan, number, request))
                .await;
            told(answer, |answer| {
                let description = answer.action.unwrap_or_default().description;
                description.strip_prefix("call-")?.parse().ok()
            })
        }
        Operation::DeleteAction => {
            let request = DeleteActionRequest {
                target,
                action_name: name,
                ..DeleteActionRequest::default()
            };
            let answer = caller
                .actions()
                .delete_action(within(plan, number, request))
                .await;
            told(answer, |_| Some(plan.number))
        }
        Operation::List(list) => lists::read(caller, &target, plan, list, number).await,
    }
}

fn action(cloud: Cloud) -> Action {
    let (runtime, main, seconds) = match cloud {
        Cloud::Ncp => ("nodejs:22", "main", 60),
        Cloud::FunctionGraph => ("Node.js18.15", "index.handler", 30),
    };
    Action {
        exec: Some(Exec {
            runtime: runtime.to_owned(),
            main: main.to_owned(),
            code: Some(Source::Source("exports.main = () => ({})".to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(prost_types::Duration { seconds, nanos: 0 }),
            memory_mb: 256,
        }),
        vpc: match cloud {
            Cloud::Ncp => vec![Vpc {
                vpc_no: 1001,
                subnet_no: 2002,
            }],
            Cloud::FunctionGraph => Vec::new(),
        },
        ..Action::default()
    }
}

pub fn within<T>(plan: &Plan, number: usize, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(plan.deadline);
    let parent = traceparent(plan.number, number).parse().unwrap();
    request.metadata_mut().insert("traceparent", parent);
    request
}

fn text(json: String) -> Json {
    Json {
        encoding: Some(json::Encoding::Text(json)),
    }
}

fn result_id(activation: &Activation) -> Option<u64> {
    let Some(json::Encoding::Text(text)) = &activation.result.as_ref()?.encoding else {
        return None;
    };
    let result: serde_json::Value = serde_json::from_str(text).ok()?;
    result.get("id")?.as_u64()
}

fn id_of(activation_id: &str) -> Option<u64> {
    u64::from_str_radix(activation_id, 16).ok()
}

pub fn told<T>(answer: Result<Response<T>, Status>, of: impl FnOnce(T) -> Option<u64>) -> Answer {
    match answer {
        Ok(answer) => Answer {
            code: Code::Ok,
            reason: "-".to_owned(),
            execution: None,
            attempts: answer
                .metadata()
                .get("faas-attempts")
                .and_then(|count| count.to_str().ok()?.parse().ok())
                .unwrap_or(0),
            message: String::new(),
            since: None,
            of: of(answer.into_inner()),
        },
        Err(status) => {
            let info = status.get_details_error_info();
            let fact = |name: &str| {
                info.as_ref()
                    .and_then(|info| info.metadata.get(name).cloned())
            };
            Answer {
                code: status.code(),
                reason: info
                    .as_ref()
                    .map(|info| info.reason.clone())
                    .unwrap_or_default(),
                execution: fact("execution"),
                attempts: fact("attempts")
                    .and_then(|count| count.parse().ok())
                    .unwrap_or(0),
                of: None,
                since: None,
                message: status.message().to_owned(),
            }
        }
    }
}
