//! The operators' pages: who may ask for which, and what bounds their connections.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::support::bench::{keys, start};

const PATIENCE: Duration = Duration::from_secs(30);

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

/// The status of one request with these headers.
async fn ask(address: SocketAddr, request: &str, headers: &str) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    let answer = exchange(stream, &format!("{request} HTTP/1.1\r\n{headers}\r\n")).await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

const TEXT: &str = "listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\nadmin_quit: true\n\
                    metrics: {listen: \"0.0.0.0:0\", allow_remote_clients: true}\ntargets: {main: {provider: ncp}}\n";

#[tokio::test]
async fn remote_callers_get_numbers_and_probes_and_nothing_else() {
    let sidecar = start(TEXT, &keys());
    let mut metrics = sidecar.metrics().unwrap();
    assert!(metrics.ip().is_unspecified());
    metrics.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    let admin = sidecar.admin().unwrap();
    let host = "host: pod-7.example:9902\r\n";
    for page in ["/metrics", "/livez", "/readyz", "/startupz"] {
        assert_eq!(
            ask(metrics, &format!("GET {page}"), host).await,
            200,
            "{page}"
        );
        assert_eq!(
            ask(admin, &format!("GET {page}"), "host: localhost\r\n").await,
            200,
            "{page}"
        );
    }
    for request in [
        "GET /config",
        "GET /credentials",
        "GET /loglevel",
        "GET /quitquitquit",
        "GET /",
    ] {
        assert_eq!(ask(metrics, request, host).await, 404, "{request}");
    }
    for request in ["POST /quitquitquit", "PUT /loglevel?level=error"] {
        assert_eq!(ask(metrics, request, host).await, 405, "{request}");
    }
    assert_eq!(
        ask(admin, "GET /config", "host: localhost:9901\r\n").await,
        200
    );
    assert_eq!(ask(admin, "GET /livez", host).await, 403);
}

#[tokio::test]
async fn web_pages_and_foreign_hosts_are_refused() {
    let sidecar = start(TEXT, &keys());
    let admin = sidecar.admin().unwrap();
    let mut metrics = sidecar.metrics().unwrap();
    metrics.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    for request in [
        "GET /config",
        "PUT /loglevel?level=error",
        "POST /quitquitquit",
        "GET /metrics",
    ] {
        for headers in [
            "host: evil.example:9901\r\n",
            "host: localhost\r\norigin: http://evil.example\r\n",
            "host: localhost\r\norigin: null\r\n",
            "host: localhost\r\nsec-fetch-site: cross-site\r\n",
            "host: localhost\r\nhost: evil.example\r\n",
        ] {
            assert_eq!(
                ask(admin, request, headers).await,
                403,
                "{request} {headers}"
            );
        }
    }
    let origin = "host: localhost\r\norigin: http://evil.example\r\n";
    assert_eq!(ask(metrics, "GET /metrics", origin).await, 403);
    for headers in [
        "",
        "host: 127.0.0.1:1\r\n",
        "host: [::1]\r\n",
        "host: LocalHost\r\n",
    ] {
        assert_eq!(ask(admin, "GET /config", headers).await, 200, "{headers}");
    }
}

#[tokio::test]
async fn silent_and_unread_connections_keep_no_probe_out() {
    let sidecar = start(TEXT, &keys());
    let admin = sidecar.admin().unwrap();
    let mut held = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        if number % 2 == 0 {
            // Asks, and does not read.
            let _ = stream
                .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await;
        }
        held.push(stream);
    }
    let began = tokio::time::Instant::now();
    assert_eq!(ask(admin, "GET /livez", "host: localhost\r\n").await, 200);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    // A head that does not end, and one that is too large.
    let mut slow = TcpStream::connect(admin).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let mut nothing = Vec::new();
    let began = tokio::time::Instant::now();
    let _ = timeout(PATIENCE, slow.read_to_end(&mut nothing))
        .await
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let long = format!("x: {}\r\n", "x".repeat(64 << 10));
    let mut large = TcpStream::connect(admin).await.unwrap();
    let _ = large
        .write_all(format!("GET /livez HTTP/1.1\r\n{long}\r\n").as_bytes())
        .await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, large.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
}

#[tokio::test]
async fn the_pages_may_live_on_a_socket_of_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let text = format!(
        "listen: \"127.0.0.1:0\"\nadmin: unix:{}\ntargets: {{main: {{provider: ncp}}}}\n",
        path.display()
    );
    let sidecar = start(&text, &keys());
    assert_eq!(sidecar.admin(), None);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let ask = async |headers: &str| {
        let stream = UnixStream::connect(&path).await.unwrap();
        exchange(stream, &format!("GET /config HTTP/1.1\r\n{headers}\r\n")).await
    };
    assert!(ask("host: anything\r\n").await.starts_with("HTTP/1.1 200 "));
    assert!(
        ask("host: x\r\norigin: http://evil.example\r\n")
            .await
            .starts_with("HTTP/1.1 403 ")
    );
    let file = directory.path().join("faas.yaml");
    std::fs::write(&file, &text).unwrap();
    let compared = tokio::process::Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
        .args(["check", "--config", file.to_str().unwrap(), "--diff"])
        .arg(format!("unix:{}", path.display()))
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(told.contains("nothing differs"), "{told} {compared:?}");
    assert!(sidecar.drain().await);
    assert!(!path.exists(), "the file goes with the process");
}
