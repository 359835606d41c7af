//! Every limit of an action from both sides: the last value that a cloud's documents allow goes
//! through the sidecar into the emulated cloud, the first beyond is refused with its field, the
//! rule and what to do, before anything is sent.

use prost_types::Duration;

use crate::action_service_client::ActionServiceClient;
use crate::*;

const TARGETS: &str = "  kr: {provider: ncp}\n  old: {provider: ncp, api_version: \"2.0\"}\n  \
                       graph: {provider: functiongraph, region: cn-north-4}\ndefault_target: kr";

/// A change of a good action, and where it is refused the field and words of the sentence.
struct Row {
    target: &'static str,
    action: Action,
    refused: Option<(&'static str, &'static str)>,
}

fn base(target: &str) -> Action {
    let (runtime, main) = if target == "graph" {
        ("Node.js20.15", "index.handler")
    } else {
        ("nodejs:22", "main")
    };
    let mut action = javascript("exports.handler = () => ({}); function main() { return {}; }");
    let exec = action.exec.as_mut().unwrap();
    (exec.runtime, exec.main) = (runtime.to_owned(), main.to_owned());
    if target != "kr" {
        // 2.0 is on Classic.
        action.vpc.clear();
    }
    if target == "graph" {
        action.function_graph = Some(FunctionGraphAction::default());
    }
    action
}

/// The same change with several values: those that pass, and those that are refused with this field
/// and these words.
fn both<T: Copy, const N: usize, const M: usize>(
    target: &'static str,
    change: impl Fn(&mut Action, T),
    good: [T; N],
    bad: [T; M],
    refused: (&'static str, &'static str),
) -> Vec<Row> {
    let row = |value, refused| {
        let mut action = base(target);
        change(&mut action, value);
        Row {
            target,
            action,
            refused,
        }
    };
    let good = good.map(|value| row(value, None));
    let bad = bad.map(|value| row(value, Some(refused)));
    good.into_iter().chain(bad).collect()
}

fn graph(action: &mut Action) -> &mut FunctionGraphAction {
    action.function_graph.as_mut().unwrap()
}

fn limits(action: &mut Action) -> &mut Limits {
    action.limits.as_mut().unwrap()
}

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn millis(millis: i32) -> Option<Duration> {
    Some(Duration {
        seconds: i64::from(millis / 1000),
        nanos: millis % 1000 * 1_000_000,
    })
}

fn ncp() -> Vec<Row> {
    let mut rows = Vec::new();
    for target in ["kr", "old"] {
        rows.extend(both(
            target,
            |action, value| limits(action).timeout = millis(value),
            [500, 300_000],
            [499, 300_001],
            ("action.limits.timeout", "500 to 300000 whole milliseconds"),
        ));
        rows.extend(both(
            target,
            |action, length| action.description = "d".repeat(length),
            [3000],
            [3001],
            ("action.description", "the limit is 3000 bytes"),
        ));
        rows.extend(both(
            target,
            |action, length| {
                action.parameters = text(&format!("{{\"a\":\"{}\"}}", "p".repeat(length - 8)));
            },
            [1 << 20],
            [(1 << 20) + 1],
            ("action.parameters", "the limit is 1048576 bytes"),
        ));
    }
    rows.extend(both(
        "kr",
        |action, memory| limits(action).memory_mb = memory,
        [128, 256, 512, 1024],
        [129, 127, 2048],
        ("action.limits.memory_mb", "must be 128, 256, 512 or 1024"),
    ));
    rows.extend(both(
        "old",
        |action, memory| limits(action).memory_mb = memory,
        [128, 129, 768, 1024],
        [127, 1025],
        ("action.limits.memory_mb", "must be from 128 to 1024"),
    ));
    rows
}

fn functiongraph() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(both(
        "graph",
        |action, value| limits(action).timeout = seconds(value),
        [3, 259_200],
        [2, 259_201],
        ("action.limits.timeout", "3 to 259200"),
    ));
    rows.extend(both(
        "graph",
        |action, memory| limits(action).memory_mb = memory,
        [128, 768, 4096],
        [129, 0, 20_480],
        ("action.limits.memory_mb", "must be one of 128"),
    ));
    rows.extend(both(
        "graph",
        |action, dynamic| {
            limits(action).memory_mb = 10_240;
            graph(action).enable_dynamic_memory = Some(dynamic);
        },
        [true],
        [false],
        (
            "action.limits.memory_mb",
            "needs function_graph.enable_dynamic_memory",
        ),
    ));
    rows.extend(both(
        "graph",
        |action, value| {
            graph(action).initializer_handler = "index.init".to_owned();
            graph(action).initializer_timeout = seconds(value);
        },
        [1, 300, 301, 259_200],
        [0, 259_201],
        ("action.function_graph.initializer_timeout", "1 to 259200"),
    ));
    rows.extend(both(
        "graph",
        |action, value| {
            graph(action).pre_stop_handler = "index.stop".to_owned();
            graph(action).pre_stop_timeout = seconds(value);
        },
        [1, 90],
        [0, 91],
        ("action.function_graph.pre_stop_timeout", "1 to 90"),
    ));
    rows.extend(both(
        "graph",
        |action, value| {
            graph(action).restore_hook_handler = "index.restore".to_owned();
            graph(action).restore_hook_timeout = seconds(value);
        },
        [1, 300],
        [0, 301],
        ("action.function_graph.restore_hook_timeout", "1 to 300"),
    ));
    rows.extend(both(
        "graph",
        |action, length| action.description = "é".repeat(length),
        [512],
        [513],
        ("action.description", "the limit is 512"),
    ));
    rows.extend(both(
        "graph",
        |action, length| {
            action.exec.as_mut().unwrap().main = format!("{}.h", "h".repeat(length - 2));
        },
        [3, 128],
        [2, 129],
        ("action.exec.main", "must have 3 to 128"),
    ));
    rows.extend(both(
        "graph",
        |action, length| {
            let source = format!("// {}", "x".repeat(length - 3));
            action.exec.as_mut().unwrap().code = Some(exec::Code::Source(source));
        },
        [10 << 10],
        [(10 << 10) + 1],
        ("action.exec.source", "inline source may have 10240"),
    ));
    rows.extend(more_of_functiongraph());
    rows
}

fn more_of_functiongraph() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(both(
        "graph",
        // Counted in characters, and not in bytes.
        |action, length| {
            graph(action).user_data = text(&format!("{{\"a\":\"{}\"}}", "é".repeat(length - 8)));
        },
        [4096],
        [4097],
        ("action.function_graph.user_data", "the limit is 4096"),
    ));
    rows.extend(both(
        "graph",
        |action, count| {
            let variables: serde_json::Map<_, _> = (0..count)
                .map(|key| (format!("k{key}"), "v".into()))
                .collect();
            let variables = serde_json::Value::from(variables).to_string();
            graph(action).user_data = text(&variables);
            graph(action).encrypted_user_data = text(&variables);
        },
        [20],
        [21],
        ("action.function_graph.user_data", "the limit is 20"),
    ));
    rows.extend(both(
        "graph",
        |action, memory| {
            action.exec.as_mut().unwrap().runtime = "Custom".to_owned();
            graph(action).gpu_memory_mb = memory;
        },
        [0, 1024, 2048, 16_384],
        [1023, 1025, 17_408],
        ("action.function_graph.gpu_memory_mb", "in steps of 1024"),
    ));
    rows.extend(both(
        "graph",
        |action, size| graph(action).ephemeral_storage_mb = size,
        [0, 512, 10_240],
        [511, 1024, 10_241],
        ("action.function_graph.ephemeral_storage_mb", "512 or 10240"),
    ));
    rows.extend(both(
        "graph",
        |action, count| {
            graph(action).lts_custom_tag = (0..count)
                .map(|key| (format!("k{key}"), "v".to_owned()))
                .collect();
        },
        [10],
        [11],
        ("action.function_graph.lts_custom_tag", "the limit is 10"),
    ));
    rows.extend(both(
        "graph",
        |action, concurrency| {
            graph(action).strategy_config = Some(FunctionGraphStrategyConfig {
                concurrency: Some(concurrency),
                concurrent_num: Some(concurrency),
            });
        },
        [-1, 0, 1000],
        [-2, 1001],
        (
            "action.function_graph.strategy_config.concurrency",
            "-1 to 1000",
        ),
    ));
    rows.extend(both(
        "graph",
        |action, id| {
            graph(action).mount_config = Some(FunctionGraphMountConfig {
                mount_user: Some(FunctionGraphMountUser {
                    user_id: id,
                    user_group_id: -1,
                }),
                func_mounts: vec![FunctionGraphMount {
                    mount_type: "sfs".to_owned(),
                    mount_resource: "r".to_owned(),
                    local_mount_path: "/mnt".to_owned(),
                    ..FunctionGraphMount::default()
                }],
            });
        },
        [-1, 1, 65_534],
        [-2, 0, 1000, 1002, 65_535],
        (
            "action.function_graph.mount_config.mount_user.user_id",
            "-1 to 65534",
        ),
    ));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_of_an_action_holds_from_both_sides() {
    let house = House::open(TARGETS, Options::default).await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    for (index, row) in ncp().into_iter().chain(functiongraph()).enumerate() {
        let request = PutActionRequest {
            target: row.target.to_owned(),
            ..put("", &format!("a{index}"), row.action)
        };
        let of = format!("{} {:?} {:?}", row.target, row.refused, request.action);
        let answer = actions.put_action(request).await;
        match (row.refused, answer) {
            (None, answer) => drop(answer.unwrap_or_else(|status| panic!("{of}: {status:?}"))),
            (Some((field, words)), answer) => {
                let status = answer.err().unwrap_or_else(|| panic!("{of}"));
                let details = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
                let found = details
                    .field_violations
                    .iter()
                    .find(|fault| fault.field == field);
                let told = &found
                    .unwrap_or_else(|| panic!("{of}: {details:?}"))
                    .description;
                assert!(told.contains(words), "{of}: {told}");
            }
        }
    }
}

/// Names of either cloud, of the packages too.
#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_name_holds_from_both_sides() {
    let house = House::open(TARGETS, Options::default).await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let long = |length: usize| "n".repeat(length);
    for (target, package, name, refused) in [
        ("kr", "", &*long(50), None),
        ("kr", "", "_9-", None),
        ("kr", "", &*long(51), Some("action_name")),
        ("kr", "", "-a", Some("action_name")),
        ("graph", "", &*long(60), None),
        ("graph", "", "a-_9", None),
        ("graph", "", &*long(61), Some("action_name")),
        ("graph", "", "9a", Some("action_name")),
        ("graph", "", "a_", Some("action_name")),
        // INFERRED: no rule of packages is published.
        ("graph", "_9-", "f", None),
        ("graph", &*long(60), "f", None),
        ("graph", &*long(61), "f", Some("package_name")),
        ("graph", "a.b", "f", Some("package_name")),
    ] {
        let request = PutActionRequest {
            target: target.to_owned(),
            ..put(package, name, base(target))
        };
        let answer = actions.put_action(request).await;
        let found = answer.err().map(|status| {
            let details = tonic_types::StatusExt::get_details_bad_request(&status);
            details
                .unwrap_or_else(|| panic!("{target} {package}/{name}: {status:?}"))
                .field_violations[0]
                .field
                .clone()
        });
        assert_eq!(found.as_deref(), refused, "{target} {package}/{name}");
    }
}
