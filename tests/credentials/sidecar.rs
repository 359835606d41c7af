//! The whole sidecar, started from a configuration text, with keys that come, change and go.

use std::io::Write as _;
use std::time::{Duration, Instant};

use faas_sidecar::app::Sidecar;
use faas_sidecar::env::Env;
use faas_sidecar::proto::ListPackagesRequest;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use faas_testkit::page;
use tonic::transport::{Channel, Endpoint};

use crate::cloud::Cloud;
use crate::config::load;
use crate::kubernetes::Mounted;

struct House {
    cloud: Cloud,
    sidecar: Sidecar,
    packages: PackageServiceClient<Channel>,
}

impl House {
    async fn open(credentials: &str, env: Env) -> Self {
        let cloud = Cloud::start().await;
        cloud.keys.make("ncp_iam_FIRST", "first-secret");
        let text = format!(
            "listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\ntargets:\n  main:\n    provider: ncp\n    base_url: {}\n    credentials: {credentials}\n",
            cloud.server.url()
        );
        let sidecar = Sidecar::start(&load(&text, &env), &env).unwrap();
        let address = sidecar.tcp().unwrap();
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        Self {
            cloud,
            sidecar,
            packages: PackageServiceClient::new(channel),
        }
    }

    async fn list(&mut self) -> Result<(), tonic::Status> {
        self.packages
            .list_packages(ListPackagesRequest::default())
            .await
            .map(drop)
    }

    /// An operator's page: its status line and body.
    async fn page(&self, path: &str) -> (String, String) {
        let (head, body) = page::get(self.sidecar.admin().unwrap(), path).await;
        (head.lines().next().unwrap().to_owned(), body)
    }

    async fn status(&self) -> serde_json::Value {
        let (line, body) = self.page("/credentials").await;
        assert_eq!(line, "HTTP/1.1 200 OK");
        assert!(!body.contains("-secret"), "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["main"].clone()
    }

    async fn until(&self, what: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.status().await;
            if what(&status) {
                return status;
            }
            assert!(Instant::now() < until, "{status:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn no_variables() -> Env {
    Env::fixed::<String, String>([])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_secret_is_rotated_without_a_restart_and_a_wrong_one_changes_nothing() {
    let mut mounted = Mounted::new(&[
        ("access-key-id", b"ncp_iam_FIRST"),
        ("secret-access-key", b"first-secret\n"),
    ]);
    let directory = mounted.path().display().to_string();
    let mut house = House::open(
        &format!("{{source: files, directory: {directory}}}"),
        no_variables(),
    )
    .await;
    house.list().await.unwrap();
    let first = house.status().await;
    assert_eq!(
        (&first["generation"], &first["ready"]),
        (&1.into(), &true.into())
    );

    mounted.pair("ncp_iam_WRONG", "wrong-secret");
    let refused = house
        .until(|status| status["last_refresh"]["outcome"] == "refused")
        .await;
    assert_eq!(refused["fingerprint"], first["fingerprint"]);
    assert!(refused["last_refresh"]["why"].as_str().unwrap().len() > 20);
    house.list().await.unwrap();

    house.cloud.keys.make("ncp_iam_SECOND", "second-secret");
    mounted.pair("ncp_iam_SECOND", "second-secret");
    let second = house
        .until(|status| status["last_refresh"]["outcome"] == "rotated")
        .await;
    assert_eq!(
        (&second["generation"], &second["previous_kept"]),
        (&2.into(), &true.into())
    );
    assert_ne!(second["fingerprint"], first["fingerprint"]);
    house.cloud.keys.switch_off("ncp_iam_FIRST", Duration::ZERO);
    house.list().await.unwrap();
    let (_, metrics) = house.page("/metrics").await;
    for line in [
        r#"faas_sidecar_credentials_refreshes_total{faas_sidecar_target="main",outcome="rotated"} 2"#,
        "faas_sidecar_credentials_generation",
        "faas_sidecar_credentials_age_seconds",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_that_the_keys_are_missing_until_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let mut house = House::open(
        &format!("{{source: files, directory: {path}}}"),
        no_variables(),
    )
    .await;
    let (line, why) = house.page("/readyz").await;
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(
        why.starts_with("credentials: target main: ")
            && why.contains("access-key-id cannot be read"),
        "{why}"
    );
    assert_eq!(house.page("/livez").await.0, "HTTP/1.1 200 OK");
    assert!(
        house
            .list()
            .await
            .unwrap_err()
            .message()
            .contains("access-key-id cannot be read")
    );
    std::fs::write(directory.path().join("access-key-id"), "ncp_iam_FIRST").unwrap();
    std::fs::write(directory.path().join("secret-access-key"), "first-secret").unwrap();
    house.until(|status| status["ready"] == true).await;
    assert_eq!(
        house.page("/readyz").await,
        ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned())
    );
    house.list().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gives_the_keys_of_the_first_call() {
    let script = r#"printf '{"AccessKeyId":"%s","SecretAccessKey":"first-secret","Expiration":"2999-01-01T00:00:00Z"}' "$WHO""#;
    let mut file = tempfile::Builder::new().suffix(".sh").tempfile().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let credentials = format!(
        "{{source: exec, command: /bin/sh, args: [{}], env: [WHO]}}",
        file.path().display()
    );
    let mut house = House::open(
        &credentials,
        Env::fixed([("WHO", "ncp_iam_FIRST"), ("OTHER", "x")]),
    )
    .await;
    house.list().await.unwrap();
    let status = house.status().await;
    assert_eq!(status["source"], "the command /bin/sh");
    assert!(status["expires_in_seconds"].as_u64().unwrap() > 86_400);
}
