//! The way out over TLS: our own authority, HTTP/2 where the server offers it, no certificate of
//! strangers.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use faas_sidecar::app::Sidecar;
use faas_sidecar::env::Env;
use faas_sidecar::proto::ListPackagesRequest;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio_rustls::TlsAcceptor;
use tonic::Code;

use crate::support::bench;
use crate::support::tls::Authority;

/// An HTTPS server of one answer, and what it saw.
struct Tls {
    port: u16,
    authority: Authority,
    versions: Arc<Mutex<Vec<Version>>>,
    connections: Arc<Mutex<usize>>,
}

impl Tls {
    async fn start(protocols: &[&str]) -> Self {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(authority.server(protocols));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (versions, connections) = (
            Arc::<Mutex<Vec<Version>>>::default(),
            Arc::<Mutex<usize>>::default(),
        );
        let (seen, counted) = (Arc::clone(&versions), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, seen, counted) =
                    (acceptor.clone(), Arc::clone(&seen), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(socket) = acceptor.accept(socket).await else {
                        return;
                    };
                    *counted.lock().unwrap() += 1;
                    let service = hyper::service::service_fn(move |request: Request<_>| {
                        let _: &hyper::body::Incoming = request.body();
                        seen.lock().unwrap().push(request.version());
                        async {
                            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                                b"{\"content\":[]}",
                            ))))
                        }
                    });
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            port,
            authority,
            versions,
            connections,
        }
    }

    /// A sidecar that leads here, with these further settings.
    fn sidecar(
        &self,
        settings: &str,
    ) -> (
        Sidecar,
        PackageServiceClient<crate::support::patient::Patient>,
    ) {
        let text = format!(
            "listen: \"127.0.0.1:0\"\ntargets:\n  main: {{provider: ncp, base_url: \"https://localhost:{}\"{settings}}}",
            self.port
        );
        let sidecar = bench::start(&text, &bench::keys());
        let client = PackageServiceClient::new(bench::connect(&sidecar));
        (sidecar, client)
    }

    fn trusting(&self) -> String {
        format!(
            ", ca_file: {}, retry: {{max_attempts: 1}}",
            self.authority.file()
        )
    }
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_offers_it_on_one_connection() {
    let tls = Tls::start(&["h2", "http/1.1"]).await;
    let (_sidecar, client) = tls.sidecar(&tls.trusting());
    client
        .clone()
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    let calls = (0..20).map(|_| {
        let mut client = client.clone();
        async move { client.list_packages(ListPackagesRequest::default()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(*tls.versions.lock().unwrap(), vec![Version::HTTP_2; 21]);
    assert_eq!(*tls.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn http1_is_spoken_where_the_server_has_nothing_else() {
    let tls = Tls::start(&["http/1.1"]).await;
    let (_sidecar, mut client) = tls.sidecar(&tls.trusting());
    client
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap();
    assert_eq!(*tls.versions.lock().unwrap(), vec![Version::HTTP_11]);
}

#[tokio::test]
async fn a_certificate_of_strangers_is_refused_and_nothing_is_sent() {
    let tls = Tls::start(&["h2", "http/1.1"]).await;
    let (_sidecar, mut client) = tls.sidecar(", retry: {max_attempts: 1}");
    let error = client
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(
        error.message().contains("certificate"),
        "{}",
        error.message()
    );
    let info = tonic_types::StatusExt::get_details_error_info(&error).unwrap();
    assert_eq!(info.metadata["execution"], "not_started");
    assert!(tls.versions.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_told_before_anything_listens() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "listen: \"127.0.0.1:0\"\ntargets: {{main: {{provider: ncp, ca_file: {}}}}}",
        empty.path().display()
    );
    let fault = bench::try_start(&text, &Env::default()).unwrap_err();
    assert!(
        fault.contains("target main") && fault.contains("holds no certificate"),
        "{fault}"
    );
}
