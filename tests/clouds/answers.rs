//! What proves a run, and what does not.

use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::{Does, ID, of, perform};
use crate::support::answer::{Http, http};
use crate::support::bench::{shown, success};
pub use crate::support::cloud::ran;
use crate::support::details::Told;

#[tokio::test]
async fn a_good_run_is_told_alike_by_every_cloud() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        clouds.answer_by(move |request| {
            assert_eq!(request.method(), "POST");
            ran(cloud, r#"{"n":1}"#)
        });
        let (run, requests) = clouds.requests_of(clouds.invoke(cloud)).await;
        let run = run.unwrap();
        assert!(run.success, "{cloud:?}: {run:?}");
        assert_eq!(
            (shown(&run.result).as_str(), run.activation_id.as_str()),
            (r#"{"n":1}"#, ID)
        );
        assert_eq!(requests.len(), 1, "{cloud:?}");
    }
}

/// An answer of FunctionGraph that names its run and no version.
fn bare(kind: &str, body: &[u8]) -> Http {
    http(200, "")
        .header("Content-Type", kind)
        .header("X-Cff-Request-Id", ID)
        .body(body)
}

/// The same in version v1.
fn v1(body: &[u8]) -> Http {
    bare("application/json", body).header("X-Cff-Response-Version", "v1")
}

#[tokio::test]
async fn every_request_asks_for_a_body_in_no_coding() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        clouds.answer(ran(cloud, "1"));
        for operation in of(cloud) {
            let (_, requests) = clouds
                .requests_of(perform(&clouds, cloud, operation.name))
                .await;
            for request in requests {
                let asked = request.header("accept-encoding");
                assert_eq!(asked, Some("identity"), "{cloud:?} {operation:?}");
            }
        }
    }
}

/// Fails unless the answer was refused for its coding.
fn assert_coding_refused(told: Result<String, Told>, coding: &str, execution: &str, what: &str) {
    let told = told.err().unwrap_or_else(|| panic!("{what}"));
    assert_eq!(
        (told.reason.as_str(), told.execution()),
        ("RESPONSE_NOT_UNDERSTOOD", execution),
        "{what}"
    );
    let named = coding.rsplit(' ').next().unwrap();
    assert!(told.message.contains(named), "{what}: {}", told.message);
}

#[tokio::test]
async fn an_answer_in_a_coding_is_refused_by_every_operation() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        // What would be a good answer without the coding, and what is packed indeed.
        let good = ran(cloud, r#"{"n":1}"#);
        let packed = good
            .clone()
            .body(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03");
        for operation in of(cloud) {
            // A watch looks again and again; once shows that it ends.
            let watched = operation.name == "WatchActivation";
            for (status, coding, execution) in [
                (200, "gzip", "unknown"),
                (200, "br", "unknown"),
                (200, "deflate", "unknown"),
                (200, "zstd", "unknown"),
                (200, "x-unheard-of", "unknown"),
                (200, "identity, gzip", "unknown"),
                (202, "br", "unknown"),
                (207, "compress", "unknown"),
                (404, "gzip", "not_started"),
                (500, "zstd", "unknown"),
            ] {
                if watched && (status, coding) != (200, "gzip") {
                    continue;
                }
                // A put looks first, and nothing is changed when that fails.
                let looks_first = cloud == Cloud::FunctionGraph && operation.name == "PutAction";
                let execution = if looks_first {
                    "not_started"
                } else {
                    execution
                };
                for body in [&good, &packed] {
                    clouds.answer(
                        body.clone()
                            .status(status)
                            .header("Content-Encoding", coding),
                    );
                    let told = perform(&clouds, cloud, operation.name).await;
                    let what = format!("{cloud:?} {operation:?} {status} {coding}");
                    assert_coding_refused(told, coding, execution, &what);
                }
            }
        }
    }
    // The change itself, after a look that was well.
    clouds.answer_by(|request| {
        let good = http(200, r#"{"func_name":"hello","func_urn":"u"}"#);
        match request.method() {
            "GET" => good,
            _ => good.header("Content-Encoding", "br"),
        }
    });
    let told = perform(&clouds, Cloud::FunctionGraph, "PutAction").await;
    assert_coding_refused(told, "br", "unknown", "PutAction");
    // No coding by name is none.
    for cloud in Cloud::ALL {
        clouds.answer(ran(cloud, "1").header("Content-Encoding", "identity"));
        assert!(clouds.invoke(cloud).await.unwrap().success, "{cloud:?}");
    }
}

#[tokio::test]
async fn what_proves_no_run_is_unknown_and_no_success() {
    let clouds = Clouds::new().await;
    let plain = |kind: &str, body: &str| http(200, body).header("Content-Type", kind);
    for answer in [
        http(204, "").without("Content-Type").body(b""),
        http(200, ""),
        http(202, "{}"),
        plain("text/plain", "<!DOCTYPE html><title>login"),
        plain("text/plain", "hello"),
        plain("text/html", "<html>"),
        plain("application/octet-stream", "1"),
        http(200, "1"),
        http(200, "null"),
        http(200, "[]"),
        http(200, r#"{"ok":true}"#),
        http(200, r#"{"result":"created","status":200}"#),
        http(200, r#"{"request_id":"r","result":"{\"a\":"#),
        http(200, r#"{"content":{"activationId":"#),
        http(200, "").body(b"{\"a\":\"\x98\"}"),
    ] {
        clouds.answer(answer.clone());
        for cloud in Cloud::ALL {
            let (told, requests) = clouds.requests_of(clouds.invoke(cloud)).await;
            let told = told.err().unwrap_or_else(|| panic!("{cloud:?} {answer:?}"));
            assert_eq!(
                (told.reason.as_str(), told.execution(), requests.len()),
                ("RESPONSE_NOT_UNDERSTOOD", "unknown", 1),
                "{cloud:?} {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_error_inside_a_good_status_is_that_error_for_every_operation() {
    let clouds = Clouds::new().await;
    let ncp = [
        (
            r#"{"error":{"errorCode":"80002","message":"SUB_ACC_NO_PERMISSION"}}"#,
            Code::PermissionDenied,
            "not_started",
        ),
        (
            r#"{"content":null,"error":{"errorCode":80031,"message":"x"}}"#,
            Code::Unavailable,
            "not_started",
        ),
        (
            r#"{"responseError":{"returnCode":"210","returnMessage":"Permission Denied"}}"#,
            Code::PermissionDenied,
            "not_started",
        ),
        (
            r#"{"errorCode":"900","message":"Unexpected Error"}"#,
            Code::Internal,
            "unknown",
        ),
        (
            r#"{"error":{"errorCode":"12345","message":"new"}}"#,
            Code::Internal,
            "unknown",
        ),
        (
            "\u{feff}{\"error\":{\"errorCode\":\"81313\",\"message\":\"NAT_BEING_CREATED\"}}",
            Code::Unavailable,
            "unknown",
        ),
    ];
    let functiongraph = [
        (
            r#"{"error_code":"FSS.0403","error_msg":"no"}"#,
            Code::PermissionDenied,
            "not_started",
        ),
        (
            r#"{"errorCode":"APIGW.0302","errorMsg":"no right"}"#,
            Code::PermissionDenied,
            "not_started",
        ),
        (
            r#"{"error":{"error_code":"FSS.0500","error_msg":"x"}}"#,
            Code::Internal,
            "unknown",
        ),
        (
            r#"{"error_code":"APIGW.0201","error_msg":"Backend timeout."}"#,
            Code::Internal,
            "unknown",
        ),
        (
            r#"{"error_code":"FSS.9999","error_msg":"new","request_id":"gw-9"}"#,
            Code::Internal,
            "unknown",
        ),
        (
            r#"{"code":"FSS.0409","message":"taken"}"#,
            Code::AlreadyExists,
            "not_started",
        ),
    ];
    for cloud in Cloud::ALL {
        let table = if cloud.is_ncp() { &ncp } else { &functiongraph };
        for (body, code, execution) in table {
            for status in [200, 202] {
                clouds.answer(http(status, body));
                // A watch takes a failure that may pass for a failed look; the others show the
                // rule.
                for operation in of(cloud).filter(|operation| operation.name != "WatchActivation") {
                    let told = perform(&clouds, cloud, operation.name).await;
                    let told = told
                        .err()
                        .unwrap_or_else(|| panic!("{cloud:?} {operation:?} {body}"));
                    assert_eq!(
                        told.code, *code,
                        "{cloud:?} {operation:?} {body}: {}",
                        told.message
                    );
                    if operation.does == Does::Run {
                        assert_eq!(
                            told.execution(),
                            *execution,
                            "{cloud:?} {operation:?} {body}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_missing_function_in_a_good_status_did_not_run() {
    let clouds = Clouds::new().await;
    for (cloud, body) in [
        (
            Cloud::Ncp21,
            r#"{"error":{"errorCode":"80301","message":"ACTION_NOT_FOUND"}}"#,
        ),
        (
            Cloud::Ncp20,
            r#"{"error":{"errorCode":"80301","message":"ACTION_NOT_FOUND"}}"#,
        ),
        (
            Cloud::FunctionGraph,
            r#"{"error_code":"FSS.1051","error_msg":"Not found the function"}"#,
        ),
    ] {
        clouds.answer(http(200, body));
        for operation in ["Invoke", "InvokeAsync", "GetAction", "DeleteAction"] {
            let told = perform(&clouds, cloud, operation).await.unwrap_err();
            assert_eq!(
                (told.code, told.execution()),
                (Code::NotFound, "not_started"),
                "{cloud:?} {operation}"
            );
        }
    }
}

#[tokio::test]
async fn whatever_a_proven_run_returned_is_its_result() {
    let clouds = Clouds::new().await;
    let error = r#"{"error_code":"FSS.0500","error_msg":"mine","result":"x","status":1}"#;
    for cloud in Cloud::ALL {
        clouds.answer(ran(cloud, error));
        let run = clouds.invoke(cloud).await.unwrap();
        assert!(
            run.success && shown(&run.result) == error,
            "{cloud:?} {run:?}"
        );
    }
    // v0: the body is what the function returned, with members of its own.
    for (kind, body) in [
        (
            "text/plain; charset=utf-8",
            r#"{"result":"created","status":1}"#,
        ),
        ("application/json", r#"{"result":"created","status":1}"#),
        (
            "text/plain",
            r#"{"request_id":"mine","result":"created","status":1}"#,
        ),
        ("text/plain", error),
        ("application/json", error),
        ("text/html", r#"{"a":1}"#),
    ] {
        clouds.answer(bare(kind, body.as_bytes()));
        let run = clouds.invoke(Cloud::FunctionGraph).await.unwrap();
        assert!(run.success && shown(&run.result) == body, "{kind} {run:?}");
    }
    // An envelope without a version header is told by its id, or by being whole.
    for (kind, body) in [
        (
            "text/plain",
            format!(r#"{{"request_id":"{ID}","result":"1","status":500}}"#),
        ),
        (
            "application/json",
            r#"{"request_id":"other","result":"1","status":500}"#.to_owned(),
        ),
    ] {
        clouds.answer(bare(kind, body.as_bytes()));
        let run = clouds.invoke(Cloud::FunctionGraph).await.unwrap();
        assert!(!run.success && shown(&run.result) == "1", "{kind} {run:?}");
    }
}

#[tokio::test]
async fn a_body_that_proves_a_run_is_a_result_under_any_status_and_never_repeated() {
    let clouds = Clouds::new().await;
    for status in [
        200, 201, 207, 302, 303, 400, 404, 408, 409, 422, 429, 500, 502, 503, 504, 555, 600, 999,
    ] {
        for cloud in Cloud::ALL {
            let good = ran(cloud, r#"{"n":1}"#).status(status);
            clouds.answer(good);
            let request = faas_sidecar::proto::InvokeRequest {
                target: cloud.target(),
                idempotent: true,
                result_encoding: faas_sidecar::proto::JsonEncoding::Text.into(),
                ..Default::default()
            };
            let (run, requests) = clouds.requests_of(clouds.invoke_with(request)).await;
            let run = run.unwrap_or_else(|told| panic!("{cloud:?} {status}: {told:?}"));
            assert_eq!(
                (
                    shown(&run.result).as_str(),
                    run.activation_id.as_str(),
                    requests.len()
                ),
                (r#"{"n":1}"#, ID, 1),
                "{cloud:?} {status}"
            );
        }
    }
}

#[tokio::test]
async fn an_id_under_any_status_is_a_run_that_was_begun_and_is_not_begun_again() {
    let clouds = Clouds::new().await;
    for status in [200, 202, 404, 409, 429, 500, 503] {
        for cloud in Cloud::ALL {
            let body = if cloud.is_ncp() {
                format!(r#"{{"content":{{"activationId":"{ID}"}}}}"#)
            } else {
                format!(r#"{{"request_id":"{ID}"}}"#)
            };
            clouds.answer(http(status, &body));
            let operations: &[&str] = if cloud.is_ncp() {
                &["InvokeAsync", "FireTrigger"]
            } else {
                &["InvokeAsync"]
            };
            for operation in operations {
                let (told, requests) = clouds.requests_of(perform(&clouds, cloud, operation)).await;
                match told {
                    Ok(text) => {
                        assert!(text.contains(ID), "{cloud:?} {operation} {status}: {text}");
                    }
                    Err(told) => assert_eq!(
                        told.execution(),
                        "unknown",
                        "{cloud:?} {operation} {status}"
                    ),
                }
                assert_eq!(requests.len(), 1, "{cloud:?} {operation} {status}");
            }
        }
    }
}

/// Every class of final statuses, with its odd ones (RFC 9110 §15: what is not known is as the
/// first of its class, and 600 and above as 500).
const STATUSES: [u16; 45] = [
    200, 201, 202, 203, 204, 205, 206, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 399, 400,
    402, 403, 404, 405, 406, 408, 409, 410, 412, 413, 418, 421, 422, 425, 426, 429, 451, 499, 500,
    501, 503, 505, 511, 599, 600, 999,
];

#[tokio::test]
async fn statuses_say_what_the_standard_says_on_every_operation() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for operation in of(cloud).filter(|operation| operation.name != "WatchActivation") {
            for status in STATUSES {
                clouds.answer(http(status, "").body(b""));
                let told = perform(&clouds, cloud, operation.name).await;
                let what = format!("{cloud:?} {operation:?} {status}");
                // Of a change a good status is all that is due.
                if status < 300 && operation.does == Does::Change && told.is_ok() {
                    continue;
                }
                let told = told.err().unwrap_or_else(|| panic!("{what}"));
                let looks_first = cloud == Cloud::FunctionGraph && operation.name == "PutAction";
                let execution = match status {
                    _ if looks_first => "not_started",
                    // A redirect to what came of the request, and a request that took too long, may
                    // have been carried out.
                    303 | 408 => "unknown",
                    300..=499 => "not_started",
                    _ => "unknown",
                };
                assert_eq!(told.execution(), execution, "{what}: {}", told.message);
            }
        }
    }
}

#[tokio::test]
async fn text_that_utf8_cannot_hold_comes_through_whole() {
    let clouds = Clouds::new().await;
    // Bytes that are not UTF-8: as they came, and no result beside them.
    for (cloud, answer, bytes) in [
        (Cloud::FunctionGraph, v1(b"{\"request_id\":\"r\",\"result\":\"a\x98\xff\",\"log\":\"\",\"status\":200}"), &b"a\x98\xff"[..]),
        (Cloud::FunctionGraph, v1(b"{\"request_id\":\"r\",\"result\":{\"k\":\"\xff\"},\"status\":200}"), b"{\"k\":\"\xff\"}"),
        (Cloud::FunctionGraph, bare("text/plain", b"\x98 x"), b"\x98 x"),
        (
            Cloud::Ncp21,
            http(200, "").body(&[&b"{\"content\":{\"activationId\":\""[..], ID.as_bytes(), b"\",\"name\":\"hello\",\"response\":{\"result\":{\"k\":\"\xff\"},\"status\":\"success\",\"success\":true}}}"].concat()),
            b"{\"k\":\"\xff\"}",
        ),
    ] {
        clouds.answer(answer);
        let run = clouds.invoke(cloud).await.unwrap();
        assert!(run.success && run.result.is_none(), "{run:?}");
        assert_eq!(run.result_bytes, bytes, "{cloud:?}");
    }
    // A log that was cut within a character costs neither the outcome nor the log.
    clouds.answer(v1(
        b"{\"request_id\":\"r\",\"result\":\"boom\",\"log\":\"\x98 x\",\"status\":500}",
    ));
    let request = faas_sidecar::proto::InvokeRequest {
        target: Cloud::FunctionGraph.target(),
        include_logs: true,
        ..Default::default()
    };
    let run = clouds.invoke_with(request.clone()).await.unwrap();
    assert!(!run.success && shown(&run.result) == r#""boom""#, "{run:?}");
    assert_eq!(run.logs, ["\u{fffd} x"]);
    clouds.answer(v1(
        br#"{"request_id":"r","result":"1","log":"a\ud83d\nb","status":200}"#,
    ));
    assert_eq!(clouds.invoke_with(request).await.unwrap().logs.len(), 2);
}

#[tokio::test]
async fn a_lone_surrogate_is_spelt_out_or_handed_over_as_it_is() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        let answer = if cloud.is_ncp() {
            success(r#"{"k":"a\ud83d"}"#)
        } else {
            v1(br#"{"request_id":"r","result":"a\ud83d","status":200}"#)
        };
        clouds.answer(answer);
        let (document, bytes) = if cloud.is_ncp() {
            (r#"{"k":"a\ud83d"}"#, &br#"{"k":"a\ud83d"}"#[..])
        } else {
            (r#""a\ud83d""#, &b"a\xed\xa0\xbd"[..])
        };
        let run = clouds.invoke(cloud).await.unwrap();
        assert_eq!(shown(&run.result), document, "{cloud:?}");
        let request = faas_sidecar::proto::InvokeRequest {
            target: cloud.target(),
            result_encoding: faas_sidecar::proto::JsonEncoding::Value.into(),
            ..Default::default()
        };
        let run = clouds.invoke_with(request).await.unwrap();
        assert!(run.success && run.inexact, "{run:?}");
        assert_eq!(
            shown(&run.result),
            document.replace('\\', "\\\\"),
            "{cloud:?}"
        );
        assert_eq!(run.result_bytes, bytes, "{cloud:?}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_no_part_of_it() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        let good = ran(cloud, "1");
        clouds.answer(
            good.clone()
                .body(&[b"\xef\xbb\xbf", good.body_bytes()].concat()),
        );
        assert!(clouds.invoke(cloud).await.unwrap().success, "{cloud:?}");
    }
}

#[tokio::test]
async fn a_status_in_the_envelope_that_is_no_number_is_no_success() {
    let clouds = Clouds::new().await;
    for status in ["\"failed\"", "{}", "true", "\"\""] {
        clouds.answer(v1(format!(
            r#"{{"request_id":"r","result":"1","status":{status}}}"#
        )
        .as_bytes()));
        let run = clouds.invoke(Cloud::FunctionGraph).await.unwrap();
        assert!(!run.success, "{status}: {run:?}");
    }
    for code in ["\"FSS.0500\"", "\"SOMETHING\""] {
        clouds.answer(v1(format!(
            r#"{{"request_id":"r","result":"1","status":200,"error_code":{code}}}"#
        )
        .as_bytes()));
        assert_eq!(
            clouds
                .invoke(Cloud::FunctionGraph)
                .await
                .unwrap_err()
                .execution(),
            "unknown",
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_page_is_no_answer_to_any_operation() {
    let clouds = Clouds::new().await;
    clouds
        .answer(http(200, "<html><title>login</title></html>").header("Content-Type", "text/html"));
    for cloud in Cloud::ALL {
        for operation in of(cloud) {
            let told = perform(&clouds, cloud, operation.name).await;
            let told = told
                .err()
                .unwrap_or_else(|| panic!("{cloud:?} {operation:?}"));
            assert_eq!(
                (told.code, told.reason.as_str()),
                (Code::Internal, "RESPONSE_NOT_UNDERSTOOD"),
                "{cloud:?} {operation:?}: {}",
                told.message
            );
            if operation.does == Does::Run {
                assert_eq!(told.execution(), "unknown", "{cloud:?} {operation:?}");
            }
        }
    }
}
