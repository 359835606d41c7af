//! What a cloud, or a hop before it, may get wrong in the first words: a refused certificate, odd
//! heads of answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use faas_sidecar::proto::InvokeRequest;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tonic::Code;

use crate::support::answer::{Answer, Step, steps};
use crate::support::bench::{Bench, connect, hello, start};
use crate::support::cloud::{Cloud, keys, on_both_clouds, ran};
use crate::support::details::told_by;
use crate::support::tls::Authority;

on_both_clouds! {
    a_refused_client_certificate_is_told_alike_under_every_version_of_tls,
    heads_of_answers_are_read_as_the_standard_says,
    a_head_beyond_the_bound_or_no_head_at_all_is_an_answer_all_the_same,
}

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

async fn a_refused_client_certificate_is_told_alike_under_every_version_of_tls(cloud: Cloud) {
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
            let there = format!(
                "base_url: \"https://localhost:{}\", ca_file: {}",
                address.port(),
                authority.file()
            );
            let sidecar = start(
                &format!("listen: \"127.0.0.1:0\"\n{}", cloud.main(&there)),
                &keys(),
            );
            let mut client = InvocationServiceClient::new(connect(&sidecar));
            for request in [hello(), hello(), large()] {
                let told = told_by(cloud, &client.invoke(request).await.unwrap_err());
                told.assert(Code::Unavailable, "TLS_FAILED", "not_started", "network");
                assert!(told.message.contains("Certificate"), "{}", told.message);
                assert_eq!(
                    told.attempts,
                    Some(1),
                    "{version:?} {protocol}: {}",
                    told.message
                );
            }
            assert_eq!(served.load(Ordering::SeqCst), 0);
        }
    }
}

fn answer(cloud: Cloud, headers: &str) -> Answer {
    let good = ran(cloud, "{}");
    let body = good.body_bytes();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    steps([Step::Write([head.as_bytes(), body].concat())])
}

async fn heads_of_answers_are_read_as_the_standard_says(cloud: Cloud) {
    let bench = Bench::on(cloud, "retry: {max_attempts: 1}").await;
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
        bench.upstream.push(answer(cloud, headers));
        let run = bench.invoke(hello()).await;
        let shown = &headers[..headers.len().min(40)];
        assert!(
            run.unwrap_or_else(|status| panic!("{shown:?}: {status:?}"))
                .success
        );
    }
}

async fn a_head_beyond_the_bound_or_no_head_at_all_is_an_answer_all_the_same(cloud: Cloud) {
    let bench = Bench::on(cloud, "").await;
    let many: String = (0..1_100)
        .map(|number| format!("X-{number}: {number}\r\n"))
        .collect();
    let large = format!("X-Large: {}\r\n", "v".repeat(150_000));
    let huge = format!("X-Huge: {}\r\n", "v".repeat(1_000_000));
    for headers in [&many, &large, &huge] {
        bench.upstream.push(answer(cloud, headers));
        let told = told_by(cloud, &bench.invoke(hello()).await.unwrap_err());
        told.assert(
            Code::ResourceExhausted,
            "RESPONSE_HEAD_TOO_LARGE",
            "unknown",
            "sidecar",
        );
    }
    for headers in ["Content-Length: 1\r\n", "no colon\r\n", "X-\u{1}: b\r\n"] {
        bench.upstream.push(answer(cloud, headers));
        let told = told_by(cloud, &bench.invoke(hello()).await.unwrap_err());
        told.assert(
            Code::Internal,
            "RESPONSE_NOT_UNDERSTOOD",
            "unknown",
            "network",
        );
    }
}
