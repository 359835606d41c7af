use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::*;
use crate::error::Execution;

fn response(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn run(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Activation> {
    let response = response(status, headers, body);
    judge(&response)?;
    read(
        &response,
        JsonEncoding::Text,
        true,
        &TargetMetrics::unread(),
    )
}

/// The head of an answer that names its run.
const RUN: (&str, &str) = ("x-cff-request-id", "run-1");

fn result(activation: &Activation) -> &str {
    match activation
        .result
        .as_ref()
        .and_then(|json| json.encoding.as_ref())
    {
        Some(Encoding::Text(text)) => text,
        _ => panic!("no text"),
    }
}

#[test]
fn a_good_run_in_both_envelopes() {
    let v1 = run(
        200,
        &[
            ("x-cff-request-id", "run-1"),
            ("x-request-id", "gateway-1"),
            ("x-cff-response-version", "v1"),
            ("x-func-err-code", "0"),
            ("x-is-func-err", "false"),
            (
                "x-cff-invoke-summary",
                r#"{"duration":12.5,"billingDuration":"13","memorySize":128,"memoryUsed":25.75}"#,
            ),
        ],
        r#"{"request_id":"body-1","result":"{\"n\":12345678901234567890}","log":"a\nb\n","status":200}"#,
    )
    .unwrap();
    assert!(v1.success);
    assert_eq!(
        (v1.activation_id.as_str(), v1.upstream_request_id.as_str()),
        ("run-1", "gateway-1")
    );
    assert_eq!(result(&v1), r#"{"n":12345678901234567890}"#);
    assert_eq!(v1.logs, ["a", "b"]);
    assert_eq!(v1.duration.unwrap().nanos, 12_500_000);
    assert_eq!(v1.billed_duration.unwrap().nanos, 13_000_000);
    assert!((v1.memory_used_mb - 25.75).abs() < f64::EPSILON);

    let v0 = run(
        200,
        &[
            ("content-type", "text/plain; charset=utf-8"),
            ("x-cff-request-id", "run-2"),
        ],
        r#"{"ok":true}"#,
    );
    let v0 = v0.unwrap();
    assert!(v0.success);
    assert_eq!(
        (result(&v0), v0.activation_id.as_str()),
        (r#"{"ok":true}"#, "run-2")
    );
}

#[test]
fn a_result_is_handed_over_whatever_it_is() {
    for (body, expected) in [
        (r#"{"request_id":"r","result":"","status":200}"#, r#""""#),
        (
            r#"{"request_id":"r","result":"plain text\n","status":200}"#,
            r#""plain text\n""#,
        ),
        (r#"{"request_id":"r","result":"42","status":"200"}"#, "42"),
        (
            r#"{"request_id":"r","result":"\"quoted\"","status":200}"#,
            r#""quoted""#,
        ),
        (
            r#"{"request_id":"r","result":"{\"body\":\"{\\\"a\\\":1}\"}","status":200}"#,
            r#"{"body":"{\"a\":1}"}"#,
        ),
        (
            r#"{"request_id":"r","result":{"body":{"a":1}},"log":null,"status":200}"#,
            r#"{"body":{"a":1}}"#,
        ),
        (r#"{"request_id":"r","result":null,"status":200}"#, "null"),
        (
            r#"{"request_id":"r","result":" {\"a\": 1} ","status":200}"#,
            r#"{"a": 1}"#,
        ),
        ("hello", r#""hello""#),
        ("", r#""""#),
        // A function's own object is no envelope.
        (r#"{"result":"x","other":1}"#, r#"{"result":"x","other":1}"#),
        (r#"[1,2]"#, "[1,2]"),
    ] {
        let found = run(200, &[RUN], body).unwrap();
        assert!(found.success, "{body}");
        assert_eq!(result(&found), expected, "{body}");
    }
}

#[test]
fn the_version_header_wins_over_the_look_of_the_body() {
    let body = r#"{"request_id":"r","result":"x","status":500}"#;
    let v0 = run(200, &[("x-cff-response-version", "V0")], body).unwrap();
    assert!(v0.success);
    assert_eq!(result(&v0), body);
    let v1 = run(
        200,
        &[("x-cff-response-version", "v1")],
        r#"{"result":"x"}"#,
    )
    .unwrap();
    assert_eq!(result(&v1), r#""x""#);
}

#[test]
fn a_function_that_failed_is_a_result() {
    let thrown = r#"{"request_id":"r","result":"{\"errorMessage\":\"boom\",\"errorType\":\"Error\",\"stackTrace\":[]}","log":"","status":500}"#;
    let inner = r#"{"errorMessage":"boom","errorType":"Error","stackTrace":[]}"#;
    use ActivationStatus::{ApplicationError, Cancelled, DeveloperError, SystemError};
    for (status, headers, body, expected) in [
        (
            200,
            &[("x-is-func-err", "true"), ("x-func-err-code", "4002")][..],
            thrown,
            DeveloperError,
        ),
        (
            500,
            &[("x-is-func-err", "True"), ("x-func-err-code", "4002")],
            thrown,
            DeveloperError,
        ),
        (500, &[("x-is-func-err", "1")], thrown, DeveloperError),
        (200, &[("x-func-err-code", "4010")], thrown, DeveloperError),
        (200, &[("x-func-err-code", "4208")], thrown, Cancelled),
        (200, &[("x-func-err-code", "4203")], thrown, SystemError),
        (200, &[], thrown, ApplicationError),
        (555, &[], thrown, ApplicationError),
        (404, &[], thrown, ApplicationError),
        (200, &[RUN], inner, DeveloperError),
    ] {
        let found = run(status, headers, body)
            .unwrap_or_else(|error| panic!("{status} {headers:?}: {error}"));
        assert_eq!(
            (found.success, found.status()),
            (false, expected),
            "{status} {headers:?} {body}"
        );
        assert_eq!(result(&found), inner);
    }
    let found = run(200, &[("x-func-err-code", "4010")], thrown).unwrap();
    assert_eq!(found.status_text, "error code 4010, status 500");
    // A fourth field, or a field missing, and it is a result like any other.
    assert!(
        run(
            200,
            &[RUN],
            r#"{"errorMessage":"a","errorType":"b","more":1}"#
        )
        .unwrap()
        .success
    );
}

#[test]
fn a_platform_that_failed_is_an_error() {
    for (status, headers, body, kind, execution) in [
        (
            404,
            &[][..],
            r#"{"error_code":"FSS.1051","error_msg":"Not found the function"}"#,
            Kind::NotFound,
            Execution::NotStarted,
        ),
        // The service's code wins over the function's header.
        (
            500,
            &[("x-is-func-err", "true")],
            r#"{"error_code":"FSS.0500","error_msg":"x"}"#,
            Kind::Internal,
            Execution::Unknown,
        ),
        (
            500,
            &[("x-func-err-code", "150430")],
            "",
            Kind::ResourceExhausted,
            Execution::NotStarted,
        ),
        (
            200,
            &[("x-func-err-code", "200404")],
            "",
            Kind::NotFound,
            Execution::NotStarted,
        ),
        (
            200,
            &[],
            r#"{"request_id":"r","result":"","status":500,"error_code":150434}"#,
            Kind::FailedPrecondition,
            Execution::NotStarted,
        ),
        (
            502,
            &[],
            "<html>bad</html>",
            Kind::Unavailable,
            Execution::Unknown,
        ),
        (
            500,
            &[],
            r#"{"anything":"else"}"#,
            Kind::Internal,
            Execution::Unknown,
        ),
        // A proxy's page proves nothing, whatever its status.
        (
            200,
            &[("content-type", "text/html; charset=utf-8")],
            "<html>one moment</html>",
            Kind::Internal,
            Execution::Unknown,
        ),
        // Half an envelope is neither an envelope nor what the function returned.
        (
            200,
            &[
                ("content-type", "application/json"),
                ("x-cff-response-version", "v1"),
            ],
            r#"{"request_id":"r","result":"{\"a\":"#,
            Kind::Internal,
            Execution::Completed,
        ),
        (
            200,
            &[("content-type", "application/json")],
            r#"{"request_id":"r","result":"{\"a\":"#,
            Kind::Internal,
            Execution::Unknown,
        ),
    ] {
        let error = run(status, headers, body).unwrap_err();
        assert_eq!(
            (error.kind, error.execution),
            (kind, execution),
            "{status} {headers:?} {body}"
        );
        assert_eq!(error.http_status, Some(status));
    }
}

#[test]
fn the_wall_of_90_seconds_says_what_to_do() {
    for (status, body) in [
        (
            504,
            r#"{"error_code":"APIGW.0201","error_msg":"Backend timeout."}"#,
        ),
        (504, r#"{"error_code":"APIG.0203","error_msg":"x"}"#),
        (504, ""),
        (408, r#"{"error_code":"FSS.0408","error_msg":"x"}"#),
    ] {
        let error = run(status, &[], body).unwrap_err();
        assert_eq!(
            (error.kind, error.execution),
            (Kind::DeadlineExceeded, Execution::Unknown),
            "{body}"
        );
        assert!(error.message.contains("InvokeAsync"), "{}", error.message);
        assert!(!error.may_retry(true));
    }
}

#[test]
fn logs_come_from_the_header_when_the_body_has_none() {
    let header = STANDARD.encode("x\nÿ".as_bytes());
    for body in [
        r#"{"request_id":"r","result":"1","log":"","status":200}"#,
        r#"{"request_id":"r","result":"1","status":200}"#,
    ] {
        let found = run(200, &[("x-cff-function-log", &header)], body).unwrap();
        assert_eq!(found.logs, ["x", "ÿ"]);
    }
    let broken = run(
        200,
        &[("x-cff-function-log", "%%%")],
        r#"{"request_id":"r","result":"1","log":7,"status":200}"#,
    );
    assert!(broken.unwrap().logs.is_empty());
}
