//! Requests that break a documented rule: `INVALID_ARGUMENT`, every fault by its field path,
//! nothing sent.

use faas_sidecar::proto::*;
use prost::Message as _;
use prost_types::Duration;
use tonic::Code;

use crate::bad_actions::{action, change, millis};
use crate::support::bench::{Bench, hello, start, text, value};
use crate::support::details::bare;
use crate::support::refused::assert_refused;

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
            .invoke(InvokeRequest {
                arguments,
                ..hello()
            })
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
    [
        &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()][..],
        bytes,
    ]
    .concat()
}

#[tokio::test]
async fn arguments_beyond_one_mebibyte_are_refused() {
    let bench = Bench::new().await;
    let exact = format!("{{\"a\":\"{}\"}}", "x".repeat((1 << 20) - 8));
    let request = InvokeRequest {
        arguments: Some(text(&format!("{exact} "))),
        ..hello()
    };
    assert_refused(
        &bench,
        bench.invocations().invoke(request).await,
        &["arguments"],
    )
    .await;
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
async fn a_wait_that_is_negative_or_finer_than_a_millisecond_is_refused() {
    let bench = Bench::new().await;
    for wait in [
        Duration {
            seconds: -1,
            nanos: 0,
        },
        Duration {
            seconds: 0,
            nanos: 1,
        },
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
    assert_eq!(
        told.resource,
        Some(("target".to_owned(), "staging".to_owned()))
    );
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
