//! A scripted upstream, and a provider that points at it.

use std::time::Duration;

use faas_sidecar::call::Call;
use faas_sidecar::credentials::{Credentials, KeyPair, Login, LoginSource, Secret, Source};
use faas_sidecar::names::Pattern;
use faas_sidecar::proto::{Json, json::Encoding};
use faas_sidecar::provider::functiongraph::{Access, Auth, Endpoint, FunctionGraph, Settings};
use faas_sidecar::transport::{self, Retry, Shared, Transport};
pub use faas_testkit::answer::{Http, Step, http, no_content, steps};
pub use faas_testkit::upstream::{Received, Upstream};
use tokio::time::Instant;

pub const ACCESS_KEY: &str = "TESTACCESSKEY0000001";
pub const SECRET_KEY: &str = "test-secret-key-not-real-000000000000001";
pub const PROJECT: &str = "7aad83af3e8d42e99ac194e8419e2c9b";
pub const REGION: &str = "cn-north-4";

/// A server with this script.
pub async fn upstream(script: impl IntoIterator<Item = Http>) -> Upstream {
    Upstream::lenient(script).await
}

/// What follows `…/fgs/functions`, with the URN written short.
pub fn rest(request: &Received) -> String {
    let urn = format!("urn%3Afss%3A{REGION}%3A{PROJECT}%3Afunction%3A");
    let start = format!("/v2/{PROJECT}/fgs/functions");
    let target = request.target();
    target
        .strip_prefix(&start)
        .unwrap_or(target)
        .replace(&urn, "")
}

/// An answer with a JSON body, from a gateway that names the request.
pub fn answer(status: u16, body: &str) -> Http {
    let answer = if status == 204 {
        no_content()
    } else {
        http(status, body)
    };
    answer.header("X-Request-Id", "gateway-1")
}

/// The answer to a look at the function `hello`.
pub fn function() -> Http {
    answer(200, r#"{"func_name":"hello"}"#)
}

/// The answer of a run without an envelope (v0).
pub fn bare(body: &str) -> Http {
    with(answer(200, body), &[("X-Cff-Request-Id", "run-1")])
}

pub fn fault(status: u16, code: &str, message: &str) -> Http {
    answer(
        status,
        &format!(r#"{{"error_code":"{code}","error_msg":"{message}"}}"#),
    )
}

pub fn with(answer: Http, headers: &[(&str, &str)]) -> Http {
    headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(name, value))
}

/// How the provider under test is made.
pub struct Make {
    pub auth: Auth,
    pub project: Option<&'static str>,
    pub attempts: u32,
    pub idempotent: Vec<&'static str>,
}

impl Default for Make {
    fn default() -> Self {
        Self {
            auth: keys(None),
            project: Some(PROJECT),
            attempts: 3,
            idempotent: Vec::new(),
        }
    }
}

pub fn keys(security_token: Option<&str>) -> Auth {
    Auth::Keys(Credentials::load(Source::Fixed(KeyPair {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: Secret::new(SECRET_KEY.to_owned()),
        security_token: security_token.map(|token| Secret::new(token.to_owned())),
    })))
}

pub fn login() -> Login {
    Login {
        username: "robot".to_owned(),
        password: Secret::new("canary-password".to_owned()),
        domain: "acme".to_owned(),
        agency: None,
    }
}

pub fn login_auth(login: Login) -> Auth {
    Auth::Login(LoginSource::Fixed(login))
}

impl Make {
    pub fn build(self, upstream: &Upstream, iam: &Upstream) -> FunctionGraph {
        let settings = transport::Settings {
            retry: Retry {
                max_attempts: self.attempts,
                initial_backoff: Duration::from_millis(1),
                max_backoff: Duration::from_millis(2),
                ..transport::Settings::default().retry
            },
            // Some upstreams here have the time of another year.
            max_clock_correction: Duration::from_hours(262_800),
            ..transport::Settings::default()
        };
        let transport = || Transport::new(&settings, Shared::new(&settings));
        let endpoint = Endpoint::new(
            REGION,
            self.project,
            Some(&upstream.url().parse().unwrap()),
            Some(&iam.url().parse().unwrap()),
        )
        .unwrap();
        let settings = Settings {
            access: Access::new(endpoint, transport(), self.auth),
            wait: Duration::from_secs(60),
            idempotent_actions: self
                .idempotent
                .iter()
                .map(|text| Pattern::parse(text).unwrap())
                .collect(),
        };
        FunctionGraph::new(settings, transport())
    }
}

/// A provider with keys and a project, and its upstream.
pub async fn bench(script: impl IntoIterator<Item = Http>) -> (FunctionGraph, Upstream) {
    let upstream = upstream(script).await;
    let made = Make::default().build(&upstream, &upstream);
    (made, upstream)
}

pub fn call() -> Call {
    Call::new(Instant::now() + Duration::from_secs(20))
}

pub fn text(json: &str) -> Option<Json> {
    Some(Json {
        encoding: Some(Encoding::Text(json.to_owned())),
    })
}

pub fn shown(json: Option<&Json>) -> &str {
    match json.and_then(|json| json.encoding.as_ref()) {
        Some(Encoding::Text(text)) => text,
        _ => panic!("no text"),
    }
}
