//! The sidecar as a process: drain, sockets, faults behind it.

use faas_sidecar::proto::health::HealthCheckRequest;
use faas_sidecar::proto::health::health_client::HealthClient;

use crate::action_service_client::ActionServiceClient;
use crate::invocation_service_client::InvocationServiceClient;
use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_calls_in_flight_finish() {
    let house = House::korea().await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let source = "async function main() { await new Promise(done => setTimeout(done, 500)); return { ok: 1 }; }";
    actions
        .put_action(put("", "slow", javascript(source)))
        .await
        .unwrap();
    let mut health = HealthClient::new(house.channel.clone());
    let mut changes = health
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().status, 1);
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    let running = tokio::spawn(async move { runs.invoke(invoke("", "slow", "{}")).await });
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    let drained = tokio::spawn(house.sidecar.drain());
    assert_eq!(
        changes.message().await.unwrap().unwrap().status,
        2,
        "NOT_SERVING"
    );
    let activation = running
        .await
        .unwrap()
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert!(activation.success);
    drop((changes, health));
    assert!(drained.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_cloud_become_honest_errors_and_retries() {
    let house = House::korea().await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    actions
        .put_action(put("", "f", javascript("function main() { return {}; }")))
        .await
        .unwrap();
    let emulator = house.emulators.iter().next().unwrap();

    emulator
        .faults()
        .add("status=429,retry-after=0,count=1".parse().unwrap());
    let answer = runs.invoke(invoke("", "f", "{}")).await.unwrap();
    assert!(
        answer.into_inner().activation.unwrap().success,
        "a refusal did not start anything, so it is repeated"
    );

    emulator
        .faults()
        .add("reset=after,count=1".parse().unwrap());
    let lost = runs.invoke(invoke("", "f", "{}")).await.unwrap_err();
    assert_eq!(lost.code(), tonic::Code::Unavailable);
    let info = tonic_types::StatusExt::get_details_error_info(&lost).unwrap();
    assert_eq!(info.metadata["execution"], "unknown");
    assert_eq!(
        info.metadata["attempts"], "1",
        "what may have run is not repeated"
    );

    emulator
        .faults()
        .add("reset=after,count=1".parse().unwrap());
    let mut harmless = invoke("", "f", "{}");
    harmless.idempotent = true;
    assert!(
        runs.invoke(harmless)
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap()
            .success
    );
}

/// The first line of a page's head, and its body.
async fn page(address: std::net::SocketAddr, path: &str) -> (String, String) {
    let (head, body) = faas_testkit::page::get(address, path).await;
    (head.lines().next().unwrap().to_owned(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_pages_tell_readiness_and_configuration_without_secrets() {
    let house = House::open(
        "  kr: {provider: ncp}\nadmin: 127.0.0.1:0",
        Options::default,
    )
    .await;
    let address = house.sidecar.admin().unwrap();
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(
            page(address, path).await,
            ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()),
            "{path}"
        );
    }
    let (status, config) = page(address, "/config").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        (&config["generation"], &config["problems"]),
        (&1.into(), &serde_json::json!({}))
    );
    assert_eq!(config["configuration"]["targets"]["kr"]["provider"], "ncp");
    let secret = house
        .emulators
        .env()
        .get("NCLOUD_SECRET_ACCESS_KEY")
        .unwrap();
    assert!(!config.to_string().contains(&secret));
    assert!(page(address, "/nope").await.0.contains("404"));
}
