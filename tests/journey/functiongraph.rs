//! FunctionGraph: the same calls, another cloud.

mod access;
mod functions;
mod runs;
mod time;

use faas_emulator::functiongraph::Options;

use crate::action_service_client::ActionServiceClient;
use crate::invocation_service_client::InvocationServiceClient;
use crate::package_service_client::PackageServiceClient;
use crate::*;

const TARGET: &str = "  graph: {provider: functiongraph, region: cn-north-4}";
const NODE: &str = "Node.js20.15";
const PYTHON: &str = "Python3.9";
const GREET: &str = "exports.handler = async (event, context) => {
    context.getLogger().info('for ' + event.name);
    return { greeting: 'Hello, ' + event.name, version: context.getVersion() };
};";

struct Graph {
    house: House,
    actions: ActionServiceClient<Channel>,
    runs: InvocationServiceClient<Channel>,
    packages: PackageServiceClient<Channel>,
}

impl Graph {
    async fn new() -> Self {
        Self::open(TARGET, Options::default()).await
    }

    async fn open(targets: &str, options: Options) -> Self {
        let clouds = EmulatedClouds {
            functiongraph: options,
            ..EmulatedClouds::default()
        };
        let emulators = emulators(targets, clouds).await;
        let env = emulators.env();
        Self::of(House::with(emulators, env, |_| ()).await)
    }

    fn of(house: House) -> Self {
        let channel = || house.channel.clone();
        Self {
            actions: ActionServiceClient::new(channel()).max_decoding_message_size(16 << 20),
            runs: InvocationServiceClient::new(channel()).max_decoding_message_size(16 << 20),
            packages: PackageServiceClient::new(channel()),
            house,
        }
    }

    async fn put(&mut self, package: &str, name: &str, action: Action) -> Action {
        let answer = self
            .actions
            .put_action(put(package, name, action))
            .await
            .unwrap();
        answer.into_inner().action.unwrap()
    }

    async fn run(&mut self, request: InvokeRequest) -> Activation {
        let answer = self.runs.invoke(request).await.unwrap();
        answer.into_inner().activation.unwrap()
    }
}

fn code(runtime: &str, handler: &str, code: exec::Code) -> Action {
    Action {
        exec: Some(Exec {
            runtime: runtime.to_owned(),
            main: handler.to_owned(),
            code: Some(code),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(prost_types::Duration {
                seconds: 10,
                nanos: 0,
            }),
            memory_mb: 256,
        }),
        ..Action::default()
    }
}

fn node(source: &str) -> Action {
    code(NODE, "index.handler", exec::Code::Source(source.to_owned()))
}

/// The details that every error carries.
fn info(status: &tonic::Status) -> tonic_types::ErrorInfo {
    tonic_types::StatusExt::get_details_error_info(status).unwrap()
}
