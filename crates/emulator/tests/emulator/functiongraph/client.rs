//! A client for one emulator: builds, signs and sends requests byte for byte as the test wants
//! them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::Running;
use faas_emulator::functiongraph::{DEFAULT_PROJECT_ID, Options, start};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, parse};

/// Path of functions.
pub(crate) fn functions() -> String {
    format!("/v2/{DEFAULT_PROJECT_ID}/fgs/functions")
}

/// One emulator and a key for it.
pub(crate) struct Client {
    pub(crate) emulator: Running,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// Of the first user.
    pub(crate) password: String,
}

/// A request on its way: what is signed, and what is only sent.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Signed, beside host and date. Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) date_ms: i64,
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let (key, password) = (options.keys[0].clone(), options.users[0].password.clone());
        Self {
            emulator: start(options).await.unwrap(),
            access_key: key.access_key,
            secret_key: key.secret_key,
            password,
        }
    }

    pub(crate) fn draft(&self, method: &str, target: &str, body: impl Into<Vec<u8>>) -> Draft {
        Draft {
            method: method.into(),
            target: target.into(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("x-project-id".into(), DEFAULT_PROJECT_ID.into()),
            ],
            body: body.into(),
            date_ms: self.emulator.clock().now_ms(),
        }
    }

    /// The head of a signed request, without its last empty line.
    pub(crate) fn head(&self, draft: &Draft) -> String {
        let date = date(draft.date_ms);
        let mut headers = draft.headers.clone();
        headers.push(("host".into(), "localhost".into()));
        headers.push(("x-sdk-date".into(), date.clone()));
        headers.sort();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let (path, query) = draft.target.split_once('?').unwrap_or((&draft.target, ""));
        // The tests write paths and queries in their canonical form, except for raw colons and
        // marks.
        let path = path.replace(':', "%3A").replace('!', "%21");
        let mut pairs: Vec<_> = query.split('&').collect();
        pairs.sort_unstable();
        let canonical = format!(
            "{}\n{}/\n{}\n{lines}\n{names}\n{}",
            draft.method,
            path.trim_end_matches('/'),
            pairs.join("&"),
            hex::encode(Sha256::digest(&draft.body)),
        );
        let text = format!(
            "SDK-HMAC-SHA256\n{date}\n{}",
            hex::encode(Sha256::digest(canonical))
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret_key.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let sent: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "{} {} HTTP/1.1\r\n{sent}Authorization: SDK-HMAC-SHA256 Access={}, SignedHeaders={names}, \
             Signature={signature}\r\nContent-Length: {}\r\n",
            draft.method,
            draft.target,
            self.access_key,
            draft.body.len(),
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

    /// Sends a head and a body on a connection of their own.
    pub(crate) async fn plain(&self, head: &str, body: &[u8]) -> Answer {
        let mut bytes = format!("{head}Connection: close\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body);
        parse(&self.raw(&bytes).await.unwrap())
    }

    pub(crate) async fn send(&self, draft: &Draft) -> Answer {
        self.plain(&self.head(draft), &draft.body).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(&self.draft("GET", target, "")).await
    }

    pub(crate) async fn put(&self, target: &str, body: Value) -> Answer {
        self.send(&self.draft("PUT", target, body.to_string()))
            .await
    }

    pub(crate) async fn post(&self, target: &str, body: Value) -> Answer {
        self.send(&self.draft("POST", target, body.to_string()))
            .await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send(&self.draft("DELETE", target, "")).await
    }

    pub(crate) async fn create(&self, body: Value) -> Answer {
        self.post(&functions(), body).await
    }

    /// Makes a JavaScript function in the package `default`.
    pub(crate) async fn deploy(&self, name: &str, source: &str) {
        self.create(function(name, "Node.js20.15", source))
            .await
            .ok();
    }

    /// Below the function of this slot.
    pub(crate) async fn post_to(&self, slot: &str, path: &str, body: Value) -> Answer {
        self.post(&format!("{}/{slot}/{path}", functions()), body)
            .await
    }

    pub(crate) async fn get_of(&self, slot: &str, path: &str) -> Answer {
        self.get(&format!("{}/{slot}/{path}", functions())).await
    }

    pub(crate) async fn put_to(&self, slot: &str, path: &str, body: Value) -> Answer {
        self.put(&format!("{}/{slot}/{path}", functions()), body)
            .await
    }

    pub(crate) async fn delete_of(&self, slot: &str, path: &str) -> Answer {
        let target = format!("{}/{slot}/{path}", functions());
        self.delete(target.trim_end_matches('/')).await
    }

    /// A synchronous run with the answer of v1 and its log.
    pub(crate) async fn run(&self, slot: &str, event: Value) -> Answer {
        let mut draft = self.draft(
            "POST",
            &format!("{}/{slot}/invocations", functions()),
            event.to_string(),
        );
        draft
            .headers
            .push(("x-cff-request-version".into(), "v1".into()));
        draft.headers.push(("x-cff-log-type".into(), "tail".into()));
        self.send(&draft).await
    }

    /// What a function gives, read as JSON.
    pub(crate) async fn result(&self, slot: &str, event: Value) -> Value {
        let envelope = self.run(slot, event).await.ok();
        serde_json::from_str(envelope["result"].as_str().unwrap()).unwrap()
    }

    /// Asks again until the answer is as wanted.
    pub(crate) async fn until(&self, target: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..300 {
            let body = self.get(target).await.ok();
            if wanted(&body) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{target} never was as wanted");
    }
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.head,
            String::from_utf8_lossy(&self.body)
        );
        if self.body.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// Asserts an error envelope and hands its sentence out.
    #[track_caller]
    pub(crate) fn failed(&self, status: u16, code: &str) -> String {
        assert_eq!(
            self.status,
            status,
            "{} {}",
            self.head,
            String::from_utf8_lossy(&self.body)
        );
        let body = self.json();
        assert_eq!(body["error_code"], code, "{body}");
        assert_eq!(
            body.get("request_id").is_some(),
            code.starts_with("APIGW."),
            "{body}"
        );
        body["error_msg"].as_str().unwrap().to_owned()
    }

    /// A header's value, any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A body for a create with inline code.
pub(crate) fn function(name: &str, runtime: &str, source: &str) -> Value {
    json!({
        "func_name": name, "package": "default", "runtime": runtime, "handler": "index.handler",
        "memory_size": 128, "timeout": 3, "code_type": "inline",
        "func_code": {"file": STANDARD.encode(source)},
    })
}

/// `YYYYMMDD'T'HHMMSS'Z'`.
pub(crate) fn date(ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(ms).unwrap();
    time.format("%Y%m%dT%H%M%SZ").to_string()
}
