//! What goes wrong on purpose, as a client sees it on the wire.

use std::io::ErrorKind;
use std::time::Duration;

use faas_emulator::ncp::Options;
use faas_emulator::{Fault, FaultPlan};
use serde_json::json;
use tokio::time::Instant;

use crate::client::{Client, NEW};

const LIST: &str = "/ncf/api/v2/packages";

async fn with(plans: &[&str]) -> Client {
    let faults = plans.iter().map(|plan| plan.parse().unwrap()).collect();
    Client::with(Options {
        faults,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn statuses_and_codes() {
    let client = with(&["status=503,count=1"]).await;
    client.get(LIST).await.refused(503, "500");
    client.get(LIST).await.content();
    let faults = client.emulator.faults();
    faults.add("status=429,retry-after=2,count=1".parse().unwrap());
    let limited = client.get(LIST).await;
    limited.refused(429, "420");
    assert!(limited.head.contains("retry-after: 2"), "{}", limited.head);
    faults.add("status=429,count=1".parse().unwrap());
    assert!(!client.get(LIST).await.head.contains("retry-after"));
    faults.set(vec!["code=80031,method=PUT".parse().unwrap()]);
    client.get(LIST).await.content();
    let again = client.put(&format!("{LIST}/p"), json!({})).await;
    again.refused(400, "80031");
    assert!(
        again.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("<strong>")
    );
    client.get(&format!("{LIST}/p")).await.refused(404, "80101");
    faults.clear();
    faults.add("code=81313,path=/actions/,count=1".parse().unwrap());
    client.get(LIST).await.content();
    client
        .get(&format!("{LIST}/-/actions/x"))
        .await
        .refused(500, "81313");
    faults.add("status=400,count=1,body=no, really".parse().unwrap());
    assert_eq!(client.get(LIST).await.body, b"no, really");
    assert!(faults.plans().is_empty());
}

#[tokio::test]
async fn pages_and_redirects() {
    let client = with(&["html=502,count=1", "redirect=https://example.com/,count=1"]).await;
    let page = client.get(LIST).await;
    assert_eq!(page.status, 502);
    assert!(page.head.contains("text/html") && page.body.starts_with(b"<html>"));
    let away = client.get(LIST).await;
    assert_eq!(away.status, 302);
    assert!(away.head.contains("location: https://example.com/"));
    client.get(LIST).await.content();
}

#[tokio::test]
async fn latency() {
    let client = with(&["latency=80ms", "latency=80ms"]).await;
    let began = Instant::now();
    client.get(LIST).await.content();
    assert!(began.elapsed() >= Duration::from_millis(160));
}

#[tokio::test]
async fn resets_before_and_after_the_work() {
    let client = with(&["reset,count=1", "reset=after,count=1,method=PUT"]).await;
    let error = client.try_send("GET", LIST, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let recorded = client.emulator.requests();
    assert_eq!((recorded.len(), recorded[0].status), (1, None));
    let error = client
        .try_send("PUT", &format!("{LIST}/p"), "{}")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    client.get(&format!("{LIST}/p")).await.content();
}

#[tokio::test]
async fn cut_bodies() {
    let client = with(&["cut=5,count=1"]).await;
    let cut = client.get(LIST).await;
    assert_eq!((cut.status, &cut.body[..]), (200, &b"{\"con"[..]));
    assert!(cut.head.contains("content-length: 14"), "{}", cut.head);
}

#[tokio::test]
async fn silence() {
    let client = with(&[
        "silence,count=1,method=PUT",
        "silence=after,count=1,method=PUT",
    ])
    .await;
    let target = format!("{LIST}/p");
    for expected in [404, 200] {
        let put = client.try_send("PUT", &target, "{}");
        assert!(
            tokio::time::timeout(Duration::from_millis(400), put)
                .await
                .is_err(),
            "an answer came"
        );
        assert_eq!(client.get(&target).await.status, expected);
    }
}

#[tokio::test]
async fn plans_are_values_too() {
    let client = Client::new().await;
    client.emulator.faults().add(FaultPlan {
        path: Some(format!("{NEW}/triggers")),
        ..FaultPlan::next(1, Fault::Html(504))
    });
    client.get(LIST).await.content();
    assert_eq!(client.get(&format!("{NEW}/triggers")).await.status, 504);
}
