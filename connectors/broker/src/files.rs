//! Small files that are replaced as a whole, never half.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

/// Whether files are handed to the disk before they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// They survive the end of the process.
    Process,
    /// They survive the end of power.
    Power,
}

/// Replaces `path` with `value` as JSON: readers see the old file or the new one.
pub(crate) fn replace_json(
    path: &Path,
    value: &impl Serialize,
    durability: Durability,
) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::from)?;
    replace(path, &bytes, durability)
}

/// Replaces `path` with `bytes`.
fn replace(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut file = File::create(&next)?;
    file.write_all(bytes)?;
    if durability == Durability::Power {
        file.sync_all()?;
    }
    fs::rename(&next, path)?;
    sync_folder_of(path, durability)
}

/// Hands the folder's list of names to the disk: a new file without its name is lost.
pub(crate) fn sync_folder_of(path: &Path, durability: Durability) -> io::Result<()> {
    match (durability, path.parent()) {
        (Durability::Power, Some(folder)) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
