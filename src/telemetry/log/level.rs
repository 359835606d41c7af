//! How much is logged, changed while the process runs; a change takes itself back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Registry, reload};

/// The levels by name, quietest first.
pub const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The level of the process's log; cheap to clone.
#[derive(Clone, Debug)]
pub struct Level(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    reload: Option<reload::Handle<Targets, Registry>>,
    state: Mutex<State>,
    /// Asked at each call, so that it needs no lock.
    hears_access_lines: AtomicBool,
    /// Counts changes, so that an old change's end does not undo a newer one.
    generation: AtomicU64,
}

#[derive(Debug)]
struct State {
    configured: LevelFilter,
    now: LevelFilter,
    reverts: Option<Instant>,
}

/// The level as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What holds now.
    pub level: &'static str,
    /// What the configuration says.
    pub configured: &'static str,
    /// When the configured one comes back, if another holds.
    pub reverts_in: Option<Duration>,
}

impl Level {
    pub(super) fn new(
        configured: LevelFilter,
        reload: Option<reload::Handle<Targets, Registry>>,
    ) -> Self {
        Self(Arc::new(Shared {
            reload,
            state: Mutex::new(State {
                configured,
                now: configured,
                reverts: None,
            }),
            hears_access_lines: AtomicBool::new(configured >= LevelFilter::INFO),
            generation: AtomicU64::new(0),
        }))
    }

    /// What holds, and for how long.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let state = self.state();
        Shown {
            level: name(state.now),
            configured: name(state.configured),
            reverts_in: state
                .reverts
                .map(|at| at.saturating_duration_since(Instant::now())),
        }
    }

    /// Changes the level, and back after `duration`. Needs a runtime, which keeps the time. False
    /// for no such level.
    #[must_use]
    pub fn change(&self, level: &str, duration: Duration) -> bool {
        if !LEVELS.contains(&level) {
            return false;
        }
        let Ok(wanted) = level.parse::<LevelFilter>() else {
            return false;
        };
        let mine = self.0.generation.fetch_add(1, Ordering::SeqCst) + 1;
        // Told while the log still, or already, hears it.
        let tell = || {
            info!(
                log_level = level,
                ?duration,
                "the log's level is changed for a while"
            );
        };
        let heard = self.hears_access_lines();
        if heard {
            tell();
        }
        self.set(wanted, Some(Instant::now() + duration));
        if !heard {
            tell();
        }
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            if this.0.generation.load(Ordering::SeqCst) == mine {
                let configured = this.state().configured;
                this.set(configured, None);
                info!(
                    log_level = name(configured),
                    "the log's level is the configured one again"
                );
            }
        });
        true
    }

    /// Takes up another configured level; one that was asked for by hand holds until it takes
    /// itself back.
    pub fn configure(&self, level: LevelFilter) {
        let by_hand = {
            let mut state = self.state();
            state.configured = level;
            state.reverts.is_some()
        };
        if !by_hand {
            self.set(level, None);
        }
    }

    /// Access lines are of the level `info`.
    pub(super) fn hears_access_lines(&self) -> bool {
        self.0.hears_access_lines.load(Ordering::Relaxed)
    }

    fn set(&self, level: LevelFilter, reverts: Option<Instant>) {
        {
            let mut state = self.state();
            (state.now, state.reverts) = (level, reverts);
        }
        self.0
            .hears_access_lines
            .store(level >= LevelFilter::INFO, Ordering::Relaxed);
        if let Some(reload) = &self.0.reload {
            // Fails only when the log is gone.
            let _ = reload.reload(filter(level));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Libraries below us are heard from `warn` on only: their debug lines may show requests.
pub(super) fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

fn name(level: LevelFilter) -> &'static str {
    match level {
        LevelFilter::OFF => "off",
        LevelFilter::ERROR => "error",
        LevelFilter::WARN => "warn",
        LevelFilter::INFO => "info",
        LevelFilter::DEBUG => "debug",
        LevelFilter::TRACE => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_takes_itself_back_and_an_old_one_does_not_undo_a_new_one() {
        let level = Level::new(LevelFilter::INFO, None);
        assert!(level.change("debug", Duration::from_secs(10)));
        assert_eq!(
            level.shown(),
            Shown {
                level: "debug",
                configured: "info",
                reverts_in: Some(Duration::from_secs(10))
            }
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(level.change("error", Duration::from_secs(10)));
        assert!(!level.hears_access_lines());
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(
            level.shown().level,
            "error",
            "the first change's end came and went"
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(
            (level.shown().level, level.shown().reverts_in),
            ("info", None)
        );
        assert!(level.hears_access_lines());
    }

    #[tokio::test(start_paused = true)]
    async fn another_configured_level_waits_for_the_end_of_one_set_by_hand() {
        let level = Level::new(LevelFilter::INFO, None);
        level.configure(LevelFilter::WARN);
        assert_eq!(
            (level.shown().level, level.shown().configured),
            ("warn", "warn")
        );
        assert!(level.change("debug", Duration::from_secs(10)));
        level.configure(LevelFilter::ERROR);
        assert_eq!(
            (level.shown().level, level.shown().configured),
            ("debug", "error")
        );
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(level.shown().level, "error");
    }

    #[tokio::test]
    async fn only_levels_by_name_are_taken() {
        let level = Level::new(LevelFilter::WARN, None);
        for wrong in ["off", "INFO", "3", ""] {
            assert!(!level.change(wrong, Duration::from_secs(1)), "{wrong:?}");
        }
        assert_eq!(level.shown().level, "warn");
    }
}
