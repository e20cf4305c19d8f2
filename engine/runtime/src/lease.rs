//! The owner's first entry, and the renewals while the fold's thread restores state: nothing else
//! can cut epochs then.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::driver::{Identity, RENEWALS_PER_LEASE};
use crate::error::RuntimeError;
use crate::inbox::Inbox;
use crate::journal::JournalItem;
use crate::outbox::{Cut, ToEncode};

/// Cuts epochs that only say who the owner is, until it is released.
pub(crate) struct LeaseKeeper {
    release: SyncSender<()>,
    thread: JoinHandle<Identity>,
}

impl LeaseKeeper {
    /// Cuts the first one at once.
    ///
    /// # Errors
    /// [`RuntimeError::Thread`].
    pub(crate) fn start(
        identity: Identity,
        to_encode: &SyncSender<ToEncode>,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, RuntimeError> {
        let (release, released) = sync_channel(0);
        let (to_encode, inbox) = (to_encode.clone(), Arc::clone(inbox));
        let thread = std::thread::Builder::new().name("engine-lease".to_owned());
        let thread = thread.spawn(move || keep(identity, &to_encode, (&inbox, &released)));
        Ok(Self { release, thread: thread.map_err(RuntimeError::Thread)? })
    }

    /// Who cuts the next epoch, from now on by itself.
    ///
    /// # Errors
    /// What went wrong meanwhile, such as [`RuntimeError::OwnedByOther`].
    pub(crate) fn release(self, inbox: &Inbox) -> Result<Identity, RuntimeError> {
        drop(self.release);
        let identity =
            self.thread.join().map_err(|_panic| RuntimeError::Panicked { thread: "lease" })?;
        inbox.take_failure().map_or(Ok(identity), Err)
    }
}

fn keep(
    mut identity: Identity,
    to_encode: &SyncSender<ToEncode>,
    (inbox, released): (&Inbox, &Receiver<()>),
) -> Identity {
    let mut last = None;
    loop {
        // One is under way at most, so that the channel is never full.
        if inbox.lock().committed >= last {
            last = Some(identity.epoch);
            let entry = identity.entry(vec![JournalItem::of(identity.renewal())]);
            if to_encode.send(ToEncode::Cut(Cut { entry, offsets: Vec::new() })).is_err() {
                return identity;
            }
        }
        let wait = identity.lease / RENEWALS_PER_LEASE;
        if released.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return identity;
        }
    }
}

#[cfg(test)]
mod tests;
