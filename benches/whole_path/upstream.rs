//! An HTTP/1.1 server with one answer, in a thread of its own, cheap enough never to be the
//! bottleneck.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Upstream {
    pub(crate) url: String,
    requests: Arc<AtomicU64>,
}

impl Upstream {
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Whose API is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    Ncp,
    FunctionGraph,
}

/// Head fields and body of a run's answer.
fn run(cloud: Cloud, result: &str) -> (&'static str, String) {
    match cloud {
        Cloud::Ncp => ("x-ncp-apigw-request-id: 1\r\n", activation(result)),
        Cloud::FunctionGraph => (
            "x-request-id: 1\r\nx-cff-request-id: 0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0\r\nx-is-func-err: false\r\n\
             x-func-err-code: 0\r\nx-cff-response-version: v1\r\nx-cff-billing-duration: 3\r\n",
            serde_json::json!({
                "request_id": "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0",
                "result": result,
                "log": "",
                "status": 200,
            })
            .to_string(),
        ),
    }
}

fn activation(result: &str) -> String {
    format!(
        "{{\"content\":{{\"activationId\":\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\",\"duration\":3,\"end\":1713936450102,\
         \"name\":\"hello\",\"namespace\":\"AbCdEf\",\"response\":{{\"result\":{result},\"status\":\"success\",\
         \"success\":true}},\"start\":1713936450099,\"subject\":\"AbCdEf\"}}}}"
    )
}

/// Answers every request with a run whose result is `result`.
pub(crate) async fn start(cloud: Cloud, result: &str) -> Upstream {
    let (fields, body) = run(cloud, result);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    let answer: Arc<[u8]> = [head.into_bytes(), body.into_bytes()].concat().into();
    let requests = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&requests);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(
                    socket,
                    Arc::clone(&answer),
                    Arc::clone(&counter),
                ));
            }
        });
    });
    Upstream {
        url: format!("http://{}", receiver.await.unwrap()),
        requests,
    }
}

async fn connection(mut socket: TcpStream, answer: Arc<[u8]>, requests: Arc<AtomicU64>) {
    socket.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(64 << 10);
    loop {
        while let Some(length) = whole_request(&buffer) {
            buffer.drain(..length);
            requests.fetch_add(1, Ordering::Relaxed);
            if socket.write_all(&answer).await.is_err() {
                return;
            }
        }
        if !socket
            .read_buf(&mut buffer)
            .await
            .is_ok_and(|read| read > 0)
        {
            return;
        }
    }
}

fn whole_request(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head])
        .unwrap()
        .to_ascii_lowercase();
    let body = text.lines().find_map(|line| {
        line.strip_prefix("content-length:")?
            .trim()
            .parse::<usize>()
            .ok()
    });
    let length = head + body.unwrap_or(0);
    (buffer.len() >= length).then_some(length)
}
