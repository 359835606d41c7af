//! A scripted HTTP upstream on a real socket, written on raw TCP so that it can lie as no HTTP
//! library would.
//!
//! It keeps each request as the bytes it received, works out the signature from them, and refuses a
//! wrong one (and a clock that is five minutes off) as NCP's gateway does, unless the script says
//! otherwise.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::answer::{Answer, Step, http, success};
use crate::signature;

/// The keys that the upstream knows.
pub const ACCESS_KEY: &str = "ncp_iam_TESTACCESSKEY01";
pub const SECRET_KEY: &str = "ncp_iam_TESTSECRETKEY0123456789abcdef";

/// The gateway refuses a timestamp that differs from its clock by this much (NCP docs:
/// common-ncpapi).
const WINDOW_MS: i64 = 300_000;

/// How long a test waits for what must happen soon.
const SOON: Duration = Duration::from_secs(5);

/// One request, byte for byte.
#[derive(Clone, Debug)]
pub struct Received {
    /// Number of the connection, from 0.
    pub connection: usize,
    /// The request line and headers as they came.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// Whether the signature fits these bytes.
    pub signed: bool,
    pub at: Instant,
}

/// The running upstream; it ends when dropped.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinSet<()>,
}

/// Answers a request by what it asks.
type Rule = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Answer>>,
    /// Answers what the script has no answer for, however it is signed.
    rule: Mutex<Option<Rule>>,
    received: Mutex<Vec<Received>>,
    /// Answers whatever the signature is.
    lenient: bool,
    connections: AtomicUsize,
    /// Connections that the peer ended while an answer was still due.
    hung_up: AtomicUsize,
    /// What the upstream's clock differs from the machine's.
    clock_ms: AtomicI64,
    /// The `Date` of refusals: none, the upstream's clock, or this text.
    date: Mutex<Date>,
    changed: Notify,
}

/// What the upstream says of the time when it refuses a signature.
#[derive(Clone, Debug, Default)]
pub enum Date {
    #[default]
    Missing,
    Clock,
    Text(String),
}

impl Upstream {
    /// NCP's gateway: a request whose signature is wrong is refused.
    pub async fn start() -> Self {
        Self::with(State::default()).await
    }

    /// A server that looks at no signature, with this script.
    pub async fn lenient(script: impl IntoIterator<Item = impl Into<Answer>>) -> Self {
        Self::with(State {
            script: Mutex::new(script.into_iter().map(Into::into).collect()),
            lenient: true,
            ..State::default()
        })
        .await
    }

    /// A server that looks at no signature and answers by this rule.
    pub async fn by<A: Into<Answer>>(
        rule: impl Fn(&Received) -> A + Send + Sync + 'static,
    ) -> Self {
        let upstream = Self::lenient([] as [Answer; 0]).await;
        upstream.answer_by(rule);
        upstream
    }

    async fn with(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(state);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            accepting,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Method and target of all requests so far.
    pub fn lines(&self) -> Vec<String> {
        self.received().iter().map(Received::summary).collect()
    }

    /// Appends to the script: one answer a request, in the order of their arrival.
    pub fn push(&self, answer: impl Into<Answer>) {
        self.state.script.lock().unwrap().push_back(answer.into());
    }

    /// Answers each request that the script has no answer for by this rule, whatever its signature.
    pub fn answer_by<A: Into<Answer>>(
        &self,
        rule: impl Fn(&Received) -> A + Send + Sync + 'static,
    ) {
        *self.state.rule.lock().unwrap() = Some(Arc::new(move |request| rule(request).into()));
    }

    /// Sets the upstream's clock ahead of the machine's.
    pub fn set_clock(&self, ahead: i64) {
        self.state.clock_ms.store(ahead, Ordering::SeqCst);
    }

    /// Sets the `Date` of refusals.
    pub fn set_date(&self, date: Date) {
        *self.state.date.lock().unwrap() = date;
    }

    /// The upstream's time as a `Date`.
    pub fn http_date(&self) -> String {
        http_date(clock(&self.state))
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// The only request so far.
    pub fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(
            received.len(),
            1,
            "{:?}",
            received.iter().map(Received::line).collect::<Vec<_>>()
        );
        received.remove(0)
    }

    /// Answers that no request has come for.
    pub fn unused(&self) -> usize {
        self.state.script.lock().unwrap().len()
    }

    pub fn hung_up(&self) -> usize {
        self.state.hung_up.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have come.
    pub async fn wait_received(&self, count: usize) {
        self.wait(|| self.received().len() >= count, "requests")
            .await;
    }

    /// Waits until the peer has hung up on an answer that was due.
    pub async fn wait_hung_up(&self, count: usize) {
        self.wait(
            || self.hung_up() >= count,
            "connections that the sidecar ended",
        )
        .await;
    }

    /// Listens no more, so that connections are refused; present ones end.
    pub async fn shut(&mut self) {
        self.accepting.shutdown().await;
    }

    async fn wait(&self, done: impl Fn() -> bool, what: &str) {
        let waited = timeout(SOON, async {
            loop {
                let changed = self.state.changed.notified();
                if done() {
                    return;
                }
                let _ = timeout(Duration::from_millis(50), changed).await;
            }
        });
        assert!(waited.await.is_ok(), "too few {what} within {SOON:?}");
    }
}

impl Received {
    /// The request line without its end.
    pub fn line(&self) -> &str {
        let end = self.head.iter().position(|byte| *byte == b'\r').unwrap();
        std::str::from_utf8(&self.head[..end]).unwrap()
    }

    /// Method and target.
    pub fn summary(&self) -> String {
        self.line().rsplit_once(' ').unwrap().0.to_owned()
    }

    pub fn method(&self) -> &str {
        self.line().split(' ').next().unwrap()
    }

    /// The request target as it stood on the wire.
    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Names of all headers, in lower case.
    pub fn header_names(&self) -> Vec<String> {
        let head = String::from_utf8_lossy(&self.head).to_lowercase();
        head.lines()
            .skip(1)
            .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
            .collect()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A query parameter, as it stood on the wire.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target().split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    }
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (key, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = state.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(stream, number, Arc::clone(&state)));
    }
}

async fn serve(mut stream: TcpStream, connection: usize, state: Arc<State>) {
    let mut unread = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut unread).await {
        let refused = if state.lenient {
            None
        } else {
            refusal(&head, &state)
        };
        let echo = success(&String::from_utf8_lossy(&body)).bytes();
        let received = Received {
            connection,
            head,
            body,
            signed: refused.is_none(),
            at: Instant::now(),
        };
        let rule = state.rule.lock().unwrap().clone();
        let ruled = rule.map(|rule| rule(&received));
        state.received.lock().unwrap().push(received);
        let scripted = state.script.lock().unwrap().pop_front();
        state.changed.notify_waiters();
        let answer = match (scripted, refused) {
            (None, _) if ruled.is_some() => ruled.unwrap(),
            (Some(answer), None) => answer,
            (Some(answer), Some(_)) if answer.blind => answer,
            (_, Some(refused)) => refused,
            (None, None) => http(599, "the script has no answer for this request").into(),
        };
        for step in answer.steps {
            let step = if matches!(step, Step::Echo) {
                Step::Write(echo.clone())
            } else {
                step
            };
            if !perform(&mut stream, step, &state).await {
                return;
            }
        }
    }
}

/// One step; false when the connection is over.
async fn perform(stream: &mut TcpStream, step: Step, state: &State) -> bool {
    match step {
        Step::Write(bytes) => stream.write_all(&bytes).await.is_ok(),
        Step::Echo => unreachable!("an echo becomes bytes where the request is known"),
        Step::Drip(bytes, pause) => {
            for byte in bytes {
                sleep(pause).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return hung_up(state);
                }
            }
            true
        }
        Step::Endless => {
            let block = vec![b'0'; 1 << 16];
            while stream.write_all(&block).await.is_ok() {}
            hung_up(state)
        }
        Step::Pause(pause) => {
            sleep(pause).await;
            true
        }
        Step::Stall => {
            let mut byte = [0];
            while !matches!(stream.read(&mut byte).await, Ok(0) | Err(_)) {}
            hung_up(state)
        }
        Step::Close => false,
        Step::Reset => {
            let _ = stream.set_zero_linger();
            false
        }
    }
}

fn hung_up(state: &State) -> bool {
    state.hung_up.fetch_add(1, Ordering::SeqCst);
    state.changed.notify_waiters();
    false
}

/// The head with its empty line, and the body of the length it names.
async fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let length = header(&unread[..end + 4], "content-length")
                .map_or(0, |text| text.parse().unwrap());
            let whole = end + 4 + length;
            if unread.len() >= whole {
                let rest = unread.split_off(whole);
                let mut head = std::mem::replace(unread, rest);
                let body = head.split_off(end + 4);
                return Some((head, body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => unread.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// The gateway's answer to a request that is not signed as the document asks; none when it is.
fn refusal(head: &[u8], state: &State) -> Option<Answer> {
    let mut line = head.split(|byte| *byte == b' ');
    let (method, target) = (line.next()?, line.next()?);
    let sent = |name| header(head, name).unwrap_or_default();
    // Huawei's signatures are judged by tests/functiongraph.
    if sent("authorization").starts_with("SDK-HMAC-SHA256 ") {
        return None;
    }
    let timestamp = sent("x-ncp-apigw-timestamp");
    let access_key = sent("x-ncp-iam-access-key");
    let text =
        signature::string_to_sign(method, target, timestamp.as_bytes(), access_key.as_bytes());
    let clock = clock(state);
    let fits = signature::sign(SECRET_KEY.as_bytes(), &text) == sent("x-ncp-apigw-signature-v2");
    let fresh = timestamp
        .parse::<i64>()
        .is_ok_and(|sent| (clock - sent).abs() < WINDOW_MS);
    if fits && fresh && access_key == ACCESS_KEY {
        return None;
    }
    let body = r#"{"error":{"errorCode":"200","message":"Authentication Failed","details":"Invalid authentication information."}}"#;
    let answer = http(401, body).header("x-ncp-apigw-request-id", "gateway-refusal");
    let answer = match state.date.lock().unwrap().clone() {
        Date::Missing => answer,
        Date::Clock => answer.header("Date", &http_date(clock)),
        Date::Text(text) => answer.header("Date", &text),
    };
    Some(answer.into())
}

/// Milliseconds since 1970 by the upstream's clock.
fn clock(state: &State) -> i64 {
    let now = i64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis(),
    )
    .unwrap();
    now + state.clock_ms.load(Ordering::SeqCst)
}

fn http_date(millis: i64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap()))
}
