//! Keys for `sign` and `emulator`: from files or from the environment, never from an argument,
//! where every process of the machine could read the secret.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use crate::env::Env;

/// The variables of one cloud that hold a pair of keys; of each list the first that is set wins.
#[derive(Debug, Clone, Copy)]
pub struct Variables {
    access_key: &'static [&'static str],
    secret_key: &'static [&'static str],
}

/// NAVER Cloud's.
pub(super) const NCLOUD: Variables = Variables {
    access_key: &["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"],
    secret_key: &["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"],
};
/// Those of Huawei Cloud's official clients.
pub(super) const HUAWEI: Variables = Variables {
    access_key: &["HUAWEICLOUD_SDK_AK"],
    secret_key: &["HUAWEICLOUD_SDK_SK"],
};

/// Where a pair of keys is.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The access key id.
    #[arg(long, value_name = "ID", conflicts_with = "access_key_file")]
    #[arg(
        help = "The access key id [env: NCLOUD_ACCESS_KEY_ID; Huawei Cloud: HUAWEICLOUD_SDK_AK]"
    )]
    pub access_key: Option<String>,
    /// A file that holds the access key id
    #[arg(long, value_name = "FILE")]
    pub access_key_file: Option<PathBuf>,
    /// A file that holds the secret key.
    #[arg(long, value_name = "FILE")]
    #[arg(
        help = "A file that holds the secret key [env: NCLOUD_SECRET_ACCESS_KEY; Huawei Cloud: HUAWEICLOUD_SDK_SK]"
    )]
    pub secret_key_file: Option<PathBuf>,
}

/// A pair of keys.
#[derive(Clone)]
pub struct Keys {
    /// The access key id; no secret.
    pub access_key: String,
    /// The secret.
    pub secret_key: Zeroizing<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl KeyArgs {
    /// The keys, if both are there.
    ///
    /// # Errors
    /// A sentence that says which one is missing, or which file cannot be read.
    pub fn read(&self, env: &Env) -> Result<Keys, String> {
        self.read_from(env, NCLOUD)
    }

    /// The keys, if both are there, with the variables of one cloud.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from(&self, env: &Env, variables: Variables) -> Result<Keys, String> {
        let access_key = match (&self.access_key, &self.access_key_file) {
            (Some(id), _) => id.clone(),
            (None, Some(file)) => line(file)?,
            (None, None) => variable(
                env,
                variables.access_key,
                "--access-key or --access-key-file",
            )?,
        };
        let secret_key = match &self.secret_key_file {
            Some(file) => line(file)?,
            None => variable(env, variables.secret_key, "--secret-key-file")?,
        };
        Ok(Keys {
            access_key,
            secret_key: Zeroizing::new(secret_key),
        })
    }

    /// Whether anything here or in one cloud's variables names a key.
    #[must_use]
    pub fn any(&self, env: &Env, variables: Variables) -> bool {
        self.access_key.is_some()
            || self.access_key_file.is_some()
            || self.secret_key_file.is_some()
            || env.first(variables.access_key).is_some()
            || env.first(variables.secret_key).is_some()
    }
}

fn variable(env: &Env, names: &[&'static str], flag: &str) -> Result<String, String> {
    match env.first(names) {
        Some((_, value)) => Ok(value),
        None => {
            let name = names.first().copied().unwrap_or_default();
            Err(format!("a key is missing; set {name} or give {flag}"))
        }
    }
}

/// A file's content without the line end that editors and `echo` add.
pub(super) fn line(file: &Path) -> Result<String, String> {
    let text = Zeroizing::new(
        std::fs::read_to_string(file)
            .map_err(|error| format!("{} cannot be read ({error})", file.display()))?,
    );
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{} is empty; it must hold one key", file.display())),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(access_key: Option<&str>, secret_key_file: Option<PathBuf>) -> KeyArgs {
        KeyArgs {
            access_key: access_key.map(str::to_owned),
            access_key_file: None,
            secret_key_file,
        }
    }

    #[test]
    fn arguments_win_over_variables_and_short_names_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file\r\n").unwrap();
        let env = Env::fixed([
            ("NCLOUD_ACCESS_KEY", "id"),
            ("NCLOUD_SECRET_KEY", "from-env"),
        ]);
        let keys = args(None, None).read(&env).unwrap();
        assert_eq!(
            (keys.access_key.as_str(), keys.secret_key.as_str()),
            ("id", "from-env")
        );
        let keys = args(Some("other"), Some(file.path().to_owned()))
            .read(&env)
            .unwrap();
        assert_eq!(
            (keys.access_key.as_str(), keys.secret_key.as_str()),
            ("other", "from-file")
        );
        assert!(!format!("{keys:?}").contains("from-file"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let none = Env::fixed::<String, String>([]);
        assert!(
            args(None, None)
                .read(&none)
                .unwrap_err()
                .contains("NCLOUD_ACCESS_KEY_ID")
        );
        assert!(
            args(Some("a"), None)
                .read(&none)
                .unwrap_err()
                .contains("NCLOUD_SECRET_ACCESS_KEY")
        );
        assert!(
            args(Some("a"), Some("/no/such".into()))
                .read(&none)
                .unwrap_err()
                .contains("/no/such")
        );
        assert!(!args(None, None).any(&none, NCLOUD) && args(Some("a"), None).any(&none, NCLOUD));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(
            args(Some("a"), Some(file.path().to_owned()))
                .read(&none)
                .unwrap_err()
                .contains("empty")
        );
    }
}
