//! A record that will never be there is not waited for, and the caller is told why.

use std::time::{Duration, Instant};

use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::perform;
use crate::support::answer::{Http, fault, http};

const NONE: &str = r#"{"invocations":[],"count":0,"next_marker":"0"}"#;

/// No record, and these settings of asynchronous runs.
fn without_record(clouds: &Clouds, settings: Http) {
    clouds.answer_by(move |request| {
        if request.target().contains("/async-invoke-config") {
            settings.clone()
        } else {
            http(200, NONE)
        }
    });
}

fn fss(status: u16, code: &str) -> Http {
    http(
        status,
        &format!(r#"{{"error_code":"{code}","error_msg":"x"}}"#),
    )
}

#[tokio::test]
async fn why_there_will_be_no_record_is_told_at_once() {
    let clouds = Clouds::new().await;
    for settings in [
        http(
            200,
            r#"{"max_async_retry_attempts":3,"enable_async_status_log":false}"#,
        ),
        http(200, r#"{"max_async_retry_attempts":3}"#),
        http(200, "{}"),
        fss(404, "FSS.0404"),
    ] {
        without_record(&clouds, settings.clone());
        for operation in ["GetActivation", "WatchActivation"] {
            let began = Instant::now();
            let work = perform(&clouds, Cloud::FunctionGraph, operation);
            let (told, requests) = clouds.requests_of(work).await;
            let told = told.unwrap_err();
            assert_eq!(
                (told.code, told.reason.as_str(), told.execution()),
                (Code::FailedPrecondition, "RUNS_NOT_RECORDED", "unknown"),
                "{operation} {settings:?}"
            );
            for part in [
                "enable_async_status_log",
                "PutAsyncInvokeConfig",
                "synchronous",
            ] {
                assert!(told.message.contains(part), "{}", told.message);
            }
            let asked = requests
                .iter()
                .filter(|request| request.target().contains("/async-invoke-config"));
            assert_eq!(asked.count(), 1, "{operation}");
            assert!(
                began.elapsed() < Duration::from_millis(1500),
                "{operation}: {:?}",
                began.elapsed()
            );
        }
    }
}

#[tokio::test]
async fn a_record_that_may_come_is_waited_for_and_a_doubt_is_no_reason() {
    let clouds = Clouds::new().await;
    for settings in [
        http(200, r#"{"enable_async_status_log":true}"#),
        fss(403, "FSS.0403"),
        fss(500, "FSS.0500"),
        http(404, "").body(b""),
    ] {
        without_record(&clouds, settings.clone());
        let told = perform(&clouds, Cloud::FunctionGraph, "GetActivation")
            .await
            .unwrap_err();
        assert_eq!(
            (told.code, told.reason.as_str()),
            (Code::NotFound, "ACTIVATION_NOT_FOUND"),
            "{settings:?}"
        );
        let work = perform(&clouds, Cloud::FunctionGraph, "WatchActivation");
        let (told, requests) = clouds.requests_of(work).await;
        assert_eq!(
            told.unwrap_err().code,
            Code::DeadlineExceeded,
            "{settings:?}"
        );
        let asked = requests
            .iter()
            .filter(|request| request.target().contains("/async-invoke-config"));
        assert!(
            asked.count() <= 3,
            "asked once, and an attempt may be repeated"
        );
    }
    without_record(&clouds, fss(404, "FSS.1051"));
    let told = perform(&clouds, Cloud::FunctionGraph, "GetActivation")
        .await
        .unwrap_err();
    assert_eq!(told.reason, "FUNCTION_NOT_FOUND");
    // NCP shows no record of a run that is not over: there a missing one says nothing.
    clouds.answer(fault(404, "80322", "ACTION_ACTIVATION_NOT_FOUND"));
    for cloud in [Cloud::Ncp21, Cloud::Ncp20] {
        assert_eq!(
            perform(&clouds, cloud, "GetActivation")
                .await
                .unwrap_err()
                .code,
            Code::NotFound
        );
    }
}

/// An operation of several reads was begun with the first: a later one that is refused does not
/// undo it.
#[tokio::test]
async fn a_later_read_that_is_refused_does_not_deny_the_first() {
    let clouds = Clouds::new().await;
    for operation in ["GetActivation", "WatchActivation"] {
        clouds.answer_by(|request| {
            if request.target().contains("query_begin_time") {
                fss(403, "FSS.0403")
            } else {
                http(200, NONE)
            }
        });
        let (told, requests) = clouds
            .requests_of(perform(&clouds, Cloud::FunctionGraph, operation))
            .await;
        let told = told.unwrap_err();
        assert_eq!(
            (told.code, told.execution(), requests.len()),
            (Code::PermissionDenied, "unknown", 2),
            "{operation}: {}",
            told.message
        );
        assert!(
            told.message.contains("An earlier attempt may have been"),
            "{}",
            told.message
        );
    }
}
