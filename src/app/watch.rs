//! When to read files again: soon after something changes in their directories, and every now and
//! then in any case.
//!
//! Directories are watched, not files: editors replace a file, and Kubernetes swaps the link
//! `..data` beside it. The slow look is for what no notification comes for: network file systems,
//! links further up, a directory that was replaced.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

/// A writer that pauses for this long has finished.
const QUIET: Duration = Duration::from_millis(100);
/// A directory that never comes to rest is looked at all the same.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks without a notification.
const SLOW: Duration = Duration::from_secs(10);

/// The directories of some files.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches nothing yet.
    pub(super) fn new() -> Self {
        // One waiting event says as much as a hundred.
        let (sender, events) = mpsc::channel(1);
        let told = move |event: notify::Result<notify::Event>| {
            // Reading is an event too, and we read.
            if !matches!(event, Ok(event) if matches!(event.kind, EventKind::Access(_))) {
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(told)
            .map_err(|why| warn!("changes of files are found within {SLOW:?} only: {why}"))
            .ok();
        Self {
            watcher,
            watched: BTreeSet::new(),
            events,
        }
    }

    /// Watches the directories of these files, and no others any more. Those that cannot be watched
    /// now are tried again with the next call.
    pub(super) fn files(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted: BTreeSet<PathBuf> = files.into_iter().map(|file| directory(&file)).collect();
        for gone in self.watched.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        self.watched.retain(|directory| wanted.contains(directory));
        for directory in wanted {
            if !self.watched.contains(&directory)
                && watcher
                    .watch(&directory, RecursiveMode::NonRecursive)
                    .is_ok()
            {
                self.watched.insert(directory);
            }
        }
    }

    /// Ends when it is time to look again: a change has come to rest, or none has come for a while.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Some(()) = self.events.recv() => self.rest().await,
            () = sleep(SLOW) => {}
        }
    }

    async fn rest(&mut self) {
        let ends = Instant::now() + PATIENCE;
        while let Ok(Some(())) =
            timeout_at((Instant::now() + QUIET).min(ends), self.events.recv()).await
        {}
    }
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Longer than any notification takes, shorter than the slow look.
    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_write_and_the_swap_of_a_mounted_directory_are_told_and_reading_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("faas.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/faas.yaml", at("faas.yaml")).unwrap();
        let mut watch = Watch::new();
        watch.files([at("faas.yaml")]);

        assert_eq!(std::fs::read_to_string(at("faas.yaml")).unwrap(), "one");
        let told = tokio::time::timeout(Duration::from_millis(500), watch.changed()).await;
        assert!(told.is_err(), "reading must not be taken for a change");

        symlink("..2", at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        tokio::time::timeout(SOON, watch.changed()).await.unwrap();
        assert_eq!(std::fs::read_to_string(at("faas.yaml")).unwrap(), "two");

        std::fs::write(at("other"), "x").unwrap();
        tokio::time::timeout(SOON, watch.changed()).await.unwrap();
        watch.files([]);
        std::fs::write(at("other"), "y").unwrap();
        let told = tokio::time::timeout(Duration::from_millis(500), watch.changed()).await;
        assert!(
            told.is_err(),
            "a directory that is watched no more must be silent"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_notification_it_is_looked_at_all_the_same() {
        let began = Instant::now();
        Watch::new().changed().await;
        assert!(began.elapsed() >= SLOW);
    }

    #[test]
    fn a_bare_name_stands_in_the_working_directory() {
        assert_eq!(directory(Path::new("faas.yaml")), Path::new("."));
        assert_eq!(directory(Path::new("/etc/faas.yaml")), Path::new("/etc"));
    }
}
