//! Configuration → where a target's keys come from → keys that keep up with it.
//!
//! Keys are kept by one thread of their own for all targets, so that a slow issuer or disk holds no call up. It runs only
//! if some target's keys can change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use url::Url;

use super::StartError;
use crate::config::{BaseKey, CredentialSource};
use crate::credentials::{
    Credentials, Exec, Issuer, Keeping, KeyNames, LoginSource, Origin, Pace, Source, Status, Trial,
};
use crate::env::Env;

/// Tells a target's credentials' state.
pub(super) type Report = Arc<dyn Fn() -> Status + Send + Sync>;

/// The thread that keeps keys; it ends when this is dropped.
pub(super) struct Background {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Background {
    pub(super) fn start() -> Result<Self, StartError> {
        let fault =
            |why: std::io::Error| StartError(format!("the credentials thread cannot be started ({why})"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(fault)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("credentials".to_owned())
            .spawn(move || {
                // Ends when the sender is dropped.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })
            .map_err(fault)?;
        Ok(Self { handle, _stop: stop })
    }

    /// Keeps keys from `origin` up to date.
    pub(super) fn keep(&self, origin: Origin, verify: Option<bool>, trial: Arc<dyn Trial>) -> Credentials {
        let keeping = Keeping {
            verify: verify.unwrap_or(false),
            trial: Some(trial),
            pace: Pace::default(),
        };
        let (credentials, kept) = Credentials::keep(origin, keeping);
        self.handle.spawn(kept);
        credentials
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

/// The source on this machine that the configuration names; `None` = someone else gives the keys.
pub(super) fn local(source: &CredentialSource, names: KeyNames, env: &Env) -> Option<Source> {
    match source {
        CredentialSource::Env => Some(variables(names, env)),
        CredentialSource::Files { directory } => Some(Source::Files {
            directory: directory.clone(),
        }),
        CredentialSource::NcloudConfigure { file, profile } => Some(Source::NcloudConfigure {
            file: file.clone(),
            profile: profile.clone(),
        }),
        _ => None,
    }
}

/// The permanent key that asks for temporary ones.
pub(super) fn base(base: &BaseKey, names: KeyNames, env: &Env) -> Source {
    match base {
        BaseKey::Env => variables(names, env),
        BaseKey::Files { directory } => Source::Files {
            directory: directory.clone(),
        },
    }
}

/// A command, which knows no cloud.
pub(super) fn exec(source: &CredentialSource, env: &Env) -> Option<Box<dyn Issuer>> {
    let CredentialSource::Exec {
        command,
        args,
        env: variables,
        timeout,
    } = source
    else {
        return None;
    };
    let env = env.clone();
    Some(Box::new(Exec {
        command: command.clone(),
        args: args.clone(),
        variables: variables.clone(),
        read: Arc::new(move |name| env.get(name)),
        timeout: *timeout,
    }))
}

/// A login's files.
pub(super) fn login(directory: &std::path::Path) -> LoginSource {
    LoginSource::Files {
        directory: directory.to_owned(),
    }
}

/// The metadata service: the documented address unless the configuration names another.
pub(super) fn metadata_url(given: Option<&Url>, documented: &str) -> Result<Url, String> {
    match given {
        Some(url) => Ok(url.clone()),
        None => Url::parse(documented).map_err(|fault| fault.to_string()),
    }
}

/// Why the default target cannot be used yet; `None` = it can.
pub(super) fn unready(default: &str, reports: &[(String, Report)]) -> Option<String> {
    let (name, report) = reports.iter().find(|(name, _)| name == default)?;
    report().ready.err().map(|why| format!("target {name}: {why}"))
}

/// The state of all credentials as JSON.
pub(super) fn page(reports: &[(String, Report)]) -> String {
    let targets: serde_json::Map<String, Value> = reports
        .iter()
        .map(|(name, report)| (name.clone(), shown(&report())))
        .collect();
    format!("{:#}\n", Value::Object(targets))
}

fn shown(status: &Status) -> Value {
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
    json!({
        "source": status.source,
        "ready": status.ready.is_ok(),
        "why": status.ready.as_ref().err(),
        "fingerprint": status.fingerprint,
        "generation": status.generation,
        "age_seconds": seconds(status.age),
        "expires_in_seconds": seconds(status.expires_in),
        "previous_kept": status.previous_kept,
        "last_refresh": status.last_refresh.as_ref().map(|refresh| json!({
            "at": OffsetDateTime::from(refresh.at).format(&Rfc3339).ok(),
            "outcome": refresh.outcome.as_str(),
            "why": refresh.why,
        })),
    })
}

fn variables(names: KeyNames, env: &Env) -> Source {
    let env = env.clone();
    Source::Env {
        names,
        read: Arc::new(move |name| env.get(name)),
    }
}
