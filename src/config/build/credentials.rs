//! Where the keys come from. No key is read here.

use std::path::PathBuf;

use url::{Host, Url};

use super::reader::Reader;
use super::target::is_loopback;
use crate::config::target::{BaseKey, CredentialSource, Credentials};
use crate::env::Env;

/// The section that the `ncloud` command uses when it is told none.
const DEFAULT_PROFILE: &str = "DEFAULT";
const DEFAULT_FILE: &str = "~/.ncloud/configure";

/// Every key of the section but `source`.
const KEYS: [&str; 13] = [
    "directory",
    "file",
    "profile",
    "base",
    "duration",
    "metadata_url",
    "agency_name",
    "agency_domain",
    "command",
    "args",
    "env",
    "timeout",
    "verify",
];

/// The keys that a source reads.
fn uses(source: &str) -> &'static [&'static str] {
    match source {
        "files" => &["directory", "verify"],
        "iam_password" => &["directory"],
        "ncloud_configure" => &["file", "profile", "verify"],
        "server_role" | "ecs_metadata" => &["metadata_url", "verify"],
        "sts" => &["base", "directory", "duration", "verify"],
        "temporary_keys" => &["directory", "duration", "verify"],
        "agency" => &[
            "base",
            "directory",
            "agency_name",
            "agency_domain",
            "duration",
            "verify",
        ],
        "exec" => &["command", "args", "env", "timeout", "verify"],
        _ => &[],
    }
}

/// Builds the source; `None` = something it needs is missing, and a fault says so.
pub(super) fn build(
    reader: &mut Reader<'_>,
    env: &Env,
    allow_plaintext: bool,
) -> Option<Credentials> {
    // A source at fault says nothing about the other keys.
    if reader.stands("credentials.source") && reader.given_text("credentials.source").is_none() {
        return None;
    }
    let source = reader.text("credentials.source");
    let uses = uses(&source);
    for key in KEYS.iter().filter(|key| !uses.contains(key)) {
        let path = format!("credentials.{key}");
        if reader.stands(&path) {
            reader.fault(
                &path,
                format!(
                    "is not used by source {source}; remove it, or choose the source that uses it"
                ),
            );
        }
    }
    let verify = uses
        .contains(&"verify")
        .then(|| reader.bool("credentials.verify"));
    let source = match source.as_str() {
        "files" => CredentialSource::Files {
            directory: directory(reader, env)?,
        },
        "iam_password" => CredentialSource::IamPassword {
            directory: directory(reader, env)?,
        },
        "ncloud_configure" => {
            let file = reader
                .given_path("credentials.file")
                .unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
            let profile = reader
                .given_text("credentials.profile")
                .unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
            CredentialSource::NcloudConfigure {
                file: expand(reader, "credentials.file", file, env)?,
                profile,
            }
        }
        "server_role" => CredentialSource::ServerRole {
            metadata_url: metadata_url(reader, allow_plaintext),
        },
        "ecs_metadata" => CredentialSource::EcsMetadata {
            metadata_url: metadata_url(reader, allow_plaintext),
        },
        "sts" => CredentialSource::Sts {
            base: base(reader, env)?,
            duration: reader.duration("credentials.duration"),
        },
        "temporary_keys" => CredentialSource::TemporaryKeys {
            directory: directory(reader, env)?,
            duration: reader.duration("credentials.duration"),
        },
        "agency" => {
            let name = required(
                reader,
                "credentials.agency_name",
                "write the name of the agency",
            );
            let domain = required(
                reader,
                "credentials.agency_domain",
                "write the name of the account that made the agency",
            );
            CredentialSource::Agency {
                base: base(reader, env)?,
                agency_name: name?,
                agency_domain: domain?,
                duration: reader.duration("credentials.duration"),
            }
        }
        "exec" => {
            let Some(command) = reader.given_path("credentials.command") else {
                reader.missing(
                    "credentials.command",
                    "write the program that prints the key, such as /usr/local/bin/print-key",
                );
                return None;
            };
            CredentialSource::Exec {
                command: expand(reader, "credentials.command", command, env)?,
                args: reader.given_texts("credentials.args").unwrap_or_default(),
                env: reader.given_texts("credentials.env").unwrap_or_default(),
                timeout: reader.duration("credentials.timeout"),
            }
        }
        _ => CredentialSource::Env,
    };
    Some(Credentials { source, verify })
}

fn base(reader: &mut Reader<'_>, env: &Env) -> Option<BaseKey> {
    if reader.text("credentials.base") == "files" {
        return directory(reader, env).map(|directory| BaseKey::Files { directory });
    }
    if reader.stands("credentials.directory") {
        reader.fault(
            "credentials.directory",
            "is not used by base env; remove it, or write base: files",
        );
    }
    Some(BaseKey::Env)
}

/// Metadata services speak plain HTTP, so the address must be one that no network carries further.
fn metadata_url(reader: &mut Reader<'_>, allow_plaintext: bool) -> Option<Url> {
    let url = reader.given_url("credentials.metadata_url")?;
    let near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local() || address.is_loopback(),
        // fe80::/10 is link-local; fd00:ec2::254 and its like are unique local.
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local()
        }
        _ => is_loopback(&url),
    };
    if url.scheme() != "http" || url.path() != "/" {
        reader.fault(
            "credentials.metadata_url",
            "must be http, a host and no path: metadata services speak nothing else; write one such as http://169.254.169.254",
        );
    } else if !near && !allow_plaintext {
        reader.fault(
            "credentials.metadata_url",
            "is neither link-local nor loopback, and keys would come over the network unencrypted; \
             write http://169.254.169.254, or set allow_plaintext: true",
        );
    }
    Some(url)
}

fn required(reader: &mut Reader<'_>, key: &str, why: &str) -> Option<String> {
    let text = reader.given_text(key);
    if text.is_none() {
        reader.missing(key, why);
    }
    text
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
pub(super) fn expand(
    reader: &mut Reader<'_>,
    key: &str,
    path: PathBuf,
    env: &Env,
) -> Option<PathBuf> {
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
