//! What can be set of the sources of keys that every cloud has, and what their own sources share.
//! No key is read here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use url::{Host, Url};

use super::{Exec, Issuer, KeyNames, Reader as Variables, Source};
use crate::settings::units::serialize_duration;
use crate::settings::{Key, Reader, Rule, Section as _, is_loopback, settings, words};

const ARGUMENT: Rule = Rule {
    // Validators over RE2, Helm's among them, count to 1000 at most: the length is checked by the
    // program.
    pattern: "^[^\\x00]*$",
    says: "a text of at most 4096 characters",
    obeys: |text| text.chars().count() <= 4096 && !text.contains('\0'),
};

const VARIABLE: Rule = Rule {
    pattern: "^[A-Za-z_][A-Za-z0-9_]{0,255}$",
    says: "the name of an environment variable",
    obeys: |text| {
        text.len() <= 256
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    },
};

settings! {
    /// The keys of `credentials` that the sources of several clouds read.
    #[derive(Clone, Debug)]
    pub struct CredentialKeys in "targets.*.credentials." {
        /// Tries new keys with a harmless signed read before they replace good ones; not for the
        /// sources env and iam_password.
        verify: bool = flag(), Is("true");
        /// The directory that holds one file a secret, as Kubernetes mounts them. Changes are found
        /// by themselves.
        directory: Option<PathBuf> = path(), Depends("required for the sources files, iam_password and temporary_keys, and for base: files");
        /// Where the permanent key is that the sources sts and agency ask with: as the source of
        /// the same name.
        base: BaseWord = word(), Is("env");
        /// Where the metadata service is: plain http to a link-local or loopback address.
        metadata_url: Option<Url> = url(), Depends("http://169.254.169.254, for the sources server_role and ecs_metadata");
        /// The program that prints a key as JSON; it is run without a shell.
        command: Option<PathBuf> = path(), Depends("required for the source exec");
        /// Its arguments. Other processes can read them, so no secrets.
        args: Vec<String> = texts(ARGUMENT), Nothing;
        /// The names of the variables that it is given, such as HOME or PATH; it sees no others.
        env: Vec<String> = texts(VARIABLE), Nothing;
        /// How long it may take before it is killed.
        timeout: Duration = millis(1000, 60_000), Is("10s");
    }
}

/// The word of `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseWord {
    /// As the source `env`.
    Env,
    /// As the source `files`.
    Files,
}

words! { BaseWord: Env = "env", Files = "files" }

/// A source of keys that every cloud has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum SharedSource {
    /// The provider's own environment variables.
    Env,
    /// `access-key-id`, `secret-access-key` and, if there, `security-token`.
    Files {
        /// Where those files are.
        directory: PathBuf,
    },
    /// What a command prints.
    Exec {
        /// The program.
        command: PathBuf,
        /// Its arguments.
        args: Vec<String>,
        /// The names of the variables that it is given.
        env: Vec<String>,
        /// How long it may take.
        #[serde(serialize_with = "serialize_duration")]
        timeout: Duration,
    },
}

/// Where the permanent key is that asks for temporary ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "base", rename_all = "snake_case")]
pub enum BaseKey {
    /// As the source `env`.
    Env,
    /// As the source `files`.
    Files {
        /// Where the files are.
        directory: PathBuf,
    },
}

impl SharedSource {
    /// The keys that the source of that name reads; `None` = it is a cloud's own.
    #[must_use]
    pub fn uses(source: &str) -> Option<&'static [&'static str]> {
        match source {
            "env" => Some(&[]),
            "files" => Some(&["directory", "verify"]),
            "exec" => Some(&["command", "args", "env", "timeout", "verify"]),
            _ => None,
        }
    }

    /// The source of that name.
    pub fn read(reader: &mut Reader<'_>, source: &str) -> Option<Self> {
        match source {
            "files" => Some(Self::Files {
                directory: directory(reader)?,
            }),
            "exec" => Some(Self::Exec {
                command: reader.required(
                    CredentialKeys::command,
                    "write the program that prints the key, such as /usr/local/bin/print-key",
                )??,
                args: reader.get(CredentialKeys::args)?,
                env: reader.get(CredentialKeys::env)?,
                timeout: reader.get(CredentialKeys::timeout)?,
            }),
            _ => Some(Self::Env),
        }
    }

    /// The source on this machine, or else the command that is asked.
    #[must_use]
    pub fn origin(&self, names: KeyNames, variables: &Variables) -> super::Origin {
        match self {
            Self::Env => super::Origin::Local(of_variables(names, variables)),
            Self::Files { directory } => super::Origin::Local(Source::Files {
                directory: directory.clone(),
            }),
            Self::Exec {
                command,
                args,
                env,
                timeout,
            } => {
                let command: Box<dyn Issuer> = Box::new(Exec {
                    command: command.clone(),
                    args: args.clone(),
                    variables: env.clone(),
                    read: Arc::clone(variables),
                    timeout: *timeout,
                });
                super::Origin::Issued(command)
            }
        }
    }

    /// Where the keys come from, for a person; `variables` names the cloud's.
    #[must_use]
    pub fn described(&self, variables: &str) -> String {
        match self {
            Self::Env => variables.to_owned(),
            Self::Files { directory } => format!("files in {}", directory.display()),
            Self::Exec { command, .. } => format!("what {} prints", command.display()),
        }
    }
}

impl BaseKey {
    /// Reads `base`, and `directory` with it.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.get(CredentialKeys::base)? == BaseWord::Files {
            return directory(reader).map(|directory| Self::Files { directory });
        }
        if reader.stands(CredentialKeys::directory) {
            reader.fault(
                CredentialKeys::directory,
                "is not used by base env; remove it, or write base: files",
            );
        }
        Some(Self::Env)
    }

    /// Where it is read.
    #[must_use]
    pub fn source(&self, names: KeyNames, variables: &Variables) -> Source {
        match self {
            Self::Env => of_variables(names, variables),
            Self::Files { directory } => Source::Files {
                directory: directory.clone(),
            },
        }
    }

    /// Where it is, for a person; `variables` names the cloud's.
    #[must_use]
    pub fn described(&self, variables: &str) -> String {
        match self {
            Self::Env => variables.to_owned(),
            Self::Files { directory } => format!("files in {}", directory.display()),
        }
    }
}

fn of_variables(names: KeyNames, variables: &Variables) -> Source {
    Source::Env {
        names,
        read: Arc::clone(variables),
    }
}

/// Tells of the keys of `credentials` that the source does not read; `own` are the cloud's own.
pub fn refuse_unused(reader: &mut Reader<'_>, source: &str, own: &[Key], uses: &[&str]) {
    let mut rows = own.to_vec();
    CredentialKeys::keys(&mut rows);
    for key in rows {
        let name = key.path.rsplit('.').next().unwrap_or_default();
        if name != "source" && !uses.contains(&name) && reader.stands(key) {
            reader.fault(
                key,
                format!(
                    "is not used by source {source}; remove it, or choose the source that uses it"
                ),
            );
        }
    }
}

/// The directory that the source needs.
pub fn directory(reader: &mut Reader<'_>) -> Option<PathBuf> {
    reader.required(
        CredentialKeys::directory,
        "write the directory that holds one file a secret",
    )?
}

/// Metadata services speak plain HTTP, so the address must be one that no network carries further.
pub fn metadata_url(reader: &mut Reader<'_>) -> Option<Url> {
    let url = reader.given(CredentialKeys::metadata_url)??;
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
            CredentialKeys::metadata_url,
            "must be http, a host and no path: metadata services speak nothing else; write one such as http://169.254.169.254",
        );
    } else if !near && !reader.scope.allow_plaintext {
        reader.fault(
            CredentialKeys::metadata_url,
            "is neither link-local nor loopback, and keys would come over the network unencrypted; \
             write http://169.254.169.254, or set allow_plaintext: true",
        );
    }
    Some(url)
}

/// The metadata service: the documented address unless the configuration names another.
///
/// # Errors
/// When the documented address is no URL.
pub fn metadata_at(given: Option<&Url>, documented: &str) -> Result<Url, String> {
    match given {
        Some(url) => Ok(url.clone()),
        None => Url::parse(documented).map_err(|fault| fault.to_string()),
    }
}
