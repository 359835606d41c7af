//! The subnet of an ncp action: its own, or the target's, or a sentence that says where the numbers
//! are.

use faas_sidecar::env::Env;
use faas_sidecar::proto::action_service_client::ActionServiceClient;
use faas_sidecar::proto::*;
use tonic::Code;

use crate::bench::Cloud;
use crate::operations::action;
use crate::support::answer::content;
use crate::support::bench::{connect, start};
use crate::support::details::{Told, bare};
use crate::support::upstream::{ACCESS_KEY, SECRET_KEY, Upstream};

/// Puts an action under these settings; the `vpc` that the cloud gets.
async fn put(settings: &str, platform: Platform, vpc: Vec<Vpc>) -> Result<serde_json::Value, Told> {
    let upstream = Upstream::start().await;
    upstream.push(content(r#"{"name":"hello"}"#));
    let text = format!(
        "listen: \"127.0.0.1:0\"\ntargets:\n  t: {{ provider: ncp, base_url: \"{}\"{settings} }}\n",
        upstream.url()
    );
    let keys = Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
    ]);
    let sidecar = start(&text, &keys);
    let request = PutActionRequest {
        action_name: "hello".to_owned(),
        platform: platform.into(),
        action: Some(Action {
            vpc,
            ..action(Cloud::Ncp21)
        }),
        ..PutActionRequest::default()
    };
    let answer = ActionServiceClient::new(connect(&sidecar))
        .put_action(request)
        .await;
    answer.map_err(|status| bare(&status))?;
    Ok(upstream.only().json()["vpc"].clone())
}

#[tokio::test]
async fn the_targets_subnet_stands_for_an_absent_one() {
    let default = ", vpc: { vpc_no: 7, subnet_no: 8 }";
    let own = vec![Vpc {
        vpc_no: 1,
        subnet_no: 2,
    }];
    let json = |vpc: i64, subnet: i64| serde_json::json!({"vpcNo": vpc, "subnetNo": subnet});
    let unspecified = Platform::Unspecified;
    assert_eq!(
        put(default, unspecified, vec![]).await.unwrap(),
        serde_json::json!([json(7, 8)])
    );
    assert_eq!(
        put(default, unspecified, own).await.unwrap(),
        serde_json::json!([json(1, 2)])
    );
    let old = format!("{default}, api_version: \"2.0\", platform: vpc");
    assert_eq!(put(&old, unspecified, vec![]).await.unwrap(), json(7, 8));
    // Classic has no subnets.
    let none = put(default, Platform::Classic, vec![]).await.unwrap();
    assert_eq!(none, serde_json::Value::Null);
}

#[tokio::test]
async fn without_a_subnet_the_caller_is_told_of_the_key_and_the_console() {
    let told = put("", Platform::Unspecified, vec![]).await.unwrap_err();
    assert_eq!(
        (told.code, told.fields.as_slice()),
        (Code::InvalidArgument, &["action.vpc".to_owned()][..])
    );
    for words in ["targets.*.vpc", "Subnet Management"] {
        assert!(told.message.contains(words), "{}", told.message);
    }
}
