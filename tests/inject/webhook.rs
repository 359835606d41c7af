//! The webhook's life: certificates and template that change, whoever does not trust it, SIGTERM.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Authority, Webhook, put, review};
use crate::file;
use crate::golden::patched;

fn asking() -> Value {
    json!({
        "metadata": {"generateName": "web-", "annotations": {"faas-sidecar.io/inject": "true"}},
        "spec": {"containers": [{"name": "app"}]},
    })
}

#[test]
fn a_renewed_certificate_serves_the_next_connection_and_a_broken_one_does_not() {
    let webhook = Webhook::start(&[]);
    let mut before = webhook.client();
    let renewed = Authority::new();
    assert!(webhook.trusting(&renewed, &[]).is_err());

    renewed.write(webhook.files.path());
    webhook.process.event("certificate: read again");
    assert_eq!(
        webhook
            .trusting(&renewed, &[])
            .unwrap()
            .get("/readyz")
            .status,
        200
    );
    assert!(webhook.trusting(&webhook.authority, &[]).is_err());
    assert_eq!(
        before.get("/readyz").status,
        200,
        "an open connection goes on"
    );

    put(&webhook.path("tls.crt"), "not a certificate");
    let told = webhook.process.event("certificate: refused")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        told.contains("--cert-file") && told.contains("the one before stays in use"),
        "{told}"
    );
    assert_eq!(
        webhook
            .trusting(&renewed, &[])
            .unwrap()
            .get("/readyz")
            .status,
        200
    );

    let third = Authority::new();
    third.write(webhook.files.path());
    webhook.process.event("certificate: read again");
    assert_eq!(
        webhook.trusting(&third, &[]).unwrap().get("/livez").status,
        200
    );
}

#[test]
fn a_new_template_makes_the_next_pod_and_a_broken_one_does_not() {
    let built_in = include_str!("../../src/inject/template.yaml");
    let template = file(built_in);
    let path = template.path().to_str().unwrap();
    let webhook = Webhook::start(&["--template", path]);
    let mut client = webhook.client();
    let image = |client: &mut crate::client::Client| {
        let pod = patched(&asking(), &client.review(&asking())["response"]);
        pod["spec"]["initContainers"][0]["image"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(image(&mut client), "faas-sidecar:0.1.0");

    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = built_in
        .replace(
            "repository: \"faas-sidecar\"",
            "repository: registry.example/faas",
        )
        .replace("digest: \"\"", &format!("digest: \"{digest}\""));
    assert_ne!(pinned, built_in);
    put(template.path(), &pinned);
    webhook.process.event("template: read again");
    assert_eq!(
        image(&mut client),
        format!("registry.example/faas@{digest}")
    );

    put(
        template.path(),
        &pinned
            .replace("listen: port", "listen: tcp")
            .replace("native:", "nativ:"),
    );
    let told = webhook.process.event("template: refused")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(told.contains("the one before stays in use"), "{told}");
    assert_eq!(
        image(&mut client),
        format!("registry.example/faas@{digest}")
    );
    std::fs::remove_file(template.path()).unwrap();
    webhook.process.event("template: refused");
    assert_eq!(
        image(&mut client),
        format!("registry.example/faas@{digest}")
    );
    put(template.path(), built_in);
    webhook.process.event("template: read again");
    assert_eq!(image(&mut client), "faas-sidecar:0.1.0");
}

#[test]
fn sigterm_lets_the_cluster_know_first_and_then_ends_cleanly() {
    let mut webhook = Webhook::start(&["--shutdown-delay", "2s"]);
    let (mut kept, mut half) = (webhook.client(), webhook.client());
    assert_eq!(kept.get("/readyz").status, 200);
    // A request of which only a part has come when the end begins.
    let body = review(&asking()).to_string();
    let head = format!(
        "POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    half.write(head.as_bytes()).unwrap();
    half.write(&body.as_bytes()[..100]).unwrap();
    let began = Instant::now();
    webhook.process.signal("TERM");
    webhook.process.event("stopping");

    let ready = kept.get("/readyz");
    assert_eq!(
        (ready.status, ready.body.starts_with("stopping")),
        (503, true),
        "{ready:?}"
    );
    assert_eq!(kept.get("/livez").status, 200);
    // Still answered, on old connections and new ones.
    assert_eq!(kept.review(&asking())["response"]["allowed"], true);
    assert_eq!(
        webhook.client().review(&asking())["response"]["allowed"],
        true
    );
    // The listener closes after the delay; what has begun is finished.
    while TcpStream::connect(&webhook.address).is_ok() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "new callers must be refused in the end"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(
        began.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        began.elapsed()
    );
    half.write(&body.as_bytes()[100..]).unwrap();
    assert_eq!(half.answer().unwrap().status, 200);
    assert!(kept.answer().is_none(), "an idle connection is closed");
    assert_eq!(webhook.process.end().code(), Some(0));
    assert!(webhook.process.rest().contains("\"stopped\""));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut webhook = Webhook::start(&["--shutdown-delay", "60s"]);
    let began = Instant::now();
    webhook.process.signal("TERM");
    webhook.process.event("stopping");
    // One that comes sooner is the first one once more.
    std::thread::sleep(Duration::from_millis(1100));
    webhook.process.signal("TERM");
    assert_eq!(webhook.process.end().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn whoever_does_not_trust_the_certificate_is_told_in_the_log() {
    let webhook = Webhook::start(&[]);
    assert!(webhook.trusting(&Authority::new(), &[]).is_err());
    let told = webhook.process.event("a caller refused the certificate")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(told.contains("caBundle"), "{told}");
}

#[test]
fn http_1_is_chosen_where_http_2_is_offered_too() {
    let webhook = Webhook::start(&[]);
    let mut client = webhook
        .trusting(&webhook.authority, &["h2", "http/1.1"])
        .unwrap();
    assert_eq!(client.protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(client.get("/livez").body, "ok\n");
    assert!(webhook.trusting(&webhook.authority, &["h2"]).is_err());
}

#[test]
fn what_was_injected_and_denied_is_logged_and_no_value_of_a_pod_is() {
    let mut webhook = Webhook::start(&["--shutdown-delay", "0s"]);
    let mut client = webhook.client();
    let mut pod = asking();
    pod["spec"]["containers"][0]["env"] = json!([{"name": "PASSWORD", "value": "hunter2"}]);
    client.review(&pod);
    let added = webhook.process.event("sidecar added");
    assert_eq!(
        (&added["namespace"], &added["pod"]),
        (&json!("shop"), &json!("web-"))
    );
    pod["metadata"]["annotations"]["faas-sidecar.io/listen"] = json!("tcp");
    client.review(&pod);
    let denied = webhook.process.event("denied")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        denied.contains("faas-sidecar.io/listen: is \"tcp\""),
        "{denied}"
    );
    let broken = review(&pod)
        .to_string()
        .replace("\"hunter2\"", "\"hunter2\" \"hunter3\"");
    assert_eq!(client.post(broken.as_bytes()).status, 400);
    webhook.process.signal("TERM");
    let rest = webhook.process.rest();
    assert!(
        !format!("{added}{denied}{rest}").contains("hunter"),
        "{rest}"
    );
    assert_eq!(webhook.process.end().code(), Some(0));
}

#[test]
fn a_classic_container_in_a_pod_that_ends_is_warned_of() {
    let webhook = Webhook::start(&[]);
    let mut client = webhook.client();
    let mut pod = asking();
    pod["spec"]["restartPolicy"] = json!("OnFailure");
    assert_eq!(client.review(&pod)["response"].get("warnings"), None);
    pod["metadata"]["annotations"]["faas-sidecar.io/native"] = json!("false");
    let answer = client.review(&pod);
    let warning = answer["response"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("does not end") && warning.len() <= 256,
        "{warning}"
    );
    pod["spec"] = json!({"hostNetwork": true, "containers": [{"name": "app"}]});
    let answer = client.review(&pod);
    let warning = answer["response"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("hostNetwork") && warning.len() <= 256,
        "{warning}"
    );
}

#[test]
fn what_it_cannot_start_with_is_named() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
            .arg("injector")
            .args(args)
            .env_clear()
            .output()
            .unwrap();
        assert!(output.stdout.is_empty());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, told) = run(&[]);
    assert!(
        code == Some(64) && told.contains("--cert-file") && told.contains("--key-file"),
        "{told}"
    );
    let (code, told) = run(&[
        "--cert-file",
        "/nowhere/tls.crt",
        "--key-file",
        "/nowhere/tls.key",
    ]);
    assert!(
        code == Some(1) && told.contains("--cert-file /nowhere/tls.crt: cannot be read"),
        "{told}"
    );
    let template = file("image: {}\n");
    let args = [
        "--cert-file",
        "x",
        "--key-file",
        "x",
        "--template",
        template.path().to_str().unwrap(),
    ];
    let (code, told) = run(&args);
    assert!(
        code == Some(78) && told.contains("image.repository: must be a text"),
        "{told}"
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let files = tempfile::tempdir().unwrap();
    Authority::new().write(files.path());
    let path = |name: &str| files.path().join(name).display().to_string();
    let (code, told) = run(&[
        "--listen",
        &address,
        "--cert-file",
        &path("tls.crt"),
        "--key-file",
        &path("tls.key"),
    ]);
    assert!(
        code == Some(1) && told.contains(&format!("--listen {address}: cannot be listened at")),
        "{told}"
    );
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    put(&files.path().join("tls.key"), &other);
    let (code, told) = run(&[
        "--cert-file",
        &path("tls.crt"),
        "--key-file",
        &path("tls.key"),
    ]);
    assert!(
        code == Some(1) && told.contains("does not go with --key-file"),
        "{told}"
    );
}
