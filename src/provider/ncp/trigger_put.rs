//! The rules and bodies of a trigger put, one source a trigger type (NCP docs: puttrigger of both
//! generations).
//!
//! 2.1 takes the fields flat, 2.0 wraps them in `trigger` with the API Gateway link beside it;
//! GitHub's key is `credential` with `productName` in 2.1, `credentials` with `productId` in 2.0.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Tree, json};

use super::endpoint::{ApiVersion, Endpoint, Region, Site};
use super::rules::{self, PARAMETERS_MAX};
use super::to_body;
use crate::error::{Faults, Result};
use crate::json::{embed, object_text};
use crate::proto::trigger::Source;
use crate::proto::*;

/// Pause between two notices of one event, in minutes.
const REMINDER_MINUTES: std::ops::RangeInclusive<u64> = 5..=720;

/// A checked put.
pub(super) struct Put {
    kind: &'static str,
    description: String,
    parameters: Option<Bytes>,
    fields: Map<String, Tree>,
    link: Option<Map<String, Tree>>,
}

/// The flat document; 2.0 wraps it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(flatten)]
    fields: &'a Map<String, Tree>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a Map<String, Tree>>,
}

#[derive(Serialize)]
struct Wrapped<'a> {
    trigger: Body<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a Map<String, Tree>>,
}

impl Put {
    /// Checks every documented rule; faults are named `trigger.…`.
    pub(super) fn check(
        trigger: Trigger,
        name: &str,
        place: &Endpoint,
        faults: &mut Faults,
    ) -> Option<Self> {
        faults.require(
            trigger.name.is_empty() || trigger.name == name,
            "trigger.name",
            || "differs from trigger_name; leave it out.",
        );
        rules::description(&trigger.description, "trigger.description", faults);
        let parameters = object_text(
            trigger.parameters,
            "trigger.parameters",
            PARAMETERS_MAX,
            faults,
        );
        let Some(source) = trigger.source else {
            faults.add(
                "trigger.source",
                "is required: cron, github, insight, object_storage, source_commit or secret_manager.",
            );
            return None;
        };
        let (kind, fields, link) = match source {
            Source::Cron(source) => ("cron", cron(&source, faults), None),
            Source::Github(source) => {
                let (fields, link) = github(source, place, faults);
                ("github", fields, link)
            }
            Source::Insight(source) => ("insight", insight(source, faults), None),
            Source::ObjectStorage(source) => {
                ("object_storage", object_storage(source, faults), None)
            }
            Source::SourceCommit(source) => ("source_commit", source_commit(source, faults), None),
            Source::SecretManager(source) => {
                ("secret_manager", secret_manager(source, faults), None)
            }
        };
        check_place(kind, place, faults);
        Some(Self {
            kind,
            description: trigger.description,
            parameters,
            fields,
            link,
        })
    }

    /// The value of the query `type`.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The document to send.
    pub(super) fn body(&self, place: &Endpoint) -> Result<Bytes> {
        let parameters = match &self.parameters {
            Some(text) => Some(embed(text, "trigger.parameters")?),
            None => None,
        };
        let body = |link| Body {
            description: &self.description,
            parameters: parameters.as_deref(),
            fields: &self.fields,
            link,
        };
        match place.version {
            ApiVersion::V21 => to_body(&body(self.link.as_ref())),
            ApiVersion::V20 => to_body(&Wrapped {
                trigger: body(None),
                link: self.link.as_ref(),
            }),
        }
    }
}

/// Which types exist where (NCP guide: cloudfunctions-spec).
fn check_place(kind: &str, place: &Endpoint, faults: &mut Faults) {
    let field = format!("trigger.{kind}");
    if place.site == Site::Gov {
        faults.require(
            matches!(kind, "cron" | "github"),
            &field,
            || "does not exist on site gov, which has cron and github.",
        );
    }
    if kind == "secret_manager" {
        faults.require(
            place.version == ApiVersion::V21,
            &field,
            || "needs api_version 2.1; this target speaks 2.0.",
        );
    }
    if kind == "source_commit" {
        faults.require(
            place.region == Region::Kr,
            &field,
            || "exists in region kr only.",
        );
    }
}

fn cron(source: &CronSource, faults: &mut Faults) -> Map<String, Tree> {
    let fields = source.cron_option.split_whitespace().count();
    faults.require(fields == 5, "trigger.cron.cron_option", || {
        format!("has {fields} fields; write five: minute hour day-of-month month day-of-week (Korean time).")
    });
    object(json!({ "cronOption": source.cron_option }))
}

fn github(
    source: GithubSource,
    place: &Endpoint,
    faults: &mut Faults,
) -> (Map<String, Tree>, Option<Map<String, Tree>>) {
    let old = place.version == ApiVersion::V20;
    required(&source.username, "trigger.github.username", faults);
    required(&source.access_token, "trigger.github.access_token", faults);
    required(&source.repository, "trigger.github.repository", faults);
    faults.require(
        !source.events.is_empty(),
        "trigger.github.events",
        || "is required: event names, or * for all.",
    );
    let link = source.link.map(|link| {
        required(&link.api_name, "trigger.github.link.api_name", faults);
        required(&link.stage_name, "trigger.github.link.stage_name", faults);
        let (key, value, field) = if old {
            (
                "productId",
                link.product_id,
                "trigger.github.link.product_id",
            )
        } else {
            (
                "productName",
                link.product_name,
                "trigger.github.link.product_name",
            )
        };
        required(&value, field, faults);
        object(json!({ key: value, "apiName": link.api_name, "stageName": link.stage_name }))
    });
    let credential = json!({
        "username": source.username, "accessToken": source.access_token, "repository": source.repository,
    });
    let key = if old { "credentials" } else { "credential" };
    (
        object(json!({ key: credential, "events": source.events })),
        link,
    )
}

fn insight(source: InsightSource, faults: &mut Faults) -> Map<String, Tree> {
    let mut links = Vec::new();
    for (index, link) in source.insight_link.into_iter().enumerate() {
        let field = |name: &str| format!("trigger.insight.insight_link[{index}].{name}");
        required(&link.prod_key, &field("prod_key"), faults);
        required(&link.rule_grp_id, &field("rule_grp_id"), faults);
        let mut document = object(json!({
            "prodKey": link.prod_key,
            "ruleGrpId": link.rule_grp_id,
            "enableNotiWhenEventClose": link.enable_noti_when_event_close,
        }));
        if let Some(time) = &link.reminder_time {
            let minutes = rules::millis(time)
                .filter(|millis| millis % 60_000 == 0)
                .map(|millis| millis / 60_000)
                .filter(|minutes| REMINDER_MINUTES.contains(minutes));
            faults.require(minutes.is_some(), &field("reminder_time"), || {
                format!(
                    "is {}; it must be 5 to 720 whole minutes.",
                    rules::spell(time)
                )
            });
            document.insert("reminderTime".to_owned(), minutes.into());
        }
        links.push(Tree::Object(document));
    }
    object(json!({ "insightLink": links }))
}

fn object_storage(source: ObjectStorageSource, faults: &mut Faults) -> Map<String, Tree> {
    let links = source.object_storage_link;
    some(&links, "trigger.object_storage.object_storage_link", faults);
    for (index, link) in links.iter().enumerate() {
        let field =
            |name: &str| format!("trigger.object_storage.object_storage_link[{index}].{name}");
        required(&link.bucket_name, &field("bucket_name"), faults);
        required(&link.event_rule_name, &field("event_rule_name"), faults);
    }
    let links: Vec<_> = links
        .into_iter()
        .map(
            |link| json!({ "bucketName": link.bucket_name, "eventRuleName": link.event_rule_name }),
        )
        .collect();
    object(json!({ "objectStorageLink": links }))
}

fn source_commit(source: SourceCommitSource, faults: &mut Faults) -> Map<String, Tree> {
    let links = source.source_commit_link;
    some(&links, "trigger.source_commit.source_commit_link", faults);
    for (index, link) in links.iter().enumerate() {
        let field =
            |name: &str| format!("trigger.source_commit.source_commit_link[{index}].{name}");
        required(&link.repository_name, &field("repository_name"), faults);
        required(&link.webhook_name, &field("webhook_name"), faults);
    }
    let links: Vec<_> = links
        .into_iter()
        .map(|link| {
            let mut document = object(
                json!({ "repositoryName": link.repository_name, "webhookName": link.webhook_name }),
            );
            if let Some(enable) = link.enable {
                document.insert("enable".to_owned(), enable.into());
            }
            Tree::Object(document)
        })
        .collect();
    object(json!({ "sourceCommitLink": links }))
}

fn secret_manager(source: SecretManagerSource, faults: &mut Faults) -> Map<String, Tree> {
    let links = source.secret_manager_link;
    some(&links, "trigger.secret_manager.secret_manager_link", faults);
    for (index, link) in links.iter().enumerate() {
        let field = format!("trigger.secret_manager.secret_manager_link[{index}].secret_name");
        required(&link.secret_name, &field, faults);
    }
    let links: Vec<_> = links
        .into_iter()
        .map(|link| json!({ "secretName": link.secret_name }))
        .collect();
    object(json!({ "secretManagerLink": links }))
}

fn required(value: &str, field: &str, faults: &mut Faults) {
    faults.require(!value.is_empty(), field, || "is required.");
}

fn some<T>(links: &[T], field: &str, faults: &mut Faults) {
    faults.require(!links.is_empty(), field, || "is required: at least one.");
}

fn object(tree: Tree) -> Map<String, Tree> {
    match tree {
        Tree::Object(map) => map,
        _ => Map::new(),
    }
}
