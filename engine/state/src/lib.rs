//! Snapshots: what operators keep, as typed Arrow tables in an object store.
//!
//! A snapshot is a folder of Arrow IPC files, one a [`Table`], and a [`Manifest`] that is written
//! last and names every file with its length and checksum. **Invariant:** a name is used once: all
//! files are created, none is overwritten. **Invariant:** what a file says is believed only after
//! its length and checksum are those of the manifest, and the manifest's are its own.
//!
//! The calls block: an object store's futures are driven by a small runtime inside [`Snapshots`].

mod table;
mod manifest;
mod format;

mod snapshot;
mod retention;
mod archive;
mod store;
mod fuzz;

mod error;

pub use error::StateError;
pub use fuzz::fuzz_read;
pub use manifest::{
    About, Column, Manifest, PartitionProgress, ReaderProgress, SnapshotId, TableFile,
};
pub use retention::Retained;
pub use snapshot::{Condition, Listed, OperatorTables, Snapshots};
pub use store::Location;
pub use table::Table;
