//! Floods of cheap HTTP/2 frames from one connection: others are served as if nothing happened, and
//! memory stays bounded.
//!
//! Written frame by frame against the real process: rapid reset (CVE-2023-44487), CONTINUATION
//! (CVE-2024-27316), pings, settings and empty frames (CVE-2019-9512, -9515, -9518).

use std::time::{Duration, Instant};

use faas_sidecar::proto::ListPackagesRequest;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use faas_testkit::process::Process;
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::support::answer::content;
use crate::support::bench::{hello, serve, success};
use crate::support::frames::*;
use crate::support::upstream::Upstream;

const SOON: Duration = Duration::from_secs(10);
/// How long a flood may go on when nothing stops it.
const FLOOD: Duration = Duration::from_millis(1500);
/// What one flood may add to the process, in KiB: windows and buffers of a connection, and room for
/// the allocator.
const MORE_MEMORY: u64 = 24 << 10;

struct Sidecar {
    process: Process,
    upstream: Upstream,
}

impl Sidecar {
    async fn start() -> Self {
        let upstream = Upstream::start().await;
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "listen: \"127.0.0.1:0\"\nlog: {{format: json}}\ntargets: {{main: {{provider: ncp, base_url: \"{}\"}}}}\n",
            upstream.url()
        );
        std::fs::write(file.path(), text).unwrap();
        let process = serve(file.path(), &[]);
        let sidecar = Self { process, upstream };
        sidecar.call().await;
        sidecar
    }

    /// A whole call over a fresh connection, and how long it took.
    async fn call(&self) -> Duration {
        self.upstream.push(content("[]"));
        let began = Instant::now();
        let endpoint = Endpoint::from_shared(format!("http://{}", self.process.address)).unwrap();
        let mut client = PackageServiceClient::new(endpoint.connect().await.unwrap());
        let answer = timeout(SOON, client.list_packages(ListPackagesRequest::default())).await;
        answer.unwrap().unwrap();
        began.elapsed()
    }

    /// Writes the beginning and then `repeated` with rising stream numbers, until the server hangs
    /// up, does not read on, or the time is over; meanwhile, another connection's call must be
    /// answered. What the server said last is returned.
    async fn flood(
        &self,
        beginning: &[u8],
        repeated: impl Fn(u32) -> Vec<u8>,
    ) -> Option<(Vec<u8>, Option<u32>)> {
        let before = self.process.memory();
        let mut stream = begin(&self.process.address).await;
        stream.write_all(beginning).await.unwrap();
        let (answers, written) = tokio::join!(
            async {
                // In the middle of it.
                tokio::time::sleep(FLOOD / 4).await;
                self.call().await
            },
            write_on(&mut stream, repeated)
        );
        assert!(
            answers < Duration::from_secs(2),
            "a call beside the flood took {answers:?}"
        );
        assert!(written > 1000, "{written} frames are no flood");
        let grown = self.process.memory().saturating_sub(before);
        assert!(grown < MORE_MEMORY, "the flood added {grown} KiB");
        let end = to_end(&mut stream, Duration::from_secs(2)).await;
        drop(stream);
        self.call().await;
        end
    }
}

/// Writes batches until it cannot: how many frames.
async fn write_on(stream: &mut TcpStream, repeated: impl Fn(u32) -> Vec<u8>) -> u32 {
    let (began, mut written) = (Instant::now(), 0);
    while began.elapsed() < FLOOD {
        // Stream numbers of callers are odd; 1 is for the beginning.
        let batch: Vec<u8> = (written..written + 500)
            .flat_map(|number| repeated(2 * number + 3))
            .collect();
        match timeout(Duration::from_millis(500), stream.write_all(&batch)).await {
            Ok(Ok(())) => written += 500,
            // Hung up; or it does not read on, which bounds its memory as well.
            _ => return written.max(1001),
        }
    }
    written
}

#[tokio::test]
async fn rapid_reset_ends_the_connection_and_starts_no_call() {
    let sidecar = Sidecar::start().await;
    let fields = invoke();
    let end = sidecar
        .flood(&[], |stream| {
            let mut call = frame(HEADERS, END_HEADERS, stream, &fields);
            call.extend(frame(DATA, 1, stream, &[0, 0, 0, 0, 0]));
            call.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            call
        })
        .await;
    if let Some((_, Some(code))) = end {
        assert!([NO_ERROR, ENHANCE_YOUR_CALM].contains(&code), "{code}");
    }
    // Only the calls of the other connections came through.
    assert_eq!(sidecar.upstream.received().len(), 3);
}

/// A caller with short deadlines gives up many calls while the sidecar is busy: all of them are
/// there at once.
#[tokio::test]
async fn calls_that_are_given_up_in_a_busy_moment_do_not_end_the_others() {
    let sidecar = Sidecar::start().await;
    let mut stream = begin(&sidecar.process.address).await;
    let message = hello().encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let data = [&[0][..], &length, &message].concat();
    sidecar
        .upstream
        .push(success("{}").after(Duration::from_secs(1)));
    let fields = invoke();
    let call = [
        frame(HEADERS, END_HEADERS, 1, &fields),
        frame(DATA, 1, 1, &data),
    ];
    stream.write_all(&call.concat()).await.unwrap();
    sidecar.upstream.wait_received(2).await;
    let given_up = (1..=450).flat_map(|number| {
        let stream = 2 * number + 1;
        [
            frame(HEADERS, END_HEADERS, stream, &fields),
            frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
        ]
        .concat()
    });
    let given_up: Vec<u8> = given_up.collect();
    sidecar.process.signal("STOP");
    stream.write_all(&given_up).await.unwrap();
    sidecar.process.signal("CONT");
    loop {
        let (kind, _, payload) = timeout(SOON, next(&mut stream)).await.unwrap().unwrap();
        assert_ne!(kind, GOAWAY, "{payload:?}");
        if kind == DATA {
            return;
        }
    }
}

#[tokio::test]
async fn a_call_that_never_ends_its_headers_is_cut_off() {
    let sidecar = Sidecar::start().await;
    let filler = block(&[("x-filler", &"f".repeat(100))]);
    let end = sidecar
        .flood(&frame(HEADERS, 0, 1, &invoke()), |_| {
            frame(CONTINUATION, 0, 1, &filler)
        })
        .await;
    let (kinds, _) = end.expect("the connection must be ended");
    assert!(!kinds.contains(&DATA), "{kinds:?}");
}

#[tokio::test]
async fn pings_settings_and_empty_frames_cost_the_others_nothing() {
    let sidecar = Sidecar::start().await;
    sidecar.flood(&[], |_| frame(PING, 0, 0, b"flooding")).await;
    sidecar.flood(&[], |_| frame(SETTINGS, 0, 0, &[])).await;
    sidecar
        .flood(&frame(HEADERS, END_HEADERS, 1, &invoke()), |_| {
            frame(DATA, 0, 1, &[])
        })
        .await;
    sidecar
        .flood(&[], |stream| frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16]))
        .await;
    assert_eq!(sidecar.upstream.received().len(), 9);
}
