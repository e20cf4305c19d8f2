//! The project's `.engine/` folder: a lock, and who wrote the journal last from here.
//!
//! Nothing here is trusted for results. The lock and OWNER let a process that restarts after a
//! crash go on at once; HINT lets a start notice that a journal has vanished.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stream::{Generation, InstanceName};

/// How many instances the OWNER file names: as many starts may fail one after the other.
const OWNERS_KEPT: usize = 16;

/// What HINT says: the journal that was last written from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// Its id.
    pub(crate) journal_id: String,
    /// Its generation then.
    pub(crate) generation: Generation,
}

/// A file by which a running engine is asked for a snapshot that is kept under a name. It vanishes
/// once that snapshot is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRequest {
    path: PathBuf,
    name: String,
}

impl SnapshotRequest {
    /// The request that is open in a state folder.
    pub fn of(folder: &Path) -> Option<Self> {
        let path = folder.join("SNAPSHOT");
        let name = fs::read_to_string(&path).ok()?.trim().to_owned();
        Some(Self { path, name })
    }

    /// The name under which the snapshot is kept.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks whoever runs from the state folder; false if nobody does.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn place(folder: &Path, name: &str) -> Result<bool, LocalError> {
        match LocalState::open(folder) {
            Ok(_unlocked) => Ok(false),
            Err(LocalError::Locked { .. }) => {
                let path = folder.join("SNAPSHOT");
                fs::write(&path, name).map_err(|source| LocalError::Io { path, source })?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// The snapshot is there, or nobody waits for it.
    pub fn close(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a request cannot be closed");
        }
    }
}

/// The state folder of one running project. All clones hold its lock together.
#[derive(Debug, Clone)]
pub(crate) struct LocalState {
    folder: PathBuf,
    /// None while another process has it.
    lock: Option<Arc<File>>,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another process runs the project from this folder.
    #[error("another `engine run` holds `{}`: stop it first", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// Another standby waits in this folder.
    #[error("another `engine run --standby` waits in `{}`: one is enough", folder.display())]
    HasStandby {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LocalState {
    /// Locks `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(crate) fn open(folder: &Path) -> Result<Self, LocalError> {
        match try_lock(folder, "LOCK")? {
            Some(lock) => Ok(Self { folder: folder.to_owned(), lock: Some(Arc::new(lock)) }),
            None => Err(LocalError::Locked { folder: folder.to_owned() }),
        }
    }

    /// The state folder of a process that does not own the project, or not yet: it may be another's.
    pub(crate) fn unlocked(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), lock: None }
    }

    /// Locks the folder if nobody else has. Whether it is ours since just now.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub(crate) fn lock_if_free(&mut self) -> Result<bool, LocalError> {
        if self.lock.is_some() {
            return Ok(false);
        }
        self.lock = try_lock(&self.folder, "LOCK")?.map(Arc::new);
        Ok(self.lock.is_some())
    }

    /// The instances that last wrote the journal from this folder, newest first.
    pub(crate) fn owners(&self) -> Vec<InstanceName> {
        let text = fs::read_to_string(self.folder.join("OWNER")).unwrap_or_default();
        text.lines().map(|line| InstanceName(Arc::from(line.trim()))).collect()
    }

    /// Notes who is about to write the journal. Former ones are kept for a while: a process may
    /// die between this and its first entry.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub(crate) fn add_owner(&self, owner: &InstanceName) -> Result<(), LocalError> {
        let mut owners = vec![owner.clone()];
        owners.extend(self.owners().into_iter().filter(|former| former != owner));
        owners.truncate(OWNERS_KEPT);
        let lines: Vec<&str> = owners.iter().map(|owner| owner.0.as_ref()).collect();
        self.write("OWNER", &lines.join("\n"))
    }

    /// The journal that was last written from this folder.
    pub(crate) fn hint(&self) -> Option<Hint> {
        let text = fs::read_to_string(self.folder.join("HINT")).ok()?;
        let mut words = text.split_whitespace();
        let journal_id = words.next()?.to_owned();
        let generation = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
        Some(Hint { journal_id, generation: Generation(generation) })
    }

    /// Notes which journal is written.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub(crate) fn set_hint(&self, hint: &Hint) -> Result<(), LocalError> {
        self.write("HINT", &format!("{} {}", hint.journal_id, hint.generation))
    }

    /// The snapshot that somebody asks for, if one does.
    pub(crate) fn snapshot_request(&self) -> Option<SnapshotRequest> {
        SnapshotRequest::of(&self.folder)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), LocalError> {
        let path = self.folder.join(name);
        let new = self.folder.join(format!("{name}.new"));
        let write = || {
            fs::write(&new, text)?;
            File::open(&new)?.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| LocalError::Io { path: path.clone(), source })
    }
}

/// Locks a file of a state folder, which is made if need be; none if another process has it.
///
/// # Errors
/// [`LocalError::Io`].
pub(crate) fn try_lock(folder: &Path, name: &str) -> Result<Option<File>, LocalError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LocalError::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let path = folder.join(name);
    let lock = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(failed(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(LocalError::Io { path, source }),
    }
}
