//! Upstreams that misbehave and keys that are wrong: a documented code, the cause by name, and a
//! healthy server after.

use std::time::{Duration, Instant};

use faas_sidecar::env::Env;
use faas_sidecar::proto::*;
use tonic::{Code, Status};

use crate::support::answer::{Answer, Step, content, html, http, no_content, steps};
use crate::support::bench::{Bench, hello, keys, within};
use crate::support::details::{Told, told};
use crate::support::upstream::ACCESS_KEY;

async fn list(bench: &Bench) -> Result<ListPackagesResponse, Status> {
    bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
        .map(tonic::Response::into_inner)
}

/// What an Invoke comes to when the upstream answers so, and that the next call goes well.
async fn invoke_against(bench: &Bench, answer: impl Into<Answer>) -> Told {
    bench.upstream.push(answer);
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    assert_eq!(bench.upstream.received().len(), 1, "a run was sent twice");
    assert_eq!(told.attempts, Some(1));
    bench.assert_healthy().await;
    told
}

#[tokio::test]
async fn absent_credentials_are_told_before_anything_is_sent() {
    let bench = Bench::without_keys().await;
    let told = told(&list(&bench).await.unwrap_err());
    told.assert(
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
        "not_started",
        "sidecar",
    );
    assert!(
        told.message.contains("NCLOUD_ACCESS_KEY_ID"),
        "{}",
        told.message
    );
    assert_eq!((told.attempts, told.pushback), (Some(0), Some(-1)));
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test]
async fn the_short_names_of_the_key_variables_work_too() {
    let env = Env::fixed([
        ("NCLOUD_ACCESS_KEY", ACCESS_KEY),
        ("NCLOUD_SECRET_KEY", crate::support::upstream::SECRET_KEY),
    ]);
    Bench::whole("", "", &env).await.assert_healthy().await;
}

#[tokio::test]
async fn a_wrong_secret_is_unauthenticated_and_tried_once() {
    let env = Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", "not-the-secret-canary"),
    ]);
    let bench = Bench::whole("", "", &env).await;
    let status = list(&bench).await.unwrap_err();
    let told = told(&status);
    told.assert(
        Code::Unauthenticated,
        "AUTHENTICATION_FAILED",
        "not_started",
        "gateway",
    );
    assert_eq!(
        (
            told.metadata["http_status"].as_str(),
            told.metadata["upstream_code"].as_str()
        ),
        ("401", "200")
    );
    assert_eq!(told.request_id.as_deref(), Some("gateway-refusal"));
    assert_eq!((told.attempts, told.pushback), (Some(1), Some(-1)));
    let request = bench.upstream.only();
    assert!(!request.signed);
    let signature = request.header("x-ncp-apigw-signature-v2").unwrap();
    let shown = format!("{status:?}");
    assert!(
        !shown.contains("canary") && !shown.contains(signature),
        "{shown}"
    );
}

#[tokio::test]
async fn a_wrong_access_key_is_unauthenticated() {
    let env = Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", "unknown"),
        (
            "NCLOUD_SECRET_ACCESS_KEY",
            crate::support::upstream::SECRET_KEY,
        ),
    ]);
    let bench = Bench::whole("", "", &env).await;
    let told = told(&list(&bench).await.unwrap_err());
    told.assert(
        Code::Unauthenticated,
        "AUTHENTICATION_FAILED",
        "not_started",
        "gateway",
    );
}

#[tokio::test]
async fn a_clock_off_by_ten_minutes_is_told_with_the_clock_as_a_cause() {
    for ahead in [600_000, -600_000] {
        let bench = Bench::new().await;
        bench.upstream.set_clock(ahead);
        let told = told(&list(&bench).await.unwrap_err());
        told.assert(
            Code::Unauthenticated,
            "AUTHENTICATION_FAILED",
            "not_started",
            "gateway",
        );
        assert!(told.message.contains("clock"), "{}", told.message);
        bench.upstream.set_clock(0);
        bench.assert_healthy().await;
    }
}

#[tokio::test]
async fn html_with_status_200_is_not_a_result() {
    let told = invoke_against(&Bench::new().await, html(200)).await;
    // Whoever made the page, it says nothing of the function.
    told.assert(
        Code::Internal,
        "RESPONSE_NOT_UNDERSTOOD",
        "unknown",
        "service",
    );
    assert_eq!(
        (told.metadata["http_status"].as_str(), told.pushback),
        ("200", Some(-1))
    );
}

#[tokio::test]
async fn html_with_an_error_status_is_told_by_the_status_and_never_shown() {
    for (status, code, reason, execution) in [
        (400, Code::InvalidArgument, "BAD_REQUEST", "not_started"),
        (
            403,
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "not_started",
        ),
        (404, Code::NotFound, "NOT_FOUND", "not_started"),
        (500, Code::Internal, "UPSTREAM_FAILED", "unknown"),
        (502, Code::Unavailable, "UPSTREAM_UNAVAILABLE", "unknown"),
        (503, Code::Unavailable, "UPSTREAM_UNAVAILABLE", "unknown"),
        (504, Code::DeadlineExceeded, "UPSTREAM_TIMEOUT", "unknown"),
    ] {
        let told = invoke_against(&Bench::new().await, html(status)).await;
        assert_eq!(
            (told.code, told.reason.as_str(), told.execution()),
            (code, reason, execution),
            "{status}"
        );
        assert!(
            !told.message.contains("Oops") && !told.message.contains("broke"),
            "{}",
            told.message
        );
    }
}

#[tokio::test]
async fn markup_inside_json_of_the_wrong_shape_is_never_shown() {
    for (status, body) in [
        (200, r#"{"content":"<h1>canary</h1>"}"#),
        (200, r#""<h1>canary</h1>""#),
    ] {
        let bench = Bench::new().await;
        bench.upstream.push(http(status, body));
        let request = GetActionRequest {
            action_name: "hello".to_owned(),
            ..Default::default()
        };
        let told = told(&bench.actions().get_action(request).await.unwrap_err());
        told.assert(
            Code::Internal,
            "RESPONSE_NOT_UNDERSTOOD",
            "unknown",
            "service",
        );
        assert!(!told.message.contains("canary"), "{}", told.message);
    }
}

#[tokio::test]
async fn html_in_answer_to_a_delete_is_not_a_success() {
    let bench = Bench::new().await;
    bench.upstream.push(html(200));
    let request = DeletePackageRequest {
        package_name: "p".to_owned(),
        ..Default::default()
    };
    let told = told(&bench.packages().delete_package(request).await.unwrap_err());
    told.assert(
        Code::Internal,
        "RESPONSE_NOT_UNDERSTOOD",
        "unknown",
        "service",
    );
    bench.upstream.push(html(200));
    let request = UnlinkActionRequest {
        trigger_name: "t".to_owned(),
        action_name: "a".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        bench
            .triggers()
            .unlink_action(request)
            .await
            .unwrap_err()
            .code(),
        Code::Internal
    );
    bench.assert_healthy().await;
}

#[tokio::test]
async fn half_a_body_may_be_half_an_error() {
    for end in [Step::Close, Step::Reset] {
        let answer = crate::support::bench::success(r#"{"payload":"abc"}"#).half(end);
        let told = invoke_against(&Bench::new().await, answer).await;
        told.assert(Code::Internal, "RESPONSE_CUT", "unknown", "network");
        assert_eq!(
            (told.metadata["http_status"].as_str(), told.pushback),
            ("200", Some(-1))
        );
    }
}

#[tokio::test]
async fn a_cut_answer_still_names_the_upstreams_request_id() {
    let answer = content("{}")
        .header("x-ncp-apigw-request-id", "req-cut")
        .half(Step::Close);
    let told = invoke_against(&Bench::new().await, answer).await;
    assert_eq!(told.request_id.as_deref(), Some("req-cut"));
}

#[tokio::test]
async fn a_length_that_lies_is_a_cut_answer_and_never_a_result() {
    let good = crate::support::bench::success(r#"{"payload":"abc"}"#);
    let told = invoke_against(
        &Bench::new().await,
        good.clone().content_length(4096).then(Step::Close),
    )
    .await;
    told.assert(Code::Internal, "RESPONSE_CUT", "unknown", "network");
    // Too short a length leaves broken JSON, and bytes that must not be taken for the next answer.
    let bench = Bench::new().await;
    bench.upstream.push(good.content_length(20));
    let told = crate::support::details::told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Internal,
        "RESPONSE_NOT_UNDERSTOOD",
        "unknown",
        "service",
    );
    bench.assert_healthy().await;
}

#[tokio::test]
async fn no_body_is_not_a_result() {
    for answer in [
        Answer::from(http(200, "")),
        Answer::from(no_content()),
        http(200, "").until_close().then(Step::Close),
    ] {
        let told = invoke_against(&Bench::new().await, answer).await;
        told.assert(
            Code::Internal,
            "RESPONSE_NOT_UNDERSTOOD",
            "unknown",
            "service",
        );
    }
}

#[tokio::test]
async fn documents_without_the_promised_content_are_not_results() {
    for body in [
        "{}",
        "null",
        "[]",
        "{\"content\":{}}",
        "{\"content\":null}",
        "{\"content\":[1]}",
        "{\"conte",
    ] {
        let told = invoke_against(&Bench::new().await, http(200, body)).await;
        assert_eq!(
            (told.code, told.reason.as_str()),
            (Code::Internal, "RESPONSE_NOT_UNDERSTOOD"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_the_limit() {
    let bench = Bench::quick("limits: {max_response_size: 1MiB}").await;
    let head = http(200, "").until_close().bytes();
    bench
        .upstream
        .push(steps([Step::Write(head), Step::Endless]));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "RESPONSE_TOO_LARGE",
        "unknown",
        "sidecar",
    );
    assert!(
        told.message.contains("limits.max_response_size"),
        "{}",
        told.message
    );
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn ten_gigabytes_announced_are_refused_before_they_are_read() {
    let bench = Bench::new().await;
    let head = http(200, "").content_length(10 << 30).bytes();
    bench.upstream.push(steps([Step::Write(head), Step::Stall]));
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::ResourceExhausted,
        "RESPONSE_TOO_LARGE",
        "unknown",
        "sidecar",
    );
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        // 303 is how a request is answered that was carried out (RFC 9110 §15.4.4).
        let execution = if status == 303 {
            "unknown"
        } else {
            "not_started"
        };
        let bench = Bench::new().await;
        let elsewhere = format!("{}/elsewhere", bench.upstream.url());
        let told = invoke_against(&bench, html(status).header("Location", &elsewhere)).await;
        told.assert(Code::Internal, "UNEXPECTED_REDIRECT", execution, "service");
        assert!(told.message.contains("base_url"), "{}", told.message);
        assert!(
            bench
                .upstream
                .received()
                .iter()
                .all(|request| !request.target().contains("elsewhere"))
        );
    }
}

#[tokio::test]
async fn an_upstream_that_never_answers_costs_the_deadline_and_no_more() {
    let bench = Bench::new().await;
    bench.upstream.push(steps([Step::Stall]));
    let began = Instant::now();
    let status = bench
        .invocations()
        .invoke(within(Duration::from_millis(400), hello()))
        .await
        .unwrap_err();
    let told = told(&status);
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn an_upstream_that_stalls_inside_the_body_costs_the_deadline_and_no_more() {
    let bench = Bench::new().await;
    bench
        .upstream
        .push(content("{\"activationId\":\"x\"}").half(Step::Stall));
    let status = bench
        .invocations()
        .invoke(within(Duration::from_millis(300), hello()))
        .await
        .unwrap_err();
    let told = told(&status);
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert!(
        told.message.contains("may still carry it out"),
        "{}",
        told.message
    );
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_attempts_time() {
    let bench = Bench::with("timeouts: {attempt: 300ms}\nretry: {max_attempts: 1}").await;
    let bytes = content("[]").bytes();
    bench
        .upstream
        .push(steps([Step::Drip(bytes, Duration::from_millis(20))]));
    let told = told(&list(&bench).await.unwrap_err());
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::DeadlineExceeded, "ATTEMPT_TIMEOUT")
    );
    bench.upstream.wait_hung_up(1).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn an_answer_in_small_pieces_is_put_together() {
    let bench = Bench::new().await;
    let bytes = content(r#"[{"name":"a"},{"name":"b"}]"#).bytes();
    bench
        .upstream
        .push(steps([Step::Drip(bytes, Duration::from_micros(10))]));
    let names: Vec<_> = list(&bench)
        .await
        .unwrap()
        .packages
        .into_iter()
        .map(|package| package.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn informational_answers_before_the_real_one_are_passed_over() {
    let bench = Bench::new().await;
    let early =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
    bench.upstream.push(steps([
        Step::Write(early),
        Step::Write(content("[]").bytes()),
    ]));
    assert!(list(&bench).await.unwrap().packages.is_empty());
}

#[tokio::test]
async fn what_is_not_http_is_a_lost_connection() {
    let bench = Bench::whole("", "retry: {max_attempts: 1}", &keys()).await;
    let told = invoke_against(
        &bench,
        steps([
            Step::Write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()),
            Step::Close,
        ]),
    )
    .await;
    assert_eq!(
        (told.code, told.execution(), told.component()),
        (Code::Unavailable, "unknown", "network")
    );
}
