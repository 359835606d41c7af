//! Keeps the tables of codes and reasons in `docs/errors.md` as the code has them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use http::StatusCode;

use super::ErrorRow;
use crate::error::{Kind, reason};
use crate::provider::status::by_http_status;
use crate::provider::{functiongraph, ncp};

const BEGIN: &str =
    "<!-- codes and reasons: UPDATE_DOCS=1 cargo test --lib error_row writes them -->";
const END: &str = "<!-- end of codes and reasons -->";

/// Every table of codes, with its title.
const TABLES: &[(&str, &[ErrorRow])] = &[
    ("Codes of ncp", ncp::ERROR_ROWS),
    ("Codes of functiongraph", functiongraph::ERROR_ROWS),
    ("Codes of a run on functiongraph", functiongraph::RUN_ROWS),
];

/// `NotFound` as gRPC spells it.
fn code(kind: Kind) -> String {
    let mut code = String::new();
    for character in format!("{kind:?}").chars() {
        if character.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(character.to_ascii_uppercase());
    }
    code
}

fn again(transient: bool) -> &'static str {
    if transient { "yes" } else { "no" }
}

fn row(out: &mut String, row: &ErrorRow) {
    let mut when = row.code.to_owned();
    if let Some(first) = row.words.first() {
        write!(when, " \"{first}\"").unwrap();
    }
    match (*row.statuses.start(), *row.statuses.end()) {
        (0, _) => {}
        (from, to) if from == to => write!(when, " under {from}").unwrap(),
        (from, u16::MAX) => write!(when, " under {from} and above").unwrap(),
        (from, to) => write!(when, " under {from} to {to}").unwrap(),
    }
    writeln!(
        out,
        "| {when} | {} | `{}` | {} | {} | {} |",
        code(row.kind),
        row.reason,
        row.execution.as_str(),
        again(row.transient),
        row.help
    )
    .unwrap();
}

fn tables() -> String {
    let mut out =
        String::from("\n## Reasons\n\n| reason | code | cause | do |\n| --- | --- | --- | --- |\n");
    for (symbol, kind, text) in reason::DOCUMENTED {
        let (cause, remedy) = text.trim().split_once(" Do: ").expect(symbol);
        writeln!(out, "| `{symbol}` | {} | {cause} | {remedy} |", code(*kind)).unwrap();
    }
    out.push_str(
        "\n## An answer without a documented code\n\n| HTTP status | code | reason | execution | transient |\n| --- | --- | --- | --- | --- |\n",
    );
    let mut last = String::new();
    for status in 200..=600 {
        let error = by_http_status(StatusCode::from_u16(status).unwrap());
        let meaning = format!(
            "{} | `{}` | {} | {}",
            code(error.kind),
            error.reason,
            error.execution.as_str(),
            again(error.transient)
        );
        if meaning != last {
            writeln!(out, "| from {status} | {meaning} |").unwrap();
            last = meaning;
        }
    }
    for (title, rows) in TABLES {
        writeln!(out, "\n## {title}\n\n| code | gRPC code | reason | execution | transient | meaning |\n| --- | --- | --- | --- | --- | --- |").unwrap();
        rows.iter().for_each(|found| row(&mut out, found));
    }
    out.push('\n');
    out
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a developer asks for new tables so"
)]
fn the_document_has_every_code_and_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let docs = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = docs
        .split_once(BEGIN)
        .expect("the line that begins the tables");
    let (_, after) = rest.split_once(END).expect("the line that ends the tables");
    let proven = format!("{before}{BEGIN}\n{}{END}{after}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &proven).unwrap();
    }
    assert!(
        docs == proven,
        "docs/errors.md is not what the tables say; UPDATE_DOCS=1 writes it anew"
    );
}

#[test]
fn every_row_is_complete_and_reached() {
    for (title, rows) in TABLES {
        let mut general = BTreeSet::new();
        for row in *rows {
            assert!(
                !row.code.is_empty() && !row.reason.is_empty(),
                "{title} {row:?}"
            );
            assert!(row.help.ends_with('.'), "{title} {row:?}");
            assert!(
                !general.contains(row.code),
                "{title}: never reached: {row:?}"
            );
            if row.words.is_empty() && *row.statuses.start() == 0 {
                general.insert(row.code);
            }
            assert!(
                row.words
                    .iter()
                    .all(|words| words.to_ascii_lowercase() == **words),
                "{row:?}"
            );
        }
        assert!(rows.iter().all(|row| general.contains(row.code)), "{title}");
    }
}

/// Product code names a reason by its constant.
#[test]
fn no_error_is_made_of_a_literal_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for made in product.split("Error::new(").skip(1) {
                let (kind, rest) = made.split_once(',').unwrap_or_default();
                assert!(
                    !kind.trim_start().starts_with("Kind::") || !rest.trim_start().starts_with('"'),
                    "{}: {kind}, {rest:.40}",
                    path.display()
                );
            }
        }
    }
}
