//! Every documented error code, and every shape that errors come in.

use serde_json::json;
use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::perform;
use crate::support::answer::http;
use crate::support::details::Told;

/// What `GetAction` says to this answer.
async fn told(clouds: &Clouds, cloud: Cloud, status: u16, body: &str) -> Told {
    clouds.answer(http(status, body));
    let told = perform(clouds, cloud, "GetAction").await;
    told.err()
        .unwrap_or_else(|| panic!("{cloud:?} {status} {body}"))
}

/// Rows of `tests/conformance/*/codes.txt`: code, HTTP status, gRPC code.
fn rows(cloud: Cloud) -> impl Iterator<Item = (&'static str, u16, String)> {
    let file = if cloud.is_ncp() {
        include_str!("../conformance/ncp/codes.txt")
    } else {
        include_str!("../conformance/functiongraph/codes.txt")
    };
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut parts = line.split(' ');
            let mut next = || parts.next().unwrap();
            (next(), next().parse().unwrap(), next().replace('_', ""))
        })
}

fn document(cloud: Cloud, code: &str) -> String {
    if cloud.is_ncp() {
        json!({"error": {"errorCode": code, "message": "words of the cloud", "details": null}})
            .to_string()
    } else {
        json!({"error_code": code, "error_msg": "words of the cloud", "request_id": "r1"})
            .to_string()
    }
}

#[tokio::test]
async fn every_documented_code_has_a_row_of_its_own() {
    for cloud in [Cloud::Ncp21, Cloud::FunctionGraph] {
        let mut clouds = Clouds::new().await;
        let mut seen = 0;
        for (code, status, expected) in rows(cloud) {
            if status == 401 {
                // Refused keys are remembered.
                clouds = Clouds::new().await;
            }
            let told = told(&clouds, cloud, status, &document(cloud, code)).await;
            assert!(
                format!("{:?}", told.code).eq_ignore_ascii_case(&expected),
                "{code}: {:?} where {expected} is due",
                told.code
            );
            let minted = ["NCP_", "FSS_", "APIGW_"]
                .iter()
                .any(|prefix| told.reason.starts_with(prefix));
            assert!(!minted, "{code} has no row: {}", told.reason);
            assert_eq!(told.metadata["upstream_code"], code);
            if told.code != Code::Unauthenticated {
                assert!(
                    told.message.contains("words of the cloud"),
                    "{code}: {}",
                    told.message
                );
            }
            seen += 1;
        }
        assert!(seen > 50, "{cloud:?}: {seen} codes");
    }
}

#[tokio::test]
async fn words_reach_the_caller_whatever_their_shape_and_ids_are_no_codes() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for body in [
            json!({"code": "BWm0N3Qemn4uMAcZWY0JCy8PjTAQ191A", "error": "the words"}),
            json!({"code": 173_953, "error": "the words"}),
            json!({"code": 200, "error": "the words"}),
            json!({"error": {"message": "the words"}}),
            json!({"error": {"message": "x", "detail": "the words"}}),
            json!({"error": {"message": "x", "details": "the words"}}),
            json!({"error": {"message": "x", "details": {"error_msg": "the words"}}}),
            json!({"error": {"message": "x", "details": [{"message": "the words"}]}}),
            json!({"responseError": {"returnMessage": "the words"}}),
            json!({"error_msg": "the words"}),
            json!({"message": "<p>the\u{0} <b>words</b></p>"}),
            json!({"Fault": {"Text": "the words"}, "trace_id": "0f3c2b1a0f3c2b1a"}),
            json!(["the words"]),
            json!("the words"),
        ] {
            for (status, code) in [
                (404, Code::NotFound),
                (409, Code::FailedPrecondition),
                (500, Code::Internal),
            ] {
                let body = body.to_string();
                let told = told(&clouds, cloud, status, &body).await;
                assert_eq!(
                    told.code, code,
                    "{cloud:?} {status} {body}: {}",
                    told.reason
                );
                assert!(
                    told.message.contains("the words"),
                    "{cloud:?} {body}: {}",
                    told.message
                );
                let constant =
                    ["NOT_FOUND", "CONFLICT", "UPSTREAM_FAILED"].contains(&&*told.reason);
                assert!(constant, "{cloud:?} {body}: {}", told.reason);
            }
        }
        let told = told(&clouds, cloud, 404, "the words, as plain text").await;
        assert!(
            told.message.contains("the words, as plain text"),
            "{cloud:?}"
        );
    }
}

#[tokio::test]
async fn long_words_are_cut_and_pages_say_nothing() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for words in [
            "x".repeat(1 << 18),
            "가나다".repeat(1 << 16),
            "<b>x</b>\u{1}\u{202e}".repeat(1 << 14),
        ] {
            let body = json!({"error": {"message": words}}).to_string();
            for body in [body, words] {
                let told = told(&clouds, cloud, 400, &body).await;
                assert_eq!(told.code, Code::InvalidArgument, "{cloud:?}");
                assert!(
                    told.message.len() < 2_400,
                    "{cloud:?}: {} bytes",
                    told.message.len()
                );
                let odd = told
                    .message
                    .chars()
                    .find(|c| c.is_control() || matches!(c, '<' | '\u{202e}'));
                assert_eq!(odd, None, "{cloud:?}");
            }
        }
        let page = told(
            &clouds,
            cloud,
            404,
            "<!DOCTYPE html><html><script>canary</script><h1>canary</h1></html>",
        )
        .await;
        assert!(
            !page.message.contains("canary"),
            "{cloud:?}: {}",
            page.message
        );
    }
}

#[tokio::test]
async fn faults_of_fields_become_violations() {
    let clouds = Clouds::new().await;
    let body = json!({"error": {"errorCode": "InvalidParameter", "message": "bad",
        "fieldErrors": [{"field": "limits.timeout", "message": "too long"}, {"field": "name"}, null]}});
    let told = told(&clouds, Cloud::Ncp21, 400, &body.to_string()).await;
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::InvalidArgument, "INVALID_PARAMETER")
    );
    assert_eq!(told.fields, ["limits.timeout", "name"]);
}
