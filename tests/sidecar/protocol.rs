//! What may run a call: POST, gRPC's content type and HTTP/2 alone, with one whole message and a
//! good timeout. Everything else is refused, runs nothing, and the next caller notices nothing.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tonic::{Code, Status};

use crate::support::answer::content;
use crate::support::bench::{Bench, hello, keys, serve, start};
use crate::support::issuer::Issuer;

const INVOKE: &str = "/faas.v1.InvocationService/Invoke";
const PATIENCE: Duration = Duration::from_secs(20);

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// Sends one request with prior knowledge; its HTTP status, its headers and trailers together, and
/// its body.
async fn ask(
    address: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, http::HeaderMap, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("http://{address}{INVOKE}"))
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answer = timeout(PATIENCE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let (head, body) = answer.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
    let mut all = head.headers;
    all.extend(body.trailers().cloned().unwrap_or_default());
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    (head.status.as_u16(), all, text)
}

/// Writes these bytes on a connection of their own; what comes back until it is closed.
async fn write(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A reset ends it as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn other_methods_and_content_types_run_nothing() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap();
    let message = framed(&hello().encode_to_vec());
    for (method, media, status) in [
        ("POST", "text/plain", 415),
        ("POST", "application/x-www-form-urlencoded", 415),
        ("POST", "application/grpc-web+proto", 415),
        ("POST", "application/grpc+json", 415),
        ("POST", "application/json", 415),
        ("POST", "", 415),
        ("PUT", "application/grpc", 405),
        ("GET", "application/grpc", 405),
        ("DELETE", "application/grpc", 405),
        ("PATCH", "application/grpc", 405),
        ("OPTIONS", "application/grpc", 405),
    ] {
        let media: &[_] = if media.is_empty() {
            &[]
        } else {
            &[("content-type", media), ("origin", "https://evil.example")]
        };
        let (told, headers, text) = ask(address, method, media, message.clone()).await;
        assert_eq!(told, status, "{method} {media:?}");
        assert_eq!(headers.contains_key("allow"), status == 405, "{headers:?}");
        assert!(text.contains("gRPC port"), "{text}");
        assert!(!headers.contains_key("grpc-status"), "{headers:?}");
    }
    assert!(bench.upstream.received().is_empty());
    bench.assert_healthy().await;
    let before = bench.upstream.received().len();
    for media in [
        "application/grpc",
        "application/grpc+proto",
        "Application/Grpc; x=y",
    ] {
        bench.upstream.push(content("{}"));
        let (status, headers, _) =
            ask(address, "POST", &[("content-type", media)], message.clone()).await;
        assert!(
            status == 200 && headers.contains_key("grpc-status"),
            "{media}: {headers:?}"
        );
    }
    assert_eq!(bench.upstream.received().len(), before + 3);
}

/// An answer that comes before the request has been sent is a failure of the stream to some
/// clients.
#[tokio::test]
async fn a_refused_request_is_heard_out_before_it_is_answered() {
    let bench = Bench::new().await;
    let stream = TcpStream::connect(bench.sidecar.tcp().unwrap())
        .await
        .unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let (sent, pieces) = tokio::sync::mpsc::channel(1);
    let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces);
    let body = http_body_util::StreamBody::new(pieces);
    let request = http::Request::post(format!("http://localhost{INVOKE}"))
        .header("content-type", "text/plain")
        .body(body)
        .unwrap();
    let mut answer = std::pin::pin!(sender.send_request(request));
    let early = timeout(Duration::from_millis(200), &mut answer).await;
    assert!(early.is_err(), "answered before the body came");
    let frame = hyper::body::Frame::data(Bytes::from_static(b"x"));
    sent.send(Ok::<_, std::convert::Infallible>(frame))
        .await
        .unwrap();
    drop(sent);
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 415);
}

#[tokio::test]
async fn a_call_is_one_whole_message_or_runs_nothing() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap();
    let message = framed(&hello().encode_to_vec());
    let half = message[..message.len() - 1].to_vec();
    for (body, code) in [
        (
            [message.clone(), message.clone()].concat(),
            Code::Unimplemented,
        ),
        (vec![], Code::Unimplemented),
        (half.clone(), Code::Internal),
        (vec![0, 0], Code::Internal),
        (
            [message.clone(), b"garbage".to_vec()].concat(),
            Code::Internal,
        ),
        ([message.clone(), vec![0]].concat(), Code::Internal),
        ([message.clone(), half].concat(), Code::Internal),
    ] {
        let grpc = [("content-type", "application/grpc")];
        let (_, headers, _) = ask(address, "POST", &grpc, body.clone()).await;
        let status = Status::from_header_map(&headers).unwrap();
        assert_eq!(status.code(), code, "{} bytes: {status:?}", body.len());
        assert!(
            headers.contains_key("grpc-status-details-bin"),
            "{headers:?}"
        );
    }
    assert!(bench.upstream.received().is_empty());
    bench.assert_healthy().await;
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused_and_runs_nothing() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap();
    let message = framed(&hello().encode_to_vec());
    for values in [
        &["abc"][..],
        &["-1S"],
        &["123456789m"],
        &["5s"],
        &[""],
        &["5"],
        &["S"],
        &["1.5S"],
        &["5S", "5S"],
    ] {
        let mut headers = vec![("content-type", "application/grpc")];
        headers.extend(values.iter().map(|value| ("grpc-timeout", *value)));
        let (_, headers, _) = ask(address, "POST", &headers, message.clone()).await;
        let status = Status::from_header_map(&headers).unwrap();
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "{values:?}: {status:?}"
        );
        assert!(status.message().contains("grpc-timeout"), "{status:?}");
    }
    assert!(bench.upstream.received().is_empty());
    bench.assert_healthy().await;
}

#[tokio::test]
async fn what_is_no_http2_is_answered_or_closed() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap();
    for request in [
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /faas.v1.InvocationService/Invoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0",
        "OPTIONS * HTTP/1.0\r\n\r\n",
    ] {
        let answer = write(address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 505 "), "{answer:?}");
        assert!(
            answer.contains("gRPC port") && answer.contains("connection: close"),
            "{answer:?}"
        );
    }
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ] {
        assert_eq!(write(address, bytes).await, "", "{}", bytes.escape_ascii());
    }
    assert!(bench.upstream.received().is_empty());
    bench.assert_healthy().await;
}

#[tokio::test]
async fn plain_callers_of_a_tls_port_are_told() {
    let issuer = Issuer::new("edge");
    let (chain, key) = issuer.certify("localhost", rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let files: Vec<_> = [chain, key]
        .iter()
        .map(|pem| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(pem.as_bytes()).unwrap();
            file
        })
        .collect();
    let text = format!(
        "listen: \"127.0.0.1:0\"\ntls: {{cert_file: {}, key_file: {}}}\ntargets: {{main: {{provider: ncp}}}}\n",
        files[0].path().display(),
        files[1].path().display()
    );
    let sidecar = start(&text, &keys());
    let address = sidecar.tcp().unwrap();
    let answer = write(address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("TLS"),
        "{answer:?}"
    );
    assert_eq!(write(address, crate::support::frames::PREFACE).await, "");
    // HTTP/1.1 within TLS is answered as on a plain port.
    let mut roots = RootCertStore::empty();
    let pem = issuer.pem();
    let der = CertificateDer::from_pem_slice(pem.as_bytes());
    roots.add(der.unwrap()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 505 "), "{answer:?}");
}

#[tokio::test]
async fn the_log_has_one_line_in_a_while_for_all_of_them() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        &file,
        "listen: \"127.0.0.1:0\"\ntargets: {main: {provider: ncp}}\n",
    )
    .unwrap();
    let process = serve(file.path(), &[]);
    let address: SocketAddr = process.address.parse().unwrap();
    for _ in 0..20 {
        write(address, b"GET / HTTP/1.1\r\n\r\n").await;
        ask(address, "POST", &[("content-type", "text/plain")], vec![]).await;
    }
    let line = process.hear("a connection was refused").await;
    assert_eq!(line["level"], "WARN");
    assert!(
        line["message"].as_str().unwrap().contains("HTTP/1"),
        "{line}"
    );
    let line = process.hear("a request was refused").await;
    assert_eq!(line["content_type"], "text/plain");
    // A second one comes only later, and counts what was left out.
    tokio::time::sleep(Duration::from_millis(5500)).await;
    write(address, b"GET / HTTP/1.1\r\n\r\n").await;
    let line = process.hear("a connection was refused").await;
    assert_eq!(line["left_out"], 19, "{line}");
}
