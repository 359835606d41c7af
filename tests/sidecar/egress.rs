//! Requests leave for the configured host and no other, whatever an answer, the environment or a
//! caller suggests.

use std::time::Duration;

use faas_sidecar::proto::ListPackagesRequest;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::Request;
use tonic::transport::Endpoint;

use crate::support::answer::{content, http};
use crate::support::bench::serve;
use crate::support::details::bare;
use crate::support::upstream::Upstream;

#[tokio::test]
async fn redirects_alternatives_proxies_and_callers_lead_nowhere_else() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = trap.local_addr().unwrap().to_string();
    let upstream = Upstream::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "listen: \"127.0.0.1:0\"\ntargets: {{main: {{provider: ncp, base_url: \"{}\", retry: {{max_attempts: 1}}}}}}\n",
        upstream.url()
    );
    std::fs::write(file.path(), text).unwrap();
    let proxy = format!("http://{elsewhere}");
    let proxies: Vec<(&str, &str)> = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ]
    .map(|name| (name, proxy.as_str()))
    .into();
    let sidecar = serve(file.path(), &proxies);
    let endpoint = Endpoint::from_shared(format!("http://{}", sidecar.address)).unwrap();
    let mut client = PackageServiceClient::new(endpoint.connect().await.unwrap());

    for status in [301, 302, 303, 307, 308] {
        let answer = http(status, "{}").header("Location", &format!("http://{elsewhere}/packages"));
        upstream.push(answer);
        let error = client
            .list_packages(ListPackagesRequest::default())
            .await
            .unwrap_err();
        assert_eq!(bare(&error).reason, "UNEXPECTED_REDIRECT", "{status}");
    }
    let alternative = format!("h2=\"{elsewhere}\"; ma=86400, h3=\"{elsewhere}\"");
    for _ in 0..3 {
        upstream.push(content("[]").header("Alt-Svc", &alternative));
        let mut request = Request::new(ListPackagesRequest::default());
        for (name, value) in [
            ("x-forwarded-host", elsewhere.as_str()),
            ("forwarded", "host=evil.example"),
            ("x-envoy-original-dst-host", elsewhere.as_str()),
        ] {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        client.list_packages(request).await.unwrap();
    }
    let received = upstream.received();
    assert_eq!(received.len(), 8);
    for request in &received {
        assert_eq!(
            request.header("host"),
            upstream.url().strip_prefix("http://")
        );
        assert!(!String::from_utf8_lossy(&request.head).contains(&elsewhere));
    }
    let led = timeout(Duration::from_millis(200), trap.accept()).await;
    assert!(led.is_err(), "something was led to {elsewhere}");
}
