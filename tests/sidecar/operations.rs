//! Each of the 21 operations of both generations, at every place that has it: the request as it
//! goes out, compared with its fixture (method, target, body).

use std::collections::BTreeSet;

use faas_sidecar::proto::*;
use serde::Deserialize;
use serde_json::Value as Tree;

use crate::support::answer::{content, no_content};
use crate::support::bench::Bench;

mod perform;

use perform::perform;

/// One request as the documents ask for it, and an answer to it.
#[derive(Deserialize)]
struct Fixture {
    operation: String,
    source: String,
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    body: Option<Tree>,
    answer: Option<Tree>,
}

/// A place with its own paths and rules.
struct Place {
    settings: &'static str,
    prefix: &'static str,
    /// The query `platform`, where it exists.
    platform: Option<&'static str>,
    vpc: bool,
    fixtures: &'static str,
    /// The same two moments in the place's own writing.
    window: (&'static str, &'static str),
}

const OLD: &str = include_str!("fixtures/operations-2.0.json");
const NEW: &str = include_str!("fixtures/operations-2.1.json");
const MILLIS: (&str, &str) = ("1711432620170", "1714111020170");
const SEOUL: (&str, &str) = ("2024-03-26T14:57:00", "2024-04-26T14:57:00");
const SINGAPORE: (&str, &str) = ("2024-03-26T13:57:00", "2024-04-26T13:57:00");

const fn new(settings: &'static str, platform: Option<&'static str>, vpc: bool) -> Place {
    Place {
        settings,
        prefix: "/ncf/api/v2",
        platform,
        vpc,
        fixtures: NEW,
        window: MILLIS,
    }
}

const fn old(
    settings: &'static str,
    platform: Option<&'static str>,
    vpc: bool,
    window: (&'static str, &'static str),
) -> Place {
    Place {
        settings,
        prefix: "/api/v2",
        platform,
        vpc,
        fixtures: OLD,
        window,
    }
}

async fn check(place: Place, without: &[&str]) {
    let bench = Bench::site(place.settings).await;
    let fixtures: Vec<Fixture> = serde_json::from_str(place.fixtures).unwrap();
    let mut done = BTreeSet::new();
    for fixture in fixtures {
        let Fixture {
            operation, source, ..
        } = &fixture;
        if without.contains(&operation.as_str()) {
            continue;
        }
        done.insert(operation.split(' ').next().unwrap().to_owned());
        match &fixture.answer {
            Some(answer) => bench.upstream.push(content(&answer.to_string())),
            None => bench.upstream.push(no_content()),
        }
        let before = bench.upstream.received().len();
        let done = perform(&bench, operation, place.vpc).await;
        assert!(
            done.is_ok(),
            "{operation} at {:?}: {done:?}",
            place.settings
        );
        let received = bench.upstream.received();
        assert_eq!(received.len(), before + 1, "{operation}");
        let request = &received[before];

        let query = fixture
            .query
            .replace("{start}", place.window.0)
            .replace("{end}", place.window.1);
        let platform = place
            .platform
            .map(|word| format!("platform={word}"))
            .unwrap_or_default();
        let query: Vec<_> = [platform, query]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let expected = format!(
            "{} {}{}{mark}{} HTTP/1.1",
            fixture.method,
            place.prefix,
            fixture.path,
            query.join("&")
        );
        assert_eq!(request.line(), expected, "{operation} ({source})");
        assert_eq!(
            request.header("content-type"),
            Some("application/json"),
            "{operation}"
        );
        assert!(request.signed, "{operation}");
        match fixture.body.clone() {
            None => assert!(
                request.body.is_empty(),
                "{operation} sent {}",
                request.text()
            ),
            Some(mut body) => {
                if !place.vpc {
                    body.as_object_mut().unwrap().remove("vpc");
                }
                assert_eq!(request.json(), body, "{operation} ({source})");
            }
        }
    }
    // 20 paths and methods, and a run that is not waited for; the list of the account shares its
    // call.
    assert_eq!(done.len(), 21, "{done:?}");
}

#[tokio::test]
async fn public_korea_speaks_2_1_on_vpc() {
    check(new("", Some("vpc"), true), &[]).await;
}

#[tokio::test]
async fn public_korea_speaks_2_1_on_classic() {
    check(new("platform: classic", Some("classic"), false), &[]).await;
}

#[tokio::test]
async fn public_korea_speaks_2_0_on_classic() {
    check(
        old("api_version: \"2.0\"", Some("classic"), false, SEOUL),
        &[],
    )
    .await;
}

#[tokio::test]
async fn public_korea_speaks_2_0_on_vpc() {
    check(
        old(
            "api_version: \"2.0\"\nplatform: vpc",
            Some("vpc"),
            true,
            SEOUL,
        ),
        &[],
    )
    .await;
}

#[tokio::test]
async fn singapore_has_vpc_alone_and_its_own_time() {
    check(
        new("region: sg", Some("vpc"), true),
        &["PutTrigger source_commit"],
    )
    .await;
    let settings = "region: sg\napi_version: \"2.0\"";
    check(
        old(settings, Some("vpc"), true, SINGAPORE),
        &["PutTrigger source_commit"],
    )
    .await;
}

#[tokio::test]
async fn japan_has_vpc_alone() {
    check(
        new("region: jp", Some("vpc"), true),
        &["PutTrigger source_commit"],
    )
    .await;
    let settings = "region: jp\napi_version: \"2.0\"";
    check(
        old(settings, Some("vpc"), true, SEOUL),
        &["PutTrigger source_commit"],
    )
    .await;
}

#[tokio::test]
async fn the_financial_cloud_has_no_platform_parameter() {
    check(new("site: fin", None, true), &[]).await;
}

#[tokio::test]
async fn the_public_sector_cloud_speaks_2_0_without_the_platform_parameter() {
    let without = [
        "PutTrigger insight",
        "PutTrigger object_storage",
        "PutTrigger source_commit",
    ];
    check(old("site: gov", None, false, SEOUL), &without).await;
}

#[tokio::test]
async fn the_platform_of_a_request_wins_over_that_of_its_target() {
    let bench = Bench::new().await;
    bench.upstream.push(content("[]"));
    let request = ListPackagesRequest {
        platform: Platform::Classic.into(),
        ..Default::default()
    };
    bench.packages().list_packages(request).await.unwrap();
    assert_eq!(
        bench.upstream.only().target(),
        "/ncf/api/v2/packages?platform=classic"
    );
}

#[tokio::test]
async fn a_base_url_with_a_path_replaces_the_prefix() {
    let bench = Bench::new().await;
    let settings = format!(
        "listen: \"127.0.0.1:0\"\ntargets:\n  main:\n    provider: ncp\n    base_url: {}/relay/x/\n",
        bench.upstream.url()
    );
    let sidecar = crate::support::bench::start(&settings, &crate::support::bench::keys());
    let channel = crate::support::bench::connect(&sidecar);
    bench.upstream.push(content("[]"));
    let mut packages = package_service_client::PackageServiceClient::new(channel);
    packages
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    assert_eq!(
        bench.upstream.only().target(),
        "/relay/x/packages?platform=vpc"
    );
}
