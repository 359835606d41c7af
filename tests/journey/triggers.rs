//! Triggers: put, link, fire, read back.

use crate::action_service_client::ActionServiceClient;
use crate::invocation_service_client::InvocationServiceClient;
use crate::trigger_service_client::TriggerServiceClient;
use crate::*;

fn cron(name: &str, option: &str) -> PutTriggerRequest {
    PutTriggerRequest {
        trigger_name: name.to_owned(),
        trigger: Some(Trigger {
            description: "nightly clean-up".to_owned(),
            parameters: text(r#"{"job": "clean"}"#),
            source: Some(trigger::Source::Cron(CronSource {
                cron_option: option.to_owned(),
            })),
            ..Trigger::default()
        }),
        ..PutTriggerRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_runs_its_linked_action() {
    for target in [
        "  kr: {provider: ncp}",
        "  kr: {provider: ncp, api_version: \"2.0\", platform: vpc}",
    ] {
        let house = House::open(target, Options::default).await;
        let mut actions = ActionServiceClient::new(house.channel.clone());
        let mut triggers = TriggerServiceClient::new(house.channel.clone());
        let mut runs = InvocationServiceClient::new(house.channel.clone());
        actions
            .put_action(put(
                "",
                "clean",
                javascript("function main(p) { return p; }"),
            ))
            .await
            .unwrap();

        triggers
            .put_trigger(cron("nightly", "0 3 * * *"))
            .await
            .unwrap();
        let unlinked = triggers
            .fire_trigger(FireTriggerRequest {
                trigger_name: "nightly".to_owned(),
                ..FireTriggerRequest::default()
            })
            .await
            .unwrap_err();
        assert_eq!(unlinked.code(), tonic::Code::FailedPrecondition);

        let link = LinkActionRequest {
            trigger_name: "nightly".to_owned(),
            action_name: "clean".to_owned(),
            ..LinkActionRequest::default()
        };
        triggers.link_action(link.clone()).await.unwrap();
        assert_eq!(
            triggers.link_action(link).await.unwrap_err().code(),
            tonic::Code::AlreadyExists
        );

        let got = triggers
            .get_trigger(GetTriggerRequest {
                trigger_name: "nightly".to_owned(),
                ..GetTriggerRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .trigger
            .unwrap();
        assert_eq!(got.type_text, "cron");
        assert_eq!(
            got.source,
            Some(trigger::Source::Cron(CronSource {
                cron_option: "0 3 * * *".to_owned()
            }))
        );
        assert_eq!(got.actions[0].action_name, "clean");

        let fired = triggers
            .fire_trigger(FireTriggerRequest {
                trigger_name: "nightly".to_owned(),
                arguments: text(r#"{"when": "now"}"#),
                ..FireTriggerRequest::default()
            })
            .await
            .unwrap()
            .into_inner();
        let firing = GetTriggerActivationRequest {
            trigger_name: "nightly".to_owned(),
            activation_id: fired.activation_id,
            ..GetTriggerActivationRequest::default()
        };
        let firing = triggers
            .get_trigger_activation(firing)
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        assert!(!firing.logs.is_empty());
        let mut listed = ListActivationsResponse::default();
        for _ in 0..100 {
            let request = ListActivationsRequest {
                action_name: "clean".to_owned(),
                ..ListActivationsRequest::default()
            };
            listed = runs.list_activations(request).await.unwrap().into_inner();
            if !listed.activations.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let run = runs
            .get_activation(GetActivationRequest {
                action_name: "clean".to_owned(),
                activation_id: listed.activations[0].activation_id.clone(),
                ..GetActivationRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        assert_eq!(
            read(run.result),
            serde_json::json!({"job": "clean", "when": "now"})
        );

        triggers
            .unlink_action(UnlinkActionRequest {
                trigger_name: "nightly".to_owned(),
                action_name: "clean".to_owned(),
                ..UnlinkActionRequest::default()
            })
            .await
            .unwrap();
        triggers
            .delete_trigger(DeleteTriggerRequest {
                trigger_name: "nightly".to_owned(),
                ..DeleteTriggerRequest::default()
            })
            .await
            .unwrap();
        let none = triggers
            .list_triggers(ListTriggersRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert!(none.triggers.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_survives_the_way_there_and_back() {
    let house = House::korea().await;
    let mut triggers = TriggerServiceClient::new(house.channel.clone());
    let sources = [
        trigger::Source::Github(GithubSource {
            username: "kim".to_owned(),
            access_token: "ghp_canary".to_owned(),
            repository: "team/repo".to_owned(),
            events: vec!["push".to_owned(), "release".to_owned()],
            link: Some(ApiGatewayLink {
                product_name: "product".to_owned(),
                api_name: "api".to_owned(),
                stage_name: "v1".to_owned(),
                ..ApiGatewayLink::default()
            }),
        }),
        trigger::Source::Insight(InsightSource {
            insight_link: vec![InsightLink {
                prod_key: "460438474722512896".to_owned(),
                rule_grp_id: "7".to_owned(),
                reminder_time: Some(prost_types::Duration {
                    seconds: 600,
                    nanos: 0,
                }),
                enable_noti_when_event_close: true,
            }],
        }),
        trigger::Source::ObjectStorage(ObjectStorageSource {
            object_storage_link: vec![ObjectStorageLink {
                bucket_name: "bucket".to_owned(),
                event_rule_name: "created".to_owned(),
            }],
        }),
        trigger::Source::SourceCommit(SourceCommitSource {
            source_commit_link: vec![SourceCommitLink {
                repository_name: "repo".to_owned(),
                webhook_name: "hook".to_owned(),
                enable: Some(false),
            }],
        }),
        trigger::Source::SecretManager(SecretManagerSource {
            secret_manager_link: vec![SecretManagerLink {
                secret_name: "db".to_owned(),
            }],
        }),
    ];
    for (number, source) in sources.into_iter().enumerate() {
        let name = format!("t{number}");
        let request = PutTriggerRequest {
            trigger_name: name.clone(),
            trigger: Some(Trigger {
                source: Some(source.clone()),
                ..Trigger::default()
            }),
            ..PutTriggerRequest::default()
        };
        let made = triggers
            .put_trigger(request)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let made = made.into_inner().trigger.unwrap();
        let got = triggers
            .get_trigger(GetTriggerRequest {
                trigger_name: name.clone(),
                ..GetTriggerRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .trigger
            .unwrap();
        for trigger in [made, got] {
            let shown = format!("{:?}", prost::Message::encode_to_vec(&trigger));
            let canary = format!("{:?}", b"ghp_canary");
            assert!(
                !shown.contains(canary.trim_matches(['[', ']'])),
                "{name}: the token came back"
            );
        }
        assert_eq!(
            house
                .emulators
                .iter()
                .next()
                .unwrap()
                .requests()
                .last()
                .unwrap()
                .method,
            "GET"
        );
    }
}
