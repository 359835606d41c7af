//! What a cloud, or a hop before it, may get wrong in the first words: a refused certificate, odd heads of answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use faas_sidecar::proto::InvokeRequest;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tonic::Code;

use crate::support::answer::{Step, steps};
use crate::support::bench::{Bench, ID, connect, hello, keys, start};
use crate::support::details::told;
use crate::support::tls::Authority;

/// A run whose arguments take some time to write.
fn large() -> InvokeRequest {
    InvokeRequest {
        arguments: Some(crate::support::bench::text(&format!(
            "{{\"a\":\"{}\"}}",
            "x".repeat(800_000)
        ))),
        ..hello()
    }
}

#[tokio::test]
async fn a_refused_client_certificate_is_told_alike_under_every_version_of_tls() {
    for version in [&TLS12, &TLS13] {
        for protocol in ["h2", "http/1.1"] {
            let authority = Authority::new();
            let acceptor = TlsAcceptor::from(authority.strict_server(&[protocol], version));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let served = Arc::<AtomicUsize>::default();
            let counted = Arc::clone(&served);
            tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
                    tokio::spawn(async move {
                        // Refuses with an alert, and closes though the request is under way.
                        if let Ok(mut stream) = acceptor.accept(socket).await {
                            counted.fetch_add(1, Ordering::SeqCst);
                            let _ = stream.read(&mut [0; 1024]).await;
                        }
                    });
                }
            });
            let text = format!(
                "listen: \"127.0.0.1:0\"\ntargets:\n  main: {{provider: ncp, base_url: \"https://localhost:{}\", ca_file: {}}}",
                address.port(),
                authority.file()
            );
            let sidecar = start(&text, &keys());
            let mut client = InvocationServiceClient::new(connect(&sidecar));
            for request in [hello(), hello(), large()] {
                let told = told(&client.invoke(request).await.unwrap_err());
                told.assert(Code::Unavailable, "TLS_FAILED", "not_started", "network");
                assert!(told.message.contains("Certificate"), "{}", told.message);
                assert_eq!(told.attempts, Some(1), "{version:?} {protocol}: {}", told.message);
            }
            assert_eq!(served.load(Ordering::SeqCst), 0);
        }
    }
}

fn answer(headers: &str) -> crate::support::answer::Answer {
    let body = format!(
        r#"{{"content":{{"activationId":"{ID}","duration":3,"response":{{"result":{{}},"status":"success","success":true}}}}}}"#
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    steps([Step::Write([head, body].concat().into_bytes())])
}

#[tokio::test]
async fn heads_of_answers_are_read_as_the_standard_says() {
    let bench = Bench::with("retry: {max_attempts: 1}").await;
    let many: String = (0..1_000)
        .map(|number| format!("X-{number}: {number}\r\n"))
        .collect();
    let large = format!("X-Large: {}\r\n", "v".repeat(100_000));
    for headers in [
        "X-A: a\r\n  b\r\n",
        "X-A:\r\n\tb\r\nX-B: c\r\n \r\n d\r\n",
        "X-A : b\r\n",
        "X-A\t: b\r\n",
        &many,
        &large,
    ] {
        bench.upstream.push(answer(headers));
        let run = bench.invoke(hello()).await;
        let shown = &headers[..headers.len().min(40)];
        assert!(
            run.unwrap_or_else(|status| panic!("{shown:?}: {status:?}"))
                .success
        );
    }
}

#[tokio::test]
async fn a_head_beyond_the_bound_or_no_head_at_all_is_an_answer_all_the_same() {
    let bench = Bench::with("").await;
    let many: String = (0..1_100)
        .map(|number| format!("X-{number}: {number}\r\n"))
        .collect();
    let large = format!("X-Large: {}\r\n", "v".repeat(150_000));
    let huge = format!("X-Huge: {}\r\n", "v".repeat(1_000_000));
    for headers in [&many, &large, &huge] {
        bench.upstream.push(answer(headers));
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        told.assert(
            Code::ResourceExhausted,
            "RESPONSE_HEAD_TOO_LARGE",
            "unknown",
            "sidecar",
        );
    }
    for headers in ["Content-Length: 1\r\n", "no colon\r\n", "X-\u{1}: b\r\n"] {
        bench.upstream.push(answer(headers));
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        told.assert(Code::Internal, "RESPONSE_NOT_UNDERSTOOD", "unknown", "network");
    }
}
