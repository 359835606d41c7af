//! Error documents of every family that NCP's hosts answer with, and what callers get of them.

use tonic::Code;

use crate::support::answer::http;
use crate::support::bench::{Bench, hello};
use crate::support::details::told;

#[tokio::test]
async fn error_documents_of_every_family_are_read() {
    for (status, body, code, reason, upstream_code) in [
        (
            404,
            r#"{"error":{"errorCode":"80301","message":"ACTION_NOT_FOUND","details":"x"}}"#,
            Code::NotFound,
            "ACTION_NOT_FOUND",
            "80301",
        ),
        (
            404,
            r#"{"error":{"errorCode":80301,"message":"ACTION_NOT_FOUND"}}"#,
            Code::NotFound,
            "ACTION_NOT_FOUND",
            "80301",
        ),
        (
            400,
            r#"{"error":{"errorCode":"80302","message":"ACTION_PLATFORM_MISMATCH","details":null}}"#,
            Code::InvalidArgument,
            "ACTION_PLATFORM_MISMATCH",
            "80302",
        ),
        (
            401,
            r#"{"error":{"errorCode":"210","message":"Permission Denied"}}"#,
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "210",
        ),
        (
            401,
            r#"{"error":{"errorCode":200,"message":"Authentication Failed"}}"#,
            Code::Unauthenticated,
            "AUTHENTICATION_FAILED",
            "200",
        ),
        (
            413,
            r#"{"error":{"errorCode":"430","message":"Request Entity Too Large"}}"#,
            Code::ResourceExhausted,
            "REQUEST_ENTITY_TOO_LARGE",
            "430",
        ),
        (
            404,
            r#"{"error":{"errorCode":"300","message":"Not Found Exception"}}"#,
            Code::NotFound,
            "API_NOT_FOUND",
            "300",
        ),
        (
            403,
            r#"{"error":{"errorCode":"81002","message":"SUB_ACC_NO_PERMISSION"}}"#,
            Code::PermissionDenied,
            "SUB_ACC_NO_PERMISSION",
            "81002",
        ),
        (
            409,
            r#"{"error":{"errorCode":"80011","message":"RESOURCE_NAME_CONFLICT"}}"#,
            Code::AlreadyExists,
            "RESOURCE_NAME_CONFLICT",
            "80011",
        ),
        (
            409,
            r#"{"error":{"errorCode":"80109","message":"PACKAGE_NOT_EMPTY"}}"#,
            Code::FailedPrecondition,
            "PACKAGE_NOT_EMPTY",
            "80109",
        ),
        (
            422,
            r#"{"error":{"errorCode":"80308","message":"ACTION_COUNT_EXCEED"}}"#,
            Code::ResourceExhausted,
            "ACTION_COUNT_EXCEED",
            "80308",
        ),
        (
            400,
            r#"{"responseError":{"returnCode":"77777","returnMessage":"no"}}"#,
            Code::InvalidArgument,
            "NCP_77777",
            "77777",
        ),
        (
            403,
            r#"{"errorCode":"89999","message":"SOMETHING_NEW"}"#,
            Code::PermissionDenied,
            "SOMETHING_NEW",
            "89999",
        ),
    ] {
        let bench = Bench::new().await;
        bench
            .upstream
            .push(http(status, body).header("x-ncp-trace-id", "trace-1"));
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        assert_eq!((told.code, told.reason.as_str()), (code, reason), "{body}");
        assert_eq!(told.metadata["upstream_code"], upstream_code, "{body}");
        assert_eq!(told.metadata["http_status"], status.to_string());
        assert_eq!(told.request_id.as_deref(), Some("trace-1"));
        assert_eq!(
            (told.execution(), told.attempts),
            ("not_started", Some(1)),
            "{body}"
        );
        assert_eq!(
            told.resource,
            Some(("action".to_owned(), "-/hello".to_owned()))
        );
    }
}

#[tokio::test]
async fn a_transient_refusal_in_markup_is_plain_text_and_unavailable() {
    let bench = Bench::with("retry: {max_attempts: 1}").await;
    let body = r#"{"error":{"errorCode":"80031","message":"<strong>Please try again in a few minutes.</strong><br>","details":""}}"#;
    bench.upstream.push(http(400, body));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Unavailable,
        "TRY_AGAIN_LATER",
        "not_started",
        "service",
    );
    assert!(
        told.message.contains("Please try again in a few minutes."),
        "{}",
        told.message
    );
    assert!(told.pushback.unwrap() > 0 && told.retry_after.is_some());
}

#[tokio::test]
async fn other_families_of_error_bodies_leave_the_word_to_the_status() {
    for body in [
        "<error><errorCode>200</errorCode></error>",
        "Unauthorized",
        "",
        r#"{"timestamp":1,"status":401,"error":"Unauthorized","message":"No message"}"#,
        "[]",
        "\u{feff}{}",
    ] {
        let bench = Bench::new().await;
        bench.upstream.push(http(401, body));
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        assert_eq!(
            (told.code, told.execution()),
            (Code::Unauthenticated, "not_started"),
            "{body}"
        );
        assert!(!told.message.contains('<'));
    }
}
