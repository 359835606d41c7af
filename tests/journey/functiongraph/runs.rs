//! Runs: results and failures, asynchronous runs with their records.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::*;

pub(super) const SLOW: &str =
    "exports.handler = (event, context, done) => setTimeout(() => done(null, 1), event.ms)";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_tells_its_result_log_and_bill() {
    let mut graph = Graph::new().await;
    graph.put("", "hello", node(GREET)).await;
    let mut request = invoke("", "hello", r#"{"name": "Kim"}"#);
    let ran = graph.run(request.clone()).await;
    assert!(ran.logs.is_empty(), "no log was asked for");
    request.include_logs = true;
    let ran = graph.run(request).await;
    assert_eq!(ran.status(), ActivationStatus::Success);
    assert_eq!(
        read(ran.result),
        json!({"greeting": "Hello, Kim", "version": "latest"})
    );
    assert!(
        ran.logs.iter().any(|line| line.contains("for Kim")),
        "{:?}",
        ran.logs
    );
    assert!(ran.duration.is_some() && ran.billed_duration.is_some() && ran.memory_used_mb > 0.0);
    assert_eq!(ran.activation_id.len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_is_a_result() {
    // Which HTTP status a failed function has no document says.
    for function_error_status in [200, 500] {
        let options = Options {
            function_error_status,
            ..Options::default()
        };
        let mut graph = Graph::open(TARGET, options).await;
        let throws = "exports.handler = async () => { throw new RangeError('on purpose') }";
        graph.put("", "throws", node(throws)).await;
        let raises = "def handler(event, context):\n    raise ValueError('on purpose')\n";
        let raises = code(
            PYTHON,
            "index.handler",
            exec::Code::Source(raises.to_owned()),
        );
        graph.put("", "raises", raises).await;
        let mut sleeps =
            node("exports.handler = (e, c, done) => setTimeout(() => done(null, 1), 20000)");
        sleeps.limits.as_mut().unwrap().timeout = Some(prost_types::Duration {
            seconds: 3,
            nanos: 0,
        });
        graph.put("", "sleeps", sleeps).await;
        for (name, told) in [
            ("throws", "on purpose"),
            ("raises", "on purpose"),
            ("sleeps", "timed out"),
        ] {
            let ran = graph.run(invoke("", name, "{}")).await;
            assert!(!ran.success, "{name}");
            assert_eq!(
                ran.status(),
                ActivationStatus::DeveloperError,
                "{name} {ran:?}"
            );
            let error = read(ran.result);
            assert!(
                error["errorMessage"]
                    .as_str()
                    .is_some_and(|text| text.contains(told)),
                "{name} {error}"
            );
        }
    }
}

pub(super) async fn recorded(graph: &mut Graph, source: &str, retries: i32) {
    graph.put("", "job", node(source)).await;
    let config = PutAsyncInvokeConfigRequest {
        action_name: "job".to_owned(),
        config: Some(AsyncInvokeConfig {
            enable_async_status_log: Some(true),
            max_async_retry_attempts: Some(retries),
            ..AsyncInvokeConfig::default()
        }),
        ..PutAsyncInvokeConfigRequest::default()
    };
    graph.actions.put_async_invoke_config(config).await.unwrap();
}

pub(super) async fn submit(graph: &mut Graph, arguments: &str) -> String {
    let request = InvokeAsyncRequest {
        action_name: "job".to_owned(),
        arguments: text(arguments),
        ..InvokeAsyncRequest::default()
    };
    let started = graph
        .runs
        .invoke_async(request)
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(started.status(), ActivationStatus::Queued);
    assert!(!started.success && started.result.is_none());
    started.activation_id
}

/// Every state that a watcher is told.
pub(super) async fn watched(graph: &mut Graph, id: &str) -> Vec<Activation> {
    let request = WatchActivationRequest {
        action_name: "job".to_owned(),
        activation_id: id.to_owned(),
        ..WatchActivationRequest::default()
    };
    let mut states = graph
        .runs
        .watch_activation(request)
        .await
        .unwrap()
        .into_inner();
    let mut seen = Vec::new();
    while let Some(state) = states.message().await.unwrap() {
        seen.push(state.activation.unwrap());
    }
    seen
}

pub(super) fn record(id: &str) -> GetActivationRequest {
    GetActivationRequest {
        action_name: "job".to_owned(),
        activation_id: id.to_owned(),
        ..GetActivationRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_run_is_followed_by_its_record() {
    let mut graph = Graph::new().await;
    recorded(&mut graph, SLOW, 0).await;
    let id = submit(&mut graph, r#"{"ms": 700}"#).await;
    let states = watched(&mut graph, &id).await;
    let last = states.last().unwrap();
    assert!(states.len() >= 2 && last.success, "{states:?}");
    let record = graph
        .runs
        .get_activation(record(&id))
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(record.status(), ActivationStatus::Success);
    assert!(record.start_time.is_some() && record.end_time.is_some() && record.result.is_none());
    let began = record.start_time.unwrap().seconds;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(
        now.abs_diff(u64::try_from(began).unwrap()) < 60,
        "{began} is not about now"
    );
    assert_eq!(record.status_text, "SUCCESS");

    let unknown = "00000000-0000-4000-8000-000000000000";
    let none = graph
        .runs
        .get_activation(self::record(unknown))
        .await
        .unwrap_err();
    assert_eq!(none.code(), tonic::Code::NotFound);
    assert!(
        none.message().contains("enable_async_status_log"),
        "{}",
        none.message()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_run_that_fails_or_is_cancelled_says_so() {
    let options = Options {
        async_retry_delay: Duration::from_millis(20),
        ..Options::default()
    };
    let mut graph = Graph::open(TARGET, options).await;
    recorded(
        &mut graph,
        "exports.handler = async () => { throw new Error('never') }",
        1,
    )
    .await;
    let id = submit(&mut graph, "{}").await;
    let last = watched(&mut graph, &id).await.pop().unwrap();
    assert_eq!(last.status(), ActivationStatus::DeveloperError, "{last:?}");
    assert!(
        last.status_text.starts_with("FAIL "),
        "{}",
        last.status_text
    );

    recorded(&mut graph, SLOW, 0).await;
    let id = submit(&mut graph, r#"{"ms": 9000}"#).await;
    loop {
        let state = graph
            .runs
            .get_activation(record(&id))
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        if state.status() == ActivationStatus::Running {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cancel = CancelActivationRequest {
        action_name: "job".to_owned(),
        activation_id: id.clone(),
        ..CancelActivationRequest::default()
    };
    graph.runs.cancel_activation(cancel).await.unwrap();
    let last = watched(&mut graph, &id).await.pop().unwrap();
    assert_eq!(last.status(), ActivationStatus::Cancelled, "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_listed_by_page() {
    let mut graph = Graph::new().await;
    recorded(&mut graph, SLOW, 0).await;
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        ids.insert(submit(&mut graph, r#"{"ms": 1}"#).await);
    }
    for id in &ids {
        watched(&mut graph, id).await;
    }
    let (mut seen, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let request = ListActivationsRequest {
            action_name: "job".to_owned(),
            page_size: 2,
            page_token: token,
            ..ListActivationsRequest::default()
        };
        let page = graph
            .runs
            .list_activations(request)
            .await
            .unwrap()
            .into_inner();
        pages += 1;
        assert!(page.activations.len() <= 2 && pages < 10);
        seen.extend(page.activations.into_iter().map(|run| run.activation_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), ids);
    let whole_account = ListActivationsRequest::default();
    let refused = graph
        .runs
        .list_activations(whole_account)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}
