//! A user's journey over real sockets: gRPC client → sidecar → emulator that runs the code.
#![cfg(feature = "emulator")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends there"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]

mod boundaries;
#[path = "../support/config.rs"]
mod config;
mod functiongraph;
mod functions;
mod house;
mod there_and_back;
mod time;
mod triggers;

use faas_emulator::ncp::Options;
use faas_sidecar::app::{EmulatedClouds, Emulators, Sidecar};
use faas_sidecar::config::Config;
use faas_sidecar::env::Env;
use faas_sidecar::proto::json::Encoding;
use faas_sidecar::proto::*;
use tonic::transport::Channel;

/// A sidecar with an emulator behind it, and a connection to it.
struct House {
    emulators: Emulators,
    sidecar: Sidecar,
    channel: Channel,
}

impl House {
    /// `targets` is the YAML below `targets:`, one target a line.
    async fn open(targets: &str, options: impl Fn() -> Options) -> Self {
        let clouds = EmulatedClouds {
            ncp: options(),
            ..EmulatedClouds::default()
        };
        let emulators = emulators(targets, clouds).await;
        let env = emulators.env();
        Self::with(emulators, env, |_| ()).await
    }

    /// The same, with keys of our own and after a change of the configuration that leads to the
    /// emulators.
    async fn with(emulators: Emulators, env: Env, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = emulators.config().clone();
        change(&mut config);
        let sidecar = Sidecar::start(&config, &env).unwrap();
        let address = sidecar.tcp().unwrap();
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            emulators,
            sidecar,
            channel,
        }
    }

    async fn korea() -> Self {
        Self::open("  kr: {provider: ncp}", Options::default).await
    }
}

async fn emulators(targets: &str, clouds: EmulatedClouds) -> Emulators {
    let text = format!("listen: 127.0.0.1:0\ntargets:\n{targets}\n");
    let config = config::load(&text, &Env::process());
    Emulators::start(config, &clouds).await.unwrap()
}

fn text(json: &str) -> Option<Json> {
    Some(Json {
        encoding: Some(Encoding::Text(json.to_owned())),
    })
}

fn read(json: Option<Json>) -> serde_json::Value {
    match json.and_then(|json| json.encoding) {
        Some(Encoding::Text(text)) => serde_json::from_str(&text).unwrap(),
        Some(Encoding::Value(value)) => serde_json::from_slice(&value.to_json().unwrap()).unwrap(),
        None => serde_json::Value::Null,
    }
}

/// A JavaScript action that keeps every documented rule of a VPC.
fn javascript(source: &str) -> Action {
    Action {
        exec: Some(Exec {
            runtime: "nodejs:22".to_owned(),
            main: "main".to_owned(),
            code: Some(exec::Code::Source(source.to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(prost_types::Duration {
                seconds: 10,
                nanos: 0,
            }),
            memory_mb: 256,
        }),
        vpc: vec![Vpc {
            vpc_no: 1001,
            subnet_no: 2002,
        }],
        ..Action::default()
    }
}

fn put(package: &str, name: &str, action: Action) -> PutActionRequest {
    PutActionRequest {
        package_name: package.to_owned(),
        action_name: name.to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    }
}

fn invoke(package: &str, name: &str, arguments: &str) -> InvokeRequest {
    InvokeRequest {
        package_name: package.to_owned(),
        action_name: name.to_owned(),
        arguments: text(arguments),
        ..InvokeRequest::default()
    }
}
