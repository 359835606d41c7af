//! Who the sidecar is: keys, a login, wrong ones; both clouds beside each other; what this cloud
//! has not.

use faas_emulator::functiongraph::{DEFAULT_DOMAIN, DEFAULT_USER};
use faas_sidecar::config::{Cloud, CredentialSource};
use faas_sidecar::credentials::settings::SharedSource;
use faas_sidecar::provider::functiongraph::KeySources;
use serde_json::json;

use super::*;
use crate::trigger_service_client::TriggerServiceClient;

const ECHO: &str = "exports.handler = async (event) => event";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_size_are_signed() {
    let mut graph = Graph::new().await;
    graph.put("", "echo", node(ECHO)).await;
    for size in [1 << 10, 1 << 20] {
        let arguments = json!({"fill": "é~ +/%".repeat(size / 7)});
        let ran = graph.run(invoke("", "echo", &arguments.to_string())).await;
        assert!(ran.success && read(ran.result) == arguments, "{size}");
    }
    let emulator = graph.house.emulators.iter().next().unwrap();
    let sent = emulator.requests();
    assert!(sent.len() > 3 && sent.iter().all(|request| request.status != Some(401)));
    let projects = sent
        .iter()
        .filter(|request| request.target.starts_with("/v3/projects"))
        .count();
    assert_eq!(projects, 1, "the project is looked up once");
}

/// With the user's own password, or another.
async fn logged_in(password: Option<&str>, project: Option<&str>) -> (Graph, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let clouds = EmulatedClouds::default();
    let own = clouds.functiongraph.users[0].password.as_str();
    for (name, content) in [
        ("username", DEFAULT_USER),
        ("password", password.unwrap_or(own)),
        ("domain", DEFAULT_DOMAIN),
    ] {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let emulators = emulators(TARGET, clouds).await;
    let path = directory.path().to_owned();
    let house = House::with(emulators, Env::fixed::<String, String>([]), |config| {
        let target = config.targets.get_mut("graph").unwrap();
        let source = KeySources::IamPassword { directory: path };
        target.credentials.source = CredentialSource::FunctionGraph(source);
        target.credentials.verify = None;
        if let Cloud::FunctionGraph(place) = &mut target.cloud {
            place.project_id = project.map(str::to_owned);
        }
    });
    (Graph::of(house.await), directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_a_token_that_is_used_for_all_calls() {
    for project in [None, Some(faas_emulator::functiongraph::DEFAULT_PROJECT_ID)] {
        let (mut graph, _directory) = logged_in(None, project).await;
        graph.put("", "hello", node(GREET)).await;
        for _ in 0..3 {
            assert!(
                graph
                    .run(invoke("", "hello", r#"{"name": "Kim"}"#))
                    .await
                    .success
            );
        }
        let sent = graph.house.emulators.iter().next().unwrap().requests();
        let logins = sent
            .iter()
            .filter(|request| request.target.starts_with("/v3/auth/tokens"))
            .count();
        assert_eq!(logins, 1);
        let has = |name: &str, request: &faas_emulator::RecordedRequest| {
            request
                .headers
                .iter()
                .any(|(header, _)| header.eq_ignore_ascii_case(name))
        };
        assert!(
            sent.iter().all(|request| !has("authorization", request)),
            "a token is no signature"
        );
        assert!(sent[1..].iter().all(|request| has("x-auth-token", request)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_a_loop() {
    let (mut graph, _directory) = logged_in(Some("hunter2"), None).await;
    let refused = graph
        .runs
        .invoke(invoke("", "hello", "{}"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert!(!format!("{refused:?}").contains("hunter2"));
    assert_eq!(info(&refused).metadata["execution"], "not_started");
    assert_eq!(
        graph
            .house
            .emulators
            .iter()
            .next()
            .unwrap()
            .requests()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_key_does_not_lock_the_key() {
    let both = "  right: {provider: functiongraph, region: cn-north-4}\n  \
                wrong: {provider: functiongraph, region: cn-north-4}\ndefault_target: wrong";
    let emulators = emulators(both, EmulatedClouds::default()).await;
    assert_eq!(emulators.iter().count(), 1, "one place, one emulator");
    let keys = tempfile::tempdir().unwrap();
    let good = |name: &str| emulators.env().get(name).unwrap();
    std::fs::write(
        keys.path().join("access-key-id"),
        good("HUAWEICLOUD_SDK_AK"),
    )
    .unwrap();
    std::fs::write(
        keys.path().join("secret-access-key"),
        good("HUAWEICLOUD_SDK_SK"),
    )
    .unwrap();
    let env = Env::fixed([
        ("HUAWEICLOUD_SDK_AK", good("HUAWEICLOUD_SDK_AK")),
        ("HUAWEICLOUD_SDK_SK", "not-the-secret".to_owned()),
    ]);
    let path = keys.path().to_owned();
    let house = House::with(emulators, env, |config| {
        let source = SharedSource::Files { directory: path };
        let target = config.targets.get_mut("right").unwrap();
        target.credentials.source = CredentialSource::FunctionGraph(source.into());
        target.credentials.verify = Some(true);
    });
    let mut graph = Graph::of(house.await);
    let mut reasons = Vec::new();
    for _ in 0..12 {
        let refused = graph
            .runs
            .invoke(invoke("", "hello", "{}"))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let info = info(&refused);
        assert_eq!(info.metadata["execution"], "not_started");
        reasons.push(info.reason);
    }
    assert_eq!(reasons[11], "ACCESS_KEY_HELD_BACK", "{reasons:?}");
    let sent = graph.house.emulators.iter().next().unwrap().requests();
    assert!(
        sent.len() < 5,
        "{} requests reached the cloud, which locks at five",
        sent.len()
    );

    // The key itself is still good.
    let mut request = put("", "hello", node(GREET));
    request.target = "right".to_owned();
    graph.actions.put_action(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_cloud_has_not_says_what_to_do_instead() {
    let graph = Graph::new().await;
    let mut triggers = TriggerServiceClient::new(graph.house.channel.clone());
    let listed = triggers
        .list_triggers(ListTriggersRequest::default())
        .await
        .unwrap_err();
    let fired = triggers
        .fire_trigger(FireTriggerRequest {
            trigger_name: "nightly".to_owned(),
            ..FireTriggerRequest::default()
        })
        .await
        .unwrap_err();
    for (refused, help) in [(listed, "console"), (fired, "Invoke or InvokeAsync")] {
        assert_eq!(refused.code(), tonic::Code::Unimplemented);
        assert!(refused.message().contains(help), "{}", refused.message());
        assert_eq!(info(&refused).metadata["execution"], "not_started");
    }
    assert!(
        graph
            .house
            .emulators
            .iter()
            .next()
            .unwrap()
            .requests()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_clouds_and_several_regions_side_by_side() {
    let targets = "  korea: {provider: ncp}\n  beijing: {provider: functiongraph, region: cn-north-4}\n  \
                   frankfurt: {provider: functiongraph, region: eu-de, project_id: 00112233445566778899aabbccddeeff}\n  \
                   again: {provider: functiongraph, region: eu-de, project_id: 00112233445566778899aabbccddeeff}\n\
                   default_target: korea";
    let mut graph = Graph::open(targets, Options::default()).await;
    assert_eq!(graph.house.emulators.iter().count(), 3);
    let on_ncp = javascript("function main(p) { return { at: 'korea', n: p.n }; }");
    for (target, made_at) in [
        ("korea", "korea"),
        ("beijing", "beijing"),
        ("frankfurt", "frankfurt"),
        ("again", "frankfurt"),
    ] {
        if target == made_at {
            let action = match target {
                "korea" => on_ncp.clone(),
                _ => node(&format!(
                    "exports.handler = async (p) => ({{ at: '{target}', n: p.n }})"
                )),
            };
            let mut request = put("", "where", action);
            request.target = target.to_owned();
            graph.actions.put_action(request).await.unwrap();
        }
        let mut request = invoke("", "where", r#"{"n": 1}"#);
        request.target = target.to_owned();
        assert_eq!(
            read(graph.run(request).await.result),
            json!({"at": made_at, "n": 1}),
            "{target}"
        );
    }
}
