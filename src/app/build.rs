//! Configuration → each room's own settings → a target's way to its cloud.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use url::Url;

use super::blueprint::{Lasting, Prepared, Way};
use super::keys;
use crate::config::{self, AllowRule, Cloud, Config, CredentialSource, TargetConfig};
use crate::env::Env;
use crate::memory;
use crate::names::{NamePattern, Pattern};
use crate::proto::{Platform, Vpc};
use crate::provider::Provider;
use crate::provider::functiongraph::{self, FunctionGraph};
use crate::provider::ncp::{self, Endpoint, Ncp};
use crate::target::{Allow, Operation, Rule};
use crate::telemetry::metrics::{Export, Metrics, TargetMetrics};
use crate::telemetry::{Keep, Lines, Log, Telemetry, Traces, without_repetitions};
use crate::transport::{self, ClientFiles, Shared, Tls, TlsFiles, Transport};

// Two rooms that do not know each other speak of the same cost.
const _: () = assert!(config::MESSAGE_COST == memory::FACTOR as u64);

/// A target's way to its cloud, which keeps of `old` what is the same. The configuration has no
/// rules for callers.
pub(super) fn way(
    config: TargetConfig,
    env: &Env,
    metrics: &Arc<TargetMetrics>,
    lasting: &Lasting,
    old: Option<&Way>,
) -> Result<Way, String> {
    // What was learnt of another upstream says nothing about this one.
    let old = old
        .filter(|old| old.config.cloud == config.cloud && old.config.base_url == config.base_url);
    let tls = tls(&config, old)?;
    let transport = transport_settings(&config, tls.as_ref(), metrics, lasting);
    let shared = old
        .filter(|old| {
            let was = &old.config;
            was.retry == config.retry
                && was.limits == config.limits
                && was.breaker == config.breaker
                && was.max_clock_correction == config.max_clock_correction
        })
        .map_or_else(|| Shared::new(&transport), |old| Arc::clone(&old.shared));
    let aside = |url: Option<&Url>| {
        let mut settings = transport.clone();
        settings.tls = tls.as_ref().filter(|_| is_https(url)).cloned();
        Transport::new(&settings, Shared::new(&settings))
    };
    let aside = keys::Aside {
        transport: &aside,
        env,
        background: &lasting.background,
    };
    let cloud = match (&config.cloud, old.map(|old| (&old.config, &old.cloud))) {
        (Cloud::Ncp(_), Some((was, Prepared::Ncp(keys))))
            if was.credentials == config.credentials =>
        {
            Prepared::Ncp(keys.clone())
        }
        (Cloud::Ncp(place), _) => Prepared::Ncp(keys::ncp(place, &config, &aside)?),
        (Cloud::FunctionGraph(_), Some((was, Prepared::FunctionGraph(settings))))
            if same_account(was, &config) =>
        {
            Prepared::FunctionGraph(functiongraph::Settings {
                wait: config.wait,
                idempotent_actions: patterns(&config)?,
                ..settings.clone()
            })
        }
        (Cloud::FunctionGraph(place), _) => Prepared::FunctionGraph(functiongraph::Settings {
            access: keys::access(place, &config, &aside)?,
            wait: config.wait,
            idempotent_actions: patterns(&config)?,
        }),
    };
    Ok(Way {
        config,
        transport,
        shared,
        tls,
        cloud,
    })
}

/// A provider for one thread.
pub(super) fn provider(way: &Way) -> Result<Arc<dyn Provider>, String> {
    let config = &way.config;
    let transport = Transport::new(&way.transport, Arc::clone(&way.shared));
    match (&config.cloud, &way.cloud) {
        (Cloud::Ncp(place), Prepared::Ncp(credentials)) => {
            let settings = ncp::Settings {
                endpoint: endpoint(place, config)?,
                wait: config.wait,
                idempotent_actions: patterns(config)?,
            };
            Ok(Arc::new(Ncp::new(settings, transport, credentials.clone())))
        }
        (Cloud::FunctionGraph(_), Prepared::FunctionGraph(settings)) => {
            Ok(Arc::new(FunctionGraph::new(settings.clone(), transport)))
        }
        _ => Err("the plan is of another cloud than the configuration".to_owned()),
    }
}

/// The rules of `allow`; none allows nothing.
pub(super) fn allow(target: &str, rules: &[AllowRule]) -> Result<Allow, String> {
    let rule = |rule: &AllowRule| {
        Ok(Rule {
            actions: rule
                .actions
                .iter()
                .map(|text| Pattern::parse(text))
                .collect::<Result<_, String>>()?,
            triggers: rule
                .triggers
                .iter()
                .map(|text| NamePattern::new(text))
                .collect(),
            operations: rule
                .operations
                .iter()
                .flat_map(|word| Operation::named(word))
                .collect(),
        })
    };
    let rules = rules.iter().map(rule).collect::<Result<_, String>>()?;
    Ok(Allow::new(format!("targets.{target}.allow"), rules))
}

/// Whether one `Access` (token, held-back key, project, way to IAM) serves both: they differ in the
/// functions' part alone.
fn same_account(was: &TargetConfig, is: &TargetConfig) -> bool {
    let account = |config: &TargetConfig| TargetConfig {
        wait: Duration::ZERO,
        idempotent_actions: Vec::new(),
        // IAM is asked rarely: the bounds of the functions' calls mean nothing there.
        limits: was.limits,
        ..config.clone()
    };
    account(was) == account(is)
}

/// The process's telemetry. What is wrong with it is told and never keeps the sidecar from
/// starting.
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
    let metrics = Metrics::new(config.metrics.max_actions);
    let baggage = &config.tracing.baggage;
    let traces = Traces::start(
        &|name| env.get(name),
        keep,
        baggage,
        &metrics,
        &mut warnings,
    );
    let export = Export::start(&metrics, &|name| env.get(name), &mut warnings);
    for warning in without_repetitions(warnings) {
        warn!("{warning}");
    }
    Arc::new(Telemetry::new(Log::installed(), lines, traces, metrics).exporting(export))
}

pub(super) fn endpoint(place: &config::Ncp, config: &TargetConfig) -> Result<Endpoint, String> {
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
    let default_vpc = place.vpc.map(|vpc| Vpc {
        vpc_no: vpc.vpc_no,
        subnet_no: vpc.subnet_no,
    });
    let endpoint = Endpoint::new(
        site(place),
        region,
        version,
        config.base_url.as_ref(),
        platform,
    )?;
    Ok(endpoint.with_default_vpc(default_vpc))
}

pub(super) fn site(place: &config::Ncp) -> ncp::Site {
    match place.site {
        config::Site::Public => ncp::Site::Public,
        config::Site::Fin => ncp::Site::Fin,
        config::Site::Gov => ncp::Site::Gov,
    }
}

/// Cloud and region for spans. The conventions list neither cloud yet; the names follow those of
/// the others (`alibaba_cloud`, `tencent_cloud`).
pub(super) fn place(cloud: &Cloud) -> (&'static str, String) {
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

/// One handle for all of a target's connections, so that one reading of the files is good for all;
/// `None` = everything is plain HTTP.
pub(super) fn tls(config: &TargetConfig, old: Option<&Way>) -> Result<Option<Tls>, String> {
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
    let files = |config: &TargetConfig| {
        let TargetConfig {
            ca_file,
            client_cert_file,
            client_key_file,
            ..
        } = config;
        [ca_file, client_cert_file, client_key_file].map(Clone::clone)
    };
    if let Some(old) = old
        && let Some(tls) = &old.tls
        && files(&old.config) == files(config)
    {
        return Ok(Some(tls.clone()));
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
    lasting: &Lasting,
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
            queue_timeout: limits.queue_timeout,
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
        max_clock_correction: config.max_clock_correction,
        metrics: Arc::clone(metrics),
        memory: lasting.memory.clone(),
        resolver: lasting.resolver.clone(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a share between 0 and 1 loses nothing that matters"
)]
fn ratio(share: f64) -> f32 {
    share as f32
}
