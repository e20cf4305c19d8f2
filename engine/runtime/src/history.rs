//! What the journal says of the past: who wrote it, and what each reader has read.
//!
//! Entries are looked at one by one and not kept: a replay reads them again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use connectors::{Cluster, JournalTopic};
use state::Manifest;
use stream::{Epoch, Fingerprint, Generation, Item, ReaderName};

use crate::error::RuntimeError;
use crate::journal::{Entry, FOLD_VERSION};

/// The entries of the last generation, as far as they were read.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Id of the journal; none if it is empty.
    pub(crate) journal_id: Option<String>,
    /// The last generation.
    pub(crate) generation: Generation,
    /// The last epoch.
    pub(crate) epoch: Epoch,
    /// Ids of the topics that were read, by name.
    pub(crate) topics: Arc<BTreeMap<String, String>>,
    /// The first epoch that was read, of any generation.
    pub(crate) first_epoch: Option<Epoch>,
    /// Whether the generation is known from its first entry on.
    pub(crate) is_whole: bool,
    /// In order.
    plans: Vec<PlanNote>,
    /// The last of them, as it was written.
    plan_text: String,
    /// The last epoch that does more than say who the owner is.
    last_folded: Epoch,
    /// By the last epoch that it wrote.
    fold_versions: Vec<(Epoch, u32)>,
    partitions: BTreeMap<(ReaderName, i32), Vec<(Epoch, Noted)>>,
}

/// A plan that the journal names.
#[derive(Debug)]
struct PlanNote {
    /// The epoch from which it holds.
    began: Epoch,
    /// The last epoch before, renewals left out.
    before: Epoch,
    fingerprint: Fingerprint,
}

/// What an entry says of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// Reading starts at this offset.
    Start(i64),
    /// Records before this offset are read from the topic.
    Read(i64),
    /// Records before this offset are in the journal.
    Carried(i64),
}

/// Where each reader stands, by reader and partition.
pub(crate) type Positions = BTreeMap<(ReaderName, i32), Replayed>;

/// What is replayed of one partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// The offset at which the generation began to read.
    pub(crate) origin: i64,
    /// First offset to read.
    pub(crate) start: i64,
    /// Where the reader stands after the replay.
    pub(crate) end: i64,
    /// Ends of the slices whose records are read from the topic.
    pub(crate) slices: VecDeque<i64>,
}

impl History {
    /// What a journal's entries say from an offset on, to its end as it is now; those after `until`
    /// do not count.
    ///
    /// # Errors
    /// Those of the connectors, also if there is no such topic; [`RuntimeError::Journal`].
    pub(crate) fn read(
        cluster: &Cluster,
        journal: &str,
        (offset, until): (i64, Option<Epoch>),
    ) -> Result<Self, RuntimeError> {
        let mut journal = JournalTopic::open(cluster, journal, offset)?;
        let mut history = Self::default();
        while let Some(raw) = journal.next_entry()? {
            let entry = Entry::from_bytes(&raw.bytes)?;
            if until.is_some_and(|until| entry.header.epoch > until) {
                break;
            }
            history.note(&entry);
        }
        Ok(history)
    }

    /// Takes over what the next entry says.
    pub(crate) fn note(&mut self, entry: &Entry) {
        let header = &entry.header;
        let is_first = entry.items.iter().any(|it| matches!(it.item, Item::Generation(_)));
        if is_first || header.generation != self.generation {
            self.generation = header.generation;
            self.is_whole = is_first;
            self.plans.clear();
            self.fold_versions.clear();
            self.partitions.clear();
        }
        self.journal_id = Some(header.journal_id.clone());
        self.epoch = header.epoch;
        self.topics = Arc::clone(&header.topics);
        self.first_epoch.get_or_insert(header.epoch);
        // What only says who owns the project, any fold can replay: a start that stops because of its
        // version must not keep the older one out.
        if !entry.is_renewal() {
            match self.fold_versions.last_mut() {
                Some((epoch, version)) if *version == header.fold_version => *epoch = header.epoch,
                _ => self.fold_versions.push((header.epoch, header.fold_version)),
            }
        }
        for it in &entry.items {
            self.note_item(header.epoch, &it.item, it.carried.is_some());
        }
        if !entry.is_renewal() {
            self.last_folded = header.epoch;
        }
    }

    /// Whether a snapshot's state is one that these entries went through.
    pub(crate) fn has_led_to(&self, manifest: &Manifest) -> bool {
        self.journal_id.as_ref() == Some(&manifest.about.journal_id)
            && manifest.about.generation == self.generation
            && manifest.about.epoch <= self.epoch
    }

    /// The plan by which the journal ends, if the entries that were read name it.
    pub(crate) fn plan(&self) -> Option<(&Fingerprint, &str)> {
        self.plans.last().map(|plan| (&plan.fingerprint, self.plan_text.as_str()))
    }

    /// Whether the state of an epoch is that of the journal's end: only renewals follow.
    pub(crate) fn ends_with(&self, epoch: Epoch) -> bool {
        epoch >= self.last_folded
    }

    /// Whether a snapshot of another plan may be taken over by this one: it is of the moment at
    /// which that plan ends and this one begins, or may begin.
    pub(crate) fn may_switch_at(&self, epoch: Epoch, plan: &Fingerprint) -> bool {
        let Some(last) = self.plans.last().filter(|last| last.fingerprint == *plan) else {
            return self.ends_with(epoch);
        };
        let same = self.plans.iter().rev().take_while(|one| one.fingerprint == last.fingerprint);
        same.last().is_some_and(|first| first.before <= epoch && epoch < first.began)
    }

    /// Whether the entries after `epoch` may be replayed by this engine and plan, if there are any.
    ///
    /// # Errors
    /// [`RuntimeError::FoldVersion`], [`RuntimeError::PlansMixed`].
    pub(crate) fn check(&self, plan: &Fingerprint, after: Epoch) -> Result<(), RuntimeError> {
        let other = self
            .fold_versions
            .iter()
            .find(|(last, version)| *last > after && *version != FOLD_VERSION);
        if let Some((_, journal)) = other {
            return Err(RuntimeError::FoldVersion { journal: *journal, now: FOLD_VERSION });
        }
        let ends = self.plans.iter().skip(1).map(|next| next.before);
        let ends = ends.chain(std::iter::once(self.last_folded));
        let mixed =
            self.plans.iter().zip(ends).find(|(one, end)| *end > after && one.fingerprint != *plan);
        match mixed {
            Some((_, before)) => Err(RuntimeError::PlansMixed { before, after }),
            None => Ok(()),
        }
    }

    /// Where the readers stand after a replay of what follows the snapshot, or of everything.
    pub(crate) fn positions(&self, snapshot: Option<&Manifest>) -> Positions {
        let mut positions = Positions::new();
        for reader in snapshot.iter().flat_map(|manifest| &manifest.about.readers) {
            for at in &reader.partitions {
                let (start, end) = (at.position, at.position);
                let slices = VecDeque::new();
                let replayed = Replayed { origin: at.start, start, end, slices };
                positions.insert((reader.reader.clone(), at.partition), replayed);
            }
        }
        let after = snapshot.map(|manifest| manifest.about.epoch);
        for (partition, noted) in &self.partitions {
            for (_, noted) in noted.iter().filter(|(epoch, _)| Some(*epoch) > after) {
                let at = positions.entry(partition.clone()).or_default();
                match *noted {
                    Noted::Start(offset) => {
                        let slices = VecDeque::new();
                        *at = Replayed { origin: offset, start: offset, end: offset, slices };
                    }
                    Noted::Read(to) => {
                        at.end = to;
                        at.slices.push_back(to);
                    }
                    Noted::Carried(to) => {
                        at.end = to;
                        at.start = to;
                    }
                }
            }
        }
        positions
    }

    fn note_item(&mut self, epoch: Epoch, item: &Item, is_carried: bool) {
        let (reader, partition, noted) = match item {
            Item::Start { reader, partition, offset } => (reader, partition, Noted::Start(*offset)),
            Item::Slice { reader, partition, to, .. } if is_carried => {
                (reader, partition, Noted::Carried(*to))
            }
            Item::Slice { reader, partition, to, .. } => (reader, partition, Noted::Read(*to)),
            Item::Plan { fingerprint, project } => {
                let (began, before) = (epoch, self.last_folded);
                self.plans.push(PlanNote { began, before, fingerprint: fingerprint.clone() });
                self.plan_text.clone_from(project);
                return;
            }
            Item::Clock(_)
            | Item::Idle { .. }
            | Item::Active { .. }
            | Item::Advance { .. }
            | Item::Partitions { .. }
            | Item::EndOfInput
            | Item::Skip { .. }
            | Item::Generation(_)
            | Item::Owner(_) => return,
        };
        let notes = self.partitions.entry((reader.clone(), *partition)).or_default();
        notes.push((epoch, noted));
    }
}

#[cfg(test)]
pub(crate) mod tests;
