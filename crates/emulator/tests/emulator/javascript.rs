//! JavaScript actions: what they may use, how they fail, their limits.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, NEW, action};

/// Deploys, runs, and hands back the response and the logs without their times.
async fn outcome(client: &Client, body: Value, params: Value) -> (Value, Vec<String>) {
    client.deploy_as("a", body).await;
    let run = client.run("a", params).await;
    let id = run["activationId"].as_str().unwrap();
    let detail = client.detail("packages/-/actions/a", id).await;
    assert_eq!(detail["response"], run["response"]);
    let logs = detail["logs"].as_array().unwrap().iter().map(|line| {
        let (time, rest) = line.as_str().unwrap().split_once(' ').unwrap();
        assert!(time.len() == 30 && time.ends_with('Z'), "{line}");
        rest.to_owned()
    });
    (run["response"].clone(), logs.collect())
}

async fn js(code: &str, params: Value) -> (Value, Vec<String>) {
    outcome(&Client::new().await, action("nodejs:22", code), params).await
}

#[track_caller]
fn error(response: &Value, status: &str) -> String {
    assert_eq!(response["status"], status, "{response}");
    assert_eq!(response["success"], false);
    response["result"]["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn entry_points() {
    for code in [
        "function main(p) { return { x: p.x + 1 } }",
        "const main = (p) => ({ x: p.x + 1 })",
        "exports.main = (p) => ({ x: p.x + 1 })",
        "module.exports = function (p) { return { x: p.x + 1 } }",
        "module.exports.main = async (p) => ({ x: p.x + 1 })",
        "globalThis.main = (p) => new Promise((done) => done({ x: p.x + 1 }))",
        "async function main(p) { await new Promise((r) => setTimeout(r, 20)); return { x: p.x + 1 } } // end",
    ] {
        let (response, _) = js(code, json!({"x": 1})).await;
        assert_eq!(
            response,
            json!({"result": {"x": 2}, "status": "success", "success": true}),
            "{code}"
        );
    }
    let mut body = action("nodejs:22", "const tools = { go: () => ({ ok: 1 }) }");
    body["exec"]["main"] = "tools.go".into();
    let (response, _) = outcome(&Client::new().await, body, json!({})).await;
    assert_eq!(response["result"], json!({"ok": 1}));
}

#[tokio::test]
async fn console_becomes_log_lines() {
    let code = r#"function main() {
        console.log('a', 1, { b: [1, 'x'], c: null }, true);
        console.error('to %s %d', 'err', 5);
        console.info('two\nlines');
        console.warn(new Map([[1, 2]]));
        process.stdout.write('raw\n');
    }"#;
    let (response, logs) = js(code, json!({})).await;
    assert_eq!(response["result"], json!({}));
    assert_eq!(
        logs,
        [
            "stdout: a 1 { b: [ 1, 'x' ], c: null } true",
            "stderr: to err 5",
            "stdout: two",
            "stdout: lines",
            "stderr: Map(1) { 1 => 2 }",
            "stdout: raw",
        ]
    );
}

#[tokio::test]
async fn what_node_offers() {
    let code = r#"const { promisify } = require('node:util');
    async function main() {
        const order = [];
        const stop = setInterval(() => order.push('i'), 5);
        setTimeout(() => order.push('never'), 1).unref && clearTimeout(setTimeout(() => order.push('x'), 1));
        await new Promise((done) => setTimeout(done, 30, 'arg'));
        clearInterval(stop);
        await promisify((text, done) => done(null, text))('p');
        return {
            ticks: order.filter((o) => o === 'i').length > 1, x: order.includes('x'),
            b64: Buffer.from('안녕').toString('base64'), back: Buffer.from('7JWI64WV', 'base64').toString(),
            hex: Buffer.from([1, 255]).toString('hex'), json: Buffer.from('a'), size: Buffer.byteLength('é'),
            joined: Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString(), atob: atob(btoa('hi')),
            id: process.env.__OW_ACTIVATION_ID.length, name: process.env.__OW_ACTION_NAME, path: process.env.PATH,
            version: process.version, url: typeof URL, text: new TextDecoder().decode(new TextEncoder().encode('한')),
        };
    }"#;
    let (response, _) = js(code, json!({})).await;
    let result = &response["result"];
    assert_eq!(result["ticks"], true, "{response}");
    assert_eq!(result["x"], false);
    assert_eq!(result["b64"], "7JWI64WV");
    assert_eq!(result["back"], "안녕");
    assert_eq!(result["hex"], "01ff");
    assert_eq!(result["json"], json!({"type": "Buffer", "data": [97]}));
    assert_eq!(result["size"], 2);
    assert_eq!(result["joined"], "ab");
    assert_eq!(result["atob"], "hi");
    assert_eq!(result["id"], 32);
    assert_eq!(result["name"], "/LocEmu/a");
    assert_eq!(
        result.get("path"),
        None,
        "the machine's environment stays outside"
    );
    assert_eq!(result["version"], "v22.0.0");
    assert_eq!(result["text"], "한");
}

#[tokio::test]
async fn failures() {
    let (response, logs) = js("function main() { throw new TypeError('boom') }", json!({})).await;
    assert_eq!(
        error(&response, "action developer error"),
        "An error has occurred: TypeError: boom"
    );
    assert!(logs[0].starts_with("stderr: TypeError: boom"), "{logs:?}");
    let (response, _) = js("function main() { throw undefined }", json!({})).await;
    assert_eq!(
        error(&response, "action developer error"),
        "An error has occurred: undefined"
    );
    let (response, _) = js("function main() { return Promise.reject() }", json!({})).await;
    assert_eq!(response["result"], json!({"error": {}}));
    let (response, _) = js(
        "function main() { return { error: { code: 7 } } }",
        json!({}),
    )
    .await;
    error(&response, "application error");
    assert_eq!(response["result"], json!({"error": {"code": 7}}));
    let (response, _) = js(
        "async function main() { throw new Error('late') }",
        json!({}),
    )
    .await;
    error(&response, "application error");
    assert_eq!(response["result"]["error"]["message"], "late");
    let (response, _) = js("function main() { return Promise.reject('no') }", json!({})).await;
    assert_eq!(error(&response, "application error"), "no");
    for value in ["5", "'text'", "null", "[1]", "() => 1"] {
        let (response, _) = js(&format!("function main() {{ return {value} }}"), json!({})).await;
        let why = error(&response, "action developer error");
        assert_eq!(why, "The action did not return a dictionary.", "{value}");
    }
    for (code, part) in [
        (
            "function main() { const a = {}; a.a = a; return a }",
            "valid JSON response: TypeError",
        ),
        (
            "function main() { return { a: 1n } }",
            "valid JSON response: TypeError",
        ),
        (
            "function main( {",
            "Initialization has failed due to: SyntaxError",
        ),
        ("const x = 1", "Action entrypoint 'main' is not a function."),
        (
            "throw new Error('early')",
            "Initialization has failed due to: Error: early",
        ),
        (
            "const fs = require('fs'); function main() {}",
            "Cannot find module 'fs'",
        ),
        ("function main() { process.exit(1) }", "exited unexpectedly"),
        (
            "function main() { return new Promise(() => setTimeout(() => { throw 1 }, 1)) }",
            "exited unexpectedly",
        ),
        ("function main() { return main() }", "RangeError"),
    ] {
        let (response, _) = js(code, json!({})).await;
        let why = error(&response, "action developer error");
        assert!(why.contains(part), "{code}: {why}");
    }
    let (response, _) = js(
        "async function main() { await fetch('http://x') }",
        json!({}),
    )
    .await;
    error(&response, "application error");
}

#[tokio::test]
async fn time_limits() {
    let client = Client::new().await;
    let late = "The action exceeded its time limits of 500 milliseconds.";
    for (code, expected) in [
        ("function main() { for (;;) {} }", late),
        ("async function main() { for (;;) await null }", late),
        (
            "function main() { try { for (;;) {} } catch (e) { return {} } finally { for (;;) {} } }",
            late,
        ),
        ("function main() { return new Promise(() => {}) }", late),
        (
            "function main() { return new Promise((r) => setTimeout(r, 60000)) }",
            late,
        ),
        (
            "for (;;) {}",
            "The action exceeded its time limits of 500 milliseconds during initialization.",
        ),
    ] {
        let mut body = action("nodejs:22", code);
        body["limits"]["timeout"] = 500.into();
        let began = Instant::now();
        let (response, _) = outcome(&client, body, json!({})).await;
        assert_eq!(
            error(&response, "action developer error"),
            expected,
            "{code}"
        );
        assert!(began.elapsed() < Duration::from_secs(3), "{code}");
    }
}

#[tokio::test]
async fn memory_limits() {
    let client = Client::new().await;
    for code in [
        "function main() { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)) }",
        "function main() { const all = {}; for (let i = 0; ; i++) all['k' + i] = [i] }",
        "async function main() { await null; const all = []; for (;;) all.push({ a: [1, 2, 3] }) }",
        "async function main() { globalThis.all = []; for (;;) { all.push('x'.repeat(1000)); await 1 } }",
        "function main() { const all = []; return new Promise(() => setInterval(() => { for (;;) all.push([1]) }, 1)) }",
        "const all = []; for (;;) all.push('x'.repeat(1 << 20)); function main() {}",
    ] {
        let (response, _) = outcome(&client, action("nodejs:22", code), json!({})).await;
        let why = error(&response, "action developer error");
        assert!(
            why.contains("The action exhausted its memory"),
            "{code}: {why}"
        );
    }
    let roomy =
        "function main() { const b = new Uint8Array(64 << 20).fill(1); return { n: b.length } }";
    let (response, _) = outcome(&client, action("nodejs:22", roomy), json!({})).await;
    assert_eq!(response["result"]["n"], 64 << 20);
}

#[tokio::test]
async fn long_results_and_logs() {
    let client = Client::new().await;
    let (response, _) = outcome(
        &client,
        action(
            "nodejs:22",
            "function main() { return { x: '한'.repeat(400000) } }",
        ),
        json!({}),
    )
    .await;
    let why = error(&response, "action developer error");
    assert!(
        why.contains("exceeded the allowed length: 1200008 > 1048576 bytes"),
        "{}",
        &why[..200]
    );
    assert!(why.len() < 2000);
    let code = "function main() { for (let i = 0; i < 2000; i++) console.log('x'.repeat(1000)); return { ok: 1 } }";
    let (response, logs) = outcome(&client, action("nodejs:22", code), json!({})).await;
    assert_eq!(response["success"], true);
    let last = logs.last().unwrap();
    assert!(
        last.contains("Logs were truncated because the total bytes size exceeds"),
        "{last}"
    );
    assert_eq!(logs.len(), (1 << 20) / 1001 + 1);
}

fn zipped(files: &[(&str, &str)]) -> String {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    STANDARD.encode(writer.finish().unwrap().into_inner())
}

#[tokio::test]
async fn archives() {
    let client = Client::new().await;
    let archive = |files: &[(&str, &str)]| {
        let mut body = action("nodejs:22", &zipped(files));
        body["exec"]["binary"] = true.into();
        body
    };
    let index = [
        (
            "index.js",
            "const { add } = require('./lib/add'); exports.main = (p) => ({ n: add(p.n), v: require('dep').v })",
        ),
        (
            "lib/add.js",
            "const one = require('../one.json'); exports.add = (n) => n + one.value",
        ),
        ("one.json", "{\"value\": 1}"),
        ("node_modules/dep/package.json", "{\"main\": \"./start\"}"),
        ("node_modules/dep/start.js", "module.exports = { v: 9 }"),
    ];
    let (response, _) = outcome(&client, archive(&index), json!({"n": 4})).await;
    assert_eq!(response["result"], json!({"n": 5, "v": 9}), "{response}");
    let package = [
        ("package.json", "{\"main\": \"src/app.js\"}"),
        ("src/app.js", "exports.main = () => ({ ok: true })"),
    ];
    let (response, _) = outcome(&client, archive(&package), json!({})).await;
    assert_eq!(response["result"], json!({"ok": true}), "{response}");
    let (response, _) = outcome(&client, archive(&[("readme.txt", "x")]), json!({})).await;
    assert!(error(&response, "action developer error").contains("index.js"));
    let mut body = action("nodejs:22", &STANDARD.encode("no zip"));
    body["exec"]["binary"] = true.into();
    let (response, _) = outcome(&client, body, json!({})).await;
    assert!(error(&response, "action developer error").contains("not a zip archive"));
}

#[tokio::test]
async fn other_runtimes_are_taken_but_not_run() {
    let client = Client::new().await;
    for runtime in ["php:7.3", "go:1.19", "swift:3.1.1", "brandnew:1"] {
        let (response, _) = outcome(&client, action(runtime, "x"), json!({})).await;
        let why = error(&response, "action developer error");
        assert!(
            why.contains("runs nodejs and python only") && why.contains(runtime),
            "{why}"
        );
    }
    let image = json!({
        "limits": {"timeout": 500, "memory": 128},
        "exec": {"kind": "custom image", "imageUri": "registry/image:1", "binary": false, "code": "x", "main": "main"},
        "vpc": [{"vpcNo": 1, "subnetNo": 2}],
    });
    client
        .put(&format!("{NEW}/packages/-/actions/image"), image)
        .await
        .content();
    let run = client.run("image", json!({})).await;
    assert!(error(&run["response"], "action developer error").contains("custom image"));
}
