//! HTTP/2 to the cloud: what a server says about a stream it did not begin is believed, and nothing else.
//!
//! The server writes raw frames, so that it can say goodbye, refuse and break off at will (RFC 9113).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::InvokeRequest;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::Code;

use crate::support::bench::{connect, hello, keys, start};
use crate::support::details::told;
use crate::support::patient::Patient;
use crate::support::tls::Authority;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;

/// What is done with one request.
#[derive(Clone, Copy, Debug)]
enum Act {
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
    Silence,
}

struct Upstream {
    port: u16,
    authority: Authority,
    script: Arc<Mutex<VecDeque<Act>>>,
    /// Requests of each connection.
    requests: Arc<Mutex<Vec<usize>>>,
}

impl Upstream {
    async fn start(script: &[Act]) -> Self {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(authority.server(&["h2"]));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(script.iter().copied().collect::<VecDeque<_>>()));
        let requests = Arc::<Mutex<Vec<usize>>>::default();
        let (acts, counts) = (Arc::clone(&script), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let number = {
                    let mut counts = counts.lock().unwrap();
                    counts.push(0);
                    counts.len() - 1
                };
                let (acceptor, acts, counts) = (acceptor.clone(), Arc::clone(&acts), Arc::clone(&counts));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        // A connection may end at any point: that is what is tested.
                        let _ = serve(stream, number, &acts, &counts).await;
                    }
                });
            }
        });
        Self {
            port,
            authority,
            script,
            requests,
        }
    }

    fn sidecar(&self, settings: &str) -> (Sidecar, InvocationServiceClient<Patient>) {
        let text = format!(
            "listen: \"127.0.0.1:0\"\ntargets:\n  main: {{provider: ncp, base_url: \"https://localhost:{}\", ca_file: {}{settings}}}",
            self.port,
            self.authority.file()
        );
        let sidecar = start(&text, &keys());
        let client = InvocationServiceClient::new(connect(&sidecar));
        (sidecar, client)
    }

    fn requests(&self) -> Vec<usize> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    number: usize,
    script: &Mutex<VecDeque<Act>>,
    requests: &Mutex<Vec<usize>>,
) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    write(&mut stream, SETTINGS, 0, 0, &[]).await?;
    let mut held = Vec::new();
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await?;
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes(header[5..].try_into().unwrap());
        match (header[3], header[4] & 1) {
            (SETTINGS, 0) => write(&mut stream, SETTINGS, 1, 0, &[]).await?,
            // The end of a request.
            (HEADERS | DATA, 1) => {
                requests.lock().unwrap()[number] += 1;
                for earlier in std::mem::take(&mut held) {
                    answer(&mut stream, earlier).await?;
                }
                let act = script.lock().unwrap().pop_front().unwrap_or(Act::Answer);
                match act {
                    Act::Answer => answer(&mut stream, id).await?,
                    Act::AnswerAfterNext => held.push(id),
                    Act::Reset(code) => {
                        write(&mut stream, RST_STREAM, 0, id, &code.to_be_bytes()).await?;
                    }
                    Act::GoodbyeBefore => goodbye(&mut stream, id - 2).await?,
                    Act::GoodbyeAndClose => {
                        goodbye(&mut stream, id).await?;
                        return stream.shutdown().await;
                    }
                    Act::Half => {
                        write(&mut stream, HEADERS, 4, id, &[0x88]).await?;
                        write(&mut stream, DATA, 0, id, b"{\"content\":").await?;
                        return stream.shutdown().await;
                    }
                    Act::Silence => {}
                }
            }
            _ => {}
        }
    }
}

async fn answer(stream: &mut TlsStream<TcpStream>, id: u32) -> std::io::Result<()> {
    let body = format!(
        "{{\"content\":{{\"activationId\":\"{}\",\"duration\":1,\"response\":{{\"status\":\"success\",\"success\":true,\"result\":{{\"stream\":{id}}}}}}}}}",
        crate::support::bench::ID
    );
    // `:status: 200` stands at 8 in HPACK's static table.
    write(stream, HEADERS, 4, id, &[0x88]).await?;
    write(stream, DATA, 1, id, body.as_bytes()).await
}

async fn goodbye(stream: &mut TlsStream<TcpStream>, last: u32) -> std::io::Result<()> {
    let mut payload = last.to_be_bytes().to_vec();
    payload.extend(0_u32.to_be_bytes());
    write(stream, GOAWAY, 0, 0, &payload).await
}

async fn write(
    stream: &mut TlsStream<TcpStream>,
    kind: u8,
    flags: u8,
    id: u32,
    payload: &[u8],
) -> std::io::Result<()> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    stream.write_all(&frame).await?;
    stream.flush().await
}

fn run() -> InvokeRequest {
    hello()
}

const ONCE: &str = ", retry: {max_attempts: 1}";
const QUICK: &str =
    ", retry: {initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 100}}";

#[tokio::test]
async fn calls_that_begin_together_share_the_first_connection() {
    let upstream = Upstream::start(&[]).await;
    let (_sidecar, client) = upstream.sidecar(ONCE);
    let calls = (0..40).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(run()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.unwrap().into_inner().activation.unwrap().success);
    }
    assert_eq!(upstream.requests(), [40]);
}

#[tokio::test]
async fn a_stream_that_the_server_refused_was_not_started_and_is_repeated() {
    let upstream = Upstream::start(&[Act::Reset(REFUSED_STREAM)]).await;
    let (_sidecar, mut client) = upstream.sidecar(ONCE);
    let told_once = told(&client.invoke(run()).await.unwrap_err());
    told_once.assert(Code::Unavailable, "CONNECTION_LOST", "not_started", "network");

    let upstream = Upstream::start(&[Act::Reset(REFUSED_STREAM)]).await;
    let (_sidecar, mut client) = upstream.sidecar(QUICK);
    let answer = client.invoke(run()).await.unwrap();
    assert_eq!(answer.metadata().get("faas-attempts").unwrap(), "2");
}

#[tokio::test]
async fn a_stream_that_broke_otherwise_may_have_run_and_is_not_repeated() {
    for act in [Act::Reset(INTERNAL_ERROR), Act::Reset(0), Act::GoodbyeAndClose] {
        let upstream = Upstream::start(&[act]).await;
        let (_sidecar, mut client) = upstream.sidecar(QUICK);
        let told = told(&client.invoke(run()).await.unwrap_err());
        told.assert(Code::Unavailable, "CONNECTION_LOST", "unknown", "network");
        assert_eq!(upstream.requests(), [1], "{act:?}");
        // The next call finds a connection that works.
        client.invoke(run()).await.unwrap();
    }
}

#[tokio::test]
async fn streams_beyond_a_goodbye_are_repeated_elsewhere_and_those_below_get_their_answer() {
    let upstream = Upstream::start(&[Act::AnswerAfterNext, Act::GoodbyeBefore]).await;
    let (_sidecar, client) = upstream.sidecar(QUICK);
    let (mut first, mut second) = (client.clone(), client.clone());
    let (below, beyond) = tokio::join!(first.invoke(run()), async {
        while upstream.requests() != [1] {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        second.invoke(run()).await
    });
    assert_eq!(below.unwrap().metadata().get("faas-attempts").unwrap(), "1");
    assert_eq!(beyond.unwrap().metadata().get("faas-attempts").unwrap(), "2");
    assert_eq!(upstream.requests(), [2, 1]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_been_carried_out() {
    let upstream = Upstream::start(&[Act::Half]).await;
    let (_sidecar, mut client) = upstream.sidecar(QUICK);
    let told = told(&client.invoke(run()).await.unwrap_err());
    told.assert(Code::Internal, "RESPONSE_CUT", "unknown", "network");
    assert_eq!(upstream.requests(), [1]);
}

#[tokio::test]
async fn a_connection_that_fell_silent_is_not_used_again() {
    let upstream = Upstream::start(&[Act::Silence]).await;
    let (_sidecar, client) = upstream.sidecar(", timeouts: {attempt: 300ms}, retry: {max_attempts: 1}");
    let mut packages =
        faas_sidecar::proto::package_service_client::PackageServiceClient::new(connect(&_sidecar));
    let told = told(
        &packages
            .list_packages(faas_sidecar::proto::ListPackagesRequest::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(told.reason, "ATTEMPT_TIMEOUT");
    client.clone().invoke(run()).await.unwrap();
    assert_eq!(upstream.requests(), [1, 1]);
    assert!(upstream.script.lock().unwrap().is_empty());
}
