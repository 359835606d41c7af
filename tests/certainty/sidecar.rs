//! The real server in this process, one target a lane, and generated clients without a clock of
//! their own: a client that gives up by itself would hide a server that does not.

use std::io::Write as _;

use faas_sidecar::app::Sidecar;
use faas_sidecar::config::{self, Sources};
use faas_sidecar::env::Env;
use faas_sidecar::proto::action_service_client::ActionServiceClient;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use http::Uri;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tonic::body::Body;

use crate::answers::Cloud;

type Way = Http<HttpConnector, Body>;

/// One caller's connection to the sidecar.
#[derive(Clone)]
pub struct Caller {
    way: Way,
    origin: Uri,
}

impl Caller {
    pub fn new(sidecar: &Sidecar) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            way: Http::builder(TokioExecutor::new())
                .http2_only(true)
                .build(connector),
            origin: format!("http://{}", sidecar.tcp().unwrap())
                .parse()
                .unwrap(),
        }
    }

    pub fn invocations(&self) -> InvocationServiceClient<Way> {
        InvocationServiceClient::with_origin(self.way.clone(), self.origin.clone())
    }

    pub fn actions(&self) -> ActionServiceClient<Way> {
        ActionServiceClient::with_origin(self.way.clone(), self.origin.clone())
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
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
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
    let sources = Sources {
        file: Some(file.path().to_owned()),
        env: env.clone(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap_or_else(|faults| panic!("{faults}"));
    Sidecar::start(&config, &env).unwrap_or_else(|fault| panic!("{fault}"))
}
