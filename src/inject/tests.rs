use super::*;

fn yaml(text: &str) -> Node {
    documents::from_yaml(text).unwrap()
}

fn asking(spec: &str) -> Node {
    yaml(&format!(
        "metadata: {{annotations: {{faas-sidecar.io/inject: \"true\", faas-sidecar.io/listen: socket}}}}\nspec: {spec}"
    ))
}

fn told(pod: &Node) -> String {
    let template = Template::built_in().unwrap();
    inject(pod, &template).unwrap_err().to_string()
}

#[test]
fn the_built_in_template_is_right() {
    let template = Template::built_in().unwrap();
    assert_eq!(template.image.tag, env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_digest_wins_over_the_template_s_tag_and_a_version_over_the_digest() {
    let text = include_str!("template.yaml").replace("digest: \"\"", "digest: sha256:abc");
    let template = Template::read(&text).unwrap();
    assert_eq!(template.image.reference(None), "faas-sidecar@sha256:abc");
    assert_eq!(template.image.reference(Some("2")), "faas-sidecar:2");
}

#[test]
fn a_mount_at_the_socket_s_place_is_found_however_it_is_spelled_and_where_it_matters_alone() {
    let pod = asking(
        "{containers: [{name: a, volumeMounts: [{name: x, mountPath: /run/faas-sidecar/}]}]}",
    );
    assert!(
        told(&pod).contains("spec.containers[0].volumeMounts[0].mountPath"),
        "{}",
        told(&pod)
    );
    let pod = asking(
        "{containers: [{name: a, volumeMounts: [{name: x, mountPath: /run/faas-sidecar/x}, {name: y}]}]}",
    );
    let template = Template::built_in().unwrap();
    assert!(matches!(inject(&pod, &template), Ok(Change::Inject(_))));
}

#[test]
fn every_fault_of_pod_and_annotations_is_told_at_once() {
    let pod = yaml(
        "metadata: {annotations: {faas-sidecar.io/inject: \"true\", faas-sidecar.io/config: A}}\n\
         spec: {containers: [{name: a, env: x}], initContainers: 1, volumes: {}}",
    );
    let told = told(&pod);
    for part in [
        "faas-sidecar.io/config",
        "spec.initContainers: ",
        "spec.containers[0].env",
        "spec.volumes",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn operations_name_places_that_are_there_and_escape_what_must_be() {
    let template = Template::built_in().unwrap();
    let pod = asking("{containers: [{name: a}, {name: b, env: [], volumeMounts: []}]}");
    let Ok(Change::Inject(injection)) = inject(&pod, &template) else {
        panic!("the pod asks rightly")
    };
    let paths: Vec<_> = injection
        .operations
        .iter()
        .map(|operation| operation.path.to_string())
        .collect();
    let expected = [
        "/spec/containers/0/env",
        "/spec/containers/0/volumeMounts",
        "/spec/containers/1/env/0",
        "/spec/containers/1/volumeMounts/-",
        "/spec/volumes",
        "/spec/volumes/-",
        "/spec/initContainers",
        "/metadata/annotations/faas-sidecar.io~1injected",
    ];
    assert_eq!(paths, expected);
    let mut nowhere = yaml("{a: 1}");
    for operation in &injection.operations {
        assert!(operation.apply(&mut nowhere).is_err(), "{}", operation.path);
    }
    assert_eq!(nowhere, yaml("{a: 1}"));
}

#[test]
fn further_volumes_of_the_template_come_with_it() {
    let text = include_str!("template.yaml").replace(
        "# With listen: port.",
        "  - {name: ca, configMap: {name: ca}}\n#",
    );
    let template = Template::read(&text).unwrap();
    let mut pod = asking("{containers: [{name: a}]}");
    let Ok(Change::Inject(injection)) = inject(&pod, &template) else {
        panic!("the pod asks rightly")
    };
    for operation in &injection.operations {
        operation.apply(&mut pod).unwrap();
    }
    let names: Vec<_> = pod
        .at(&["spec", "volumes"])
        .unwrap()
        .items()
        .iter()
        .map(|volume| volume.get("name").unwrap().text().unwrap())
        .collect();
    assert_eq!(names, ["faas-sidecar-config", "ca", "faas-sidecar-socket"]);
    let taken = asking("{containers: [{name: a}], volumes: [{name: ca}]}");
    assert!(
        inject(&taken, &template)
            .unwrap_err()
            .to_string()
            .contains("spec.volumes[0].name: is ca")
    );
}

#[test]
fn a_document_keeps_order_and_numbers_and_no_key_stands_twice() {
    let text = r#"{"z":1,"a":[1.5,-3,18446744073709551615,null,true],"m":{"y":"","b":{}}}"#;
    let node: Node = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&node).unwrap(), text);
    assert!(serde_json::from_str::<Node>(r#"{"a":1,"a":2}"#).is_err());
}
