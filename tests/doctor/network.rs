//! The steps before any request: names, connections, certificates.

use std::sync::Arc;
use std::time::{Duration, Instant};

use faas_sidecar::cli::Exit;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::{Outcome, doctor};

const KEYS: [(&str, &str); 2] = [
    ("NCLOUD_ACCESS_KEY_ID", "a"),
    ("NCLOUD_SECRET_ACCESS_KEY", "s-canary-s"),
];

async fn at(base_url: &str, more: &str) -> Outcome {
    let config = format!(
        "targets: {{main: {{provider: ncp, base_url: \"{base_url}\", retry: {{max_attempts: 1}}, timeouts: {{connect: 500ms}}{more}}}}}"
    );
    let outcome = doctor(&config, &KEYS, &["--format", "json", "--action", "-/hello"]).await;
    assert!(!outcome.text.contains("canary"));
    outcome
}

fn statuses(outcome: &Outcome) -> Vec<(String, String)> {
    let document = outcome.document();
    let steps = document["steps"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    steps
        .iter()
        .map(|step| (text(&step["step"]), text(&step["status"])))
        .collect()
}

/// Everything behind a failed step is skipped, and says because of which.
fn assert_stops_at(outcome: &Outcome, failed: &str, problem: &str) {
    assert_eq!(outcome.exit, Exit::Failed, "{}", outcome.text);
    let step = outcome.step(failed);
    assert_eq!(
        (&step["status"], &step["data"]["problem"]),
        (&"fail".into(), &problem.into()),
        "{step:#}"
    );
    assert!(step["fix"].as_str().unwrap().ends_with('.'), "{step:#}");
    for later in ["clock", "read", "right"] {
        let step = outcome.step(later);
        assert_eq!(step["status"], "skipped", "{later}");
        assert_eq!(step["because"], failed, "{step:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_without_an_address_stops_at_dns() {
    let outcome = at("https://no-such-host.invalid", "").await;
    assert_stops_at(&outcome, "dns", "no_address");
    let order: Vec<_> = statuses(&outcome)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        order,
        [
            "configuration",
            "credentials",
            "dns",
            "tcp",
            "tls",
            "clock",
            "read",
            "right",
            "right",
            "kubernetes"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_port_stops_at_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_stops_at(
        &at(&format!("https://{address}"), "").await,
        "tcp",
        "refused",
    );
}

/// A TLS server with this certificate; its answer is always 401 without a word.
async fn tls(change: impl FnOnce(&mut CertificateParams)) -> (String, tempfile::NamedTempFile) {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), certificate.pem()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut buffer = [0; 4096];
                while tokio::io::AsyncReadExt::read(&mut stream, &mut buffer)
                    .await
                    .is_ok_and(|count| count > 0)
                {
                    let answer = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
                    if tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    (format!("https://localhost:{port}"), authority)
}

fn trusting(authority: &tempfile::NamedTempFile) -> String {
    format!(", ca_file: {}", authority.path().display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_strangers_is_shown_with_its_issuer() {
    let (url, _authority) = tls(|parameters| {
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Corporate Proxy CA");
    })
    .await;
    let outcome = at(&url, "").await;
    assert_stops_at(&outcome, "tls", "untrusted");
    let step = outcome.step("tls");
    assert!(
        step["fact"]
            .as_str()
            .unwrap()
            .contains("issued by Corporate Proxy CA"),
        "{step:#}"
    );
    assert_eq!(step["data"]["chain"][0]["subject"], "Corporate Proxy CA");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_for_other_names_and_times_are_told_apart() {
    let (url, authority) =
        tls(|parameters| parameters.not_after = rcgen::date_time_ymd(2020, 1, 1)).await;
    let outcome = at(&url, &trusting(&authority)).await;
    assert_stops_at(&outcome, "tls", "expired");
    assert_eq!(
        outcome.step("tls")["data"]["chain"][0]["not_after"],
        "2020-01-01T00:00:00Z"
    );
    let (url, authority) = tls(|parameters| {
        parameters.subject_alt_names =
            vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())];
    })
    .await;
    assert_stops_at(&at(&url, &trusting(&authority)).await, "tls", "wrong_name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_handshake_tells_version_protocol_and_end() {
    let (url, authority) = tls(|_| ()).await;
    let outcome = at(&url, &trusting(&authority)).await;
    let step = outcome.step("tls");
    assert_eq!(step["status"], "ok", "{step:#}");
    assert_eq!(
        (&step["data"]["version"], &step["data"]["alpn"]),
        (&"TLSv1.3".into(), &Value::Null)
    );
    assert!(step["data"]["expires_in_seconds"].as_u64().unwrap() > 365 * 24 * 3600);
    // A bare 401 without any mark of the gateway is not the gateway's.
    assert_eq!(outcome.step("read")["cause"], "answered_by_hop");
    assert_eq!(outcome.step("clock")["status"], "warn");

    let soon = std::time::SystemTime::now() + Duration::from_secs(3 * 24 * 3600);
    let (url, authority) = tls(|parameters| parameters.not_after = soon.into()).await;
    let step = at(&url, &trusting(&authority)).await.step("tls");
    assert_eq!(step["status"], "warn", "{step:#}");
    assert!(step["fix"].as_str().unwrap().contains("2 days"), "{step:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_no_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            // Closing with something unread would be a reset, which tells less.
            held.push(stream);
        }
    });
    assert_stops_at(
        &at(&format!("https://localhost:{port}"), "").await,
        "tls",
        "not_tls",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_cannot_hold_it_longer_than_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let config = format!("targets: {{main: {{provider: ncp, base_url: \"{url}\"}}}}");
    let began = Instant::now();
    let outcome = doctor(&config, &KEYS, &["--format", "json", "--timeout", "1s"]).await;
    // Far less than the target's own time-outs, however busy the machine is.
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(outcome.exit, Exit::Failed);
    assert_eq!(outcome.step("clock")["cause"], "unreachable");
    held.abort();
}
