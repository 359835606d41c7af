//! No call ends because of a reload: callers all the while, as the file of a real process flips
//! between right, wrong and half-written ones.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use faas_sidecar::proto::InvokeRequest;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::time::sleep;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::support::bench::{hello, serve, text};
use crate::support::details::bare;

/// Rounds of the file; each writes a wrong one and then a right one.
const ROUNDS: usize = 24;
const CALLERS: usize = 4;

/// An upstream that answers at once, and what it was asked: call → the waits that its requests
/// named.
struct Cloud {
    url: String,
    seen: Arc<Mutex<BTreeMap<usize, Vec<u64>>>>,
    connections: Arc<AtomicUsize>,
}

impl Cloud {
    /// Every fifth call is told to try again once, every seventh that there is no such action.
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<BTreeMap<usize, Vec<u64>>>> = Arc::default();
        let connections = Arc::<AtomicUsize>::default();
        let (state, counted) = (Arc::clone(&seen), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        answer(request, Arc::clone(&state))
                    });
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            url,
            seen,
            connections,
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<BTreeMap<usize, Vec<u64>>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let wait: u64 = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("timeout="))
        .unwrap()
        .parse()
        .unwrap();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let arguments: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let call = usize::try_from(arguments["call"].as_u64().unwrap()).unwrap();
    let attempts = {
        let mut seen = seen.lock().unwrap();
        let waits = seen.entry(call).or_default();
        waits.push(wait);
        waits.len()
    };
    let (status, body) = if call.is_multiple_of(7) {
        let fault = r#"{"error":{"errorCode":"80501","message":"NOT_FOUND","details":""}}"#;
        (StatusCode::NOT_FOUND, fault.to_owned())
    } else if call % 5 == 0 && attempts == 1 {
        (StatusCode::SERVICE_UNAVAILABLE, String::new())
    } else {
        let run = format!(
            r#"{{"content":{{"activationId":"0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a","name":"hello","namespace":"n","duration":1,"start":1713936450099,"end":1713936450100,"subject":"n","response":{{"result":{{"call":{call}}},"status":"success","success":true}}}}}}"#
        );
        (StatusCode::OK, run)
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}

/// The configuration that leads `main` to a cloud; `still` is the same in all of them.
fn config(main: &Cloud, wait: &str, still: &Cloud) -> String {
    let retry =
        "retry: {initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 1000}}";
    format!(
        "listen: \"127.0.0.1:0\"\nthreads: 2\nlog: {{format: json}}\ndefault_target: main\ntargets:\n  \
         main: {{provider: ncp, base_url: \"{}\", wait: {wait}, {retry}}}\n  \
         still: {{provider: ncp, base_url: \"{}\", wait: 30s, {retry}}}\n",
        main.url, still.url
    )
}

/// As a good editor writes, and a Kubernetes volume: a new file in the place of the old.
fn replace(file: &Path, text: &str) {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text).unwrap();
    std::fs::rename(fresh, file).unwrap();
}

/// What a caller met.
#[derive(Default)]
struct Met {
    calls: usize,
    unexpected: Vec<String>,
    /// Call → generation, where an error told it.
    generations: BTreeMap<usize, u64>,
}

async fn call_all_the_while(
    channel: Channel,
    numbers: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Met {
    let mut client = InvocationServiceClient::new(channel);
    let mut met = Met::default();
    // A sidecar that is gone refuses faster than a test can count.
    while !stop.load(Ordering::SeqCst) && met.unexpected.len() < 10 {
        let call = numbers.fetch_add(1, Ordering::SeqCst);
        let target = if call.is_multiple_of(4) {
            "still"
        } else {
            "main"
        };
        let request = InvokeRequest {
            target: target.to_owned(),
            arguments: Some(text(&format!("{{\"call\":{call}}}"))),
            idempotent: true,
            ..hello()
        };
        met.calls += 1;
        // Hundreds of calls a second are load enough, and leave the other tests some room.
        sleep(Duration::from_millis(4)).await;
        match client.invoke(request).await {
            Ok(answer)
                if !call.is_multiple_of(7)
                    && answer.get_ref().activation.as_ref().unwrap().success => {}
            Err(status) if call.is_multiple_of(7) && status.code() == Code::NotFound => {
                let generation = bare(&status).metadata["config_generation"].parse().unwrap();
                met.generations.insert(call, generation);
            }
            other => met.unexpected.push(format!("call {call}: {other:?}")),
        }
    }
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_ends_because_of_a_reload_and_each_sees_one_configuration() {
    let (first, second, still) = (
        Cloud::start().await,
        Cloud::start().await,
        Cloud::start().await,
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faas.yaml");
    let good = [
        config(&first, "10s", &still),
        config(&second, "20s", &still),
    ];
    replace(&file, &good[0]);
    let process = serve(&file, &[]);
    let address = process.address.clone();
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    let (numbers, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            tokio::spawn(call_all_the_while(
                channel.clone(),
                Arc::clone(&numbers),
                Arc::clone(&stop),
            ))
        })
        .collect();

    for round in 1..=ROUNDS {
        let next = &good[round % 2];
        match round % 6 {
            // Written in two halves: the first alone is refused, or too short-lived to be seen.
            0 => {
                std::fs::write(&file, &next[..next.len() / 2]).unwrap();
                sleep(Duration::from_millis(if round % 12 == 0 { 300 } else { 5 })).await;
                std::fs::write(&file, next).unwrap();
            }
            1 => {
                replace(&file, "targets: [");
                process.hear("the configuration was refused").await;
                replace(&file, next);
            }
            2 => {
                std::fs::write(&file, format!("{next}nonsense: 1\n")).unwrap();
                process.hear("the configuration was refused").await;
                std::fs::write(&file, next).unwrap();
            }
            3 => {
                std::fs::remove_file(&file).unwrap();
                process.hear("the configuration was refused").await;
                std::fs::write(&file, next).unwrap();
            }
            4 => {
                replace(&file, "");
                process.signal("HUP");
                process.hear("the configuration was refused").await;
                replace(&file, next);
                process.signal("HUP");
            }
            _ => replace(&file, next),
        }
        let event = process.hear("reloaded").await;
        assert_eq!(event["config_generation"], round + 1);
    }
    stop.store(true, Ordering::SeqCst);

    let mut generations: BTreeMap<usize, u64> = BTreeMap::new();
    let mut calls = 0;
    for caller in callers {
        let met = caller.await.unwrap();
        assert!(met.unexpected.is_empty(), "{:#?}", met.unexpected);
        calls += met.calls;
        generations.extend(met.generations);
    }
    assert!(calls > ROUNDS * 20, "{calls} calls are no load");
    let (first_seen, second_seen) = (first.seen.lock().unwrap(), second.seen.lock().unwrap());
    assert!(!first_seen.is_empty() && !second_seen.is_empty());
    // A call that saw two configurations would ask both clouds, or one with the other's wait.
    let both: Vec<_> = first_seen
        .keys()
        .filter(|call| second_seen.contains_key(call))
        .collect();
    assert!(both.is_empty(), "{both:?}");
    for (seen, wait) in [(&first_seen, 10_000), (&second_seen, 20_000)] {
        // What has passed of the call already is taken off.
        let near = seen
            .values()
            .flatten()
            .all(|asked| (wait - 5_000..=wait).contains(asked));
        assert!(
            near,
            "{wait}: {:?}",
            seen.values().flatten().collect::<BTreeSet<_>>()
        );
    }
    // Odd generations lead to the first cloud; an error names the one that its call saw.
    let told: Vec<_> = generations
        .iter()
        .filter(|(call, _)| first_seen.contains_key(call) || second_seen.contains_key(call))
        .collect();
    assert!(
        told.len() > ROUNDS,
        "{} errors told their generation",
        told.len()
    );
    for (call, generation) in told {
        let leads_to = if generation % 2 == 1 {
            &first_seen
        } else {
            &second_seen
        };
        assert!(
            leads_to.contains_key(call),
            "call {call} of generation {generation}"
        );
    }
    // One connection a thread and call at once: what did not change was never connected anew.
    let connections = still.connections.load(Ordering::SeqCst);
    assert!(
        connections <= 2 * CALLERS,
        "{connections} connections of a target that never changed"
    );
}
