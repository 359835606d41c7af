//! Configuration → where a target's keys come from → keys that keep up with it.
//!
//! Keys are kept by one thread of their own for all targets, so that a slow issuer or disk holds no
//! call up. It runs only if some target's keys can change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use url::Url;

use super::build;
use crate::config::{self, BaseKey, CredentialSource, TargetConfig};
use crate::credentials::{
    Agency, Credentials, Exec, Issuer, Keeping, KeyNames, LoginSource, Origin, Pace, Source,
    Status, Trial,
};
use crate::env::Env;
use crate::provider::functiongraph::{self, Access, Asker, Auth, TemporaryKeys};
use crate::provider::ncp;
use crate::transport::Transport;

/// Names of NCP's environment variables, as its own tools know them (NCP SDKs and CLI guide).
const NCP_KEYS: KeyNames = KeyNames {
    access_key: &["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"],
    secret_key: &["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"],
    security_token: &[],
};

/// Names of Huawei Cloud's environment variables (`huaweicloudsdkcore` 3.1.219,
/// `auth/provider.py`).
const HUAWEI_KEYS: KeyNames = KeyNames {
    access_key: &["HUAWEICLOUD_SDK_AK"],
    secret_key: &["HUAWEICLOUD_SDK_SK"],
    security_token: &["HUAWEICLOUD_SDK_SECURITY_TOKEN"],
};

/// Tells a target's credentials' state.
pub(super) type Report = Arc<dyn Fn() -> Status + Send + Sync>;

/// The state of all targets' credentials.
pub(super) struct Reports {
    pub(super) default: String,
    pub(super) targets: Vec<(String, Report)>,
}

/// What a source needs beside its configuration.
pub(super) struct Aside<'a> {
    /// Makes a transport of its own for what is asked rarely: one serves all threads.
    pub(super) transport: &'a dyn Fn(Option<&Url>) -> Transport,
    pub(super) env: &'a Env,
    pub(super) background: &'a Background,
}

/// The thread that keeps keys: started by the first that can change, ended when this is dropped.
#[derive(Default)]
pub(super) struct Background(Mutex<Option<Running>>);

struct Running {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Background {
    /// Keeps keys from `origin` up to date.
    ///
    /// # Errors
    /// When the thread cannot be started.
    fn keep(
        &self,
        origin: Origin,
        verify: Option<bool>,
        trial: Arc<dyn Trial>,
    ) -> Result<Credentials, String> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match &mut *running {
            Some(running) => running,
            empty => empty.insert(Running::start()?),
        };
        let keeping = Keeping {
            verify: verify.unwrap_or(false),
            trial: Some(trial),
            pace: Pace::default(),
        };
        let (credentials, kept) = Credentials::keep(origin, keeping);
        running.handle.spawn(kept);
        Ok(credentials)
    }
}

impl Running {
    fn start() -> Result<Self, String> {
        let fault =
            |why: std::io::Error| format!("the credentials thread cannot be started ({why})");
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
        Ok(Self {
            handle,
            _stop: stop,
        })
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

/// The keys of a target on NAVER Cloud.
pub(super) fn ncp(
    place: &config::Ncp,
    config: &TargetConfig,
    aside: &Aside<'_>,
) -> Result<Credentials, String> {
    let env = aside.env;
    let source = &config.credentials.source;
    let origin = match local(source, NCP_KEYS, env) {
        Some(local) if !local.changes() => return Ok(Credentials::load(local)),
        Some(local) => Origin::Local(local),
        None => Origin::Issued(match source {
            CredentialSource::ServerRole { metadata_url } => {
                let url = metadata_at(metadata_url.as_ref(), ncp::ServerRole::URL)?;
                Box::new(ncp::ServerRole::new(&url)?)
            }
            CredentialSource::Sts { base, duration } => {
                let url = match &place.sts_url {
                    Some(url) => url.clone(),
                    None => Url::parse(ncp::sts_host(build::site(place)))
                        .map_err(|fault| fault.to_string())?,
                };
                Box::new(ncp::Sts {
                    transport: (aside.transport)(Some(&url)),
                    url,
                    base: base_key(base, NCP_KEYS, env),
                    duration: *duration,
                })
            }
            other => exec(other, env).ok_or("the source is of another cloud")?,
        }),
    };
    let trial = ncp::KeyTrial {
        endpoint: build::endpoint(place, config)?,
        transport: (aside.transport)(config.base_url.as_ref()),
    };
    aside
        .background
        .keep(origin, config.credentials.verify, Arc::new(trial))
}

/// Who a target on Huawei Cloud is there.
pub(super) fn access(
    place: &config::FunctionGraph,
    config: &TargetConfig,
    aside: &Aside<'_>,
) -> Result<Access, String> {
    let env = aside.env;
    let (project, iam_url) = (place.project_id.as_deref(), place.iam_url.as_ref());
    let endpoint =
        functiongraph::Endpoint::new(&place.region, project, config.base_url.as_ref(), iam_url)?
            .with_project_name(place.project_name.as_deref());
    let iam = || (aside.transport)(iam_url);
    let source = &config.credentials.source;
    let temporary = |asker, duration| -> Box<dyn Issuer> {
        Box::new(TemporaryKeys::new(endpoint.clone(), iam(), asker, duration))
    };
    let origin = match (source, local(source, HUAWEI_KEYS, env)) {
        (CredentialSource::IamPassword { .. }, _) => None,
        (_, Some(local)) => Some(Origin::Local(local)),
        (CredentialSource::EcsMetadata { metadata_url }, None) => {
            let url = metadata_at(metadata_url.as_ref(), functiongraph::EcsMetadata::URL)?;
            Some(Origin::Issued(Box::new(functiongraph::EcsMetadata::new(
                &url,
            )?)))
        }
        (
            CredentialSource::TemporaryKeys {
                directory,
                duration,
            },
            None,
        ) => {
            let asker = Asker::Login(login(directory));
            Some(Origin::Issued(temporary(asker, *duration)))
        }
        (
            CredentialSource::Agency {
                base,
                agency_name,
                agency_domain,
                duration,
            },
            None,
        ) => {
            let agency = Agency {
                name: agency_name.clone(),
                domain: agency_domain.clone(),
            };
            let asker = Asker::Key(base_key(base, HUAWEI_KEYS, env), agency);
            Some(Origin::Issued(temporary(asker, *duration)))
        }
        (other, None) => Some(Origin::Issued(
            exec(other, env).ok_or("the source is of another cloud")?,
        )),
    };
    let auth = match (origin, source) {
        (Some(Origin::Local(local)), _) if !local.changes() => Auth::Keys(Credentials::load(local)),
        (Some(origin), _) => {
            let functions = (aside.transport)(config.base_url.as_ref());
            let trial = functiongraph::KeyTrial::new(endpoint.clone(), iam(), functions);
            Auth::Keys(
                aside
                    .background
                    .keep(origin, config.credentials.verify, Arc::new(trial))?,
            )
        }
        (None, CredentialSource::IamPassword { directory }) => Auth::Login(login(directory)),
        (None, _) => return Err("the source is of another cloud".to_owned()),
    };
    Ok(Access::new(endpoint.clone(), iam(), auth))
}

/// The source on this machine that the configuration names; `None` = someone else gives the keys.
fn local(source: &CredentialSource, names: KeyNames, env: &Env) -> Option<Source> {
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
fn base_key(base: &BaseKey, names: KeyNames, env: &Env) -> Source {
    match base {
        BaseKey::Env => variables(names, env),
        BaseKey::Files { directory } => Source::Files {
            directory: directory.clone(),
        },
    }
}

/// A command, which knows no cloud.
fn exec(source: &CredentialSource, env: &Env) -> Option<Box<dyn Issuer>> {
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
fn login(directory: &std::path::Path) -> LoginSource {
    LoginSource::Files {
        directory: directory.to_owned(),
    }
}

/// The metadata service: the documented address unless the configuration names another.
fn metadata_at(given: Option<&Url>, documented: &str) -> Result<Url, String> {
    match given {
        Some(url) => Ok(url.clone()),
        None => Url::parse(documented).map_err(|fault| fault.to_string()),
    }
}

impl Reports {
    /// Why the default target cannot be used yet; `None` = it can.
    pub(super) fn unready(&self) -> Option<String> {
        let (name, report) = self
            .targets
            .iter()
            .find(|(name, _)| *name == self.default)?;
        report()
            .ready
            .err()
            .map(|why| format!("target {name}: {why}"))
    }

    /// The state of all credentials as JSON.
    pub(super) fn page(&self) -> String {
        let targets: serde_json::Map<String, Value> = self
            .targets
            .iter()
            .map(|(name, report)| (name.clone(), shown(&report())))
            .collect();
        format!("{:#}\n", Value::Object(targets))
    }
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
