//! What proves a run, and what does not.

use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::{Does, ID, of, perform};
use crate::support::answer::{Http, http};
use crate::support::bench::{shown, success};

/// A good answer to a run on each cloud, with this result as JSON.
pub fn ran(cloud: Cloud, result: &str) -> Http {
    if cloud.is_ncp() {
        return success(result);
    }
    let text = serde_json::to_string(result).unwrap();
    http(
        200,
        &format!(r#"{{"request_id":"{ID}","result":{text},"log":"","status":200}}"#),
    )
    .header("X-Cff-Request-Id", ID)
    .header("X-Cff-Response-Version", "v1")
}

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

#[tokio::test]
async fn a_page_is_no_answer_to_any_operation() {
    let clouds = Clouds::new().await;
    clouds.answer(http(200, "<html><title>login</title></html>").header("Content-Type", "text/html"));
    for cloud in Cloud::ALL {
        for operation in of(cloud) {
            let told = perform(&clouds, cloud, operation.name).await;
            let told = told.err().unwrap_or_else(|| panic!("{cloud:?} {operation:?}"));
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
