//! The page `/metrics` over HTTP while calls run: counts equal the calls made, series are bounded,
//! nothing private shows.

use std::collections::BTreeMap;
use std::time::Duration;

use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Step, content, fault, http, steps};
use crate::support::bench::{Bench, ID, hello, keys, success, text, within};
use crate::support::page;
use crate::support::upstream::{ACCESS_KEY, SECRET_KEY};

/// What one scrape said: samples by name and labels, as they are written.
pub struct Page {
    head: String,
    text: String,
    pub samples: BTreeMap<String, f64>,
}

impl Page {
    /// The page once so many calls are counted: a call is counted when the server lets it go, which
    /// may be a moment after its caller has the answer.
    pub async fn settled(bench: &Bench, calls: f64) -> Self {
        for _ in 0..500 {
            let page = Self::of(bench).await;
            if page.sum("rpc_server_call_duration_seconds_count", &[]) >= calls {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self::of(bench).await
    }

    pub async fn of(bench: &Bench) -> Self {
        Self::asked(bench, "GET", "*/*").await
    }

    async fn asked(bench: &Bench, method: &str, accept: &str) -> Self {
        let (request, accept) = (
            format!("{method} /metrics"),
            format!("accept: {accept}\r\n"),
        );
        let (head, text) = page::ask(bench.sidecar.admin().unwrap(), &request, &accept).await;
        // Refusals say something else.
        let is_page = head.starts_with("HTTP/1.1 200");
        let lines = text
            .lines()
            .filter(|line| is_page && !line.starts_with('#'));
        let samples = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        Self {
            head: head.to_lowercase(),
            samples: samples.collect(),
            text,
        }
    }

    /// The sum of all series of a name whose labels hold each of `parts`.
    fn sum(&self, name: &str, parts: &[&str]) -> f64 {
        let ours = self.samples.iter().filter(|(series, _)| {
            series.split('{').next() == Some(name) && parts.iter().all(|part| series.contains(part))
        });
        ours.map(|(_, value)| value).sum()
    }

    fn calls(&self, method: &str, status: &str) -> f64 {
        let (method, status) = (
            format!("rpc_method=\"{method}\""),
            format!("rpc_response_status_code=\"{status}\""),
        );
        self.sum(
            "rpc_server_call_duration_seconds_count",
            &[&method, &status],
        )
    }

    pub fn attempts(&self, parts: &[&str]) -> f64 {
        self.sum("http_client_request_duration_seconds_count", parts)
    }
}

const INVOKE: &str = "faas.v1.InvocationService/Invoke";

async fn watched(top: &str) -> Bench {
    let top = format!("admin: \"127.0.0.1:0\"\n{top}");
    let quick =
        "retry: {initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 100}}";
    Bench::whole(&top, quick, &keys()).await
}

#[tokio::test]
async fn counts_are_those_of_the_calls_made() {
    let bench = watched("").await;
    for _ in 0..3 {
        bench.upstream.push(success("{}"));
        bench.invoke(hello()).await.unwrap();
    }
    // One repeated attempt, then an error of the caller, then one that never left.
    bench.upstream.push(fault(429, "42900", "slow down"));
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    bench.upstream.push(fault(404, "80301", "no such action"));
    bench.invoke(hello()).await.unwrap_err();
    let wrong = InvokeRequest {
        action_name: "no/pe".to_owned(),
        ..hello()
    };
    bench.invoke(wrong).await.unwrap_err();
    let nowhere = InvokeRequest {
        target: "nowhere".to_owned(),
        ..hello()
    };
    assert_eq!(
        bench.invoke(nowhere).await.unwrap_err().code(),
        Code::NotFound
    );

    let page = Page::settled(&bench, 7.0).await;
    assert_eq!(page.calls(INVOKE, "OK"), 4.0, "{}", page.text);
    assert_eq!(page.calls(INVOKE, "NOT_FOUND"), 2.0);
    assert_eq!(page.calls(INVOKE, "INVALID_ARGUMENT"), 1.0);
    assert_eq!(
        page.sum("rpc_server_call_duration_seconds_count", &["error_type"]),
        0.0,
        "mistakes of callers are no failures of the server"
    );
    let main = "faas_sidecar_target=\"main\"";
    assert_eq!(
        page.sum("rpc_server_call_duration_seconds_count", &[main]),
        6.0,
        "one call named no target that there is"
    );
    assert_eq!(page.attempts(&["http_response_status_code=\"200\""]), 4.0);
    assert_eq!(
        page.attempts(&["http_response_status_code=\"429\"", "error_type=\"429\""]),
        1.0
    );
    assert_eq!(page.attempts(&["server_address=\"127.0.0.1\"", main]), 6.0);
    assert_eq!(bench.upstream.received().len(), 6);
    let sent: usize = bench
        .upstream
        .received()
        .iter()
        .map(|one| one.body.len())
        .sum();
    assert_eq!(
        page.sum("http_client_request_body_size_bytes_sum", &[main]),
        sent as f64
    );
    // Nothing is in flight any more, and only runs that may have happened are runs.
    assert_eq!(
        page.samples[&format!("faas_sidecar_calls_in_flight{{{main}}}")],
        0.0
    );
    assert_eq!(page.sum("http_client_active_requests", &[]), 0.0);
    let runs = |outcome: &str| {
        page.sum(
            "faas_sidecar_invocations_total",
            &[
                "faas_invoked_name=\"-/hello\"",
                &format!("outcome=\"{outcome}\""),
            ],
        )
    };
    assert_eq!(runs("success"), 4.0);
    assert_eq!(page.sum("faas_sidecar_invocations_total", &[]), 4.0);
    assert_eq!(
        page.sum("faas_sidecar_invocation_run_duration_seconds_count", &[]),
        4.0
    );
}

#[tokio::test]
async fn members_that_cannot_be_read_are_counted_by_their_names() {
    let bench = watched("").await;
    let odd = format!(
        r#"{{"content":{{"activationId":"{ID}","duration":{{}},"start":"soon","logs":[null,[]],"canary":7,
            "response":{{"result":{{}},"status":"success","success":true}}}}}}"#
    );
    for _ in 0..2 {
        bench.upstream.push(http(200, &odd));
        assert!(bench.invoke(hello()).await.unwrap().success);
    }
    let page = Page::settled(&bench, 2.0).await;
    let count = |member: &str| {
        let label = format!("member=\"{member}\"");
        let parts = ["faas_sidecar_target=\"main\"", &label];
        page.sum("faas_sidecar_unreadable_members_total", &parts)
    };
    assert_eq!(
        (count("duration"), count("start"), count("logs")),
        (2.0, 2.0, 4.0)
    );
    assert!(!page.text.contains("canary"), "{}", page.text);
}

#[tokio::test]
async fn what_is_under_way_shows_while_it_is() {
    let bench = watched("").await;
    bench.upstream.push(steps([Step::Stall]));
    let client = bench.invocations();
    let call = tokio::spawn(async move { client.clone().invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    let page = Page::of(&bench).await;
    assert_eq!(
        page.sum("faas_sidecar_calls_in_flight", &[]),
        1.0,
        "{}",
        page.text
    );
    assert_eq!(page.sum("http_client_active_requests", &[]), 1.0);
    call.abort();
    bench.upstream.wait_hung_up(1).await;
    let page = Page::settled(&bench, 1.0).await;
    assert_eq!(page.sum("faas_sidecar_calls_in_flight", &[]), 0.0);
    assert_eq!(page.calls(INVOKE, "CANCELLED"), 1.0, "{}", page.text);
    assert_eq!(page.attempts(&["error_type=\"CANCELLED\""]), 1.0);
}

#[tokio::test]
async fn failures_are_told_by_what_failed() {
    let bench = watched("").await;
    bench.upstream.push(steps([Step::Stall]));
    let late = within(Duration::from_millis(200), hello());
    let late = bench.invocations().invoke(late).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    bench.upstream.push(success("{}").half(Step::Reset));
    bench.invoke(hello()).await.unwrap_err();
    let page = Page::settled(&bench, 2.0).await;
    assert_eq!(
        page.sum(
            "rpc_server_call_duration_seconds_count",
            &[
                "rpc_response_status_code=\"DEADLINE_EXCEEDED\"",
                "error_type=\"DEADLINE_EXCEEDED\""
            ]
        ),
        1.0,
        "{}",
        page.text
    );
    assert_eq!(page.attempts(&["error_type=\"DEADLINE_EXCEEDED\""]), 1.0);
    assert_eq!(
        page.sum("faas_sidecar_invocations_total", &["outcome=\"unknown\""]),
        2.0
    );
    assert_eq!(
        page.sum(
            "faas_sidecar_invocations_total",
            &["outcome=\"answer_lost\""]
        ),
        0.0,
        "half of a good answer may be half of an error"
    );
}

#[tokio::test]
async fn a_cold_start_is_counted_and_told_to_the_caller() {
    let bench = watched("").await;
    let record = |annotations: &str| {
        content(&format!(
            r#"{{"activationId":"{ID}","annotations":{annotations},"duration":250,"name":"hello","response":{{"result":{{}},"status":"success","success":true}}}}"#
        ))
    };
    bench.upstream.push(record(
        r#"[{"key":"path","value":"n/hello"},{"key":"waitTime","value":7},{"key":"initTime","value":120}]"#,
    ));
    let cold = bench.invoke(hello()).await.unwrap();
    assert_eq!(cold.init_duration.unwrap().nanos, 120_000_000);
    // Warm, and whatever else an upstream may write there.
    for annotations in [
        "[]",
        "null",
        "7",
        r#"[{"key":"initTime","value":"soon"}]"#,
        r#"{"initTime":3}"#,
    ] {
        bench.upstream.push(record(annotations));
        let warm = bench.invoke(hello()).await.unwrap();
        assert!(
            warm.success && warm.init_duration.is_none(),
            "{annotations}"
        );
    }
    let page = Page::settled(&bench, 6.0).await;
    assert_eq!(
        page.sum("faas_sidecar_invocation_init_duration_seconds_count", &[]),
        1.0
    );
    assert_eq!(
        page.sum("faas_sidecar_invocation_init_duration_seconds_sum", &[]),
        0.12
    );
    assert_eq!(
        page.sum("faas_sidecar_invocation_run_duration_seconds_sum", &[]),
        1.5
    );
}

#[tokio::test]
async fn actions_beyond_the_bound_are_other_and_paths_that_do_not_exist_are_one() {
    let bench = watched("metrics: {max_actions: 2}").await;
    for action in ["a", "b", "c", "d", "a"] {
        bench.upstream.push(success("{}"));
        let request = InvokeRequest {
            action_name: action.to_owned(),
            ..hello()
        };
        bench.invoke(request).await.unwrap();
    }
    for path in [
        "/no.Service/Method",
        "/faas.v1.InvocationService/Nope",
        "/x/y",
    ] {
        let mut client = tonic::client::Grpc::new(bench.channel.clone());
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<InvokeRequest, InvokeResponse>::default();
        let called = client
            .unary(tonic::Request::new(hello()), path.parse().unwrap(), codec)
            .await;
        assert_eq!(called.unwrap_err().code(), Code::Unimplemented);
    }
    let page = Page::settled(&bench, 8.0).await;
    let runs = |name: &str| {
        page.sum(
            "faas_sidecar_invocations_total",
            &[&format!("faas_invoked_name=\"{name}\"")],
        )
    };
    assert_eq!(
        (runs("-/a"), runs("-/b"), runs("other")),
        (2.0, 1.0, 2.0),
        "{}",
        page.text
    );
    assert_eq!(page.sum("faas_sidecar_invocations_total", &[]), 5.0);
    assert_eq!(page.calls("_OTHER", "UNIMPLEMENTED"), 3.0);
    assert!(!page.text.contains("Nope") && !page.text.contains("no.Service"));
}

#[tokio::test]
async fn no_secret_and_no_argument_shows() {
    let bench = watched("").await;
    let request = InvokeRequest {
        arguments: Some(text(r#"{"password":"canary-argument"}"#)),
        request_id: "canary-request-id".to_owned(),
        ..hello()
    };
    bench.upstream.push(success(r#"{"token":"canary-result"}"#));
    bench.invoke(request).await.unwrap();
    bench
        .upstream
        .push(fault(500, "canary-code", "canary-message"));
    bench.invoke(hello()).await.unwrap_err();
    for accept in ["*/*", "application/openmetrics-text"] {
        let page = Page::asked(&bench, "GET", accept).await;
        for private in ["canary", ACCESS_KEY, SECRET_KEY, ID] {
            assert!(!page.text.contains(private), "{private} shows");
        }
    }
}

#[tokio::test]
async fn the_page_is_in_the_format_that_was_asked_for() {
    let bench = watched("").await;
    let plain = Page::of(&bench).await;
    assert!(plain.head.starts_with("http/1.1 200"), "{}", plain.head);
    assert!(
        plain
            .head
            .contains("content-type: text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(plain.samples.contains_key(&format!(
        "faas_sidecar_build_info{{version=\"{}\",emulator=\"true\"}}",
        env!("CARGO_PKG_VERSION")
    )));
    assert_eq!(
        plain.sum(
            "faas_sidecar_target_info",
            &[
                "faas_invoked_provider=\"naver_cloud\"",
                "faas_invoked_region=\"kr\""
            ]
        ),
        1.0
    );
    assert!(plain.sum("process_resident_memory_bytes", &[]) > 1e6);
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3";
    let open = Page::asked(&bench, "GET", accept).await;
    assert!(
        open.head
            .contains("content-type: application/openmetrics-text; version=1.0.0")
    );
    assert!(open.text.ends_with("# EOF\n"));
    let head = Page::asked(&bench, "HEAD", "*/*").await;
    assert!(head.head.starts_with("http/1.1 200") && head.text.is_empty());
    assert!(
        Page::asked(&bench, "POST", "*/*")
            .await
            .head
            .starts_with("http/1.1 405")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_share_one_registry_and_lose_no_call() {
    let bench = watched("threads: 4").await;
    for _ in 0..200 {
        bench.upstream.push(success("{}"));
    }
    let address = bench.sidecar.tcp().unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        callers.spawn(async move {
            let endpoint =
                tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
            let mut client = invocation_service_client::InvocationServiceClient::new(
                endpoint.connect().await.unwrap(),
            );
            for _ in 0..20 {
                client.invoke(hello()).await.unwrap();
            }
        });
    }
    let mut last = 0.0;
    while !callers.is_empty() {
        let page = Page::of(&bench).await;
        let calls = page.calls(INVOKE, "OK");
        assert!(calls >= last, "a counter never falls");
        last = calls;
        tokio::time::timeout(Duration::from_millis(5), callers.join_next())
            .await
            .into_iter()
            .flatten()
            .for_each(|joined| joined.unwrap());
    }
    let page = Page::settled(&bench, 200.0).await;
    assert_eq!(page.calls(INVOKE, "OK"), 200.0);
    assert_eq!(page.attempts(&[]), 200.0);
    assert_eq!(page.sum("faas_sidecar_invocations_total", &[]), 200.0);
}
