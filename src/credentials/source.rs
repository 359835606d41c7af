//! Where keys are read from on this machine. What is fetched over the network is an
//! [`Issuer`](super::Issuer).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{KeyPair, files};

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
    /// A directory with `access-key-id`, `secret-access-key` and perhaps `security-token`: a
    /// mounted Kubernetes Secret.
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

    /// Whether the keys can become others while the process runs.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.directory().is_some()
    }

    /// The directory to watch for changes; none for what cannot change while the process runs.
    pub(super) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Env { .. } | Self::Fixed(_) => None,
            Self::Files { directory } => Some(directory),
            Self::NcloudConfigure { file, .. } => Some(file.parent().unwrap_or(Path::new("."))),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env { names, .. } => {
                write!(f, "env ({}, {})", names.access_key[0], names.secret_key[0])
            }
            Self::Files { directory } => write!(f, "files in {}", directory.display()),
            Self::NcloudConfigure { file, profile } => {
                write!(f, "[{profile}] of {}", file.display())
            }
            Self::Fixed(_) => f.write_str("fixed"),
        }
    }
}

fn from_env(names: &KeyNames, read: &Reader) -> Result<KeyPair, String> {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| read(name))
            .map(Zeroizing::new)
            .filter(|value| !value.trim().is_empty())
    };
    let missing = |names: &[&str]| format!("set the environment variable {}.", names.join(" or "));
    let access_key = first(names.access_key).ok_or_else(|| missing(names.access_key))?;
    let secret_key = first(names.secret_key).ok_or_else(|| missing(names.secret_key))?;
    let token = first(names.security_token);
    KeyPair::checked(
        access_key.trim(),
        secret_key.trim(),
        token.as_ref().map(|token| token.trim()),
    )
    .map_err(|why| format!("in the environment variables, {why}"))
}

fn from_files(directory: &Path) -> Result<KeyPair, String> {
    files::consistent(directory, |files| {
        let access_key = files.required("access-key-id")?;
        let secret_key = files.required("secret-access-key")?;
        let token = files.optional("security-token")?;
        KeyPair::checked(
            access_key.trim(),
            secret_key.trim(),
            token.as_ref().map(|token| token.trim()),
        )
        .map_err(|why| format!("in {}, {why}", directory.display()))
    })
}

/// `key = value` lines under optional `[section]` headers (NCP CLI guide: "configure").
fn from_configure(file: &Path, profile: &str) -> Result<KeyPair, String> {
    let text = files::text(file)?;
    let (mut access_key, mut secret_key, mut section) = (None, None, None::<&str>);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
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
            "ncloud_access_key_id" if !value.is_empty() => access_key = Some(value),
            "ncloud_secret_access_key" if !value.is_empty() => secret_key = Some(value),
            _ => {}
        }
    }
    let missing = |key: &str| format!("{} has no {key} under [{profile}].", file.display());
    KeyPair::checked(
        access_key.ok_or_else(|| missing("ncloud_access_key_id"))?,
        secret_key.ok_or_else(|| missing("ncloud_secret_access_key"))?,
        None,
    )
    .map_err(|why| format!("in {}, {why}", file.display()))
}
