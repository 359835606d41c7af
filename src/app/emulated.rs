//! The sidecar with the clouds it calls inside the same process: for `serve --emulator`, `demo` and
//! tests.

use std::collections::BTreeMap;
use std::io;

use tracing::{info, warn};
use url::Url;

use super::StartError;
use super::serve::{runtime, until_signal};
use crate::config::{Cloud, Config, Sources, TargetConfig};
use crate::env::Env;
use crate::provider::{functiongraph as huawei, ncp as naver};
use faas_emulator::functiongraph::{self, Project};
use faas_emulator::ncp;
use faas_emulator::{NO_SANDBOX, Running};

/// How the emulated clouds behave; which of their sites and regions there are, the targets say.
#[derive(Debug, Clone, Default)]
pub struct EmulatedClouds {
    /// NAVER Cloud Functions.
    pub ncp: ncp::Options,
    /// Huawei FunctionGraph, with its IAM.
    pub functiongraph: functiongraph::Options,
}

/// One emulator for each place that the targets name, and the configuration that leads to them.
#[derive(Debug)]
pub struct Emulators {
    running: BTreeMap<String, Running>,
    config: Config,
    env: Env,
}

impl Emulators {
    /// Starts them on free ports of loopback, on the present runtime, and points `config`'s targets
    /// at them.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(config: Config, clouds: &EmulatedClouds) -> Result<Self, StartError> {
        let mut emulators = Self {
            running: BTreeMap::new(),
            config: config.clone(),
            env: env(clouds),
        };
        emulators.config = emulators.adapt(config, clouds).await?;
        Ok(emulators)
    }

    /// The same for a further configuration: places that are new get emulators, the others go on.
    async fn adapt(
        &mut self,
        mut config: Config,
        clouds: &EmulatedClouds,
    ) -> Result<Config, StartError> {
        for target in config.targets.values_mut() {
            let place = place(&target.cloud);
            if !self.running.contains_key(&place) {
                let emulator = start(&target.cloud, clouds)
                    .await
                    .map_err(|why| StartError(format!("the emulator cannot start ({why})")))?;
                info!(place, url = emulator.base_url(), "emulator");
                self.running.insert(place.clone(), emulator);
            }
            if let Some(emulator) = self.running.get(&place) {
                lead(target, &emulator.base_url())?;
            }
        }
        Ok(config)
    }

    /// The configuration whose targets lead to the emulators.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An environment that holds the emulators' keys and nothing else: the first of each cloud.
    #[must_use]
    pub fn env(&self) -> Env {
        self.env.clone()
    }

    /// The emulators, by place.
    pub fn iter(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }
}

/// Serves like [`serve`](super::serve), with emulators in place of all clouds. `processes` is
/// whether functions may run that need a process of their own.
///
/// # Errors
/// When it cannot start.
pub fn serve_emulated(
    config: &Config,
    sources: &Sources,
    processes: bool,
) -> Result<(), StartError> {
    runtime()?.block_on(async {
        let clouds = EmulatedClouds {
            ncp: ncp::Options {
                processes,
                ..ncp::Options::default()
            },
            functiongraph: functiongraph::Options {
                processes,
                ..functiongraph::Options::default()
            },
        };
        warn!("{NO_SANDBOX}");
        let mut emulators = Emulators::start(config.clone(), &clouds).await?;
        // Traces go where the operator says, whatever answers the calls.
        let env = emulators.env().with_process("OTEL_");
        let config = emulators.config().clone();
        until_signal(&config, sources, &env, async |config| {
            emulators.adapt(config, &clouds).await
        })
        .await
    })
}

fn env(clouds: &EmulatedClouds) -> Env {
    let ncp = clouds.ncp.keys.first().map(|key| {
        [
            ("NCLOUD_ACCESS_KEY_ID", key.access_key.clone()),
            ("NCLOUD_SECRET_ACCESS_KEY", key.secret_key.clone()),
        ]
    });
    let huawei = clouds.functiongraph.keys.first().map(|key| {
        [
            ("HUAWEICLOUD_SDK_AK", key.access_key.clone()),
            ("HUAWEICLOUD_SDK_SK", key.secret_key.clone()),
        ]
    });
    Env::fixed(ncp.into_iter().chain(huawei).flatten())
}

async fn start(cloud: &Cloud, clouds: &EmulatedClouds) -> io::Result<Running> {
    match cloud {
        Cloud::Ncp(place) => {
            let (_, site) = site(place);
            ncp::start(ncp::Options {
                site,
                ..clouds.ncp.clone()
            })
            .await
        }
        Cloud::FunctionGraph(place) => {
            functiongraph::start(functiongraph::Options {
                projects: vec![Project::new(project(place), &place.region)],
                ..clouds.functiongraph.clone()
            })
            .await
        }
    }
}

/// A target's way to its emulator. A project that is not configured is looked up there.
fn lead(target: &mut TargetConfig, base_url: &str) -> Result<(), StartError> {
    let url = Url::parse(base_url)
        .map_err(|why| StartError(format!("the emulator has no usable address ({why})")))?;
    if let Cloud::FunctionGraph(place) = &mut target.cloud {
        place.iam_url = Some(url.clone());
    }
    target.base_url = Some(url);
    (
        target.ca_file,
        target.client_cert_file,
        target.client_key_file,
    ) = (None, None, None);
    target.credentials = target.cloud.keys_from_environment();
    Ok(())
}

/// Targets of the same place share an emulator.
fn place(cloud: &Cloud) -> String {
    match cloud {
        Cloud::Ncp(place) => format!("ncp {}", site(place).0),
        Cloud::FunctionGraph(place) => format!("functiongraph {} {}", place.region, project(place)),
    }
}

fn project(place: &huawei::Config) -> &str {
    place
        .project_id
        .as_deref()
        .unwrap_or(functiongraph::DEFAULT_PROJECT_ID)
}

fn site(place: &naver::Config) -> (&'static str, ncp::Site) {
    match (place.site, place.region) {
        (naver::Site::Fin, _) => ("fin", ncp::Site::Financial),
        (naver::Site::Gov, _) => ("gov", ncp::Site::Government),
        (naver::Site::Public, naver::Region::Kr) => ("kr", ncp::Site::Korea),
        (naver::Site::Public, naver::Region::Sg) => ("sg", ncp::Site::Singapore),
        (naver::Site::Public, naver::Region::Jp) => ("jp", ncp::Site::Japan),
    }
}
