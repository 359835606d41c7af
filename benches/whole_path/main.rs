//! The whole path of `Invoke`: gRPC client → the real `serve` process → a fixed HTTP upstream, all
//! over loopback sockets.
//!
//! Prints calls/s, CPU of the sidecar process a call, latency, memory, start-up time, and with
//! `--instructions` (needs valgrind) user-space instructions a call, which is the only figure
//! steady enough to compare across days.
//!
//! `cargo bench -p faas-sidecar --bench whole_path` · `-- --quick` · `-- --instructions` · `-- --case text-189B`
//!
//! `FAAS_SIDECAR` names another binary to measure, such as the image's.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measuring program"
)]
#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a measuring program"
)]

mod process;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::json::Encoding;
use faas_sidecar::proto::{InvokeRequest, Json};
use tonic::transport::Channel;

use process::Sidecar;
use upstream::Cloud;

const CONNECTIONS: usize = 4;
const STREAMS: usize = 16;

#[derive(Clone)]
struct Case {
    name: &'static str,
    request: InvokeRequest,
    /// Whose API, and so which signature.
    cloud: Cloud,
    /// Bytes of the function's result in the upstream's answer.
    result: String,
    /// Large requests are made so many times less often.
    seldom: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let only = arguments
        .iter()
        .position(|a| a == "--case")
        .and_then(|at| arguments.get(at + 1))
        .cloned();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let calls = if has("--quick") { 10_000 } else { 60_000 };
    println!("case            calls/s  CPU µs/call  p50 µs  p99 µs  RSS idle/after MiB  ready ms");
    for case in cases() {
        if only.as_deref().is_some_and(|only| only != case.name) {
            continue;
        }
        let upstream = runtime.block_on(upstream::start(case.cloud, &case.result));
        if has("--instructions") {
            instructions(&runtime, &case, &upstream);
        } else {
            measure(&runtime, &case, &upstream, calls / case.seldom);
        }
    }
}

fn cases() -> Vec<Case> {
    let small = r#"{"name":"kim","count":3,"tags":["a","b","c"],"nested":{"x":1.5,"ok":true,"none":null},"text":"The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog."}"#;
    let item = r#"{"id":12345,"name":"item name","price":12.5,"tags":["one","two"],"text":"some text that is not very long"}"#;
    let large = format!("{{\"items\":[{}]}}", vec![item; 145].join(","));
    vec![
        case("text-189B", text(small), small.to_owned()),
        case("value-189B", value(small), small.to_owned()),
        case("text-15KB", text(&large), large.clone()),
        case("value-15KB", value(&large), large),
        signed("graph-1KiB", 1 << 10, 1, small),
        signed("graph-1MiB", 1 << 20, 50, small),
    ]
}

/// A call of FunctionGraph with an access key, whose signature holds the hash of a body of this
/// size.
fn signed(name: &'static str, size: usize, seldom: u64, result: &str) -> Case {
    let arguments = format!(
        "{{\"fill\":\"{}\"}}",
        "x".repeat(size - r#"{"fill":""}"#.len())
    );
    Case {
        cloud: Cloud::FunctionGraph,
        seldom,
        ..case(name, text(&arguments), result.to_owned())
    }
}

fn case(name: &'static str, arguments: Json, result: String) -> Case {
    let request = InvokeRequest {
        action_name: "hello".to_owned(),
        arguments: Some(arguments),
        ..InvokeRequest::default()
    };
    Case {
        name,
        request,
        cloud: Cloud::Ncp,
        result,
        seldom: 1,
    }
}

fn text(json: &str) -> Json {
    Json {
        encoding: Some(Encoding::Text(json.to_owned())),
    }
}

fn value(json: &str) -> Json {
    Json {
        encoding: Some(Encoding::Value(
            faas_sidecar::json::Value::from_json(json).unwrap().0,
        )),
    }
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    case: &Case,
    upstream: &upstream::Upstream,
    calls: u64,
) {
    let sidecar = Sidecar::start(case.cloud, &upstream.url, &[]);
    let idle = sidecar.rss_mib();
    let clients = runtime.block_on(connect(sidecar.port));
    runtime.block_on(load(&clients, case, calls / 10));
    let (before, seen, began) = (sidecar.cpu(), upstream.requests(), Instant::now());
    let mut latencies = runtime.block_on(load(&clients, case, calls));
    let (elapsed, cpu) = (began.elapsed(), sidecar.cpu() - before);
    assert_eq!(
        upstream.requests() - seen,
        calls,
        "the upstream must see exactly one request a call"
    );
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "{:<14} {:>8.0} {:>12.1} {:>7} {:>7} {:>10.1} / {:<6.1} {:>8.1}",
        case.name,
        calls as f64 / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / calls as f64,
        at(0.5),
        at(0.99),
        idle,
        sidecar.rss_mib(),
        sidecar.ready.as_secs_f64() * 1e3,
    );
}

/// The slope between two loads takes start-up out.
fn instructions(runtime: &tokio::runtime::Runtime, case: &Case, upstream: &upstream::Upstream) {
    let count = |calls: u64| {
        let file = std::env::temp_dir().join(format!(
            "faas-sidecar-callgrind-{}-{calls}",
            std::process::id()
        ));
        let tool = [
            "valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            format!("--callgrind-out-file={}", file.display()),
        ];
        let sidecar = Sidecar::start(case.cloud, &upstream.url, &tool);
        let clients = runtime.block_on(connect(sidecar.port));
        runtime.block_on(load(&clients, case, calls));
        sidecar.stop();
        let total = process::callgrind_total(&file);
        let _ = std::fs::remove_file(&file);
        total
    };
    let few = 500 / case.seldom;
    let more = few * 4;
    let (start, end) = (count(few), count(few + more));
    println!(
        "{:<14} {:>8} instructions/call",
        case.name,
        (end - start) / more
    );
}

async fn connect(port: u16) -> Vec<InvocationServiceClient<Channel>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = Channel::from_shared(format!("http://127.0.0.1:{port}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        clients.push(InvocationServiceClient::new(channel).max_decoding_message_size(64 << 20));
    }
    clients
}

async fn load(
    clients: &[InvocationServiceClient<Channel>],
    case: &Case,
    calls: u64,
) -> Vec<Duration> {
    let left = Arc::new(AtomicU64::new(calls));
    let mut tasks = tokio::task::JoinSet::new();
    for client in clients {
        for _ in 0..STREAMS {
            let (mut client, request, left) =
                (client.clone(), case.request.clone(), Arc::clone(&left));
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        left.checked_sub(1)
                    })
                    .is_ok()
                {
                    let began = Instant::now();
                    let answer = client.invoke(request.clone()).await.unwrap().into_inner();
                    latencies.push(began.elapsed());
                    assert!(
                        answer
                            .activation
                            .is_some_and(|activation| activation.success)
                    );
                }
                latencies
            });
        }
    }
    tasks.join_all().await.concat()
}
