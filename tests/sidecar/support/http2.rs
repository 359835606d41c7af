//! An HTTPS upstream that writes raw HTTP/2 frames, so that it can do to a stream or a connection
//! whatever it likes; and that speaks plain HTTP/1.1 to who asks for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::bench::{connect, start};
use super::cloud::{Cloud, ran};
use super::frames::{
    ACK, DATA, HEADERS, NO_ERROR, NONE, PING, REFUSED_STREAM, SETTINGS, data, frame, goodbye, head,
    reset,
};
use super::patient::Patient;
use super::tls::Authority;

/// What is done with one request.
#[derive(Clone, Debug)]
pub enum Act {
    Answer,
    /// Answers once another request has come.
    AnswerAfterNext,
    Reset(u32),
    /// Says that this stream and later ones were not processed.
    GoodbyeBefore,
    /// Says goodbye, this stream included, and closes without an answer.
    GoodbyeAndClose,
    /// Answers `200` and breaks off in the body.
    Half,
    /// Neither reads nor writes on this connection any more.
    Silence,
    /// Never answers this request; all else goes on.
    Never,
    /// Answers with these headers beside the status, each a literal.
    Head(Vec<(String, String)>),
}

/// How it serves.
#[derive(Clone, Debug)]
pub struct Manner {
    pub cloud: Cloud,
    pub protocols: &'static [&'static str],
    /// Streams allowed at once; more are refused.
    pub streams: Option<u32>,
    /// Passes before the connection is begun, its settings included; from this connection on.
    pub late: Duration,
    pub late_from: usize,
    /// How long a run takes.
    pub run: Duration,
    /// What happens before each connection's TLS handshake; afterwards nothing does.
    pub handshakes: Vec<Duration>,
    /// Connections accepted; then nobody listens any more.
    pub accepts: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            cloud: Cloud::default(),
            protocols: &["h2"],
            streams: None,
            late: Duration::ZERO,
            late_from: 0,
            run: Duration::ZERO,
            handshakes: Vec::new(),
            accepts: usize::MAX,
        }
    }
}

pub struct Upstream {
    cloud: Cloud,
    port: u16,
    authority: Authority,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    script: Mutex<VecDeque<Act>>,
    /// Requests of each connection, from its handshake on.
    requests: Mutex<Vec<usize>>,
    /// Connections accepted, and handshakes that ended.
    accepted: AtomicUsize,
}

/// One HTTP/2 connection.
struct Connection {
    number: usize,
    manner: Manner,
    seen: Arc<Seen>,
    out: Arc<tokio::sync::Mutex<WriteHalf<TlsStream<TcpStream>>>>,
    active: Arc<AtomicUsize>,
}

impl Upstream {
    pub async fn start(cloud: Cloud, script: &[Act]) -> Self {
        let manner = Manner {
            cloud,
            ..Manner::default()
        };
        Self::with(manner, script).await
    }

    pub async fn with(manner: Manner, script: &[Act]) -> Self {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(authority.server(manner.protocols));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Seen>::default();
        seen.script.lock().unwrap().extend(script.iter().cloned());
        let (watched, cloud) = (Arc::clone(&seen), manner.cloud);
        tokio::spawn(async move {
            for number in 0..manner.accepts {
                let Ok((socket, _)) = listener.accept().await else {
                    return;
                };
                watched.accepted.fetch_add(1, Ordering::SeqCst);
                let pause = manner.handshakes.get(number).copied().unwrap_or_default();
                let (acceptor, manner, seen) =
                    (acceptor.clone(), manner.clone(), Arc::clone(&watched));
                tokio::spawn(async move {
                    sleep(pause).await;
                    if let Ok(stream) = acceptor.accept(socket).await {
                        // A connection may end at any point: that is what is tested.
                        let _ = serve(stream, manner, seen).await;
                    }
                });
            }
        });
        Self {
            cloud,
            port,
            authority,
            seen,
        }
    }

    /// A sidecar that leads here, with these further settings of its target.
    pub fn sidecar(&self, settings: &str) -> (Sidecar, InvocationServiceClient<Patient>) {
        let keys = format!(
            "base_url: \"https://localhost:{}\", ca_file: {}{settings}",
            self.port,
            self.authority.file()
        );
        let text = format!(
            "listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\n{}",
            self.cloud.main(&keys)
        );
        let sidecar = start(&text, &super::cloud::keys());
        let client = InvocationServiceClient::new(connect(&sidecar));
        (sidecar, client)
    }

    /// Requests of each connection.
    pub fn requests(&self) -> Vec<usize> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Connections that were accepted.
    pub fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// Acts that no request has come for.
    pub fn unused(&self) -> usize {
        self.seen.script.lock().unwrap().len()
    }
}

async fn serve(
    stream: TlsStream<TcpStream>,
    manner: Manner,
    seen: Arc<Seen>,
) -> std::io::Result<()> {
    let number = {
        let mut requests = seen.requests.lock().unwrap();
        requests.push(0);
        requests.len() - 1
    };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if number >= manner.late_from {
        sleep(manner.late).await;
    }
    let (read, write) = tokio::io::split(stream);
    let connection = Connection {
        number,
        manner,
        seen,
        out: Arc::new(tokio::sync::Mutex::new(write)),
        active: Arc::default(),
    };
    if http2 {
        connection.http2(read).await
    } else {
        connection.http1(read).await
    }
}

impl Connection {
    async fn http2(&self, mut read: ReadHalf<TlsStream<TcpStream>>) -> std::io::Result<()> {
        let streams = self.manner.streams.map(|streams| {
            let mut setting = vec![0, 3];
            setting.extend(streams.to_be_bytes());
            setting
        });
        self.write(frame(SETTINGS, 0, 0, &streams.unwrap_or_default()))
            .await?;
        let mut preface = [0; 24];
        read.read_exact(&mut preface).await?;
        let mut held = Vec::new();
        loop {
            let mut header = [0; 9];
            read.read_exact(&mut header).await?;
            let length =
                usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
            let mut payload = vec![0; length];
            read.read_exact(&mut payload).await?;
            let id = u32::from_be_bytes(header[5..].try_into().unwrap());
            match (header[3], header[4] & 1) {
                (SETTINGS, 0) => self.write(frame(SETTINGS, ACK, 0, &[])).await?,
                (PING, 0) => self.write(frame(PING, ACK, 0, &payload)).await?,
                // The end of a request.
                (HEADERS | DATA, 1) => {
                    let most = self.manner.streams.map_or(usize::MAX, |most| most as usize);
                    if self.active.load(Ordering::SeqCst) >= most {
                        self.write(reset(id, REFUSED_STREAM)).await?;
                        continue;
                    }
                    self.note();
                    for earlier in std::mem::take(&mut held) {
                        self.answer(earlier);
                    }
                    match self.act() {
                        Act::Answer => self.answer(id),
                        Act::AnswerAfterNext => held.push(id),
                        Act::Reset(code) => {
                            self.write(reset(id, code)).await?;
                        }
                        Act::GoodbyeBefore => self.write(goodbye(id - 2, NO_ERROR)).await?,
                        Act::GoodbyeAndClose => {
                            self.write(goodbye(id, NO_ERROR)).await?;
                            return self.out.lock().await.shutdown().await;
                        }
                        Act::Half => {
                            self.write(head(id, 200, NONE, false)).await?;
                            self.write(data(id, b"{\"content\":", false)).await?;
                            return self.out.lock().await.shutdown().await;
                        }
                        Act::Silence => std::future::pending().await,
                        Act::Never => {}
                        Act::Head(headers) => {
                            self.write(answer(self.manner.cloud, id, &headers)).await?;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// One request after the other, whose head and body come in one piece each.
    async fn http1(&self, mut read: ReadHalf<TlsStream<TcpStream>>) -> std::io::Result<()> {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let count = read.read(&mut piece).await?;
            if count == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&piece[..count]);
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.split("content-length: ").nth(1);
            let length = length.map_or(0, |length| length.lines().next().unwrap().parse().unwrap());
            if body.len() < length {
                continue;
            }
            bytes.clear();
            self.note();
            match self.act() {
                Act::Silence | Act::Never => std::future::pending().await,
                _ => sleep(self.manner.run).await,
            }
            let body = result(self.manner.cloud, 0);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            self.write([head.into_bytes(), body].concat()).await?;
        }
    }

    fn note(&self) {
        self.seen.requests.lock().unwrap()[self.number] += 1;
    }

    fn act(&self) -> Act {
        self.seen
            .script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Act::Answer)
    }

    fn answer(&self, id: u32) {
        let (out, active) = (Arc::clone(&self.out), Arc::clone(&self.active));
        let (cloud, run) = (self.manner.cloud, self.manner.run);
        active.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            sleep(run).await;
            active.fetch_sub(1, Ordering::SeqCst);
            let bytes = answer(cloud, id, NONE);
            let mut out = out.lock().await;
            if out.write_all(&bytes).await.is_ok() {
                let _ = out.flush().await;
            }
        });
    }

    async fn write(&self, bytes: Vec<u8>) -> std::io::Result<()> {
        let mut out = self.out.lock().await;
        out.write_all(&bytes).await?;
        out.flush().await
    }
}

fn result(cloud: Cloud, id: u32) -> Vec<u8> {
    ran(cloud, &format!(r#"{{"stream":{id}}}"#))
        .body_bytes()
        .to_vec()
}

/// A good answer whose head has these headers.
fn answer(cloud: Cloud, id: u32, headers: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<u8> {
    [
        head(id, 200, headers, false),
        data(id, &result(cloud, id), true),
    ]
    .concat()
}
