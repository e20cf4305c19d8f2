//! Who writes the journal: what stands in the header of each entry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stream::{Epoch, Generation, InstanceName, Item};

use super::LEASE_COMMIT_INTERVALS;
use crate::error::RuntimeError;
use crate::history::History;
use crate::journal::{Entry, FOLD_VERSION, Header, JournalItem};
use crate::recover::Past;
use crate::run::RunOptions;

/// Who writes the journal, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) journal_id: String,
    pub(crate) generation: Generation,
    /// The epoch that is open.
    pub(crate) epoch: Epoch,
    pub(crate) instance: InstanceName,
    pub(crate) lease: Duration,
    /// Ids of the topics that are read, by name.
    pub(super) topics: Arc<BTreeMap<String, String>>,
    /// The journal's last epoch when the process began.
    pub(super) start: Epoch,
    /// Whether the generation begins with this run.
    pub(super) is_new: bool,
    /// Whether the journal does not name the plan yet.
    pub(super) has_new_plan: bool,
}

impl Identity {
    /// Who goes on where the journal ends.
    pub(crate) fn new(
        instance: InstanceName,
        history: &History,
        options: &RunOptions,
    ) -> Result<Self, RuntimeError> {
        let journal_id = match &history.journal_id {
            Some(id) => id.clone(),
            None => format!("{:016x}", getrandom::u64().map_err(|_e| RuntimeError::Random)?),
        };
        let lease = options.lease.max(options.commit_interval * LEASE_COMMIT_INTERVALS);
        let (generation, epoch) = (history.generation, history.epoch.next());
        let topics = Arc::clone(&history.topics);
        let start = history.epoch;
        let (is_new, has_new_plan) = (false, false);
        Ok(Self {
            journal_id,
            generation,
            epoch,
            instance,
            lease,
            topics,
            start,
            is_new,
            has_new_plan,
        })
    }

    /// It is known what is continued, and which topics are read.
    pub(crate) fn begin(&mut self, past: &Past, topics: BTreeMap<String, String>) {
        self.is_new = past.is_new;
        self.has_new_plan = past.has_new_plan;
        self.generation = past.generation_now();
        self.topics = Arc::new(topics);
    }

    /// The entry that ends the open epoch, which the next one follows.
    pub(crate) fn entry(&mut self, items: Vec<JournalItem>) -> Entry {
        let header = Header {
            journal_id: self.journal_id.clone(),
            generation: self.generation,
            epoch: self.epoch,
            instance: self.instance.clone(),
            lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
            fold_version: FOLD_VERSION,
            topics: Arc::clone(&self.topics),
        };
        self.epoch = self.epoch.next();
        Entry { header, items }
    }

    /// What says that it still owns the project.
    pub(crate) fn renewal(&self) -> Item {
        Item::Owner(Some(self.instance.clone()))
    }
}
