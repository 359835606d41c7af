//! Signature, lock, tokens, rights, routes, sizes, the recorder.

use std::time::Duration;

use faas_emulator::functiongraph::{Access, DEFAULT_PROJECT_ID, KeyPair, Limits, Options, Project};
use serde_json::Value;

use super::client::{Client, date, functions};

const FAILED: &str = "Incorrect IAM authentication information: ";

#[tokio::test]
async fn takes_raw_and_encoded_urns_under_one_signature() {
    let client = Client::new().await;
    client.deploy("f", "exports.handler = async () => 1").await;
    let urn = format!("urn:fss:cn-north-4:{DEFAULT_PROJECT_ID}:function:default:f:latest");
    for slot in [
        urn.clone(),
        urn.replace(':', "%3A"),
        "default:f".into(),
        "f".into(),
    ] {
        let config = client.get_of(&slot, "config").await.ok();
        assert_eq!(config["func_urn"], urn, "{slot}");
    }
    client
        .get_of(&format!("{DEFAULT_PROJECT_ID}:default:f:!x"), "config")
        .await
        .failed(404, "FSS.1053");
}

#[tokio::test]
async fn refuses_wrong_signatures_and_says_what_was_to_be_signed() {
    let client = Client::new().await;
    let other = |change: &dyn Fn(String) -> String| {
        let draft = client.draft("GET", &functions(), "");
        change(client.head(&draft))
    };
    let answer = client
        .plain(
            &other(&|head| head.replace("/functions", "/functions?x=1")),
            b"",
        )
        .await;
    assert_eq!(
        answer.failed(401, "APIGW.0301"),
        format!("{FAILED}verify aksk signature fail")
    );
    assert!(answer.header("x-request-id").is_some());
    let reason = answer.header("x-emulator-reason").unwrap();
    assert!(
        reason.contains("|x=1|content-type:application/json|host:localhost|"),
        "{reason}"
    );
    assert!(!answer.head.contains(&client.secret_key));
    client.get(&functions()).await.ok();
    let unsigned = client
        .plain(
            "GET /v2/p/fgs/functions HTTP/1.1\r\nHost: localhost\r\n",
            b"",
        )
        .await;
    assert_eq!(
        unsigned.failed(401, "APIGW.0301"),
        format!("{FAILED}x-auth-token not found")
    );
    let unknown = other(&|head| head.replace(&client.access_key, "NOBODY"));
    let answer = client.plain(&unknown, b"").await;
    assert!(answer.failed(401, "APIGW.0301").contains("ak not exist"));
    for (from, to, why) in [
        (
            "SDK-HMAC-SHA256 Access",
            "V11-HMAC-SHA256 Credential",
            "only SDK-HMAC-SHA256",
        ),
        (
            "x-sdk-date,",
            "x-project-id,",
            "not among the signed headers",
        ),
        ("Signature=", "Sig=", "Signature is missing"),
        ("x-project-id: ", "x-other: ", "was not received"),
    ] {
        let answer = client
            .plain(&other(&|head| head.replace(from, to)), b"")
            .await;
        answer.failed(401, "APIGW.0301");
        let reason = answer.header("x-emulator-reason").unwrap();
        assert!(reason.contains(why), "{reason}");
    }
}

#[tokio::test]
async fn the_body_is_signed_as_it_was_sent() {
    let client = Client::new().await;
    let draft = client.draft("DELETE", &format!("{}/f", functions()), "");
    client.send(&draft).await.failed(404, "FSS.1051");
    // "DELETE with a body of {}: hash mismatch, 401."
    let head = client
        .head(&draft)
        .replace("Content-Length: 0", "Content-Length: 2");
    client.plain(&head, b"{}").await.failed(401, "APIGW.0301");
}

#[tokio::test]
async fn the_window_is_fifteen_minutes() {
    let client = Client::new().await;
    let now = client.emulator.clock().now_ms();
    let at = |ms: i64| {
        let mut draft = client.draft("GET", &functions(), "");
        draft.date_ms = now + ms;
        draft
    };
    for ms in [-890_000, 890_000] {
        client.send(&at(ms)).await.ok();
    }
    for ms in [-905_000, 905_000] {
        let why = client.send(&at(ms)).await.failed(401, "APIGW.0301");
        assert!(why.contains("signature expired, signature time:"), "{why}");
        assert!(
            why.contains(&date(now + ms)) && why.contains("server time:"),
            "{why}"
        );
    }
    client.emulator.clock().advance(Duration::from_secs(1000));
    assert!(
        client
            .send(&at(0))
            .await
            .failed(401, "APIGW.0301")
            .contains("expired")
    );
}

#[tokio::test]
async fn five_bad_signatures_in_a_row_lock_the_key() {
    let mut client = Client::new().await;
    let wrong = "wrong".to_owned();
    let right = std::mem::replace(&mut client.secret_key, wrong.clone());
    for _ in 0..4 {
        assert!(
            client
                .get(&functions())
                .await
                .failed(401, "APIGW.0301")
                .contains("verify aksk")
        );
    }
    client.secret_key.clone_from(&right);
    client.get(&functions()).await.ok();
    client.secret_key = wrong;
    for _ in 0..5 {
        assert!(
            client
                .get(&functions())
                .await
                .failed(401, "APIGW.0301")
                .contains("verify aksk")
        );
    }
    client.secret_key = right;
    let why = client.get(&functions()).await.failed(401, "APIGW.0301");
    assert_eq!(
        why,
        format!("{FAILED}AK access failed to reach the limit, forbidden.")
    );
    client.emulator.clock().advance(Duration::from_secs(299));
    client.get(&functions()).await.failed(401, "APIGW.0301");
    client.emulator.clock().advance(Duration::from_secs(2));
    client.get(&functions()).await.ok();
}

#[tokio::test]
async fn a_temporary_key_needs_its_token() {
    let mut key = KeyPair::random().temporary("session+/==");
    key.expires_at_ms = Some(i64::MAX);
    let client = Client::with(Options {
        keys: vec![key.clone()],
        ..Options::default()
    })
    .await;
    client.get(&functions()).await.failed(401, "APIGW.0301");
    let mut draft = client.draft("GET", &functions(), "");
    let head = client.head(&draft);
    draft
        .headers
        .push(("x-security-token".into(), "session+/==".into()));
    client.send(&draft).await.ok();
    let answer = client
        .plain(&format!("{head}X-Security-Token: session+/==\r\n"), b"")
        .await;
    answer.failed(401, "APIGW.0301");
    assert!(
        answer
            .header("x-emulator-reason")
            .unwrap()
            .contains("not among the signed")
    );
    draft.headers.retain(|(name, _)| name != "x-security-token");
    draft
        .headers
        .push(("x-security-token".into(), "other".into()));
    client.send(&draft).await.failed(401, "APIGW.0301");
    key.expires_at_ms = Some(1);
    let client = Client::with(Options {
        keys: vec![key],
        ..Options::default()
    })
    .await;
    let mut draft = client.draft("GET", &functions(), "");
    draft
        .headers
        .push(("x-security-token".into(), "session+/==".into()));
    assert!(
        client
            .send(&draft)
            .await
            .failed(401, "APIGW.0301")
            .contains("token expires")
    );
}

#[tokio::test]
async fn rights_and_projects() {
    let with = |access| {
        let mut key = KeyPair::random();
        key.access = access;
        let other = Project::new("11111111111111111111111111111111", "cn-east-3");
        let projects = vec![Project::new(DEFAULT_PROJECT_ID, "cn-north-4"), other];
        Client::with(Options {
            keys: vec![key],
            projects,
            ..Options::default()
        })
    };
    let reader = with(Access::ReadOnly).await;
    reader.get(&functions()).await.ok();
    reader.delete_of("f", "").await.failed(403, "FSS.1126");
    reader.get_of("f", "versions").await.failed(404, "FSS.1051");
    with(Access::None)
        .await
        .get(&functions())
        .await
        .failed(403, "APIGW.0302");
    let full = with(Access::Full).await;
    let ask = async |path: &str, header: &str| {
        let mut draft = full.draft("GET", &format!("/v2/{path}/fgs/functions"), "");
        draft.headers[1].1 = header.into();
        full.send(&draft).await
    };
    let other = "11111111111111111111111111111111";
    ask(other, other).await.ok();
    ask(other, DEFAULT_PROJECT_ID).await.failed(403, "FSS.0403");
    ask("x", "x").await.failed(403, "FSS.0403");
}

#[tokio::test]
async fn unknown_apis_and_wrong_urns() {
    let client = Client::new().await;
    for path in [
        "/",
        "/v2",
        "/v2/p/fgs/nothing",
        "/v2/p/fgs/functions/f/nothing",
        "/v1/p/fgs/functions",
    ] {
        let answer = client.get(path).await;
        let why = answer.failed(404, "APIGW.0101");
        assert!(why.starts_with("The API does not exist"), "{why}");
        assert!(answer.header("x-emulator-reason").unwrap().contains(path));
    }
    client
        .get_of("a:b:c:d:e", "config")
        .await
        .failed(400, "FSS.0400");
    client
        .get_of(
            &format!("urn:fss:cn-south-1:{DEFAULT_PROJECT_ID}:function:default:f"),
            "config",
        )
        .await
        .failed(404, "FSS.1051");
}

#[tokio::test]
async fn sizes_and_types() {
    let limits = Limits {
        gateway_body: 1000,
        ..Limits::default()
    };
    let client = Client::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    client
        .send(&client.draft("POST", &functions(), vec![b' '; 1001]))
        .await
        .failed(413, "APIGW.0201");
    client
        .get(&format!("{}?x={}", functions(), "a".repeat(33 << 10)))
        .await
        .failed(414, "APIGW.0201");
    let head = client.head(&client.draft("GET", &functions(), ""));
    let long = format!("{head}X-Long: {}\r\n", "a".repeat(33 << 10));
    client.plain(&long, b"").await.failed(494, "APIGW.0201");
    let mut draft = client.draft("POST", &functions(), "{}");
    draft.headers[0].1 = "text/plain".into();
    client.send(&draft).await.failed(400, "FSS.0400");
    for body in ["", "[]", "nonsense"] {
        client
            .send(&client.draft("POST", &functions(), body))
            .await
            .failed(400, "FSS.0400");
    }
}

#[tokio::test]
async fn requests_are_recorded_in_memory_and_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let record_file = directory.path().join("requests.jsonl");
    let client = Client::with(Options {
        record_file: Some(record_file.clone()),
        ..Options::default()
    })
    .await;
    let target = format!("{}/default:f/config?a=%20", functions());
    client.get(&target).await;
    client.post(&functions(), "{}".parse().unwrap()).await;
    let recorded = client.emulator.requests();
    assert_eq!(
        (recorded[0].target.as_str(), recorded[0].status),
        (target.as_str(), Some(404))
    );
    let text = std::fs::read_to_string(record_file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["target"], &lines[0]["method"]),
        (&target.into(), &"GET".into())
    );
    assert_eq!(lines[1]["body"], "e30=");
    let names: Vec<_> = lines[0]["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair[0].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "content-type",
            "host",
            "x-project-id",
            "x-sdk-date",
            "Authorization",
            "Content-Length",
            "Connection"
        ]
    );
}
