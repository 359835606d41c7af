//! A trigger's document in our words, read as tolerantly as its two generations and their examples demand.
//!
//! `type` or `triggerType` in any case; `execOption` an object or an array of key and value; GitHub data under
//! `credential` or `credentials`; fields flat or under `trigger`. A GitHub token is never taken over.

use serde_json::Value as Tree;

use crate::proto::trigger::Source;
use crate::proto::*;

/// Everything but the parameters, which must stay exact and are read elsewhere.
pub(super) fn read(tree: &Tree, name: &str) -> Trigger {
    let trigger = Trigger {
        name: text(tree, &["name"]).unwrap_or_else(|| name.to_owned()),
        description: text(tree, &["description"]).unwrap_or_default(),
        resource_id: text(tree, &["resourceId"]).unwrap_or_default(),
        type_text: text(tree, &["triggerType", "type"])
            .unwrap_or_default()
            .to_ascii_lowercase(),
        actions: items(tree, &["actions", "action"])
            .iter()
            .filter_map(action)
            .collect(),
        ..Trigger::default()
    };
    let source = source(tree, &trigger.type_text);
    Trigger { source, ..trigger }
}

/// A list item.
pub(super) fn summary(tree: &Tree) -> TriggerSummary {
    TriggerSummary {
        name: text(tree, &["name"]).unwrap_or_default(),
        type_text: text(tree, &["type", "triggerType"])
            .unwrap_or_default()
            .to_ascii_lowercase(),
    }
}

fn source(tree: &Tree, kind: &str) -> Option<Source> {
    match kind {
        "cron" => {
            let cron_option =
                text(tree, &["cronOption", "cron"]).or_else(|| option_text(tree, &["cronOption", "cron"]))?;
            Some(Source::Cron(CronSource { cron_option }))
        }
        "github" => Some(Source::Github(github(tree))),
        "insight" => Some(Source::Insight(InsightSource {
            insight_link: items(tree, &["insightLink"]).iter().map(insight).collect(),
        })),
        "object_storage" => Some(Source::ObjectStorage(ObjectStorageSource {
            object_storage_link: items(tree, &["objectStorageLink"])
                .iter()
                .map(|link| ObjectStorageLink {
                    bucket_name: text(link, &["bucketName"]).unwrap_or_default(),
                    event_rule_name: text(link, &["eventRuleName"]).unwrap_or_default(),
                })
                .collect(),
        })),
        "source_commit" => Some(Source::SourceCommit(SourceCommitSource {
            source_commit_link: items(tree, &["sourceCommitLink"])
                .iter()
                .map(|link| SourceCommitLink {
                    repository_name: text(link, &["repositoryName"]).unwrap_or_default(),
                    webhook_name: text(link, &["webhookName"]).unwrap_or_default(),
                    enable: find(link, &["enable"]).and_then(Tree::as_bool),
                })
                .collect(),
        })),
        "secret_manager" => Some(Source::SecretManager(SecretManagerSource {
            secret_manager_link: items(tree, &["secretManagerLink"])
                .iter()
                .map(|link| SecretManagerLink {
                    secret_name: text(link, &["secretName"]).unwrap_or_default(),
                })
                .collect(),
        })),
        _ => None,
    }
}

fn github(tree: &Tree) -> GithubSource {
    let empty = Tree::Null;
    let credential = find(tree, &["credential", "credentials"]).unwrap_or(&empty);
    let link = find(tree, &["link"]).map(|link| ApiGatewayLink {
        product_name: text(link, &["productName"]).unwrap_or_default(),
        product_id: text(link, &["productId"]).unwrap_or_default(),
        api_name: text(link, &["apiName"]).unwrap_or_default(),
        stage_name: text(link, &["stageName"]).unwrap_or_default(),
    });
    let mut events = items(tree, &["events"]);
    if events.is_empty() {
        events = match option(tree, &["events"]) {
            Some(Tree::Array(events)) => events.clone(),
            Some(Tree::String(events)) => events.split(',').map(|event| Tree::from(event.trim())).collect(),
            _ => Vec::new(),
        };
    }
    GithubSource {
        username: text(credential, &["username"]).unwrap_or_default(),
        access_token: String::new(),
        repository: text(credential, &["repository"]).unwrap_or_default(),
        events: events
            .iter()
            .filter_map(|event| event.as_str().map(ToOwned::to_owned))
            .collect(),
        link,
    }
}

fn insight(link: &Tree) -> InsightLink {
    let minutes = find(link, &["reminderTime"])
        .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
    InsightLink {
        prod_key: text(link, &["prodKey"]).unwrap_or_default(),
        rule_grp_id: text(link, &["ruleGrpId"]).unwrap_or_default(),
        reminder_time: minutes.map(|minutes| prost_types::Duration {
            seconds: minutes.saturating_mul(60),
            nanos: 0,
        }),
        enable_noti_when_event_close: find(link, &["enableNotiWhenEventClose"])
            .and_then(Tree::as_bool)
            .unwrap_or_default(),
    }
}

/// `"action"`, `"package/action"`, or an object with a name.
fn action(item: &Tree) -> Option<TriggerAction> {
    let name = item
        .as_str()
        .map(ToOwned::to_owned)
        .or_else(|| text(item, &["name", "action"]))?;
    let (package_name, action_name) = match name.rsplit_once('/') {
        Some((package, action)) => (package.to_owned(), action.to_owned()),
        None => (text(item, &["package"]).unwrap_or_else(|| "-".to_owned()), name),
    };
    Some(TriggerAction {
        package_name,
        action_name,
    })
}

/// The first field with one of these names, at the top or under `trigger`.
fn find<'a>(tree: &'a Tree, names: &[&str]) -> Option<&'a Tree> {
    let inner = tree.get("trigger");
    names
        .iter()
        .find_map(|name| tree.get(*name).or_else(|| inner?.get(*name)))
        .filter(|value| !value.is_null())
}

fn text(tree: &Tree, names: &[&str]) -> Option<String> {
    find(tree, names)?.as_str().map(ToOwned::to_owned)
}

fn items(tree: &Tree, names: &[&str]) -> Vec<Tree> {
    match find(tree, names) {
        Some(Tree::Array(items)) => items.clone(),
        Some(one @ Tree::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn option_text(tree: &Tree, keys: &[&str]) -> Option<String> {
    option(tree, keys)?.as_str().map(ToOwned::to_owned)
}

/// A value of `execOption`, wherever the generation put it.
fn option<'a>(tree: &'a Tree, keys: &[&str]) -> Option<&'a Tree> {
    look(find(tree, &["execOption"])?, keys)
}

fn look<'a>(option: &'a Tree, keys: &[&str]) -> Option<&'a Tree> {
    match option {
        Tree::Array(list) => list.iter().find_map(|entry| look(entry, keys)),
        Tree::Object(_) => {
            let value = option.get("value")?;
            let key = option.get("key").and_then(Tree::as_str).unwrap_or_default();
            if keys.contains(&key) {
                Some(value)
            } else {
                look(value, keys)
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_generations_read_as_one() {
        for tree in [
            json!({"name":"nightly","type":"cron","cronOption":"0 3 * * *","actions":["a","p/b"]}),
            json!({"name":"nightly","type":"Cron","actions":["a","p/b"],"execOption":[{"key":"cronOption","value":"0 3 * * *"}]}),
            json!({"name":"nightly","triggerType":"cron","actions":["a","p/b"],"execOption":{"key":"ncf_triggerOptions","value":[{"key":"cron","value":"0 3 * * *"}]}}),
        ] {
            let trigger = read(&tree, "");
            assert_eq!(trigger.type_text, "cron");
            assert_eq!(
                trigger.source,
                Some(Source::Cron(CronSource {
                    cron_option: "0 3 * * *".to_owned()
                }))
            );
            assert_eq!(trigger.actions[0].package_name, "-");
            assert_eq!(
                (
                    trigger.actions[1].package_name.as_str(),
                    trigger.actions[1].action_name.as_str()
                ),
                ("p", "b")
            );
        }
    }

    #[test]
    fn a_github_token_never_comes_back() {
        for key in ["credential", "credentials"] {
            let tree = json!({"name":"g","type":"github","events":["push"],
                key: {"username":"u","accessToken":"ghp_canary","repository":"o/r"}});
            let trigger = read(&tree, "g");
            let Some(Source::Github(source)) = &trigger.source else {
                panic!("no source")
            };
            assert_eq!(
                (source.username.as_str(), source.repository.as_str()),
                ("u", "o/r")
            );
            assert_eq!(source.access_token, "");
        }
    }
}
