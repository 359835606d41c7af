//! The golden pods: what each becomes by the command, and by the webhook's patch.

use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::client::Webhook;
use crate::{inject, text, value};

struct Case {
    name: String,
    pod: String,
    /// The pod that comes of it, or every fault, a line each.
    outcome: Result<String, String>,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject/golden");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let read = |name: &str| std::fs::read_to_string(folder.join(name));
        let outcome = match (read("expected.yaml"), read("refused.txt")) {
            (Ok(pod), Err(_)) => Ok(pod),
            (Err(_), Ok(faults)) => Err(faults),
            _ => panic!("{}: one of expected.yaml and refused.txt", folder.display()),
        };
        cases.push(Case {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            pod: read("pod.yaml").unwrap(),
            outcome,
        });
    }
    let refused = cases.iter().filter(|case| case.outcome.is_err()).count();
    assert!(
        cases.len() - refused >= 20 && refused >= 12,
        "the set is not whole"
    );
    cases
}

#[test]
fn the_command_makes_each_golden_pod_and_a_second_run_changes_nothing() {
    for Case { name, pod, outcome } in cases() {
        let output = inject(&[], &pod);
        match outcome {
            Ok(expected) => {
                assert_eq!(
                    output.status.code(),
                    Some(0),
                    "{name}: {}",
                    text(&output.stderr)
                );
                assert_eq!(text(&output.stdout), expected, "{name}");
                let again = inject(&[], &expected);
                assert_eq!(text(&again.stdout), expected, "{name}, a second time");
            }
            Err(faults) => {
                assert_eq!(output.status.code(), Some(78), "{name}");
                assert!(output.stdout.is_empty(), "{name}: nothing may be written");
                let told = text(&output.stderr);
                let told = told.split_once('\n').unwrap().1;
                assert_eq!(told, faults, "{name}");
            }
        }
    }
}

#[test]
fn the_webhook_makes_each_golden_pod_by_a_patch() {
    let webhook = Webhook::start(&[]);
    let mut client = webhook.client();
    for Case { name, pod, outcome } in cases() {
        let pod = value(&pod);
        let answer = client.review(&pod);
        let response = &answer["response"];
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1", "{name}");
        assert_eq!(response["uid"], "uid-1", "{name}");
        match outcome {
            Ok(expected) => {
                assert_eq!(response["allowed"], true, "{name}: {answer}");
                assert_eq!(patched(&pod, response), value(&expected), "{name}");
                assert_eq!(response.get("status"), None, "{name}");
            }
            Err(faults) => {
                assert_eq!(response["allowed"], false, "{name}");
                assert_eq!(response["status"]["code"], 422, "{name}");
                assert_eq!(response.get("patch"), None, "{name}");
                let message = response["status"]["message"].as_str().unwrap();
                for fault in faults.lines() {
                    // The command says of which object, too: `1. Pod/name: fault`.
                    let fault = fault.split_once(&format!("Pod/{name}: ")).unwrap().1;
                    assert!(
                        message.contains(fault),
                        "{name}: {message}\ndoes not say\n{fault}"
                    );
                }
            }
        }
    }
}

/// The pod with the answer's patch, by this test's own reading of RFC 6902.
pub fn patched(pod: &Value, response: &Value) -> Value {
    let mut pod = pod.clone();
    let Some(patch) = response.get("patch") else {
        assert_eq!(response.get("patchType"), None);
        return pod;
    };
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = base64::engine::general_purpose::STANDARD
        .decode(patch.as_str().unwrap())
        .unwrap();
    let patch: Vec<Value> = serde_json::from_slice(&patch).unwrap();
    assert!(!patch.is_empty());
    for operation in patch {
        assert_eq!(operation["op"], "add", "{operation}");
        let (parent, last) = operation["path"]
            .as_str()
            .unwrap()
            .rsplit_once('/')
            .unwrap();
        let last = last.replace("~1", "/").replace("~0", "~");
        match pod
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("{operation}"))
        {
            Value::Array(items) if last == "-" => items.push(operation["value"].clone()),
            Value::Array(items) => items.insert(last.parse().unwrap(), operation["value"].clone()),
            Value::Object(entries) => {
                entries.insert(last, operation["value"].clone());
            }
            other => panic!("{operation} in {other}"),
        }
    }
    pod
}

#[test]
fn a_pod_that_is_hardly_one_is_answered_all_the_same() {
    let webhook = Webhook::start(&[]);
    let mut client = webhook.client();
    for (pod, allowed, says) in [
        (json!({}), true, ""),
        (json!({"metadata": null, "spec": null}), true, ""),
        (json!({"metadata": {"annotations": null}}), true, ""),
        (json!([]), true, ""),
        (asking(&json!(null)), false, "spec.containers: is empty"),
        (
            asking(&json!({"containers": []})),
            false,
            "spec.containers: is empty",
        ),
        (
            asking(&json!({"containers": "x"})),
            false,
            "spec.containers: is no list",
        ),
        (
            asking(&json!({"containers": ["x"]})),
            false,
            "spec.containers[0]: is no map",
        ),
        (
            asking(&json!({"containers": [{"env": {}}]})),
            false,
            "spec.containers[0].env: is no list",
        ),
        (
            asking(&json!({"containers": [{}], "volumes": 1})),
            false,
            "spec.volumes: is no list",
        ),
        (
            asking(
                &json!({"containers": [{"env": null, "volumeMounts": null}], "volumes": null, "initContainers": null}),
            ),
            true,
            "",
        ),
    ] {
        let answer = client.review(&pod);
        let response = &answer["response"];
        assert_eq!(response["allowed"], allowed, "{pod}: {answer}");
        let message = response["status"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(says), "{pod}: {message}");
        let _ = patched(&pod, response);
    }
}

fn asking(spec: &Value) -> Value {
    json!({"metadata": {"annotations": {"faas-sidecar.io/inject": "true"}}, "spec": spec})
}
