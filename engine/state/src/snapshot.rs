//! Snapshots: written file by file, listed, read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use stream::failpoint;

use crate::manifest::columns_of;
use crate::store::{Store, Stored};
use crate::{About, Location, Manifest, SnapshotId, StateError, Table, TableFile, format};

/// The folder of all snapshots.
const SNAPSHOTS: &str = "snapshots";

/// The file that makes a snapshot complete.
pub(crate) const MANIFEST: &str = "manifest.jsonl";

/// The file that keeps a snapshot from being removed.
const PIN: &str = "pin.json";

/// A pin's name is at most so long.
const PIN_BYTES_MAX: u64 = 4 << 10;

/// The tables of one operator, by its id.
pub type OperatorTables = (String, Vec<Table>);

/// All snapshots of a place.
#[derive(Debug)]
pub struct Snapshots {
    pub(crate) store: Store,
}

/// A snapshot as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: SnapshotId,
    /// Whether it can be used.
    pub condition: Condition,
    /// The name under which it is kept for ever, if it is.
    pub pin: Option<String>,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Names of its files.
    pub files: Vec<String>,
}

/// Whether a snapshot can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All files are there and as long as they should be.
    Complete(Box<Manifest>),
    /// It was complete once, or was written by a newer engine.
    Broken {
        /// What is wrong.
        reason: String,
    },
    /// It has no manifest: it is being written, or was abandoned.
    Unfinished,
}

impl Listed {
    /// Its manifest, if it is complete.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.condition {
            Condition::Complete(manifest) => Some(manifest),
            Condition::Broken { .. } | Condition::Unfinished => None,
        }
    }
}

impl Snapshots {
    /// The snapshots in a folder or an object store.
    ///
    /// # Errors
    /// [`StateError::Place`] if there can be none.
    pub fn open(location: &Location) -> Result<Self, StateError> {
        Ok(Self { store: Store::open(location)? })
    }

    /// The snapshots in a store that is open already.
    ///
    /// # Errors
    /// [`StateError::Place`] if the system gives no event loop.
    pub fn over(store: Arc<dyn ObjectStore>) -> Result<Self, StateError> {
        Ok(Self { store: Store::new(store, Path::default(), None)? })
    }

    /// Writes a snapshot: the tables, operator by operator, then the manifest.
    ///
    /// # Errors
    /// Any [`StateError`]; what was written is removed where that can be done, and no snapshot is
    /// there.
    pub fn write(
        &self,
        about: About,
        operators: impl Iterator<Item = OperatorTables>,
    ) -> Result<Manifest, StateError> {
        let id = SnapshotId::draw(&about)?;
        let mut manifest = Manifest { id, about, tables: Vec::new() };
        let written = self.write_files(&mut manifest, operators);
        if written.is_err() {
            let files = manifest.tables.iter().map(|table| table.file.as_str());
            let files = std::iter::once(MANIFEST).chain(files);
            let paths: Vec<String> = files.map(|file| path(&manifest.id, file)).collect();
            // What is left is an orphan, which is removed later.
            let _swept = self.store.remove(&paths);
        }
        written.map(|()| manifest)
    }

    fn write_files(
        &self,
        manifest: &mut Manifest,
        operators: impl Iterator<Item = OperatorTables>,
    ) -> Result<(), StateError> {
        for (operator, tables) in operators {
            failpoint::reach("snapshot.tables.before")?;
            let mut files = Vec::with_capacity(tables.len());
            for table in tables {
                let bytes = table.to_bytes().map_err(|source| StateError::Encode {
                    operator: operator.clone(),
                    table: table.name.clone(),
                    source,
                })?;
                let entry = format::describe(&operator, &table, manifest.tables.len(), &bytes);
                files.push((path(&manifest.id, &entry.file), bytes));
                manifest.tables.push(entry);
            }
            self.store.create(files)?;
            failpoint::reach("snapshot.tables.after")?;
        }
        failpoint::reach("snapshot.manifest.before")?;
        let bytes = Bytes::from(format::encode(manifest));
        self.store.create(vec![(path(&manifest.id, MANIFEST), bytes)])?;
        failpoint::reach("snapshot.manifest.after")?;
        self.store.force_names(&format!("{SNAPSHOTS}/{}", manifest.id))
    }

    /// All snapshots, of one journal the newest first.
    ///
    /// # Errors
    /// [`StateError::Store`]. A snapshot that cannot be used is no error.
    pub fn list(&self) -> Result<Vec<Listed>, StateError> {
        let mut folders: BTreeMap<SnapshotId, Vec<Stored>> = BTreeMap::new();
        for file in self.store.list(SNAPSHOTS)? {
            let mut parts = file.path.split('/').skip(1);
            let id = parts.next().and_then(SnapshotId::parse);
            if let (Some(id), Some(_), None) = (id, parts.next(), parts.next()) {
                folders.entry(id).or_default().push(file);
            }
        }
        let listed = folders.into_iter().map(|(id, files)| self.look(id, &files));
        let mut listed = listed.collect::<Result<Vec<_>, _>>()?;
        listed.sort_by_key(|one| std::cmp::Reverse((one.id.journal_id.clone(), one.id.age())));
        Ok(listed)
    }

    fn look(&self, id: SnapshotId, files: &[Stored]) -> Result<Listed, StateError> {
        let lengths: BTreeMap<&str, u64> =
            files.iter().filter_map(|file| Some((name(&file.path)?, file.bytes))).collect();
        let condition = match lengths.get(MANIFEST) {
            None => Condition::Unfinished,
            Some(bytes) => match self.read_manifest(&id, *bytes, &lengths) {
                Ok(Ok(manifest)) => Condition::Complete(Box::new(manifest)),
                Ok(Err(reason)) => Condition::Broken { reason },
                // It was removed just now, by whoever runs the project.
                Err(error) if error.is_missing_file() => Condition::Unfinished,
                Err(error) => return Err(error),
            },
        };
        let pin = match lengths.get(PIN) {
            None => None,
            Some(bytes) if *bytes > PIN_BYTES_MAX => Some(String::new()),
            Some(bytes) => {
                let file = Stored { path: path(&id, PIN), bytes: *bytes };
                match self.store.read(vec![file]) {
                    Ok(read) => read.first().map(|bytes| format::decode_pin(bytes)),
                    Err(error) if error.is_missing_file() => None,
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(Listed {
            condition,
            pin,
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: lengths.keys().map(|name| (*name).to_owned()).collect(),
            id,
        })
    }

    /// The manifest, or why the snapshot cannot be used.
    fn read_manifest(
        &self,
        id: &SnapshotId,
        bytes: u64,
        lengths: &BTreeMap<&str, u64>,
    ) -> Result<Result<Manifest, String>, StateError> {
        let path = path(id, MANIFEST);
        if bytes > format::MANIFEST_BYTES_MAX {
            return Ok(Err(format!("`{path}` has {bytes} bytes, which no manifest has")));
        }
        let read = match self.store.read(vec![Stored { path: path.clone(), bytes }]) {
            Ok(read) => read,
            Err(StateError::Damaged { reason, .. }) => return Ok(Err(reason)),
            Err(error) => return Err(error),
        };
        let read = read.first().map_or(&[][..], |bytes| bytes);
        let manifest = match format::decode(&path, read) {
            Ok(manifest) if manifest.id == *id => manifest,
            Ok(manifest) => return Ok(Err(format!("`{path}` is that of `{}`", manifest.id))),
            Err(error) => return Ok(Err(error.to_string())),
        };
        for table in &manifest.tables {
            let file = &table.file;
            match lengths.get(file.as_str()) {
                Some(found) if *found == table.bytes => {}
                Some(found) => {
                    let wanted = table.bytes;
                    return Ok(Err(format!("`{file}` has {found} bytes instead of {wanted}")));
                }
                None => return Ok(Err(format!("`{file}` is missing"))),
            }
        }
        Ok(Ok(manifest))
    }

    /// Reads all tables of a snapshot, operator by operator as they were written.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if a file is not what was written: use an older snapshot.
    /// [`StateError::Store`]: try again.
    pub fn read(&self, manifest: &Manifest) -> Result<Vec<OperatorTables>, StateError> {
        let mut operators: Vec<OperatorTables> = Vec::new();
        let same_operator = manifest.tables.chunk_by(|a, b| a.operator == b.operator);
        for entries in same_operator {
            failpoint::reach("restore.tables.before")?;
            let files = entries.iter().map(|table| stored(&manifest.id, table)).collect();
            let tables = entries
                .iter()
                .zip(self.store.read(files)?)
                .map(|(entry, bytes)| checked(&manifest.id, entry, &bytes))
                .collect::<Result<Vec<_>, _>>()?;
            operators.extend(entries.first().map(|first| (first.operator.clone(), tables)));
            failpoint::reach("restore.tables.after")?;
        }
        Ok(operators)
    }

    /// Reads one table.
    ///
    /// # Errors
    /// As [`Snapshots::read`].
    pub fn read_table(&self, manifest: &Manifest, entry: &TableFile) -> Result<Table, StateError> {
        let read = self.store.read(vec![stored(&manifest.id, entry)])?;
        let bytes = read.into_iter().next().unwrap_or_default();
        checked(&manifest.id, entry, &bytes)
    }

    /// Keeps a snapshot for ever, under a name for people.
    ///
    /// # Errors
    /// [`StateError::Missing`] if it is not complete; [`StateError::Store`], also if it is pinned
    /// under another name.
    pub fn pin(&self, id: &SnapshotId, name: &str) -> Result<(), StateError> {
        failpoint::reach("snapshot.pin.before")?;
        self.store.create(vec![(path(id, PIN), Bytes::from(format::encode_pin(name)))])?;
        failpoint::reach("snapshot.pin.after")?;
        // Retention may have chosen it just before the pin was there.
        let listed = self.list()?;
        if listed.iter().any(|one| one.id == *id && one.manifest().is_some()) {
            return Ok(());
        }
        self.unpin(id)?;
        Err(StateError::Missing { id: id.clone() })
    }

    /// Lets retention decide again.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn unpin(&self, id: &SnapshotId) -> Result<(), StateError> {
        self.store.remove(&[path(id, PIN)])
    }
}

/// The table in `bytes`, if they are those that were written.
pub(crate) fn checked(
    id: &SnapshotId,
    entry: &TableFile,
    bytes: &[u8],
) -> Result<Table, StateError> {
    let damaged = |reason: String| StateError::Damaged { path: path(id, &entry.file), reason };
    if bytes.len() as u64 != entry.bytes || crc32c::crc32c(bytes) != entry.crc32c {
        return Err(damaged("its checksum is another".to_owned()));
    }
    let table =
        Table::from_bytes(&entry.name, bytes).map_err(|error| damaged(error.to_string()))?;
    let schema: &Schema = &table.schema;
    if columns_of(schema) != entry.columns || table.row_count() as u64 != entry.rows {
        return Err(damaged("it has other columns or rows than its manifest says".to_owned()));
    }
    Ok(table)
}

fn stored(id: &SnapshotId, entry: &TableFile) -> Stored {
    Stored { path: path(id, &entry.file), bytes: entry.bytes }
}

/// A file of a snapshot, below the store's root.
pub(crate) fn path(id: &SnapshotId, file: &str) -> String {
    format!("{SNAPSHOTS}/{id}/{file}")
}

fn name(path: &str) -> Option<&str> {
    path.rsplit('/').next()
}

#[cfg(test)]
mod tests;
