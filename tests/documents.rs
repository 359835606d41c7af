//! The documents hold together: every link leads to a page and a heading that exist.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

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
