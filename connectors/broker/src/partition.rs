//! A partition as requests see it: its log behind a lock of its own, and the readers that wait.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::clock;
use crate::files::Durability;
use crate::log::Log;
use crate::log::batch::BatchHeader;
use crate::log::producers::Verdict;
use crate::sync::lock;

/// Readers that may wait on one partition at a time; more are told to come back at once.
const WAITERS_MAX: usize = 4_096;

/// One partition.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    log: Mutex<Log>,
    waiters: Mutex<Vec<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    wake: Arc<Notify>,
    /// Sees committed records only, so an append inside a transaction is no news.
    is_committed_only: bool,
}

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// Stored at this offset.
    At(i64),
    /// Not stored; for a repeated batch the verdict says where it is.
    Not(Verdict),
}

/// What appending depends on beside the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) segment_bytes: u64,
    pub(crate) now_ms: i64,
}

impl Partition {
    /// A new, empty partition.
    pub(crate) fn create(folder: PathBuf, index: i32, durability: Durability) -> io::Result<Self> {
        Ok(Self {
            index,
            log: Mutex::new(Log::create(folder, durability)?),
            waiters: Mutex::default(),
        })
    }

    /// The partition stored in `folder`.
    pub(crate) fn open(folder: PathBuf, index: i32, durability: Durability) -> io::Result<Self> {
        Ok(Self {
            index,
            log: Mutex::new(Log::open(folder, durability, clock::wall_ms())?),
            waiters: Mutex::default(),
        })
    }

    /// The log, locked: for short, straight work.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    /// Appends a checked batch of a client, or a marker, and wakes who waits for it.
    pub(crate) fn append(
        &self,
        header: BatchHeader,
        batch: &[u8],
        limits: Limits,
    ) -> io::Result<Appended> {
        let mut log = self.log();
        if !header.is_control() {
            let verdict = log.judge(&header);
            if verdict != Verdict::Append {
                return Ok(Appended::Not(verdict));
            }
        }
        let stable_before = log.stable_offset();
        let offset = log.append(header, batch, limits.segment_bytes, limits.now_ms)?;
        let is_stable_news = log.stable_offset() > stable_before;
        drop(log);
        self.wake(is_stable_news);
        Ok(Appended::At(offset))
    }

    /// Asks to be woken at the next news.
    pub(crate) fn wait(&self, wake: &Arc<Notify>, is_committed_only: bool) {
        let mut waiters = lock(&self.waiters);
        if waiters.len() < WAITERS_MAX {
            waiters.push(Waiter { wake: Arc::clone(wake), is_committed_only });
        } else {
            wake.notify_one();
        }
    }

    /// Takes back a [`Partition::wait`].
    pub(crate) fn forget(&self, wake: &Arc<Notify>) {
        lock(&self.waiters).retain(|waiter| !Arc::ptr_eq(&waiter.wake, wake));
    }

    fn wake(&self, is_stable_news: bool) {
        for waiter in lock(&self.waiters).iter() {
            if is_stable_news || !waiter.is_committed_only {
                waiter.wake.notify_one();
            }
        }
    }
}
