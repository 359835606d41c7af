//! `faas-sidecar inject` over manifests of every kind.

use serde_json::{Value, json};

use crate::{file, inject, text, value};

const POD: &str = "metadata: {annotations: {faas-sidecar.io/inject: \"true\"}}\nspec: {containers: [{name: app}]}\n";

/// The containers that a pod, or a template of pods, starts first.
fn first(pod: &Value) -> &str {
    pod["spec"]["initContainers"][0]["name"]
        .as_str()
        .unwrap_or("none")
}

#[test]
fn what_does_not_ask_passes_byte_for_byte() {
    let manifests = "\
# Comments, quotes, flow style and strange values stay.
apiVersion: v1
kind: ConfigMap
metadata:   {name: x}
data: {a: 'yes', b: \"0644\"}
---
# only a comment
---   # an end
apiVersion: apps/v1
kind: Deployment
metadata: {name: plain}
spec: {template: {spec: {containers: [{name: a}]}}}
---
%YAML 1.1
---
kind: CustomThing
anything: {goes: [here, ~, 1e3, 0o17]}
...
";
    for input in [
        manifests,
        "",
        "\n",
        "# nothing\n",
        "{\"kind\": \"Service\",   \"x\": 1.0}",
        "{}\n\n{}",
    ] {
        let output = inject(&[], input);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{input}: {}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), input);
        assert!(
            text(&output.stderr).contains("nothing was changed"),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn one_document_among_others_changes_and_the_others_stay() {
    let before = "kind: Service # a comment\nmetadata: {name: a}\n--- # web\n";
    let after = "---\nkind: Service   # another\n";
    let asking = format!("kind: Pod\n{POD}");
    let output = inject(&["-"], &format!("{before}{asking}{after}"));
    let out = text(&output.stdout);
    assert!(out.starts_with(before) && out.ends_with(after), "{out}");
    let changed = &out[before.len()..out.len() - after.len()];
    assert_eq!(first(&value(changed)), "faas-sidecar");
    assert_eq!(text(&output.stderr), "Pod without a name: sidecar added\n");
}

#[test]
fn documents_may_end_with_dots_and_lines_as_on_windows() {
    let pod = format!("kind: Pod\n{POD}");
    let output = inject(
        &[],
        &format!("{pod}...\n# between\n{pod}--- {{kind: Service}}\n").replace('\n', "\r\n"),
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    let (first_pod, rest) = out.split_once("...\r\n").unwrap();
    let (second_pod, service) = rest.split_once("---").unwrap();
    assert_eq!(first(&value(first_pod)), "faas-sidecar");
    assert_eq!(first(&value(second_pod)), "faas-sidecar");
    assert_eq!(service, " {kind: Service}\r\n");
}

#[test]
fn every_kind_of_workload_is_known_by_its_pods_annotation() {
    let template = value(POD);
    for (kind, path) in [
        ("Deployment", "/spec/template"),
        ("StatefulSet", "/spec/template"),
        ("DaemonSet", "/spec/template"),
        ("ReplicaSet", "/spec/template"),
        ("ReplicationController", "/spec/template"),
        ("Job", "/spec/template"),
        ("CronJob", "/spec/jobTemplate/spec/template"),
        ("PodTemplate", "/template"),
    ] {
        let mut object = json!({"kind": kind, "metadata": {"name": "x"}});
        let mut parent = &mut object;
        for key in path[1..].split('/') {
            parent = &mut parent[key];
        }
        *parent = template.clone();
        let output = inject(&[], &object.to_string());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{kind}: {}",
            text(&output.stderr)
        );
        let changed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            first(changed.pointer(path).unwrap()),
            "faas-sidecar",
            "{kind}"
        );
        assert_eq!(text(&output.stderr), format!("{kind}/x: sidecar added\n"));
    }
}

#[test]
fn lists_are_gone_into() {
    let mut pod = value(POD);
    pod["kind"] = json!("Pod");
    let list = json!({"kind": "List", "items": [{"kind": "Service"}, pod, {"kind": "List", "items": [pod]}]});
    let output = inject(&[], &list.to_string());
    let changed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(changed["items"][0], json!({"kind": "Service"}));
    assert_eq!(first(&changed["items"][1]), "faas-sidecar");
    assert_eq!(first(&changed["items"][2]["items"][0]), "faas-sidecar");
    // The items of a typed list do not say their kind.
    let typed = json!({"kind": "PodList", "items": [value(POD)]});
    let changed: Value = serde_json::from_slice(&inject(&[], &typed.to_string()).stdout).unwrap();
    assert_eq!(first(&changed["items"][0]), "faas-sidecar");
}

#[test]
fn json_stays_json_and_keys_keep_their_order() {
    let input = "{\"kind\":\"Pod\",\"zeta\":1.50,\"metadata\":{\"annotations\":{\"faas-sidecar.io/inject\":\"true\"}},\
                 \"alpha\":18446744073709551615,\"spec\":{\"containers\":[{\"name\":\"app\"}]}}\n{\"kind\":\"Service\" }\n";
    let output = inject(&[], input);
    let out = text(&output.stdout);
    let places: Vec<_> = [
        "\"kind\"",
        "\"zeta\": 1.5",
        "\"metadata\"",
        "\"alpha\": 18446744073709551615",
        "\"spec\"",
    ]
    .iter()
    .map(|part| out.find(part).unwrap_or_else(|| panic!("{part}: {out}")))
    .collect();
    assert!(places.is_sorted(), "{out}");
    assert!(out.ends_with("\n{\"kind\":\"Service\" }\n"), "{out}");
    // A YAML document in braces is YAML.
    let output = inject(
        &[],
        "{kind: Pod, metadata: {annotations: {faas-sidecar.io/inject: 'true'}}, spec: {containers: [{name: a}]}}",
    );
    assert_eq!(first(&value(text(&output.stdout))), "faas-sidecar");
}

#[test]
fn values_mean_what_kubernetes_takes_them_for() {
    let pod = format!(
        "kind: Pod\n{POD}x:\n  octal: 0644\n  on: yes\n  texts: ['yes', \"0644\", 'null', '1e3', '', '2001-01-01', '12:30', ' a', '#', 'a: b']\n  \
         script: |\n    echo 1\n\n    echo 2\n  long: {}\n  folded: >-\n    a\n    b\n  8080: port\n  none: ~\n",
        "word ".repeat(60).trim_end()
    );
    let output = inject(&[], &pod);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let x = &value(text(&output.stdout))["x"];
    assert_eq!(x["octal"], 420);
    assert_eq!(
        x["texts"],
        json!([
            "yes",
            "0644",
            "null",
            "1e3",
            "",
            "2001-01-01",
            "12:30",
            " a",
            "#",
            "a: b"
        ])
    );
    assert_eq!(
        (&x["script"], &x["folded"]),
        (&json!("echo 1\n\necho 2\n"), &json!("a b"))
    );
    assert_eq!(x["long"].as_str().unwrap().len(), 299);
    assert_eq!((&x["8080"], &x["none"]), (&json!("port"), &Value::Null));
    assert!(
        text(&output.stdout).contains(": true\n"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn all_takes_every_pod_that_does_not_refuse() {
    let manifests = "\
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: a}]}}}
---
kind: Deployment
metadata: {name: never}
spec: {template: {metadata: {annotations: {faas-sidecar.io/inject: \"false\"}}, spec: {containers: [{name: a}]}}}
---
kind: Pod
metadata: {name: own, annotations: {faas-sidecar.io/inject: \"true\", faas-sidecar.io/listen: port}}
spec: {containers: [{name: a}]}
";
    let output = inject(
        &[
            "--all",
            "--set",
            "listen=socket",
            "--set",
            "credentials=prod=keys,hw=iam_password:user",
        ],
        manifests,
    );
    assert_eq!(
        text(&output.stderr),
        "Deployment/web: sidecar added\nPod/own: sidecar added\n"
    );
    let documents: Vec<_> = text(&output.stdout).split("---\n").map(value).collect();
    let web = &documents[0]["spec"]["template"];
    assert_eq!(
        web["metadata"]["annotations"],
        json!({"faas-sidecar.io/inject": "true", "faas-sidecar.io/listen": "socket",
               "faas-sidecar.io/credentials": "prod=keys,hw=iam_password:user", "faas-sidecar.io/injected": "0.1.0"})
    );
    assert_eq!(web["spec"]["volumes"].as_array().unwrap().len(), 3);
    assert_eq!(first(&documents[1]["spec"]["template"]), "none");
    assert_eq!(
        documents[2]["spec"]["containers"][0]["env"][0]["value"], "127.0.0.1:50051",
        "its own word wins"
    );
    // What was made says everything, so that another run, and the cluster, find nothing to do.
    let again = inject(&[], text(&output.stdout));
    assert_eq!(again.stdout, output.stdout);

    for (args, says) in [
        (
            &["--set", "listen=tcp"][..],
            "faas-sidecar.io/listen: is \"tcp\"",
        ),
        (
            &["--set", "lisen=socket"],
            "did you mean faas-sidecar.io/listen?",
        ),
        (&["--set", "inject=true"], "use --all"),
        (&["--set", "injected=1"], "cannot be set"),
        (
            &["--set", "listen=port", "--set", "listen=socket"],
            "set it once",
        ),
        (&["--set", "listen"], "write KEY=VALUE"),
    ] {
        let output = inject(args, manifests);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(
            output.stdout.is_empty() && text(&output.stderr).contains(says),
            "{args:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn an_annotation_in_the_wrong_place_is_warned_of() {
    let deployment = "kind: Deployment\nmetadata: {name: web, annotations: {faas-sidecar.io/inject: \"true\"}}\nspec: {template: {spec: {containers: [{name: a}]}}}\n";
    let output = inject(&[], deployment);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), deployment)
    );
    let told = text(&output.stderr);
    assert!(
        told.contains("Deployment/web")
            && told.contains("move them to spec.template.metadata.annotations"),
        "{told}"
    );
}

#[test]
fn mistakes_of_all_pods_are_told_together_and_nothing_is_written() {
    let manifests = format!(
        "kind: Pod\n{POD}---\nkind: Job\nmetadata: {{name: nightly}}\nspec:\n  template:\n    metadata:\n      annotations:\n        \
         faas-sidecar.io/inject: true\n    spec: {{containers: [{{name: a}}]}}\n---\nkind: Pod\nmetadata:\n  name: web\n  annotations:\n    \
         faas-sidecar.io/inject: 'true'\n    faas-sidecar.io/cpu-request: 1\n    faas-sidecar.io/listen: tcp\nspec: {{containers: [{{name: a}}]}}\n"
    );
    let output = inject(&[], &manifests);
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
    let expected = "\
faas-sidecar inject: standard input: nothing was written:
1. Job/nightly: faas-sidecar.io/inject: is true; write \"true\" for a sidecar or \"false\" for none, in quotation marks
2. Pod/web: faas-sidecar.io/cpu-request: is 1; an annotation is a text, so put quotation marks around it
3. Pod/web: faas-sidecar.io/listen: is \"tcp\"; write one of port, socket
";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    for (input, says) in [
        (
            "kind: Pod\n---\nkind: Pod\nmetadata: [\n---\nkind: Pod\n",
            "(line 4): is not YAML that can be read: unclosed bracket",
        ),
        ("a: 1\na: 2\n", "(line 2): is not YAML"),
        ("{\"kind\": \"Pod\",}}\n", "is neither JSON"),
        ("a: !custom 1\n", "is not YAML"),
        ("a: &a [*a]\n", "is not YAML"),
    ] {
        let output = inject(&[], input);
        assert_eq!(
            output.status.code(),
            Some(78),
            "{input}: {}",
            text(&output.stdout)
        );
        let told = text(&output.stderr);
        assert!(
            output.stdout.is_empty() && told.contains(says),
            "{input}: {told}"
        );
    }
    let bomb = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |yaml, at| {
        let before = at - 1;
        yaml + &format!("a{at}: &a{at} [*a{before}, *a{before}]\n")
    });
    assert_eq!(inject(&[], &bomb).status.code(), Some(78));
    let deep = format!("kind: Pod\nx: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(inject(&[], &deep).status.code(), Some(78));

    let output = inject(&["/nowhere/pod.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere/pod.yaml cannot be read"));
}

#[test]
fn a_template_of_a_file_is_used_and_a_wrong_one_told_whole() {
    let built_in = include_str!("../../src/inject/template.yaml");
    let changed = built_in
        .replace("tag: \"0.1.0\"", "tag: \"2.0.0\"")
        .replace("config: faas-sidecar\n", "config: shop-faas\n")
        .replace(
            "credentials: {}\n",
            "credentials: {prod: keys, hw: \"iam_password:user\"}\n",
        )
        .replace("listen: port\n", "listen: socket\n")
        .replace("native: true\n", "native: false\n")
        .replace("logLevel: \"\"\n", "logLevel: warn\n");
    let template = file(&changed);
    let template = ["--template", template.path().to_str().unwrap()];
    let pod = value(text(
        &inject(&template, &format!("kind: Pod\n{POD}")).stdout,
    ));
    let sidecar = &pod["spec"]["containers"][0];
    assert_eq!(
        (&sidecar["name"], &sidecar["image"]),
        (&json!("faas-sidecar"), &json!("faas-sidecar:2.0.0"))
    );
    assert_eq!(sidecar.get("restartPolicy"), None);
    assert_eq!(
        sidecar["env"].as_array().unwrap().last().unwrap(),
        &json!({"name": "FAAS_SIDECAR_LOG_LEVEL", "value": "warn"})
    );
    let volumes: Vec<_> = pod["spec"]["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| volume["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        volumes,
        [
            "faas-sidecar-config",
            "faas-sidecar-credentials",
            "faas-sidecar-socket"
        ]
    );
    assert_eq!(pod["spec"]["volumes"][0]["configMap"]["name"], "shop-faas");
    // Annotations win over all of it.
    let own = "kind: Pod\nmetadata: {annotations: {faas-sidecar.io/inject: \"true\", faas-sidecar.io/credentials: \"\", faas-sidecar.io/listen: port, \
               faas-sidecar.io/native: \"true\", faas-sidecar.io/config: x, faas-sidecar.io/version: \"3\"}}\nspec: {containers: [{name: app}]}\n";
    let pod = value(text(&inject(&template, own).stdout));
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "faas-sidecar-config", "configMap": {"name": "x"}}])
    );
    assert_eq!(pod["spec"]["initContainers"][0]["image"], "faas-sidecar:3");
    assert_eq!(
        pod["metadata"]["annotations"]["faas-sidecar.io/injected"],
        "3"
    );

    for (wrong, says) in [
        (
            built_in.replace("native: true\n", "nativ: true\n"),
            "nativ: is unknown; did you mean native?\n2. native: write true or false",
        ),
        (
            built_in.replace("listen: port\n", "listen: tcp\n"),
            "listen: is \"tcp\"; write port or socket",
        ),
        (
            built_in.replace("  name: faas-sidecar\n  image:", "  name: other\n  image:"),
            "container.name: must be faas-sidecar",
        ),
        (
            built_in.replace("config: faas-sidecar\n", "config: A_B\n"),
            "config: is no ConfigMap's name",
        ),
        (
            built_in.replace("credentials: {}\n", "credentials: {prod: A}\n"),
            "credentials.prod: \"A\" is no Secret's name",
        ),
        (
            built_in.replace("logLevel: \"\"\n", "logLevel: loud\n"),
            "logLevel: is \"loud\"; write one of",
        ),
        (String::new(), "the file: must be a map of image, config"),
    ] {
        assert_ne!(wrong, built_in, "{says}");
        let template = file(&wrong);
        let output = inject(&["--template", template.path().to_str().unwrap()], POD);
        assert_eq!(output.status.code(), Some(78), "{says}");
        assert!(
            output.stdout.is_empty() && text(&output.stderr).contains(says),
            "{says}: {}",
            text(&output.stderr)
        );
    }
}
