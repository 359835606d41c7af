//! Flags, environment and file → one configuration, or every mistake in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Config, keys, walk};
use crate::env::Env;
use crate::settings::{Faults, Found, Node, Place, Reader, Scope, Section as _, parse};

/// The variable that names the file when no flag does.
pub const CONFIG_VARIABLE: &str = "FAAS_SIDECAR_CONFIG";

/// With no file there is one target: the public NAVER Cloud with keys from the environment.
const ASSUMED: &str = "targets: {default: {provider: ncp}}";

/// Where settings come from. What is not said here comes from the environment, then the file, then
/// defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by a flag.
    pub file: Option<PathBuf>,
    /// Values given by flags: the key's path → the text.
    pub flags: BTreeMap<&'static str, String>,
    /// The environment.
    pub env: Env,
}

/// Reads, merges and checks everything.
///
/// # Errors
/// All mistakes of all sources together.
pub fn load(sources: &Sources) -> Result<Config, Faults> {
    let file = sources
        .file
        .clone()
        .or_else(|| sources.env.get(CONFIG_VARIABLE).map(PathBuf::from));
    let mut faults = Faults::default();
    let text = match &file {
        Some(path) => read(path, &mut faults),
        None => Some(ASSUMED.to_owned()),
    };
    let config = merge(text.as_deref(), sources, &mut faults);
    faults.sort();
    match config {
        Some(config) if faults.is_empty() => Ok(Config {
            file_digest: file.as_ref().and(text).map(|text| digest(text.as_bytes())),
            file,
            ..config
        }),
        _ => Err(faults),
    }
}

/// What [`Config::file_digest`] holds for a file of these bytes.
pub(crate) fn digest(file: &[u8]) -> [u8; 32] {
    Sha256::digest(file).into()
}

/// One text in the file's place, with nothing from flags and environment.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn parse_text(text: &str) -> Result<Config, Faults> {
    let mut faults = Faults::default();
    let sources = Sources {
        env: Env::fixed::<String, String>([]),
        ..Sources::default()
    };
    match merge(Some(text), &sources, &mut faults) {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

fn merge(text: Option<&str>, sources: &Sources, faults: &mut Faults) -> Option<Config> {
    let tree = text.and_then(|text| parse(text, faults));
    let mut found = tree
        .as_ref()
        .map(|root| walk::walk(root, faults))
        .unwrap_or_default();
    override_scalars(&mut found, sources, faults);
    // Without a readable file nothing can be said about what is missing from it.
    tree.and_then(|_| {
        Config::read(&mut Reader {
            found: &mut found,
            faults,
            scope: Scope::new(&sources.env),
        })
    })
}

fn override_scalars(found: &mut Found, sources: &Sources, faults: &mut Faults) {
    for key in keys::scalars() {
        let variable = key.variable();
        if let Some(text) = sources.env.get(&variable) {
            found.value(
                key.path,
                key,
                &Node::untyped(&text, Place::Variable(variable)),
                faults,
            );
        }
        if let Some(text) = sources.flags.get(key.path) {
            let place = Place::Flag(format!("--{}", key.flag()));
            found.value(key.path, key, &Node::untyped(text, place), faults);
        }
    }
}

fn read(path: &Path, faults: &mut Faults) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = format!(
                "{} cannot be read ({error}); check --config or {CONFIG_VARIABLE}",
                path.display()
            );
            faults.push("", Place::Nowhere, message);
            None
        }
    }
}
