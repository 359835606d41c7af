//! What an emulated cloud remembers: tables of JSON records by key, in one redb file or in memory.
//!
//! The same code serves both, so what is tested in memory also holds on disk. Knows no cloud: tables and keys are the caller's.

use std::fmt;
use std::io;
use std::path::Path;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A table of records.
pub(super) type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// The database. Every call is one transaction.
pub(super) struct Store {
    database: Database,
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
    pub(super) fn put<T: Serialize>(mut self, table: Table, key: &str, record: &T) -> io::Result<Self> {
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
    /// Opens `directory/file`, making both if needed, or a database in memory. All tables must be named here.
    pub(super) fn open(directory: Option<&Path>, file: &str, tables: &[Table]) -> io::Result<Self> {
        let mut builder = Database::builder();
        builder.set_cache_size(16 << 20);
        let database = match directory {
            Some(directory) => {
                std::fs::create_dir_all(directory)?;
                builder.create(directory.join(file)).map_err(io::Error::other)?
            }
            None => builder
                .create_with_backend(InMemoryBackend::new())
                .map_err(io::Error::other)?,
        };
        let transaction = database.begin_write().map_err(io::Error::other)?;
        for table in tables {
            // A table exists from its first opening for writing; readers then never miss one.
            transaction.open_table(*table).map_err(io::Error::other)?;
        }
        transaction.commit().map_err(io::Error::other)?;
        Ok(Self { database })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, table: Table, key: &str) -> io::Result<Option<T>> {
        let transaction = self.database.begin_read().map_err(io::Error::other)?;
        let table = transaction.open_table(table).map_err(io::Error::other)?;
        let Some(bytes) = table.get(key).map_err(io::Error::other)? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(bytes.value())?))
    }

    pub(super) fn count(&self, table: Table) -> io::Result<u64> {
        let transaction = self.database.begin_read().map_err(io::Error::other)?;
        transaction
            .open_table(table)
            .map_err(io::Error::other)?
            .len()
            .map_err(io::Error::other)
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
        let transaction = self.database.begin_read().map_err(io::Error::other)?;
        let table = transaction.open_table(table).map_err(io::Error::other)?;
        let mut found = Vec::new();
        for entry in table.range(from..to).map_err(io::Error::other)? {
            let (key, value) = entry.map_err(io::Error::other)?;
            found.push((key.value().to_owned(), serde_json::from_slice(value.value())?));
        }
        Ok(found)
    }

    /// All records whose key starts with `prefix`, in key order.
    pub(super) fn list<T: DeserializeOwned>(&self, table: Table, prefix: &str) -> io::Result<Vec<T>> {
        // No key holds a character above this one.
        let end = format!("{prefix}\u{10ffff}");
        Ok(self
            .range(table, prefix, &end)?
            .into_iter()
            .map(|(_, record)| record)
            .collect())
    }

    pub(super) fn write(&self, batch: Batch) -> io::Result<()> {
        let transaction = self.database.begin_write().map_err(io::Error::other)?;
        for (table, key, bytes) in batch.changes {
            let mut table = transaction.open_table(table).map_err(io::Error::other)?;
            match bytes {
                Some(bytes) => table
                    .insert(key.as_str(), bytes.as_slice())
                    .map_err(io::Error::other)?,
                None => table.remove(key.as_str()).map_err(io::Error::other)?,
            };
        }
        transaction.commit().map_err(io::Error::other)
    }
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
        store.write(batch.put(NUMBERS, "c", &3).unwrap()).unwrap();
        assert_eq!(store.list::<u32>(NUMBERS, "b/").unwrap(), [1, 2]);
        assert_eq!(
            store.range::<u32>(NUMBERS, "b/2", "c").unwrap(),
            [("b/2".to_owned(), 2)]
        );
        assert!(store.range::<u32>(NUMBERS, "c", "b").unwrap().is_empty());
        store.write(Batch::default().remove(NUMBERS, "b/1")).unwrap();
        assert_eq!(store.get::<u32>(NUMBERS, "b/1").unwrap(), None);
        assert_eq!(store.count(NUMBERS).unwrap(), 2);
    }

    #[test]
    fn a_directory_outlives_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new");
        let store = Store::open(Some(&path), "x.redb", &[NUMBERS]).unwrap();
        store
            .write(Batch::default().put(NUMBERS, "a", &7).unwrap())
            .unwrap();
        drop(store);
        let store = Store::open(Some(&path), "x.redb", &[NUMBERS]).unwrap();
        assert_eq!(store.get::<u32>(NUMBERS, "a").unwrap(), Some(7));
    }
}
