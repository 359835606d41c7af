//! What a put of a trigger may say (NCP docs: puttrigger v2 and v2.0).
//!
//! v2.1 has the fields at the top level; v2.0 wraps them in `trigger` and `link` and calls some of
//! them by other names.

use serde_json::{Map, Value, json};

use crate::cron;
use crate::ncp::body::{self, Fields};
use crate::ncp::cloud::Call;
use crate::ncp::codes::{self, Refusal};
use crate::ncp::model::Trigger;
use crate::ncp::site::{Generation, Site};

/// GitHub events that a trigger may name, besides `*` (NCP docs: puttrigger v2).
const GITHUB_EVENTS: &[&str] = &[
    "check_run",
    "check_suite",
    "commit_comment",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "fork",
    "gollum",
    "issue_comment",
    "issues",
    "label",
    "member",
    "milestone",
    "page_build",
    "project",
    "project_card",
    "project_column",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
    "repository_import",
    "repository_vulnerability_alert",
    "release",
    "status",
    "team_add",
    "watch",
    "branch_protection_rule",
    "code_scanning_alert",
    "deploy_key",
    "discussion",
    "discussion_comment",
    "meta",
    "package",
    "registry_package",
    "secret_scanning_alert",
    "secret_scanning_alert_location",
    "security_and_analysis",
    "star",
    "workflow_job",
    "workflow_run",
];

/// The query parameter `type`: required in v2.1; pages of v2.0 from early 2024 default to `basic`.
pub(super) fn kind(site: Site, call: &Call) -> Result<String, Refusal> {
    let asked = match (call.query.get("type"), call.generation) {
        (Some(kind), _) => kind,
        (None, Generation::V20) => "basic",
        (None, Generation::V21) => {
            return Err(codes::TRIGGER_INVALID_TYPE.refuse("type is required"));
        }
    };
    if !site.has_trigger_type(call.generation, call.platform, asked) {
        return Err(codes::TRIGGER_INVALID_TYPE.refuse(format!("no trigger type {asked} here")));
    }
    Ok(asked.to_owned())
}

/// Reads the body under the rules of its generation and type.
pub(super) fn read(
    call: &Call,
    name: &str,
    kind: String,
    is_new: bool,
) -> Result<Trigger, Refusal> {
    let map = body::object(&call.body, codes::TRIGGER_BODY_TYPE)?;
    let top = Fields::new(&map, "", body::TRIGGER);
    let fields = match call.generation {
        Generation::V20 => Fields::new(
            top.need("trigger", Fields::object)?,
            "trigger.",
            body::TRIGGER,
        ),
        Generation::V21 => top,
    };
    let mut options = Map::new();
    match kind.as_str() {
        "cron" => {
            let pattern = fields.need("cronOption", Fields::filled)?;
            if let Err(why) = cron::parse(pattern) {
                return fields.wrong_value("cronOption", &format!("is wrong: {why}"));
            }
            options.insert("cronOption".into(), pattern.into());
        }
        "github" => github(call.generation, &top, &fields, is_new, &mut options)?,
        "insight" => {
            let items = items(&fields, "insightLink", false, insight)?;
            options.insert("insightLink".into(), items);
        }
        "object_storage" => {
            let read = |item: &Fields<'_>| texts(item, &["bucketName", "eventRuleName"]);
            options.insert(
                "objectStorageLink".into(),
                items(&fields, "objectStorageLink", true, read)?,
            );
        }
        "source_commit" => {
            options.insert(
                "sourceCommitLink".into(),
                items(&fields, "sourceCommitLink", true, source_commit)?,
            );
        }
        "secret_manager" => {
            let read = |item: &Fields<'_>| texts(item, &["secretName"]);
            options.insert(
                "secretManagerLink".into(),
                items(&fields, "secretManagerLink", true, read)?,
            );
        }
        _ => {}
    }
    Ok(Trigger {
        name: name.to_owned(),
        platform: call.platform,
        kind,
        description: fields.description()?.unwrap_or_default(),
        parameters: fields.parameters()?.unwrap_or_default(),
        options,
    })
}

fn github(
    generation: Generation,
    top: &Fields<'_>,
    fields: &Fields<'_>,
    is_new: bool,
    options: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let (credential, product) = match generation {
        Generation::V21 => ("credential", "productName"),
        Generation::V20 => ("credentials", "productId"),
    };
    let path = format!("{credential}.");
    let map = fields.need(credential, Fields::object)?;
    let who = texts(
        &Fields::new(map, &path, body::TRIGGER),
        &["username", "accessToken", "repository"],
    )?;
    let events = fields.need("events", Fields::strings)?;
    if events.is_empty() {
        return fields.wrong_value("events", "must not be empty");
    }
    if let Some(wrong) = events
        .iter()
        .find(|e| *e != "*" && !GITHUB_EVENTS.contains(&e.as_str()))
    {
        return fields.wrong_value("events", &format!("has no event {wrong}"));
    }
    // Where GitHub is to call: needed when the trigger is made, ignored later.
    if is_new {
        let link = top.need("link", Fields::object)?;
        texts(
            &Fields::new(link, "link.", body::TRIGGER),
            &[product, "apiName", "stageName"],
        )?;
    }
    options.insert("credential".into(), who);
    options.insert("events".into(), json!(events));
    Ok(())
}

/// An array of objects, each read by `read`.
fn items(
    fields: &Fields<'_>,
    name: &str,
    required: bool,
    read: impl Fn(&Fields<'_>) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let maps = if required {
        fields.need(name, Fields::objects)?
    } else {
        fields.objects(name)?.unwrap_or_default()
    };
    if required && maps.is_empty() {
        return fields.wrong_value(name, "must not be empty");
    }
    let path = format!("{name}.");
    maps.into_iter()
        .map(|map| read(&Fields::new(map, &path, body::TRIGGER)))
        .collect()
}

/// Strings that must be there and not empty.
fn texts(fields: &Fields<'_>, names: &[&str]) -> Result<Value, Refusal> {
    let mut texts = Map::new();
    for name in names {
        texts.insert(
            (*name).to_owned(),
            fields.need(name, Fields::filled)?.into(),
        );
    }
    Ok(Value::Object(texts))
}

fn insight(item: &Fields<'_>) -> Result<Value, Refusal> {
    let mut shown = texts(item, &["prodKey", "ruleGrpId"])?;
    if let Some(minutes) = item.integer("reminderTime")? {
        if !(5..=720).contains(&minutes) {
            return item.wrong_value("reminderTime", "must be from 5 to 720 minutes");
        }
        shown["reminderTime"] = minutes.into();
    }
    shown["enableNotiWhenEventClose"] = item
        .boolean("enableNotiWhenEventClose")?
        .unwrap_or(false)
        .into();
    Ok(shown)
}

fn source_commit(item: &Fields<'_>) -> Result<Value, Refusal> {
    let mut shown = texts(item, &["repositoryName", "webhookName"])?;
    shown["enable"] = item.boolean("enable")?.unwrap_or(true).into();
    Ok(shown)
}

/// One secret belongs to one trigger (NCP docs: puttrigger v2). INFERRED: the code for a second
/// one.
pub(super) fn check_secrets(trigger: &Trigger, others: &[Trigger]) -> Result<(), Refusal> {
    let secrets = |trigger: &Trigger| -> Vec<String> {
        let items = trigger
            .options
            .get("secretManagerLink")
            .and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| item["secretName"].as_str().map(ToOwned::to_owned))
            .collect()
    };
    let wanted = secrets(trigger);
    for other in others.iter().filter(|other| other.name != trigger.name) {
        if let Some(taken) = secrets(other)
            .into_iter()
            .find(|secret| wanted.contains(secret))
        {
            return Err(codes::TRIGGER_BODY_VALUE
                .refuse(format!("the secret {taken} belongs to {}", other.name)));
        }
    }
    Ok(())
}
