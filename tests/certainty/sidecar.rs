//! The real server in this process, one target a lane, and generated clients without a clock of
//! their own: a client that gives up by itself would hide a server that does not.

use faas_sidecar::app::Sidecar;
use faas_sidecar::env::Env;
use faas_sidecar::proto::action_service_client::ActionServiceClient;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_testkit::patient::Patient;

use crate::answers::Cloud;
use crate::config::load;

/// One caller's connection to the sidecar.
#[derive(Clone)]
pub struct Caller(Patient);

impl Caller {
    pub fn new(sidecar: &Sidecar) -> Self {
        Self(Patient::new(&sidecar.tcp().unwrap().to_string()))
    }

    pub fn invocations(&self) -> InvocationServiceClient<Patient> {
        InvocationServiceClient::new(self.0.clone())
    }

    pub fn actions(&self) -> ActionServiceClient<Patient> {
        ActionServiceClient::new(self.0.clone())
    }
}

/// The lines of one target. `settings` are indented by four.
pub fn target(name: &str, cloud: Cloud, url: &str, settings: &str) -> String {
    let place = match cloud {
        Cloud::Ncp => "provider: ncp",
        Cloud::FunctionGraph => {
            "provider: functiongraph\n    region: cn-north-4\n    project_id: 7aad83af3e8d42e99ac194e8419e2c9b"
        }
    };
    let settings: String = settings
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!("  {name}:\n    {place}\n    base_url: {url}\n{settings}")
}

/// A sidecar with these targets, started as `serve` starts it.
pub fn start(targets: &str) -> Sidecar {
    let first = targets.split(':').next().unwrap_or_default().trim();
    let text = format!(
        "listen: \"127.0.0.1:0\"\nthreads: 2\ndefault_target: {first}\ntargets:\n{targets}"
    );
    let env = Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", "ncp_iam_TESTACCESSKEY01"),
        (
            "NCLOUD_SECRET_ACCESS_KEY",
            "ncp_iam_TESTSECRETKEY0123456789abcdef",
        ),
        ("HUAWEICLOUD_SDK_AK", "TESTACCESSKEY0000001"),
        (
            "HUAWEICLOUD_SDK_SK",
            "test-secret-key-not-real-000000000000001",
        ),
    ]);
    Sidecar::start(&load(&text, &env), &env).unwrap_or_else(|fault| panic!("{fault}"))
}
