use bytes::Bytes;
use http::HeaderMap;

use super::*;
use crate::error::Execution;

fn of(status: u16, body: &str) -> Error {
    let response = Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    judge(&response).unwrap_err()
}

fn gateway(status: u16, code: &str, message: &str) -> Error {
    of(
        status,
        &format!(r#"{{"error_msg":"{message}","error_code":"{code}","request_id":"r1"}}"#),
    )
}

fn service(status: u16, code: &str, message: &str) -> Error {
    of(
        status,
        &format!(r#"{{"error_code":"{code}","error_msg":"{message}"}}"#),
    )
}

#[test]
fn the_code_speaks_before_the_status() {
    for (status, code, kind, reason) in [
        (404, "FSS.1051", Kind::NotFound, "FUNCTION_NOT_FOUND"),
        // A missing alias is shown under 401 in samples.
        (401, "FSS.1053", Kind::NotFound, "ALIAS_NOT_FOUND"),
        (400, "FSS.1016", Kind::FailedPrecondition, "NOTHING_CHANGED"),
        (409, "FSS.1061", Kind::AlreadyExists, "FUNCTION_EXISTS"),
        (
            403,
            "FSS.1041",
            Kind::ResourceExhausted,
            "TOO_MANY_FUNCTIONS",
        ),
        (413, "FSS.0413", Kind::InvalidArgument, "BODY_TOO_LARGE"),
        (404, "APIGW.0101", Kind::Unimplemented, "API_NOT_FOUND"),
        (404, "APIG.0101", Kind::Unimplemented, "API_NOT_FOUND"),
        (403, "APIG.0302", Kind::PermissionDenied, "NOT_AUTHORIZED"),
        (429, "APIGW.0308", Kind::ResourceExhausted, "THROTTLED"),
        (400, "FSS.9999", Kind::InvalidArgument, "FSS_9999"),
        (401, "IAM.0101", Kind::Unauthenticated, "IAM_0101"),
    ] {
        let error = service(status, code, "x");
        assert_eq!(
            (error.kind, error.reason.as_ref()),
            (kind, reason),
            "{status} {code}"
        );
        assert_eq!(error.upstream_code.as_deref(), Some(code));
    }
}

#[test]
fn words_decide_where_codes_are_used_twice() {
    for (status, code, message, kind, reason) in [
        (
            429,
            "FSS.0429",
            "Function Disabled",
            Kind::FailedPrecondition,
            "FUNCTION_DISABLED",
        ),
        (
            429,
            "FSS.0429",
            "Too many requests",
            Kind::ResourceExhausted,
            "TOO_MANY_REQUESTS",
        ),
        (
            403,
            "FSS.0403",
            "invalid token",
            Kind::Unauthenticated,
            "TOKEN_REFUSED",
        ),
        (
            403,
            "FSS.0403",
            "not authorized",
            Kind::PermissionDenied,
            "NOT_AUTHORIZED",
        ),
        (
            400,
            "FSS.0401",
            "not permit",
            Kind::PermissionDenied,
            "PERMISSION_DENIED",
        ),
        (
            401,
            "FSS.0401",
            "denied",
            Kind::Unauthenticated,
            "ACCESS_DENIED",
        ),
        (
            400,
            "FSS.1128",
            "function not existed",
            Kind::NotFound,
            "FUNCTION_NOT_FOUND",
        ),
    ] {
        let error = service(status, code, message);
        assert_eq!(
            (error.kind, error.reason.as_ref()),
            (kind, reason),
            "{code} {message}"
        );
    }
    assert!(!service(429, "FSS.0429", "Function Disabled").may_retry(true));
}

#[test]
fn a_refused_signature_says_what_to_do_and_shows_nothing() {
    for (message, reason, part) in [
        (
            "Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:POST|/v2/|x-security-token:canary",
            "SIGNATURE_REFUSED",
            "secret key",
        ),
        (
            "Incorrect IAM authentication information: signature expired, signature:canary",
            "SIGNATURE_EXPIRED",
            "clock",
        ),
        (
            "Incorrect IAM authentication information: decrypt token fail",
            "TOKEN_REFUSED",
            "token",
        ),
        (
            "Incorrect IAM authentication information: x-auth-token not found",
            "AUTHENTICATION_DROPPED",
            "takes the header out",
        ),
        (
            "Incorrect IAM authentication information: Get secretKey failed,ak canary not exist",
            "ACCESS_KEY_UNKNOWN",
            "access key",
        ),
        (
            "Incorrect IAM authentication information: AK access failed to reach the limit, forbidden",
            "ACCESS_KEY_LOCKED",
            "locked",
        ),
        (
            "something new canary",
            "AUTHENTICATION_FAILED",
            "credentials",
        ),
    ] {
        let error = gateway(401, "APIGW.0301", message);
        assert_eq!(
            (error.kind, error.reason.as_ref()),
            (Kind::Unauthenticated, reason),
            "{message}"
        );
        assert!(
            error.message.contains(part) && !error.message.contains("canary"),
            "{}",
            error.message
        );
        // A refusal is never repeated by itself: the key would be locked.
        assert!(!error.may_retry(true));
        assert_eq!(
            (error.execution, error.component),
            (Execution::NotStarted, Component::Gateway)
        );
    }
    assert_eq!(
        gateway(401, "APIGW.0307", "must be updated").reason,
        "TOKEN_REFUSED"
    );
}

#[test]
fn what_may_be_repeated_follows_from_what_may_have_happened() {
    // (status, code, a read or put may be repeated, a run may be repeated)
    for (status, code, read, run) in [
        (429, "APIGW.0308", true, true),
        (503, "APIGW.0613", true, true),
        (429, "FSS.0429", true, true),
        (500, "FSS.0500", true, false),
        (502, "FSS.0502", true, false),
        (503, "FSS.0503", true, false),
        (504, "FSS.0504", true, false),
        (502, "APIGW.0201", true, false),
        (504, "APIGW.0201", true, false),
        (500, "APIGW.0201", true, false),
        (502, "APIGW.0202", true, false),
        (504, "APIGW.0203", true, false),
        (500, "APIGW.0601", true, false),
        (500, "APIGW.0103", false, false),
        (400, "APIGW.0201", false, false),
        (400, "FSS.0400", false, false),
        (404, "FSS.1051", false, false),
        (409, "FSS.1061", false, false),
    ] {
        let error = service(status, code, "x");
        assert_eq!(
            (error.may_retry(true), error.may_retry(false)),
            (read, run),
            "{status} {code}"
        );
    }
    let throttled = service(
        429,
        "APIGW.0308",
        "policy user over ratelimit,limit:1,time:1 second",
    );
    let pause = throttled.retry_after.unwrap();
    assert!(
        (Duration::from_secs(2)..=Duration::from_secs(5)).contains(&pause),
        "{pause:?}"
    );
}

#[test]
fn gateway_0201_is_told_apart_by_status() {
    for (status, kind, execution) in [
        (400, Kind::InvalidArgument, Execution::NotStarted),
        (413, Kind::InvalidArgument, Execution::NotStarted),
        (414, Kind::InvalidArgument, Execution::NotStarted),
        (502, Kind::Unavailable, Execution::Unknown),
        (504, Kind::DeadlineExceeded, Execution::Unknown),
        (500, Kind::Internal, Execution::Unknown),
    ] {
        let error = gateway(status, "APIGW.0201", "Backend timeout.");
        assert_eq!((error.kind, error.execution), (kind, execution), "{status}");
        assert_eq!(error.upstream_request_id.as_deref(), Some("r1"));
    }
}

#[test]
fn every_envelope_is_read_or_left_to_the_status() {
    for (status, body, kind, part) in [
        (
            400,
            r#"{"error_code":"FSS.0400","error_msg":"","details":{"error_msg":"bad weight"}}"#,
            Kind::InvalidArgument,
            "bad weight",
        ),
        (
            404,
            r#"{"errorCode":"FSS.1051","errorMsg":"gone"}"#,
            Kind::NotFound,
            "gone",
        ),
        (
            404,
            r#"{"code":"FSS.1052","message":"no version"}"#,
            Kind::NotFound,
            "no version",
        ),
        (
            401,
            r#"{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}"#,
            Kind::Unauthenticated,
            "username",
        ),
        (
            403,
            r#"{"error_code":"IAM.0002","error_msg":"denied","encoded_authorization_message":"xyz"}"#,
            Kind::PermissionDenied,
            "denied",
        ),
        (
            404,
            r#"{"outer":{"inner":{"error_code":"FSS.1051","error_msg":"deep"}}}"#,
            Kind::NotFound,
            "deep",
        ),
        (
            502,
            "<html><h1>Bad Gateway</h1></html>",
            Kind::Unavailable,
            "HTTP 502",
        ),
        (503, "", Kind::Unavailable, "HTTP 503"),
        (401, "函数不存在", Kind::Unauthenticated, "HTTP 401"),
        (
            404,
            r#"{"error_code":"FSS.1051","error_msg":"函数不存在"}"#,
            Kind::NotFound,
            "函数不存在",
        ),
        (302, "", Kind::Internal, "Redirects"),
    ] {
        let error = of(status, body);
        assert_eq!(error.kind, kind, "{body}");
        assert!(
            error.message.contains(part) && !error.message.contains('<'),
            "{}",
            error.message
        );
    }
}

#[test]
fn codes_of_a_run_tell_the_function_from_the_platform() {
    for code in [4001, 4002, 4010, 4201, 4777] {
        assert_eq!(fault_of(code), Fault::Function, "{code}");
    }
    assert_eq!(fault_of(4208), Fault::Cancelled);
    for (code, kind, execution) in [
        (150_430, Kind::ResourceExhausted, Execution::NotStarted),
        (150_434, Kind::FailedPrecondition, Execution::NotStarted),
        (4014, Kind::Unavailable, Execution::Unknown),
        (200_404, Kind::NotFound, Execution::NotStarted),
        (200_500, Kind::Internal, Execution::Unknown),
    ] {
        let error = fault_of(code).error(code).unwrap();
        assert_eq!((error.kind, error.execution), (kind, execution), "{code}");
    }
}
