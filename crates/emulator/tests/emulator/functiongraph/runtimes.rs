//! JavaScript and Python: conventions, context, variables, archives, limits.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::client::{Client, function};

const NODE: &str = "Node.js20.15";
const PYTHON: &str = "Python3.9";

fn archive(files: &[(&str, &str)]) -> String {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = zip::ZipWriter::new(&mut bytes);
    for (name, content) in files {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    STANDARD.encode(bytes.into_inner())
}

fn zipped(name: &str, runtime: &str, handler: &str, files: &[(&str, &str)]) -> Value {
    let mut body = function(name, runtime, "");
    body["code_type"] = "zip".into();
    body["code_filename"] = "index.zip".into();
    body["handler"] = handler.into();
    body["func_code"]["file"] = archive(files).into();
    body
}

/// The inner code and the error object of a failed run.
async fn failure(client: &Client, slot: &str) -> (String, Value) {
    let answer = client.run(slot, json!({})).await;
    let error = serde_json::from_str(answer.ok()["result"].as_str().unwrap()).unwrap();
    (answer.header("x-func-err-code").unwrap().to_owned(), error)
}

#[tokio::test]
async fn javascript_by_promise_by_callback_and_plainly() {
    let client = Client::new().await;
    for (name, source) in [
        (
            "a",
            "exports.handler = async (event, context) => event.n + 1",
        ),
        (
            "b",
            "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event.n + 1), 5) }",
        ),
        (
            "c",
            "exports.handler = function (event, context, callback) { callback(null, event.n + 1) }",
        ),
        ("d", "exports.handler = (event) => event.n + 1"),
        (
            "e",
            "exports.handler = async (event, context, callback) => event.n + 1",
        ),
        (
            "f",
            "module.exports = { handler: (event) => Promise.resolve(event.n + 1) }",
        ),
    ] {
        client.deploy(name, source).await;
        assert_eq!(client.result(name, json!({"n": 1})).await, 2, "{source}");
    }
    for (name, source, message) in [
        (
            "g",
            "exports.handler = (e, c, callback) => callback(new Error('no'))",
            "no",
        ),
        (
            "h",
            "exports.handler = (e, c, callback) => callback('just text')",
            "just text",
        ),
        (
            "i",
            "exports.handler = () => { throw new Error('sync') }",
            "sync",
        ),
        (
            "j",
            "exports.handler = async () => { throw {code: 1} }",
            "{\"code\":1}",
        ),
    ] {
        client.deploy(name, source).await;
        let (code, error) = failure(&client, name).await;
        assert_eq!(
            (code.as_str(), &error["errorMessage"]),
            ("4002", &message.into()),
            "{source}"
        );
    }
}

#[tokio::test]
async fn the_context_answers_in_both_languages() {
    let client = Client::new().await;
    let javascript = "exports.handler = async (event, context) => {
        context.getLogger().info('from the logger');
        return [context.getRequestID(), context.getFunctionName(), context.getPackage(), context.getVersion(),
            context.getMemorySize(), context.getRunningTimeInSeconds(), context.getUserData('plain'),
            context.getUserData('hidden'), context.getUserData('none') ?? null, process.env.plain,
            process.env.RUNTIME_FUNC_NAME, context.getRemainingTimeInMilliSeconds()];
    }";
    let python = "import os\ndef handler(event, context):\n    context.getLogger().info('from the %s', 'logger')\n    \
        return [context.getRequestID(), context.getFunctionName(), context.getPackage(), context.getVersion(),\n        \
        context.getMemorySize(), context.getRunningTimeInSeconds(), context.getUserData('plain'),\n        \
        context.getUserData('hidden'), context.getUserData('none'), os.environ['plain'],\n        \
        os.environ['RUNTIME_FUNC_NAME'], context.getRemainingTimeInMilliSeconds()]\n";
    for (name, runtime, source) in [("js", NODE, javascript), ("py", PYTHON, python)] {
        let mut body = function(name, runtime, source);
        body["user_data"] = r#"{"plain":"p"}"#.into();
        body["encrypted_user_data"] = r#"{"hidden":"h"}"#.into();
        client.create(body).await.ok();
        let answer = client.run(name, json!({})).await;
        let envelope = answer.ok();
        let told: Value = serde_json::from_str(envelope["result"].as_str().unwrap()).unwrap();
        let expected = json!([
            envelope["request_id"],
            name,
            "default",
            "latest",
            128,
            3,
            "p",
            "h",
            null,
            "p",
            name
        ]);
        assert_eq!(
            told.as_array().unwrap()[..11],
            expected.as_array().unwrap()[..],
            "{told}"
        );
        assert!((1..=3000).contains(&told[11].as_i64().unwrap()), "{told}");
        assert!(
            envelope["log"]
                .as_str()
                .unwrap()
                .contains("INFO from the logger\n"),
            "{envelope}"
        );
    }
}

#[tokio::test]
async fn python_results_and_errors() {
    let client = Client::new().await;
    let source = "def handler(event, context):\n    print('seen')\n    if event.get('bad'):\n        raise ValueError('bad one')\n    return event.get('give')\n";
    client.create(function("py", PYTHON, source)).await.ok();
    for (give, result) in [
        (json!("text"), "text"),
        (json!({"a": 1}), "{\"a\":1}"),
        (json!(null), "null"),
        (json!([true]), "[true]"),
    ] {
        assert_eq!(
            client.run("py", json!({"give": give})).await.ok()["result"],
            result
        );
    }
    let answer = client.run("py", json!({"bad": 1})).await.ok();
    let error: Value = serde_json::from_str(answer["result"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&error["errorMessage"], &error["errorType"]),
        (&"bad one".into(), &"ValueError".into())
    );
    let trace = error["stackTrace"].as_array().unwrap();
    assert!(
        trace
            .iter()
            .any(|line| line.as_str().unwrap().contains("index.py")),
        "{trace:?}"
    );
    client
        .create(function(
            "set",
            PYTHON,
            "def handler(event, context):\n    return {1, 2}\n",
        ))
        .await
        .ok();
    assert_eq!(failure(&client, "set").await.0, "4007");
    client
        .create(function(
            "exit",
            PYTHON,
            "import os\ndef handler(event, context):\n    os._exit(3)\n",
        ))
        .await
        .ok();
    assert_eq!(failure(&client, "exit").await.0, "4002");
}

#[tokio::test]
async fn archives_begin_with_the_handlers_file() {
    let client = Client::new().await;
    let files = [
        (
            "src/main.js",
            "exports.go = async (e) => require('./part').twice(e.n)",
        ),
        ("src/part.js", "exports.twice = (n) => 2 * n"),
    ];
    client
        .create(zipped("js", NODE, "src/main.go", &files))
        .await
        .ok();
    assert_eq!(client.result("js", json!({"n": 4})).await, 8);
    let files = [
        (
            "main.py",
            "import part\ndef go(event, context):\n    return part.twice(event['n'])\n",
        ),
        ("part.py", "def twice(n):\n    return 2 * n\n"),
    ];
    client
        .create(zipped("py", PYTHON, "main.go", &files))
        .await
        .ok();
    assert_eq!(client.result("py", json!({"n": 4})).await, 8);
    client
        .create(zipped("lost", NODE, "other.go", &[("main.js", "")]))
        .await
        .ok();
    client
        .create(zipped("lost2", PYTHON, "other.go", &[("main.py", "")]))
        .await
        .ok();
    for name in ["lost", "lost2"] {
        let (code, error) = failure(&client, name).await;
        assert_eq!(code, "4001");
        assert!(
            error["errorMessage"].as_str().unwrap().contains("other"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn code_that_cannot_be_loaded() {
    let client = Client::new().await;
    for (name, runtime, source) in [
        ("a", NODE, "exports.other = 1"),
        ("b", NODE, "exports.handler = ("),
        ("c", PYTHON, "def other(): pass"),
        ("d", PYTHON, "def handler("),
        ("e", PYTHON, "raise ValueError('at import')"),
    ] {
        client.create(function(name, runtime, source)).await.ok();
        assert_eq!(failure(&client, name).await.0, "4001", "{source}");
    }
}

#[tokio::test]
async fn the_initializer_comes_first() {
    let client = Client::new().await;
    for (name, runtime, source) in [
        (
            "js",
            NODE,
            "let n = 0; exports.init = (context, callback) => { n = context.getMemorySize(); callback(null) }; exports.handler = async () => n",
        ),
        (
            "py",
            PYTHON,
            "n = 0\ndef init(context):\n    global n\n    n = context.getMemorySize()\ndef handler(event, context):\n    return n\n",
        ),
    ] {
        let mut body = function(name, runtime, source);
        body["initializer_handler"] = "index.init".into();
        client.create(body).await.ok();
        assert_eq!(client.result(name, json!({})).await, 128);
    }
    for (name, runtime, source) in [
        (
            "js2",
            NODE,
            "exports.init = async () => { throw new RangeError('not ready') }; exports.handler = async () => 1",
        ),
        (
            "py2",
            PYTHON,
            "def init(context):\n    raise RangeError('not ready')\nclass RangeError(Exception):\n    pass\ndef handler(event, context):\n    return 1\n",
        ),
    ] {
        let mut body = function(name, runtime, source);
        body["initializer_handler"] = "index.init".into();
        client.create(body).await.ok();
        let (code, error) = failure(&client, name).await;
        assert_eq!(
            (code.as_str(), &error["errorType"], &error["errorMessage"]),
            ("4009", &"RangeError".into(), &"not ready".into())
        );
    }
}

#[tokio::test]
async fn time_is_limited() {
    let client = Client::new().await;
    client
        .deploy("js", "exports.handler = async () => { for (;;); }")
        .await;
    client
        .create(function(
            "py",
            PYTHON,
            "import time\ndef handler(event, context):\n    time.sleep(60)\n",
        ))
        .await
        .ok();
    let ((js, error), (py, _)) = tokio::join!(failure(&client, "js"), failure(&client, "py"));
    assert_eq!((js.as_str(), py.as_str()), ("4010", "4010"));
    assert_eq!(
        error["errorMessage"],
        "the function timed out after 3 seconds"
    );
}

#[tokio::test]
async fn memory_is_limited() {
    let client = Client::new().await;
    client.deploy("js", "exports.handler = async () => { const a = []; for (;;) a.push(new Array(1e5).fill('x' + a.length)); }").await;
    client
        .create(function(
            "py",
            PYTHON,
            "def handler(event, context):\n    return len(bytearray(400 << 20))\n",
        ))
        .await
        .ok();
    for name in ["js", "py"] {
        let (code, error) = failure(&client, name).await;
        assert_eq!(
            (code.as_str(), &error["errorType"]),
            ("4002", &"OutOfMemory".into()),
            "{error}"
        );
    }
}
