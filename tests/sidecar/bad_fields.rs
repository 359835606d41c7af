//! Requests that break a documented rule: INVALID_ARGUMENT, every fault by its field path, nothing sent.

use faas_sidecar::proto::exec::Code as ExecCode;
use faas_sidecar::proto::*;
use prost::Message as _;
use prost_types::Duration;
use tonic::{Code, Status};

use crate::support::bench::{Bench, hello, start, text, value};
use crate::support::details::{Told, bare, told};

/// A refused request: these faults and no others, before a byte left, and the sidecar is well afterwards.
async fn assert_refused<T: std::fmt::Debug>(
    bench: &Bench,
    answer: Result<T, Status>,
    fields: &[&str],
) -> Told {
    let told = told(&answer.unwrap_err());
    told.assert(Code::InvalidArgument, "INVALID_FIELDS", "not_started", "sidecar");
    assert_eq!(told.fields, fields, "{}", told.message);
    assert_eq!(
        (told.attempts, told.pushback, told.retry_after),
        (Some(0), Some(-1), None)
    );
    assert!(bench.upstream.received().is_empty(), "something was sent");
    told
}

fn action() -> Action {
    Action {
        exec: Some(Exec {
            runtime: "nodejs:22".to_owned(),
            main: "main".to_owned(),
            code: Some(ExecCode::Source("function main() {}".to_owned())),
            components: Vec::new(),
        }),
        limits: Some(Limits {
            timeout: Some(millis(60_000)),
            memory_mb: 256,
        }),
        vpc: vec![Vpc {
            vpc_no: 1001,
            subnet_no: 2002,
        }],
        ..Action::default()
    }
}

fn millis(millis: i64) -> Duration {
    Duration {
        seconds: millis / 1000,
        nanos: i32::try_from(millis % 1000).unwrap() * 1_000_000,
    }
}

fn put(action: Action) -> PutActionRequest {
    PutActionRequest {
        action_name: "hello".to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    }
}

fn change(with: impl FnOnce(&mut Action)) -> PutActionRequest {
    let mut action = action();
    with(&mut action);
    put(action)
}

#[tokio::test]
async fn malformed_names_are_refused_wherever_a_name_stands() {
    let bench = Bench::new().await;
    let long = "n".repeat(51);
    for name in [
        "", "-a", "a/b", "..", ".", "함수", "a b", "a%2Fb", "a?b", "a#b", "a\nb", &long,
    ] {
        let name = || name.to_owned();
        let (mut packages, mut actions) = (bench.packages(), bench.actions());
        let (mut invocations, mut triggers) = (bench.invocations(), bench.triggers());
        let answer = packages
            .get_package(GetPackageRequest {
                package_name: name(),
                ..Default::default()
            })
            .await;
        assert_refused(&bench, answer, &["package_name"]).await;
        let answer = packages
            .delete_package(DeletePackageRequest {
                package_name: name(),
                ..Default::default()
            })
            .await;
        assert_refused(&bench, answer, &["package_name"]).await;
        let answer = actions
            .get_action(GetActionRequest {
                action_name: name(),
                ..Default::default()
            })
            .await;
        assert_refused(&bench, answer, &["action_name"]).await;
        let request = PutActionRequest {
            action_name: name(),
            action: Some(action()),
            ..Default::default()
        };
        assert_refused(&bench, actions.put_action(request).await, &["action_name"]).await;
        let answer = invocations
            .invoke(InvokeRequest {
                action_name: name(),
                ..Default::default()
            })
            .await;
        assert_refused(&bench, answer, &["action_name"]).await;
        let answer = triggers
            .fire_trigger(FireTriggerRequest {
                trigger_name: name(),
                ..Default::default()
            })
            .await;
        assert_refused(&bench, answer, &["trigger_name"]).await;
    }
    for id in ["", "../x", "a b", "id?", "%2e", &"0".repeat(129)] {
        let request = GetActivationRequest {
            action_name: "hello".to_owned(),
            activation_id: id.to_owned(),
            ..Default::default()
        };
        assert_refused(
            &bench,
            bench.invocations().get_activation(request).await,
            &["activation_id"],
        )
        .await;
    }
    bench.assert_healthy().await;
}

#[tokio::test]
async fn no_package_is_a_place_for_actions_and_no_package_itself() {
    let bench = Bench::new().await;
    for name in ["", "-"] {
        let request = PutPackageRequest {
            package_name: name.to_owned(),
            ..Default::default()
        };
        assert_refused(
            &bench,
            bench.packages().put_package(request).await,
            &["package_name"],
        )
        .await;
    }
}

#[tokio::test]
async fn all_faults_of_a_request_come_back_together() {
    let bench = Bench::new().await;
    let request = PutActionRequest {
        platform: 9,
        package_name: "a/b".to_owned(),
        action_name: "-x".to_owned(),
        result_encoding: 7,
        action: Some(Action {
            description: "x".repeat(3001),
            parameters: Some(text("[1]")),
            exec: Some(Exec {
                components: vec!["-/a".to_owned()],
                ..Exec::default()
            }),
            limits: Some(Limits {
                timeout: Some(millis(499)),
                memory_mb: 300,
            }),
            raw_http: true,
            custom_options: true,
            ..Action::default()
        }),
        ..PutActionRequest::default()
    };
    let expected = [
        "action.custom_options",
        "action.description",
        "action.exec.code",
        "action.exec.components",
        "action.exec.main",
        "action.exec.runtime",
        "action.limits.memory_mb",
        "action.limits.timeout",
        "action.parameters",
        "action.raw_http",
        "action.vpc",
        "action_name",
        "package_name",
        "platform",
        "result_encoding",
    ];
    let told = assert_refused(&bench, bench.actions().put_action(request).await, &expected).await;
    assert!(
        told.message.starts_with("15 fields are wrong"),
        "{}",
        told.message
    );
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_description_is_measured_in_bytes_and_not_in_characters() {
    let bench = Bench::new().await;
    // 1001 characters of three bytes each.
    let description = "함".repeat(1001);
    let request = PutPackageRequest {
        package_name: "p".to_owned(),
        description: description.clone(),
        ..PutPackageRequest::default()
    };
    let told = assert_refused(
        &bench,
        bench.packages().put_package(request).await,
        &["description"],
    )
    .await;
    assert!(told.message.contains("3003 bytes"), "{}", told.message);
    let answer = bench
        .actions()
        .put_action(change(|action| action.description.clone_from(&description)))
        .await;
    assert_refused(&bench, answer, &["action.description"]).await;
    let trigger = Trigger {
        description,
        source: Some(trigger::Source::Cron(CronSource {
            cron_option: "0 3 * * *".to_owned(),
        })),
        ..Trigger::default()
    };
    let request = PutTriggerRequest {
        trigger_name: "t".to_owned(),
        trigger: Some(trigger),
        ..Default::default()
    };
    assert_refused(
        &bench,
        bench.triggers().put_trigger(request).await,
        &["trigger.description"],
    )
    .await;
}

#[tokio::test]
async fn a_time_limit_outside_500_to_300000_whole_milliseconds_is_refused() {
    let bench = Bench::new().await;
    let odd = Duration { seconds: 1, nanos: 1 };
    let negative = Duration {
        seconds: -1,
        nanos: 0,
    };
    for timeout in [millis(499), millis(300_001), millis(0), odd, negative] {
        let request = change(|action| {
            action.limits = Some(Limits {
                timeout: Some(timeout),
                memory_mb: 256,
            })
        });
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.limits.timeout"],
        )
        .await;
    }
    let answer = bench
        .actions()
        .put_action(change(|action| action.limits = None))
        .await;
    assert_refused(&bench, answer, &["action.limits"]).await;
}

#[tokio::test]
async fn memory_other_than_the_four_sizes_is_refused() {
    let bench = Bench::new().await;
    for memory_mb in [300, 0, -128, 127, 2048] {
        let request = change(|action| {
            action.limits = Some(Limits {
                timeout: Some(millis(500)),
                memory_mb,
            })
        });
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.limits.memory_mb"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_vpc_is_required_on_vpc_and_refused_on_classic() {
    let bench = Bench::new().await;
    let answer = bench
        .actions()
        .put_action(change(|action| action.vpc.clear()))
        .await;
    assert_refused(&bench, answer, &["action.vpc"]).await;
    let request = PutActionRequest {
        platform: Platform::Classic.into(),
        ..put(action())
    };
    assert_refused(&bench, bench.actions().put_action(request).await, &["action.vpc"]).await;
    let request = change(|action| {
        action.vpc = vec![Vpc {
            vpc_no: 0,
            subnet_no: -1,
        }]
    });
    let fields = ["action.vpc[0].subnet_no", "action.vpc[0].vpc_no"];
    assert_refused(&bench, bench.actions().put_action(request).await, &fields).await;
}

#[tokio::test]
async fn web_flags_belong_to_web_actions() {
    let bench = Bench::new().await;
    for kind in [ActionType::Unspecified, ActionType::Basic] {
        let request = change(|action| {
            action.r#type = kind.into();
            action.raw_http = true;
        });
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.raw_http"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_sequence_has_components_and_no_limits_code_or_vpc_of_its_own() {
    let bench = Bench::new().await;
    let request = change(|action| {
        action.r#type = ActionType::Sequence.into();
        action.exec.as_mut().unwrap().components = vec!["a".to_owned(), "/b".to_owned(), "p/".to_owned()];
    });
    let fields = [
        "action.exec.code",
        "action.exec.components[0]",
        "action.exec.components[1]",
        "action.exec.components[2]",
        "action.exec.main",
        "action.exec.runtime",
        "action.limits",
        "action.vpc",
    ];
    assert_refused(&bench, bench.actions().put_action(request).await, &fields).await;
    let empty = put(Action {
        r#type: ActionType::SequenceWeb.into(),
        ..Action::default()
    });
    assert_refused(
        &bench,
        bench.actions().put_action(empty).await,
        &["action.exec.components"],
    )
    .await;
}

#[tokio::test]
async fn arguments_that_are_not_a_json_object_are_refused() {
    let bench = Bench::new().await;
    for (arguments, field) in [
        (text("[1,2]"), "arguments"),
        (text("null"), "arguments"),
        (text("\"{}\""), "arguments"),
        (value("[1]"), "arguments"),
        (value("null"), "arguments"),
        (text(""), "arguments.text"),
        (text("{\"a\":}"), "arguments.text"),
        (text("{} {}"), "arguments.text"),
        (text("{'a':1}"), "arguments.text"),
    ] {
        let request = InvokeRequest {
            arguments: Some(arguments),
            ..hello()
        };
        assert_refused(&bench, bench.invocations().invoke(request).await, &[field]).await;
    }
    let request = PutPackageRequest {
        package_name: "p".to_owned(),
        parameters: Some(value("7")),
        ..PutPackageRequest::default()
    };
    assert_refused(
        &bench,
        bench.packages().put_package(request).await,
        &["parameters"],
    )
    .await;
}

#[tokio::test]
async fn nan_and_infinity_in_a_value_are_named_by_their_path() {
    let bench = Bench::new().await;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        // {"items": [1, {"price": <number>}]} as protobuf, since no JSON text can say it.
        let price = object("price", &number_value(number));
        let list = [field(1, &number_value(1.0)), field(1, &price)].concat();
        let value = object("items", &field(6, &list));
        let value = faas_sidecar::json::Value::decode(value.as_slice()).unwrap();
        let arguments = Some(Json {
            encoding: Some(json::Encoding::Value(value)),
        });
        let answer = bench
            .invocations()
            .invoke(InvokeRequest { arguments, ..hello() })
            .await;
        let told = assert_refused(&bench, answer, &["arguments.value.items[1].price"]).await;
        assert!(told.message.contains("NaN or infinite"), "{}", told.message);
    }
    bench.assert_healthy().await;
}

/// `google.protobuf.Value` bytes: a number.
fn number_value(number: f64) -> Vec<u8> {
    [&[0x11][..], &number.to_le_bytes()].concat()
}

/// `google.protobuf.Value` bytes: a struct with one field.
fn object(key: &str, value: &[u8]) -> Vec<u8> {
    let entry = [field(1, key.as_bytes()), field(2, value)].concat();
    field(5, &field(1, &entry))
}

/// A short length-delimited protobuf field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

#[tokio::test]
async fn code_beyond_38_mb_as_sent_is_refused() {
    let bench = Bench::new().await;
    let request = change(|action| {
        action.exec.as_mut().unwrap().code = Some(ExecCode::Archive(vec![7; 50 << 20].into()));
    });
    let told = assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.exec.archive"],
    )
    .await;
    assert!(told.message.contains("38 MB"), "{}", told.message);
    let request = change(|action| {
        action.exec.as_mut().unwrap().code = Some(ExecCode::Source("x".repeat(50 << 20)));
    });
    assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.exec.source"],
    )
    .await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn arguments_beyond_one_mebibyte_are_refused() {
    let bench = Bench::new().await;
    let exact = format!("{{\"a\":\"{}\"}}", "x".repeat((1 << 20) - 8));
    let request = InvokeRequest {
        arguments: Some(text(&format!("{exact} "))),
        ..hello()
    };
    assert_refused(&bench, bench.invocations().invoke(request).await, &["arguments"]).await;
    bench.upstream.push(crate::support::bench::success("{}"));
    bench
        .invoke(InvokeRequest {
            arguments: Some(text(&exact)),
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(bench.upstream.only().body.len(), 1 << 20);
}

#[tokio::test]
async fn what_belongs_to_the_other_cloud_is_refused() {
    let bench = Bench::new().await;
    let request = InvokeRequest {
        version: "latest".to_owned(),
        memory_mb: 128,
        ..hello()
    };
    assert_refused(
        &bench,
        bench.invocations().invoke(request).await,
        &["memory_mb", "version"],
    )
    .await;
    let request = change(|action| action.function_graph = Some(FunctionGraphAction::default()));
    assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.function_graph"],
    )
    .await;
}

#[tokio::test]
async fn an_image_needs_its_runtime_and_compiled_runtimes_need_an_archive() {
    let bench = Bench::new().await;
    let image = |exec: &mut Exec| exec.code = Some(ExecCode::ImageUri("registry/image:1".to_owned()));
    let request = change(|action| image(action.exec.as_mut().unwrap()));
    assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.exec.image_uri"],
    )
    .await;
    for runtime in ["java", "java:21", "dotnet:2.2"] {
        let request = change(|action| action.exec.as_mut().unwrap().runtime = runtime.to_owned());
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.exec.source"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_wait_that_is_negative_or_finer_than_a_millisecond_is_refused() {
    let bench = Bench::new().await;
    for wait in [
        Duration {
            seconds: -1,
            nanos: 0,
        },
        Duration { seconds: 0, nanos: 1 },
    ] {
        let answer = bench
            .invocations()
            .invoke(InvokeRequest {
                wait: Some(wait),
                ..hello()
            })
            .await;
        assert_refused(&bench, answer, &["wait"]).await;
    }
}

#[tokio::test]
async fn platforms_and_trigger_types_that_a_place_has_not_are_refused() {
    for (place, platform) in [
        ("site: gov", Platform::Vpc),
        ("site: fin", Platform::Classic),
        ("region: sg", Platform::Classic),
        ("region: jp", Platform::Classic),
    ] {
        let bench = Bench::site(place).await;
        let request = ListPackagesRequest {
            platform: platform.into(),
            ..Default::default()
        };
        assert_refused(
            &bench,
            bench.packages().list_packages(request).await,
            &["platform"],
        )
        .await;
    }
    let secret = trigger::Source::SecretManager(SecretManagerSource {
        secret_manager_link: vec![SecretManagerLink {
            secret_name: "s".to_owned(),
        }],
    });
    let commit = trigger::Source::SourceCommit(SourceCommitSource {
        source_commit_link: vec![SourceCommitLink {
            repository_name: "r".to_owned(),
            webhook_name: "w".to_owned(),
            enable: None,
        }],
    });
    for (place, source, field) in [
        ("api_version: \"2.0\"", secret.clone(), "trigger.secret_manager"),
        ("region: sg", commit, "trigger.source_commit"),
    ] {
        let bench = Bench::site(place).await;
        let trigger = Some(Trigger {
            source: Some(source),
            ..Trigger::default()
        });
        let request = PutTriggerRequest {
            trigger_name: "t".to_owned(),
            trigger,
            ..Default::default()
        };
        assert_refused(&bench, bench.triggers().put_trigger(request).await, &[field]).await;
    }
    let bench = Bench::site("site: gov").await;
    let trigger = Some(Trigger {
        source: Some(secret),
        ..Trigger::default()
    });
    let request = PutTriggerRequest {
        trigger_name: "t".to_owned(),
        trigger,
        ..Default::default()
    };
    let told = told(&bench.triggers().put_trigger(request).await.unwrap_err());
    assert!(told.fields.contains(&"trigger.secret_manager".to_owned()));
}

#[tokio::test]
async fn every_trigger_type_names_its_missing_fields() {
    let bench = Bench::new().await;
    let at = |path: &str, names: &[&str]| {
        names
            .iter()
            .map(|name| format!("trigger.{path}{name}"))
            .collect::<Vec<_>>()
    };
    let insight = InsightLink {
        reminder_time: Some(millis(240_000)),
        ..InsightLink::default()
    };
    for (source, fields) in [
        (None, at("", &["source"])),
        (
            Some(trigger::Source::Cron(CronSource {
                cron_option: "* * * *".to_owned(),
            })),
            at("cron.", &["cron_option"]),
        ),
        (
            Some(trigger::Source::Github(GithubSource {
                link: Some(ApiGatewayLink::default()),
                ..GithubSource::default()
            })),
            at(
                "github.",
                &[
                    "access_token",
                    "events",
                    "link.api_name",
                    "link.product_name",
                    "link.stage_name",
                    "repository",
                    "username",
                ],
            ),
        ),
        (
            Some(trigger::Source::Insight(InsightSource {
                insight_link: vec![insight],
            })),
            at(
                "insight.insight_link[0].",
                &["prod_key", "reminder_time", "rule_grp_id"],
            ),
        ),
        (
            Some(trigger::Source::ObjectStorage(ObjectStorageSource::default())),
            at("object_storage.", &["object_storage_link"]),
        ),
        (
            Some(trigger::Source::SourceCommit(SourceCommitSource {
                source_commit_link: vec![SourceCommitLink::default()],
            })),
            at(
                "source_commit.source_commit_link[0].",
                &["repository_name", "webhook_name"],
            ),
        ),
        (
            Some(trigger::Source::SecretManager(SecretManagerSource {
                secret_manager_link: vec![SecretManagerLink::default()],
            })),
            at("secret_manager.secret_manager_link[0].", &["secret_name"]),
        ),
    ] {
        let trigger = Some(Trigger {
            source,
            ..Trigger::default()
        });
        let request = PutTriggerRequest {
            trigger_name: "t".to_owned(),
            trigger,
            ..Default::default()
        };
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert_refused(&bench, bench.triggers().put_trigger(request).await, &fields).await;
    }
}

#[tokio::test]
async fn an_unknown_target_is_not_found_and_named() {
    let bench = Bench::new().await;
    let request = ListPackagesRequest {
        target: "staging".to_owned(),
        ..Default::default()
    };
    let told = bare(&bench.packages().list_packages(request).await.unwrap_err());
    told.assert(Code::NotFound, "TARGET_NOT_FOUND", "not_started", "sidecar");
    assert!(
        told.message.contains("main") && told.message.contains("staging"),
        "{}",
        told.message
    );
    assert_eq!(told.metadata["target"], "staging");
    assert_eq!(told.resource, Some(("target".to_owned(), "staging".to_owned())));
    assert_eq!((told.attempts, told.pushback), (Some(0), Some(-1)));
    assert!(bench.upstream.received().is_empty());
    bench.assert_healthy().await;
}

#[tokio::test]
async fn without_a_default_target_a_request_must_name_one() {
    let settings = "listen: \"127.0.0.1:0\"\ndefault_target: b\ntargets:\n  a: {provider: ncp}\n  b: {provider: ncp, base_url: \"http://127.0.0.1:9\"}\n";
    let sidecar = start(settings, &crate::support::bench::keys());
    let channel = crate::support::bench::connect(&sidecar);
    let mut packages = package_service_client::PackageServiceClient::new(channel);
    let request = ListPackagesRequest::default();
    let told = bare(&packages.list_packages(request).await.unwrap_err());
    assert_eq!(
        (told.code, told.metadata["target"].as_str()),
        (Code::Unavailable, "b")
    );
}
