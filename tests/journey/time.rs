//! Clocks that differ, and runs that outlast the sidecar that started them.

use std::time::Duration;

use serde_json::json;

use crate::action_service_client::ActionServiceClient;
use crate::invocation_service_client::InvocationServiceClient;
use crate::*;

/// Less than `max_clock_correction`, by default a day.
const FAR_MS: i64 = 20 * 60 * 60 * 1000;

fn record(action: &str, id: &str) -> GetActivationRequest {
    GetActivationRequest {
        action_name: action.to_owned(),
        activation_id: id.to_owned(),
        result_encoding: JsonEncoding::Text.into(),
        ..GetActivationRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_whose_clock_is_hours_away_is_used_as_any_other() {
    for ahead in [FAR_MS, -FAR_MS] {
        let options = || Options {
            clock_offset_ms: ahead,
            ..Options::default()
        };
        let targets = "  kr: {provider: ncp, retry: {max_attempts: 1}}";
        let house = House::open(targets, options).await;
        let mut actions = ActionServiceClient::new(house.channel.clone());
        let mut runs = InvocationServiceClient::new(house.channel.clone());
        actions
            .put_action(put(
                "",
                "echo",
                javascript("function main(p) { return p; }"),
            ))
            .await
            .unwrap();
        let mut ids = Vec::new();
        for n in 0..3 {
            let answer = runs
                .invoke(invoke("", "echo", &format!(r#"{{"n":{n}}}"#)))
                .await
                .unwrap();
            let run = answer.into_inner().activation.unwrap();
            assert_eq!(read(run.result), json!({ "n": n }));
            ids.push(run.activation_id);
        }
        let request = record("echo", &ids[0]);
        let found = runs.get_activation(request).await.unwrap().into_inner();
        assert!(found.activation.unwrap().success);
        // The page ends at the cloud's now, not at ours.
        let request = ListActivationsRequest {
            action_name: "echo".to_owned(),
            ..ListActivationsRequest::default()
        };
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let listed = runs.list_activations(request).await.unwrap().into_inner();
        assert_eq!(listed.activations.len(), 3, "{ahead}");
        let emulator = house.emulators.iter().next().unwrap();
        let refused = emulator
            .requests()
            .iter()
            .filter(|request| request.status == Some(401))
            .count();
        assert_eq!(refused, 1, "one refusal shows the time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_again_by_a_sidecar_that_did_not_start_it() {
    let options = || Options {
        activation_lag: Duration::from_millis(500),
        ..Options::default()
    };
    let House {
        emulators,
        sidecar,
        channel,
    } = House::open("  kr: {provider: ncp}", options).await;
    let mut actions = ActionServiceClient::new(channel.clone());
    let mut runs = InvocationServiceClient::new(channel);
    let source = "async function main() { await new Promise(done => setTimeout(done, 1500)); return { done: true }; }";
    actions
        .put_action(put("", "long", javascript(source)))
        .await
        .unwrap();
    let mut short = invoke("", "long", "{}");
    short.wait = Some(prost_types::Duration {
        seconds: 0,
        nanos: 200_000_000,
    });
    let started = runs
        .invoke(short)
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(started.status(), ActivationStatus::Running);
    let id = started.activation_id;
    // Without a drain, as when a node dies.
    drop(sidecar);

    let env = emulators.env();
    let house = House::with(emulators, env, |_| ()).await;
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    let early = runs.get_activation(record("long", &id)).await.unwrap_err();
    assert_eq!(early.code(), tonic::Code::NotFound);
    let again = tonic_types::StatusExt::get_details_retry_info(&early).unwrap();
    assert!(again.retry_delay.is_some() && early.message().contains("not visible yet"));

    let request = WatchActivationRequest {
        action_name: "long".to_owned(),
        activation_id: id.clone(),
        result_encoding: JsonEncoding::Text.into(),
        ..WatchActivationRequest::default()
    };
    let mut states = runs.watch_activation(request).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(state) = states.message().await.unwrap() {
        seen.push(state.activation.unwrap());
    }
    let told: Vec<_> = seen.iter().map(Activation::status).collect();
    assert_eq!(told, [ActivationStatus::Running, ActivationStatus::Success]);
    assert_eq!(read(seen.pop().unwrap().result), json!({"done": true}));
    let found = runs
        .get_activation(record("long", &id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        read(found.activation.unwrap().result),
        json!({"done": true})
    );
}
