//! One owner for each folder: the lock, and the file that says where the owner answers.
//!
//! The lock is the truth: the system lets it go when the owner ends, however it ends. The address
//! file can be left over from a crash and is believed only while the lock is held.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{AtPath, BrokerError, Owner};
use crate::files::Durability;
use crate::format::AddressFile;
use crate::{clock, files};

/// How often a taken lock is tried again, and how long is waited between: a command that only
/// asks who holds the folder has the lock for a moment, too.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The lock on a folder; dropping it lets the folder go.
#[derive(Debug)]
pub(crate) struct FolderLock {
    folder: PathBuf,
    _file: File,
}

impl FolderLock {
    /// Takes the folder, or says who has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, BrokerError> {
        let path = lock_path(folder);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
        let file = open_lock(&path)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { folder: folder.to_owned(), _file: file }),
                Err(TryLockError::WouldBlock) => clock::pause(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
            }
        }
        Err(BrokerError::InUse { folder: folder.to_owned(), owner: read_address(folder) })
    }

    /// Says where the owner answers from now on.
    pub(crate) fn announce(&self, address: SocketAddr, stays: bool) -> Result<(), BrokerError> {
        let path = address_path(&self.folder);
        let file = AddressFile { address, pid: std::process::id(), stays };
        files::replace_json(&path, &file, Durability::Process).at("write", &path)
    }

    /// Takes the address back.
    pub(crate) fn withdraw(&self) {
        let path = address_path(&self.folder);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "address file not removed");
        }
    }
}

/// Who holds the folder's broker, and where it answers; `None` if nobody holds it or its owner
/// does not answer yet.
pub fn locate(folder: &Path) -> Option<Owner> {
    let path = lock_path(folder);
    let file = OpenOptions::new().read(true).open(path).ok()?;
    // A shared lock, so that two who ask do not take each other for the owner.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_address(folder),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn open_lock(path: &Path) -> Result<File, BrokerError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).open(path).at("open", path)
}

fn read_address(folder: &Path) -> Option<Owner> {
    let bytes = fs::read(address_path(folder)).ok()?;
    let file: AddressFile = serde_json::from_slice(&bytes).ok()?;
    Some(Owner { address: file.address, pid: file.pid, stays: file.stays })
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("broker").join("lock")
}

fn address_path(folder: &Path) -> PathBuf {
    folder.join("broker.json")
}
