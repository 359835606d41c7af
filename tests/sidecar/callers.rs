//! Who may call: certificates and tokens at TCP addresses, the mode of a Unix socket, and how they
//! change under way.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::ListPackagesRequest;
use faas_sidecar::proto::health::HealthCheckRequest;
use faas_sidecar::proto::health::health_client::HealthClient;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use hyper_util::rt::TokioIo;
use rcgen::ExtendedKeyUsagePurpose;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1;

use crate::support::answer::content;
use crate::support::bench::{channel, connect, keys, start, try_start};
use crate::support::details::bare;
use crate::support::issuer::Issuer;
use crate::support::upstream::Upstream;

const TOKEN: &str = "first-token-0123456789abcdef";
const NEXT: &str = "second-token-0123456789abcdef";

/// A sidecar behind TLS, with the files that it reads.
struct House {
    directory: tempfile::TempDir,
    authority: Issuer,
    upstream: Upstream,
    sidecar: Sidecar,
}

impl House {
    async fn new(further: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Issuer::new("ours");
        let upstream = Upstream::start().await;
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("ca.pem"), authority.pem()).unwrap();
        write_identity(directory.path(), &authority);
        let text = format!(
            "listen: \"127.0.0.1:0\"\ntls: {{cert_file: {d}/cert.pem, key_file: {d}/key.pem{further}}}\n\
             targets: {{main: {{provider: ncp, base_url: \"{}\"}}}}\n",
            upstream.url(),
            d = directory.path().display()
        )
        .replace("DIRECTORY", directory.path().to_str().unwrap());
        let sidecar = start(&text, &keys());
        Self {
            directory,
            authority,
            upstream,
            sidecar,
        }
    }

    /// Lists packages over a fresh connection that trusts `trusted` and shows `identity`.
    async fn call(
        &self,
        trusted: &Issuer,
        identity: Option<(String, String)>,
    ) -> Result<(), String> {
        let unused = self.upstream.unused();
        self.upstream.push(content("[]"));
        let config = client_config(trusted, identity);
        let port = self.sidecar.tcp().unwrap().port();
        let channel = secure(port, config).await?;
        let answer = PackageServiceClient::new(channel)
            .list_packages(ListPackagesRequest::default())
            .await;
        answer.map(drop).map_err(|status| status.to_string())?;
        assert_eq!(self.upstream.unused(), unused);
        Ok(())
    }
}

fn write_identity(directory: &Path, authority: &Issuer) {
    let (certificate, key) = authority.certify("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    std::fs::write(directory.join("cert.pem"), certificate).unwrap();
    std::fs::write(directory.join("key.pem"), key).unwrap();
}

fn client_config(trusted: &Issuer, identity: Option<(String, String)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

async fn secure(port: u16, config: ClientConfig) -> Result<Channel, String> {
    let connector = TlsConnector::from(Arc::new(config));
    let connector = tower::service_fn(move |_: http::Uri| {
        let connector = connector.clone();
        async move {
            let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            let name = ServerName::try_from("localhost").unwrap();
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, socket).await?))
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|why| format!("{why:?}"))
}

#[tokio::test]
async fn tls_serves_those_who_trust_it_and_nobody_in_plain_text() {
    let house = House::new("").await;
    house.call(&house.authority, None).await.unwrap();
    let fault = house.call(&Issuer::new("foreign"), None).await.unwrap_err();
    assert!(fault.contains("InvalidCertificate"), "{fault}");
    let plain = PackageServiceClient::new(connect(&house.sidecar))
        .list_packages(ListPackagesRequest::default())
        .await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn with_a_client_authority_only_its_certificates_are_let_in() {
    let house = House::new(", client_ca_file: DIRECTORY/ca.pem").await;
    let client =
        |authority: &Issuer| Some(authority.certify("app", ExtendedKeyUsagePurpose::ClientAuth));
    house
        .call(&house.authority, client(&house.authority))
        .await
        .unwrap();
    for identity in [None, client(&Issuer::new("foreign"))] {
        assert!(house.call(&house.authority, identity).await.is_err());
    }
    assert_eq!(house.upstream.received().len(), 1);
}

#[tokio::test]
async fn a_renewed_certificate_serves_new_connections_and_a_broken_one_none() {
    let house = House::new("").await;
    house.call(&house.authority, None).await.unwrap();
    let next = Issuer::new("foreign");
    write_identity(house.directory.path(), &next);
    house.sidecar.refresh();
    house.call(&next, None).await.unwrap();
    assert!(house.call(&house.authority, None).await.is_err());
    std::fs::write(house.directory.path().join("key.pem"), "no key").unwrap();
    house.sidecar.refresh();
    house.call(&next, None).await.unwrap();
    let shown = house.sidecar.shown();
    let problem = shown.borrow().problems["certificates of tls"].text.clone();
    assert!(
        problem.contains("tls.key_file") && !problem.contains("no key"),
        "{problem}"
    );
    write_identity(house.directory.path(), &next);
    house.sidecar.refresh();
    assert!(shown.borrow().problems.is_empty());
}

/// A sidecar on TCP and on a Unix socket that asks for a token.
struct Guarded {
    directory: tempfile::TempDir,
    upstream: Upstream,
    sidecar: Sidecar,
}

impl Guarded {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let upstream = Upstream::start().await;
        let path = directory.path().display();
        std::fs::write(directory.path().join("tokens"), format!("{TOKEN}\n")).unwrap();
        let text = format!(
            "listen: [\"127.0.0.1:0\", \"unix:{path}/faas.sock\"]\nauth: {{token_file: {path}/tokens}}\n\
             targets: {{main: {{provider: ncp, base_url: \"{}\"}}}}\n",
            upstream.url()
        );
        let sidecar = start(&text, &keys());
        Self {
            directory,
            upstream,
            sidecar,
        }
    }

    async fn call(&self, channel: Channel, authorization: Option<&str>) -> Result<(), Status> {
        let mut request = Request::new(ListPackagesRequest::default());
        if let Some(value) = authorization {
            request
                .metadata_mut()
                .insert("authorization", value.parse().unwrap());
        }
        PackageServiceClient::new(channel)
            .list_packages(request)
            .await
            .map(drop)
    }

    async fn reason(&self, authorization: Option<&str>) -> String {
        let status = self
            .call(channel(&self.sidecar), authorization)
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let told = bare(&status);
        assert_eq!(told.metadata["component"], "sidecar");
        told.reason
    }

    fn put_tokens(&self, text: &str) {
        std::fs::write(self.directory.path().join("tokens"), text).unwrap();
        self.sidecar.refresh();
    }
}

#[tokio::test]
async fn a_token_opens_the_tcp_address_and_health_and_the_unix_socket_need_none() {
    let guarded = Guarded::new().await;
    assert_eq!(guarded.reason(None).await, "CALLER_TOKEN_MISSING");
    assert_eq!(
        guarded.reason(Some("Bearer wrong")).await,
        "CALLER_TOKEN_REFUSED"
    );
    assert!(guarded.upstream.received().is_empty());
    guarded.upstream.push(content("[]"));
    let good = format!("Bearer {TOKEN}");
    guarded
        .call(channel(&guarded.sidecar), Some(&good))
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&guarded.upstream.only().head).contains(TOKEN));

    let channel = channel(&guarded.sidecar);
    HealthClient::new(channel.clone())
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    let question = tokio_stream::once(v1::ServerReflectionRequest::default());
    let mut reflection = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let status = reflection
        .server_reflection_info(question)
        .await
        .unwrap_err();
    assert_eq!(bare(&status).reason, "CALLER_TOKEN_MISSING");

    let socket = guarded.directory.path().join("faas.sock");
    let local = Endpoint::from_shared(format!("unix://{}", socket.display()))
        .unwrap()
        .connect_lazy();
    guarded.upstream.push(content("[]"));
    guarded.call(local, None).await.unwrap();
}

#[tokio::test]
async fn tokens_rotate_without_a_refused_call_and_a_broken_file_changes_nothing() {
    let guarded = Guarded::new().await;
    let (old, new) = (format!("Bearer {TOKEN}"), format!("Bearer {NEXT}"));
    let good = async |token: &str| {
        guarded.upstream.push(content("[]"));
        guarded
            .call(channel(&guarded.sidecar), Some(token))
            .await
            .unwrap();
    };
    good(&old).await;
    guarded.put_tokens(&format!("{TOKEN}\n{NEXT}\n"));
    good(&old).await;
    good(&new).await;
    guarded.put_tokens(&format!("{NEXT}\n"));
    good(&new).await;
    assert_eq!(guarded.reason(Some(&old)).await, "CALLER_TOKEN_REFUSED");
    for broken in ["", "short\n"] {
        guarded.put_tokens(broken);
        good(&new).await;
        let shown = guarded.sidecar.shown();
        assert!(
            shown.borrow().problems.contains_key("tokens of auth"),
            "{broken:?}"
        );
    }
    guarded.put_tokens(&format!("{NEXT}\n"));
    assert!(guarded.sidecar.shown().borrow().problems.is_empty());
}

fn socket_text(path: &Path, settings: &str) -> String {
    format!(
        "listen: \"unix:{}\"\nunix_socket: {{{settings}}}\ntargets: {{main: {{provider: ncp}}}}\n",
        path.display()
    )
}

#[tokio::test]
async fn a_unix_socket_has_the_mode_and_group_that_are_configured() {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("faas.sock");
    let group = std::fs::metadata(directory.path()).unwrap().gid();
    let sidecar = start(
        &socket_text(&path, &format!("mode: \"0600\", group: {group}")),
        &keys(),
    );
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!(
        (found.permissions().mode() & 0o777, found.gid()),
        (0o600, group)
    );
    drop(sidecar);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faas.sock");
    let _sidecar = start(&socket_text(&path, ""), &keys());
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o660
    );
}

#[tokio::test]
async fn what_cannot_guard_is_told_before_anything_listens() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(at("tokens"), "short").unwrap();
    std::fs::write(at("empty.pem"), "").unwrap();
    for (settings, said) in [
        (
            format!("auth: {{token_file: {}}}", at("tokens")),
            "line 1 is no token",
        ),
        (
            format!("auth: {{token_file: {}}}", at("absent")),
            "cannot be read",
        ),
        (
            format!("tls: {{cert_file: {0}, key_file: {0}}}", at("empty.pem")),
            "tls.cert_file",
        ),
    ] {
        let text =
            format!("listen: \"127.0.0.1:0\"\n{settings}\ntargets: {{main: {{provider: ncp}}}}\n");
        let fault = try_start(&text, &keys()).unwrap_err();
        assert!(fault.contains(said) && !fault.contains("short"), "{fault}");
    }
}
