//! A scripted upstream, and a provider that points at it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faas_sidecar::call::Call;
use faas_sidecar::credentials::{Credentials, KeyPair, Login, LoginSource, Secret, Source};
use faas_sidecar::names::Pattern;
use faas_sidecar::proto::{Json, json::Encoding};
use faas_sidecar::provider::functiongraph::{Access, Auth, Endpoint, FunctionGraph, Settings};
use faas_sidecar::transport::{self, Retry, Shared, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use url::Url;

pub const ACCESS_KEY: &str = "TESTACCESSKEY0000001";
pub const SECRET_KEY: &str = "test-secret-key-not-real-000000000000001";
pub const PROJECT: &str = "7aad83af3e8d42e99ac194e8419e2c9b";
pub const REGION: &str = "cn-north-4";

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// One answer: status, headers, body. Status 0 reads the request and says nothing.
pub type Answer = (u16, Vec<(&'static str, String)>, String);

pub struct Upstream {
    pub address: SocketAddr,
    script: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Upstream {
    /// Answers one request after the other from `script`; none left is 599.
    pub async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let received = Arc::new(Mutex::new(Vec::new()));
        let shared = (Arc::clone(&script), Arc::clone(&received));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared.0), Arc::clone(&shared.1)));
            }
        });
        Self {
            address,
            script,
            received,
        }
    }

    pub fn push(&self, answer: Answer) {
        self.script.lock().unwrap().push_back(answer);
    }

    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// What follows `…/fgs/functions`, with the URN written short.
    pub fn rest(&self) -> String {
        let urn = format!("urn%3Afss%3A{REGION}%3A{PROJECT}%3Afunction%3A");
        let start = format!("/v2/{PROJECT}/fgs/functions");
        self.target()
            .strip_prefix(&start)
            .unwrap_or(self.target())
            .replace(&urn, "")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<Received>>>,
) {
    let mut unread = Vec::new();
    while let Some(request) = read(&mut stream, &mut unread).await {
        received.lock().unwrap().push(request);
        let answer = script.lock().unwrap().pop_front();
        let (status, headers, body) =
            answer.unwrap_or_else(|| (599, vec![], "no answer is left".to_owned()));
        if status == 0 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return;
        }
        let mut head = format!("HTTP/1.1 {status} X\r\nX-Request-Id: gateway-1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if status != 204 {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        if stream
            .write_all([head.as_bytes(), body.as_bytes()].concat().as_slice())
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Received> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(unread[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let headers: Vec<_> = lines
                .map(|line| line.split_once(':').unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name == "content-length")
                .map_or(0, |(_, text)| text.parse().unwrap());
            if unread.len() >= end + 4 + length {
                let rest = unread.split_off(end + 4 + length);
                let body = std::mem::replace(unread, rest).split_off(end + 4);
                return Some(Received {
                    line,
                    headers,
                    body,
                });
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => unread.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

pub fn answer(status: u16, body: &str) -> Answer {
    (
        status,
        vec![("Content-Type", "application/json".to_owned())],
        body.to_owned(),
    )
}

/// The answer to a look at the function `hello`.
pub fn function() -> Answer {
    answer(200, r#"{"func_name":"hello"}"#)
}

/// The answer of a run without an envelope (v0).
pub fn bare(body: &str) -> Answer {
    with(answer(200, body), &[("X-Cff-Request-Id", "run-1")])
}

pub fn fault(status: u16, code: &str, message: &str) -> Answer {
    answer(
        status,
        &format!(r#"{{"error_code":"{code}","error_msg":"{message}"}}"#),
    )
}

pub fn with(mut answer: Answer, headers: &[(&'static str, &str)]) -> Answer {
    answer.1.extend(
        headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    answer
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
            Some(&upstream.url()),
            Some(&iam.url()),
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
pub async fn bench(script: impl IntoIterator<Item = Answer>) -> (FunctionGraph, Upstream) {
    let upstream = Upstream::start(script).await;
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
