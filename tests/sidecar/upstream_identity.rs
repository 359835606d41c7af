//! An upstream that asks for a certificate, and files that change under way: each connection uses
//! what was read last.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::ListPackagesRequest;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use crate::support::bench;

type Identity = rcgen::CertifiedKey<rcgen::KeyPair>;

fn identity() -> Identity {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// Serves one answer a connection, to callers that show a certificate of `known`. Answers its port.
async fn serve(own: &Identity, known: &Identity) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(known.cert.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![own.cert.der().clone()],
            own.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(socket).await else {
                    return;
                };
                let service = hyper::service::service_fn(async |_: Request<Incoming>| {
                    let list = Bytes::from_static(b"{\"content\":[]}");
                    let answer = Response::builder().header("connection", "close");
                    Ok::<_, Infallible>(answer.body(Full::new(list)).unwrap())
                });
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    port
}

async fn call(sidecar: &Sidecar) -> Result<(), tonic::Status> {
    let mut client = PackageServiceClient::new(bench::connect(sidecar));
    client
        .list_packages(ListPackagesRequest::default())
        .await
        .map(drop)
}

#[tokio::test]
async fn certificates_that_change_are_used_by_the_next_connection_and_broken_ones_are_not() {
    let (server, mine, strange) = (identity(), identity(), identity());
    let port = serve(&server, &mine).await;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let put_authority = |of: &Identity| std::fs::write(at("ca.pem"), of.cert.pem()).unwrap();
    let put_mine = |of: &Identity| {
        std::fs::write(at("cert.pem"), of.cert.pem()).unwrap();
        std::fs::write(at("key.pem"), of.signing_key.serialize_pem()).unwrap();
    };
    put_authority(&server);
    put_mine(&mine);
    let text = format!(
        "listen: \"127.0.0.1:0\"\ntargets:\n  main: {{provider: ncp, base_url: \"https://localhost:{port}\", \
         ca_file: {d}/ca.pem, client_cert_file: {d}/cert.pem, client_key_file: {d}/key.pem, retry: {{max_attempts: 1}}}}\n",
        d = directory.path().display()
    );
    let sidecar = bench::start(&text, &bench::keys());
    call(&sidecar).await.unwrap();

    put_mine(&strange);
    sidecar.refresh();
    assert!(
        call(&sidecar).await.is_err(),
        "the upstream knows no such certificate"
    );
    put_mine(&mine);
    sidecar.refresh();
    call(&sidecar).await.unwrap();

    put_authority(&strange);
    sidecar.refresh();
    let error = call(&sidecar).await.unwrap_err();
    assert!(
        error.message().contains("certificate"),
        "{}",
        error.message()
    );
    std::fs::write(at("ca.pem"), "no certificate").unwrap();
    put_mine(&mine);
    sidecar.refresh();
    let shown = sidecar.shown();
    let problem = shown.borrow().problems["certificates of target main"]
        .text
        .clone();
    assert!(
        problem.contains("ca.pem: holds no certificate"),
        "{problem}"
    );
    put_authority(&server);
    sidecar.refresh();
    call(&sidecar).await.unwrap();
    assert!(shown.borrow().problems.is_empty());
}
