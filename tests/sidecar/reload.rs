//! A new configuration for a sidecar that runs: what it keeps, what it changes, what it refuses.

use std::time::Duration;

use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::html;
use crate::support::bench::{connect, hello, keys, load, serve, start, success};
use crate::support::details::{bare, told};
use crate::support::page;
use crate::support::patient::Patient;
use crate::support::upstream::Upstream;

/// Two upstreams, and a sidecar whose only target leads to the first.
struct House {
    first: Upstream,
    second: Upstream,
    sidecar: Sidecar,
    channel: Patient,
}

impl House {
    async fn new(settings: &str) -> Self {
        let (first, second) = (Upstream::start().await, Upstream::start().await);
        let sidecar = start(&text(&first, settings), &keys());
        let channel = connect(&sidecar);
        Self {
            first,
            second,
            sidecar,
            channel,
        }
    }

    async fn reload(&mut self, text: &str) -> faas_sidecar::app::Reloaded {
        self.sidecar
            .reload(load(text, &keys()), &keys())
            .await
            .unwrap()
    }

    fn client(&self) -> InvocationServiceClient<Patient> {
        InvocationServiceClient::new(self.channel.clone())
    }

    async fn invoke(&self) -> Result<Activation, tonic::Status> {
        let answer = self.client().invoke(hello()).await?;
        Ok(answer.into_inner().activation.unwrap())
    }
}

fn text(upstream: &Upstream, settings: &str) -> String {
    format!(
        "listen: \"127.0.0.1:0\"\ntargets: {{main: {{provider: ncp, base_url: \"{}\"{settings}}}}}\n",
        upstream.url()
    )
}

#[tokio::test]
async fn a_call_in_flight_finishes_on_the_old_configuration_and_the_next_one_sees_the_new() {
    let mut house = House::new("").await;
    house
        .first
        .push(success(r#"{"from":1}"#).after(Duration::from_millis(300)));
    let mut client = house.client();
    let old = tokio::spawn(async move { client.invoke(hello()).await });
    house.first.wait_received(1).await;
    let to = text(&house.second, "");
    let reloaded = house.reload(&to).await;
    assert_eq!(reloaded.config_generation, 2);
    assert_eq!(reloaded.taken[0].path, "targets.main.base_url");
    house.second.push(success(r#"{"from":2}"#));
    house.invoke().await.unwrap();
    assert!(
        old.await
            .unwrap()
            .unwrap()
            .into_inner()
            .activation
            .unwrap()
            .success
    );
    assert_eq!(
        (house.first.received().len(), house.second.received().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn errors_name_the_configuration_that_the_call_saw() {
    let mut house = House::new(", retry: {max_attempts: 1}").await;
    for generation in 1..=3 {
        house.first.push(html(500));
        let error = told(&house.invoke().await.unwrap_err());
        assert_eq!(error.metadata["config_generation"], generation.to_string());
        let missing = InvokeRequest {
            target: "nobody".to_owned(),
            ..hello()
        };
        let error = bare(&house.client().invoke(missing).await.unwrap_err());
        assert_eq!(
            (
                error.reason.as_str(),
                error.metadata["config_generation"].as_str()
            ),
            ("TARGET_NOT_FOUND", generation.to_string().as_str())
        );
        let settings = format!(", retry: {{max_attempts: 1}}, wait: {generation}s");
        let to = text(&house.first, &settings);
        house.reload(&to).await;
    }
}

#[tokio::test]
async fn what_did_not_change_keeps_its_connections_and_a_file_that_says_nothing_new_changes_nothing()
 {
    let mut house = House::new("").await;
    let other = Upstream::start().await;
    let with = |main: &str, house: &House| {
        format!(
            "{}  other: {{provider: ncp, base_url: \"{}\"}}\ndefault_target: main\n",
            text(&house.first, main)
                .replace("targets: {main: ", "targets:\n  main: ")
                .replace("}}\n", "}\n"),
            other.url()
        )
    };
    house.first.push(success("{}"));
    house.invoke().await.unwrap();
    // A new target beside it; then rules for callers and the bound of a whole call, which are no
    // business of the way.
    for settings in [
        "",
        ", allow: [{actions: [\"-/*\"], operations: [invoke]}]",
        ", timeouts: {request: 100s}",
    ] {
        let to = with(settings, &house);
        house.reload(&to).await;
        house.first.push(success("{}"));
        house.invoke().await.unwrap();
    }
    let connections: Vec<_> = house
        .first
        .received()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections, [0; 4]);
    assert_eq!(house.sidecar.config_generation(), 4);
    let same = with(", timeouts: {request: 100s}", &house);
    let reloaded = house.reload(&same).await;
    assert_eq!((reloaded.config_generation, reloaded.taken.len()), (4, 0));
    // What concerns the connections makes new ones.
    let to = with(", timeouts: {connect: 1s}", &house);
    house.reload(&to).await;
    house.first.push(success("{}"));
    house.invoke().await.unwrap();
    assert_eq!(house.first.received().pop().unwrap().connection, 1);
}

#[tokio::test]
async fn a_limit_that_did_not_change_counts_the_calls_of_both_configurations() {
    let one = ", limits: {max_in_flight: 1, max_queue: 0}, retry: {max_attempts: 1}";
    let mut house = House::new(one).await;
    house
        .first
        .push(success("{}").after(Duration::from_millis(400)));
    let mut client = house.client();
    let old = tokio::spawn(async move { client.invoke(hello()).await });
    house.first.wait_received(1).await;
    let to = text(&house.first, &format!("{one}, wait: 5s"));
    house.reload(&to).await;
    let error = house.invoke().await.unwrap_err();
    assert_eq!(bare(&error).reason, "QUEUE_FULL");
    old.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_needs_a_restart_stays_and_is_told_and_the_rest_is_taken_up() {
    let mut house = House::new("").await;
    let to = format!(
        "threads: 3\nmax_message_size: 1MiB\n{}",
        text(&house.second, "")
    );
    let reloaded = house.reload(&to).await;
    let paths: Vec<_> = reloaded
        .waiting
        .iter()
        .map(|found| found.path.as_str())
        .collect();
    // The bound on memory follows the largest message unless it is given.
    assert_eq!(paths, ["max_body_memory", "max_message_size", "threads"]);
    let shown = house.sidecar.shown();
    assert_eq!(shown.borrow().waiting, paths);
    assert_eq!(shown.borrow().generation, 2);
    house.second.push(success("{}"));
    house.invoke().await.unwrap();
    // Taking the change back leaves nothing to wait for. The largest answer of a target follows the
    // largest message without a restart, so that this is a change, too.
    let back = text(&house.second, "");
    let reloaded = house.reload(&back).await;
    assert_eq!((reloaded.config_generation, reloaded.waiting.len()), (3, 0));
    assert!(shown.borrow().waiting.is_empty());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_after_all_changes_nothing() {
    let mut house = House::new("").await;
    let bad = "listen: \"127.0.0.1:0\"\ntargets: {main: {provider: ncp, ca_file: /no/such/file}}\n";
    let fault = house
        .sidecar
        .reload(load(bad, &keys()), &keys())
        .await
        .unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("target main: ca_file /no/such/file"),
        "{fault}"
    );
    assert_eq!(house.sidecar.config_generation(), 1);
    house.first.push(success("{}"));
    house.invoke().await.unwrap();
}

#[tokio::test]
async fn a_target_that_is_gone_is_not_found_and_one_that_came_is() {
    let mut house = House::new("").await;
    let to = text(&house.second, "").replace("main:", "next:");
    house.reload(&to).await;
    let named = |target: &str| InvokeRequest {
        target: target.to_owned(),
        ..hello()
    };
    let error = house.client().invoke(named("main")).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("next"), "{}", error.message());
    house.second.push(success("{}"));
    house.client().invoke(named("next")).await.unwrap();
}

/// An admin page of the process.
async fn page(admin: &str, path: &str) -> String {
    let (head, body) = page::get(admin, path).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body
}

#[tokio::test]
async fn a_wrong_file_is_told_by_log_pages_and_metrics_until_a_right_one_comes() {
    let upstream = Upstream::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faas.yaml");
    let good = |wait: &str| {
        format!(
            "admin: \"127.0.0.1:0\"\n{}",
            text(&upstream, &format!(", wait: {wait}"))
        )
    };
    let put = |text: &str| {
        std::fs::write(file.with_extension("new"), text).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
    };
    put(&good("10s"));
    let process = serve(&file, &[]);
    let admin = process.admin.clone().unwrap();
    let config = async || -> serde_json::Value {
        serde_json::from_str(&page(&admin, "/config").await).unwrap()
    };

    put("targets: {main: {provider: ncp, secret_key: hunter2}}");
    let event = process.hear("the configuration was refused").await;
    assert_eq!(
        (&event["level"], &event["config_generation"]),
        (&"ERROR".into(), &1.into())
    );
    let ready = page(&admin, "/readyz").await;
    assert!(
        ready.starts_with("ok\nwarning: configuration: since 20"),
        "{ready}"
    );
    let shown = config().await;
    assert_eq!(shown["generation"], 1);
    assert!(
        shown["problems"]["configuration"]["text"]
            .as_str()
            .unwrap()
            .contains("looks like a secret")
    );
    assert_eq!(shown["configuration"]["targets"]["main"]["wait"], "10s");
    let metrics = page(&admin, "/metrics").await;
    assert!(
        metrics.contains("faas_sidecar_config_last_reload_success 0"),
        "{metrics}"
    );
    for text in [ready, shown.to_string(), metrics] {
        assert!(!text.contains("hunter2"), "{text}");
    }

    // What it would change is seen before it is put in place.
    let next = directory.path().join("next.yaml");
    std::fs::write(&next, format!("threads: 2\n{}", good("20s"))).unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
        .args([
            "check",
            "--config",
            next.to_str().unwrap(),
            "--diff",
            &admin,
        ])
        // As the running one was started.
        .args(["--log-format", "json"])
        .env_clear()
        .output()
        .await
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "~ targets.main.wait: \"10s\" -> \"20s\"\n~ threads: 1 -> 2  (needs a restart)\n"
    );

    put(&std::fs::read_to_string(&next).unwrap());
    assert_eq!(process.hear("reloaded").await["config_generation"], 2);
    process.hear("not taken up: ~ threads: 1 -> 2").await;
    assert_eq!(
        page(&admin, "/readyz").await,
        "ok\nwarning: a restart is needed for threads\n"
    );
    let shown = config().await;
    assert_eq!(
        (&shown["generation"], &shown["needs_restart"][0]),
        (&2.into(), &"threads".into())
    );
    assert_eq!(shown["problems"], serde_json::json!({}));
    let metrics = page(&admin, "/metrics").await;
    for line in [
        "faas_sidecar_config_generation 2",
        "faas_sidecar_config_last_reload_success 1",
        "faas_sidecar_config_reloads_total{outcome=\"refused\"} 1",
        "faas_sidecar_config_reloads_total{outcome=\"taken\"} 1",
    ] {
        assert!(
            metrics.lines().any(|shown| shown == line),
            "{line} is not in {metrics}"
        );
    }
}
