//! Keys: where they come from, and the current ones behind a handle.
//!
//! Knows neither gRPC nor which cloud is called. A [`Secret`] cannot be printed, logged or serialised.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::error::{Component, Error, Kind};

mod login;
mod secret;
mod source;
pub mod token;

pub use login::{Agency, Login, LoginSource};
pub use secret::Secret;
pub use source::{KeyNames, Reader, Source};

/// How long a failed load is believed before the source is asked again.
const RELOAD_PAUSE: Duration = Duration::from_secs(1);

/// An access key with its secret.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The key's public half; it travels in every request.
    pub access_key: String,
    /// The secret half; it only ever feeds an HMAC.
    pub secret_key: Secret,
    /// For temporary keys of clouds that have one.
    pub security_token: Option<Secret>,
}

/// The keys as of one load. `generation` changes whenever the keys do, so that what was prepared from them can be kept.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts loads that changed the keys; never 0.
    pub generation: u64,
    /// The keys, or why there are none.
    pub keys: Result<KeyPair, String>,
    loaded: Instant,
}

/// The current keys of one source; cheap to clone and to read.
#[derive(Clone, Debug)]
pub struct Credentials {
    source: Arc<Source>,
    current: Arc<ArcSwap<Snapshot>>,
}

impl Credentials {
    /// Loads the source once; absent keys are no error here, but of each call that needs them.
    #[must_use]
    pub fn load(source: Source) -> Self {
        let snapshot = Snapshot {
            generation: 1,
            keys: source.read(),
            loaded: Instant::now(),
        };
        Self {
            source: Arc::new(source),
            current: Arc::new(ArcSwap::from_pointee(snapshot)),
        }
    }

    /// The current keys.
    ///
    /// # Errors
    /// `Unauthenticated` with reason `CREDENTIALS_MISSING` when the source has none; the source is asked again at most
    /// once a second, so keys that arrive later are found.
    pub fn current(&self) -> Result<Arc<Snapshot>, Error> {
        let snapshot = self.current.load_full();
        let snapshot = match &snapshot.keys {
            Err(_) if snapshot.loaded.elapsed() >= RELOAD_PAUSE => self.reload(snapshot.generation),
            _ => snapshot,
        };
        match &snapshot.keys {
            Ok(_) => Ok(snapshot),
            Err(why) => Err(Error::new(
                Kind::Unauthenticated,
                "CREDENTIALS_MISSING",
                format!("The sidecar has no credentials for this target: {why}"),
            )
            .component(Component::Sidecar)),
        }
    }

    /// Where the keys come from, without any value.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn reload(&self, generation: u64) -> Arc<Snapshot> {
        let fresh = Snapshot {
            generation: generation + 1,
            keys: self.source.read(),
            loaded: Instant::now(),
        };
        self.current.store(Arc::new(fresh));
        self.current.load_full()
    }
}

#[cfg(test)]
mod tests;
