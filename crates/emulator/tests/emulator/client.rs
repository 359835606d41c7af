//! A client for one emulator: builds, signs and sends requests byte for byte as the test wants
//! them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::Running;
use faas_emulator::ncp::{Options, start};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Prefix of v2.1.
pub(crate) const NEW: &str = "/ncf/api/v2";
/// Prefix of v2.0.
pub(crate) const OLD: &str = "/api/v2";

/// One emulator and a key for it.
pub(crate) struct Client {
    pub(crate) emulator: Running,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The `content` of a success.
    #[track_caller]
    pub(crate) fn content(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()["content"].clone()
    }

    /// Asserts an error envelope.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        let error = &self.json()["error"];
        assert_eq!(error["errorCode"], code, "{error}");
        assert!(
            error["message"].is_string() && error["details"].is_string(),
            "{error}"
        );
    }
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let key = options.keys[0].clone();
        Self {
            emulator: start(options).await.unwrap(),
            access_key: key.access_key,
            secret_key: key.secret_key,
        }
    }

    pub(crate) fn sign(&self, method: &str, target: &str, timestamp: &str) -> String {
        let text = format!("{method} {target}\n{timestamp}\n{}", self.access_key);
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.secret_key.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }

    /// The head of a signed request, without its last empty line.
    pub(crate) fn head(&self, method: &str, target: &str, body: &[u8]) -> String {
        let timestamp = self.emulator.clock().now_ms().to_string();
        let signature = self.sign(method, target, &timestamp);
        format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nx-ncp-apigw-timestamp: {timestamp}\r\n\
             x-ncp-iam-access-key: {}\r\nx-ncp-apigw-signature-v2: {signature}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            self.access_key,
            body.len()
        )
    }

    /// Sends bytes and reads to the end of the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.emulator.addr()).await?;
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        target: &str,
        body: &str,
    ) -> std::io::Result<Answer> {
        let head = self.head(method, target, body.as_bytes());
        let bytes = self
            .raw(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())
            .await?;
        Ok(parse(&bytes))
    }

    pub(crate) async fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        self.try_send(method, target, body).await.unwrap()
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, "").await
    }

    pub(crate) async fn put(&self, target: &str, body: Value) -> Answer {
        self.send("PUT", target, &body.to_string()).await
    }

    pub(crate) async fn post(&self, target: &str, body: Value) -> Answer {
        self.send("POST", target, &body.to_string()).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, "").await
    }

    /// Makes a basic nodejs action outside packages.
    pub(crate) async fn deploy(&self, name: &str, code: &str) {
        self.deploy_as(name, action("nodejs:22", code)).await;
    }

    pub(crate) async fn deploy_as(&self, name: &str, body: Value) {
        self.put(&format!("{NEW}/packages/-/actions/{name}"), body)
            .await
            .content();
    }

    /// Runs an action outside packages and waits for its end.
    pub(crate) async fn run(&self, name: &str, params: Value) -> Value {
        self.post(&format!("{NEW}/packages/-/actions/{name}"), params)
            .await
            .content()
    }

    /// The detail of an activation, once it is there.
    pub(crate) async fn detail(&self, path: &str, id: &str) -> Value {
        for _ in 0..200 {
            let answer = self.get(&format!("{NEW}/{path}/activations/{id}")).await;
            if answer.status == 200 {
                return answer.content();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no activation {id} of {path}");
    }
}

/// A v2.1 body of an action on VPC.
pub(crate) fn action(runtime: &str, code: &str) -> Value {
    json!({
        "limits": {"timeout": 10_000, "memory": 128},
        "exec": {"kind": runtime, "binary": false, "code": code, "main": "main"},
        "vpc": [{"vpcNo": 1, "subnetNo": 2}],
    })
}

pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let end = bytes
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head: {text:?}"));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}
