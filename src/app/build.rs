//! Configuration → each room's own settings → targets.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::config::{self, Cloud, Config, TargetConfig};
use crate::credentials::{Credentials, KeyNames, Source};
use crate::env::Env;
use crate::names::Pattern;
use crate::proto::Platform;
use crate::provider::Provider;
use crate::provider::ncp::{self, Endpoint, Ncp};
use crate::target::{Target, Targets};
use crate::transport::{self, Shared, Transport};

/// Names of NCP's environment variables, as its own tools know them (NCP SDKs and CLI guide).
const NCP_KEYS: KeyNames = KeyNames {
    access_key: &["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"],
    secret_key: &["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"],
    security_token: &[],
};

/// Everything that targets are made of; each serving thread makes its own from it.
pub(super) struct Blueprint {
    targets: Vec<Plan>,
    default: String,
}

struct Plan {
    name: String,
    config: TargetConfig,
    transport: transport::Settings,
    shared: Arc<Shared>,
    credentials: Credentials,
}

impl Blueprint {
    pub(super) fn new(config: &Config, env: &Env) -> Result<Self, StartError> {
        let targets = config.targets.iter().map(|(name, target)| plan(name, target, env)).collect::<Result<_, _>>()?;
        Ok(Self { targets, default: config.default_target.clone() })
    }

    /// Targets for one thread.
    pub(super) fn targets(&self) -> Result<Targets, StartError> {
        let targets = self.targets.iter().map(Plan::target).collect::<Result<_, _>>()?;
        Ok(Targets::new(targets, &self.default))
    }
}

impl Plan {
    fn target(&self) -> Result<Target, StartError> {
        let fault = |why: String| StartError(format!("target {}: {why}", self.name));
        let transport = Transport::new(&self.transport, Arc::clone(&self.shared)).map_err(fault)?;
        Ok(Target {
            name: self.name.clone(),
            provider: self.provider(transport).map_err(fault)?,
            request_timeout: self.config.timeouts.request,
        })
    }

    fn provider(&self, transport: Transport) -> Result<Box<dyn Provider>, String> {
        let config = &self.config;
        match &config.cloud {
            Cloud::Ncp(place) => {
                let settings = ncp::Settings {
                    endpoint: endpoint(place, config)?,
                    wait: config.wait,
                    idempotent_actions: patterns(config)?,
                };
                Ok(Box::new(Ncp::new(settings, transport, self.credentials.clone())))
            }
            Cloud::FunctionGraph(_) => Err("provider functiongraph is not part of this build yet".to_owned()),
        }
    }
}

fn plan(name: &str, config: &TargetConfig, env: &Env) -> Result<Plan, StartError> {
    let transport = transport_settings(config);
    Ok(Plan {
        name: name.to_owned(),
        config: config.clone(),
        shared: Shared::new(&transport),
        transport,
        credentials: Credentials::load(source(config, env)),
    })
}

fn endpoint(place: &config::Ncp, config: &TargetConfig) -> Result<Endpoint, String> {
    let site = match place.site {
        config::Site::Public => ncp::Site::Public,
        config::Site::Fin => ncp::Site::Fin,
        config::Site::Gov => ncp::Site::Gov,
    };
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
    Endpoint::new(site, region, version, config.base_url.as_ref(), platform)
}

fn patterns(config: &TargetConfig) -> Result<Vec<Pattern>, String> {
    config.idempotent_actions.iter().map(|text| Pattern::parse(text)).collect()
}

fn transport_settings(config: &TargetConfig) -> transport::Settings {
    let (retry, timeouts, limits) = (&config.retry, &config.timeouts, &config.limits);
    transport::Settings {
        tls: config.base_url.as_ref().is_none_or(|url| url.scheme() == "https"),
        ca_file: config.ca_file.clone(),
        retry: transport::Retry {
            max_attempts: retry.max_attempts,
            initial_backoff: retry.initial_backoff,
            max_backoff: retry.max_backoff,
            budget_ratio: ratio(retry.budget.ratio),
            budget_min_per_second: retry.budget.min_per_second,
        },
        timeouts: transport::Timeouts { connect: timeouts.connect, attempt: timeouts.attempt, idle: timeouts.idle },
        limits: transport::Limits {
            max_in_flight: limits.max_in_flight,
            max_queue: limits.max_queue,
            queue_timeout: limits.queue_timeout.min(Duration::from_secs(3600)),
            max_response_size: usize::try_from(limits.max_response_size).unwrap_or(usize::MAX),
        },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1 loses nothing that matters")]
fn ratio(share: f64) -> f32 {
    share as f32
}

fn source(config: &TargetConfig, env: &Env) -> Source {
    match &config.credentials {
        config::Credentials::Env => {
            let env = env.clone();
            Source::Env { names: NCP_KEYS, read: Arc::new(move |name| env.get(name)) }
        }
        config::Credentials::Files { directory } | config::Credentials::IamPassword { directory } => {
            Source::Files { directory: directory.clone() }
        }
        config::Credentials::NcloudConfigure { file, profile } => {
            Source::NcloudConfigure { file: file.clone(), profile: profile.clone() }
        }
    }
}
