//! A new configuration for a sidecar that runs: what it keeps, what it changes, what it refuses.

use std::time::Duration;

use faas_sidecar::app::Sidecar;
use faas_sidecar::config::{self, Config, Sources};
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::*;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::answer::html;
use crate::support::bench::{connect, hello, keys, start, success};
use crate::support::details::{bare, told};
use crate::support::upstream::Upstream;

fn read(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    config::load(&Sources {
        file: Some(file.path().to_owned()),
        env: keys(),
        ..Sources::default()
    })
    .unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// Two upstreams, and a sidecar whose only target leads to the first.
struct House {
    first: Upstream,
    second: Upstream,
    sidecar: Sidecar,
    channel: Channel,
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
        self.sidecar.reload(read(text), &keys()).await.unwrap()
    }

    fn client(&self) -> InvocationServiceClient<Channel> {
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
async fn what_did_not_change_keeps_its_connections_and_a_file_that_says_nothing_new_changes_nothing() {
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
    // A new target beside it; then rules for callers and the bound of a whole call, which are no business of the way.
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
    house.first.push(success("{}").after(Duration::from_millis(400)));
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
    let to = format!("threads: 3\nmax_message_size: 1MiB\n{}", text(&house.second, ""));
    let reloaded = house.reload(&to).await;
    let paths: Vec<_> = reloaded.waiting.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["max_message_size", "threads"]);
    let shown = house.sidecar.shown();
    assert_eq!(shown.borrow().waiting, paths);
    assert_eq!(shown.borrow().generation, 2);
    house.second.push(success("{}"));
    house.invoke().await.unwrap();
    // Taking the change back leaves nothing to wait for.
    let back = text(&house.second, "");
    let reloaded = house.reload(&back).await;
    assert_eq!((reloaded.config_generation, reloaded.waiting.len()), (2, 0));
    assert!(shown.borrow().waiting.is_empty());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_after_all_changes_nothing() {
    let mut house = House::new("").await;
    let bad = "listen: \"127.0.0.1:0\"\ntargets: {main: {provider: ncp, ca_file: /no/such/file}}\n";
    let fault = house.sidecar.reload(read(bad), &keys()).await.unwrap_err();
    assert!(
        fault.to_string().contains("target main: ca_file /no/such/file"),
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
