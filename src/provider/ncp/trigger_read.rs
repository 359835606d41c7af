//! A trigger's document in our words, read as tolerantly as its two generations and their examples
//! demand.
//!
//! `type` or `triggerType` in any case; what fires it flat, under `trigger`, or in `execOption`, an
//! object or an array of key and value; GitHub data under `credential` or `credentials`, or flat. A
//! GitHub token is never taken over.

use serde_json::{Map, Value as Tree};

use super::wire::Parameters;
use crate::proto::trigger::Source;
use crate::proto::{
    ApiGatewayLink, CronSource, GithubSource, InsightLink, InsightSource, ObjectStorageLink,
    ObjectStorageSource, SecretManagerLink, SecretManagerSource, SourceCommitLink,
    SourceCommitSource, TriggerAction, TriggerSummary,
};
use crate::provider::lenient::{
    self, Clock, Flag, List, Member, Minutes, NotJson, Notes, Place, Words, object,
};
use crate::telemetry::metrics::TargetMetrics;

object! {
    /// A trigger on its own.
    pub(super) struct Trigger<'a>, inside: "trigger" {
        name: Words,
        description: Words,
        resource_id: Words = "resourceId",
        trigger_type: Words = "triggerType",
        kind: Words = "type",
        actions: Vec<Linked>,
        action: Vec<Linked>,
        cron_option: Words = "cronOption",
        cron: Words,
        exec_option: Option<Tree> = "execOption",
        username: Words,
        repository: Words,
        credential: Option<Credential>,
        credentials: Option<Credential>,
        link: Option<Link>,
        events: Vec<String>,
        insight_link: Vec<Insight> = "insightLink",
        object_storage_link: Vec<Bucket> = "objectStorageLink",
        source_commit_link: Vec<Repository> = "sourceCommitLink",
        secret_manager_link: Vec<SecretName> = "secretManagerLink",
        /// Exact, so that it is read elsewhere.
        pub(super) parameters: Parameters<'a>,
    }

    /// The list of triggers, under either name.
    pub(super) struct TriggerList {
        pub(super) triggers: List<Summary>,
        pub(super) trigger: List<Summary>,
    }

    /// A trigger in a list.
    pub(super) struct Summary, identity: name {
        name: Words,
        trigger_type: Words = "triggerType",
        kind: Words = "type",
    }

    /// An action that the trigger runs, as an object.
    struct LinkedAction {
        name: Words,
        action: Words,
        package: Words,
    }

    /// What GitHub is asked with. The token is not even read.
    struct Credential {
        username: Words,
        repository: Words,
    }

    /// The API that GitHub calls.
    struct Link {
        product_name: Words = "productName",
        product_id: Words = "productId",
        api_name: Words = "apiName",
        stage_name: Words = "stageName",
    }

    /// A rule of Cloud Insight.
    struct Insight {
        prod_key: Words = "prodKey",
        rule_grp_id: Words = "ruleGrpId",
        reminder_time: Option<Minutes> = "reminderTime",
        enable_noti_when_event_close: Flag = "enableNotiWhenEventClose",
    }

    /// A rule of a bucket.
    struct Bucket {
        bucket_name: Words = "bucketName",
        event_rule_name: Words = "eventRuleName",
    }

    /// A repository of `SourceCommit`.
    struct Repository {
        repository_name: Words = "repositoryName",
        webhook_name: Words = "webhookName",
        enable: Flag,
    }

    /// A secret of Secret Manager.
    struct SecretName, identity: secret_name {
        secret_name: Words = "secretName",
    }
}

/// `"action"`, `"package/action"`, or an object with a name.
struct Linked(TriggerAction);

impl<'a> Member<'a> for Linked {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        let found = if place.next() == Some(b'{') {
            LinkedAction::read(place, notes)?.unwrap_or_default()
        } else {
            let name = Words::read(place, notes)?.unwrap_or_default();
            LinkedAction {
                name,
                ..LinkedAction::default()
            }
        };
        let Some(name) = found.name.0.or(found.action.0) else {
            return Ok(None);
        };
        let (package_name, action_name) = match name.rsplit_once('/') {
            Some((package, action)) => (package.to_owned(), action.to_owned()),
            None => (found.package.0.unwrap_or_else(|| "-".to_owned()), name),
        };
        Ok(Some(Self(TriggerAction {
            package_name,
            action_name,
        })))
    }
}

impl Trigger<'_> {
    /// True when it says which trigger it is, or of which kind.
    pub(super) fn is_named(&self) -> bool {
        [&self.name, &self.trigger_type, &self.kind]
            .iter()
            .any(|words| words.0.is_some())
    }
}

/// Everything but the parameters.
pub(super) fn read(
    mut found: Trigger<'_>,
    name: &str,
    metrics: &TargetMetrics,
) -> crate::proto::Trigger {
    take_options(&mut found, metrics);
    let kind = found.trigger_type.0.as_ref().or(found.kind.0.as_ref());
    let type_text = kind
        .map(|kind| kind.to_ascii_lowercase())
        .unwrap_or_default();
    let source = source(&found, &type_text);
    let actions = super::wire::either(found.actions, found.action);
    crate::proto::Trigger {
        name: found.name.0.unwrap_or_else(|| name.to_owned()),
        description: found.description.0.unwrap_or_default(),
        resource_id: found.resource_id.0.unwrap_or_default(),
        type_text,
        actions: actions.into_iter().map(|Linked(action)| action).collect(),
        source,
        ..crate::proto::Trigger::default()
    }
}

/// A list item.
pub(super) fn summary(found: Summary) -> TriggerSummary {
    let kind = found.kind.0.or(found.trigger_type.0).unwrap_or_default();
    TriggerSummary {
        name: found.name.0.unwrap_or_default(),
        type_text: kind.to_ascii_lowercase(),
    }
}

/// What `execOption` says of what fires the trigger, wherever the trigger itself does not.
fn take_options(found: &mut Trigger<'_>, metrics: &TargetMetrics) {
    let mut members = Map::new();
    found
        .exec_option
        .take()
        .into_iter()
        .for_each(|option| collect(option, &mut members));
    let text = Tree::Object(members).to_string();
    let option: Option<Trigger<'_>> =
        lenient::welcome(text.as_bytes(), "execOption", Clock::UTC, metrics);
    let Some(option) = option else { return };
    let words = |ours: &mut Words, theirs: Words| ours.0 = ours.0.take().or(theirs.0);
    words(&mut found.cron_option, option.cron_option);
    words(&mut found.cron, option.cron);
    words(&mut found.username, option.username);
    words(&mut found.repository, option.repository);
    found.credential = found.credential.take().or(option.credential);
    found.credentials = found.credentials.take().or(option.credentials);
    found.link = found.link.take().or(option.link);
    let Trigger {
        events,
        insight_link,
        object_storage_link,
        source_commit_link,
        secret_manager_link,
        ..
    } = found;
    fill(events, option.events);
    fill(insight_link, option.insight_link);
    fill(object_storage_link, option.object_storage_link);
    fill(source_commit_link, option.source_commit_link);
    fill(secret_manager_link, option.secret_manager_link);
}

fn fill<T>(ours: &mut Vec<T>, theirs: Vec<T>) {
    if ours.is_empty() {
        *ours = theirs;
    }
}

/// The pairs of key and value, which 2.0 puts into the value of one more. Without the token.
fn collect(option: Tree, members: &mut Map<String, Tree>) {
    let is_pair = |tree: &Tree| tree.get("key").is_some() && tree.get("value").is_some();
    match option {
        Tree::Array(list) => list.into_iter().for_each(|entry| collect(entry, members)),
        Tree::Object(mut pair) => {
            let value = pair.remove("value").unwrap_or_default();
            let holds_pairs = is_pair(&value)
                || value
                    .as_array()
                    .is_some_and(|list| list.iter().any(is_pair));
            match pair.remove("key") {
                _ if holds_pairs => collect(value, members),
                Some(Tree::String(key)) if key != "accessToken" => drop(members.insert(key, value)),
                _ => {}
            }
        }
        _ => {}
    }
}

fn source(found: &Trigger<'_>, kind: &str) -> Option<Source> {
    match kind {
        "cron" => Some(Source::Cron(CronSource {
            cron_option: found
                .cron_option
                .0
                .clone()
                .or_else(|| found.cron.0.clone())?,
        })),
        "github" => Some(Source::Github(github(found))),
        "insight" => Some(Source::Insight(InsightSource {
            insight_link: found.insight_link.iter().map(insight).collect(),
        })),
        "object_storage" => Some(Source::ObjectStorage(ObjectStorageSource {
            object_storage_link: found
                .object_storage_link
                .iter()
                .map(|link| ObjectStorageLink {
                    bucket_name: text(&link.bucket_name),
                    event_rule_name: text(&link.event_rule_name),
                })
                .collect(),
        })),
        "source_commit" => Some(Source::SourceCommit(SourceCommitSource {
            source_commit_link: found
                .source_commit_link
                .iter()
                .map(|link| SourceCommitLink {
                    repository_name: text(&link.repository_name),
                    webhook_name: text(&link.webhook_name),
                    enable: link.enable.0,
                })
                .collect(),
        })),
        "secret_manager" => Some(Source::SecretManager(SecretManagerSource {
            secret_manager_link: found
                .secret_manager_link
                .iter()
                .map(|link| SecretManagerLink {
                    secret_name: text(&link.secret_name),
                })
                .collect(),
        })),
        _ => None,
    }
}

fn github(found: &Trigger<'_>) -> GithubSource {
    let credential = found.credential.as_ref().or(found.credentials.as_ref());
    let (username, repository) = credential.map_or((&found.username, &found.repository), |found| {
        (&found.username, &found.repository)
    });
    let link = found.link.as_ref().map(|link| ApiGatewayLink {
        product_name: text(&link.product_name),
        product_id: text(&link.product_id),
        api_name: text(&link.api_name),
        stage_name: text(&link.stage_name),
    });
    let events = found.events.iter().flat_map(|events| events.split(','));
    GithubSource {
        username: text(username),
        access_token: String::new(),
        repository: text(repository),
        events: events.map(|event| event.trim().to_owned()).collect(),
        // A put refuses half of one.
        link: link.filter(|link| !link.api_name.is_empty() && !link.stage_name.is_empty()),
    }
}

fn insight(link: &Insight) -> InsightLink {
    InsightLink {
        prod_key: text(&link.prod_key),
        rule_grp_id: text(&link.rule_grp_id),
        // 0 is none.
        reminder_time: link
            .reminder_time
            .filter(|Minutes(time)| time.0 > 0)
            .map(|Minutes(time)| time.duration()),
        enable_noti_when_event_close: link.enable_noti_when_event_close.0.unwrap_or_default(),
    }
}

fn text(words: &Words) -> String {
    words.0.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(tree: &Tree, name: &str) -> crate::proto::Trigger {
        read(
            lenient::quietly(tree.to_string().as_bytes(), Clock::UTC).unwrap(),
            name,
            &TargetMetrics::unread(),
        )
    }

    #[test]
    fn both_generations_read_as_one() {
        for tree in [
            json!({"name":"nightly","type":"cron","cronOption":"0 3 * * *","actions":["a","p/b"]}),
            json!({"name":"nightly","type":"Cron","actions":["a","p/b"],"execOption":[{"key":"cronOption","value":"0 3 * * *"}]}),
            json!({"name":"nightly","triggerType":"cron","execOption":{"key":"cron","value":"0 3 * * *"},"actions":["a","p/b"]}),
            json!({"name":"nightly","triggerType":"cron","actions":["a","p/b"],"execOption":{"key":"ncf_triggerOptions","value":[{"key":"cron","value":"0 3 * * *"}]}}),
        ] {
            let trigger = of(&tree, "");
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
            let credential = json!({"username":"u","accessToken":"ghp_canary","repository":"o/r"});
            let pairs: Vec<_> = credential
                .as_object()
                .unwrap()
                .iter()
                .map(|(k, v)| json!({"key": k, "value": v}))
                .collect();
            for tree in [
                json!({"name":"g","type":"github","events":["push"], key: credential}),
                json!({"name":"g","type":"github","execOption": pairs}),
                json!({"name":"g","type":"github","execOption": [{"key": key, "value": credential}]}),
            ] {
                let trigger = of(&tree, "g");
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
}
