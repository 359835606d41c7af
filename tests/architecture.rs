//! Who may import whom, file sizes and module docs: the house rules of `docs/architecture.md`,
//! enforced.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms and the rooms that each may use. Arrows point down only; `app`, `cli` and `main` may use
/// all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("admin", &["telemetry"]),
    ("call", &["error", "memory"]),
    ("clock", &[]),
    (
        "config",
        &[
            "credentials",
            "env",
            "proto",
            "provider",
            "settings",
            "transport",
        ],
    ),
    ("credentials", &["call", "clock", "error", "settings"]),
    ("env", &[]),
    ("error", &[]),
    (
        "grpc",
        &[
            "call",
            "error",
            "json",
            "memory",
            "names",
            "proto",
            "target",
            "telemetry",
        ],
    ),
    ("inject", &["settings"]),
    ("json", &["error", "proto"]),
    ("memory", &[]),
    ("names", &["error"]),
    ("proto", &["json"]),
    (
        "provider",
        &[
            "call",
            "clock",
            "credentials",
            "error",
            "json",
            "names",
            "proto",
            "settings",
            "telemetry",
            "transport",
        ],
    ),
    ("settings", &["env"]),
    (
        "target",
        &[
            "credentials",
            "error",
            "names",
            "provider",
            "telemetry",
            "transport",
        ],
    ),
    ("telemetry", &["call", "clock", "error"]),
    (
        "transport",
        &[
            "call",
            "clock",
            "credentials",
            "error",
            "memory",
            "settings",
            "telemetry",
        ],
    ),
];

/// Rooms that may use every other.
const KNOW_ALL: &[&str] = &["app", "cli", "fuzzing", "lib", "main"];

/// Rooms inside `provider` that must not know each other.
const CLOUDS: &[&str] = &["ncp", "functiongraph"];

const MAX_LINES: usize = 450;

struct Source {
    /// From the repository's root.
    path: PathBuf,
    /// First component below `src`, without `.rs`; empty below `crates`.
    room: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crates of the workspace beside the sidecar's own.
fn crates() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("crates")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The sidecar's sources.
fn sources() -> Vec<Source> {
    let mut found = below(&root().join("src"));
    for source in &mut found {
        let inner = source.path.strip_prefix("src").unwrap();
        let first = inner.components().next().unwrap().as_os_str();
        source.room = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
    }
    assert!(
        found.len() > 50,
        "the scan found only {} files",
        found.len()
    );
    found
}

/// All sources of the workspace.
fn all_sources() -> Vec<Source> {
    let mut found = sources();
    for folder in crates() {
        let size = found.len();
        found.extend(below(&folder.join("src")));
        assert!(found.len() > size, "{} is empty", folder.display());
    }
    found
}

fn below(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(Source {
                    room: String::new(),
                    text: std::fs::read_to_string(&path).unwrap(),
                    path: path.strip_prefix(root()).unwrap().to_owned(),
                });
            }
        }
    }
    found
}

/// Rooms named after `crate::`, in code only.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            rooms.extend(top_level_names(group));
        } else {
            rooms.insert(name(rest));
        }
    }
    rooms
}

/// `a, b::{c, d}, e}` → a, b, e.
fn top_level_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && c.is_alphabetic() => {
                names.push(name(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let table: BTreeMap<_, BTreeSet<_>> = MAY_USE
        .iter()
        .map(|(room, uses)| (*room, uses.iter().copied().collect()))
        .collect();
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !KNOW_ALL.contains(&source.room.as_str()))
    {
        let Some(allowed) = table.get(source.room.as_str()) else {
            wrong.push(format!(
                "{} is in no room of the table",
                source.path.display()
            ));
            continue;
        };
        for used in used_rooms(&source.text) {
            if used != source.room && !allowed.contains(used.as_str()) {
                wrong.push(format!(
                    "{} must not use crate::{used}",
                    source.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_clouds_do_not_know_each_other() {
    for source in all_sources() {
        let path = source.path.to_str().unwrap();
        for (mine, other) in [(CLOUDS[0], CLOUDS[1]), (CLOUDS[1], CLOUDS[0])] {
            if path.starts_with(&format!("src/provider/{mine}"))
                || path.starts_with(&format!("crates/emulator/src/{mine}"))
            {
                let code = source
                    .text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                for line in code {
                    assert!(
                        !line.contains(&format!("{other}::")),
                        "{path} knows the other cloud: {line}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_crates_use_nothing_of_the_sidecar() {
    for folder in crates() {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            !manifest.contains("faas-sidecar") && !manifest.contains("path ="),
            "{} must depend on no crate of the workspace",
            folder.display()
        );
        let lints = manifest.contains("[lints]\nworkspace = true");
        assert!(lints, "{} has the workspace's lints", folder.display());
    }
}

#[test]
fn the_edge_knows_no_cloud_and_no_http_client() {
    for source in sources() {
        let code: Vec<_> = source
            .text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let uses = |word: &str| code.iter().any(|line| line.contains(word));
        if source.room == "grpc" {
            assert!(
                !uses("reqwest") && !uses("provider::ncp"),
                "{}",
                source.path.display()
            );
        }
        if uses("reqwest::") {
            assert_eq!(
                source.path,
                Path::new("src/credentials/metadata.rs"),
                "reqwest is known in one file only, off the data path"
            );
        }
        if source.room != "grpc"
            && !KNOW_ALL.contains(&source.room.as_str())
            && source.room != "proto"
        {
            assert!(
                !uses("tonic::Status") && !uses("tonic::Code"),
                "{} knows gRPC",
                source.path.display()
            );
        }
    }
}

#[test]
fn files_are_small_and_say_what_lives_in_them() {
    for source in all_sources() {
        let path = source.path.display().to_string();
        let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
        let lines = source.text.lines().count();
        assert!(
            lines <= MAX_LINES,
            "{path} has {lines} lines; the bound is {MAX_LINES}"
        );
        assert!(
            is_test || source.text.starts_with("//!"),
            "{path} must begin with //!"
        );
        assert!(
            source.path.file_name().is_some_and(|name| name != "mod.rs"),
            "{path}: use foo.rs beside foo/"
        );
    }
}

#[test]
fn the_documents_hold_the_keys_as_the_program_knows_them_and_the_two_commands() {
    let read =
        |page| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    assert!(
        read("docs/configuration.md").contains(faas_sidecar::config::reference().trim()),
        "renew docs/configuration.md by `make keys`"
    );
    let readme = read("README.md");
    assert!(
        readme.len() <= 8192,
        "README.md has {} bytes; it may have 8 KiB",
        readme.len()
    );
    for command in ["cargo run --release -- demo", "cargo test"] {
        let first_screen = readme.lines().take(40).any(|line| line == command);
        assert!(
            first_screen,
            "{command} must stay in the README's first screen"
        );
    }
}

#[test]
fn the_scan_reads_imports_of_every_form() {
    let text = "use crate::error::{A, B};\nuse crate::{call::Call, json::{x, y}, names};\nlet a = crate::clock::now();\n// crate::grpc\n";
    let expected: BTreeSet<_> = ["error", "call", "json", "names", "clock"]
        .map(str::to_owned)
        .into();
    assert_eq!(used_rooms(text), expected);
}
