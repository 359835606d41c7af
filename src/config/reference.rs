//! The key table as Markdown, for the README.

use std::fmt::Write as _;

use super::keys::{self, Change, Default, Key, Kind};
use super::kind::wanted;

/// One table, a row a key.
#[must_use]
pub fn reference() -> String {
    let mut text =
        String::from("| key | value | default | change | meaning |\n| --- | --- | --- | --- | --- |\n");
    for key in keys::all() {
        let default = match key.default {
            Default::Is(value) => format!("`{value}`"),
            Default::Depends(value) => value.to_owned(),
            Default::Nothing if matches!(key.kind, Kind::Section) => String::new(),
            Default::Nothing => "none".to_owned(),
            Default::Required => "required".to_owned(),
        };
        let path = key.path.replace('*', "<name>");
        let provider = key
            .provider
            .map(|provider| format!(" ({} only)", provider.name()))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{path}`{provider} | {} | {default} | {} | {} |",
            value(key),
            change(key),
            key.doc
        );
    }
    text
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
    fn every_row_has_five_cells() {
        let text = reference();
        assert_eq!(text.lines().count(), keys::all().count() + 2);
        for line in text.lines() {
            assert_eq!(line.matches('|').count(), 6, "{line}");
        }
        assert!(
            text.contains(
                "| `targets.<name>.site` (ncp only) | `public`, `fin`, `gov` | `public` | reload |"
            )
        );
    }
}
