//! Aliases of versions, and how one splits its calls (alias pages `functiongraph_06_0114` to
//! `0118`).

use serde_json::{Map, Value, json};

use super::body::{self, Fields};
use super::cloud::{ALIASES, Call, Cloud};
use super::codes::{self, Refusal};
use super::function::{self, urn_text};
use super::model::{Alias, function_key};
use super::time;
use super::urn::{Urn, is_alias};
use crate::http::{Reply, Request};
use crate::store::Batch;

pub(super) fn create(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let fields = Fields::new(&map);
    let name = fields.need_string("name", codes::ALIAS_NAME)?;
    if !is_alias(name) {
        return Err(codes::ALIAS_NAME.into());
    }
    let _writing = cloud.writing();
    cloud.latest(&call.project.id, urn)?;
    let aliases = cloud.aliases(&call.project.id, urn)?;
    if aliases.iter().any(|alias| alias.name == name) {
        return Err(codes::ALIAS_EXISTS.into());
    }
    if aliases.len() >= cloud.options.limits.aliases {
        return Err(codes::TOO_MANY_ALIASES.into());
    }
    save(cloud, call, urn, name, &fields, &aliases)
}

/// A PUT of everything but the name.
pub(super) fn put(cloud: &Cloud, call: &Call<'_>, urn: &Urn, name: &str) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let _writing = cloud.writing();
    cloud.latest(&call.project.id, urn)?;
    cloud.alias(&call.project.id, urn, name)?;
    let aliases = cloud.aliases(&call.project.id, urn)?;
    save(cloud, call, urn, name, &Fields::new(&map), &aliases)
}

fn save(
    cloud: &Cloud,
    call: &Call<'_>,
    urn: &Urn,
    name: &str,
    fields: &Fields<'_>,
    aliases: &[Alias],
) -> Result<Reply, Refusal> {
    let project = &call.project.id;
    let version = fields.need_string("version", codes::VERSION_NAME)?;
    if cloud.find(project, urn, version)?.is_none() {
        return Err(codes::VERSION_MISSING.into());
    }
    if aliases
        .iter()
        .any(|other| other.name != name && other.version == version)
    {
        return Err(codes::VERSION_HAS_ALIAS.into());
    }
    let weights = fields.object("additional_version_weights", codes::SPLIT_WEIGHT)?;
    let strategy = fields.object("additional_version_strategy", codes::PARAMETER)?;
    for additional in weights.into_iter().chain(strategy).flat_map(Map::keys) {
        if additional == version {
            return Err(codes::SPLIT_SAME.into());
        }
        if cloud.find(project, urn, additional)?.is_none() {
            return Err(codes::SPLIT_VERSION.into());
        }
    }
    // Alias page: 0 to 100 per cent. INFERRED: together no more than 100 either.
    let shares = weights.into_iter().flat_map(Map::values).map(Value::as_i64);
    let total: Option<i64> = shares
        .map(|share| share.filter(|share| (0..=100).contains(share)))
        .sum();
    if total.is_none_or(|total| total > 100) {
        return Err(codes::SPLIT_WEIGHT.into());
    }
    let alias = Alias {
        name: name.to_owned(),
        version: version.to_owned(),
        description: function::description(fields, codes::DESCRIPTION)?.unwrap_or_default(),
        weights: weights.cloned().unwrap_or_default(),
        strategy: strategy.cloned().unwrap_or_default(),
        modified_ms: cloud.clock.now_ms(),
    };
    let key = key(call, urn, name);
    cloud
        .store
        .write(&Batch::default().put(ALIASES, &key, &alias)?)?;
    Ok(Reply::json(200, &shown(call, urn, &alias)))
}

fn key(call: &Call<'_>, urn: &Urn, name: &str) -> String {
    format!(
        "{}/{name}",
        function_key(&call.project.id, &urn.package, &urn.name)
    )
}

fn shown(call: &Call<'_>, urn: &Urn, alias: &Alias) -> Value {
    let function = urn_text(call.project, &urn.package, &urn.name);
    let optional = |map: &Map<String, Value>| (!map.is_empty()).then(|| map.clone());
    json!({
        "name": alias.name,
        "version": alias.version,
        "description": alias.description,
        "last_modified": time::local(alias.modified_ms),
        "alias_urn": format!("{function}:!{}", alias.name),
        "additional_version_weights": optional(&alias.weights),
        "additional_version_strategy": optional(&alias.strategy),
    })
}

/// A bare array.
pub(super) fn list(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    cloud.latest(&call.project.id, urn)?;
    let aliases = cloud.aliases(&call.project.id, urn)?;
    let items: Vec<Value> = aliases
        .iter()
        .map(|alias| shown(call, urn, alias))
        .collect();
    Ok(Reply::json(200, &Value::Array(items)))
}

pub(super) fn get(cloud: &Cloud, call: &Call<'_>, urn: &Urn, name: &str) -> Result<Reply, Refusal> {
    cloud.latest(&call.project.id, urn)?;
    let alias = cloud.alias(&call.project.id, urn, name)?;
    Ok(Reply::json(200, &shown(call, urn, &alias)))
}

pub(super) fn delete(
    cloud: &Cloud,
    call: &Call<'_>,
    urn: &Urn,
    name: &str,
) -> Result<Reply, Refusal> {
    let _writing = cloud.writing();
    cloud.latest(&call.project.id, urn)?;
    cloud.alias(&call.project.id, urn, name)?;
    let batch = Batch::default().remove(ALIASES, &key(call, urn, name));
    cloud.store.write(&batch)?;
    Ok(Reply::empty(204))
}

/// The version that one call through an alias goes to: the first additional one whose rules match,
/// else by weight.
pub(super) fn pick(alias: &Alias, request: &Request) -> String {
    if let Some((version, _)) = alias
        .strategy
        .iter()
        .find(|(_, rules)| matches(rules, request))
    {
        return version.clone();
    }
    let mut drawn = fastrand::i64(0..100);
    for (version, share) in &alias.weights {
        drawn -= share.as_i64().unwrap_or_default();
        if drawn < 0 {
            return version.clone();
        }
    }
    alias.version.clone()
}

/// Alias page: `combine_type` `and` or `or`; rules on a header, `=` or `in` with a list separated
/// by commas.
fn matches(strategy: &Value, request: &Request) -> bool {
    let text = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rules = strategy.get("rules").and_then(Value::as_array);
    let results: Vec<bool> = rules
        .into_iter()
        .flatten()
        .map(|rule| {
            let wanted = text(rule, "value");
            let sent = request.header(&text(rule, "param"));
            sent.is_some_and(|sent| match text(rule, "op").as_str() {
                "in" => wanted.split(',').any(|one| one.trim() == sent),
                _ => wanted == sent,
            })
        })
        .collect();
    match text(strategy, "combine_type").as_str() {
        "or" => results.contains(&true),
        _ => !results.is_empty() && !results.contains(&false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(weights: Value, strategy: Value) -> Alias {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        Alias {
            name: "a".into(),
            version: "main".into(),
            description: String::new(),
            weights: map(weights),
            strategy: map(strategy),
            modified_ms: 0,
        }
    }

    fn request(headers: &[(&str, &str)]) -> Request {
        Request {
            method: "POST".into(),
            target: "/".into(),
            headers: headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            body: bytes::Bytes::new(),
            too_large: false,
        }
    }

    #[test]
    fn weights_share_the_calls() {
        let none = request(&[]);
        assert_eq!(pick(&alias(json!({}), json!({})), &none), "main");
        assert_eq!(pick(&alias(json!({"new": 100}), json!({})), &none), "new");
        let half = alias(json!({"new": 50}), json!({}));
        let new = (0..400).filter(|_| pick(&half, &none) == "new").count();
        assert!((120..280).contains(&new), "{new}");
    }

    #[test]
    fn rules_win() {
        let rule = |param: &str, op: &str, value: &str| json!({"rule_type": "Header", "param": param, "op": op, "value": value});
        let rules = [rule("X-Who", "=", "me"), rule("x-zone", "in", "a, b")];
        let chosen = |combine: &str, headers: &[(&str, &str)]| {
            let strategy = json!({"new": {"combine_type": combine, "rules": rules}});
            pick(&alias(json!({}), strategy), &request(headers))
        };
        assert_eq!(chosen("and", &[("x-who", "me"), ("X-Zone", "b")]), "new");
        assert_eq!(chosen("and", &[("x-who", "me")]), "main");
        assert_eq!(chosen("or", &[("x-zone", "a")]), "new");
        assert_eq!(chosen("or", &[("x-zone", "c")]), "main");
    }
}
