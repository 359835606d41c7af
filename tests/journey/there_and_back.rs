//! What the emulated clouds answer of an object, a put takes, and leaves the object as it was.

use crate::action_service_client::ActionServiceClient;
use crate::trigger_service_client::TriggerServiceClient;
use crate::*;

const TARGETS: &str = "  kr: {provider: ncp}\n  old: {provider: ncp, api_version: \"2.0\", platform: vpc}\n  \
                       graph: {provider: functiongraph, region: cn-north-4}\ndefault_target: kr";

/// Reads an action, puts it back as it is, and reads it again.
async fn again(actions: &mut ActionServiceClient<Channel>, target: &str, name: &str) {
    let read = || GetActionRequest {
        target: target.to_owned(),
        action_name: name.to_owned(),
        include_code: true,
        ..GetActionRequest::default()
    };
    let first = actions
        .get_action(read())
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap();
    let request = PutActionRequest {
        target: target.to_owned(),
        ..put("", name, first.clone())
    };
    actions
        .put_action(request)
        .await
        .unwrap_or_else(|status| panic!("{target} {name}: {status:?}"));
    let mut second = actions
        .get_action(read())
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap();
    if let (Some(second), Some(first)) = (&mut second.function_graph, &first.function_graph) {
        second.last_modified = first.last_modified;
    }
    assert!(first == second, "{target} {name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_stay_what_they_are() {
    let house = House::open(TARGETS, Options::default).await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    for target in ["kr", "old"] {
        let web = Action {
            r#type: ActionType::Web.into(),
            raw_http: true,
            parameters: text(r#"{"a":1}"#),
            ..javascript("function main(p) { return p; }")
        };
        let sequence = |part: &str| Action {
            r#type: ActionType::Sequence.into(),
            exec: Some(Exec {
                components: vec![part.to_owned()],
                ..Exec::default()
            }),
            ..Action::default()
        };
        for (name, action) in [
            ("plain", javascript("function main(p) { return p; }")),
            ("web", web),
            ("chain", sequence("-/plain")),
            // As Apache OpenWhisk names it: with the account's namespace.
            ("named", sequence("/LocEmu/plain")),
        ] {
            let name = format!("{target}-{name}");
            let mut action = action;
            let parts = &mut action.exec.as_mut().unwrap().components;
            parts
                .iter_mut()
                .for_each(|part| *part = part.replace("plain", &format!("{target}-plain")));
            let request = PutActionRequest {
                target: target.to_owned(),
                ..put("", &name, action)
            };
            actions.put_action(request).await.unwrap();
            again(&mut actions, target, &name).await;
        }
    }
    let mut function = javascript("exports.handler = async () => ({});");
    function.vpc.clear();
    let exec = function.exec.as_mut().unwrap();
    (exec.runtime, exec.main) = ("Node.js20.15".to_owned(), "index.handler".to_owned());
    // An update must name the log, which the configuration does not show.
    function.function_graph = Some(FunctionGraphAction {
        enable_lts_log: Some(true),
        strategy_config: Some(FunctionGraphStrategyConfig {
            concurrency: Some(10),
            ..FunctionGraphStrategyConfig::default()
        }),
        ..FunctionGraphAction::default()
    });
    let request = PutActionRequest {
        target: "graph".to_owned(),
        ..put("", "logs", function)
    };
    actions.put_action(request).await.unwrap();
    again(&mut actions, "graph", "logs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_of_every_kind_stay_what_they_are() {
    use trigger::Source;
    let house = House::open(TARGETS, Options::default).await;
    let mut triggers = TriggerServiceClient::new(house.channel.clone());
    let s = str::to_owned;
    let cron = Source::Cron(CronSource {
        cron_option: s("0 3 * * *"),
    });
    let insight = Source::Insight(InsightSource {
        insight_link: vec![InsightLink {
            prod_key: s("k"),
            rule_grp_id: s("g"),
            reminder_time: Some(prost_types::Duration {
                seconds: 300,
                nanos: 0,
            }),
            enable_noti_when_event_close: true,
        }],
    });
    let bucket = Source::ObjectStorage(ObjectStorageSource {
        object_storage_link: vec![ObjectStorageLink {
            bucket_name: s("b"),
            event_rule_name: s("e"),
        }],
    });
    let commit = Source::SourceCommit(SourceCommitSource {
        source_commit_link: vec![SourceCommitLink {
            repository_name: s("r"),
            webhook_name: s("w"),
            enable: Some(false),
        }],
    });
    for target in ["kr", "old"] {
        for (index, source) in [&cron, &insight, &bucket, &commit].into_iter().enumerate() {
            let name = format!("{target}-{index}");
            let of = |trigger: Trigger| PutTriggerRequest {
                target: target.to_owned(),
                trigger_name: name.clone(),
                trigger: Some(trigger),
                ..PutTriggerRequest::default()
            };
            let made = Trigger {
                description: s("d"),
                source: Some(source.clone()),
                ..Trigger::default()
            };
            triggers.put_trigger(of(made)).await.unwrap();
            let read = || GetTriggerRequest {
                target: target.to_owned(),
                trigger_name: name.clone(),
                ..GetTriggerRequest::default()
            };
            let first = triggers
                .get_trigger(read())
                .await
                .unwrap()
                .into_inner()
                .trigger
                .unwrap();
            assert_eq!(first.source.as_ref(), Some(source), "{target}");
            triggers.put_trigger(of(first.clone())).await.unwrap();
            let second = triggers
                .get_trigger(read())
                .await
                .unwrap()
                .into_inner()
                .trigger
                .unwrap();
            assert!(first == second, "{target} {index}");
        }
    }
}
