use super::*;
use crate::config::tests::EXAMPLE;

/// As much of JSON Schema as ours uses; an unknown keyword is a failure, so that none goes
/// unchecked.
fn accepts(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let no = |why: &str| Err(format!("{value} against {why}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        let good = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "$comment" | "format" => true,
            "$ref" => {
                let target = root
                    .pointer(rule.as_str().unwrap().trim_start_matches('#'))
                    .unwrap();
                accepts(root, target, value)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is(name, value)),
                name => is(name, value),
            },
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().unwrap()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(rule.as_str().unwrap(), text)),
            "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
            "minItems" => value.as_array().is_none_or(|items| !items.is_empty()),
            "minProperties" => value.as_object().is_none_or(|map| !map.is_empty()),
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|one| accepts(root, one, value).is_ok()),
            "oneOf" => {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| accepts(root, one, value).is_ok())
                    .count()
                    == 1
            }
            "required" => value.as_object().is_none_or(|map| {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .all(|name| map.contains_key(name.as_str().unwrap()))
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    accepts(root, rule, item)?;
                }
                true
            }
            "propertyNames" => {
                for name in value.as_object().into_iter().flat_map(Map::keys) {
                    accepts(root, rule, &Value::from(name.as_str()))?;
                }
                true
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        accepts(root, rule, value)?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    if rule == &Value::Bool(false) {
                        return no(&format!("no key {name}"));
                    }
                    accepts(root, rule, value)?;
                }
                true
            }
            other => panic!("keyword {other}"),
        };
        if !good {
            return no(&format!("{keyword}: {rule}"));
        }
    }
    Ok(())
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

/// The patterns of the table, each by a rule of the code that it stands for.
fn matches(pattern: &str, text: &str) -> bool {
    let rule = keys::all().find_map(|key| match key.kind {
        Kind::Text(rule) if rule.pattern == pattern => Some(rule),
        _ => None,
    });
    match pattern {
        DURATION_PATTERN => crate::config::units::parse_duration(text).is_ok(),
        SIZE_PATTERN => crate::config::units::parse_size(text).is_ok(),
        "^https?://" => text.starts_with("http://") || text.starts_with("https://"),
        "^[^/]+/[^/]+$" => text.split('/').count() == 2,
        _ => (rule.unwrap().obeys)(text),
    }
}

fn check(yaml: &str) -> Result<(), String> {
    let root: Value = serde_json::from_str(&schema()).unwrap();
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    accepts(&root, &root, &value)
}

#[test]
fn the_example_of_the_contract_passes() {
    check(EXAMPLE).unwrap();
    check("log: ~\ntargets: { t: { provider: ncp, api_version: 2.1, retry: ~, wait: ~ } }")
        .unwrap();
}

#[test]
fn what_the_check_refuses_the_schema_refuses() {
    for text in [
        "listen: 127.0.0.1:1",
        "targets: {}",
        "targets: { t: {} }",
        "targets: { t: { provider: aws } }",
        "targets: { 'a b': { provider: ncp } }",
        "targets: { t: { provider: ncp, project_id: x } }",
        "targets: { t: { provider: functiongraph, project_id: 0123456789abcdef0123456789abcdef } }",
        "targets: { t: { provider: ncp, credentials: { source: iam_password } } }",
        "targets: { t: { provider: ncp, access_key: x } }",
        "targets: { t: { provider: ncp, wait: 5 } }",
        "targets: { t: { provider: ncp, retry: { max_attempts: 11 } } }",
        "targets: { t: { provider: ncp, retry: { budget: { ratio: 1.1 } } } }",
        "threads: 0\ntargets: { t: { provider: ncp } }",
        "lisen: x\ntargets: { t: { provider: ncp } }",
    ] {
        assert!(check(text).is_err(), "{text}");
        assert!(
            crate::config::tests::with(text, &[], &[]).is_err(),
            "{text}"
        );
    }
}

#[test]
fn what_is_shown_as_effective_passes() {
    let config = crate::config::tests::good(EXAMPLE);
    check(&crate::config::effective(&config)).unwrap();
}

#[test]
fn every_key_is_in_it() {
    let text = schema();
    for key in keys::all() {
        let doc = serde_json::to_string(key.doc).unwrap();
        assert!(text.contains(doc.trim_matches('"')), "{}", key.path);
    }
}
