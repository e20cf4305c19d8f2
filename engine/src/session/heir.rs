//! A guest of another process's broker, ready to go on with it.
//!
//! The command that happens to hold the embedded broker may end before those that use it. Whoever
//! of them gets the lock first opens the same files at the same address, and the clients of all
//! connect again by themselves: to them it is a broker that was restarted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerError, Owner, Port};

use crate::Error;

/// How often it is looked whether the owner is still there: clients bear a pause of this length.
const LOOK: Duration = Duration::from_millis(200);

/// Watches an owner, and takes its broker over when it ends.
#[derive(Debug)]
pub(super) struct Heir {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    is_closing: AtomicBool,
    broker: Mutex<Option<Broker>>,
}

impl Heir {
    /// Watches `owner`, who has the folder of `config`.
    ///
    /// # Errors
    /// [`Error::System`] if there is no thread for it.
    pub(super) fn watch(mut config: BrokerConfig, owner: Owner) -> Result<Self, Error> {
        config.host = owner.address.ip();
        config.port = Port::Exactly(owner.address.port());
        let shared = Arc::new(Shared::default());
        let watching = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("heir".to_owned())
            .spawn(move || watching.watch(&config, owner))
            .map_err(|source| Error::System { action: "watch the embedded broker", source })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether the broker runs here by now.
    pub(super) fn has_taken_over(&self) -> bool {
        self.shared.lock().is_some()
    }

    /// Ends the broker in order, if it runs here by now.
    pub(super) fn close(self) {
        drop(self);
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there has been told; here nothing depends on it.
            let _ended = thread.join();
        }
        if let Some(broker) = self.shared.lock().take() {
            broker.close();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Broker>> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks until the owner has ended and the broker runs here, or nobody needs it.
    fn watch(&self, config: &BrokerConfig, mut owner: Owner) {
        while !self.is_closing.load(Ordering::SeqCst) {
            match broker::locate(&config.folder) {
                Some(present) => {
                    if present.address != owner.address {
                        let (was, now) = (owner.address, present.address);
                        tracing::error!(
                            "the embedded broker has moved from {was} to {now}: start this command again"
                        );
                        return;
                    }
                    owner = present;
                }
                None => match Broker::open(config) {
                    Ok(broker) => {
                        let (pid, address) = (owner.pid, owner.address);
                        tracing::warn!(
                            "process {pid}, which had the embedded broker, has ended; {address} is served by this one now"
                        );
                        *self.lock() = Some(broker);
                        return;
                    }
                    // Another guest was faster, or the owner is still ending.
                    Err(BrokerError::InUse { .. }) => {}
                    Err(error) => {
                        let pid = owner.pid;
                        let cause = crate::error::cause(&error);
                        tracing::error!(
                            "process {pid}, which had the embedded broker, has ended, and it cannot run here: {error}{cause}; start this command again"
                        );
                        return;
                    }
                },
            }
            std::thread::park_timeout(LOOK);
        }
    }
}
