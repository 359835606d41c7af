//! What an emulated cloud remembers: tables of JSON records by key, in one redb file or in memory.
//!
//! The same code serves both, so what is tested in memory also holds on disk. Knows no cloud:
//! tables and keys are the caller's.

use std::fmt;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A table of records.
pub(super) type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// Mode of files that hold code, keys or tokens: for their owner alone.
pub(super) const PRIVATE: u32 = 0o600;

/// The database. Every call is one transaction.
pub(super) struct Store {
    /// `None`: in memory.
    file: Option<PathBuf>,
    /// `None` after a failure of the disk, until it could be opened again.
    database: RwLock<Option<Database>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Changes that are made together or not at all.
#[derive(Default)]
pub(super) struct Batch {
    changes: Vec<(Table, String, Option<Vec<u8>>)>,
}

impl Batch {
    pub(super) fn put<T: Serialize>(
        mut self,
        table: Table,
        key: &str,
        record: &T,
    ) -> io::Result<Self> {
        let bytes = serde_json::to_vec(record)?;
        self.changes.push((table, key.to_owned(), Some(bytes)));
        Ok(self)
    }

    pub(super) fn remove(mut self, table: Table, key: &str) -> Self {
        self.changes.push((table, key.to_owned(), None));
        self
    }
}

impl Store {
    /// Opens `directory/file`, making both if needed, or a database in memory. All tables must be
    /// named here.
    pub(super) fn open(directory: Option<&Path>, file: &str, tables: &[Table]) -> io::Result<Self> {
        let file = match directory {
            Some(directory) => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(directory)?;
                Some(directory.join(file))
            }
            None => None,
        };
        let database = database(file.as_deref()).map_err(io::Error::other)?;
        let transaction = database.begin_write().map_err(io::Error::other)?;
        for table in tables {
            // A table exists from its first opening for writing; readers then never miss one.
            transaction.open_table(*table).map_err(io::Error::other)?;
        }
        transaction.commit().map_err(io::Error::other)?;
        Ok(Self {
            file,
            database: RwLock::new(Some(database)),
        })
    }

    pub(super) fn get<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &str,
    ) -> io::Result<Option<T>> {
        let bytes = self.read(|database| {
            let table = database.begin_read()?.open_table(table)?;
            Ok(table.get(key)?.map(|bytes| bytes.value().to_vec()))
        })?;
        bytes.map_or(Ok(None), |bytes| Ok(Some(serde_json::from_slice(&bytes)?)))
    }

    pub(super) fn count(&self, table: Table) -> io::Result<u64> {
        self.read(|database| Ok(database.begin_read()?.open_table(table)?.len()?))
    }

    /// All records whose key is in `from..to`, in key order.
    pub(super) fn range<T: DeserializeOwned>(
        &self,
        table: Table,
        from: &str,
        to: &str,
    ) -> io::Result<Vec<(String, T)>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let found = self.read(|database| {
            let table = database.begin_read()?.open_table(table)?;
            let mut found = Vec::new();
            for entry in table.range(from..to)? {
                let (key, value) = entry?;
                found.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(found)
        })?;
        found
            .into_iter()
            .map(|(key, bytes)| Ok((key, serde_json::from_slice(&bytes)?)))
            .collect()
    }

    /// All records whose key starts with `prefix`, in key order.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        table: Table,
        prefix: &str,
    ) -> io::Result<Vec<T>> {
        // No key holds a character above this one.
        let end = format!("{prefix}\u{10ffff}");
        Ok(self
            .range(table, prefix, &end)?
            .into_iter()
            .map(|(_, record)| record)
            .collect())
    }

    pub(super) fn write(&self, batch: &Batch) -> io::Result<()> {
        self.attempt(|database| {
            let transaction = database.begin_write()?;
            for (table, key, bytes) in &batch.changes {
                let mut table = transaction.open_table(*table)?;
                match bytes {
                    Some(bytes) => table.insert(key.as_str(), bytes.as_slice())?,
                    None => table.remove(key.as_str())?,
                };
            }
            Ok(transaction.commit()?)
        })
    }

    /// A read is repeated once when the database had to be opened again for it.
    fn read<T>(&self, work: impl Fn(&Database) -> Result<T, redb::Error>) -> io::Result<T> {
        self.attempt(&work).or_else(|_| self.attempt(&work))
    }

    /// Works on the database. One that met a failure of the disk refuses everything from then on,
    /// so it is opened again: what was committed before is there, and a later call works as soon as
    /// the disk has room.
    fn attempt<T>(&self, work: impl Fn(&Database) -> Result<T, redb::Error>) -> io::Result<T> {
        if self.database().is_none() {
            self.reopen()?;
        }
        let failure = match self.database().as_ref().map(work) {
            Some(Ok(done)) => return Ok(done),
            Some(Err(failure)) => failure,
            None => return Err(io::Error::other("the data file is being opened again")),
        };
        if matches!(failure, redb::Error::Io(_) | redb::Error::PreviousIo) {
            // What cannot be opened now is tried again by the next call.
            if let Err(why) = self.reopen() {
                tracing::warn!("the emulator's data file cannot be opened again: {why}");
            }
        }
        Err(io::Error::other(failure))
    }

    fn reopen(&self) -> io::Result<()> {
        // In memory nothing fails that another database could mend, and another one would be empty.
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut held = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // The file is locked until the old one is gone.
        *held = None;
        *held = Some(database(Some(file)).map_err(io::Error::other)?);
        Ok(())
    }

    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn database(file: Option<&Path>) -> Result<Database, redb::Error> {
    let mut builder = Database::builder();
    builder.set_cache_size(16 << 20);
    let Some(path) = file else {
        return Ok(builder.create_with_backend(InMemoryBackend::new())?);
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(path)?;
    // Also a file of an earlier version, which others may read.
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    Ok(builder.create_with_backend(FileBackend::new(file)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: Table = TableDefinition::new("numbers");

    #[test]
    fn writes_together_and_lists_in_order() {
        let store = Store::open(None, "x", &[NUMBERS]).unwrap();
        let batch = Batch::default()
            .put(NUMBERS, "b/2", &2)
            .unwrap()
            .put(NUMBERS, "b/1", &1)
            .unwrap();
        store.write(&batch.put(NUMBERS, "c", &3).unwrap()).unwrap();
        assert_eq!(store.list::<u32>(NUMBERS, "b/").unwrap(), [1, 2]);
        assert_eq!(
            store.range::<u32>(NUMBERS, "b/2", "c").unwrap(),
            [("b/2".to_owned(), 2)]
        );
        assert!(store.range::<u32>(NUMBERS, "c", "b").unwrap().is_empty());
        store
            .write(&Batch::default().remove(NUMBERS, "b/1"))
            .unwrap();
        assert_eq!(store.get::<u32>(NUMBERS, "b/1").unwrap(), None);
        assert_eq!(store.count(NUMBERS).unwrap(), 2);
    }

    #[test]
    fn a_directory_outlives_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new");
        let store = Store::open(Some(&path), "x.redb", &[NUMBERS]).unwrap();
        store
            .write(&Batch::default().put(NUMBERS, "a", &7).unwrap())
            .unwrap();
        drop(store);
        let store = Store::open(Some(&path), "x.redb", &[NUMBERS]).unwrap();
        assert_eq!(store.get::<u32>(NUMBERS, "a").unwrap(), Some(7));
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (folder, file) = (
            directory.path().join("new"),
            directory.path().join("new/x.redb"),
        );
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        drop(Store::open(Some(&folder), "x.redb", &[NUMBERS]).unwrap());
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        drop(Store::open(Some(&folder), "x.redb", &[NUMBERS]).unwrap());
        assert_eq!(mode(&file), 0o600);
    }
}
