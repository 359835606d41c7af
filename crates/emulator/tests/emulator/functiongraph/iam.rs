//! Tokens by password and by agency, projects, and FunctionGraph with a token instead of a
//! signature.

use std::time::Duration;

use faas_emulator::functiongraph::{
    Access, Agency, DEFAULT_DOMAIN, DEFAULT_PROJECT_ID, DEFAULT_USER, Options, User,
};
use serde_json::{Value, json};

use super::client::{Client, functions};
use crate::client::Answer;

fn password(user: &str, password: &str, domain: &str, scope: Value) -> Value {
    let user = json!({"name": user, "password": password, "domain": {"name": domain}});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let mut body = json!({"auth": {"identity": identity}});
    body["auth"]["scope"] = scope;
    body
}

fn project() -> Value {
    json!({"project": {"name": "cn-north-4"}})
}

async fn ask(client: &Client, body: &Value, extra: &str) -> Answer {
    let body = body.to_string();
    let head = format!(
        "POST /v3/auth/tokens?nocatalog=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json;charset=utf8\r\n\
         {extra}Content-Length: {}\r\n",
        body.len()
    );
    client.plain(&head, body.as_bytes()).await
}

async fn token(client: &Client, body: &Value) -> String {
    let answer = ask(client, body, "").await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.header("x-subject-token").unwrap().to_owned()
}

async fn list(client: &Client, token: &str) -> Answer {
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {token}\r\n",
        functions()
    );
    client.plain(&head, b"").await
}

fn failed(answer: &Answer, status: u16) -> String {
    let body = answer.json();
    assert_eq!(
        (answer.status, &body["error"]["code"]),
        (status, &status.into()),
        "{body}"
    );
    assert!(body["error"]["title"].is_string());
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_password_gives_a_token_for_a_project() {
    let client = Client::new().await;
    let answer = ask(
        &client,
        &password(DEFAULT_USER, &client.password, DEFAULT_DOMAIN, project()),
        "",
    )
    .await;
    let told = &answer.ok()["token"];
    assert_eq!(told["project"]["id"], DEFAULT_PROJECT_ID);
    assert_eq!(
        (&told["user"]["name"], &told["methods"]),
        (&DEFAULT_USER.into(), &json!(["password"]))
    );
    assert!(
        told["expires_at"].as_str().unwrap().ends_with("000Z") && told.get("catalog").is_none()
    );
    let text = answer.header("x-subject-token").unwrap();
    assert!(text.len() > 2000);
    list(&client, text).await.ok();
    client
        .emulator
        .clock()
        .advance(Duration::from_secs(24 * 3600));
    assert_eq!(
        list(&client, text).await.failed(401, "APIGW.0307"),
        "The token must be updated."
    );
    let why = list(&client, "MIInvented").await.failed(401, "APIGW.0301");
    assert!(why.ends_with("decrypt token fail"), "{why}");
}

#[tokio::test]
async fn scopes() {
    let client = Client::new().await;
    let with = |scope| password(DEFAULT_USER, &client.password, DEFAULT_DOMAIN, scope);
    for scope in [
        json!({"project": {"id": DEFAULT_PROJECT_ID}}),
        json!({"project": {"name": "cn-north-4"}, "domain": {"name": "x"}}),
    ] {
        list(&client, &token(&client, &with(scope)).await)
            .await
            .ok();
    }
    let account = token(&client, &with(json!({"domain": {"name": DEFAULT_DOMAIN}}))).await;
    list(&client, &account).await.failed(403, "APIGW.0302");
    failed(
        &ask(&client, &with(json!({"project": {"name": "mars"}})), "").await,
        401,
    );
    failed(&ask(&client, &with(json!({"project": {}})), "").await, 400);
}

#[tokio::test]
async fn wrong_logins() {
    let client = Client::new().await;
    for (user, secret, domain) in [
        ("nobody", client.password.as_str(), DEFAULT_DOMAIN),
        (DEFAULT_USER, "wrong", DEFAULT_DOMAIN),
        (DEFAULT_USER, &client.password, "elsewhere"),
    ] {
        let why = failed(
            &ask(&client, &password(user, secret, domain, project()), "").await,
            401,
        );
        assert_eq!(why, "The username or password is wrong.");
    }
    for body in [
        json!({}),
        json!([]),
        json!({"auth": {"identity": {"methods": ["totp"]}}}),
        json!({"auth": {"identity": {"methods": ["password"]}}}),
    ] {
        failed(&ask(&client, &body, "").await, 400);
    }
}

#[tokio::test]
async fn an_agency_is_assumed_with_a_token_of_the_trusted_account() {
    let mut stranger = User::new("third", "c", "pw-c");
    stranger.access = Access::ReadOnly;
    let client = Client::with(Options {
        users: vec![User::new("delegated", "b", "pw-b"), stranger],
        agencies: vec![Agency {
            name: "ops".into(),
            trusted_domain: "delegated".into(),
        }],
        ..Options::default()
    })
    .await;
    let role = |name: &str| {
        json!({"auth": {
            "identity": {"methods": ["assume_role"], "assume_role": {"domain_name": DEFAULT_DOMAIN, "agency_name": name}},
            "scope": project(),
        }})
    };
    failed(&ask(&client, &role("ops"), "").await, 401);
    let own = token(&client, &password("b", "pw-b", "delegated", json!({}))).await;
    let header = format!("X-Auth-Token: {own}\r\n");
    let answer = ask(&client, &role("ops"), &header).await;
    answer.ok();
    list(&client, answer.header("x-subject-token").unwrap())
        .await
        .ok();
    failed(&ask(&client, &role("other"), &header).await, 403);
    let third = token(&client, &password("c", "pw-c", "third", json!({}))).await;
    failed(
        &ask(&client, &role("ops"), &format!("X-Auth-Token: {third}\r\n")).await,
        403,
    );
}

#[tokio::test]
async fn projects_and_accounts_are_found_with_a_signature() {
    let client = Client::new().await;
    let found = client.get("/v3/projects?name=cn-north-4").await.ok();
    assert_eq!(found["projects"][0]["id"], DEFAULT_PROJECT_ID);
    assert_eq!(
        client.get("/v3/projects?name=mars").await.ok()["projects"],
        json!([])
    );
    assert_eq!(
        client.get("/v3/auth/domains").await.ok()["domains"][0]["name"],
        DEFAULT_DOMAIN
    );
    let unsigned = client
        .plain("GET /v3/projects HTTP/1.1\r\nHost: localhost\r\n", b"")
        .await;
    unsigned.failed(401, "APIGW.0301");
}
