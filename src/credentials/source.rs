//! Where keys are read from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{KeyPair, Secret};

/// Names of the environment variables of one cloud, best first.
#[derive(Clone, Copy, Debug)]
pub struct KeyNames {
    /// Access key id.
    pub access_key: &'static [&'static str],
    /// Secret key.
    pub secret_key: &'static [&'static str],
    /// Security token of temporary keys.
    pub security_token: &'static [&'static str],
}

/// Reads one environment variable; the process's environment itself is no business of this room.
pub type Reader = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// One configured source of keys.
pub enum Source {
    /// Environment variables, through the process's one reader.
    Env {
        /// Variable names.
        names: KeyNames,
        /// Reads one variable.
        read: Reader,
    },
    /// A directory with `access-key-id`, `secret-access-key` and perhaps `security-token`: a mounted Kubernetes Secret.
    Files {
        /// The directory.
        directory: PathBuf,
    },
    /// The `ncloud` command line's own file (`~/.ncloud/configure`).
    NcloudConfigure {
        /// The file.
        file: PathBuf,
        /// The section to read; files without sections have one.
        profile: String,
    },
    /// Given keys, for the embedded emulator and for tests.
    Fixed(KeyPair),
}

impl Source {
    /// Reads the keys now.
    ///
    /// # Errors
    /// One sentence that says what is missing and where; never a value.
    pub fn read(&self) -> Result<KeyPair, String> {
        match self {
            Self::Env { names, read } => from_env(names, read),
            Self::Files { directory } => from_files(directory),
            Self::NcloudConfigure { file, profile } => from_configure(file, profile),
            Self::Fixed(keys) => Ok(keys.clone()),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env { names, .. } => write!(f, "env ({}, {})", names.access_key[0], names.secret_key[0]),
            Self::Files { directory } => write!(f, "files in {}", directory.display()),
            Self::NcloudConfigure { file, profile } => write!(f, "[{profile}] of {}", file.display()),
            Self::Fixed(_) => f.write_str("fixed"),
        }
    }
}

fn from_env(names: &KeyNames, read: &Reader) -> Result<KeyPair, String> {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| read(name))
            .filter(|value| !value.trim().is_empty())
    };
    let missing = |names: &[&str]| format!("set the environment variable {}.", names.join(" or "));
    Ok(KeyPair {
        access_key: first(names.access_key)
            .ok_or_else(|| missing(names.access_key))?
            .trim()
            .to_owned(),
        secret_key: first(names.secret_key)
            .map(|secret| Secret::new(secret.trim().to_owned()))
            .ok_or_else(|| missing(names.secret_key))?,
        security_token: first(names.security_token).map(|token| Secret::new(token.trim().to_owned())),
    })
}

fn from_files(directory: &Path) -> Result<KeyPair, String> {
    let read = |name: &str| {
        let path = directory.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Err(format!("{} is empty.", path.display())),
            Ok(text) => Ok(text.trim().to_owned()),
            Err(fault) => Err(format!("{} cannot be read ({}).", path.display(), fault.kind())),
        }
    };
    let token = directory.join("security-token");
    Ok(KeyPair {
        access_key: read("access-key-id")?,
        secret_key: Secret::new(read("secret-access-key")?),
        security_token: if token.exists() {
            Some(Secret::new(read("security-token")?))
        } else {
            None
        },
    })
}

/// `key = value` lines under optional `[section]` headers (NCP CLI guide: "configure").
fn from_configure(file: &Path, profile: &str) -> Result<KeyPair, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|fault| format!("{} cannot be read ({}).", file.display(), fault.kind()))?;
    let (mut access_key, mut secret_key, mut section) = (None, None, None::<&str>);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Some(name.trim());
            continue;
        }
        // Lines before any header belong to the only profile of an old file.
        if section.is_some_and(|section| !section.eq_ignore_ascii_case(profile)) {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "ncloud_access_key_id" if !value.is_empty() => access_key = Some(value.to_owned()),
            "ncloud_secret_access_key" if !value.is_empty() => {
                secret_key = Some(Secret::new(value.to_owned()));
            }
            _ => {}
        }
    }
    let missing = |key: &str| format!("{} has no {key} under [{profile}].", file.display());
    Ok(KeyPair {
        access_key: access_key.ok_or_else(|| missing("ncloud_access_key_id"))?,
        secret_key: secret_key.ok_or_else(|| missing("ncloud_secret_access_key"))?,
        security_token: None,
    })
}
