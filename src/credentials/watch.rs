//! Tells when something in a directory changes.
//!
//! The directory is watched and not its files: Kubernetes never writes to a mounted file, it swaps
//! the link `..data`. A hint and no more: network file systems tell nothing, and a watch ends when
//! its directory is replaced, so whoever waits here looks by itself every now and then, and
//! [`Watch::renew`]s when it does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// A watched directory.
pub(super) struct Watch {
    directory: PathBuf,
    watcher: Option<RecommendedWatcher>,
    changed: Arc<Notify>,
}

impl Watch {
    /// Watches from now on, if the system can.
    pub(super) fn new(directory: &Path) -> Self {
        let mut watch = Self {
            directory: directory.to_owned(),
            watcher: None,
            changed: Arc::new(Notify::new()),
        };
        watch.renew();
        watch
    }

    /// Watches anew: the directory may be another one by now, or may only now exist.
    pub(super) fn renew(&mut self) {
        let changed = Arc::clone(&self.changed);
        let told = move |event: notify::Result<notify::Event>| {
            // Reading is an event too, and we read.
            if !matches!(event, Ok(event) if matches!(event.kind, EventKind::Access(_))) {
                changed.notify_one();
            }
        };
        self.watcher = notify::recommended_watcher(told)
            .and_then(|mut watcher| {
                watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
                Ok(watcher)
            })
            .ok();
    }

    /// Ends when something has changed since the last time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}
