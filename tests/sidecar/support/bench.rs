//! A sidecar in this process between the generated clients and a scripted upstream, started as
//! `serve` starts it: configuration text → `config::load` → `Sidecar::start`.

use std::path::Path;
use std::time::Duration;

use faas_sidecar::app::Sidecar;
use faas_sidecar::env::Env;
use faas_sidecar::proto::action_service_client::ActionServiceClient;
use faas_sidecar::proto::health::health_client::HealthClient;
use faas_sidecar::proto::health::{HealthCheckRequest, health_check_response::ServingStatus};
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use faas_sidecar::proto::trigger_service_client::TriggerServiceClient;
use faas_sidecar::proto::*;
use faas_testkit::process::Process;
use tonic::transport::{Channel, Endpoint};

pub use super::answer::{ID, success};

use super::answer::content;
use super::cloud::{self, Cloud};
pub use super::config::load;
use super::patient::Patient;
use super::upstream::{ACCESS_KEY, SECRET_KEY, Upstream};

/// Short pauses, so that retries cost a test nothing.
pub const QUICK: &str =
    "retry: {initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 100}}";

pub struct Bench {
    pub upstream: Upstream,
    pub sidecar: Sidecar,
    pub channel: Patient,
}

impl Bench {
    /// Target `main`: the public cloud in Korea, API 2.1, platform VPC.
    pub async fn new() -> Self {
        Self::with(QUICK).await
    }

    /// Target `main` with these settings beside provider and address.
    pub async fn with(settings: &str) -> Self {
        Self::whole("", settings, &keys()).await
    }

    /// Quick retries and these settings too.
    pub async fn quick(settings: &str) -> Self {
        Self::with(&format!("{QUICK}\n{settings}")).await
    }

    /// The target of one of the clouds.
    pub async fn site(place: &str) -> Self {
        Self::quick(place).await
    }

    pub async fn without_keys() -> Self {
        Self::whole("", QUICK, &Env::fixed::<String, String>([])).await
    }

    /// `top` stands beside `targets`; each line of `settings` under `main`.
    pub async fn whole(top: &str, settings: &str, env: &Env) -> Self {
        Self::start(Cloud::Ncp21, top, settings, env).await
    }

    /// A target of this cloud, with these settings.
    pub async fn on(cloud: Cloud, settings: &str) -> Self {
        Self::start(cloud, "", settings, &cloud::keys()).await
    }

    async fn start(cloud: Cloud, top: &str, settings: &str, env: &Env) -> Self {
        let upstream = Upstream::start().await;
        let settings: String = format!("{}\n{settings}", cloud.settings())
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        let text = format!(
            "listen: \"127.0.0.1:0\"\n{top}\ntargets:\n  main:\n    base_url: {}\n{settings}",
            upstream.url()
        );
        let sidecar = start(&text, env);
        let channel = connect(&sidecar);
        Self {
            upstream,
            sidecar,
            channel,
        }
    }

    pub fn packages(&self) -> PackageServiceClient<Patient> {
        PackageServiceClient::new(self.channel.clone())
    }

    pub fn actions(&self) -> ActionServiceClient<Patient> {
        ActionServiceClient::new(self.channel.clone())
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(usize::MAX)
    }

    pub fn invocations(&self) -> InvocationServiceClient<Patient> {
        InvocationServiceClient::new(self.channel.clone())
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(usize::MAX)
    }

    pub fn triggers(&self) -> TriggerServiceClient<Patient> {
        TriggerServiceClient::new(self.channel.clone())
    }

    pub fn health(&self) -> HealthClient<Patient> {
        HealthClient::new(self.channel.clone())
    }

    /// Runs `-/hello` with the answer scripted.
    pub async fn invoke(&self, request: InvokeRequest) -> Result<Activation, tonic::Status> {
        let answer = self.invocations().invoke(request).await?;
        Ok(answer.into_inner().activation.unwrap())
    }

    /// After whatever happened the server answers its next caller, and says that it is well.
    pub async fn assert_healthy(&self) {
        let before = self.upstream.received().len();
        self.upstream.push(content("[]"));
        let listed = self
            .packages()
            .list_packages(ListPackagesRequest::default())
            .await
            .unwrap();
        assert!(listed.into_inner().packages.is_empty());
        assert_eq!(self.upstream.received().len(), before + 1);
        let health = self
            .health()
            .check(HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(health.status(), ServingStatus::Serving);
    }
}

/// The environment with the keys that the upstream knows.
pub fn keys() -> Env {
    Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
    ])
}

/// The environment with a secret that the upstream does not know.
pub fn wrong_keys() -> Env {
    Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", "not-the-secret"),
    ])
}

/// The real binary with this file, its log read as JSON; beside the upstream's keys these variables
/// are set.
pub fn serve(file: &Path, env: &[(&str, &str)]) -> Process {
    let keys = [
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
    ];
    Process::serve(
        env!("CARGO_BIN_EXE_faas-sidecar"),
        &["serve", "--config", file.to_str().unwrap()],
        &[&keys[..], env].concat(),
    )
}

/// A sidecar with this configuration text.
pub fn start(text: &str, env: &Env) -> Sidecar {
    try_start(text, env).unwrap_or_else(|fault| panic!("{fault}"))
}

/// The same, where starting may fail.
pub fn try_start(text: &str, env: &Env) -> Result<Sidecar, String> {
    Sidecar::start(&load(text, env), env).map_err(|fault| fault.to_string())
}

pub fn connect(sidecar: &Sidecar) -> Patient {
    Patient::new(&sidecar.tcp().unwrap().to_string())
}

/// tonic's own client, where its kind matters.
pub fn channel(sidecar: &Sidecar) -> Channel {
    Endpoint::from_shared(format!("http://{}", sidecar.tcp().unwrap()))
        .unwrap()
        .connect_lazy()
}

/// `-/hello` with `{"name":"kim"}` as text.
pub fn hello() -> InvokeRequest {
    InvokeRequest {
        action_name: "hello".to_owned(),
        arguments: Some(text(r#"{"name":"kim"}"#)),
        ..InvokeRequest::default()
    }
}

/// A request with a deadline.
pub fn within<T>(deadline: Duration, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline);
    request
}

pub fn text(json: &str) -> Json {
    Json {
        encoding: Some(json::Encoding::Text(json.to_owned())),
    }
}

/// The same document in the `value` arm.
pub fn value(json: &str) -> Json {
    let (value, _) = faas_sidecar::json::Value::from_json(json).unwrap();
    Json {
        encoding: Some(json::Encoding::Value(value)),
    }
}

/// The JSON text of either arm.
pub fn shown(json: &Option<Json>) -> String {
    match json.as_ref().and_then(|json| json.encoding.as_ref()) {
        Some(json::Encoding::Text(text)) => text.clone(),
        Some(json::Encoding::Value(value)) => {
            String::from_utf8(value.to_json().unwrap().to_vec()).unwrap()
        }
        None => String::new(),
    }
}
