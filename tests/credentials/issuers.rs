//! Every issuer of temporary keys against a server that answers as the documents say, quirks
//! included.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use faas_sidecar::credentials::{Agency, Issuer as _, KeyPair, Login, LoginSource, Secret, Source};
use faas_sidecar::error::Kind;
use faas_sidecar::provider::functiongraph::{self, Asker, EcsMetadata, TemporaryKeys};
use faas_sidecar::provider::ncp::{ServerRole, Sts};
use faas_sidecar::transport::{self, Shared, Transport};

use crate::cloud::Cloud;
use faas_testkit::answer::{Http, http};
use faas_testkit::upstream::{Received, Upstream};

const ROLES: &str = "/latest/meta-data/iam/security-credentials";
const ROLE_KEY: &str = r#"{"Code":"Success","AccessKeyId":"ncp_iam_ROLE","SecretAccessKey":"s3cret","Expiration":"2026-11-21T11:00:00+0000"}"#;
const SECURITY_KEY: &str = r#"{"credential":{"access":"AGENCYKEY","secret":"s3cret","securitytoken":"t0ken","expires_at":"2026-11-21T11:00:00.678000Z"}}"#;
const LOGGED_IN: &str = r#"{"token":{"expires_at":"2026-11-22T10:00:00.000000Z","issued_at":"2026-11-21T10:00:00.000000Z"}}"#;

fn dated(body: &str) -> Http {
    http(200, body).header("Date", "Sat, 21 Nov 2026 10:00:00 GMT")
}

fn url(server: &Upstream) -> url::Url {
    server.url().parse().unwrap()
}

fn transport() -> Transport {
    let settings = transport::Settings {
        tls: None,
        ..transport::Settings::default()
    };
    Transport::new(&settings, Shared::new(&settings))
}

fn fixed(id: &str, secret: &str) -> Source {
    Source::Fixed(KeyPair::checked(id, secret, None).unwrap())
}

/// NCP's metadata service with sessions, which end when the server is started anew.
fn role_server(sessions: Arc<AtomicUsize>) -> impl Fn(&Received) -> Http + Send + Sync {
    move |asked| {
        let session = format!("session-{}", sessions.load(Ordering::Relaxed));
        match asked.summary().as_str() {
            "PUT /latest/api/token"
                if asked.header("x-ncp-metadata-token-ttl-seconds") == Some("21600") =>
            {
                http(200, &session)
            }
            _ if asked.header("x-ncp-metadata-token") != Some(&session) => http(401, ""),
            line if line == format!("GET {ROLES}") => http(200, "role-1\nrole-2"),
            line if line == format!("GET {ROLES}/role-1") => dated(ROLE_KEY),
            _ => http(404, "Path Not found."),
        }
    }
}

#[tokio::test]
async fn a_server_role_is_read_in_a_session_that_is_kept() {
    let sessions = Arc::new(AtomicUsize::new(1));
    let server = Upstream::by(role_server(Arc::clone(&sessions))).await;
    let role = ServerRole::new(&url(&server)).unwrap();
    let issued = role.issue().await.unwrap();
    assert_eq!(issued.keys.access_key, "ncp_iam_ROLE");
    assert_eq!(issued.keys.secret_key.reveal(), "s3cret");
    // By the service's clock, not by this machine's.
    assert_eq!(issued.life, Some(Duration::from_secs(3600)));
    role.issue().await.unwrap();
    let get = |path: &str| format!("GET {ROLES}{path}");
    let put = "PUT /latest/api/token".to_owned();
    assert_eq!(
        server.lines(),
        [
            put.clone(),
            get(""),
            get("/role-1"),
            get(""),
            get("/role-1")
        ]
    );
    // The server forgot the session: one new one, and on.
    sessions.fetch_add(1, Ordering::Relaxed);
    role.issue().await.unwrap();
    assert_eq!(server.lines()[5..], [get(""), put, get(""), get("/role-1")]);
    assert!(!format!("{role:?}{issued:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_metadata_service_without_sessions_is_asked_without() {
    for refusal in [404, 405, 503] {
        let server = Upstream::by(move |asked| match asked.summary().as_str() {
            line if line.starts_with("PUT") => http(refusal, ""),
            line if line == format!("GET {ROLES}") => http(200, "role-1"),
            line if line == format!("GET {ROLES}/role-1") => dated(ROLE_KEY),
            _ => http(500, ""),
        })
        .await;
        let issued = ServerRole::new(&url(&server))
            .unwrap()
            .issue()
            .await
            .unwrap();
        assert_eq!(issued.keys.access_key, "ncp_iam_ROLE", "{refusal}");
        assert!(
            server
                .received()
                .iter()
                .all(|asked| asked.header("x-ncp-metadata-token").is_none())
        );
    }
}

#[tokio::test]
async fn a_server_without_a_role_says_what_to_do() {
    let server = Upstream::by(|_| http(404, "Path Not found.")).await;
    let error = ServerRole::new(&url(&server))
        .unwrap()
        .issue()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::Unauthenticated, "CREDENTIALS_MISSING")
    );
    assert!(
        error.message.contains("has no role; give it a Server Role"),
        "{}",
        error.message
    );
    // A role id becomes part of a path, so it may not be one.
    let server = Upstream::by(|_| http(200, "../../user-data")).await;
    let error = ServerRole::new(&url(&server))
        .unwrap()
        .issue()
        .await
        .unwrap_err();
    assert!(error.message.contains("names no role"), "{}", error.message);
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn metadata_is_never_followed_elsewhere_and_never_read_without_bound() {
    let elsewhere = Upstream::by(|_| dated(SECURITY_KEY)).await;
    let location = elsewhere.url();
    let server = Upstream::by(move |_| http(302, "").header("Location", &location)).await;
    let error = EcsMetadata::new(&url(&server))
        .unwrap()
        .issue()
        .await
        .unwrap_err();
    assert!(error.message.contains("HTTP 302"), "{}", error.message);
    assert!(elsewhere.received().is_empty());
    let server = Upstream::by(|asked| match asked.method() {
        "PUT" => http(404, ""),
        _ => http(200, &"x".repeat(100_000)),
    })
    .await;
    let error = EcsMetadata::new(&url(&server))
        .unwrap()
        .issue()
        .await
        .unwrap_err();
    assert!(
        error.message.contains("more than 65536 bytes"),
        "{}",
        error.message
    );
    let gone = "http://127.0.0.1:1".parse().unwrap();
    let error = EcsMetadata::new(&gone).unwrap().issue().await.unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::Unavailable, "METADATA_UNREACHABLE")
    );
}

#[tokio::test]
async fn ecs_metadata_gives_temporary_keys_with_their_token() {
    let agency = Arc::new(AtomicBool::new(true));
    let bound = Arc::clone(&agency);
    let server = Upstream::by(move |asked| match asked.summary().as_str() {
        "PUT /meta-data/latest/api/token" => {
            assert_eq!(asked.header("x-metadata-token-ttl-seconds"), Some("21600"));
            http(200, "session")
        }
        "GET /openstack/latest/securitykey"
            if asked.header("x-metadata-token") == Some("session") =>
        {
            if bound.load(Ordering::Relaxed) {
                dated(SECURITY_KEY)
            } else {
                http(401, "Please configure Cloud Service Agency first")
            }
        }
        _ => http(500, ""),
    })
    .await;
    let metadata = EcsMetadata::new(&url(&server)).unwrap();
    let issued = metadata.issue().await.unwrap();
    assert_eq!(issued.keys.access_key, "AGENCYKEY");
    assert_eq!(issued.keys.security_token.unwrap().reveal(), "t0ken");
    assert_eq!(issued.life.unwrap().as_secs(), 3600);
    agency.store(false, Ordering::Relaxed);
    let error = metadata.issue().await.unwrap_err();
    assert!(
        error.message.contains("has no agency; bind one"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn sts_is_asked_with_the_base_key_and_its_times_are_its_own() {
    let cloud = Cloud::start().await;
    cloud.keys.make("ncp_iam_BASE", "base-secret");
    let answer = r#"{"accessKey":"ncp_iam_TEMP","keySecret":"s3cret","createTime":"2020-01-01T00:00:00.000Z","expireTime":"2020-01-01T01:00:00.000Z","useMfa":false}"#;
    let keys = Arc::clone(&cloud.keys);
    let server = Upstream::by(move |asked| match keys.signer(asked) {
        Some(id) if id == "ncp_iam_BASE" => http(200, answer),
        _ => http(
            401,
            r#"{"error":{"errorCode":"200","message":"Authentication Failed"}}"#,
        ),
    })
    .await;
    let sts = |secret: &str| Sts {
        transport: transport(),
        url: url(&server),
        base: fixed("ncp_iam_BASE", secret),
        duration: Duration::from_secs(900),
    };
    let issued = sts("base-secret").issue().await.unwrap();
    assert_eq!(issued.keys.access_key, "ncp_iam_TEMP");
    assert_eq!(issued.life.unwrap().as_secs(), 3600);
    let asked = server.received().remove(0);
    assert_eq!(asked.summary(), "POST /api/v1/credentials");
    assert_eq!(asked.json(), serde_json::json!({"durationSec": 900}));
    let error = sts("another").issue().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    assert!(
        error
            .message
            .starts_with("Nothing was sent, because asking for temporary keys failed."),
        "{}",
        error.message
    );
    assert_eq!(server.received().len(), 2, "a refused key is not repeated");
}

fn login(agency: Option<Agency>) -> LoginSource {
    LoginSource::Fixed(Login {
        username: "robot".to_owned(),
        password: Secret::new("pass\"word".to_owned()),
        domain: "acme".to_owned(),
        agency,
    })
}

fn helper() -> Agency {
    Agency {
        name: "helper".to_owned(),
        domain: "other".to_owned(),
    }
}

async fn iam() -> Upstream {
    Upstream::by(|asked| match asked.summary().as_str() {
        "POST /v3/auth/tokens?nocatalog=true" => {
            http(201, LOGGED_IN).header("X-Subject-Token", "MIItoken")
        }
        "POST /v3.0/OS-CREDENTIAL/securitytokens"
            if asked.header("x-auth-token") == Some("MIItoken")
                || asked.header("authorization").is_some() =>
        {
            dated(SECURITY_KEY).status(201)
        }
        _ => http(401, r#"{"error_code":"IAM.0001","error_msg":"no"}"#),
    })
    .await
}

fn temporary(server: &Upstream, asker: Asker) -> TemporaryKeys {
    let url = url(server);
    let endpoint =
        functiongraph::Endpoint::new("cn-north-4", None, Some(&url), Some(&url)).unwrap();
    TemporaryKeys::new(endpoint, transport(), asker, Duration::from_secs(1800))
}

#[tokio::test]
async fn a_login_is_exchanged_for_temporary_keys() {
    let server = iam().await;
    let issued = temporary(&server, Asker::Login(login(None)))
        .issue()
        .await
        .unwrap();
    assert_eq!(issued.keys.access_key, "AGENCYKEY");
    assert_eq!(issued.life.unwrap().as_secs(), 3600);
    let asked = server.received();
    let user = &asked[0].json()["auth"]["identity"]["password"]["user"];
    assert_eq!(
        (&user["name"], &user["password"]),
        (&"robot".into(), &"pass\"word".into())
    );
    assert_eq!(
        asked[0].json()["auth"]["scope"]["project"]["name"],
        "cn-north-4"
    );
    let identity = asked[1].json()["auth"]["identity"].clone();
    assert_eq!(
        identity,
        serde_json::json!({"methods": ["token"], "token": {"duration_seconds": 1800}})
    );
}

#[tokio::test]
async fn an_agency_is_taken_on_with_a_login_or_with_a_key() {
    let role = serde_json::json!({
        "methods": ["assume_role"],
        "assume_role": {"domain_name": "other", "agency_name": "helper", "duration_seconds": 1800},
    });
    let server = iam().await;
    temporary(&server, Asker::Login(login(Some(helper()))))
        .issue()
        .await
        .unwrap();
    let asked = server.received();
    assert_eq!(asked[0].json()["auth"]["scope"]["domain"]["name"], "acme");
    assert_eq!(asked[1].json()["auth"]["identity"], role);

    let server = iam().await;
    let asker = Asker::Key(fixed("BASEKEY", "base-secret"), helper());
    let issued = temporary(&server, asker).issue().await.unwrap();
    assert_eq!(issued.keys.security_token.unwrap().reveal(), "t0ken");
    let asked = server.received();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0]
            .header("authorization")
            .unwrap()
            .starts_with("SDK-HMAC-SHA256 Access=BASEKEY, ")
    );
    assert_eq!(asked[0].json()["auth"]["identity"], role);
}
