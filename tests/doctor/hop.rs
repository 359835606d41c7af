//! A hop between the sidecar and an emulated cloud, on sockets: it hands requests and answers on,
//! changed as a test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request or an answer: the parts of its first line, headers in order, body.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Method and target of a request, status and words of an answer.
    pub(crate) line: [String; 2],
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn drop_header(&mut self, name: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.drop_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// The target of a request.
    pub(crate) fn target(&mut self) -> &mut String {
        &mut self.line[1]
    }

    /// Makes it an answer of one's own.
    pub(crate) fn become_answer(&mut self, status: u16, body: &str) {
        self.line = [status.to_string(), "Hop".to_owned()];
        self.headers.clear();
        self.body = body.as_bytes().to_vec();
    }
}

pub(crate) type Change = Arc<dyn Fn(&mut Message) + Send + Sync>;

/// What the hop does, and how far the cloud's clock is ahead.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) request: Change,
    pub(crate) answer: Change,
    pub(crate) ahead_ms: i64,
    /// Some gateways show the canonical request that they computed; the emulator keeps it for a
    /// header of its own.
    pub(crate) shows_canonical: bool,
}

/// Starts to listen; every connection goes to `upstream`.
pub(crate) async fn start(upstream: SocketAddr, ways: Ways) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, upstream, ways.clone()));
        }
    });
    address
}

async fn serve(mut near: TcpStream, upstream: SocketAddr, ways: Ways) {
    let Ok(mut far) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut from_near, mut from_far) = (Vec::new(), Vec::new());
    while let Some(mut request) = read(&mut near, &mut from_near).await {
        (ways.request)(&mut request);
        let length = request.body.len().to_string();
        request.drop_header("content-length");
        if length != "0" {
            request.set_header("content-length", &length);
        }
        let [method, target] = &request.line;
        if far
            .write_all(&bytes(&format!("{method} {target} HTTP/1.1"), &request))
            .await
            .is_err()
        {
            return;
        }
        let Some(mut answer) = read(&mut far, &mut from_far).await else {
            return;
        };
        let told = answer.header("x-emulator-reason").map(str::to_owned);
        // What only the emulator says must help nobody here.
        answer.drop_header("x-emulator-reason");
        if let Some((_, canonical)) = told
            .as_deref()
            .and_then(|told| told.split_once("canonicalRequest: "))
            && ways.shows_canonical
        {
            let body = String::from_utf8(answer.body).unwrap();
            let words = format!("verify aksk signature fail, canonicalRequest:{canonical}");
            answer.body = body
                .replace("verify aksk signature fail", &words.replace('"', "\\\""))
                .into_bytes();
        }
        answer.set_header("date", &date(ways.ahead_ms));
        (ways.answer)(&mut answer);
        answer.set_header("content-length", &answer.body.len().to_string());
        let [status, words] = &answer.line;
        if near
            .write_all(&bytes(&format!("HTTP/1.1 {status} {words}"), &answer))
            .await
            .is_err()
        {
            return;
        }
    }
}

fn date(ahead_ms: i64) -> String {
    let now = SystemTime::now();
    let by = Duration::from_millis(ahead_ms.unsigned_abs());
    let at = if ahead_ms < 0 { now - by } else { now + by };
    httpdate::fmt_http_date(at)
}

fn bytes(line: &str, message: &Message) -> Vec<u8> {
    let mut out = format!("{line}\r\n");
    for (name, value) in &message.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    [out.into_bytes(), message.body.clone()].concat()
}

async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Message> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&unread[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let first = lines.next()?;
            let mut words = first.splitn(3, ' ').map(str::to_owned);
            let (one, two, three) = (
                words.next()?,
                words.next()?,
                words.next().unwrap_or_default(),
            );
            let headers: Vec<_> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect();
            let line = if one.starts_with("HTTP/") {
                [two, three]
            } else {
                [one, two]
            };
            let mut message = Message {
                line,
                headers,
                body: Vec::new(),
            };
            let length = message
                .header("content-length")
                .map_or(0, |text| text.parse().unwrap());
            let whole = end + 4 + length;
            if unread.len() >= whole {
                let rest = unread.split_off(whole);
                message.body = std::mem::replace(unread, rest).split_off(end + 4);
                return Some(message);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => unread.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}
