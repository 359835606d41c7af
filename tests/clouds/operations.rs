//! One good request of every operation that a cloud has.

use faas_sidecar::proto::exec::Code;
use faas_sidecar::proto::trigger::Source;
use faas_sidecar::proto::*;
use prost_types::Duration;
use tokio_stream::StreamExt as _;
use tonic::Status;

use crate::bench::{Cloud, Clouds};
use crate::support::bench::text;
use crate::support::details::{Told, bare};

/// What an operation does to the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It runs something.
    Run,
    /// It looks.
    Read,
    /// It changes something.
    Change,
}

/// An operation and where it is to be had.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub name: &'static str,
    pub does: Does,
    ncp: bool,
    functiongraph: bool,
}

/// The activation that is asked for.
pub const ID: &str = "0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a";

const fn both(name: &'static str, does: Does) -> Operation {
    Operation {
        name,
        does,
        ncp: true,
        functiongraph: true,
    }
}

const fn ncp(name: &'static str, does: Does) -> Operation {
    Operation {
        functiongraph: false,
        ..both(name, does)
    }
}

const fn functiongraph(name: &'static str, does: Does) -> Operation {
    Operation {
        ncp: false,
        ..both(name, does)
    }
}

/// Every operation. `PutPackage` and `DeletePackage` are reads on functiongraph and stand here for
/// ncp.
pub const ALL: [Operation; 31] = [
    both("ListPackages", Does::Read),
    both("GetPackage", Does::Read),
    ncp("PutPackage", Does::Change),
    ncp("DeletePackage", Does::Change),
    both("ListActions", Does::Read),
    both("GetAction", Does::Read),
    both("PutAction", Does::Change),
    both("DeleteAction", Does::Change),
    functiongraph("PublishActionVersion", Does::Change),
    functiongraph("ListActionVersions", Does::Read),
    functiongraph("PutActionAlias", Does::Change),
    functiongraph("ListActionAliases", Does::Read),
    functiongraph("DeleteActionAlias", Does::Change),
    functiongraph("GetAsyncInvokeConfig", Does::Read),
    functiongraph("PutAsyncInvokeConfig", Does::Change),
    functiongraph("DeleteAsyncInvokeConfig", Does::Change),
    both("Invoke", Does::Run),
    both("InvokeAsync", Does::Run),
    both("GetActivation", Does::Read),
    both("ListActivations", Does::Read),
    both("WatchActivation", Does::Read),
    functiongraph("CancelActivation", Does::Change),
    ncp("ListTriggers", Does::Read),
    ncp("GetTrigger", Does::Read),
    ncp("PutTrigger", Does::Change),
    ncp("DeleteTrigger", Does::Change),
    ncp("FireTrigger", Does::Run),
    ncp("LinkAction", Does::Change),
    ncp("UnlinkAction", Does::Change),
    ncp("GetTriggerActivation", Does::Read),
    ncp("ListTriggerActivations", Does::Read),
];

impl Operation {
    pub fn is_on(self, cloud: Cloud) -> bool {
        if cloud.is_ncp() {
            self.ncp
        } else {
            self.functiongraph
        }
    }
}

/// Every operation of a cloud.
pub fn of(cloud: Cloud) -> impl Iterator<Item = Operation> {
    ALL.into_iter()
        .filter(move |operation| operation.is_on(cloud))
}

/// Calls it; the answer as its debug text.
pub async fn perform(clouds: &Clouds, cloud: Cloud, name: &str) -> Result<String, Told> {
    call(clouds, cloud, name)
        .await
        .map_err(|status| bare(&status))
}

async fn call(clouds: &Clouds, cloud: Cloud, name: &str) -> Result<String, Status> {
    let (mut packages, mut actions) = (clouds.packages(), clouds.actions());
    let (mut invocations, mut triggers) = (clouds.invocations(), clouds.triggers());
    let s = str::to_owned;
    macro_rules! call {
        ($client:ident.$method:ident($message:ident { $($field:ident: $value:expr),* $(,)? })) => {
            $client
                .$method($message { target: cloud.target(), $($field: $value,)* ..Default::default() })
                .await
                .map(|answer| format!("{:?}", answer.into_inner()))
        };
    }
    match name {
        "ListPackages" => call!(packages.list_packages(ListPackagesRequest {})),
        "GetPackage" => call!(packages.get_package(GetPackageRequest {
            package_name: s("orders")
        })),
        "PutPackage" => call!(packages.put_package(PutPackageRequest {
            package_name: s("orders")
        })),
        "DeletePackage" => call!(packages.delete_package(DeletePackageRequest {
            package_name: s("orders")
        })),
        "ListActions" => call!(actions.list_actions(ListActionsRequest {})),
        "GetAction" => call!(actions.get_action(GetActionRequest {
            action_name: s("hello")
        })),
        "PutAction" => call!(actions.put_action(PutActionRequest {
            action_name: s("hello"),
            action: Some(action(cloud)),
        })),
        "DeleteAction" => call!(actions.delete_action(DeleteActionRequest {
            action_name: s("hello")
        })),
        "PublishActionVersion" => {
            call!(actions.publish_action_version(PublishActionVersionRequest {
                action_name: s("hello"),
                version: s("1.0"),
            }))
        }
        "ListActionVersions" => {
            call!(actions.list_action_versions(ListActionVersionsRequest {
                action_name: s("hello")
            }))
        }
        "PutActionAlias" => call!(actions.put_action_alias(PutActionAliasRequest {
            action_name: s("hello"),
            alias_name: s("prod"),
            alias: Some(ActionAlias {
                version: s("1.0"),
                ..ActionAlias::default()
            }),
        })),
        "ListActionAliases" => {
            call!(actions.list_action_aliases(ListActionAliasesRequest {
                action_name: s("hello")
            }))
        }
        "DeleteActionAlias" => call!(actions.delete_action_alias(DeleteActionAliasRequest {
            action_name: s("hello"),
            alias_name: s("prod"),
        })),
        "GetAsyncInvokeConfig" => {
            call!(
                actions.get_async_invoke_config(GetAsyncInvokeConfigRequest {
                    action_name: s("hello")
                })
            )
        }
        "PutAsyncInvokeConfig" => call!(actions.put_async_invoke_config(
            PutAsyncInvokeConfigRequest {
                action_name: s("hello"),
                config: Some(AsyncInvokeConfig {
                    enable_async_status_log: Some(true),
                    ..AsyncInvokeConfig::default()
                }),
            }
        )),
        "DeleteAsyncInvokeConfig" => {
            call!(
                actions.delete_async_invoke_config(DeleteAsyncInvokeConfigRequest {
                    action_name: s("hello")
                })
            )
        }
        "Invoke" => call!(invocations.invoke(InvokeRequest {
            action_name: s("hello"),
            arguments: Some(text("{}")),
        })),
        "InvokeAsync" => call!(invocations.invoke_async(InvokeAsyncRequest {
            action_name: s("hello")
        })),
        "GetActivation" => call!(invocations.get_activation(GetActivationRequest {
            action_name: s("hello"),
            activation_id: s(ID),
        })),
        "ListActivations" => {
            call!(invocations.list_activations(ListActivationsRequest {
                action_name: s("hello")
            }))
        }
        "WatchActivation" => watch(clouds, cloud).await,
        "CancelActivation" => call!(invocations.cancel_activation(CancelActivationRequest {
            action_name: s("hello"),
            activation_id: s(ID),
        })),
        "ListTriggers" => call!(triggers.list_triggers(ListTriggersRequest {})),
        "GetTrigger" => call!(triggers.get_trigger(GetTriggerRequest {
            trigger_name: s("nightly")
        })),
        "PutTrigger" => call!(triggers.put_trigger(PutTriggerRequest {
            trigger_name: s("nightly"),
            trigger: Some(Trigger {
                source: Some(Source::Cron(CronSource {
                    cron_option: s("0 3 * * *")
                })),
                ..Trigger::default()
            }),
        })),
        "DeleteTrigger" => call!(triggers.delete_trigger(DeleteTriggerRequest {
            trigger_name: s("nightly")
        })),
        "FireTrigger" => call!(triggers.fire_trigger(FireTriggerRequest {
            trigger_name: s("nightly")
        })),
        "LinkAction" => call!(triggers.link_action(LinkActionRequest {
            trigger_name: s("nightly"),
            action_name: s("hello"),
        })),
        "UnlinkAction" => call!(triggers.unlink_action(UnlinkActionRequest {
            trigger_name: s("nightly"),
            action_name: s("hello"),
        })),
        "GetTriggerActivation" => call!(triggers.get_trigger_activation(
            GetTriggerActivationRequest {
                trigger_name: s("nightly"),
                activation_id: s(ID),
            }
        )),
        "ListTriggerActivations" => call!(triggers.list_trigger_activations(
            ListTriggerActivationsRequest {
                trigger_name: s("nightly"),
            }
        )),
        other => panic!("no operation {other}"),
    }
}

/// All states of a watched run, within two seconds.
async fn watch(clouds: &Clouds, cloud: Cloud) -> Result<String, Status> {
    let mut request = tonic::Request::new(WatchActivationRequest {
        target: cloud.target(),
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..WatchActivationRequest::default()
    });
    request.set_timeout(std::time::Duration::from_secs(2));
    let states = clouds
        .invocations()
        .watch_activation(request)
        .await?
        .into_inner();
    let states = states.collect::<Result<Vec<_>, _>>().await?;
    Ok(format!("{states:?}"))
}

/// An action that the cloud takes.
pub fn action(cloud: Cloud) -> Action {
    let (runtime, main, seconds) = if cloud.is_ncp() {
        ("nodejs:22", "main", 60)
    } else {
        ("Node.js18.15", "index.handler", 30)
    };
    let vpc = Vpc {
        vpc_no: 1001,
        subnet_no: 2002,
    };
    Action {
        exec: Some(Exec {
            runtime: runtime.to_owned(),
            main: main.to_owned(),
            code: Some(Code::Source("exports.main = () => ({})".to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(Duration { seconds, nanos: 0 }),
            memory_mb: 256,
        }),
        // Ncp20 is on the classic platform, which has none.
        vpc: if cloud == Cloud::Ncp21 {
            vec![vpc]
        } else {
            Vec::new()
        },
        ..Action::default()
    }
}
