//! The configuration as it holds, every default filled in. What is printed loads again as the same
//! configuration, and names the sources of secrets, never a secret.

use std::fmt::Write as _;

use super::Config;
use super::keys::Provider;
use super::target::{Credentials, TargetConfig};

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
        None => text.push_str("# No file was given: one target of NAVER Cloud Functions is assumed.\n"),
    }
    for (name, target) in &config.targets {
        let _ = writeln!(text, "# Target {name} takes its keys from {}.", origin(target));
    }
    match serde_saphyr::to_string(config) {
        Ok(yaml) => text.push_str(&yaml),
        // Plain maps, lists and texts always serialise; should they not, say so rather than print half.
        Err(error) => {
            let _ = writeln!(text, "# cannot be shown: {error}");
        }
    }
    text
}

/// As JSON.
#[must_use]
pub fn effective_json(config: &Config) -> String {
    serde_json::to_string_pretty(config).unwrap_or_else(|error| format!("\"cannot be shown: {error}\""))
}

fn origin(target: &TargetConfig) -> String {
    match (&target.credentials, target.cloud.provider()) {
        (Credentials::Env, Provider::Ncp) => {
            "the variables NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY \
             (or NCLOUD_ACCESS_KEY and NCLOUD_SECRET_KEY)"
                .to_owned()
        }
        (Credentials::Env, Provider::FunctionGraph) => {
            "the variables HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, \
             if set, HUAWEICLOUD_SDK_SECURITY_TOKEN"
                .to_owned()
        }
        (Credentials::Files { directory }, _) => format!("files in {}", directory.display()),
        (Credentials::NcloudConfigure { file, profile }, _) => {
            format!("section {profile} of {}", file.display())
        }
        (Credentials::IamPassword { directory }, _) => {
            format!(
                "a token that IAM gives for username, password and domain in {}",
                directory.display()
            )
        }
    }
}
