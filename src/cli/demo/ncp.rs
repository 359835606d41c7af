//! The tour of NAVER Cloud Functions.

use std::time::Duration;

use tonic::transport::Channel;

use super::show::Step;
use super::stage::{Stage, Unexpected, ensure, settings};
use super::words::{json, status, text};
use crate::cli::client::limited;
use crate::config::Config;
use crate::proto::action_service_client::ActionServiceClient;
use crate::proto::exec::Code;
use crate::proto::invocation_service_client::InvocationServiceClient;
use crate::proto::package_service_client::PackageServiceClient;
use crate::proto::{
    Action, ActionType, Activation, DeleteActionRequest, DeletePackageRequest, Exec,
    GetActivationRequest, GetPackageRequest, InvokeRequest, JsonEncoding, Limits, PutActionRequest,
    PutPackageRequest, Vpc,
};

const CODE: &str = "\
function main({ greeting, name }) {
  console.log(`called for ${name}`);
  if (!name) throw new Error('name is missing');
  return { message: `${greeting}, ${name}!` };
}
";
const PACKAGE: &str = "demo";
const ACTION: &str = "hello";

/// Public Korea, VPC, API 2.1: what the sidecar assumes without a file.
pub(super) fn config() -> Result<Config, Unexpected> {
    settings()
}

/// The steps.
pub(super) async fn play(stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
    let mut application = Application::new(&stage.channel());
    application.deploy(stage).await?;
    let ran = application.call(stage).await?;
    application.read_back(stage, &ran).await?;
    application.call_badly(stage).await?;
    application.ask_nonsense(stage).await?;
    application.clean_up(stage).await
}

/// What stands for the user's own program.
struct Application {
    packages: PackageServiceClient<Channel>,
    actions: ActionServiceClient<Channel>,
    invocations: InvocationServiceClient<Channel>,
}

impl Application {
    fn new(channel: &Channel) -> Self {
        Self {
            packages: limited!(PackageServiceClient, channel.clone()),
            actions: limited!(ActionServiceClient, channel.clone()),
            invocations: limited!(InvocationServiceClient, channel.clone()),
        }
    }

    async fn deploy(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let parameters = r#"{"greeting":"Hello"}"#;
        let step = Step {
            title: "Create a package, with a parameter for all its actions",
            method: "PackageService/PutPackage",
            request: format!("package_name: {PACKAGE}, parameters: {parameters}"),
            sends: &[200],
        };
        let request = PutPackageRequest {
            package_name: PACKAGE.to_owned(),
            parameters: Some(json(parameters)),
            ..PutPackageRequest::default()
        };
        let package = stage
            .ok(step, self.packages.put_package(request))
            .await?
            .package
            .unwrap_or_default();
        ensure(package.name == PACKAGE, || {
            format!("PutPackage answered the package {:?}", package.name)
        })?;
        stage.got(&[format!("OK: package {}", package.name)])?;

        let step = Step {
            title: "Deploy a JavaScript action into it",
            method: "ActionService/PutAction",
            request: format!(
                "action_name: {ACTION}, exec: {{ nodejs:22, source }}, limits: {{ 5 s, 128 MB }}, vpc"
            ),
            sends: &[200],
        };
        let answer = stage
            .ok(
                step,
                self.actions
                    .put_action(put_action(ACTION, 128, Duration::from_secs(5))),
            )
            .await?;
        let action = answer.action.unwrap_or_default();
        ensure(
            action.name == ACTION && action.package_name == PACKAGE,
            || {
                format!(
                    "PutAction answered the action {}/{}",
                    action.package_name, action.name
                )
            },
        )?;
        stage.got(&[format!(
            "OK: action {}/{}",
            action.package_name, action.name
        )])
    }

    async fn call(&mut self, stage: &mut Stage<'_, '_>) -> Result<Activation, Unexpected> {
        let step = Step {
            title: "Call it",
            method: "InvocationService/Invoke",
            request: format!("action_name: {ACTION}, arguments: {{\"name\":\"World\"}}"),
            sends: &[200],
        };
        let answer = stage
            .ok(step, self.invocations.invoke(invoke(r#"{"name":"World"}"#)))
            .await?;
        let run = answer.activation.unwrap_or_default();
        ensure(
            run.success && text(&run) == r#"{"message":"Hello, World!"}"#,
            || format!("Invoke answered {} {}", status(&run), text(&run)),
        )?;
        stage.got(&[format!("OK: {} {}", status(&run), text(&run))])?;
        Ok(run)
    }

    async fn read_back(
        &mut self,
        stage: &mut Stage<'_, '_>,
        ran: &Activation,
    ) -> Result<(), Unexpected> {
        let step = Step {
            title: "Read the record of that run, with its log",
            method: "InvocationService/GetActivation",
            request: format!(
                "action_name: {ACTION}, activation_id: {}",
                ran.activation_id
            ),
            sends: &[200],
        };
        let request = GetActivationRequest {
            package_name: PACKAGE.to_owned(),
            action_name: ACTION.to_owned(),
            activation_id: ran.activation_id.clone(),
            result_encoding: JsonEncoding::Text.into(),
            ..GetActivationRequest::default()
        };
        let record = stage
            .ok(step, self.invocations.get_activation(request))
            .await?
            .activation
            .unwrap_or_default();
        let logged = record
            .logs
            .iter()
            .any(|line| line.ends_with("called for World"));
        ensure(
            logged && record.activation_id == ran.activation_id && text(&record) == text(ran),
            || {
                format!(
                    "GetActivation answered {:?} {} {:?}",
                    record.activation_id,
                    text(&record),
                    record.logs
                )
            },
        )?;
        let took = record
            .duration
            .and_then(|took| Duration::try_from(took).ok())
            .unwrap_or_default();
        let mut lines = vec![format!(
            "OK: {} after {took:?} {}",
            status(&record),
            text(&record)
        )];
        lines.extend(record.logs.iter().map(|line| format!("log: {line}")));
        stage.got(&lines)
    }

    async fn call_badly(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Call it without a name: the function throws, and that is a result, not an error of the call",
            method: "InvocationService/Invoke",
            request: format!("action_name: {ACTION}, arguments: {{}}"),
            sends: &[200],
        };
        let run = stage
            .ok(step, self.invocations.invoke(invoke("{}")))
            .await?
            .activation
            .unwrap_or_default();
        ensure(
            !run.success && text(&run).contains("name is missing"),
            || {
                format!(
                    "Invoke of a function that throws answered {} {}",
                    status(&run),
                    text(&run)
                )
            },
        )?;
        stage.got(&[format!("OK: {} {}", status(&run), text(&run))])
    }

    async fn ask_nonsense(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Break three rules: all faults come back together, before a byte leaves",
            method: "ActionService/PutAction",
            request: "action_name: \"hello world\", limits: { 0.1 s, 300 MB }".to_owned(),
            sends: &[],
        };
        let request = put_action("hello world", 300, Duration::from_millis(100));
        let Err(failure) = stage.step(step, self.actions.put_action(request)).await? else {
            return Err(Unexpected(
                "PutAction accepted what breaks three rules".to_owned(),
            ));
        };
        ensure(
            failure.code == "INVALID_ARGUMENT" && failure.fields.len() == 3,
            || {
                format!(
                    "PutAction of what breaks three rules answered {} {:?}",
                    failure.code, failure.fields
                )
            },
        )?;
        let mut lines = vec![format!("{}, reason {}", failure.code, failure.reason)];
        lines.extend(
            failure
                .fields
                .iter()
                .map(|(field, wrong)| format!("{field}: {wrong}")),
        );
        stage.got(&lines)
    }

    async fn clean_up(&mut self, stage: &mut Stage<'_, '_>) -> Result<(), Unexpected> {
        let step = Step {
            title: "Take the action away",
            method: "ActionService/DeleteAction",
            request: format!("action_name: {ACTION}"),
            sends: &[204],
        };
        let request = DeleteActionRequest {
            package_name: PACKAGE.to_owned(),
            action_name: ACTION.to_owned(),
            ..DeleteActionRequest::default()
        };
        stage.ok(step, self.actions.delete_action(request)).await?;
        stage.got(&["OK".to_owned()])?;

        let step = Step {
            title: "And the package",
            method: "PackageService/DeletePackage",
            request: format!("package_name: {PACKAGE}"),
            sends: &[204],
        };
        let package_name = PACKAGE.to_owned();
        let request = DeletePackageRequest {
            package_name: package_name.clone(),
            ..DeletePackageRequest::default()
        };
        stage
            .ok(step, self.packages.delete_package(request))
            .await?;
        stage.got(&["OK".to_owned()])?;

        // Not shown: that it is really gone.
        let request = GetPackageRequest {
            package_name,
            ..GetPackageRequest::default()
        };
        let gone = matches!(self.packages.get_package(request).await, Err(status) if status.code() == tonic::Code::NotFound);
        ensure(gone, || {
            "the package is still there after DeletePackage".to_owned()
        })
    }
}

fn put_action(name: &str, memory_mb: i32, timeout: Duration) -> PutActionRequest {
    PutActionRequest {
        package_name: PACKAGE.to_owned(),
        action_name: name.to_owned(),
        action: Some(Action {
            r#type: ActionType::Basic.into(),
            exec: Some(Exec {
                runtime: "nodejs:22".to_owned(),
                main: "main".to_owned(),
                code: Some(Code::Source(CODE.to_owned())),
                ..Exec::default()
            }),
            limits: Some(Limits {
                timeout: prost_types::Duration::try_from(timeout).ok(),
                memory_mb,
            }),
            vpc: vec![Vpc {
                vpc_no: 10_001,
                subnet_no: 20_002,
            }],
            ..Action::default()
        }),
        ..PutActionRequest::default()
    }
}

fn invoke(arguments: &str) -> InvokeRequest {
    InvokeRequest {
        package_name: PACKAGE.to_owned(),
        action_name: ACTION.to_owned(),
        arguments: Some(json(arguments)),
        ..InvokeRequest::default()
    }
}
