//! Answers that a proxy gave, and answers that were cut: what a put, a delete and a run may say of
//! them.

use faas_sidecar::error::{Error, Execution, Kind};
use faas_sidecar::proto::exec::Code;
use faas_sidecar::proto::*;
use faas_sidecar::provider::Provider as _;

use crate::support::*;

/// A page with a good status, as captive portals and tired proxies give it.
fn page() -> Http {
    answer(200, "<html>one moment</html>").header("Content-Type", "text/html")
}

fn function() -> Http {
    answer(
        200,
        r#"{"func_name":"hello","package":"default","runtime":"Node.js18.15"}"#,
    )
}

/// A good status on the beginning of a document.
fn cut() -> Http {
    answer(200, r#"{"func_name":"hello","pack"#)
}

fn put() -> PutActionRequest {
    PutActionRequest {
        action_name: "hello".to_owned(),
        action: Some(Action {
            exec: Some(Exec {
                runtime: "Node.js18.15".to_owned(),
                main: "index.handler".to_owned(),
                code: Some(Code::Source("exports.handler = async () => 1".to_owned())),
                ..Exec::default()
            }),
            limits: Some(Limits {
                timeout: Some(prost_types::Duration {
                    seconds: 30,
                    nanos: 0,
                }),
                memory_mb: 256,
            }),
            ..Action::default()
        }),
        ..PutActionRequest::default()
    }
}

async fn put_fails(answers: Vec<Http>) -> Error {
    let (provider, _upstream) = bench(answers).await;
    provider.put_action(&mut call(), put()).await.unwrap_err()
}

#[tokio::test]
async fn a_put_that_could_only_look_did_not_start() {
    for look in [page(), cut()] {
        assert_eq!(put_fails(vec![look]).await.execution, Execution::NotStarted);
    }
    let failed = || fault(500, "FSS.0500", "x");
    let error = put_fails(vec![failed(), failed(), failed()]).await;
    assert_eq!(error.execution, Execution::NotStarted);
}

#[tokio::test]
async fn a_put_whose_code_was_not_sent_is_never_completed() {
    for changed in [page(), cut()] {
        let error = put_fails(vec![function(), changed]).await;
        assert_eq!(error.execution, Execution::Unknown);
        assert!(
            error.message.ends_with("The code was not sent."),
            "{}",
            error.message
        );
    }
}

#[tokio::test]
async fn a_page_does_not_mean_that_the_action_was_deleted() {
    let delete = DeleteActionRequest {
        action_name: "hello".to_owned(),
        ..DeleteActionRequest::default()
    };
    let (provider, _upstream) = bench([page()]).await;
    let error = provider
        .delete_action(&mut call(), delete)
        .await
        .unwrap_err();
    assert_eq!(
        (error.reason.as_ref(), error.execution),
        ("RESPONSE_NOT_UNDERSTOOD", Execution::Unknown)
    );
}

#[tokio::test]
async fn a_bare_404_does_not_mean_that_an_earlier_delete_was_carried_out() {
    let gone = fault(404, "FSS.1051", "Not found the function");
    for (last, deleted) in [(answer(404, ""), false), (gone, true)] {
        let delete = DeleteActionRequest {
            action_name: "hello".to_owned(),
            ..DeleteActionRequest::default()
        };
        let (provider, _upstream) = bench([fault(503, "FSS.0503", "x"), last]).await;
        match provider.delete_action(&mut call(), delete).await {
            Ok(_) => assert!(deleted),
            Err(error) => assert_eq!(
                (error.kind, error.execution, deleted),
                (Kind::NotFound, Execution::Unknown, false)
            ),
        }
    }
}

#[tokio::test]
async fn a_page_and_half_an_envelope_are_no_result() {
    let half = with(
        answer(200, r#"{"request_id":"r","result":"{}"#),
        &[("X-Cff-Response-Version", "v1")],
    );
    for (answered, execution) in [(page(), Execution::Unknown), (half, Execution::Completed)] {
        let (provider, _upstream) = bench([answered]).await;
        let run = InvokeRequest {
            action_name: "hello".to_owned(),
            ..InvokeRequest::default()
        };
        let error = provider.invoke(&mut call(), run).await.unwrap_err();
        assert_eq!(
            (error.reason.as_ref(), error.execution),
            ("RESPONSE_NOT_UNDERSTOOD", execution)
        );
    }
}
