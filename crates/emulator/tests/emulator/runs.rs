//! Running actions: waiting, parameters, sequences, concurrency, web actions.

use std::time::Duration;

use faas_emulator::ncp::Options;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, NEW, OLD, action};

const ECHO: &str = "function main(p) { return p }";
const SLOW: &str =
    "function main(p) { return new Promise((r) => setTimeout(() => r({ slept: p.ms }), p.ms)) }";

fn path(name: &str) -> String {
    format!("{NEW}/packages/-/actions/{name}")
}

#[tokio::test]
async fn the_answer_of_a_run() {
    let client = Client::new().await;
    client.deploy("echo", ECHO).await;
    let run = client
        .run(
            "echo",
            json!({"name": "kim", "big": 9_007_199_254_740_991_i64}),
        )
        .await;
    let keys: Vec<_> = run.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "activationId",
        "duration",
        "end",
        "name",
        "namespace",
        "response",
        "start",
        "subject",
    ];
    assert_eq!(keys, expected);
    let id = run["activationId"].as_str().unwrap();
    assert!(
        id.len() == 32
            && id
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
        "{id}"
    );
    assert_eq!(run["name"], "echo");
    assert_eq!(
        run["response"]["result"],
        json!({"name": "kim", "big": 9_007_199_254_740_991_i64})
    );
    let (start, end) = (run["start"].as_i64().unwrap(), run["end"].as_i64().unwrap());
    assert_eq!(run["duration"].as_i64().unwrap(), end - start);
    assert!((client.emulator.clock().now_ms() - end).abs() < 5000);
    assert_eq!(
        client.send("POST", &path("echo"), "").await.content()["response"]["result"],
        json!({})
    );
    for body in ["[]", "\"x\"", "null", "{"] {
        client
            .send("POST", &path("echo"), body)
            .await
            .refused(400, "80316");
    }
}

#[tokio::test]
async fn waiting_is_limited() {
    let client = Client::new().await;
    client.deploy("slow", SLOW).await;
    for timeout in ["-1", "60001", "x", "", "1.5"] {
        client
            .post(&format!("{}?timeout={timeout}", path("slow")), json!({}))
            .await
            .refused(400, "80000");
    }
    for timeout in [0, 100] {
        let began = Instant::now();
        let target = format!("{}?timeout={timeout}", path("slow"));
        let answer = client.post(&target, json!({"ms": 1000})).await.content();
        assert!(began.elapsed() < Duration::from_millis(900));
        assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
        let id = answer["activationId"].as_str().unwrap();
        let target = format!("{}/activations/{id}", path("slow"));
        client.get(&target).await.refused(404, "80322");
        let detail = client.detail("packages/-/actions/slow", id).await;
        assert_eq!(detail["response"]["result"], json!({"slept": 1000}));
    }
    let done = client
        .post(
            &format!("{}?timeout=60000", path("slow")),
            json!({"ms": 10}),
        )
        .await
        .content();
    assert_eq!(done["response"]["success"], true);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_end_the_run() {
    use tokio::io::AsyncWriteExt as _;
    let client = Client::new().await;
    client.deploy("slow", SLOW).await;
    let body = br#"{"ms": 200}"#;
    let head = client.head("POST", &path("slow"), body);
    let mut stream = tokio::net::TcpStream::connect(client.emulator.addr())
        .await
        .unwrap();
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .await
        .unwrap();
    stream.write_all(body).await.unwrap();
    while client.emulator.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    for _ in 0..200 {
        let list = client.get(&format!("{NEW}/activations")).await.content();
        if list["activations"][0]["status"] == "success" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the run did not end");
}

#[tokio::test]
async fn openwhisk_statuses_on_demand() {
    let client = Client::with(Options {
        openwhisk_status: true,
        ..Options::default()
    })
    .await;
    client.deploy("slow", SLOW).await;
    client
        .deploy("bad", "function main() { return { error: 'no' } }")
        .await;
    assert_eq!(
        client
            .post(&format!("{}?timeout=0", path("slow")), json!({"ms": 1}))
            .await
            .status,
        202
    );
    let bad = client.post(&path("bad"), json!({})).await;
    assert_eq!(
        (bad.status, &bad.json()["content"]["response"]["success"]),
        (502, &json!(false))
    );
    assert_eq!(
        client.post(&path("slow"), json!({"ms": 1})).await.status,
        200
    );
}

#[tokio::test]
async fn parameters_of_packages_and_actions() {
    let client = Client::new().await;
    client
        .put(
            &format!("{NEW}/packages/p"),
            json!({"parameters": {"x": "package", "p": 1}}),
        )
        .await
        .content();
    let mut body = action("nodejs:22", ECHO);
    body["parameters"] = json!({"x": "action", "a": 1});
    let target = format!("{NEW}/packages/p/actions/echo");
    client.put(&target, body).await.content();
    let result = client.post(&target, json!({})).await.content()["response"]["result"].clone();
    assert_eq!(result, json!({"x": "action", "a": 1, "p": 1}));
    let result =
        client.post(&target, json!({"x": "run"})).await.content()["response"]["result"].clone();
    assert_eq!(result, json!({"x": "run", "a": 1, "p": 1}));
}

#[tokio::test]
async fn sequences_chain() {
    let client = Client::new().await;
    client
        .deploy(
            "inc",
            "function main(p) { console.log(p.n); return { n: p.n + 1 } }",
        )
        .await;
    client
        .deploy("fail", "function main(p) { return { error: 'at ' + p.n } }")
        .await;
    let sequence =
        |components: Value| json!({"exec": {"kind": "sequence", "components": components}});
    let make = async |name: &str, components: Value| {
        let target = format!("{}?type=sequence", path(name));
        client.put(&target, sequence(components)).await.content();
    };
    make("three", json!(["-/inc", "-/inc", "-/inc"])).await;
    make("nested", json!(["-/three", "-/inc"])).await;
    make("broken", json!(["-/inc", "-/fail", "-/inc"])).await;
    let run = client.run("three", json!({"n": 1})).await;
    assert_eq!(run["response"]["result"], json!({"n": 4}));
    let detail = client
        .detail(
            "packages/-/actions/three",
            run["activationId"].as_str().unwrap(),
        )
        .await;
    let ids = detail["logs"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 3);
    let second = client
        .detail("packages/-/actions/inc", ids[1].as_str().unwrap())
        .await;
    assert_eq!(second["response"]["result"], json!({"n": 3}));
    assert!(second["logs"][0].as_str().unwrap().ends_with("stdout: 2"));
    assert_eq!(
        client.run("nested", json!({"n": 1})).await["response"]["result"],
        json!({"n": 5})
    );
    let broken = client.run("broken", json!({"n": 1})).await;
    assert_eq!(
        broken["response"],
        json!({"result": {"error": "at 2"}, "status": "application error", "success": false})
    );
    let detail = client
        .detail(
            "packages/-/actions/broken",
            broken["activationId"].as_str().unwrap(),
        )
        .await;
    assert_eq!(detail["logs"].as_array().unwrap().len(), 2);
    client.delete(&path("fail")).await;
    let gone = client.run("broken", json!({"n": 1})).await;
    assert_eq!(
        gone["response"]["result"]["error"],
        "Sequence component does not exist."
    );
}

#[tokio::test]
async fn web_actions_run_and_show_their_raw_answer() {
    let client = Client::new().await;
    let code = "function main() { return { statusCode: 201, headers: { a: 'b' }, body: 'hi' } }";
    client
        .put(
            &format!("{}?type=web", path("page")),
            action("nodejs:22", code),
        )
        .await
        .content();
    let run = client.run("page", json!({})).await;
    assert_eq!(
        run["response"]["result"],
        json!({"statusCode": 201, "headers": {"a": "b"}, "body": "hi"})
    );
}

#[tokio::test]
async fn the_old_generation_runs() {
    let client = Client::new().await;
    let mut body = action("nodejs:16", ECHO);
    body.as_object_mut().unwrap().remove("vpc");
    client
        .put(&format!("{OLD}/packages/p"), json!({}))
        .await
        .content();
    let target = format!("{OLD}/packages/p/actions/echo");
    client.put(&target, body).await.content();
    let run = client.post(&target, json!({"a": 1})).await.content();
    assert_eq!(run["name"], "echo");
    assert!(run["start"].is_i64());
    let id = run["activationId"].as_str().unwrap();
    let detail = client
        .get(&format!("{target}/activations/{id}"))
        .await
        .content();
    assert_eq!(detail["name"], "p/echo");
    assert_eq!(
        (&detail["start"], &detail["end"]),
        (&run["start"], &run["end"])
    );
    // Queries have local times all the same.
    let zone = chrono::FixedOffset::east_opt(9 * 3600).unwrap();
    let local = chrono::DateTime::from_timestamp_millis(run["start"].as_i64().unwrap()).unwrap();
    let day = local.with_timezone(&zone).format("%Y-%m-%d");
    let window = format!("start={day}T00:00:00&end={day}T23%3A59%3A59");
    let list = client
        .get(&format!("{target}/activations?{window}"))
        .await
        .content();
    assert_eq!(list["totalCount"], 1);
    client
        .get(&format!("{target}/activations?start=1714111020170"))
        .await
        .refused(400, "80000");
}

#[tokio::test]
async fn concurrency_is_limited() {
    let client = Client::with(Options {
        concurrency: 2,
        ..Options::default()
    })
    .await;
    client.deploy("slow", SLOW).await;
    let target = format!("{}?timeout=0", path("slow"));
    for _ in 0..2 {
        client.post(&target, json!({"ms": 400})).await.content();
    }
    let refused = client.post(&target, json!({"ms": 400})).await;
    refused.refused(429, "410");
    let details = refused.json()["error"]["details"].clone();
    assert!(
        details
            .as_str()
            .unwrap()
            .starts_with("Too many concurrent requests in flight"),
        "{details}"
    );
    for _ in 0..200 {
        if client.post(&target, json!({"ms": 1})).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no place came free");
}

#[tokio::test]
async fn busy_code_does_not_hold_the_server_up() {
    let client = Client::new().await;
    client
        .deploy(
            "busy",
            "function main() { const end = Date.now() + 1000; while (Date.now() < end); return {} }",
        )
        .await;
    let began = Instant::now();
    client
        .post(&format!("{}?timeout=0", path("busy")), json!({}))
        .await
        .content();
    client.get(&path("busy")).await.content();
    assert!(began.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn shutdown_ends_what_runs() {
    let client = Client::new().await;
    client.deploy("busy", "function main() { for (;;); }").await;
    client
        .post(&format!("{}?timeout=0", path("busy")), json!({}))
        .await
        .content();
    let began = Instant::now();
    client.emulator.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(2));
}
