//! What goes wrong with snapshots.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;

use crate::SnapshotId;

/// What goes wrong with snapshots. A snapshot that is complete is never harmed by any of these.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The place for snapshots cannot be used: correct `runtime.engine.state_dir`.
    #[error("`{place}` cannot hold snapshots: {reason}")]
    Place {
        /// Folder or URL.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The store failed: try again.
    #[error("cannot {action} `{path}`")]
    Store {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// The local disk failed.
    #[error("cannot {action} `{}`", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what was written: use an older snapshot.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// How that shows.
        reason: String,
    },
    /// A manifest was written by a newer engine: use that one.
    #[error("`{path}` has format {found}, this engine reads up to {newest}")]
    Version {
        /// Which file.
        path: String,
        /// Its format.
        found: u64,
        /// The newest that can be read.
        newest: u64,
    },
    /// A table cannot be written as Arrow: our bug.
    #[error("table `{table}` of `{operator}` cannot be written")]
    Encode {
        /// The operator.
        operator: String,
        /// The table.
        table: String,
        /// What Arrow said.
        source: ArrowError,
    },
    /// There is no such snapshot, or it is not complete.
    #[error("there is no complete snapshot `{id}`")]
    Missing {
        /// Its id.
        id: SnapshotId,
    },
    /// A test asked for it.
    #[error(transparent)]
    Injected(#[from] stream::failpoint::Injected),
    /// The random generator of the system failed.
    #[error("the system gives no random numbers")]
    Random,
}

impl StateError {
    /// Whether a file that was listed is not there any more.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Self::Store { source: object_store::Error::NotFound { .. }, .. })
    }
}
