//! One gRPC call for each fixture.

use faas_sidecar::proto::exec::Code;
use faas_sidecar::proto::trigger::Source;
use faas_sidecar::proto::*;
use prost_types::{Duration, Timestamp};
use tonic::Status;

use crate::support::bench::{Bench, ID, text};

fn action(kind: ActionType, exec: Exec, limits: Option<(i64, i32)>, vpc: bool) -> Action {
    Action {
        r#type: kind.into(),
        exec: Some(exec),
        limits: limits.map(|(millis, memory_mb)| {
            let nanos = i32::try_from(millis % 1000).unwrap() * 1_000_000;
            Limits {
                timeout: Some(Duration {
                    seconds: millis / 1000,
                    nanos,
                }),
                memory_mb,
            }
        }),
        vpc: if vpc {
            vec![Vpc {
                vpc_no: 1001,
                subnet_no: 2002,
            }]
        } else {
            Vec::new()
        },
        ..Action::default()
    }
}

fn exec(runtime: &str, main: &str, code: Option<Code>, components: &[&str]) -> Exec {
    Exec {
        runtime: runtime.to_owned(),
        main: main.to_owned(),
        code,
        components: components.iter().map(|name| (*name).to_owned()).collect(),
        ..Exec::default()
    }
}

/// The action of one variant, with its package and name.
fn put_action(variant: &str, vpc: bool) -> PutActionRequest {
    let hello = || {
        let code = Code::Source("function main(p){return {payload:p.name}}".to_owned());
        let hello = action(
            ActionType::Basic,
            exec("nodejs:22", "main", Some(code), &[]),
            Some((60_000, 256)),
            vpc,
        );
        Action {
            description: "says hello".to_owned(),
            parameters: Some(text(r#"{"name":"kim"}"#)),
            ..hello
        }
    };
    let sequence = |kind| {
        let components = exec("", "", None, &["orders/hello", "-/bye"]);
        Action {
            description: "two steps".to_owned(),
            ..action(kind, components, None, false)
        }
    };
    let (package, name, action) = match variant {
        "basic" => ("orders", "hello", hello()),
        "web" => (
            "orders",
            "hello",
            Action {
                r#type: ActionType::Web.into(),
                raw_http: true,
                ..hello()
            },
        ),
        "sequence" => ("-", "both", sequence(ActionType::Sequence)),
        "sequence-web" => ("", "both", sequence(ActionType::SequenceWeb)),
        "archive" => {
            let code = Code::Archive(b"PK\x03\x04\x0a\x00\xff".to_vec().into());
            let exec = exec("java:21", "com.example.Main", Some(code), &[]);
            (
                "",
                "jar",
                action(ActionType::Unspecified, exec, Some((500, 1024)), vpc),
            )
        }
        "image" => {
            let code = Code::Source("function main() {}".to_owned());
            let exec = Exec {
                image_uri: "registry/image:1".to_owned(),
                ..exec("custom image", "main", Some(code), &[])
            };
            (
                "",
                "image",
                action(ActionType::Basic, exec, Some((300_000, 128)), vpc),
            )
        }
        other => panic!("no variant {other}"),
    };
    PutActionRequest {
        package_name: package.to_owned(),
        action_name: name.to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    }
}

fn source(kind: &str) -> Source {
    let s = str::to_owned;
    match kind {
        "cron" => Source::Cron(CronSource {
            cron_option: s("0 3 * * *"),
        }),
        "github" => Source::Github(GithubSource {
            username: s("octo"),
            access_token: s("ghp_canary"),
            repository: s("org/repo"),
            events: vec![s("push"), s("release")],
            // Each generation takes its own; the other is not looked at.
            link: Some(ApiGatewayLink {
                product_name: s("product"),
                product_id: s("product"),
                api_name: s("api"),
                stage_name: s("v1"),
            }),
        }),
        "insight" => Source::Insight(InsightSource {
            insight_link: vec![InsightLink {
                prod_key: s("k"),
                rule_grp_id: s("g"),
                reminder_time: Some(Duration {
                    seconds: 600,
                    nanos: 0,
                }),
                enable_noti_when_event_close: true,
            }],
        }),
        "object_storage" => Source::ObjectStorage(ObjectStorageSource {
            object_storage_link: vec![ObjectStorageLink {
                bucket_name: s("b"),
                event_rule_name: s("r"),
            }],
        }),
        "source_commit" => Source::SourceCommit(SourceCommitSource {
            source_commit_link: vec![SourceCommitLink {
                repository_name: s("r"),
                webhook_name: s("w"),
                enable: Some(false),
            }],
        }),
        "secret_manager" => Source::SecretManager(SecretManagerSource {
            secret_manager_link: vec![SecretManagerLink {
                secret_name: s("s"),
            }],
        }),
        other => panic!("no source {other}"),
    }
}

/// Calls what the fixture names.
pub(super) async fn perform(bench: &Bench, operation: &str, vpc: bool) -> Result<(), Status> {
    let s = str::to_owned;
    let (orders, hello, nightly, id) = (|| s("orders"), || s("hello"), || s("nightly"), || s(ID));
    let start = Some(Timestamp {
        seconds: 1_711_432_620,
        nanos: 170_000_000,
    });
    let end = Some(Timestamp {
        seconds: 1_714_111_020,
        nanos: 170_000_000,
    });
    let long = Some(Duration {
        seconds: 30,
        nanos: 0,
    });
    let (mut packages, mut actions) = (bench.packages(), bench.actions());
    let (mut invocations, mut triggers) = (bench.invocations(), bench.triggers());
    macro_rules! call {
        ($client:ident.$method:ident($message:ident { $($field:ident: $value:expr),* $(,)? })) => {
            $client.$method($message { $($field: $value,)* ..Default::default() }).await.map(drop)
        };
    }
    let (name, variant) = operation.split_once(' ').unwrap_or((operation, ""));
    let account = variant == "of the account";
    match name {
        "ListPackages" => call!(packages.list_packages(ListPackagesRequest {})),
        "GetPackage" => call!(packages.get_package(GetPackageRequest {
            package_name: orders()
        })),
        "PutPackage" if variant.is_empty() => call!(packages.put_package(PutPackageRequest {
            package_name: orders(),
            description: s("order functions"),
            parameters: Some(text(r#"{"env":"prod"}"#)),
        })),
        "PutPackage" => call!(packages.put_package(PutPackageRequest {
            package_name: orders()
        })),
        "DeletePackage" => call!(packages.delete_package(DeletePackageRequest {
            package_name: orders()
        })),
        "ListActions" if variant.is_empty() => {
            call!(actions.list_actions(ListActionsRequest {
                package_name: orders()
            }))
        }
        "ListActions" => call!(actions.list_actions(ListActionsRequest {})),
        "GetAction" => {
            call!(actions.get_action(GetActionRequest {
                package_name: orders(),
                action_name: hello()
            }))
        }
        "PutAction" => actions.put_action(put_action(variant, vpc)).await.map(drop),
        "DeleteAction" => {
            call!(actions.delete_action(DeleteActionRequest {
                package_name: orders(),
                action_name: hello()
            }))
        }
        "Invoke" if variant.is_empty() => call!(invocations.invoke(InvokeRequest {
            package_name: orders(),
            action_name: hello(),
            arguments: Some(text(r#"{"name":"kim"}"#)),
            wait: long,
        })),
        "Invoke" => call!(invocations.invoke(InvokeRequest {
            action_name: hello(),
            wait: long
        })),
        "InvokeAsync" => call!(invocations.invoke_async(InvokeAsyncRequest {
            package_name: orders(),
            action_name: hello(),
            arguments: Some(text(r#"{"name":"kim"}"#)),
        })),
        "ListActivations" => call!(invocations.list_activations(ListActivationsRequest {
            package_name: if account { String::new() } else { orders() },
            action_name: if account { String::new() } else { hello() },
            page_size: 50,
            start_time: start,
            end_time: end,
        })),
        "GetActivation" => call!(invocations.get_activation(GetActivationRequest {
            package_name: orders(),
            action_name: hello(),
            activation_id: id(),
        })),
        "ListTriggers" => call!(triggers.list_triggers(ListTriggersRequest {})),
        "GetTrigger" => call!(triggers.get_trigger(GetTriggerRequest {
            trigger_name: nightly()
        })),
        "PutTrigger" => call!(triggers.put_trigger(PutTriggerRequest {
            trigger_name: nightly(),
            trigger: Some(Trigger {
                description: s("starts things"),
                parameters: Some(text(r#"{"job":"clean"}"#)),
                source: Some(source(variant)),
                ..Trigger::default()
            }),
        })),
        "DeleteTrigger" => call!(triggers.delete_trigger(DeleteTriggerRequest {
            trigger_name: nightly()
        })),
        "FireTrigger" => call!(triggers.fire_trigger(FireTriggerRequest {
            trigger_name: nightly(),
            arguments: Some(text(r#"{"job":"now"}"#)),
        })),
        "LinkAction" => call!(triggers.link_action(LinkActionRequest {
            trigger_name: nightly(),
            package_name: orders(),
            action_name: hello(),
        })),
        "UnlinkAction" => {
            call!(triggers.unlink_action(UnlinkActionRequest {
                trigger_name: nightly(),
                action_name: hello()
            }))
        }
        "ListTriggerActivations" => call!(triggers.list_trigger_activations(
            ListTriggerActivationsRequest {
                trigger_name: nightly(),
                page_size: 50,
                start_time: start,
                end_time: end,
            }
        )),
        "GetTriggerActivation" => call!(triggers.get_trigger_activation(
            GetTriggerActivationRequest {
                trigger_name: nightly(),
                activation_id: id(),
            }
        )),
        other => panic!("no operation {other}"),
    }
}
