//! Keys: where they come from, and the current ones behind a handle.
//!
//! Knows neither gRPC nor which cloud is called: what a cloud gives keys by is an [`Issuer`], how
//! it is asked whether it takes a key is a [`Trial`], and both are written in the cloud's own
//! folder. A [`Secret`] cannot be printed, logged or serialised.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::error::{Component, Error, Kind, Result, reason};

mod children;
mod document;
mod exec;
mod files;
mod keeper;
mod keys;
mod login;
mod metadata;
mod pace;
mod secret;
pub mod settings;
mod source;
mod status;
mod store;
mod thread;
pub mod token;
mod watch;

pub use document::{answered_at, decode};
pub use exec::Exec;
pub use keys::{KeyPair, fingerprint};
pub use login::{Agency, Login, LoginSource};
pub use metadata::{Metadata, Page, Session};
pub use pace::Pace;
pub use secret::Secret;
pub use source::{KeyNames, Reader, Source};
pub use status::{Outcome, Refresh, Status};
pub use store::Snapshot;
pub use thread::KeeperThread;

use keeper::Keeper;
use store::{Store, no_credentials};

/// How long a call whose key was refused waits for the source to be asked for another.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Keys that someone else makes: a metadata service, a token service, a command.
#[async_trait]
pub trait Issuer: Send + Sync + 'static {
    /// Asks for keys, within a time of its own.
    ///
    /// # Errors
    /// Why there are none. Kind `Unauthenticated` with an HTTP status is a refusal, and is not
    /// repeated soon.
    async fn issue(&self) -> Result<Issued>;

    /// Where the keys come from, in a few words, without any value.
    fn describe(&self) -> String;
}

/// Keys with their life.
#[derive(Debug)]
pub struct Issued {
    /// The keys.
    pub keys: KeyPair,
    /// How long they live from now, as their issuer counts; `None` = no end is known.
    pub life: Option<Duration>,
}

/// Asks the cloud whether it takes a key, by a signed request that changes nothing.
#[async_trait]
pub trait Trial: Send + Sync + 'static {
    /// Tries these keys, within a time of its own.
    async fn try_keys(&self, keys: &KeyPair) -> Verdict;
}

/// What the cloud says to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It took the signature. A missing right is a good signature too.
    Taken,
    /// It refused the signature; one sentence.
    Refused(String),
    /// It said nothing of the signature: no way there, or it failed; one sentence.
    Unclear(String),
}

/// Where keys come from.
pub enum Origin {
    /// This machine.
    Local(Source),
    /// Someone else.
    Issued(Box<dyn Issuer>),
}

/// How keys are kept.
pub struct Keeping {
    /// Whether new keys are tried before they take the place of good ones.
    pub verify: bool,
    /// How they are tried; without it a key that was refused in a call stays out until the source
    /// changes.
    pub trial: Option<Arc<dyn Trial>>,
    /// The times.
    pub pace: Pace,
}

/// The current keys of one source; cheap to clone and to read.
#[derive(Clone)]
pub struct Credentials {
    store: Arc<Store>,
    /// Wakes the keeper; it ends when the last handle is gone.
    wake: Option<mpsc::Sender<()>>,
    issued: bool,
    ask_again: Duration,
}

impl Credentials {
    /// Reads a source once and for all; absent keys are no error here, but of each call that needs
    /// them.
    #[must_use]
    pub fn load(source: impl Borrow<Source>) -> Self {
        let source = source.borrow();
        let pace = Pace::default();
        let store = Store::new(
            format!("{source:?}"),
            pace.keep_previous,
            "not read yet.".to_owned(),
        );
        match source.read() {
            Ok(keys) => store.promote(keys, None, false),
            Err(why) => {
                store.fail(no_credentials(&why), 1);
            }
        }
        Self {
            store: Arc::new(store),
            wake: None,
            issued: false,
            ask_again: pace.ask_again,
        }
    }

    /// Reads a source and keeps up with it. The future does the keeping: it must run for as long as
    /// there is a handle, and ends by itself after that. Keys of this machine are there at once;
    /// issued ones when their issuer has answered.
    pub fn keep(
        origin: Origin,
        keeping: Keeping,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (credentials, keeper) = Self::kept(origin, keeping);
        (credentials, keeper.run())
    }

    fn kept(origin: Origin, keeping: Keeping) -> (Self, Keeper) {
        let pace = keeping.pace;
        let (wake, woken) = mpsc::channel(1);
        let why = "they have not come yet.".to_owned();
        let store = Arc::new(Store::new(origin.describe(), pace.keep_previous, why));
        let issued = matches!(origin, Origin::Issued(_));
        let mut keeper = Keeper::new(Arc::clone(&store), origin, keeping, woken);
        keeper.read_first();
        let credentials = Self {
            store,
            wake: Some(wake),
            issued,
            ask_again: if issued {
                pace.ask_again
            } else {
                pace.poll_missing
            },
        };
        (credentials, keeper)
    }

    /// Waits for keys until `deadline`, if there are none and someone is about to give some. With
    /// keys at hand this costs a look.
    ///
    /// # Errors
    /// `Unauthenticated` with reason `CREDENTIALS_MISSING` when the source has none, whatever a
    /// failed issuer said, or `DeadlineExceeded`. Nothing was sent.
    pub async fn ready(&self, deadline: Instant) -> Result<()> {
        if self.store.usable() {
            return Ok(());
        }
        if !self.issued || self.store.pausing() {
            self.wake();
            return Err(self.store.missing());
        }
        let mut landed = self.store.landings();
        self.wake();
        while !self.store.usable() {
            match timeout_at(deadline, landed.changed()).await {
                Ok(Ok(())) if self.store.usable() => {}
                Ok(_) => return Err(self.store.missing()),
                Err(_) => return Err(waited_too_long()),
            }
        }
        Ok(())
    }

    /// The current keys.
    ///
    /// # Errors
    /// `Unauthenticated` with reason `CREDENTIALS_MISSING` when there are none.
    pub fn current(&self) -> Result<Arc<Snapshot>> {
        let snapshot = self.store.present();
        if snapshot.keys.is_ok() {
            return Ok(snapshot);
        }
        self.wake();
        Err(self.store.missing())
    }

    /// Notes that the cloud took a signature of this generation. Cheap: nearly always that is
    /// known.
    pub fn accepted(&self, generation: u64) {
        self.store.accepted(generation);
    }

    /// Other keys to sign a refused request with, once: newer ones, or those before, or those that
    /// the source has now. Only for a request that did nothing.
    pub async fn alternative(&self, refused: u64, deadline: Instant) -> Option<Arc<Snapshot>> {
        if let Some(other) = self.store.alternative(refused) {
            return Some(other);
        }
        self.store.doubt(refused);
        // The source may have changed without a word, or the issuer may have taken its keys back.
        if self.wake.is_none() || !self.store.may_ask(self.ask_again) {
            return None;
        }
        let mut landed = self.store.landings();
        self.wake();
        let _ = timeout_at(deadline.min(Instant::now() + ASK_TIMEOUT), landed.changed()).await;
        self.store.alternative(refused)
    }

    /// Notes that the cloud refused `refused` and took `taken` for the same request: the keys
    /// before come back into use and the refused ones are tried again later.
    pub fn fell_back(&self, refused: u64, taken: u64) {
        if self.store.fall_back(refused, taken) {
            self.wake();
        }
    }

    /// What operators may know.
    #[must_use]
    pub fn status(&self) -> Status {
        self.store.status()
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            // Full means that a wake is on its way.
            let _ = wake.try_send(());
        }
    }
}

impl Origin {
    fn describe(&self) -> String {
        match self {
            Self::Local(source) => format!("{source:?}"),
            Self::Issued(issuer) => issuer.describe(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping")
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

/// A caller that ran out of time while keys or a token were being fetched.
fn waited_too_long() -> Error {
    Error::new(
        Kind::DeadlineExceeded,
        reason::CREDENTIALS_NOT_IN_TIME,
        "The call ran out of time while the sidecar waited for its own credentials; nothing was sent.",
    )
    .component(Component::Sidecar)
}

#[cfg(test)]
mod tests;
