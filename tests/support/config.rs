//! A configuration from its text, read as `serve` reads it.

use faas_sidecar::config::{self, Config, Sources};
use faas_sidecar::env::Env;

/// The configuration that a file of this text gives; a mistake in it fails the test.
pub fn load(text: &str, env: &Env) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        env: env.clone(),
        ..Sources::default()
    };
    config::load(&sources).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}
