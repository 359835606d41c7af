//! Many calls at once, several targets, keys that arrive late.

use std::time::Duration;

use faas_sidecar::env::Env;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Step, content, html, steps};
use crate::support::bench::{Bench, connect, hello, keys, shown, start, text};
use crate::support::details::{bare, told};
use crate::support::upstream::{ACCESS_KEY, SECRET_KEY, Upstream};

#[tokio::test]
async fn calls_at_once_get_each_its_own_answer() {
    let bench = Bench::new().await;
    for _ in 0..200 {
        bench.upstream.push(steps([Step::Echo]));
    }
    let calls = (0..200).map(|n: usize| {
        let document = format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat(n * 97 % 5000));
        let mut client = bench.invocations();
        async move {
            let request = InvokeRequest {
                arguments: Some(text(&document)),
                ..hello()
            };
            let run = client
                .invoke(request)
                .await
                .unwrap()
                .into_inner()
                .activation
                .unwrap();
            assert_eq!(shown(&run.result), document);
        }
    });
    futures_util::future::join_all(calls).await;
    assert!(
        bench
            .upstream
            .received()
            .iter()
            .all(|request| request.signed)
    );
}

#[tokio::test]
async fn a_failing_call_leaves_its_neighbours_alone() {
    let bench = Bench::new().await;
    bench.upstream.push(steps([Step::Stall]));
    let mut client = bench.invocations();
    let stalled = tokio::spawn(async move { client.invoke(hello()).await });
    bench.upstream.wait_received(1).await;
    for _ in 0..5 {
        bench.upstream.push(steps([Step::Reset]));
        bench.upstream.push(steps([Step::Echo]));
        bench.invoke(hello()).await.unwrap_err();
        bench.invoke(hello()).await.unwrap();
    }
    stalled.abort();
    bench.upstream.wait_hung_up(1).await;
}

#[tokio::test]
async fn each_target_goes_to_its_own_cloud_in_its_own_way() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let configuration = format!(
        "listen: \"127.0.0.1:0\"\ndefault_target: new\ntargets:\n  new: {{provider: ncp, base_url: \"{}\"}}\n  old: {{provider: ncp, site: gov, base_url: \"{}\"}}\n",
        first.url(),
        second.url()
    );
    let sidecar = start(&configuration, &keys());
    let mut packages = PackageServiceClient::new(connect(&sidecar));
    for (target, upstream) in [("", &first), ("old", &second), ("new", &first)] {
        upstream.push(content("[]"));
        let request = ListPackagesRequest {
            target: target.to_owned(),
            ..Default::default()
        };
        packages.list_packages(request).await.unwrap();
    }
    let targets = |upstream: &Upstream| {
        upstream
            .received()
            .iter()
            .map(|request| request.target().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(targets(&first), ["/ncf/api/v2/packages?platform=vpc"; 2]);
    assert_eq!(targets(&second), ["/api/v2/packages"]);
    // An error names the target that was meant, spelt out even when the request left it to the
    // default.
    first.push(html(404));
    let status = packages
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(bare(&status).metadata["target"], "new");
}

#[tokio::test]
async fn a_target_that_is_full_leaves_the_others_alone() {
    let (full, free) = (Upstream::start().await, Upstream::start().await);
    let configuration = format!(
        "listen: \"127.0.0.1:0\"\ndefault_target: a\ntargets:\n  a: {{provider: ncp, base_url: \"{}\", limits: {{max_in_flight: 1, max_queue: 0}}}}\n  b: {{provider: ncp, base_url: \"{}\"}}\n",
        full.url(),
        free.url()
    );
    let sidecar = start(&configuration, &keys());
    full.push(steps([Step::Stall]));
    let mut client = InvocationServiceClient::new(connect(&sidecar));
    let mut other = client.clone();
    let held = tokio::spawn(async move { other.invoke(hello()).await });
    full.wait_received(1).await;
    assert_eq!(
        client.invoke(hello()).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    free.push(steps([Step::Echo]));
    client
        .invoke(InvokeRequest {
            target: "b".to_owned(),
            ..hello()
        })
        .await
        .unwrap();
    held.abort();
}

#[tokio::test]
async fn keys_in_files_that_arrive_late_are_found_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let settings = format!(
        "credentials: {{source: files, directory: \"{}\"}}",
        directory.path().display()
    );
    let bench = Bench::whole("", &settings, &Env::fixed::<String, String>([])).await;
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
        "not_started",
        "sidecar",
    );
    assert!(told.message.contains("access-key-id"), "{}", told.message);
    std::fs::write(
        directory.path().join("access-key-id"),
        format!("{ACCESS_KEY}\n"),
    )
    .unwrap();
    std::fs::write(
        directory.path().join("secret-access-key"),
        format!("{SECRET_KEY}\n"),
    )
    .unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    bench.assert_healthy().await;
}

#[tokio::test]
async fn the_ncloud_commands_own_file_gives_keys() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("configure");
    std::fs::write(
        &file,
        format!("[DEFAULT]\nncloud_access_key_id = {ACCESS_KEY}\nncloud_secret_access_key = {SECRET_KEY}\n"),
    )
    .unwrap();
    let settings = format!(
        "credentials: {{source: ncloud_configure, file: \"{}\"}}",
        file.display()
    );
    Bench::whole("", &settings, &Env::fixed::<String, String>([]))
        .await
        .assert_healthy()
        .await;
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_told_and_not_sent() {
    let env = Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", "two\nlines"),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
    ]);
    let bench = Bench::whole("", "", &env).await;
    let told = told(&bench.invoke(hello()).await.unwrap_err());
    told.assert(
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
        "not_started",
        "sidecar",
    );
    assert!(
        told.message.contains("the access key id holds"),
        "{}",
        told.message
    );
    assert!(bench.upstream.received().is_empty());
}
