//! Signature, rights, routes, platforms, the recorder.

use faas_emulator::ncp::{Access, KeyPair, Options, Site};
use serde_json::json;

use crate::client::{Client, NEW, OLD, parse};

const LIST: &str = "/ncf/api/v2/packages";

#[tokio::test]
async fn the_envelope_of_a_refused_signature_is_exact() {
    let client = Client::new().await;
    let answer = client
        .raw(
            format!("GET {LIST} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await;
    let answer = parse(&answer.unwrap());
    assert_eq!(answer.status, 401);
    let details = "Invalid authentication information.";
    let envelope = json!({"error": {"errorCode": "200", "message": "Authentication Failed", "details": details}});
    assert_eq!(answer.json(), envelope);
    assert!(
        answer.head.contains("x-ncp-apigw-request-id: "),
        "{}",
        answer.head
    );
    assert!(
        answer
            .head
            .contains("x-emulator-reason: the header x-ncp-apigw-timestamp is missing")
    );
}

#[tokio::test]
async fn every_wrong_signature_is_refused() {
    let client = Client::new().await;
    let send = async |method: &str, target: &str, timestamp: &str, signature: &str| {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-NCP-APIGW-TIMESTAMP: {timestamp}\r\nx-ncp-iam-access-key: {}\r\n\
             x-ncp-apigw-signature-v2: {signature}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
            client.access_key
        );
        parse(&client.raw(request.as_bytes()).await.unwrap())
    };
    let now = client.emulator.clock().now_ms();
    let at = |ms: i64| (now + ms).to_string();
    let target = format!("{LIST}?platform=vpc");
    let good = client.sign("GET", &target, &at(0));
    assert_eq!(send("GET", &target, &at(0), &good).await.status, 200);
    // Another method, target, query order, timestamp; hexadecimal; not base64.
    let hexadecimal = "ab".repeat(32);
    for (target, timestamp, signature) in [
        (target.as_str(), at(0), client.sign("get", &target, &at(0))),
        (target.as_str(), at(0), client.sign("GET", LIST, &at(0))),
        (target.as_str(), at(1), good.clone()),
        (LIST, at(0), good.clone()),
        (target.as_str(), at(0), hexadecimal),
        (target.as_str(), at(0), "not base64!".into()),
    ] {
        send("GET", target, &timestamp, &signature)
            .await
            .refused(401, "200");
    }
    // Seconds, a date, too old, too new.
    let seconds = (now / 1000).to_string();
    for timestamp in [
        seconds,
        "2026-01-01T00:00:00Z".into(),
        at(-300_500),
        at(300_500),
    ] {
        let signature = client.sign("GET", &target, &timestamp);
        send("GET", &target, &timestamp, &signature)
            .await
            .refused(401, "200");
    }
    for timestamp in [at(-290_000), at(290_000)] {
        let signature = client.sign("GET", &target, &timestamp);
        assert_eq!(
            send("GET", &target, &timestamp, &signature).await.status,
            200
        );
    }
}

#[tokio::test]
async fn an_unknown_key_and_a_moved_clock_are_refused() {
    let mut client = Client::new().await;
    client.access_key = "somebody".into();
    client.get(LIST).await.refused(401, "200");
    let ahead = Client::with(Options {
        clock_offset_ms: 600_000,
        ..Options::default()
    })
    .await;
    ahead.get(LIST).await.content();
    let here = faas_emulator::clock::Clock::default();
    assert!(ahead.emulator.clock().now_ms() - here.now_ms() > 590_000);
}

#[tokio::test]
async fn rights_of_keys() {
    let keys = [
        ("manager", Access::Manager),
        ("viewer", Access::Viewer),
        ("nobody", Access::Denied),
    ];
    let keys = keys.map(|(name, access)| KeyPair {
        access,
        ..KeyPair::new(name, "비밀키")
    });
    let mut client = Client::with(Options {
        keys: keys.to_vec(),
        ..Options::default()
    })
    .await;
    client.secret_key = "비밀키".into();
    client.access_key = "manager".into();
    client
        .put(&format!("{NEW}/packages/p"), json!({}))
        .await
        .content();
    client.access_key = "viewer".into();
    client.get(LIST).await.content();
    client
        .put(&format!("{NEW}/packages/p"), json!({}))
        .await
        .refused(403, "80002");
    client.access_key = "nobody".into();
    client.get(LIST).await.refused(401, "210");
}

#[tokio::test]
async fn content_type_and_encoding_are_checked() {
    let client = Client::new().await;
    for (change, to) in [
        ("Content-Type: application/json\r\n", ""),
        ("application/json", "text/plain"),
        ("application/json", "application/json; charset=euc-kr"),
    ] {
        let head = client.head("GET", LIST, b"").replace(change, to);
        let answer = client
            .raw(format!("{head}Connection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        parse(&answer).refused(400, "100");
    }
    let head = client
        .head("GET", LIST, b"")
        .replace("application/json", "application/json; charset=UTF-8");
    let answer = client
        .raw(format!("{head}Connection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(parse(&answer).status, 200);
    let target = format!("{NEW}/packages/p");
    let mut bytes = client.head("PUT", &target, b"\"\xff\"").into_bytes();
    bytes.extend_from_slice(b"Connection: close\r\n\r\n\"\xff\"");
    parse(&client.raw(&bytes).await.unwrap()).refused(400, "100");
}

#[tokio::test]
async fn unknown_routes() {
    let client = Client::new().await;
    for (method, target) in [
        ("GET", "/activations"),
        ("GET", "/"),
        ("PATCH", "/ncf/api/v2/packages/p"),
        ("GET", "/ncf/api/v2/packages/"),
        ("GET", "/ncf/api/v3/packages"),
        ("GET", "/ncf/api/v2/triggers/t/link-action"),
    ] {
        client.send(method, target, "").await.refused(404, "300");
    }
}

#[tokio::test]
async fn platforms_of_korea() {
    let client = Client::new().await;
    client
        .put(&format!("{NEW}/packages/new"), json!({}))
        .await
        .content();
    client
        .put(&format!("{OLD}/packages/old"), json!({}))
        .await
        .content();
    let platform = async |target: &str| client.get(target).await.content()["platform"].clone();
    assert_eq!(platform("/ncf/api/v2/packages/new").await, "vpc");
    assert_eq!(platform("/api/v2/packages/old").await, "classic");
    assert_eq!(
        platform("/ncf/api/v2/packages/old?platform=classic").await,
        "classic"
    );
    client
        .get("/api/v2/packages/new")
        .await
        .refused(400, "80102");
    client
        .get("/ncf/api/v2/packages/old")
        .await
        .refused(400, "80102");
    client
        .delete("/ncf/api/v2/packages/old")
        .await
        .refused(400, "80102");
    client
        .put("/ncf/api/v2/packages/old", json!({}))
        .await
        .refused(400, "80102");
    client
        .get("/ncf/api/v2/packages?platform=VPC")
        .await
        .refused(400, "80102");
    client
        .get("/ncf/api/v2/packages/-/actions?platform=x")
        .await
        .refused(400, "80302");
    client
        .get("/ncf/api/v2/triggers?platform=x")
        .await
        .refused(400, "80502");
    client
        .get("/ncf/api/v2/activations?platform=x")
        .await
        .refused(400, "80000");
    client.deploy("a", "function main() { return {} }").await;
    client
        .get("/api/v2/packages/-/actions/a")
        .await
        .refused(400, "80302");
    client
        .post("/api/v2/packages/-/actions/a", json!({}))
        .await
        .refused(400, "80302");
    client
        .put(
            "/ncf/api/v2/triggers/t?type=cron",
            json!({"cronOption": "0 0 1 1 *"}),
        )
        .await
        .content();
    client.get("/api/v2/triggers/t").await.refused(400, "80502");
    client
        .get("/ncf/api/v2/triggers/t?platform=classic")
        .await
        .refused(400, "80502");
}

#[tokio::test]
async fn platforms_of_other_sites() {
    for site in [Site::Singapore, Site::Japan] {
        let client = Client::with(Options {
            site,
            ..Options::default()
        })
        .await;
        client.put("/api/v2/packages/p", json!({})).await.content();
        client.get("/ncf/api/v2/packages/p").await.content();
        client
            .get("/ncf/api/v2/packages?platform=classic")
            .await
            .refused(400, "80102");
    }
    let fin = Client::with(Options {
        site: Site::Financial,
        ..Options::default()
    })
    .await;
    fin.put("/ncf/api/v2/packages/p", json!({})).await.content();
    fin.get("/ncf/api/v2/packages?platform=vpc")
        .await
        .refused(400, "80102");
    fin.get("/api/v2/packages").await.refused(404, "300");
    let gov = Client::with(Options {
        site: Site::Government,
        ..Options::default()
    })
    .await;
    gov.put("/api/v2/packages/p", json!({})).await.content();
    let shown = gov.get("/api/v2/packages/p").await.content();
    assert!(shown.get("platform").is_none(), "{shown}");
    gov.get("/ncf/api/v2/packages").await.refused(404, "300");
    gov.get("/api/v2/packages?platform=classic")
        .await
        .refused(400, "80102");
}

#[tokio::test]
async fn the_recorder_keeps_requests_as_received() {
    let client = Client::new().await;
    let target = "/ncf/api/v2/packages/%ed%95%a8?b=2&a=%3A&c=함";
    let head = client
        .head("PUT", target, b"{}")
        .replace("Host:", "X-First: 1\r\nhOsT:");
    client
        .raw(format!("{head}Connection: close\r\n\r\n{{}}").as_bytes())
        .await
        .unwrap();
    let recorded = client.emulator.requests();
    assert_eq!(recorded.len(), 1);
    let request = &recorded[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("PUT", target)
    );
    assert_eq!((&request.body[..], request.status), (&b"{}"[..], Some(400)));
    assert_eq!(request.headers[0], ("X-First".to_owned(), "1".to_owned()));
    assert_eq!(request.headers[1].0, "hOsT");
    assert!((client.emulator.clock().now_ms() - request.time_ms).abs() < 5000);
    client.emulator.clear_requests();
    assert!(client.emulator.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let client = Client::new().await;
    client.deploy("a", "function main() { return {} }").await;
    let params = json!({"x": "y".repeat(1 << 20)});
    client
        .post("/ncf/api/v2/packages/-/actions/a", params)
        .await
        .refused(413, "430");
    let huge = "x".repeat(99 << 20);
    client
        .send("PUT", "/ncf/api/v2/packages/p", &huge)
        .await
        .refused(413, "430");
}

#[tokio::test]
async fn connections_are_kept_and_end_with_the_server() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let client = Client::new().await;
    let mut stream = tokio::net::TcpStream::connect(client.emulator.addr())
        .await
        .unwrap();
    for _ in 0..2 {
        let head = client.head("GET", LIST, b"");
        stream
            .write_all(format!("{head}\r\n").as_bytes())
            .await
            .unwrap();
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        assert_eq!(parse(&part[..read]).status, 200);
    }
    assert_eq!(
        client.emulator.base_url(),
        format!("http://{}", client.emulator.addr())
    );
    let addr = client.emulator.addr();
    client.emulator.shutdown().await;
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}
