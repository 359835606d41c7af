//! Requests that are none: each gets a clear answer or its connection closed, and others do not
//! notice.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Webhook, review};

fn pod() -> Value {
    json!({
        "metadata": {"name": "web", "annotations": {"faas-sidecar.io/inject": "true"}},
        "spec": {"containers": [{"name": "app"}]},
    })
}

#[test]
fn what_is_no_review_is_refused_with_a_word_on_why() {
    let webhook = Webhook::start(&[]);
    let mut client = webhook.client();
    let with = |path: &str, value: Value| {
        let mut review = review(&pod());
        *review.pointer_mut(path).unwrap() = value;
        review.to_string()
    };
    let deep = review(&pod())
        .to_string()
        .replace("\"app\"", &"[".repeat(50_000));
    for (body, says) in [
        (String::new(), "no AdmissionReview as JSON"),
        ("x".to_owned(), "no AdmissionReview as JSON"),
        ("null".to_owned(), "no AdmissionReview as JSON"),
        ("[]".to_owned(), "no AdmissionReview as JSON"),
        (
            "{}".to_owned(),
            "send AdmissionReview of admission.k8s.io/v1",
        ),
        (review(&pod()).to_string() + "{}", "trailing characters"),
        (
            review(&pod()).to_string()[..200].to_owned(),
            "EOF while parsing",
        ),
        (deep, "recursion limit"),
        (
            with("/apiVersion", json!("admission.k8s.io/v1beta1")),
            "admissionReviewVersions: [v1]",
        ),
        (with("/kind", json!("Pod")), "\"Pod\""),
        (with("/request", Value::Null), "has no request"),
        (with("/request/uid", json!("")), "has no uid"),
        (with("/request/uid", json!(1)), "no AdmissionReview as JSON"),
        (
            with("/request/resource", json!("pods")),
            "no AdmissionReview as JSON",
        ),
        (
            review(&pod()).to_string().replacen(
                "\"name\":\"app\"",
                "\"name\":\"app\",\"name\":\"b\"",
                1,
            ),
            "stands twice",
        ),
    ] {
        let answer = client.post(body.as_bytes());
        assert_eq!(answer.status, 400, "{says}: {answer:?}");
        assert!(answer.body.contains(says), "{says}: {}", answer.body);
        assert!(answer.head.contains("text/plain"), "{}", answer.head);
    }
    let mut bytes = review(&pod()).to_string().into_bytes();
    let at = bytes.windows(3).position(|part| part == b"app").unwrap();
    bytes[at] = 0xff;
    assert_eq!(client.post(&bytes).status, 400);
    assert_eq!(
        client.review(&pod())["response"]["allowed"],
        true,
        "the same connection goes on"
    );
}

#[test]
fn what_is_asked_about_but_no_new_pod_passes_with_a_warning() {
    let webhook = Webhook::start(&[]);
    let mut client = webhook.client();
    for (path, value) in [
        ("/request/operation", json!("UPDATE")),
        ("/request/operation", json!("DELETE")),
        ("/request/object", Value::Null),
        ("/request/resource/resource", json!("deployments")),
        ("/request/resource/group", json!("apps")),
    ] {
        let mut review = review(&pod());
        *review.pointer_mut(path).unwrap() = value;
        let answer: Value =
            serde_json::from_str(&client.post(review.to_string().as_bytes()).body).unwrap();
        let response = &answer["response"];
        assert_eq!(response["allowed"], true, "{path}");
        assert_eq!(response.get("patch"), None, "{path}");
        assert!(
            response["warnings"][0]
                .as_str()
                .unwrap()
                .contains("correct its rules"),
            "{answer}"
        );
    }
    let mut review = review(&pod());
    review["request"]["subResource"] = json!("ephemeralcontainers");
    let answer = client.post(review.to_string().as_bytes());
    assert!(answer.body.contains("correct its rules"), "{answer:?}");
}

#[test]
fn wrong_methods_paths_and_media_types_are_named() {
    let webhook = Webhook::start(&[]);
    for (request, status, says) in [
        ("GET /inject", 405, "use POST"),
        ("PUT /inject", 405, "use POST"),
        ("POST /readyz", 405, "use GET"),
        ("GET /", 404, "pages: /inject"),
        ("POST /mutate-something", 404, "pages: /inject"),
        ("POST /inject", 415, "send application/json"),
    ] {
        let mut client = webhook.client();
        client
            .write(format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .unwrap();
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.body.contains(says), "{request}: {}", answer.body);
        assert_eq!(
            answer.head.contains("allow: "),
            status == 405,
            "{}",
            answer.head
        );
    }
    let mut nonsense = webhook.client();
    nonsense.write(b"\x00\x01\x02 nonsense\r\n\r\n").unwrap();
    assert_eq!(nonsense.answer().map(|answer| answer.status), Some(400));
}

#[test]
fn a_body_beyond_the_bound_is_refused_announced_or_not() {
    let webhook = Webhook::start(&[]);
    let head = "POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let mut client = webhook.client();
    client
        .write(format!("{head}content-length: 9000000000\r\n\r\n").as_bytes())
        .unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (413, "the body is larger than 4 MiB\n")
    );

    let mut client = webhook.client();
    client
        .write(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())
        .unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    // The fifth MiB is too much; it may be refused while the rest is on its way.
    let sent = (0..5).take_while(|_| client.write(&chunk).is_ok()).count();
    assert!(sent >= 4, "{sent}");
    if let Some(answer) = client.answer() {
        assert_eq!(answer.status, 413);
    }
    // Whole, just below the bound: it is read, and what it lacks is told.
    let mut client = webhook.client();
    assert_eq!(client.post(&vec![b' '; 4 << 20]).status, 400);
    assert_eq!(webhook.client().review(&pod())["response"]["allowed"], true);
}

#[test]
fn the_largest_pod_that_a_cluster_keeps_is_answered_soon() {
    let webhook = Webhook::start(&[]);
    let mut pod = pod();
    let env: Vec<_> = (0..20_000)
        .map(|at| json!({"name": format!("V{at}"), "value": "x".repeat(100)}))
        .collect();
    pod["spec"]["containers"][0]["env"] = json!(env);
    let began = Instant::now();
    assert_eq!(webhook.client().review(&pod)["response"]["allowed"], true);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_pod_that_is_larger_than_pods_are_is_refused_before_anything_is_built() {
    let webhook = Webhook::start(&[]);
    let containers = |count: usize| -> Vec<_> {
        (0..count)
            .map(|at| json!({"name": format!("c{at}")}))
            .collect()
    };
    let targets: Vec<_> = (0..257).map(|at| format!("t{at}=s")).collect();
    for (change, says) in [
        (
            json!({"spec": {"containers": containers(257)}}),
            "spec.containers: has 257 containers; a pod with a sidecar may have 256",
        ),
        (
            json!({"spec": {"initContainers": containers(300), "containers": containers(1)}}),
            "spec.initContainers: has 300 containers",
        ),
        (
            json!({"metadata": {"annotations": {"faas-sidecar.io/inject": "true", "x": "y".repeat(300_000)}}}),
            "metadata.annotations: has 300027 bytes; the cluster takes 262144",
        ),
        (
            json!({"metadata": {"annotations": {
                "faas-sidecar.io/inject": "true", "faas-sidecar.io/credentials": targets.join(","),
            }}}),
            "names 257 targets; a pod may have 256",
        ),
    ] {
        let mut pod = pod();
        for (key, value) in change.as_object().unwrap() {
            pod[key]
                .as_object_mut()
                .unwrap()
                .extend(value.as_object().unwrap().clone());
        }
        let response = &webhook.client().review(&pod)["response"];
        assert_eq!(response["allowed"], false, "{says}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.contains(says) && message.len() < 500, "{message}");
    }
    // As many faults as there is room for: some are told, the others counted.
    let mut pod = pod();
    for at in 0..10_000 {
        pod["metadata"]["annotations"][format!("faas-sidecar.io/x{at}")] = json!("");
    }
    pod["metadata"]["annotations"]["faas-sidecar.io/listen"] = json!("y".repeat(50_000));
    let told = webhook.client().review(&pod)["response"]["status"]["message"].to_string();
    assert!(
        told.contains("; and 9981 more") && told.len() < 12_000,
        "{told}"
    );
    pod["spec"]["containers"] = json!(containers(75_000));
    let answer = webhook.client().post(review(&pod).to_string().as_bytes());
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .body
            .starts_with("the body holds more than 80000 JSON values"),
        "{}",
        answer.body
    );
    assert_eq!(
        webhook.client().review(&self::pod())["response"]["allowed"],
        true
    );
}

#[test]
fn large_bodies_share_a_bounded_room_and_ordinary_pods_need_none() {
    let webhook = Webhook::start(&[]);
    let head = "POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n";
    let part = vec![b' '; 3_900_000];
    let mut unfinished: Vec<_> = (0..2).map(|_| webhook.client()).collect();
    for client in &mut unfinished {
        client.write(&[head.as_bytes(), &part].concat()).unwrap();
    }
    let mut one_more = webhook.client();
    let _ = one_more.write(&[head.as_bytes(), &part].concat());
    let refused = one_more.answer().unwrap();
    assert_eq!(
        (refused.status, refused.head.contains("retry-after: 1")),
        (503, true),
        "{}",
        refused.head
    );
    assert!(
        refused.body.contains("too many large requests at once"),
        "{}",
        refused.body
    );
    assert_eq!(webhook.client().review(&pod())["response"]["allowed"], true);
    drop(unfinished);
    // The room comes back with the connections.
    let again = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        webhook.client().post(&vec![b' '; 4 << 20]).status == 400
    });
    assert!(again);
}

#[test]
fn slow_and_silent_callers_are_sent_away_and_others_do_not_wait() {
    let webhook = Webhook::start(&[]);
    let silent = TcpStream::connect(&webhook.address).unwrap();
    let mut slow = webhook.client();
    slow.write(b"POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{").unwrap();
    let mut plain = TcpStream::connect(&webhook.address).unwrap();
    plain
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "plain HTTP must not be served"
    );

    let began = Instant::now();
    assert_eq!(webhook.client().review(&pod())["response"]["allowed"], true);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "nobody waits for them"
    );
    let late = slow.answer().unwrap();
    assert_eq!(
        (late.status, late.body.as_str()),
        (408, "the body did not come within 10 s\n")
    );
    // Who does not even shake hands is sent away as well.
    silent
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    assert_eq!((&silent).read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn beyond_the_bound_of_connections_the_next_caller_waits_for_a_place() {
    let webhook = Webhook::start(&[]);
    let mut held: Vec<_> = (0..256).map(|_| webhook.client()).collect();
    std::thread::scope(|scope| {
        let (sender, served) = std::sync::mpsc::channel();
        let (address, authority) = (&webhook.address, &webhook.authority);
        scope.spawn(move || {
            sender.send(
                authority
                    .connect(address, &[])
                    .unwrap()
                    .get("/livez")
                    .status,
            )
        });
        let waits = served.recv_timeout(Duration::from_secs(1));
        assert!(waits.is_err(), "there was a place for one more: {waits:?}");
        assert_eq!(held[255].get("/livez").status, 200, "who is in is served");
        held.pop();
        assert_eq!(served.recv_timeout(Duration::from_secs(20)), Ok(200));
    });
}
