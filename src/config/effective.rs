//! The configuration as it holds, every default filled in. What is printed loads again as the same
//! configuration, and names the sources of secrets, never a secret.

use std::fmt::Write as _;

use super::Config;
use super::keys::Provider;
use super::target::{BaseKey, CredentialSource, TargetConfig};

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
            text.push_str("# No file was given: one target of NAVER Cloud Functions is assumed.\n");
        }
    }
    for (name, target) in &config.targets {
        let _ = writeln!(
            text,
            "# Target {name} takes its keys from {}.",
            origin(target)
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

fn origin(target: &TargetConfig) -> String {
    let variables = match target.cloud.provider() {
        Provider::Ncp => {
            "the variables NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY \
             (or NCLOUD_ACCESS_KEY and NCLOUD_SECRET_KEY)"
        }
        Provider::FunctionGraph => {
            "the variables HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, \
             if set, HUAWEICLOUD_SDK_SECURITY_TOKEN"
        }
    };
    let base = |base: &BaseKey| match base {
        BaseKey::Env => variables.to_owned(),
        BaseKey::Files { directory } => format!("files in {}", directory.display()),
    };
    match &target.credentials.source {
        CredentialSource::Env => variables.to_owned(),
        CredentialSource::Files { directory } => format!("files in {}", directory.display()),
        CredentialSource::NcloudConfigure { file, profile } => {
            format!("section {profile} of {}", file.display())
        }
        CredentialSource::ServerRole { .. } => {
            "the metadata service, which gives those of the server's role".to_owned()
        }
        CredentialSource::EcsMetadata { .. } => {
            "the metadata service, which gives those of the server's agency".to_owned()
        }
        CredentialSource::Sts { base: key, .. } => {
            format!(
                "the token service, which is asked with the key in {}",
                base(key)
            )
        }
        CredentialSource::Agency {
            base: key,
            agency_name,
            ..
        } => format!(
            "IAM, which gives those of agency {agency_name} and is asked with the key in {}",
            base(key)
        ),
        CredentialSource::IamPassword { directory } => format!(
            "a token that IAM gives for username, password and domain in {}",
            directory.display()
        ),
        CredentialSource::TemporaryKeys { directory, .. } => format!(
            "IAM, which gives temporary ones for username, password and domain in {}",
            directory.display()
        ),
        CredentialSource::Exec { command, .. } => format!("what {} prints", command.display()),
    }
}
