//! The configuration as it holds, every default filled in. What is printed loads again as the same
//! configuration, and names the sources of secrets, never a secret.

use std::fmt::Write as _;

use super::Config;
use crate::provider::CLOUDS;

/// As YAML, with a comment a target that says which variables or files hold its keys.
#[must_use]
pub fn effective(config: &Config) -> String {
    let mut text = String::new();
    match &config.file {
        Some(file) => {
            let _ = writeln!(
                text,
                "# Read from {}, the environment and flags; defaults filled in.",
                file.display()
            );
        }
        None => {
            let _ = writeln!(
                text,
                "# No file was given: one target of {} is assumed.",
                CLOUDS[0].about
            );
        }
    }
    for (name, target) in &config.targets {
        let _ = writeln!(
            text,
            "# Target {name} takes its keys from {}.",
            target.credentials.source.described()
        );
    }
    match serde_saphyr::to_string(config) {
        Ok(yaml) => text.push_str(&yaml),
        // Plain maps, lists and texts always serialise; should they not, say so rather than print
        // half.
        Err(error) => {
            let _ = writeln!(text, "# cannot be shown: {error}");
        }
    }
    text
}

/// As JSON.
#[must_use]
pub fn effective_json(config: &Config) -> String {
    serde_json::to_string_pretty(config)
        .unwrap_or_else(|error| format!("\"cannot be shown: {error}\""))
}
