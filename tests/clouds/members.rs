//! One odd member spoils nothing: every member of every sample answer is replaced by values of
//! every other kind.

use faas_sidecar::proto::{GetActionRequest, InvokeRequest};
use prost_types::Duration;
use serde_json::{Value, json};
use tonic::Code;

use crate::bench::{Cloud, Clouds};
use crate::operations::{ID, perform};
use crate::samples;
use crate::support::answer::{Http, http};
use crate::support::details::{Told, bare};

/// As JSON text, so that numbers may be larger than any that a tree holds.
const ODD: [&str; 15] = [
    "null",
    "\"\"",
    "0",
    "-1",
    "1e300",
    "1e999",
    "99999999999999999999",
    "\"x\"",
    "\"0001-01-01T00:00:00Z\"",
    "[]",
    "{}",
    "[null]",
    "true",
    r#""\ud800""#,
    r#"{"a\udfff":"\ud800"}"#,
];

/// The lists that an answer is about. Without one it is no answer, and not an empty one.
const LISTS: [&str; 7] = [
    "",
    "/functions",
    "/versions",
    "/invocations",
    "/activations",
    "/actions",
    "/triggers",
];

/// Members that say what an answer is about. Another value means another thing, which must not be
/// handed out, so that an error is right.
const IDENTITIES: [&str; 7] = [
    "name",
    "func_name",
    "func_urn",
    "package",
    "activationId",
    "request_id",
    "version",
];

/// Stands for the odd value until the document is text.
const MARK: &str = "@odd@";

fn answer(cloud: Cloud, document: &Value, odd: &str) -> Http {
    let document = if cloud.is_ncp() {
        json!({"content": document})
    } else {
        document.clone()
    };
    http(
        200,
        &document.to_string().replace(&format!("\"{MARK}\""), odd),
    )
}

/// Every member and item below the document itself, as JSON pointers.
fn places(document: &Value, at: &str, found: &mut Vec<String>) {
    let mut inner = |key: &str, value: &Value| {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(value, &place, found);
    };
    match document {
        Value::Object(members) => members.iter().for_each(|(key, value)| inner(key, value)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| inner(&at.to_string(), value)),
        _ => {}
    }
}

/// The numbers behind every `name { seconds: …, nanos: … }` of a debug text.
fn spans(text: &str, name: &str) -> Vec<(i64, i64)> {
    let begin = format!("{name} {{ seconds: ");
    text.split(&begin)
        .skip(1)
        .map(|rest| {
            let mut numbers = rest
                .split(|c: char| !c.is_ascii_digit() && c != '-')
                .filter(|part| !part.is_empty());
            let mut next = || numbers.next().unwrap().parse().unwrap();
            (next(), next())
        })
        .collect()
}

/// What the operation answers as debug text, with what a function's own settings leave out of
/// theirs.
async fn ask(clouds: &Clouds, cloud: Cloud, operation: &str) -> Result<String, Told> {
    match operation {
        // A run that is not over would be waited for.
        "Invoke" => {
            let request = InvokeRequest {
                target: cloud.target(),
                wait: cloud.is_ncp().then(Duration::default),
                ..InvokeRequest::default()
            };
            let run = clouds.invoke_with(request).await;
            return run.map(|run| format!("{run:?}"));
        }
        "GetAction" => {}
        _ => return perform(clouds, cloud, operation).await,
    }
    let request = GetActionRequest {
        target: cloud.target(),
        action_name: "hello".to_owned(),
        ..GetActionRequest::default()
    };
    let answer = clouds.actions().get_action(request).await;
    let mut action = answer
        .map_err(|status| bare(&status))?
        .into_inner()
        .action
        .unwrap();
    let graph = action.function_graph.take().unwrap_or_default();
    let times = (
        graph.last_modified,
        graph.initializer_timeout,
        graph.pre_stop_timeout,
        graph.restore_hook_timeout,
    );
    let rest = (times, graph.lts_custom_tag, graph.depend_version_list);
    Ok(format!("{action:?} {rest:?}"))
}

fn assert_valid(told: &str, of: &str) {
    for (seconds, nanos) in spans(told, "Timestamp") {
        assert!(
            (-62_135_596_800..=253_402_300_799).contains(&seconds),
            "{of}: {told}"
        );
        assert!((0..1_000_000_000).contains(&nanos), "{of}: {told}");
    }
    for (seconds, nanos) in spans(told, "Duration") {
        assert!((0..=315_576_000_000).contains(&seconds), "{of}: {told}");
        assert!((0..1_000_000_000).contains(&nanos), "{of}: {told}");
    }
}

async fn try_all(cloud: Cloud, wanted: impl Fn(&str) -> bool) {
    let clouds = Clouds::new().await;
    let (mut tried, mut times) = (0, 0);
    for (operation, document) in samples::of(cloud) {
        clouds.answer(answer(cloud, &document, ""));
        let good = ask(&clouds, cloud, operation).await;
        let good = good.unwrap_or_else(|told| panic!("{cloud:?} {operation}: {told:?}"));
        times += spans(&good, "Timestamp").len();
        assert_valid(&good, operation);
        let mut found = Vec::new();
        places(&document, "", &mut found);
        for place in found.into_iter().filter(|place| wanted(place)) {
            let is_identity = place
                .rsplit('/')
                .next()
                .is_some_and(|name| IDENTITIES.contains(&name));
            let mut document = document.clone();
            *document.pointer_mut(&place).unwrap() = Value::from(MARK);
            for odd in ODD {
                clouds.answer(answer(cloud, &document, odd));
                let told = ask(&clouds, cloud, operation).await;
                let of = format!("{cloud:?} {operation} {place} = {odd}");
                match told {
                    Ok(told) => assert_valid(&told, &of),
                    Err(told) => {
                        // A record or a package that no item is left of is not there.
                        // That a function's runs are not recorded is how a missing record is told.
                        let missing =
                            told.code == Code::NotFound || told.reason == "RUNS_NOT_RECORDED";
                        let is_gone = missing && place.matches('/').count() <= 2;
                        let is_list =
                            told.reason == "RESPONSE_NOT_UNDERSTOOD" && LISTS.contains(&&*place);
                        assert!(is_identity || is_gone || is_list, "{of}: {told:?}");
                        assert_ne!(told.reason, "SIDECAR_BUG", "{of}");
                        let kind = [Code::Internal, Code::NotFound].contains(&told.code);
                        assert!(kind || missing, "{of}: {told:?}");
                    }
                }
                tried += 1;
            }
        }
    }
    assert!(
        tried > 100 && times > 0,
        "{cloud:?}: {tried} tried, {times} times"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_odd_member_makes_an_answer_of_ncp_unreadable() {
    try_all(Cloud::Ncp21, |_| true).await;
}

/// The second generation differs in its times.
#[tokio::test(flavor = "multi_thread")]
async fn no_odd_time_makes_an_answer_of_ncp_2_0_unreadable() {
    try_all(Cloud::Ncp20, |place| {
        place.ends_with("start") || place.ends_with("end")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_odd_member_makes_an_answer_of_functiongraph_unreadable() {
    try_all(Cloud::FunctionGraph, |_| true).await;
}

/// A list with odd items around a good one.
#[tokio::test]
async fn an_odd_item_costs_itself_alone() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for (operation, document) in samples::of(cloud) {
            let list = LISTS.into_iter().find(|place| {
                operation.starts_with("List")
                    && document.pointer(place).is_some_and(Value::is_array)
            });
            let Some(list) = list else { continue };
            let mut document = document.clone();
            let items = document.pointer_mut(list).unwrap().as_array_mut().unwrap();
            items.insert(0, Value::Null);
            items.insert(0, json!({}));
            items.push(json!([7]));
            items.push(json!(7.5));
            let count = items.len();
            clouds.answer(answer(cloud, &document, ""));
            let told = ask(&clouds, cloud, operation).await;
            let told = told.unwrap_or_else(|told| panic!("{cloud:?} {operation}: {told:?}"));
            let good = ["hello", "orders", "default", "prod", "nightly", ID, "1.0"];
            assert!(
                good.iter().any(|name| told.contains(name)),
                "{cloud:?} {operation} of {count}: {told}"
            );
            assert!(
                !told.contains("name: \"\", package_name: \"-\""),
                "{cloud:?} {operation}: {told}"
            );
        }
    }
}

/// A list that is not there, or none at all, is not told as an empty one.
#[tokio::test]
async fn an_answer_without_its_list_is_not_an_empty_list() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for (operation, document) in samples::of(cloud) {
            let is_record = cloud == Cloud::FunctionGraph && operation == "GetActivation";
            let list = LISTS.into_iter().find(|place| {
                (operation.starts_with("List") || is_record)
                    && document.pointer(place).is_some_and(Value::is_array)
            });
            let Some(list) = list else { continue };
            let whole = |odd: &str| -> String {
                match list.strip_prefix('/') {
                    None => odd.to_owned(),
                    Some(name) => format!("{{\"{name}\":{odd}}}"),
                }
            };
            // INFERRED: under NCP's `content` a list of none may be left out.
            let mut none = Vec::new();
            if !cloud.is_ncp() || list.is_empty() {
                none.push("{}".to_owned());
            }
            none.extend(["7", "\"x\"", "true", "{}", "{\"a\":1}"].map(whole));
            for document in none {
                clouds.answer(answer(cloud, &Value::from(MARK), &document));
                let told = ask(&clouds, cloud, operation).await.unwrap_err();
                assert_eq!(
                    (told.code, told.reason.as_str()),
                    (Code::Internal, "RESPONSE_NOT_UNDERSTOOD"),
                    "{cloud:?} {operation} {document}"
                );
            }
            // INFERRED: Go writes a list of none as null, and may leave it out beside its count.
            let mut empty = vec![whole("[]")];
            if !list.is_empty() {
                empty.push(whole("null"));
            }
            if cloud.is_ncp() && !list.is_empty() {
                empty.push("{}".to_owned());
            } else if list == "/functions" {
                empty.push(r#"{"count":0}"#.to_owned());
            }
            for document in empty.iter().filter(|_| !is_record) {
                clouds.answer(answer(cloud, &Value::from(MARK), document));
                let told = ask(&clouds, cloud, operation).await;
                assert!(told.is_ok(), "{cloud:?} {operation} {document}: {told:?}");
            }
        }
    }
}

/// One package whose parameters nobody can read does not hide the others.
#[tokio::test]
async fn a_list_does_not_depend_on_what_it_does_not_show() {
    let clouds = Clouds::new().await;
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    for parameters in [
        r#"{"a":"\ud800"}"#,
        r#""\udc00""#,
        &format!("{{\"a\":{deep}}}"),
    ] {
        for cloud in [Cloud::Ncp21, Cloud::Ncp20] {
            let list = json!([{"name": "a", "parameters": MARK}, {"name": "b"}]);
            clouds.answer(answer(cloud, &list, parameters));
            let told = ask(&clouds, cloud, "ListPackages").await.unwrap();
            assert!(
                told.contains("name: \"a\"") && told.contains("name: \"b\""),
                "{told}"
            );
        }
    }
}

/// What cannot be read is counted wherever it stands: in an envelope, in a header.
#[tokio::test]
async fn odd_members_of_runs_are_counted() {
    let clouds = Clouds::whole("admin: \"127.0.0.1:0\"", "").await;
    let run = |body: &str, summary: &str| {
        let answer = http(200, body).header("X-Cff-Response-Version", "v1");
        answer
            .header("X-Cff-Request-Id", ID)
            .header("X-Cff-Invoke-Summary", summary)
    };
    let good = r#"{"request_id":"r","result":"1","log":"","status":200}"#;
    let summary = r#"{"duration":1}"#;
    for (body, summary, member) in [
        (
            r#"{"request_id":"r","result":"1","log":[],"status":200}"#,
            summary,
            "log",
        ),
        (
            r#"{"request_id":7,"result":"1","status":200}"#,
            summary,
            "request_id",
        ),
        (
            r#"{"request_id":"r","result":"1","status":"odd"}"#,
            summary,
            "status",
        ),
        (
            r#"{"request_id":"r","result":"1","status":200,"error_code":{}}"#,
            summary,
            "error_code",
        ),
        (good, r#"{"duration":"long"}"#, "duration"),
        (good, r#"{"memoryUsed":{}}"#, "memoryUsed"),
        (good, "no JSON", "X-Cff-Invoke-Summary"),
    ] {
        clouds.answer(run(body, summary));
        let before = clouds.unreadable(member).await;
        clouds.invoke(Cloud::FunctionGraph).await.unwrap();
        assert_eq!(
            clouds.unreadable(member).await,
            before + 1,
            "{member}: {body} {summary}"
        );
    }
    // An object of the function's own is no envelope, and nothing of it is odd.
    clouds.answer(
        http(200, r#"{"request_id":7,"status":"odd","log":[]}"#)
            .header("Content-Type", "text/plain")
            .header("X-Cff-Request-Id", ID),
    );
    let before = clouds.unreadable("status").await;
    clouds.invoke(Cloud::FunctionGraph).await.unwrap();
    assert_eq!(clouds.unreadable("status").await, before);
}

#[tokio::test]
async fn numbers_as_texts_and_texts_as_numbers_are_read() {
    let clouds = Clouds::new().await;
    for (cloud, operation, document, expected) in [
        (
            Cloud::FunctionGraph,
            "GetAsyncInvokeConfig",
            json!({"max_async_event_age_in_seconds": "3600", "max_async_retry_attempts": "3"}),
            &[
                "Duration { seconds: 3600, nanos: 0 }",
                "max_async_retry_attempts: Some(3)",
            ][..],
        ),
        (
            Cloud::FunctionGraph,
            "GetAsyncInvokeConfig",
            json!({"destination_config": {"on_success": {"destination": "OBS", "param": {"bucket": "b"}}}}),
            &[r#"param: "{\"bucket\":\"b\"}""#],
        ),
        (
            Cloud::FunctionGraph,
            "GetAction",
            json!({"func_name": "hello", "memory_size": "256", "timeout": "30", "lts_custom_tag": {"a": 1},
                "func_vpc": "", "strategy_config": "", "depend_version_list": [null, "d1"]}),
            &["memory_mb: 256", "seconds: 30", r#""a": "1""#, r#"["d1"]"#],
        ),
        (
            Cloud::Ncp21,
            "GetAction",
            json!({"name": "hello", "exec": {"kind": "nodejs:22"}, "limits": {"memory": 256, "timeout": null},
                "web": "true", "resourceId": 7}),
            &["memory_mb: 256", "resource_id: \"7\"", "type: Web"],
        ),
        (
            Cloud::Ncp21,
            "GetActivation",
            json!({"activationId": ID, "name": "hello", "logs": [null, "a", 7], "duration": "1500",
                "response": {"success": "true", "result": {}}}),
            &[
                r#"logs: ["a", "7"]"#,
                "Duration { seconds: 1, nanos: 500000000 }",
                "success: true",
            ],
        ),
    ] {
        clouds.answer(answer(cloud, &document, ""));
        let told = ask(&clouds, cloud, operation).await.unwrap();
        for part in expected {
            assert!(
                told.contains(part),
                "{cloud:?} {operation}: no {part} in {told}"
            );
        }
    }
}

#[tokio::test]
async fn zero_times_are_absent_and_zones_are_honoured() {
    let clouds = Clouds::new().await;
    let ncp = |start: Value, end: Value| {
        json!({"activationId": ID, "name": "hello", "start": start, "end": end, "duration": 0,
            "response": {"result": {}, "status": "success", "success": true}})
    };
    let record = |start: &str, end: &str| {
        json!({"invocations": [{"request_id": ID, "status": "SUCCESS", "error_code": 0, "start_time": start,
            "end_time": end}]})
    };
    let at = |seconds: i64| format!("Some(Timestamp {{ seconds: {seconds}, nanos: 0 }})");
    let known = at(1_713_936_450);
    for (cloud, operation, document, start, end) in [
        (
            Cloud::Ncp21,
            "GetTriggerActivation",
            ncp(json!(1_713_936_450_000_i64), json!(0)),
            &*known,
            "None",
        ),
        (
            Cloud::Ncp21,
            "GetTriggerActivation",
            ncp(json!("2024-04-24T05:27:30Z"), json!("0")),
            &known,
            "None",
        ),
        (
            Cloud::Ncp20,
            "GetActivation",
            ncp(
                json!("2024-04-24T14:27:30"),
                json!("2024-04-24T13:27:30+08:00"),
            ),
            &known,
            &known,
        ),
        (
            Cloud::Ncp21,
            "GetActivation",
            ncp(json!(1_713_936_450_099_000_000_i64), json!(i64::MAX)),
            "None",
            "None",
        ),
        (
            Cloud::FunctionGraph,
            "GetActivation",
            record("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            "None",
            "None",
        ),
        (
            Cloud::FunctionGraph,
            "GetActivation",
            record("2024-04-24 13:27:30+08:00", "1713936450"),
            &known,
            &known,
        ),
    ] {
        clouds.answer(answer(cloud, &document, ""));
        let told = ask(&clouds, cloud, operation).await.unwrap();
        for part in [format!("start_time: {start}"), format!("end_time: {end}")] {
            assert!(
                told.contains(&part),
                "{cloud:?} {document}: no {part} in {told}"
            );
        }
    }
}
