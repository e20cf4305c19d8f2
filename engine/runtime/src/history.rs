//! What the journal says of the past: which entries count, and where each reader stands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stream::{Epoch, Fingerprint, Generation, Item, ReaderName};

use crate::error::RuntimeError;
use crate::journal::{Entry, FOLD_VERSION};

/// The entries of the last generation.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Id of the journal; none if it is empty.
    pub(crate) journal_id: Option<String>,
    /// The last generation.
    pub(crate) generation: Generation,
    /// The last epoch.
    pub(crate) epoch: Epoch,
    /// Entries to replay, oldest first.
    pub(crate) entries: VecDeque<Entry>,
    /// The plan that wrote them.
    pub(crate) plan: Option<Fingerprint>,
    /// Ids of the topics that were read, by name.
    pub(crate) topics: Arc<BTreeMap<String, String>>,
    /// By reader and partition.
    pub(crate) positions: BTreeMap<(ReaderName, i32), Replayed>,
}

/// What is replayed of one partition.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// First offset to read.
    pub(crate) start: i64,
    /// Where the reader stands after the replay.
    pub(crate) end: i64,
    /// Ends of the slices whose records are read from the topic.
    pub(crate) slices: VecDeque<i64>,
}

impl History {
    /// What counts of a journal.
    pub(crate) fn of(entries: Vec<Entry>) -> Self {
        let mut history = Self::default();
        for entry in entries {
            history.journal_id = Some(entry.header.journal_id.clone());
            history.epoch = entry.header.epoch;
            history.topics = Arc::clone(&entry.header.topics);
            let generation = entry.items.iter().find_map(|it| match &it.item {
                Item::Generation(generation) => Some(*generation),
                _ => None,
            });
            if let Some(generation) = generation {
                history.generation = generation;
                history.entries.clear();
                history.positions.clear();
                history.plan = None;
            }
            for it in &entry.items {
                history.note(&it.item, it.carried.is_some());
            }
            history.entries.push_back(entry);
        }
        history
    }

    /// Forgets what is not continued (`--fresh`), but not the numbers.
    pub(crate) fn forget(&mut self) {
        self.entries.clear();
        self.positions.clear();
        self.plan = None;
        self.topics = Arc::default();
    }

    /// Whether the topics are still those that were read.
    pub(crate) fn check_topics(&self, now: &BTreeMap<String, String>) -> Result<(), RuntimeError> {
        let other = self.topics.iter().find_map(|(topic, known)| {
            let now = now.get(topic).filter(|now| *now != known)?;
            Some((topic.clone(), known.clone(), now.clone()))
        });
        match other {
            Some((topic, known, now)) => Err(RuntimeError::TopicRecreated { topic, known, now }),
            None => Ok(()),
        }
    }

    /// Whether the entries may be replayed by this engine and plan.
    pub(crate) fn check(&self, plan: &Fingerprint) -> Result<(), RuntimeError> {
        let other = self.entries.iter().find(|entry| entry.header.fold_version != FOLD_VERSION);
        if let Some(entry) = other {
            let journal = entry.header.fold_version;
            return Err(RuntimeError::FoldVersion { journal, now: FOLD_VERSION });
        }
        match &self.plan {
            Some(journal) if journal != plan => {
                Err(RuntimeError::PlanChanged { journal: journal.clone(), now: plan.clone() })
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, item: &Item, is_carried: bool) {
        match item {
            Item::Start { reader, partition, offset } => {
                let replayed = Replayed { start: *offset, end: *offset, slices: VecDeque::new() };
                self.positions.insert((reader.clone(), *partition), replayed);
            }
            Item::Slice { reader, partition, to, .. } => {
                let at = self.positions.entry((reader.clone(), *partition)).or_default();
                at.end = *to;
                if is_carried {
                    at.start = *to;
                } else {
                    at.slices.push_back(*to);
                }
            }
            Item::Plan { fingerprint, .. } => self.plan = Some(fingerprint.clone()),
            Item::Clock(_)
            | Item::Idle { .. }
            | Item::Active { .. }
            | Item::Advance { .. }
            | Item::Partitions { .. }
            | Item::EndOfInput
            | Item::Skip { .. }
            | Item::Generation(_)
            | Item::Owner(_) => {}
        }
    }
}
