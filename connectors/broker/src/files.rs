//! Small files that are replaced as a whole, never half.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

/// Replaces `path` with `value` as JSON: readers see the old file or the new one.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::from)?;
    replace(path, &bytes)
}

/// Replaces `path` with `bytes`.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, bytes)?;
    fs::rename(&next, path)
}
