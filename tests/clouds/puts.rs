//! Puts and deletes that somebody else, or an attempt of their own, came before; and operations
//! that are not to be had.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use faas_sidecar::proto::*;
use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::{self, perform};
use crate::support::answer::{Answer, Http, Step, content, fault, html, http, no_content, steps};
use crate::support::details::bare;

/// Answers requests one after the other, each of which must be as told: method and end of the path.
fn script<const N: usize>(
    clouds: &Clouds,
    expected: [(&'static str, &'static str, Http); N],
) -> Arc<Mutex<Vec<String>>> {
    let left = Mutex::new(VecDeque::from(expected));
    let odd = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&odd);
    clouds.answer_by(move |request| {
        let (method, target) = (request.method(), request.target());
        let path = target.split('?').next().unwrap();
        match left.lock().unwrap().pop_front() {
            Some((wanted, end, answer)) if method == wanted && path.ends_with(end) => answer,
            other => {
                let wanted = other.map(|(method, end, _)| (method, end));
                seen.lock()
                    .unwrap()
                    .push(format!("{method} {path} instead of {wanted:?}"));
                http(400, "{}")
            }
        }
    });
    odd
}

fn fss(status: u16, code: &str) -> Http {
    http(
        status,
        &format!(r#"{{"error_code":"{code}","error_msg":"x"}}"#),
    )
}

const CONFIG: &str = "hello/config";

#[tokio::test]
async fn a_function_that_somebody_else_creates_in_between_is_updated() {
    let clouds = Clouds::new().await;
    let function = || http(200, r#"{"func_name":"hello","runtime":"Node.js18.15"}"#);
    let odd = script(
        &clouds,
        [
            ("GET", CONFIG, fss(404, "FSS.1051")),
            ("POST", "/fgs/functions", fss(409, "FSS.1061")),
            // It is not visible at once.
            ("GET", CONFIG, fss(404, "FSS.1051")),
            ("GET", CONFIG, function()),
            ("PUT", CONFIG, function()),
            ("PUT", "hello/code", function()),
        ],
    );
    perform(&clouds, Cloud::FunctionGraph, "PutAction")
        .await
        .unwrap();
    assert!(odd.lock().unwrap().is_empty(), "{odd:?}");
    assert_eq!(clouds.upstream.received().len(), 6);
}

#[tokio::test]
async fn a_function_that_somebody_else_deletes_in_between_is_created() {
    let clouds = Clouds::new().await;
    let function = || http(200, r#"{"func_name":"hello","runtime":"Node.js18.15"}"#);
    let odd = script(
        &clouds,
        [
            ("GET", CONFIG, function()),
            ("PUT", CONFIG, fss(404, "FSS.1051")),
            ("POST", "/fgs/functions", function()),
        ],
    );
    perform(&clouds, Cloud::FunctionGraph, "PutAction")
        .await
        .unwrap();
    assert!(odd.lock().unwrap().is_empty(), "{odd:?}");
}

#[tokio::test]
async fn a_new_function_gets_its_settings_as_soon_as_the_cloud_sees_it() {
    let clouds = Clouds::new().await;
    let function = || http(200, r#"{"func_name":"hello","runtime":"Node.js18.15"}"#);
    let odd = script(
        &clouds,
        [
            ("GET", CONFIG, fss(404, "FSS.1051")),
            ("POST", "/fgs/functions", function()),
            ("PUT", CONFIG, fss(404, "FSS.1051")),
            ("PUT", CONFIG, fss(404, "FSS.0404")),
            ("PUT", CONFIG, function()),
        ],
    );
    let mut action = operations::action(Cloud::FunctionGraph);
    action.function_graph = Some(FunctionGraphAction {
        ephemeral_storage_mb: 512,
        ..FunctionGraphAction::default()
    });
    let request = PutActionRequest {
        target: Cloud::FunctionGraph.target(),
        action_name: "hello".to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    };
    clouds.actions().put_action(request).await.unwrap();
    assert!(odd.lock().unwrap().is_empty(), "{odd:?}");
}

#[tokio::test]
async fn a_name_that_is_taken_and_never_seen_stays_taken() {
    let clouds = Clouds::new().await;
    clouds.answer_by(|request| match request.method() {
        "POST" => fss(409, "FSS.1061"),
        _ => fss(404, "FSS.1051"),
    });
    let mut request = tonic::Request::new(PutActionRequest {
        target: Cloud::FunctionGraph.target(),
        action_name: "hello".to_owned(),
        action: Some(operations::action(Cloud::FunctionGraph)),
        ..PutActionRequest::default()
    });
    request.set_timeout(std::time::Duration::from_secs(2));
    let told = bare(&clouds.actions().put_action(request).await.unwrap_err());
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::AlreadyExists, "FUNCTION_EXISTS")
    );
    assert_eq!(told.execution(), "not_started");
}

#[tokio::test]
async fn an_alias_that_somebody_else_creates_in_between_is_updated() {
    let clouds = Clouds::new().await;
    let alias = || http(200, r#"{"name":"prod","version":"1.0"}"#);
    let odd = script(
        &clouds,
        [
            ("PUT", "/aliases/prod", fss(404, "FSS.1053")),
            ("POST", "/aliases", fss(409, "FSS.1063")),
            ("PUT", "/aliases/prod", alias()),
        ],
    );
    perform(&clouds, Cloud::FunctionGraph, "PutActionAlias")
        .await
        .unwrap();
    assert!(odd.lock().unwrap().is_empty(), "{odd:?}");
    // Another alias of the version is no such case.
    script(
        &clouds,
        [
            ("PUT", "/aliases/prod", fss(404, "FSS.1053")),
            ("POST", "/aliases", fss(409, "FSS.1066")),
        ],
    );
    let told = perform(&clouds, Cloud::FunctionGraph, "PutActionAlias")
        .await
        .unwrap_err();
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::AlreadyExists, "VERSION_HAS_ALIAS")
    );
}

#[tokio::test]
async fn a_put_that_meets_another_put_of_the_same_resource_is_put_again() {
    let clouds = Clouds::new().await;
    let whisk = || {
        http(
            409,
            r#"{"code":"tid","error":"Concurrent modification to resource detected"}"#,
        )
    };
    for cloud in [Cloud::Ncp21, Cloud::Ncp20] {
        for (operation, end) in [
            ("PutPackage", "/packages/orders"),
            ("PutAction", "/actions/hello"),
            ("PutTrigger", "/triggers/nightly"),
        ] {
            for conflict in [fault(409, "80011", "RESOURCE_NAME_CONFLICT"), whisk()] {
                let name = end.rsplit('/').next().unwrap_or_default();
                let named = content(&format!(r#"{{"name":"{name}"}}"#));
                let odd = script(
                    &clouds,
                    [
                        ("PUT", end, conflict),
                        ("GET", end, named.clone()),
                        ("PUT", end, named),
                    ],
                );
                perform(&clouds, cloud, operation).await.unwrap();
                assert!(
                    odd.lock().unwrap().is_empty(),
                    "{cloud:?} {operation}: {odd:?}"
                );
            }
            // The name belongs to something of another kind.
            let odd = script(
                &clouds,
                [
                    ("PUT", end, fault(409, "80011", "RESOURCE_NAME_CONFLICT")),
                    ("GET", end, fault(404, "80301", "ACTION_NOT_FOUND")),
                ],
            );
            let told = perform(&clouds, cloud, operation).await.unwrap_err();
            assert_eq!(
                told.code,
                Code::AlreadyExists,
                "{cloud:?} {operation}: {told:?}"
            );
            assert!(
                odd.lock().unwrap().is_empty(),
                "{cloud:?} {operation}: {odd:?}"
            );
        }
    }
}

/// What each cloud says of a thing that is gone.
fn gone(cloud: Cloud, operation: &str) -> Http {
    match (cloud.is_ncp(), operation) {
        (true, "DeletePackage") => fault(404, "80101", "PACKAGE_NOT_FOUND"),
        (true, "DeleteAction") => fault(404, "80301", "ACTION_NOT_FOUND"),
        (true, _) => fault(404, "80501", "TRIGGER_NOT_FOUND"),
        (false, "DeleteActionAlias") => fss(401, "FSS.1053"),
        (false, "DeleteAsyncInvokeConfig") => fss(404, "FSS.0404"),
        (false, _) => fss(404, "FSS.1051"),
    }
}

#[tokio::test]
async fn a_delete_whose_first_attempt_was_lost_is_done_when_the_second_finds_nothing() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        let deletes: &[&str] = if cloud.is_ncp() {
            &[
                "DeletePackage",
                "DeleteAction",
                "DeleteTrigger",
                "UnlinkAction",
            ]
        } else {
            &[
                "DeleteAction",
                "DeleteActionAlias",
                "DeleteAsyncInvokeConfig",
            ]
        };
        for operation in deletes {
            let operation = *operation;
            let lost_then = |answer: Http| {
                let attempts = AtomicUsize::new(0);
                clouds.answer_by(move |_| -> Answer {
                    match attempts.fetch_add(1, Ordering::SeqCst) {
                        0 => steps([Step::Close]),
                        _ => answer.clone().into(),
                    }
                });
            };
            for answer in [gone(cloud, operation), no_content()] {
                lost_then(answer);
                let (done, requests) = clouds.requests_of(perform(&clouds, cloud, operation)).await;
                done.unwrap_or_else(|told| panic!("{cloud:?} {operation}: {told:?}"));
                assert_eq!(requests.len(), 2, "{cloud:?} {operation}");
            }
            // A page proves nothing, and a first answer is what it says.
            lost_then(html(404));
            let told = perform(&clouds, cloud, operation).await.unwrap_err();
            assert_eq!(
                told.execution(),
                "unknown",
                "{cloud:?} {operation}: {told:?}"
            );
            clouds.answer(gone(cloud, operation));
            let told = perform(&clouds, cloud, operation).await.unwrap_err();
            assert_eq!(
                (told.code, told.execution()),
                (Code::NotFound, "not_started"),
                "{cloud:?} {operation}: {told:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_operation_that_is_not_to_be_had_says_whose_it_is() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for operation in operations::ALL
            .iter()
            .filter(|operation| !operation.is_on(cloud))
        {
            // Reads of the functions' labels on functiongraph.
            if matches!(operation.name, "PutPackage" | "DeletePackage") {
                continue;
            }
            let (told, requests) = clouds
                .requests_of(perform(&clouds, cloud, operation.name))
                .await;
            let told = told.unwrap_err();
            assert_eq!(
                (told.code, told.reason.as_str(), requests.len()),
                (Code::Unimplemented, "OPERATION_NOT_SUPPORTED", 0)
            );
            let in_the_cloud = match operation.name {
                "ListTriggers" | "GetTrigger" | "PutTrigger" | "DeleteTrigger" => !cloud.is_ncp(),
                "PublishActionVersion" | "ListActionVersions" => cloud.is_ncp(),
                _ => false,
            };
            let words = if in_the_cloud {
                format!("The sidecar does not offer {}", operation.name)
            } else {
                format!("The cloud has no operation {}:", operation.name)
            };
            assert!(
                told.message.starts_with(&words),
                "{cloud:?}: {}",
                told.message
            );
        }
    }
}
