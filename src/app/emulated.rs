//! The sidecar with the clouds it calls inside the same process: for `serve --emulator`, `demo` and tests.

use std::collections::BTreeMap;

use tracing::info;
use url::Url;

use super::StartError;
use super::serve::{runtime, until_signal};
use crate::config::{self, Cloud, Config, Credentials, TargetConfig};
use crate::emulator::Running;
use crate::emulator::ncp::{self, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, Options};
use crate::env::Env;

/// One emulator for each place that the targets name, and the configuration that leads to them.
#[derive(Debug)]
pub struct Emulators {
    running: BTreeMap<&'static str, Running>,
    config: Config,
}

impl Emulators {
    /// Starts them on free ports of loopback, on the present runtime, and points `config`'s targets at them.
    ///
    /// # Errors
    /// When no port can be had, or a target's cloud has no emulator.
    pub async fn start(mut config: Config, options: impl Fn() -> Options) -> Result<Self, StartError> {
        let mut running = BTreeMap::new();
        for (name, target) in &mut config.targets {
            let Cloud::Ncp(place) = &target.cloud else {
                return Err(StartError(format!(
                    "target {name}: there is no emulator for its provider"
                )));
            };
            let (key, site) = site(place);
            if !running.contains_key(key) {
                let emulator = ncp::start(Options { site, ..options() })
                    .await
                    .map_err(|why| StartError(format!("the emulator cannot start ({why})")))?;
                info!(site = key, url = emulator.base_url(), "emulator");
                running.insert(key, emulator);
            }
            if let Some(emulator) = running.get(key) {
                lead(target, &emulator.base_url())?;
            }
        }
        Ok(Self { running, config })
    }

    /// The configuration whose targets lead to the emulators.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An environment that holds the emulators' keys and nothing else.
    #[must_use]
    pub fn env(&self) -> Env {
        Env::fixed([
            ("NCLOUD_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY),
            ("NCLOUD_SECRET_ACCESS_KEY", DEFAULT_SECRET_KEY),
        ])
    }

    /// The emulators, by place.
    pub fn iter(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }
}

/// Serves like [`serve`](super::serve), with emulators in place of all clouds.
///
/// # Errors
/// When it cannot start.
pub fn serve_emulated(config: &Config) -> Result<(), StartError> {
    runtime()?.block_on(async {
        let emulators = Emulators::start(config.clone(), Options::default).await?;
        until_signal(emulators.config(), &emulators.env()).await
    })
}

fn lead(target: &mut TargetConfig, base_url: &str) -> Result<(), StartError> {
    let url = Url::parse(base_url)
        .map_err(|why| StartError(format!("the emulator has no usable address ({why})")))?;
    target.base_url = Some(url);
    target.ca_file = None;
    target.credentials = Credentials::Env;
    Ok(())
}

fn site(place: &config::Ncp) -> (&'static str, ncp::Site) {
    match (place.site, place.region) {
        (config::Site::Fin, _) => ("fin", ncp::Site::Financial),
        (config::Site::Gov, _) => ("gov", ncp::Site::Government),
        (config::Site::Public, config::Region::Kr) => ("kr", ncp::Site::Korea),
        (config::Site::Public, config::Region::Sg) => ("sg", ncp::Site::Singapore),
        (config::Site::Public, config::Region::Jp) => ("jp", ncp::Site::Japan),
    }
}
