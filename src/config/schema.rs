//! The key table as a JSON Schema (draft 2020-12), for editors and for pipelines that check files.
//!
//! It says what one key may hold and which keys a provider has; the rules that join several keys
//! (sites and versions, timeouts within timeouts) are beyond it and are told by `check` alone.

use serde_json::{Map, Value, json};

use super::keys::{self, Default, Key, Kind};
use crate::provider::CLOUD_NAMES;
use crate::settings::units::{DURATION_PATTERN, SIZE_PATTERN};
use crate::settings::{TARGET_NAME, wanted};

/// The schema, indented, with a final line end.
#[must_use]
pub fn schema() -> String {
    let mut root = object("", None);
    root.insert(
        "$schema".into(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    root.insert("title".into(), "faas-sidecar configuration".into());
    root.insert("required".into(), json!(["targets"]));
    let definitions: Map<String, Value> = CLOUD_NAMES
        .iter()
        .map(|cloud| {
            let keys = object("targets.*", Some(cloud));
            ((*cloud).to_owned(), Value::Object(keys))
        })
        .collect();
    root.insert("$defs".into(), Value::Object(definitions));
    format!("{:#}\n", Value::Object(root))
}

/// The map of keys below a path; for a target, those of its provider.
fn object(path: &str, provider: Option<&str>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in keys::below(path, provider) {
        let full = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        let keys::Lookup::Known(key) = keys::find(&full, provider) else {
            continue;
        };
        if key.default == Default::Required {
            required.push(name);
        }
        properties.insert(name.to_owned(), property(key, provider));
    }
    let mut object = Map::new();
    object.insert("type".into(), "object".into());
    object.insert("properties".into(), Value::Object(properties));
    object.insert("additionalProperties".into(), Value::Bool(false));
    if !required.is_empty() {
        object.insert("required".into(), json!(required));
    }
    object
}

fn property(key: &Key, provider: Option<&str>) -> Value {
    let mut schema = match (key.kind, key.path) {
        (Kind::Section, path) => nullable(Value::Object(object(path, provider))),
        (Kind::Targets, _) => targets(),
        // Within a provider's own definition the word is settled.
        (Kind::Word(_), "targets.*.provider") if provider.is_some() => {
            fields(json!({ "const": provider }))
        }
        (kind, _) => nullable(of(kind)),
    };
    let default = match key.default {
        Default::Is(text) => format!(" Default: {text}."),
        Default::Depends(text) => format!(" Default: {text}."),
        Default::Nothing | Default::Required => String::new(),
    };
    schema.insert("description".into(), format!("{}{default}", key.doc).into());
    Value::Object(schema)
}

fn targets() -> Map<String, Value> {
    let choice: Vec<Value> = CLOUD_NAMES
        .iter()
        .map(|name| json!({ "$ref": format!("#/$defs/{name}") }))
        .collect();
    fields(json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "pattern": TARGET_NAME.pattern },
        "additionalProperties": { "oneOf": choice },
    }))
}

fn of(kind: Kind) -> Value {
    match kind {
        Kind::Section | Kind::Targets => json!({ "type": "object" }),
        Kind::Text(rule) => json!({ "type": ["string", "integer"], "pattern": rule.pattern }),
        Kind::Word(words) => json!({ "enum": spellings(words) }),
        Kind::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number(min, max) => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Duration(..) => {
            json!({ "type": "string", "pattern": DURATION_PATTERN, "$comment": wanted(kind) })
        }
        Kind::Size(..) => {
            json!({ "type": ["integer", "string"], "pattern": SIZE_PATTERN, "$comment": wanted(kind) })
        }
        Kind::Listen => json!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] }),
        Kind::Admin | Kind::Address => json!({ "type": "string" }),
        Kind::Url => json!({ "type": "string", "format": "uri", "pattern": "^https?://" }),
        Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Texts(rule) => {
            json!({ "type": "array", "items": { "type": ["string", "number", "boolean"], "pattern": rule.pattern } })
        }
        Kind::Patterns => {
            json!({ "type": "array", "items": { "type": "string", "pattern": "^[^/]+/[^/]+$" } })
        }
        Kind::Allow => json!({ "type": "array", "items": {
            "type": "object",
            "properties": {
                "actions": of(Kind::Patterns),
                "triggers": { "type": "array", "items": { "type": "string", "pattern": "^[^/]+$" } },
                "operations": { "type": "array", "items": { "enum": keys::OPERATIONS } },
            },
            "additionalProperties": false,
            "required": ["operations"],
        } }),
    }
}

/// The words, and those that look like numbers as numbers too: `api_version: 2.1` needs no quotes
/// here.
fn spellings(words: &[&str]) -> Vec<Value> {
    let numbers = words
        .iter()
        .filter_map(|word| word.parse::<f64>().ok())
        .map(Value::from);
    words
        .iter()
        .map(|word| Value::from(*word))
        .chain(numbers)
        .collect()
}

/// An empty value counts as absent.
fn nullable(schema: Value) -> Map<String, Value> {
    let mut schema = fields(schema);
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    if let Some(Value::Array(choice)) = schema.get_mut("anyOf") {
        choice.push(json!({ "type": "null" }));
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push("null".into()),
        Some(one) => *one = json!([one.take(), "null"]),
        None => {}
    }
    schema
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
