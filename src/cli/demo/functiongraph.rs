//! The tour of Huawei FunctionGraph.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::show::Step;
use super::show::shortened;
use super::stage::{Stage, Unexpected, ensure, settings};
use super::words::{json, status, text};
use crate::cli::client::limited;
use crate::config::{Cloud, Config};
use crate::proto::action_service_client::ActionServiceClient;
use crate::proto::exec::Code;
use crate::proto::invocation_service_client::InvocationServiceClient;
use crate::proto::{
    Action, Activation, ActivationStatus, AsyncInvokeConfig, DeleteActionRequest, Exec,
    GetActivationRequest, InvokeAsyncRequest, InvokeRequest, Limits, PutActionRequest,
    PutAsyncInvokeConfigRequest,
};
use crate::provider::functiongraph as graph;
use faas_emulator::functiongraph::{DEFAULT_PROJECT_ID, DEFAULT_REGION};

const CODE: &str = "\
exports.handler = async (event, context) => {
  context.getLogger().info(`called for ${event.name}`);
  if (!event.name) throw new Error('name is missing');
  return { message: `Hello, ${event.name}!` };
};
";
const ACTION: &str = "hello";
/// Longest time that an asynchronous run may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A region and its project; with the project left out the sidecar would ask IAM for it.
pub(super) fn config() -> Result<Config, Unexpected> {
    let mut config = settings()?;
    for target in config.targets.values_mut() {
        target.cloud = Cloud::FunctionGraph(graph::Config {
            region: DEFAULT_REGION.to_owned(),
            project_id: Some(DEFAULT_PROJECT_ID.to_owned()),
            project_name: None,
            iam_url: None,
        });
    }
    Ok(config)
}

/// The steps.
pub(super) async fn play(stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
    let mut application = Application::new(&stage.channel());
    application.deploy(stage).await?;
    application.call(stage).await?;
    application.call_badly(stage).await?;
    application.call_apart(stage).await?;
    application.clean_up(stage).await
}

/// What stands for the user's own program.
struct Application {
    actions: ActionServiceClient<Channel>,
    invocations: InvocationServiceClient<Channel>,
}

impl Application {
    fn new(channel: &Channel) -> Self {
        Self {
            actions: limited!(ActionServiceClient, channel.clone()),
            invocations: limited!(InvocationServiceClient, channel.clone()),
        }
    }

    async fn deploy(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Create a function: not there yet, so it is made",
            method: "ActionService/PutAction",
            request: format!(
                "action_name: {ACTION}, exec: {{ Node.js20.15, source }}, limits: {{ 5 s, 128 MB }}"
            ),
            sends: &[404, 200],
        };
        let answer = stage
            .ok(step, self.actions.put_action(put_action()))
            .await?;
        let action = answer.action.unwrap_or_default();
        ensure(
            action.name == ACTION && action.resource_id.starts_with("urn:fss:"),
            || format!("PutAction answered {} {}", action.name, action.resource_id),
        )?;
        stage.got(&[format!("OK: {}", action.resource_id)])
    }

    async fn call(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Call it, and ask for its log",
            method: "InvocationService/Invoke",
            request: format!(
                "action_name: {ACTION}, arguments: {{\"name\":\"World\"}}, include_logs"
            ),
            sends: &[200],
        };
        let run = self.run(stage, step, r#"{"name":"World"}"#, true).await?;
        let logged = run
            .logs
            .iter()
            .find(|line| line.contains("called for World"));
        ensure(
            run.success && logged.is_some() && text(&run) == r#"{"message":"Hello, World!"}"#,
            || {
                format!(
                    "Invoke answered {} {} {:?}",
                    status(&run),
                    text(&run),
                    run.logs
                )
            },
        )?;
        let mut lines = vec![format!("OK: {} {}", status(&run), text(&run))];
        lines.extend(logged.map(|line| format!("log: {line}")));
        stage.got(&lines)
    }

    async fn call_badly(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Call it without a name: the function throws, and here too that is a result",
            method: "InvocationService/Invoke",
            request: format!("action_name: {ACTION}, arguments: {{}}"),
            sends: &[200],
        };
        let run = self.run(stage, step, "{}", false).await?;
        ensure(
            run.status() == ActivationStatus::DeveloperError
                && text(&run).contains("name is missing"),
            || {
                format!(
                    "Invoke of a function that throws answered {} {}",
                    status(&run),
                    text(&run)
                )
            },
        )?;
        let error = shortened(text(&run).as_bytes());
        stage.got(&[format!("OK: {} {error}", status(&run))])
    }

    async fn run(
        &mut self,
        stage: &mut Stage<'_, '_>,
        step: Step<'_>,
        arguments: &str,
        include_logs: bool,
    ) -> Result<Activation, Unexpected> {
        let request = InvokeRequest {
            action_name: ACTION.to_owned(),
            arguments: Some(json(arguments)),
            include_logs,
            ..InvokeRequest::default()
        };
        let answer = stage.ok(step, self.invocations.invoke(request)).await?;
        Ok(answer.activation.unwrap_or_default())
    }

    async fn call_apart(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Have records kept of its asynchronous runs",
            method: "ActionService/PutAsyncInvokeConfig",
            request: format!("action_name: {ACTION}, config: {{ enable_async_status_log: true }}"),
            sends: &[200],
        };
        let request = PutAsyncInvokeConfigRequest {
            action_name: ACTION.to_owned(),
            config: Some(AsyncInvokeConfig {
                enable_async_status_log: Some(true),
                ..AsyncInvokeConfig::default()
            }),
            ..PutAsyncInvokeConfigRequest::default()
        };
        stage
            .ok(step, self.actions.put_async_invoke_config(request))
            .await?;
        stage.got(&["OK".to_owned()])?;

        let step = Step {
            title: "Start it without waiting",
            method: "InvocationService/InvokeAsync",
            request: format!("action_name: {ACTION}, arguments: {{\"name\":\"World\"}}"),
            sends: &[202],
        };
        let request = InvokeAsyncRequest {
            action_name: ACTION.to_owned(),
            arguments: Some(json(r#"{"name":"World"}"#)),
            ..InvokeAsyncRequest::default()
        };
        let answer = stage
            .ok(step, self.invocations.invoke_async(request))
            .await?;
        let started = answer.activation.unwrap_or_default();
        ensure(
            started.status() == ActivationStatus::Queued && !started.activation_id.is_empty(),
            || {
                format!(
                    "InvokeAsync answered {} {:?}",
                    status(&started),
                    started.activation_id
                )
            },
        )?;
        stage.got(&[format!(
            "OK: {}, activation {}",
            status(&started),
            started.activation_id
        )])?;

        self.wait(&started.activation_id).await?;
        let step = Step {
            title: "Read its record when it is over: status and times; this cloud keeps no result",
            method: "InvocationService/GetActivation",
            request: format!(
                "action_name: {ACTION}, activation_id: {}",
                started.activation_id
            ),
            sends: &[200],
        };
        let request = get_activation(&started.activation_id);
        let answer = stage
            .ok(step, self.invocations.get_activation(request))
            .await?;
        let record = answer.activation.unwrap_or_default();
        ensure(
            record.success
                && record.activation_id == started.activation_id
                && record.end_time.is_some(),
            || {
                format!(
                    "GetActivation answered {} {:?}",
                    status(&record),
                    record.status_text
                )
            },
        )?;
        stage.got(&[format!("OK: {}", status(&record))])
    }

    /// Not shown: the record is asked for until the run is over.
    async fn wait(&mut self, id: &str) -> Result<(), Unexpected> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let record = self
                .invocations
                .get_activation(get_activation(id))
                .await
                .ok()
                .and_then(|answer| answer.into_inner().activation);
            if record.is_some_and(|record| {
                !matches!(
                    record.status(),
                    ActivationStatus::Queued | ActivationStatus::Running
                )
            }) {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Unexpected(
            "the asynchronous run did not come to an end".to_owned(),
        ))
    }

    async fn clean_up(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Take the function away",
            method: "ActionService/DeleteAction",
            request: format!("action_name: {ACTION}"),
            sends: &[204],
        };
        let request = DeleteActionRequest {
            action_name: ACTION.to_owned(),
            ..DeleteActionRequest::default()
        };
        stage
            .ok(step, self.actions.delete_action(request.clone()))
            .await?;
        stage.got(&["OK".to_owned()])?;

        // Not shown: that it is really gone.
        let gone = matches!(self.actions.delete_action(request).await, Err(status) if status.code() == tonic::Code::NotFound);
        ensure(gone, || {
            "the function is still there after DeleteAction".to_owned()
        })
    }
}

fn put_action() -> PutActionRequest {
    PutActionRequest {
        action_name: ACTION.to_owned(),
        action: Some(Action {
            exec: Some(Exec {
                runtime: "Node.js20.15".to_owned(),
                main: "index.handler".to_owned(),
                code: Some(Code::Source(CODE.to_owned())),
                ..Exec::default()
            }),
            limits: Some(Limits {
                timeout: prost_types::Duration::try_from(Duration::from_secs(5)).ok(),
                memory_mb: 128,
            }),
            ..Action::default()
        }),
        ..PutActionRequest::default()
    }
}

fn get_activation(id: &str) -> GetActivationRequest {
    GetActivationRequest {
        action_name: ACTION.to_owned(),
        activation_id: id.to_owned(),
        ..GetActivationRequest::default()
    }
}
