//! A mounted Secret, written as the kubelet writes it: a new directory, then the link `..data` is
//! swapped.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

pub struct Mounted {
    directory: tempfile::TempDir,
    generation: u64,
    before: Option<PathBuf>,
}

impl Mounted {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let mut mounted = Self {
            directory: tempfile::tempdir().unwrap(),
            generation: 0,
            before: None,
        };
        mounted.publish(files);
        for (name, _) in files {
            symlink(format!("..data/{name}"), mounted.path().join(name)).unwrap();
        }
        mounted
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Swaps in a new generation and removes the one before, as `atomic_writer.go` does.
    pub fn publish(&mut self, files: &[(&str, &[u8])]) {
        self.generation += 1;
        let name = format!("..generation-{}", self.generation);
        let fresh = self.path().join(&name);
        fs::create_dir(&fresh).unwrap();
        for (name, content) in files {
            fs::write(fresh.join(name), content).unwrap();
        }
        let link = self.path().join("..data_tmp");
        symlink(&name, &link).unwrap();
        fs::rename(&link, self.path().join("..data")).unwrap();
        if let Some(before) = self.before.replace(fresh) {
            fs::remove_dir_all(before).unwrap();
        }
    }

    /// Swaps in a pair.
    pub fn pair(&mut self, id: &str, secret: &str) {
        self.publish(&[
            ("access-key-id", id.as_bytes()),
            ("secret-access-key", secret.as_bytes()),
        ]);
    }
}
