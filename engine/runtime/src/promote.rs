//! The files by which `engine promote` and a standby of the same state folder know of each other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::local::{LocalError, try_lock};

/// Locked by the folder's standby as long as it waits.
const STANDBY: &str = "STANDBY";

/// There while somebody wants the standby to take over.
const PROMOTE: &str = "PROMOTE";

/// A folder's standby, as it sees itself.
#[derive(Debug)]
pub(crate) struct StandbyPost {
    folder: PathBuf,
    /// None once it has taken over.
    lock: Option<File>,
}

impl StandbyPost {
    /// Becomes the standby of a folder. A request that nobody has answered before is forgotten.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(crate) fn open(folder: &Path) -> Result<Self, LocalError> {
        match try_lock(folder, STANDBY)? {
            Some(lock) => {
                let this = Self { folder: folder.to_owned(), lock: Some(lock) };
                this.answer();
                Ok(this)
            }
            None => Err(LocalError::HasStandby { folder: folder.to_owned() }),
        }
    }

    /// Whether somebody wants it to take over.
    pub(crate) fn is_promoted(&self) -> bool {
        self.folder.join(PROMOTE).exists()
    }

    /// Whether it has not taken over.
    pub(crate) fn is_kept(&self) -> bool {
        self.lock.is_some()
    }

    /// It has taken over.
    pub(crate) fn leave(&mut self) {
        self.answer();
        self.lock = None;
    }

    fn answer(&self) {
        let path = self.folder.join(PROMOTE);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "a request cannot be closed");
        }
    }
}

/// Asks a folder's standby to take over.
#[derive(Debug)]
pub struct PromoteRequest {
    folder: PathBuf,
}

/// What became of a [`PromoteRequest`] so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// The standby has not taken over yet.
    Waiting,
    /// It has.
    Done,
    /// It has ended, and has not.
    Abandoned,
}

impl PromoteRequest {
    /// Asks whoever waits in the state folder; none if nobody does.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn place(folder: &Path) -> Result<Option<Self>, LocalError> {
        if !folder.join(STANDBY).exists() || try_lock(folder, STANDBY)?.is_some() {
            return Ok(None);
        }
        let path = folder.join(PROMOTE);
        fs::write(&path, "").map_err(|source| LocalError::Io { path, source })?;
        Ok(Some(Self { folder: folder.to_owned() }))
    }

    /// What became of it.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn look(&self) -> Result<Promotion, LocalError> {
        // In this order: who takes over answers before it leaves its post.
        let has_left = try_lock(&self.folder, STANDBY)?.is_some();
        if !self.folder.join(PROMOTE).exists() {
            return Ok(Promotion::Done);
        }
        if has_left {
            self.withdraw()?;
            return Ok(Promotion::Abandoned);
        }
        Ok(Promotion::Waiting)
    }

    /// Nobody waits for it any more.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn withdraw(&self) -> Result<(), LocalError> {
        let path = self.folder.join(PROMOTE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(LocalError::Io { path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
