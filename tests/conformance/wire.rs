//! What the upstream receives is what was signed, byte for byte, whatever stands in the path and
//! the query.

use std::time::Duration;

use bytes::Bytes;
use faas_sidecar::call::Call;
use faas_sidecar::credentials::{Credentials, KeyPair, Secret, Source};
use faas_sidecar::error::Faults;
use faas_sidecar::proto::Platform;
use faas_sidecar::provider::ncp::{ApiVersion, Endpoint, Ncp, Region, Settings, Site};
use faas_sidecar::transport::{self, Protocol as _, Request, Shared, Transport};
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use url::Url;

use crate::support::answer::content;
use crate::support::upstream::{ACCESS_KEY, Received, SECRET_KEY, Upstream};

struct Line {
    runtime: Runtime,
    upstream: Upstream,
    transport: Transport,
    ncp: Ncp,
}

impl Line {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let upstream = runtime.block_on(Upstream::start());
        let settings = transport::Settings::default();
        let make = || Transport::new(&settings, Shared::new(&settings));
        let keys = KeyPair {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: Secret::new(SECRET_KEY.to_owned()),
            security_token: None,
        };
        let base = Url::parse(&upstream.url()).unwrap();
        let endpoint = Endpoint::new(
            Site::Public,
            Region::Kr,
            ApiVersion::V21,
            Some(&base),
            Platform::Unspecified,
        )
        .unwrap();
        let ncp_settings = Settings {
            endpoint,
            wait: Duration::from_secs(1),
            idempotent_actions: Vec::new(),
        };
        let ncp = Ncp::new(ncp_settings, make(), Credentials::load(Source::Fixed(keys)));
        Self {
            upstream,
            transport: make(),
            ncp,
            runtime,
        }
    }

    fn send(&self, method: Method, url: Url, body: &[u8]) -> Received {
        let request = Request {
            method,
            url,
            body: Bytes::copy_from_slice(body),
            headers: Vec::new(),
            idempotent: false,
            attempt_timeout: None,
        };
        self.runtime.block_on(async {
            self.upstream.push(content("{}"));
            let mut call = Call::new(Instant::now() + Duration::from_secs(5));
            self.transport
                .send(&mut call, &request, &self.ncp.protocol())
                .await
                .unwrap();
            self.upstream.received().pop().unwrap()
        })
    }
}

/// Text with what has broken signatures elsewhere: reserved characters, escapes, dots, quotes,
/// spaces, Hangul.
fn awkward() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(":".to_owned()),
        Just("%".to_owned()),
        Just("%2F".to_owned()),
        Just("%ed%95".to_owned()),
        Just("함수".to_owned()),
        Just(" ".to_owned()),
        Just("'\"".to_owned()),
        Just("+".to_owned()),
        Just("..".to_owned()),
        Just("%2e%2E".to_owned()),
        Just("&=".to_owned()),
        Just("?".to_owned()),
        Just("//".to_owned()),
        Just("\\^`{|}<>[]~!$(),;@*".to_owned()),
        "[a-zA-Z0-9_-]{1,4}",
        any::<char>()
            .prop_filter("no fragment", |c| *c != '#')
            .prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

#[test]
fn any_url_is_received_as_it_was_signed() {
    let line = Line::new();
    let base = line.upstream.url();
    let methods = prop_oneof![
        Just(Method::GET),
        Just(Method::POST),
        Just(Method::PUT),
        Just(Method::DELETE)
    ];
    let text = (awkward(), awkward(), awkward(), any::<bool>(), methods);
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&text, |(segment, name, value, with_query, method)| {
            let query = if with_query {
                format!("?{name}={value}")
            } else {
                String::new()
            };
            let Ok(url) = Url::parse(&format!("{base}/packages/{segment}/actions{query}")) else {
                return Ok(());
            };
            let expected = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
            let received = line.send(method.clone(), url, b"");
            prop_assert!(
                received.signed,
                "{expected} was received as {}",
                received.target()
            );
            prop_assert_eq!(received.target(), expected);
            prop_assert_eq!(received.method(), method.as_str());
            Ok(())
        })
        .unwrap();
    assert!(
        line.upstream.received().len() > 250,
        "too few of the texts made a URL"
    );
}

#[test]
fn parts_pushed_onto_a_url_are_received_as_they_were_signed() {
    let line = Line::new();
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(
            &(awkward(), awkward(), awkward(), any::<Vec<u8>>()),
            |(segment, name, value, body)| {
                let mut url = Url::parse(&line.upstream.url()).unwrap();
                url.path_segments_mut()
                    .unwrap()
                    .extend(["ncf", "api", &segment]);
                url.query_pairs_mut().append_pair(&name, &value);
                let expected = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
                let received = line.send(Method::PUT, url, &body);
                prop_assert!(
                    received.signed,
                    "{expected} was received as {}",
                    received.target()
                );
                prop_assert_eq!(received.target(), expected);
                prop_assert_eq!(received.body, body);
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn the_endpoint_builds_the_target_that_it_is_asked_for() {
    let line = Line::new();
    let base = Url::parse(&line.upstream.url()).unwrap();
    let endpoint = Endpoint::new(
        Site::Public,
        Region::Kr,
        ApiVersion::V20,
        Some(&base),
        Platform::Unspecified,
    )
    .unwrap();
    let platform = endpoint.platform(0, &mut Faults::new());
    let query = [
        ("start", "2024-04-26T00:00:00"),
        ("end", "2024-04-26T23:59:59"),
    ];
    let url = endpoint.url("/packages/p/actions/a/activations", platform, &query);
    let received = line.send(Method::GET, url, b"");
    assert!(received.signed);
    // The colons of first-generation times stay raw (vector V13), in what is sent and so in what is
    // signed.
    assert_eq!(
        received.target(),
        "/api/v2/packages/p/actions/a/activations?platform=classic&start=2024-04-26T00:00:00&end=2024-04-26T23:59:59"
    );
}

#[test]
fn a_signature_uses_its_own_timestamp_header_and_milliseconds() {
    let line = Line::new();
    let request = Request {
        method: Method::GET,
        url: Url::parse("http://localhost/ncf/api/v2/packages?platform=vpc").unwrap(),
        body: Bytes::new(),
        headers: Vec::new(),
        idempotent: true,
        attempt_timeout: None,
    };
    let now = std::time::UNIX_EPOCH + Duration::from_millis(1_714_111_020_170);
    let headers = line.ncp.protocol().sign(&request, now).unwrap();
    let shown: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(
        shown,
        [
            ("x-ncp-apigw-timestamp", "1714111020170"),
            ("x-ncp-iam-access-key", ACCESS_KEY),
            // Vector V2.
            (
                "x-ncp-apigw-signature-v2",
                "G9XMGbwVsK10n5zYjUCRqnLyK6pk5XqVV1TexFXiGyk="
            ),
        ]
    );
}
