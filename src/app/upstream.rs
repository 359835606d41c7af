//! The way to a target's cloud: connections' settings, account and certificates, which a next
//! configuration keeps where they are the same.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::{self, TargetConfig, Timeouts};
use crate::credentials::{KeeperThread, Status};
use crate::env::Env;
use crate::memory::{self, Memory};
use crate::names::Pattern;
use crate::provider::Provider;
use crate::provider::cloud::{Account, AccountContext, RunRules};
use crate::telemetry::metrics::{Metrics, TargetMetrics};
use crate::transport::{self, ClientFiles, Resolver, Shared, Tls, TlsFiles, Transport};

// Two modules that do not know each other speak of the same cost.
const _: () = assert!(config::MESSAGE_COST == memory::FACTOR);

/// What outlives every configuration.
#[derive(Clone)]
pub(super) struct ProcessState {
    pub(super) metrics: Arc<Metrics>,
    pub(super) memory: Memory,
    pub(super) resolver: Resolver,
    pub(super) keeper: Arc<KeeperThread>,
}

/// The way to one target's cloud.
pub(super) struct Upstream {
    /// What it was made from, without what is the edge's business alone.
    config: TargetConfig,
    transport: transport::Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) tls: Option<Tls>,
    account: Arc<dyn Account>,
    rules: RunRules,
}

impl Upstream {
    /// Keeps of `old` what is the same.
    pub(super) fn new(
        config: &TargetConfig,
        env: &Env,
        metrics: &Arc<TargetMetrics>,
        process: &ProcessState,
        old: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        let config = without_edge(config);
        if let Some(old) = old
            && old.config == config
        {
            return Ok(Arc::clone(old));
        }
        // What was learnt of another upstream says nothing about this one.
        let old = old.filter(|old| {
            old.config.cloud == config.cloud && old.config.base_url == config.base_url
        });
        let tls = tls(&config, old.map(|old| &**old))?;
        let transport = transport::Settings {
            tls: tls.clone().filter(|_| is_https(config.base_url.as_ref())),
            retry: config.retry,
            timeouts: config.timeouts,
            limits: config.limits,
            breaker: config.breaker,
            max_clock_correction: config.max_clock_correction,
            metrics: Arc::clone(metrics),
            memory: process.memory.clone(),
            resolver: process.resolver.clone(),
        };
        let shared = old
            .filter(|old| {
                let was = &old.config;
                was.retry == config.retry
                    && was.limits == config.limits
                    && was.breaker == config.breaker
                    && was.max_clock_correction == config.max_clock_correction
            })
            .map_or_else(|| Shared::new(&transport), |old| Arc::clone(&old.shared));
        let account = match old.filter(|old| is_same_account(&old.config, &config)) {
            Some(old) => Arc::clone(&old.account),
            None => {
                let env = env.clone();
                config.cloud.account(
                    &config.credentials,
                    &AccountContext {
                        transport: &|url| {
                            let mut settings = transport.clone();
                            settings.tls = tls.clone().filter(|_| is_https(url));
                            Transport::new(&settings, Shared::new(&settings))
                        },
                        variables: Arc::new(move |name| env.get(name)),
                        keeper: &process.keeper,
                        base_url: config.base_url.as_ref(),
                    },
                )?
            }
        };
        let patterns = config.idempotent_actions.iter();
        let rules = RunRules {
            wait: config.wait,
            idempotent_actions: patterns
                .map(|text| Pattern::parse(text))
                .collect::<Result<_, _>>()?,
        };
        Ok(Arc::new(Self {
            config,
            transport,
            shared,
            tls,
            account,
            rules,
        }))
    }

    /// A provider for one thread.
    pub(super) fn provider(&self) -> Arc<dyn Provider> {
        let transport = Transport::new(&self.transport, Arc::clone(&self.shared));
        self.account.provider(self.rules.clone(), transport)
    }

    /// The state of its credentials.
    pub(super) fn status(&self) -> Status {
        self.account.status()
    }
}

/// The configuration without what only the edge reads.
fn without_edge(config: &TargetConfig) -> TargetConfig {
    TargetConfig {
        allow: None,
        timeouts: Timeouts {
            request: Duration::ZERO,
            ..config.timeouts
        },
        ..config.clone()
    }
}

/// Whether one account serves both configurations. One with connections of its own (to IAM, say)
/// follows all that is set of them.
fn is_same_account(was: &TargetConfig, is: &TargetConfig) -> bool {
    let account = |config: &TargetConfig| TargetConfig {
        wait: Duration::ZERO,
        idempotent_actions: Vec::new(),
        // It is asked rarely: the bounds of the functions' calls mean nothing there.
        limits: was.limits,
        ..config.clone()
    };
    was.credentials == is.credentials && (!is.cloud.owns_transport() || account(was) == account(is))
}

/// One handle for all of a target's connections, so that one reading of the files is good for all;
/// `None` = everything is plain HTTP.
pub(super) fn tls(config: &TargetConfig, old: Option<&Upstream>) -> Result<Option<Tls>, String> {
    let mut hosts = config.cloud.other_hosts(&config.credentials);
    hosts.push(config.base_url.as_ref());
    if !hosts.into_iter().any(is_https) {
        return Ok(None);
    }
    let files = |config: &TargetConfig| TlsFiles {
        ca_file: config.ca_file.clone(),
        client: config
            .client_cert_file
            .clone()
            .zip(config.client_key_file.clone())
            .map(|(certificate, key)| ClientFiles { certificate, key }),
    };
    if let Some(old) = old
        && let Some(tls) = &old.tls
        && files(&old.config) == files(config)
    {
        return Ok(Some(tls.clone()));
    }
    Tls::load(files(config)).map(Some)
}

/// The clouds' own hosts speak TLS alone.
fn is_https(url: Option<&Url>) -> bool {
    url.is_none_or(|url| url.scheme() == "https")
}
