//! Where the keys come from. No key is read here.

use std::path::PathBuf;

use super::reader::Reader;
use crate::config::target::Credentials;
use crate::env::Env;

/// The section that the `ncloud` command uses when it is told none.
const DEFAULT_PROFILE: &str = "DEFAULT";
const DEFAULT_FILE: &str = "~/.ncloud/configure";

/// Builds the source; `None` = something it needs is missing, and a fault says so.
pub(super) fn build(reader: &mut Reader<'_>, env: &Env) -> Option<Credentials> {
    // A source at fault says nothing about the other keys.
    if reader.stands("credentials.source") && reader.given_text("credentials.source").is_none() {
        return None;
    }
    let source = reader.text("credentials.source");
    let uses: &[&str] = match source.as_str() {
        "files" | "iam_password" => &["directory"],
        "ncloud_configure" => &["file", "profile"],
        _ => &[],
    };
    for key in ["directory", "file", "profile"] {
        let path = format!("credentials.{key}");
        if !uses.contains(&key) && reader.stands(&path) {
            reader.fault(
                &path,
                format!("is not used by source {source}; remove it, or choose the source that uses it"),
            );
        }
    }
    match source.as_str() {
        "files" => directory(reader, env).map(|directory| Credentials::Files { directory }),
        "iam_password" => directory(reader, env).map(|directory| Credentials::IamPassword { directory }),
        "ncloud_configure" => {
            let file = reader
                .given_path("credentials.file")
                .unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
            let profile = reader
                .given_text("credentials.profile")
                .unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
            Some(Credentials::NcloudConfigure {
                file: expand(reader, "credentials.file", file, env)?,
                profile,
            })
        }
        _ => Some(Credentials::Env),
    }
}

fn directory(reader: &mut Reader<'_>, env: &Env) -> Option<PathBuf> {
    match reader.given_path("credentials.directory") {
        Some(path) => expand(reader, "credentials.directory", path, env),
        None => {
            reader.missing(
                "credentials.directory",
                "write the directory that holds one file a secret",
            );
            None
        }
    }
}

/// Puts the home directory in place of a leading `~/`.
pub(super) fn expand(reader: &mut Reader<'_>, key: &str, path: PathBuf, env: &Env) -> Option<PathBuf> {
    let Ok(rest) = path.strip_prefix("~") else {
        return Some(path);
    };
    let home = env.home();
    if home.is_none() {
        reader.fault(
            key,
            "begins with ~, and HOME is not set; set HOME, or write the whole path",
        );
    }
    home.map(|home| home.join(rest))
}
