//! Signatures from the bytes on the wire, tokens, projects, and what follows a refusal.

use std::time::Duration;

use faas_sidecar::credentials::Agency;
use faas_sidecar::error::{Execution, Kind};
use faas_sidecar::proto::{GetActionRequest, InvokeRequest, ListActionsRequest};
use faas_sidecar::provider::Provider as _;

use crate::signature::{signed, verify};
use crate::support::*;

const GOOD: &str = r#"{"request_id":"r","result":"1","status":200}"#;

fn hello() -> InvokeRequest {
    InvokeRequest {
        action_name: "hello".to_owned(),
        ..InvokeRequest::default()
    }
}

fn get() -> GetActionRequest {
    GetActionRequest {
        action_name: "hello".to_owned(),
        ..GetActionRequest::default()
    }
}

fn token(name: &str) -> Http {
    let body = format!(
        r#"{{"token":{{"issued_at":"2024-01-02T00:00:00.000000Z","expires_at":"2024-01-03T00:00:00.000000Z","project":{{"id":"{PROJECT}","name":"{REGION}"}}}}}}"#
    );
    with(answer(201, &body), &[("X-Subject-Token", name)])
}

fn refused() -> Http {
    fault(
        401,
        "APIGW.0301",
        "Incorrect IAM authentication information: decrypt token fail",
    )
}

#[tokio::test]
async fn the_signature_fits_the_bytes_that_arrive() {
    let upstream = upstream([
        answer(200, GOOD),
        answer(200, r#"{"functions":[]}"#),
        answer(204, ""),
    ])
    .await;
    let make = Make {
        auth: keys(Some("ggpjbi1ub3J0aC00EXAMPLE+/==")),
        ..Make::default()
    };
    let provider = make.build(&upstream, &upstream);
    let request = InvokeRequest {
        version: "!prod".to_owned(),
        include_logs: true,
        memory_mb: 512,
        arguments: text(r#"{"名":"值"}"#),
        ..hello()
    };
    provider.invoke(&mut call(), request).await.unwrap();
    let list = ListActionsRequest {
        package_name: "my-app_1".to_owned(),
        ..ListActionsRequest::default()
    };
    provider.list_actions(&mut call(), list).await.unwrap();
    let delete = faas_sidecar::proto::DeleteActionRequest {
        action_name: "hello".to_owned(),
        ..Default::default()
    };
    provider.delete_action(&mut call(), delete).await.unwrap();

    let received = upstream.received();
    received.iter().for_each(verify);
    let (invoke, list, delete) = (&received[0], &received[1], &received[2]);
    assert!(
        invoke.target().ends_with("%3Ahello%3A%21prod/invocations"),
        "{}",
        invoke.line()
    );
    assert_eq!(rest(list), "?marker=0&maxitems=400&package_name=my-app_1");
    assert!(delete.body.is_empty() && delete.header("content-length").is_none());
    for name in [
        "host",
        "x-sdk-date",
        "x-project-id",
        "x-security-token",
        "content-type",
        "x-cff-request-version",
    ] {
        assert!(signed(invoke).contains(&name.to_owned()), "{name}");
    }
    // What a hop may rewrite is not signed.
    assert!(
        !signed(invoke)
            .iter()
            .any(|name| matches!(name.as_str(), "user-agent" | "accept" | "traceparent"))
    );
    assert_eq!(
        invoke.header("host"),
        Some(upstream.address().to_string().as_str())
    );
}

#[tokio::test]
async fn a_large_body_is_signed_as_well() {
    let (provider, upstream) = bench([answer(200, GOOD)]).await;
    let arguments = text(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20)));
    provider
        .invoke(
            &mut call(),
            InvokeRequest {
                arguments,
                ..hello()
            },
        )
        .await
        .unwrap();
    verify(&upstream.only());
}

#[tokio::test]
async fn every_attempt_is_signed_afresh() {
    let (provider, upstream) = bench([
        fault(503, "FSS.0503", "x"),
        answer(200, r#"{"func_name":"hello"}"#),
    ])
    .await;
    provider.get_action(&mut call(), get()).await.unwrap();
    let received = upstream.received();
    assert_eq!(received.len(), 2);
    received.iter().for_each(verify);
}

#[tokio::test]
async fn a_refused_signature_is_sent_once_and_a_wrong_key_is_held_back() {
    let upstream = upstream([]).await;
    let provider = Make {
        attempts: 10,
        ..Make::default()
    }
    .build(&upstream, &upstream);
    for _ in 0..3 {
        upstream.push(fault(
            401,
            "APIGW.0301",
            "verify aksk signature fail, canonicalRequest:GET|canary",
        ));
        let error = provider.get_action(&mut call(), get()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.reason.as_ref()),
            (Kind::Unauthenticated, "SIGNATURE_REFUSED")
        );
        assert!(!error.message.contains("canary"));
    }
    assert_eq!(upstream.received().len(), 3);
    let error = provider.get_action(&mut call(), get()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::Unauthenticated, "ACCESS_KEY_HELD_BACK")
    );
    assert_eq!(upstream.received().len(), 3);
}

fn expired(date: &str) -> Http {
    let words = "Incorrect IAM authentication information: signature expired, signature time:x, server time:y";
    with(fault(401, "APIGW.0301", words), &[("Date", date)])
}

#[tokio::test]
async fn a_signature_whose_time_was_refused_is_made_again_with_the_clouds() {
    let date = "Mon, 21 Nov 2016 08:00:00 GMT";
    let good = || with(answer(200, r#"{"func_name":"hello"}"#), &[("Date", date)]);
    let upstream = upstream([expired(date), good(), good()]).await;
    let provider = Make {
        attempts: 1,
        ..Make::default()
    }
    .build(&upstream, &upstream);
    for _ in 0..2 {
        provider.get_action(&mut call(), get()).await.unwrap();
    }
    let received = upstream.received();
    received.iter().for_each(verify);
    let signed: Vec<_> = received
        .iter()
        .map(|request| request.header("x-sdk-date").unwrap())
        .collect();
    assert!(!signed[0].starts_with("2016"));
    // The refusal shows the time to the second.
    assert!(
        signed[1..]
            .iter()
            .all(|at| at.starts_with("20161121T0800") || at.starts_with("20161121T0759"))
    );
}

#[tokio::test]
async fn refusals_that_a_wrong_clock_explains_do_not_hold_the_key_back_and_others_do() {
    // A `Date` that is no help: each call's signature is refused twice at first, then once.
    let lie = "Mon, 21 Nov 2016 08:00:00 GMT";
    let upstream = upstream([expired(lie), expired("Sun, 21 Nov 2027 08:00:00 GMT")]).await;
    let provider = Make {
        attempts: 1,
        ..Make::default()
    }
    .build(&upstream, &upstream);
    provider.get_action(&mut call(), get()).await.unwrap_err();
    assert_eq!(upstream.received().len(), 2);
    for _ in 0..4 {
        upstream.push(expired(lie));
        let error = provider.get_action(&mut call(), get()).await.unwrap_err();
        assert_eq!(error.reason, "SIGNATURE_EXPIRED");
    }
    // The words of a wrong key are no matter of the clock, whatever the date.
    for _ in 0..3 {
        let refusal = fault(401, "APIGW.0301", "verify aksk signature fail");
        upstream.push(with(refusal, &[("Date", lie)]));
        provider.get_action(&mut call(), get()).await.unwrap_err();
    }
    assert_eq!(upstream.received().len(), 9, "each was sent once");
    let error = provider.get_action(&mut call(), get()).await.unwrap_err();
    assert_eq!(error.reason, "ACCESS_KEY_HELD_BACK");
}

#[tokio::test]
async fn the_project_is_looked_up_once_by_the_regions_name() {
    let iam = upstream([answer(
        200,
        &format!(r#"{{"projects":[{{"id":"{PROJECT}","name":"{REGION}"}}]}}"#),
    )])
    .await;
    let upstream = upstream([function(), function()]).await;
    let provider = Make {
        project: None,
        ..Make::default()
    }
    .build(&upstream, &iam);
    for _ in 0..2 {
        provider.get_action(&mut call(), get()).await.unwrap();
    }
    let asked = iam.only();
    assert_eq!(
        asked.line(),
        format!("GET /v3/projects?name={REGION} HTTP/1.1")
    );
    assert_eq!(asked.header("x-project-id"), None);
    verify(&asked);
    assert!(
        upstream.received()[0]
            .target()
            .starts_with(&format!("/v2/{PROJECT}/"))
    );
}

#[tokio::test]
async fn without_one_project_the_caller_is_told_to_name_it() {
    for (body, part) in [
        (r#"{"projects":[]}"#, "no project"),
        (
            r#"{"projects":[{"id":"a","name":"cn-north-4"},{"id":"b","name":"cn-north-4"}]}"#,
            "2 projects",
        ),
    ] {
        let iam = upstream([answer(200, body)]).await;
        let provider = Make {
            project: None,
            ..Make::default()
        }
        .build(&iam, &iam);
        let error = provider.get_action(&mut call(), get()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.execution),
            (Kind::FailedPrecondition, Execution::NotStarted)
        );
        assert!(
            error.message.contains(part) && error.message.contains("project_id"),
            "{}",
            error.message
        );
    }
}

#[tokio::test]
async fn many_calls_make_one_login() {
    let iam = upstream([token("token-1")]).await;
    let upstream = upstream((0..8).map(|_| answer(200, GOOD))).await;
    let provider = Make {
        auth: login_auth(login()),
        ..Make::default()
    }
    .build(&upstream, &iam);
    let calls = (0..8).map(|_| async { provider.invoke(&mut call(), hello()).await.unwrap() });
    futures_util::future::join_all(calls).await;
    let asked = iam.only();
    assert_eq!(asked.line(), "POST /v3/auth/tokens?nocatalog=true HTTP/1.1");
    let body = asked.json();
    let user = &body["auth"]["identity"]["password"]["user"];
    assert_eq!(
        (user["name"].as_str(), user["domain"]["name"].as_str()),
        (Some("robot"), Some("acme"))
    );
    assert_eq!(body["auth"]["scope"]["project"]["id"], PROJECT);
    for request in upstream.received() {
        assert_eq!(request.header("x-auth-token"), Some("token-1"));
        assert_eq!(request.header("authorization"), None);
    }
}

#[tokio::test]
async fn a_token_names_the_project_when_nobody_else_does() {
    let iam = upstream([token("t")]).await;
    let upstream = upstream([function()]).await;
    let provider = Make {
        auth: login_auth(login()),
        project: None,
        ..Make::default()
    }
    .build(&upstream, &iam);
    provider.get_action(&mut call(), get()).await.unwrap();
    assert_eq!(
        iam.only().json()["auth"]["scope"]["project"]["name"],
        REGION
    );
    assert!(
        upstream
            .only()
            .target()
            .starts_with(&format!("/v2/{PROJECT}/"))
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_sent_once_more() {
    let iam = upstream([token("old"), token("new")]).await;
    let upstream = upstream([answer(200, GOOD), refused(), answer(200, GOOD)]).await;
    let provider = Make {
        auth: login_auth(login()),
        ..Make::default()
    }
    .build(&upstream, &iam);
    provider.invoke(&mut call(), hello()).await.unwrap();
    later(Duration::from_secs(60)).await;
    provider.invoke(&mut call(), hello()).await.unwrap();
    let tokens: Vec<_> = upstream
        .received()
        .iter()
        .map(|r| r.header("x-auth-token").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["old", "old", "new"]);
}

#[tokio::test]
async fn a_token_refused_again_ends_the_call() {
    let iam = upstream([token("old"), token("new")]).await;
    let upstream = upstream([answer(200, GOOD), refused(), refused()]).await;
    let provider = Make {
        auth: login_auth(login()),
        attempts: 10,
        ..Make::default()
    }
    .build(&upstream, &iam);
    provider.invoke(&mut call(), hello()).await.unwrap();
    later(Duration::from_secs(60)).await;
    let error = provider.invoke(&mut call(), hello()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::Unauthenticated, "TOKEN_REFUSED")
    );
    assert_eq!((upstream.received().len(), iam.received().len()), (3, 2));
    // The new token is too young to be fetched again: one attempt, and no login.
    upstream.push(refused());
    provider.invoke(&mut call(), hello()).await.unwrap_err();
    assert_eq!((upstream.received().len(), iam.received().len()), (4, 2));
}

#[tokio::test]
async fn a_refused_login_is_told_without_the_password_and_not_repeated_at_once() {
    let body = r#"{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}"#;
    let iam = upstream([answer(401, body)]).await;
    let provider = Make {
        auth: login_auth(login()),
        attempts: 10,
        ..Make::default()
    }
    .build(&iam, &iam);
    for _ in 0..3 {
        let error = provider.invoke(&mut call(), hello()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.reason.as_ref()),
            (Kind::Unauthenticated, "LOGIN_REFUSED")
        );
        assert_eq!(error.execution, Execution::NotStarted);
        assert!(!format!("{error:?}").contains("canary"));
    }
    assert_eq!(iam.received().len(), 1);
}

#[tokio::test]
async fn iam_that_fails_never_makes_a_run_look_started() {
    for broken in [answer(500, "oops"), answer(201, "{}")] {
        let iam = upstream([broken]).await;
        let provider = Make {
            auth: login_auth(login()),
            attempts: 1,
            ..Make::default()
        }
        .build(&iam, &iam);
        let error = provider.invoke(&mut call(), hello()).await.unwrap_err();
        assert_eq!(
            (error.kind, error.execution),
            (Kind::Internal, Execution::NotStarted),
            "{}",
            error.message
        );
        assert!(
            error
                .message
                .starts_with("Nothing was sent, because logging in failed."),
            "{}",
            error.message
        );
    }
}

#[tokio::test]
async fn an_agency_takes_two_steps() {
    let iam = upstream([token("own"), token("agency")]).await;
    let upstream = upstream([answer(200, GOOD)]).await;
    let agency = Some(Agency {
        name: "helper".to_owned(),
        domain: "other".to_owned(),
    });
    let auth = login_auth(faas_sidecar::credentials::Login { agency, ..login() });
    let provider = Make {
        auth,
        ..Make::default()
    }
    .build(&upstream, &iam);
    provider.invoke(&mut call(), hello()).await.unwrap();
    let steps = iam.received();
    assert_eq!(steps[0].json()["auth"]["scope"]["domain"]["name"], "acme");
    assert_eq!(steps[1].header("x-auth-token"), Some("own"));
    let second = steps[1].json();
    assert_eq!(
        second["auth"]["identity"]["assume_role"]["agency_name"],
        "helper"
    );
    assert_eq!(
        second["auth"]["identity"]["assume_role"]["domain_name"],
        "other"
    );
    assert_eq!(second["auth"]["scope"]["project"]["id"], PROJECT);
    assert_eq!(upstream.only().header("x-auth-token"), Some("agency"));
}

/// Moves the clock without waiting.
async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}
