//! What an upstream says never reaches a URL or a caller as an id unless it is one, and an answer
//! about something else than what was asked for is not handed out.

use faas_sidecar::proto::InvokeRequest;
use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::{ID, perform};
use crate::support::answer::{content, fault, http};

const ODD: [&str; 7] = [
    "x/../../../../../triggers",
    "../packages",
    "a?b=c",
    "a b",
    "%2e%2e%2f",
    "",
    "a\\r\\nx: y",
];

fn two_seconds(cloud: Cloud) -> InvokeRequest {
    InvokeRequest {
        target: cloud.target(),
        wait: Some(prost_types::Duration {
            seconds: 2,
            nanos: 0,
        }),
        ..InvokeRequest::default()
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_neither_asked_for_nor_handed_out() {
    let clouds = Clouds::new().await;
    for id in ODD {
        for cloud in Cloud::ALL {
            let body = if cloud.is_ncp() {
                format!(r#"{{"content":{{"activationId":"{id}"}}}}"#)
            } else {
                format!(r#"{{"request_id":"{id}"}}"#)
            };
            clouds.answer(http(202, &body));
            let (told, requests) = clouds
                .requests_of(clouds.invoke_with(two_seconds(cloud)))
                .await;
            assert_eq!(told.unwrap_err().execution(), "unknown", "{cloud:?} {id:?}");
            assert_eq!(requests.len(), 1, "{cloud:?} {id:?}");
            for operation in ["InvokeAsync", "FireTrigger"] {
                if operation == "FireTrigger" && !cloud.is_ncp() {
                    continue;
                }
                let told = perform(&clouds, cloud, operation).await.unwrap_err();
                assert_eq!(
                    told.reason, "RESPONSE_NOT_UNDERSTOOD",
                    "{cloud:?} {operation} {id:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_outcome_of_a_run_counts_without_a_usable_id() {
    let clouds = Clouds::new().await;
    let body = r#"{"activationId":"x/../y","name":"hello","response":{"result":{},"status":"success","success":true}}"#;
    clouds.answer(content(body));
    let run = clouds.invoke(Cloud::Ncp21).await.unwrap();
    assert!(run.success && run.activation_id.is_empty(), "{run:?}");
    clouds.answer(
        http(200, r#"{"request_id":"x/../y","result":"1","status":200}"#)
            .header("X-Cff-Request-Id", "../../z")
            .header("X-Cff-Response-Version", "v1"),
    );
    let run = clouds.invoke(Cloud::FunctionGraph).await.unwrap();
    assert!(run.success && run.activation_id.is_empty(), "{run:?}");
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_handed_out() {
    let clouds = Clouds::new().await;
    let activation = |id: &str, name: &str| {
        format!(
            r#"{{"activationId":"{id}","name":"{name}","response":{{"result":{{}},"status":"success","success":true}}}}"#
        )
    };
    let other = ID.replace('0', "1");
    for cloud in [Cloud::Ncp21, Cloud::Ncp20] {
        for (operation, body) in [
            ("GetActivation", activation(&other, "hello")),
            ("GetActivation", activation(ID, "bye")),
            ("WatchActivation", activation(&other, "hello")),
            ("GetTriggerActivation", activation(&other, "nightly")),
            (
                "GetAction",
                r#"{"name":"bye","exec":{"kind":"nodejs:22"}}"#.to_owned(),
            ),
            ("PutAction", r#"{"name":"bye"}"#.to_owned()),
            ("GetPackage", r#"{"name":"other"}"#.to_owned()),
            ("GetTrigger", r#"{"name":"other"}"#.to_owned()),
        ] {
            clouds.answer(content(&body));
            let told = perform(&clouds, cloud, operation).await;
            let told = told
                .err()
                .unwrap_or_else(|| panic!("{cloud:?} {operation} {body}"));
            assert_eq!(
                (told.code, told.reason.as_str(), told.execution()),
                (Code::Internal, "ANSWER_OF_ANOTHER", "unknown"),
                "{cloud:?} {operation}"
            );
        }
    }
    for (operation, body) in [
        ("GetAction", r#"{"func_name":"bye","func_urn":"u"}"#),
        (
            "PublishActionVersion",
            r#"{"func_name":"hello","version":"2.0"}"#,
        ),
        ("PutActionAlias", r#"{"name":"other","version":"1.0"}"#),
    ] {
        clouds.answer(http(200, body));
        let told = perform(&clouds, Cloud::FunctionGraph, operation)
            .await
            .unwrap_err();
        assert_eq!(told.reason, "ANSWER_OF_ANOTHER", "{operation}");
    }
}

#[tokio::test]
async fn a_polled_record_of_another_run_is_not_the_result() {
    let clouds = Clouds::new().await;
    for cloud in [Cloud::Ncp21, Cloud::Ncp20] {
        clouds.answer_by(|request| {
            if request.method() == "POST" {
                return content(&format!(r#"{{"activationId":"{ID}"}}"#));
            }
            let other = ID.replace('0', "1");
            content(&format!(
                r#"{{"activationId":"{other}","name":"hello","response":{{"result":{{}},"status":"success","success":true}}}}"#
            ))
        });
        let run = clouds.invoke_with(two_seconds(cloud)).await.unwrap();
        assert!(
            !run.success && run.result.is_none() && run.activation_id == ID,
            "{run:?}"
        );
        assert!(run.status_text.contains("cannot be read"), "{run:?}");
    }
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_resource() {
    let clouds = Clouds::new().await;
    for (cloud, body, operations) in [
        (
            Cloud::Ncp21,
            r#"{"content":{}}"#,
            &["GetAction", "GetPackage", "GetTrigger", "GetActivation"][..],
        ),
        (
            Cloud::FunctionGraph,
            "{}",
            &[
                "GetAction",
                "PutAction",
                "PublishActionVersion",
                "PutActionAlias",
            ],
        ),
    ] {
        clouds.answer(http(200, body));
        for operation in operations {
            let told = perform(&clouds, cloud, operation).await.unwrap_err();
            assert_eq!(
                told.reason, "RESPONSE_NOT_UNDERSTOOD",
                "{cloud:?} {operation}"
            );
        }
    }
    // Not found stays what it was.
    clouds.answer(fault(404, "80322", "ACTION_ACTIVATION_NOT_FOUND"));
    assert_eq!(
        perform(&clouds, Cloud::Ncp21, "GetActivation")
            .await
            .unwrap_err()
            .code,
        Code::NotFound
    );
}

#[tokio::test]
async fn an_id_in_a_list_is_handed_out_only_if_it_is_one() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        let body = if cloud.is_ncp() {
            r#"{"content":{"activations":[{"activationId":"../../triggers","name":"hello"}],"totalCount":1}}"#
        } else {
            r#"{"invocations":[{"request_id":"../../x","status":"SUCCESS"}],"count":1}"#
        };
        clouds.answer(http(200, body));
        let told = perform(&clouds, cloud, "ListActivations").await.unwrap();
        assert!(!told.contains("../.."), "{cloud:?}: {told}");
    }
}
