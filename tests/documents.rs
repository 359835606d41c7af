//! The documents hold together: every link leads to a page and a heading that exist, and every
//! document of a cloud that is cited by its short name stands in `docs/sources.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends there"
)]

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Folders that hold no document of ours.
const LEFT_OUT: &[&str] = &["target", ".git", "node_modules"];

/// Documents of the OpenTelemetry semantic conventions, which have a folder `docs` too.
const OF_OTHERS: &[&str] = &["docs/faas/", "docs/general/", "docs/http/", "docs/rpc/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` whose names end in one of `endings`, by their paths in the repository.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !LEFT_OUT.contains(&name) {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// `path` without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// A document without its blocks and spans of code, which may show links that are none.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for (at, block) in text.split("```").enumerate() {
        if at % 2 == 0 {
            let spans = block.split('`').enumerate();
            prose.extend(spans.filter(|(at, _)| at % 2 == 0).map(|(_, span)| span));
        }
    }
    prose
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !in_code) else {
            continue;
        };
        let anchor: String = heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(again)
            .find(|anchor| !anchors.contains(anchor));
        anchors.insert(free.unwrap());
    }
    anchors
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let documents = files("", &[".md"]);
    assert!(documents.len() > 10, "found {documents:?}");
    for document in &documents {
        let text = prose(&read(document));
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (page, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if page.is_empty() {
                document.clone()
            } else {
                normal(&document.parent().unwrap().join(page))
            };
            let there = root().join(&target).exists()
                && (anchor.is_empty() || anchors(&read(&target)).contains(anchor));
            if !there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// Code, charts and rules name documents too, such as the runbooks of alerts.
#[test]
fn every_document_that_is_named_exists() {
    let endings = [
        ".rs", ".proto", ".yaml", ".tpl", ".txt", ".py", ".json", ".toml", "run",
    ];
    let mut missing = Vec::new();
    for folder in [
        "src",
        "crates",
        "proto",
        "tests",
        "helm",
        "packaging",
        "fuzz",
    ] {
        for file in files(folder, &endings) {
            let text = read(&file);
            for (at, _) in text.match_indices("docs/") {
                let is_of_path = |letter: char| {
                    letter.is_ascii_alphanumeric() || matches!(letter, '/' | '-' | '_' | '.')
                };
                let path = text[at..]
                    .split(|letter| !is_of_path(letter))
                    .next()
                    .unwrap();
                let Some((page, _)) = path.split_once(".md") else {
                    continue;
                };
                let page = format!("{page}.md");
                if !OF_OTHERS.iter().any(|of| page.starts_with(of)) && !root().join(&page).exists()
                {
                    missing.push(format!("{}: {page}", file.display()));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "no such document:\n{}",
        missing.join("\n")
    );
}

/// The short names of `docs/sources.md`. Each row has an address and says when it was read.
fn short_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in read(Path::new("docs/sources.md")).lines() {
        let Some(row) = line.strip_prefix("| `") else {
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [name, _document, address, edition, date, ""] = cells[..] else {
            panic!("a row has five cells: {line}");
        };
        assert!(
            address.contains("<https://") && !edition.is_empty() && date.starts_with("20"),
            "a row has address, edition and date: {line}"
        );
        let new = names.insert(name.trim_end_matches('`').to_owned());
        assert!(new, "{name} has two rows");
    }
    names
}

/// The short names in brackets of a page, such as `[postaction]` or `[oas, tf]`.
fn names_in_brackets(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices('[') {
        let Some((inside, after)) = text[at + 1..].split_once(']') else {
            continue;
        };
        let is_of_name = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || ":_-.".contains(letter)
        };
        if after.starts_with('(') {
            continue;
        }
        let parts = inside.split(',').map(str::trim);
        if parts.clone().all(|name| {
            name.starts_with(|letter: char| letter.is_ascii_lowercase())
                && name.chars().all(is_of_name)
        }) {
            names.extend(parts.map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_source_of_the_reference_is_listed() {
    let known = short_names();
    let mut unknown = BTreeSet::new();
    for page in files("docs/reference", &[".md"]) {
        for name in names_in_brackets(&prose(&read(&page))) {
            let sites = ["fin:", "gov:", "guide:", "guide-fin:", "guide-gov:"];
            let page_name = sites.iter().find_map(|site| name.strip_prefix(site));
            if !known.contains(page_name.unwrap_or(&name)) {
                unknown.insert(format!("{}: [{name}]", page.display()));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "docs/sources.md has no row for: {unknown:#?}"
    );
}

/// The short name that a word of a comment stands for, if it is one.
fn cited(word: &str, line: &str) -> Option<String> {
    let word = word.trim_matches('-');
    let operation = ["compute-cloudfunctions-v2-", "compute-cloudfunctions-"]
        .iter()
        .find_map(|all| word.strip_prefix(all))
        .unwrap_or(word);
    let verbs = ["get", "put", "post", "delete"];
    let objects = ["package", "action", "trigger", "activation"];
    let is_operation = verbs
        .iter()
        .filter_map(|verb| operation.strip_prefix(verb))
        .any(|rest| objects.iter().any(|object| rest.starts_with(object)));
    if is_operation && operation.chars().all(|letter| letter.is_ascii_lowercase()) {
        return Some(operation.to_owned());
    }
    let pages = [
        "api-call-",
        "cloudfunctions-",
        "common-ncp",
        "compute-",
        "management-",
    ];
    let chapters = ["cce_1", "ecs_0", "functiongraph_0", "iam_0", "iam_3"];
    if pages
        .iter()
        .chain(&chapters)
        .any(|begin| word.starts_with(begin))
        && !operation.is_empty()
    {
        return Some(word.to_owned());
    }
    // "`functiongraph_06_0105`, 0108"
    let is_chapter = word.len() == 4 && word.starts_with("01");
    (is_chapter && line.contains("functiongraph_06_")).then(|| format!("functiongraph_06_{word}"))
}

#[test]
fn every_source_that_code_cites_is_listed() {
    let known = short_names();
    let mut unknown = BTreeSet::new();
    let mut count = 0;
    for folder in ["src", "crates", "proto", "tests"] {
        for file in files(folder, &[".rs", ".proto"]) {
            for line in read(&file).lines() {
                let Some((_, comment)) = line.split_once("//") else {
                    continue;
                };
                let words = comment.split(|letter: char| {
                    !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
                });
                for name in words.filter_map(|word| cited(word, line)) {
                    count += 1;
                    if !known.contains(&name) {
                        unknown.insert(format!("{}: {name}", file.display()));
                    }
                }
            }
        }
    }
    assert!(count > 60, "found {count} citations");
    assert!(
        unknown.is_empty(),
        "docs/sources.md has no row for: {unknown:#?}"
    );
}
