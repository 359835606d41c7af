//! A new configuration for a process that runs: what a reload takes up, and what waits for a
//! restart.

use super::{Config, Log};

impl Config {
    /// What holds after a reload: the keys that the table marks `reload` from `new`, the others as
    /// they are here.
    #[must_use]
    pub fn reloaded(&self, new: Self) -> Self {
        Self {
            default_deny: new.default_deny,
            default_target: new.default_target,
            drain_timeout: new.drain_timeout,
            log: Log {
                level: new.log.level,
                ..self.log
            },
            targets: new.targets,
            file: new.file,
            ..self.clone()
        }
    }

    /// Whether addresses that other machines can reach are open to whoever reaches them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let identified = self.auth.is_some()
            || self
                .tls
                .as_ref()
                .is_some_and(|tls| tls.client_ca_file.is_some());
        !identified && self.listen.iter().any(|address| !address.is_local())
    }

    /// The warning that other machines can read the metrics, if they can.
    #[must_use]
    pub fn open_metrics(&self) -> Option<String> {
        let address = self
            .metrics
            .listen
            .filter(|address| !address.ip().is_loopback())?;
        Some(format!(
            "metrics.listen {address} can be reached by other machines: whoever reaches it reads the names of targets and actions"
        ))
    }
}
