//! Configuration → each room's own settings → targets.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use url::Url;

use super::{StartError, readings};
use crate::config::{self, Cloud, Config, TargetConfig};
use crate::credentials::{Credentials, KeyNames, LoginSource, Source};
use crate::env::Env;
use crate::names::Pattern;
use crate::proto::Platform;
use crate::provider::Provider;
use crate::provider::functiongraph::{self, Access, Auth, FunctionGraph};
use crate::provider::ncp::{self, Endpoint, Ncp};
use crate::target::{Target, Targets};
use crate::telemetry::metrics::{Export, Metrics, TargetMetrics};
use crate::telemetry::{Keep, Lines, Log, Telemetry, Traces};
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
    pub(super) fn new(config: &Config, env: &Env, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let targets = config
            .targets
            .iter()
            .map(|(name, target)| plan(name, target, env, metrics))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            targets,
            default: config.default_target.clone(),
        })
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
    fn target(&self) -> Result<Target, StartError> {
        let fault = |why: String| StartError(format!("target {}: {why}", self.name));
        let transport = Transport::new(&self.transport, Arc::clone(&self.shared));
        let (cloud, region) = place(&self.config.cloud);
        Ok(Target {
            name: self.name.clone(),
            cloud,
            region,
            provider: self.provider(transport).map_err(fault)?,
            request_timeout: self.config.timeouts.request,
            metrics: Arc::clone(&self.transport.metrics),
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

/// The process's telemetry. What is wrong with it is told and never keeps the sidecar from starting.
pub(super) fn telemetry(config: &Config, env: &Env) -> Arc<Telemetry> {
    let slower_than = config.tracing.keep_slower_than;
    let keep = Keep {
        failures: config.tracing.keep_failures,
        slower_than: (!slower_than.is_zero()).then_some(slower_than),
    };
    let lines = match config.access_log {
        config::AccessLog::Off => Lines::Off,
        config::AccessLog::Errors => Lines::Errors,
        config::AccessLog::All => Lines::All,
    };
    let mut warnings = Vec::new();
    let traces = Traces::start(&|name| env.get(name), keep, &mut warnings);
    let metrics = Metrics::new(config.metrics.max_actions);
    let export = Export::start(&metrics, &|name| env.get(name), &mut warnings);
    for warning in warnings {
        warn!("{warning}");
    }
    Arc::new(Telemetry::new(Log::installed(), lines, traces, metrics).exporting(export))
}

fn plan(name: &str, config: &TargetConfig, env: &Env, metrics: &Arc<Metrics>) -> Result<Plan, StartError> {
    let fault = |why: String| StartError(format!("target {name}: {why}"));
    let tls = tls(config).map_err(fault)?;
    let metrics = TargetMetrics::new(metrics, name);
    let (cloud, region) = place(&config.cloud);
    metrics.describe(cloud, &region);
    let transport = transport_settings(config, tls.as_ref(), &metrics);
    let shared = Shared::new(&transport);
    readings::of_target(&metrics, &shared);
    Ok(Plan {
        name: name.to_owned(),
        config: config.clone(),
        shared,
        transport,
        cloud: match &config.cloud {
            Cloud::Ncp(_) => Prepared::Ncp(Credentials::load(source(config, NCP_KEYS, env))),
            Cloud::FunctionGraph(place) => Prepared::FunctionGraph(
                function_graph(place, config, tls.as_ref(), env, &metrics).map_err(fault)?,
            ),
        },
    })
}

fn function_graph(
    place: &config::FunctionGraph,
    config: &TargetConfig,
    tls: Option<&Tls>,
    env: &Env,
    metrics: &Arc<TargetMetrics>,
) -> Result<functiongraph::Settings, String> {
    let (project, iam) = (place.project_id.as_deref(), place.iam_url.as_ref());
    let endpoint = functiongraph::Endpoint::new(&place.region, project, config.base_url.as_ref(), iam)?;
    let auth = match &config.credentials {
        config::Credentials::IamPassword { directory } => Auth::Login(LoginSource::Files {
            directory: directory.clone(),
        }),
        _ => Auth::Keys(Credentials::load(source(config, HUAWEI_KEYS, env))),
    };
    // IAM is asked rarely, so one transport serves all threads.
    let mut settings = transport_settings(config, tls, metrics);
    settings.tls = tls.filter(|_| is_https(iam)).cloned();
    let iam = Transport::new(&settings, Shared::new(&settings));
    Ok(functiongraph::Settings {
        access: Access::new(endpoint, iam, auth),
        wait: config.wait,
        idempotent_actions: patterns(config)?,
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

/// Cloud and region for spans. The conventions list neither cloud yet; the names follow those of the others
/// (`alibaba_cloud`, `tencent_cloud`).
fn place(cloud: &Cloud) -> (&'static str, String) {
    match cloud {
        Cloud::Ncp(place) => {
            let region = match (place.site, place.region) {
                (config::Site::Fin, _) => "fin",
                (config::Site::Gov, _) => "gov",
                (config::Site::Public, config::Region::Kr) => "kr",
                (config::Site::Public, config::Region::Sg) => "sg",
                (config::Site::Public, config::Region::Jp) => "jp",
            };
            ("naver_cloud", region.to_owned())
        }
        Cloud::FunctionGraph(place) => ("huawei_cloud", place.region.clone()),
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
pub(super) fn tls(config: &TargetConfig) -> Result<Option<Tls>, String> {
    let iam_url = match &config.cloud {
        Cloud::FunctionGraph(place) => is_https(place.iam_url.as_ref()),
        Cloud::Ncp(_) => false,
    };
    if !is_https(config.base_url.as_ref()) && !iam_url {
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

fn transport_settings(
    config: &TargetConfig,
    tls: Option<&Tls>,
    metrics: &Arc<TargetMetrics>,
) -> transport::Settings {
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
        metrics: Arc::clone(metrics),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a share between 0 and 1 loses nothing that matters"
)]
fn ratio(share: f64) -> f32 {
    share as f32
}

fn source(config: &TargetConfig, names: KeyNames, env: &Env) -> Source {
    match &config.credentials {
        config::Credentials::Env => {
            let env = env.clone();
            Source::Env {
                names,
                read: Arc::new(move |name| env.get(name)),
            }
        }
        config::Credentials::Files { directory } | config::Credentials::IamPassword { directory } => {
            Source::Files {
                directory: directory.clone(),
            }
        }
        config::Credentials::NcloudConfigure { file, profile } => Source::NcloudConfigure {
            file: file.clone(),
            profile: profile.clone(),
        },
    }
}
