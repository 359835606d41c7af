//! The thread that keeps keys, for all targets, so that a slow issuer or disk holds no call up. It
//! runs only if some target's keys can change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::{Credentials, Keeping, Origin, Pace, Trial};

/// Started by the first keys that can change, ended when this is dropped.
#[derive(Default)]
pub struct KeeperThread(Mutex<Option<Running>>);

struct Running {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl KeeperThread {
    /// Keys from `origin`, kept up to date if they can change.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn credentials<T: Trial>(
        &self,
        origin: Origin,
        verify: Option<bool>,
        trial: impl FnOnce() -> Arc<T>,
    ) -> Result<Credentials, String> {
        if let Origin::Local(local) = &origin
            && !local.changes()
        {
            return Ok(Credentials::load(local));
        }
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match &mut *running {
            Some(running) => running,
            empty => empty.insert(Running::start()?),
        };
        let keeping = Keeping {
            verify: verify.unwrap_or(false),
            trial: Some(trial()),
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

impl fmt::Debug for KeeperThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeeperThread")
    }
}
