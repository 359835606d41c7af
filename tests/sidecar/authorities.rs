//! The authority of a call: what clients of gRPC's C core send over a Unix socket, or for a list of
//! addresses, is no valid one, and works.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::support::bench::{keys, start};
use crate::support::frames::{
    DATA, END_HEADERS, HEADERS, PREFACE, RST_STREAM, SETTINGS, block, frame, next,
};

const END_STREAM: u8 = 1;
/// A message that is empty, and one that says SERVING.
const ASK: &[u8] = &[0; 5];
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

/// A health check whose authority is kept in the dynamic table, as its first entry.
fn first(authority: &str) -> Vec<u8> {
    let mut fields = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        (":authority", authority),
    ]);
    // Pseudo fields go first; a literal that is kept begins with 0x40 (RFC 7541 §6.2.1).
    let length = authority.len() + ":authority".len() + 3;
    let mut kept = fields.split_off(fields.len() - length);
    kept[0] = 0x40;
    kept.extend(fields);
    kept
}

/// The same, its authority by reference.
fn second() -> Vec<u8> {
    let mut fields = vec![0x80 | 62];
    fields.extend(block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]));
    fields
}

/// Two calls on one connection, in pieces of so many bytes; for each what it got: a message, or the
/// code of a reset.
async fn answers(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    authority: &str,
    pieces: usize,
) -> Vec<Vec<u8>> {
    let written = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &first(authority)),
        frame(DATA, END_STREAM, 1, ASK),
        frame(HEADERS, END_HEADERS, 3, &second()),
        frame(DATA, END_STREAM, 3, ASK),
    ]
    .concat();
    for piece in written.chunks(pieces) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let read = timeout(Duration::from_secs(10), next(&mut stream)).await;
        match read.unwrap().unwrap() {
            (DATA, _, payload) if !payload.is_empty() => answers.push(payload),
            (RST_STREAM, _, code) => answers.push(code),
            _ => {}
        }
    }
    answers
}

#[tokio::test]
async fn an_authority_that_is_no_hosts_name_works_over_the_socket_and_over_tcp() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faas.sock");
    let text = format!(
        "listen: [\"127.0.0.1:0\", \"unix:{}\"]\ntargets: {{main: {{provider: ncp}}}}\n",
        path.display()
    );
    let sidecar = start(&text, &keys());
    for authority in [
        "run%2Ffaas.sock",
        "/run/faas.sock",
        "a:b:c@[d%20e",
        "127.0.0.1:38513,127.0.0.1:36781",
        "[::1]:38513,[::1]:36781",
        "localhost",
        "localhost:50051",
        "[::1]:50051",
    ] {
        for pieces in [1, 7, usize::MAX] {
            let stream = UnixStream::connect(&path).await.unwrap();
            assert_eq!(
                answers(stream, authority, pieces).await,
                [SERVING, SERVING],
                "{authority} by {pieces} over the socket"
            );
            let stream = TcpStream::connect(sidecar.tcp().unwrap()).await.unwrap();
            assert_eq!(
                answers(stream, authority, pieces).await,
                [SERVING, SERVING],
                "{authority} by {pieces} over TCP"
            );
        }
    }
}
