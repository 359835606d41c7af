//! `--json` and `--param` → one JSON document. No value is parsed into a tree: numbers of any size
//! and spelling arrive as they were given.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One `--param`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The member's name.
    pub name: String,
    /// Its value, as JSON text.
    pub json: String,
}

impl FromStr for Param {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let json = match serde_json::from_str::<&RawValue>(value) {
                    Ok(json) => json.get().to_owned(),
                    Err(_) => quoted(value),
                };
                Ok(Self {
                    name: name.to_owned(),
                    json,
                })
            }
            _ => Err("write name=value".to_owned()),
        }
    }
}

/// The document: what `--json` says, with each parameter put in.
pub(super) fn document(
    json: Option<&str>,
    params: &[Param],
    input: &mut dyn Read,
) -> Result<String, String> {
    for (index, param) in params.iter().enumerate() {
        if params[..index]
            .iter()
            .any(|earlier| earlier.name == param.name)
        {
            return Err(format!(
                "--param {} is given twice; give it once",
                param.name
            ));
        }
    }
    let text = match json {
        Some(source) => read(source, input)?,
        None => "{}".to_owned(),
    };
    if params.is_empty() {
        let document: &RawValue =
            serde_json::from_str(&text).map_err(|error| format!("--json is not JSON: {error}"))?;
        return Ok(document.get().to_owned());
    }
    let Members(mut members) = serde_json::from_str(&text)
        .map_err(|error| format!("--json must be a JSON object for --param to add to: {error}"))?;
    for param in params {
        put(&mut members, param);
    }
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, json)| format!("{}:{json}", quoted(&name)))
        .collect();
    Ok(format!("{{{}}}", members.join(",")))
}

fn read(source: &str, input: &mut dyn Read) -> Result<String, String> {
    if source == "-" {
        let mut text = String::new();
        return match input.read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("standard input cannot be read ({error})")),
        };
    }
    match source.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| format!("{file} cannot be read ({error})")),
        None => Ok(source.to_owned()),
    }
}

/// Puts the value in the member's first place; later members of that name go.
fn put(members: &mut Vec<(String, String)>, param: &Param) {
    let mut placed = false;
    members.retain_mut(|(name, json)| {
        if *name != param.name {
            return true;
        }
        json.clone_from(&param.json);
        !std::mem::replace(&mut placed, true)
    });
    if !placed {
        members.push((param.name.clone(), param.json.clone()));
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The members of an object in their order, values as text.
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, json)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, json.get().to_owned()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(json: Option<&str>, params: &[&str], input: &str) -> Result<String, String> {
        let params: Vec<Param> = params.iter().map(|text| text.parse().unwrap()).collect();
        document(json, &params, &mut input.as_bytes())
    }

    #[test]
    fn values_are_json_where_they_can_be() {
        let json = |text: &str| text.parse::<Param>().unwrap().json;
        assert_eq!(json("a=5"), "5");
        assert_eq!(json("a=true"), "true");
        assert_eq!(json("a=\"5\""), "\"5\"");
        assert_eq!(json("a=007"), "\"007\"");
        assert_eq!(json("a=x=y"), "\"x=y\"");
        assert_eq!(json("a="), "\"\"");
        assert_eq!(json("a={\"b\": [1]}"), "{\"b\": [1]}");
        assert_eq!(json("a=1e400"), "1e400");
        assert!("a".parse::<Param>().is_err() && "=1".parse::<Param>().is_err());
    }

    #[test]
    fn nothing_given_is_an_empty_object() {
        assert_eq!(made(None, &[], ""), Ok("{}".to_owned()));
        assert_eq!(
            made(None, &["b=1", "a=x"], ""),
            Ok("{\"b\":1,\"a\":\"x\"}".to_owned())
        );
    }

    #[test]
    fn a_document_alone_passes_byte_for_byte() {
        let text = "{\"n\": 12345678901234567890.10, \"n\" : 1E2 }";
        assert_eq!(made(Some(text), &[], ""), Ok(text.to_owned()));
        assert_eq!(made(Some("-"), &[], "[1, 2]\n"), Ok("[1, 2]".to_owned()));
    }

    #[test]
    fn parameters_replace_in_place_and_keep_the_rest_exact() {
        let text = "{\"n\": 12345678901234567890.10, \"b\": 1, \"a\": 2, \"b\": 3}";
        assert_eq!(
            made(Some(text), &["b=9", "c=1"], ""),
            Ok("{\"n\":12345678901234567890.10,\"b\":9,\"a\":2,\"c\":1}".to_owned())
        );
    }

    #[test]
    fn files_are_read_and_mistakes_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"a\":1}\n").unwrap();
        let source = format!("@{}", file.path().display());
        assert_eq!(
            made(Some(&source), &["b=2"], ""),
            Ok("{\"a\":1,\"b\":2}".to_owned())
        );
        assert!(
            made(Some("@/no/such"), &[], "")
                .unwrap_err()
                .contains("/no/such cannot be read")
        );
        assert!(
            made(Some("{"), &[], "")
                .unwrap_err()
                .contains("is not JSON")
        );
        assert!(made(Some("{} x"), &[], "").is_err());
        assert!(
            made(Some("[1]"), &["a=1"], "")
                .unwrap_err()
                .contains("must be a JSON object")
        );
        assert!(
            made(None, &["a=1", "a=2"], "")
                .unwrap_err()
                .contains("given twice")
        );
    }
}
