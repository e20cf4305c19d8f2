//! Snapshots as plain folders, to carry them elsewhere.

use std::path::Path;

use bytes::Bytes;

use crate::snapshot::{MANIFEST, checked, path};
use crate::store::{Store, Stored};
use crate::{Location, Manifest, Snapshots, StateError, format};

impl Snapshots {
    /// Copies a snapshot to `folder`, which is made if it is not there; every file is checked.
    ///
    /// # Errors
    /// Any [`StateError`]; without a manifest in it the folder is no snapshot.
    pub fn export(&self, manifest: &Manifest, folder: &Path) -> Result<(), StateError> {
        let to = Store::open(&Location::Folder(folder.to_owned()))?;
        let in_store = |file: &str| path(&manifest.id, file);
        copy(manifest, (&self.store, &in_store), (&to, &str::to_owned))
    }

    /// Puts an exported snapshot back under its own name, where a start finds it; every file is
    /// checked.
    ///
    /// # Errors
    /// Any [`StateError`]; without its manifest, which comes last, it is not used.
    pub fn import(&self, folder: &Path) -> Result<Manifest, StateError> {
        let place = folder.join(MANIFEST);
        // Nothing is made here: a folder that is not there holds no snapshot.
        let bytes = std::fs::metadata(&place)
            .map_err(|source| StateError::Disk { action: "read", path: place.clone(), source })?
            .len();
        if bytes > format::MANIFEST_BYTES_MAX {
            let reason = format!("it has {bytes} bytes, which no manifest has");
            return Err(StateError::Damaged { path: place.display().to_string(), reason });
        }
        let from = Store::open(&Location::Folder(folder.to_owned()))?;
        let read = from.read(vec![Stored { path: MANIFEST.to_owned(), bytes }])?;
        let read = read.into_iter().next().unwrap_or_default();
        let manifest = format::decode(&place.display().to_string(), &read)?;
        let in_store = |file: &str| path(&manifest.id, file);
        copy(&manifest, (&from, &str::to_owned), (&self.store, &in_store))?;
        Ok(manifest)
    }
}

/// A store, and how it names the files of the snapshot.
type Side<'a> = (&'a Store, &'a dyn Fn(&str) -> String);

fn copy(manifest: &Manifest, from: Side<'_>, to: Side<'_>) -> Result<(), StateError> {
    for entry in &manifest.tables {
        let read = from.0.read(vec![Stored { path: from.1(&entry.file), bytes: entry.bytes }])?;
        for bytes in read {
            checked(&manifest.id, entry, &bytes)?;
            to.0.create(vec![(to.1(&entry.file), bytes)])?;
        }
    }
    to.0.create(vec![(to.1(MANIFEST), Bytes::from(format::encode(manifest)))])
}
