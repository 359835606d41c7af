//! What a run came to: failures of the function are results, and JSON is exact both ways.

use faas_sidecar::proto::*;

use crate::support::answer::{content, http};
use crate::support::bench::{Bench, ID, hello, shown, success, text, value};

fn failed(status: &str, result: &str) -> String {
    format!(
        r#"{{"activationId":"{ID}","duration":3,"response":{{"result":{result},"status":"{status}","success":false}},"start":1713936450099}}"#
    )
}

#[tokio::test]
async fn a_function_that_failed_is_a_result_with_its_status() {
    let bench = Bench::new().await;
    for (word, status) in [
        ("application error", ActivationStatus::ApplicationError),
        ("action developer error", ActivationStatus::DeveloperError),
        ("whisk internal error", ActivationStatus::SystemError),
        ("APPLICATION_ERROR", ActivationStatus::ApplicationError),
        ("something new", ActivationStatus::Unspecified),
    ] {
        bench
            .upstream
            .push(content(&failed(word, r#"{"error":"no"}"#)));
        let run = bench.invoke(hello()).await.unwrap();
        assert_eq!(
            (run.status(), run.success, run.status_text.as_str()),
            (status, false, word)
        );
        assert_eq!(shown(&run.result), r#"{"error":"no"}"#);
    }
}

#[tokio::test]
async fn a_502_or_500_with_an_activation_is_a_result_and_not_an_error() {
    let bench = Bench::new().await;
    let activation = failed("action developer error", r#"{"error":"boom"}"#);
    for (status, body) in [
        (502, format!(r#"{{"content":{activation}}}"#)),
        (500, format!(r#"{{"content":{activation}}}"#)),
        (502, activation.clone()),
    ] {
        bench.upstream.push(http(status, &body));
        let run = bench.invoke(hello()).await.unwrap();
        assert_eq!(
            (run.status(), run.success),
            (ActivationStatus::DeveloperError, false),
            "{body}"
        );
    }
    // An activation id alone with an error status proves no outcome.
    bench.upstream.push(http(
        502,
        &format!(r#"{{"content":{{"activationId":"{ID}"}}}}"#),
    ));
    bench.invoke(hello()).await.unwrap_err();
    assert_eq!(bench.upstream.received().len(), 4);
}

#[tokio::test]
async fn success_is_what_the_answer_says_and_nothing_else() {
    let bench = Bench::new().await;
    for (response, status, good) in [
        (r#"{"status":"success"}"#, ActivationStatus::Success, true),
        (r#"{"success":true}"#, ActivationStatus::Success, true),
        (r#"{"success":false}"#, ActivationStatus::Unspecified, false),
        (
            r#"{"status":"success","success":false}"#,
            ActivationStatus::Unspecified,
            false,
        ),
        ("{}", ActivationStatus::Unspecified, false),
    ] {
        bench.upstream.push(content(&format!(
            r#"{{"activationId":"{ID}","response":{response}}}"#
        )));
        let run = bench.invoke(hello()).await.unwrap();
        assert_eq!((run.status(), run.success), (status, good), "{response}");
    }
}

#[tokio::test]
async fn text_goes_up_and_comes_back_byte_for_byte() {
    let bench = Bench::new().await;
    for document in [
        r#"{"big":123456789012345678901234567890,"past":9007199254740993}"#,
        r#"{"z":1,"a":2,"z":3}"#,
        "{ \"spaced\" :\n\t[ 1 , 2.0 , 1e400 , -0.0 , 1E+2 ] }",
        r#"{"escape":"\u00e9\ud83d\ude00\/","raw":"é😀/","lone":"\ud800"}"#,
        r#"{"한글":"값","":{}}"#,
    ] {
        bench.upstream.push(success(document));
        let run = bench
            .invoke(InvokeRequest {
                arguments: Some(text(document)),
                ..hello()
            })
            .await
            .unwrap();
        assert_eq!(bench.upstream.received().pop().unwrap().text(), document);
        assert_eq!(run.result, Some(text(document)));
        assert!(!run.inexact);
    }
}

#[tokio::test]
async fn results_need_not_be_objects() {
    let bench = Bench::new().await;
    for result in ["null", "[1,2]", "\"text\"", "7", "true"] {
        bench.upstream.push(success(result));
        let run = bench.invoke(hello()).await.unwrap();
        assert_eq!(shown(&run.result), result);
    }
}

#[tokio::test]
async fn a_value_goes_up_without_needless_fractions() {
    let bench = Bench::new().await;
    let document = r#"{"whole":3,"half":0.5,"minus":-2,"large":9007199254740991,"list":[1,null,true,"x"],"object":{"b":1,"a":2}}"#;
    bench.upstream.push(success(document));
    let run = bench
        .invoke(InvokeRequest {
            arguments: Some(value(document)),
            ..hello()
        })
        .await
        .unwrap();
    assert_eq!(bench.upstream.only().text(), document);
    assert_eq!(shown(&run.result), document);
    assert!(matches!(
        run.result.unwrap().encoding,
        Some(json::Encoding::Value(_))
    ));
    assert!(!run.inexact);
}

#[tokio::test]
async fn what_a_value_cannot_hold_is_told_by_inexact() {
    let bench = Bench::new().await;
    for (result, inexact) in [
        (r#"{"n":9007199254740993}"#, true),
        (r#"{"n":123456789012345678901234567890}"#, true),
        (r#"{"n":1e400}"#, true),
        (r#"{"n":0.1234567890123456789}"#, true),
        (r#"{"a":1,"a":2}"#, true),
        (r#"{"n":9007199254740992,"m":0.1,"x":1e300}"#, false),
    ] {
        bench.upstream.push(success(result));
        let request = InvokeRequest {
            result_encoding: JsonEncoding::Value.into(),
            ..hello()
        };
        let run = bench.invoke(request).await.unwrap();
        assert_eq!((run.inexact, run.success), (inexact, true), "{result}");
        bench.upstream.push(success(result));
        let run = bench.invoke(hello()).await.unwrap();
        assert_eq!((run.inexact, shown(&run.result).as_str()), (false, result));
    }
}

#[tokio::test]
async fn the_answers_arm_is_the_one_asked_for_else_that_of_the_request_else_value() {
    let bench = Bench::new().await;
    let is_text =
        |run: Activation| matches!(run.result.unwrap().encoding, Some(json::Encoding::Text(_)));
    for (arguments, asked, expected) in [
        (Some(text("{}")), JsonEncoding::Unspecified, true),
        (Some(value("{}")), JsonEncoding::Unspecified, false),
        (None, JsonEncoding::Unspecified, false),
        (Some(text("{}")), JsonEncoding::Value, false),
        (Some(value("{}")), JsonEncoding::Text, true),
        (None, JsonEncoding::Text, true),
    ] {
        bench.upstream.push(success("{}"));
        let request = InvokeRequest {
            arguments,
            result_encoding: asked.into(),
            ..hello()
        };
        assert_eq!(is_text(bench.invoke(request).await.unwrap()), expected);
    }
}

#[tokio::test]
async fn stored_parameters_are_exact_too() {
    let bench = Bench::new().await;
    let document = r#"{"n":9007199254740993,"z":1,"a":1.50}"#;
    bench.upstream.push(content(&format!(
        r#"{{"name":"p","parameters":{document}}}"#
    )));
    let request = PutPackageRequest {
        package_name: "p".to_owned(),
        parameters: Some(text(document)),
        ..PutPackageRequest::default()
    };
    let package = bench
        .packages()
        .put_package(request)
        .await
        .unwrap()
        .into_inner()
        .package
        .unwrap();
    assert_eq!(
        bench.upstream.only().text(),
        format!(r#"{{"parameters":{document}}}"#)
    );
    assert_eq!(
        (shown(&package.parameters).as_str(), package.inexact),
        (document, false)
    );
    bench.upstream.push(content(&format!(
        r#"{{"name":"p","parameters":{document}}}"#
    )));
    let request = GetPackageRequest {
        package_name: "p".to_owned(),
        ..Default::default()
    };
    let package = bench
        .packages()
        .get_package(request)
        .await
        .unwrap()
        .into_inner()
        .package
        .unwrap();
    assert!(package.inexact, "a value cannot hold 9007199254740993");
}

#[tokio::test]
async fn trailers_tell_attempts_and_the_upstreams_request_id() {
    let bench = Bench::new().await;
    bench.upstream.push(http(503, ""));
    bench.upstream.push(
        content("[]")
            .header("x-ncp-apigw-request-id", "req-2")
            .header("x-ncp-trace-id", "trace"),
    );
    let answer = bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    let trailer = |name: &str| {
        answer
            .metadata()
            .get(name)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (
            trailer("faas-attempts").as_str(),
            trailer("faas-upstream-request-id").as_str()
        ),
        ("2", "req-2")
    );
}
