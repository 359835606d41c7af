//! Triggers that break a documented rule, and what a place has not.

use faas_sidecar::proto::*;

use crate::bad_actions::millis;
use crate::support::bench::Bench;
use crate::support::details::told;
use crate::support::refused::assert_refused;

#[tokio::test]
async fn platforms_and_trigger_types_that_a_place_has_not_are_refused() {
    for (place, platform) in [
        ("site: gov", Platform::Vpc),
        ("site: fin", Platform::Classic),
        ("region: sg", Platform::Classic),
        ("region: jp", Platform::Classic),
    ] {
        let bench = Bench::site(place).await;
        let request = ListPackagesRequest {
            platform: platform.into(),
            ..Default::default()
        };
        assert_refused(
            &bench,
            bench.packages().list_packages(request).await,
            &["platform"],
        )
        .await;
    }
    let secret = trigger::Source::SecretManager(SecretManagerSource {
        secret_manager_link: vec![SecretManagerLink {
            secret_name: "s".to_owned(),
        }],
    });
    let commit = trigger::Source::SourceCommit(SourceCommitSource {
        source_commit_link: vec![SourceCommitLink {
            repository_name: "r".to_owned(),
            webhook_name: "w".to_owned(),
            enable: None,
        }],
    });
    for (place, source, field) in [
        (
            "api_version: \"2.0\"",
            secret.clone(),
            "trigger.secret_manager",
        ),
        ("region: sg", commit, "trigger.source_commit"),
    ] {
        let bench = Bench::site(place).await;
        let trigger = Some(Trigger {
            source: Some(source),
            ..Trigger::default()
        });
        let request = PutTriggerRequest {
            trigger_name: "t".to_owned(),
            trigger,
            ..Default::default()
        };
        assert_refused(
            &bench,
            bench.triggers().put_trigger(request).await,
            &[field],
        )
        .await;
    }
    let bench = Bench::site("site: gov").await;
    let trigger = Some(Trigger {
        source: Some(secret),
        ..Trigger::default()
    });
    let request = PutTriggerRequest {
        trigger_name: "t".to_owned(),
        trigger,
        ..Default::default()
    };
    let told = told(&bench.triggers().put_trigger(request).await.unwrap_err());
    assert!(told.fields.contains(&"trigger.secret_manager".to_owned()));
}

#[tokio::test]
async fn every_trigger_type_names_its_missing_fields() {
    let bench = Bench::new().await;
    let at = |path: &str, names: &[&str]| {
        names
            .iter()
            .map(|name| format!("trigger.{path}{name}"))
            .collect::<Vec<_>>()
    };
    let insight = InsightLink {
        reminder_time: Some(millis(240_000)),
        ..InsightLink::default()
    };
    for (source, fields) in [
        (None, at("", &["source"])),
        (
            Some(trigger::Source::Cron(CronSource {
                cron_option: "* * * *".to_owned(),
            })),
            at("cron.", &["cron_option"]),
        ),
        (
            Some(trigger::Source::Github(GithubSource {
                link: Some(ApiGatewayLink::default()),
                ..GithubSource::default()
            })),
            at(
                "github.",
                &[
                    "access_token",
                    "events",
                    "link.api_name",
                    "link.product_name",
                    "link.stage_name",
                    "repository",
                    "username",
                ],
            ),
        ),
        (
            Some(trigger::Source::Insight(InsightSource {
                insight_link: vec![insight],
            })),
            at(
                "insight.insight_link[0].",
                &["prod_key", "reminder_time", "rule_grp_id"],
            ),
        ),
        (
            Some(trigger::Source::ObjectStorage(
                ObjectStorageSource::default(),
            )),
            at("object_storage.", &["object_storage_link"]),
        ),
        (
            Some(trigger::Source::SourceCommit(SourceCommitSource {
                source_commit_link: vec![SourceCommitLink::default()],
            })),
            at(
                "source_commit.source_commit_link[0].",
                &["repository_name", "webhook_name"],
            ),
        ),
        (
            Some(trigger::Source::SecretManager(SecretManagerSource {
                secret_manager_link: vec![SecretManagerLink::default()],
            })),
            at("secret_manager.secret_manager_link[0].", &["secret_name"]),
        ),
    ] {
        let trigger = Some(Trigger {
            source,
            ..Trigger::default()
        });
        let request = PutTriggerRequest {
            trigger_name: "t".to_owned(),
            trigger,
            ..Default::default()
        };
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert_refused(&bench, bench.triggers().put_trigger(request).await, &fields).await;
    }
}
