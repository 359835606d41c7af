//! The tables of keys as Markdown, for docs/configuration.md.

use std::fmt::Write as _;

use super::keys::{self, Change, Default, Key, Kind};
use crate::settings::wanted;

/// One table for each section, a row a key; keys outside of any section come first.
#[must_use]
pub fn reference() -> String {
    let mut groups: Vec<(String, Vec<&Key>)> = Vec::new();
    for key in keys::all() {
        let group = group(key);
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((group, vec![key])),
        }
    }
    let mut text = String::new();
    for (name, keys) in groups {
        let title = if name.is_empty() {
            "The process".to_owned()
        } else {
            format!("`{name}`")
        };
        let _ = writeln!(text, "### {title}\n");
        let (heads, rows): (Vec<&Key>, Vec<&Key>) =
            keys.into_iter().partition(|key| written(key) == name);
        for head in heads {
            let _ = writeln!(text, "{}\n", head.doc);
        }
        if !rows.is_empty() {
            text.push_str(
                "| key | value | default | change | meaning |\n| --- | --- | --- | --- | --- |\n",
            );
            rows.into_iter().for_each(|key| text.push_str(&row(key)));
            text.push('\n');
        }
    }
    text
}

/// The section that a key stands in: the first step of its path, or the third for a target's.
fn group(key: &Key) -> String {
    let path = written(key);
    let steps: Vec<_> = path.split('.').collect();
    let own = if steps[0] == "targets" { 2 } else { 0 };
    let length = match (steps.len(), key.kind) {
        (length, Kind::Section) => length.min(own + 1),
        (length, _) => (length - 1).min(own + 1),
    };
    steps[..length].join(".")
}

fn written(key: &Key) -> String {
    key.path.replace('*', "<name>")
}

fn row(key: &Key) -> String {
    let default = match key.default {
        Default::Is(value) => format!("`{value}`"),
        Default::Depends(value) => value.to_owned(),
        Default::Nothing if matches!(key.kind, Kind::Section) => String::new(),
        Default::Nothing => "none".to_owned(),
        Default::Required => "required".to_owned(),
    };
    let provider = key
        .provider
        .map(|provider| format!(" ({provider} only)"))
        .unwrap_or_default();
    format!(
        "| `{}`{provider} | {} | {default} | {} | {} |\n",
        written(key),
        value(key),
        change(key),
        key.doc
    )
}

/// How a change takes effect; a section has no value of its own to change.
fn change(key: &Key) -> &'static str {
    match (key.kind, key.change) {
        (Kind::Section, _) => "",
        (_, Change::Reload) => "reload",
        (_, Change::Restart) => "restart",
    }
}

fn value(key: &Key) -> String {
    match key.kind {
        Kind::Word(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        kind => wanted(kind)
            .trim_start_matches("a ")
            .trim_start_matches("an ")
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_the_table_of_its_section_in_five_cells() {
        let text = reference();
        for key in keys::all() {
            let path = written(key);
            let row = text.contains(&format!("| `{path}`"));
            assert!(
                row || text.contains(&format!("### `{path}`\n\n{}\n", key.doc)),
                "{path}"
            );
        }
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            assert_eq!(line.matches('|').count(), 6, "{line}");
        }
        let budget = text
            .split("### ")
            .find(|part| part.starts_with("`targets.<name>.retry`"));
        assert!(
            budget
                .unwrap()
                .contains("| `targets.<name>.retry.budget.ratio` |")
        );
        assert!(text.contains(
            "| `targets.<name>.site` (ncp only) | `public`, `fin`, `gov` | `public` | reload |"
        ));
    }
}
