//! Compares answers with `shapes.txt`, member by member in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::Answer;

/// The answers of the file by name.
pub(crate) struct Shapes {
    known: BTreeMap<&'static str, Vec<&'static str>>,
    compared: BTreeSet<&'static str>,
}

/// A member: what may stand there.
#[derive(Default)]
struct Member {
    is_optional: bool,
    types: Vec<&'static str>,
    members: BTreeMap<&'static str, Member>,
    item: Option<Box<Member>>,
}

impl Shapes {
    pub(crate) fn read() -> Self {
        let mut known = BTreeMap::<_, Vec<_>>::new();
        let mut name = "";
        for line in include_str!("shapes.txt").lines().map(str::trim) {
            if let Some(title) = line.strip_prefix("== ") {
                name = title.split(" | ").next().unwrap();
                assert!(
                    known.insert(name, Vec::new()).is_none(),
                    "{name} stands twice"
                );
            } else if !line.is_empty() && !line.starts_with('#') {
                known.get_mut(name).unwrap().push(line);
            }
        }
        let compared = BTreeSet::new();
        Self { known, compared }
    }

    fn lines(&self, name: &str) -> Vec<&'static str> {
        let own = self
            .known
            .get(name)
            .unwrap_or_else(|| panic!("no answer {name}"));
        own.iter()
            .flat_map(|line| match line.strip_prefix("include ") {
                Some(other) => self.lines(other),
                None => vec![*line],
            })
            .collect()
    }

    /// The whole answer: status, headers and body.
    #[track_caller]
    pub(crate) fn check(&mut self, name: &'static str, answer: &Answer) {
        let lines = self.lines(name);
        let mut faults = Vec::new();
        let words = |begin: &str| {
            lines
                .iter()
                .filter_map(|line| line.strip_prefix(begin))
                .collect::<Vec<_>>()
        };
        if let Some(status) = words("HTTP ").last()
            && answer.status.to_string() != *status
        {
            faults.push(format!("the status is {}", answer.status));
        }
        for header in words("header ") {
            let (key, value) = header
                .split_once(" = ")
                .map_or((header, None), |(key, value)| (key, Some(value)));
            match (answer.header(key), value) {
                (None, _) => faults.push(format!("there is no header {key}")),
                (Some(found), Some(value)) if found != value => {
                    faults.push(format!("{key} is {found}"));
                }
                _ => {}
            }
        }
        for header in words("no header ") {
            faults.extend(
                answer
                    .header(header)
                    .map(|value| format!("there is a header {header}: {value}")),
            );
        }
        let has_members = lines.iter().any(|line| is_member(line));
        if lines.contains(&"empty") && !answer.body.is_empty() {
            faults.push("there is a body".to_owned());
        }
        if has_members {
            compare(&answer.json(), &members(&lines), "", &mut faults);
        }
        assert!(
            faults.is_empty(),
            "{name}: {faults:#?}\n{}",
            String::from_utf8_lossy(&answer.body)
        );
        self.compared.insert(name);
    }

    /// A value that stands inside of an answer.
    #[track_caller]
    pub(crate) fn check_value(&mut self, name: &'static str, value: &Value) {
        let mut faults = Vec::new();
        compare(value, &members(&self.lines(name)), "", &mut faults);
        assert!(faults.is_empty(), "{name}: {faults:#?}\n{value}");
        self.compared.insert(name);
    }

    /// Every answer whose name begins so was compared, but for lines that others include.
    #[track_caller]
    pub(crate) fn all_were_compared(&self, beginnings: &[&str]) {
        let missed: Vec<_> = self
            .known
            .keys()
            .filter(|name| {
                beginnings.iter().any(|begin| name.starts_with(begin)) && !name.ends_with(" common")
            })
            .filter(|name| !self.compared.contains(**name))
            .collect();
        assert!(missed.is_empty(), "never compared: {missed:?}");
    }
}

fn is_member(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or_default();
    !matches!(first, "HTTP" | "header" | "no" | "empty" | "include")
}

fn members(lines: &[&'static str]) -> Member {
    let mut root = Member::default();
    for line in lines.iter().filter(|line| is_member(line)) {
        let (path, types) = line.split_once(' ').unwrap();
        let (path, is_optional) = path
            .strip_prefix('?')
            .map_or((path, false), |path| (path, true));
        let mut at = &mut root;
        for step in path.split('.') {
            let name = step.trim_end_matches("[]");
            if !name.is_empty() {
                at = at.members.entry(name).or_default();
            }
            for _ in 0..step.matches("[]").count() {
                at = at.item.get_or_insert_default();
            }
        }
        at.types = types.split('|').collect();
        at.is_optional = is_optional;
    }
    root
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn compare(value: &Value, wanted: &Member, path: &str, faults: &mut Vec<String>) {
    if !wanted.types.is_empty() {
        if !wanted.types.contains(&type_of(value)) && !wanted.types.contains(&"any") {
            faults.push(format!(
                "{path} is {} instead of {:?}",
                type_of(value),
                wanted.types
            ));
        }
        return;
    }
    match (value, &wanted.item) {
        (Value::Array(items), Some(wanted)) => {
            if items.is_empty() {
                faults.push(format!("{path} is empty, so that nothing was compared"));
            }
            for item in items {
                compare(item, wanted, &format!("{path}[]"), faults);
            }
        }
        (Value::Object(found), None) => {
            for (name, value) in found {
                match wanted.members.get(name.as_str()) {
                    Some(wanted) => compare(value, wanted, &format!("{path}.{name}"), faults),
                    None => faults.push(format!("{path}.{name} is in no document")),
                }
            }
            for (name, member) in &wanted.members {
                if !member.is_optional && !found.contains_key(*name) {
                    faults.push(format!("{path}.{name} is missing"));
                }
            }
        }
        (other, _) => faults.push(format!("{path} is {}", type_of(other))),
    }
}

#[test]
fn a_member_that_is_missing_extra_or_of_another_type_is_found() {
    let wanted = members(&["a.b[].c integer", "?a.d string", "e object|null"]);
    let faults = |value: Value| {
        let mut faults = Vec::new();
        compare(&value, &wanted, "", &mut faults);
        faults
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert!(
        faults(json(
            r#"{"a": {"b": [{"c": 1}, {"c": 2}], "d": "x"}, "e": {"z": 1}}"#
        ))
        .is_empty()
    );
    assert!(faults(json(r#"{"a": {"b": [{"c": 1}]}, "e": null}"#)).is_empty());
    for (text, part) in [
        (r#"{"a": {"b": [{"c": 1}]}}"#, ".e is missing"),
        (
            r#"{"a": {"b": [{"c": 1}, {}]}, "e": null}"#,
            ".a.b[].c is missing",
        ),
        (
            r#"{"a": {"b": [{"c": "1"}]}, "e": null}"#,
            ".a.b[].c is string",
        ),
        (
            r#"{"a": {"b": [{"c": 1, "x": 2}]}, "e": null}"#,
            ".a.b[].x is in no document",
        ),
        (r#"{"a": {"b": []}, "e": null}"#, ".a.b is empty"),
        (r#"{"a": {"b": {}}, "e": null}"#, ".a.b is object"),
        (r#"{"a": {"b": [{"c": 1.5}]}, "e": []}"#, ".e is array"),
    ] {
        assert!(
            faults(json(text)).iter().any(|fault| fault.contains(part)),
            "{part}: {:?}",
            faults(json(text))
        );
    }
}
