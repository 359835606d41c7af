//! Configuration → each room's own settings → targets.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::StartError;
use super::keys::{self, Background, Report};
use crate::config::{self, Cloud, Config, CredentialSource, TargetConfig};
use crate::credentials::{Agency, Credentials, Issuer, KeyNames, Origin, Trial};
use crate::env::Env;
use crate::names::Pattern;
use crate::proto::Platform;
use crate::provider::Provider;
use crate::provider::functiongraph::{self, Access, Asker, Auth, FunctionGraph, TemporaryKeys};
use crate::provider::ncp::{self, Endpoint, Ncp};
use crate::target::{Target, Targets};
use crate::transport::{self, ClientFiles, Shared, Tls, TlsFiles, Transport};

/// Names of NCP's environment variables, as its own tools know them (NCP SDKs and CLI guide).
const NCP_KEYS: KeyNames = KeyNames {
    access_key: &["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"],
    secret_key: &["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"],
    security_token: &[],
};

/// Names of Huawei Cloud's environment variables (`huaweicloudsdkcore` 3.1.219, `auth/provider.py`).
const HUAWEI_KEYS: KeyNames = KeyNames {
    access_key: &["HUAWEICLOUD_SDK_AK"],
    secret_key: &["HUAWEICLOUD_SDK_SK"],
    security_token: &["HUAWEICLOUD_SDK_SECURITY_TOKEN"],
};

/// Everything that targets are made of; each serving thread makes its own from it.
pub(super) struct Blueprint {
    targets: Vec<Plan>,
    default: String,
    /// Keeps the keys that can change, if any can.
    _background: Option<Background>,
}

struct Plan {
    name: String,
    config: TargetConfig,
    transport: transport::Settings,
    shared: Arc<Shared>,
    cloud: Prepared,
}

/// What one cloud's providers share across threads.
enum Prepared {
    Ncp(Credentials),
    FunctionGraph(functiongraph::Settings),
}

impl Blueprint {
    pub(super) fn new(config: &Config, env: &Env) -> Result<Self, StartError> {
        let mut background = None;
        let targets = config
            .targets
            .iter()
            .map(|(name, target)| plan(name, target, env, &mut background))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            targets,
            default: config.default_target.clone(),
            _background: background,
        })
    }

    /// The state of each target's credentials, by target.
    pub(super) fn reports(&self) -> Vec<(String, Report)> {
        self.targets
            .iter()
            .map(|plan| (plan.name.clone(), plan.report()))
            .collect()
    }

    /// Targets for one thread.
    pub(super) fn targets(&self) -> Result<Targets, StartError> {
        let targets = self.targets.iter().map(Plan::target).collect::<Result<_, _>>()?;
        Ok(Targets::new(targets, &self.default))
    }

    /// Each target's name, a transport to its host, and the root of that host.
    pub(super) fn hosts(&self) -> Result<Vec<(String, Transport, Url)>, StartError> {
        let host = |plan: &Plan| {
            let transport = Transport::new(&plan.transport, Arc::clone(&plan.shared));
            let url = plan
                .host()
                .map_err(|why| StartError(format!("target {}: {why}", plan.name)))?;
            Ok((plan.name.clone(), transport, url))
        };
        self.targets.iter().map(host).collect()
    }
}

impl Plan {
    fn report(&self) -> Report {
        match &self.cloud {
            Prepared::Ncp(credentials) => {
                let credentials = credentials.clone();
                Arc::new(move || credentials.status())
            }
            Prepared::FunctionGraph(settings) => {
                let access = settings.access.clone();
                Arc::new(move || access.status())
            }
        }
    }

    fn target(&self) -> Result<Target, StartError> {
        let fault = |why: String| StartError(format!("target {}: {why}", self.name));
        let transport = Transport::new(&self.transport, Arc::clone(&self.shared));
        Ok(Target {
            name: self.name.clone(),
            provider: self.provider(transport).map_err(fault)?,
            request_timeout: self.config.timeouts.request,
        })
    }

    fn host(&self) -> Result<Url, String> {
        let mut url = match (&self.config.base_url, &self.config.cloud) {
            (Some(url), _) => url.clone(),
            (None, Cloud::Ncp(place)) => endpoint(place, &self.config)?.origin(),
            (None, Cloud::FunctionGraph(place)) => {
                let host = functiongraph::functions_host(&place.region);
                Url::parse(&host).map_err(|fault| fault.to_string())?
            }
        };
        url.set_path("/");
        Ok(url)
    }

    fn provider(&self, transport: Transport) -> Result<Box<dyn Provider>, String> {
        let config = &self.config;
        match (&config.cloud, &self.cloud) {
            (Cloud::Ncp(place), Prepared::Ncp(credentials)) => {
                let settings = ncp::Settings {
                    endpoint: endpoint(place, config)?,
                    wait: config.wait,
                    idempotent_actions: patterns(config)?,
                };
                Ok(Box::new(Ncp::new(settings, transport, credentials.clone())))
            }
            (Cloud::FunctionGraph(_), Prepared::FunctionGraph(settings)) => {
                Ok(Box::new(FunctionGraph::new(settings.clone(), transport)))
            }
            _ => Err("the plan is of another cloud than the configuration".to_owned()),
        }
    }
}

fn plan(
    name: &str,
    config: &TargetConfig,
    env: &Env,
    background: &mut Option<Background>,
) -> Result<Plan, StartError> {
    let fault = |why: String| StartError(format!("target {name}: {why}"));
    let tls = tls(config).map_err(fault)?;
    let transport = transport_settings(config, tls.as_ref());
    if keys::local(&config.credentials.source, NCP_KEYS, env).is_none_or(|source| source.changes())
        && background.is_none()
    {
        *background = Some(Background::start()?);
    }
    let background = background.as_ref();
    let cloud = match &config.cloud {
        Cloud::Ncp(place) => ncp_keys(place, config, tls.as_ref(), env, background).map(Prepared::Ncp),
        Cloud::FunctionGraph(place) => {
            function_graph(place, config, tls.as_ref(), env, background).map(Prepared::FunctionGraph)
        }
    };
    Ok(Plan {
        name: name.to_owned(),
        config: config.clone(),
        shared: Shared::new(&transport),
        transport,
        cloud: cloud.map_err(fault)?,
    })
}

/// A transport of its own for what is asked rarely: one serves all threads.
fn aside(config: &TargetConfig, tls: Option<&Tls>, url: Option<&Url>) -> Transport {
    let mut settings = transport_settings(config, tls);
    settings.tls = tls.filter(|_| is_https(url)).cloned();
    Transport::new(&settings, Shared::new(&settings))
}

fn ncp_keys(
    place: &config::Ncp,
    config: &TargetConfig,
    tls: Option<&Tls>,
    env: &Env,
    background: Option<&Background>,
) -> Result<Credentials, String> {
    let source = &config.credentials.source;
    let origin = match keys::local(source, NCP_KEYS, env) {
        Some(local) if !local.changes() => return Ok(Credentials::load(local)),
        Some(local) => Origin::Local(local),
        None => Origin::Issued(match source {
            CredentialSource::ServerRole { metadata_url } => {
                let url = keys::metadata_url(metadata_url.as_ref(), ncp::ServerRole::URL)?;
                Box::new(ncp::ServerRole::new(&url)?)
            }
            CredentialSource::Sts { base, duration } => {
                let url = match &place.sts_url {
                    Some(url) => url.clone(),
                    None => Url::parse(ncp::sts_host(site(place))).map_err(|fault| fault.to_string())?,
                };
                Box::new(ncp::Sts {
                    transport: aside(config, tls, Some(&url)),
                    url,
                    base: keys::base(base, NCP_KEYS, env),
                    duration: *duration,
                })
            }
            other => keys::exec(other, env).ok_or("the source is of another cloud")?,
        }),
    };
    let trial = ncp::KeyTrial {
        endpoint: endpoint(place, config)?,
        transport: aside(config, tls, config.base_url.as_ref()),
    };
    keep(background, origin, config, trial)
}

fn function_graph(
    place: &config::FunctionGraph,
    config: &TargetConfig,
    tls: Option<&Tls>,
    env: &Env,
    background: Option<&Background>,
) -> Result<functiongraph::Settings, String> {
    let (project, iam_url) = (place.project_id.as_deref(), place.iam_url.as_ref());
    let endpoint = functiongraph::Endpoint::new(&place.region, project, config.base_url.as_ref(), iam_url)?;
    let iam = || aside(config, tls, iam_url);
    let source = &config.credentials.source;
    let temporary = |asker, duration| -> Box<dyn Issuer> {
        Box::new(TemporaryKeys::new(endpoint.clone(), iam(), asker, duration))
    };
    let origin = match (source, keys::local(source, HUAWEI_KEYS, env)) {
        (CredentialSource::IamPassword { .. }, _) => None,
        (_, Some(local)) => Some(Origin::Local(local)),
        (CredentialSource::EcsMetadata { metadata_url }, None) => {
            let url = keys::metadata_url(metadata_url.as_ref(), functiongraph::EcsMetadata::URL)?;
            Some(Origin::Issued(Box::new(functiongraph::EcsMetadata::new(&url)?)))
        }
        (CredentialSource::TemporaryKeys { directory, duration }, None) => {
            let asker = Asker::Login(keys::login(directory));
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
            let asker = Asker::Key(keys::base(base, HUAWEI_KEYS, env), agency);
            Some(Origin::Issued(temporary(asker, *duration)))
        }
        (other, None) => Some(Origin::Issued(
            keys::exec(other, env).ok_or("the source is of another cloud")?,
        )),
    };
    let auth = match (origin, source) {
        (Some(Origin::Local(local)), _) if !local.changes() => Auth::Keys(Credentials::load(local)),
        (Some(origin), _) => {
            let functions = aside(config, tls, config.base_url.as_ref());
            let trial = functiongraph::KeyTrial::new(endpoint.clone(), iam(), functions);
            Auth::Keys(keep(background, origin, config, trial)?)
        }
        (None, CredentialSource::IamPassword { directory }) => Auth::Login(keys::login(directory)),
        (None, _) => return Err("the source is of another cloud".to_owned()),
    };
    Ok(functiongraph::Settings {
        access: Access::new(endpoint.clone(), iam(), auth),
        wait: config.wait,
        idempotent_actions: patterns(config)?,
    })
}

fn keep(
    background: Option<&Background>,
    origin: Origin,
    config: &TargetConfig,
    trial: impl Trial,
) -> Result<Credentials, String> {
    let background = background.ok_or("its keys are kept by nobody")?;
    Ok(background.keep(origin, config.credentials.verify, Arc::new(trial)))
}

fn endpoint(place: &config::Ncp, config: &TargetConfig) -> Result<Endpoint, String> {
    let region = match place.region {
        config::Region::Kr => ncp::Region::Kr,
        config::Region::Sg => ncp::Region::Sg,
        config::Region::Jp => ncp::Region::Jp,
    };
    let version = match place.api_version {
        config::ApiVersion::V2_0 => ncp::ApiVersion::V20,
        config::ApiVersion::V2_1 => ncp::ApiVersion::V21,
    };
    let platform = match place.platform {
        config::Platform::Vpc => Platform::Vpc,
        config::Platform::Classic => Platform::Classic,
    };
    Endpoint::new(site(place), region, version, config.base_url.as_ref(), platform)
}

fn site(place: &config::Ncp) -> ncp::Site {
    match place.site {
        config::Site::Public => ncp::Site::Public,
        config::Site::Fin => ncp::Site::Fin,
        config::Site::Gov => ncp::Site::Gov,
    }
}

fn patterns(config: &TargetConfig) -> Result<Vec<Pattern>, String> {
    config
        .idempotent_actions
        .iter()
        .map(|text| Pattern::parse(text))
        .collect()
}

/// One handle for all of a target's connections, so that one reading of the files is good for all; `None` = everything is
/// plain HTTP.
fn tls(config: &TargetConfig) -> Result<Option<Tls>, String> {
    let beside = match &config.cloud {
        Cloud::FunctionGraph(place) => is_https(place.iam_url.as_ref()),
        Cloud::Ncp(place) => {
            matches!(config.credentials.source, CredentialSource::Sts { .. })
                && is_https(place.sts_url.as_ref())
        }
    };
    if !is_https(config.base_url.as_ref()) && !beside {
        return Ok(None);
    }
    let client = match (&config.client_cert_file, &config.client_key_file) {
        (Some(certificate), Some(key)) => Some(ClientFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        _ => None,
    };
    let ca_file = config.ca_file.clone();
    Tls::load(TlsFiles { ca_file, client }).map(Some)
}

/// The clouds' own hosts speak TLS alone.
fn is_https(url: Option<&Url>) -> bool {
    url.is_none_or(|url| url.scheme() == "https")
}

fn transport_settings(config: &TargetConfig, tls: Option<&Tls>) -> transport::Settings {
    let (retry, timeouts, limits) = (&config.retry, &config.timeouts, &config.limits);
    let breaker = &config.breaker;
    transport::Settings {
        tls: tls.filter(|_| is_https(config.base_url.as_ref())).cloned(),
        retry: transport::Retry {
            max_attempts: retry.max_attempts,
            initial_backoff: retry.initial_backoff,
            max_backoff: retry.max_backoff,
            budget_ratio: ratio(retry.budget.ratio),
            budget_min_per_second: retry.budget.min_per_second,
        },
        timeouts: transport::Timeouts {
            connect: timeouts.connect,
            attempt: timeouts.attempt,
            idle: timeouts.idle,
            max_connection_age: timeouts.max_connection_age,
        },
        limits: transport::Limits {
            max_in_flight: limits.max_in_flight,
            max_queue: limits.max_queue,
            queue_timeout: limits.queue_timeout.min(Duration::from_secs(3600)),
            max_response_size: usize::try_from(limits.max_response_size).unwrap_or(usize::MAX),
            adaptive_rate: limits.adaptive_rate,
        },
        breaker: transport::BreakerSettings {
            enabled: breaker.enabled,
            consecutive_failures: breaker.consecutive_failures,
            success_rate: breaker.success_rate,
            min_requests: breaker.min_requests,
            window: breaker.window,
            open: breaker.open,
            max_open: breaker.max_open,
        },
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a share between 0 and 1 loses nothing that matters"
)]
fn ratio(share: f64) -> f32 {
    share as f32
}
