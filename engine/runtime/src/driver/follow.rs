//! A standby: folds the journal's entries as another process writes them, and takes over.
//!
//! **Invariant:** nothing is written, and no transactional id touched, before the owner's lease has
//! run out or somebody wants it so. The lease is measured by our own clock, and only while the
//! journal can be read: an owner that cannot reach its broker either is not gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connectors::{Bounds, ConnectorError, SliceDecoder};
use state::About;
use stream::{Epoch, Item};

use super::{Driver, Identity, PartitionView, ReaderView, Role, Schedule, WAIT_MAX};
use crate::error::RuntimeError;
use crate::journal::{Entry, FOLD_VERSION};
use crate::ownership::Ownership;
use crate::promote::StandbyPost;
use crate::recover::Replay;
use crate::run::RunReport;
use crate::status::{Phase, StandbyStatus};

/// How often the journal is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A look that took longer counts as so long: who could not look saw no silence.
const SILENCE_STEP_MAX: Duration = Duration::from_secs(1);

/// How long a new partition may take to be seen here, too: the watch looks every second.
const GROWTH_LOOKS: u32 = 20;

/// Why a standby no longer follows.
#[derive(Debug)]
pub(crate) enum Followed {
    /// It was stopped.
    Stopped,
    /// The journal goes on where this state does not lead to: another attempt begins anew.
    StartOver {
        /// Why.
        reason: String,
    },
    /// It is its turn; whether somebody wants it so, though the owner may live.
    TakeOver {
        /// Whether the owner is pushed aside.
        is_pushing: bool,
    },
}

/// What a look at the journal gave.
enum Read {
    /// No entry.
    Nothing,
    /// Entries, which are folded.
    Entries,
    /// Entries that do not follow ours: why.
    StartOver(String),
    /// An error.
    Failed(ConnectorError),
}

impl Driver {
    /// From here on this process owns nothing, and folds what others have written.
    pub(crate) fn warm_up(&mut self, replay: Option<Replay>) -> Result<(), RuntimeError> {
        self.role = Role::Standby;
        self.catch_up(replay)?;
        self.is_replaying = true;
        self.base = self.fold.counters().clone();
        Ok(())
    }

    /// The state at this moment.
    pub(crate) fn into_state(self) -> (u64, Vec<state::OperatorTables>) {
        (self.replayed_records, self.fold.snapshot())
    }

    /// What the run has done so far.
    pub(crate) fn report(&self, is_stopped: bool) -> RunReport {
        RunReport {
            counters: self.counted(),
            epochs: self.committed.0.saturating_sub(self.first_epoch.0),
            replayed_records: self.replayed_records,
            notes: Vec::new(),
            snapshots: self.board.read().snapshots,
            is_stopped,
        }
    }

    /// Follows the journal until it is this process' turn.
    ///
    /// # Errors
    /// [`RuntimeError::OtherPlan`], [`RuntimeError::FoldVersion`] if what is written cannot be
    /// folded here; those of reading the inputs.
    pub(crate) fn follow(
        &mut self,
        ownership: &mut Ownership,
        post: &StandbyPost,
    ) -> Result<Followed, RuntimeError> {
        self.board.update(|status| status.phase = Phase::Standby);
        let mut decoders = self.decoders()?;
        let (mut silent, mut looked) = (Duration::ZERO, self.clock.monotonic());
        loop {
            self.check_failure()?;
            self.look_at_ends()?;
            let read = self.read_on(ownership, &mut decoders)?;
            let now = self.clock.monotonic();
            match read {
                Read::Nothing => silent += now.saturating_sub(looked).min(SILENCE_STEP_MAX),
                Read::Entries => silent = Duration::ZERO,
                Read::StartOver(reason) => return Ok(Followed::StartOver { reason }),
                Read::Failed(error) if error.is_offset_gone() => {
                    let reason = "the journal was trimmed beyond what was read of it".to_owned();
                    return Ok(Followed::StartOver { reason });
                }
                Read::Failed(error) if error.is_retriable() => {
                    tracing::warn!(%error, "the journal cannot be read, trying again");
                    silent = Duration::ZERO;
                }
                Read::Failed(error) => return Err(error.into()),
            }
            looked = now;
            self.show_standby(ownership, silent);
            if self.inbox.lock().is_stopping {
                return Ok(Followed::Stopped);
            }
            let is_pushing = post.is_promoted();
            if is_pushing || silent >= ownership.lease().1 {
                return Ok(Followed::TakeOver { is_pushing });
            }
            self.inbox.wait_closing(POLL);
        }
    }

    /// Folds the entries up to the end as it is now.
    fn read_on(
        &mut self,
        ownership: &mut Ownership,
        decoders: &mut [Option<SliceDecoder>],
    ) -> Result<Read, RuntimeError> {
        let mut read = Read::Nothing;
        let mut looked = ownership.look_for_end();
        loop {
            // Only what fails before an entry is folded may be tried again.
            let entry = match looked.and_then(|()| ownership.next_entry()) {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(read),
                Err(RuntimeError::Connector(error)) => return Ok(Read::Failed(error)),
                Err(error) => return Err(error),
            };
            if let Some(reason) = self.fold_entry(&entry, decoders)? {
                return Ok(Read::StartOver(reason));
            }
            read = Read::Entries;
            self.look_at_ends()?;
            self.show_standby(ownership, Duration::ZERO);
            if self.inbox.lock().is_stopping {
                return Ok(read);
            }
            looked = Ok(());
        }
    }

    /// Folds entries that another process has written. Says why, if they do not follow ours.
    pub(crate) fn fold_entries(
        &mut self,
        entries: &[Entry],
    ) -> Result<Option<String>, RuntimeError> {
        let mut decoders = self.decoders()?;
        for entry in entries {
            if let Some(reason) = self.fold_entry(entry, &mut decoders)? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Whether entries go on with ours: else why not.
    pub(crate) fn check_following(&self, entries: &[Entry]) -> Option<String> {
        let mut last = Epoch(self.identity.epoch.0.saturating_sub(1));
        for entry in entries {
            if let Some(reason) = self.check_entry(entry, last) {
                return Some(reason);
            }
            last = entry.header.epoch.max(last);
        }
        None
    }

    fn check_entry(&self, entry: &Entry, last: Epoch) -> Option<String> {
        let header = &entry.header;
        if header.journal_id != self.identity.journal_id {
            return Some("the journal is another one".to_owned());
        }
        if header.generation != self.identity.generation {
            let generation = header.generation;
            return Some(format!("generation {generation} was begun with `--fresh`"));
        }
        let epoch = header.epoch;
        (epoch > last.next())
            .then(|| format!("the journal has no entry between {last} and {epoch}"))
    }

    fn fold_entry(
        &mut self,
        entry: &Entry,
        decoders: &mut [Option<SliceDecoder>],
    ) -> Result<Option<String>, RuntimeError> {
        let last = Epoch(self.identity.epoch.0.saturating_sub(1));
        if let Some(reason) = self.check_entry(entry, last) {
            return Ok(Some(reason));
        }
        if entry.header.epoch <= last {
            return Ok(None);
        }
        let unfollowed = self.fold_items(entry, decoders)?;
        self.identity.epoch = entry.header.epoch.next();
        (self.first_epoch, self.committed) = (entry.header.epoch, entry.header.epoch);
        Ok(unfollowed)
    }

    fn fold_items(
        &mut self,
        entry: &Entry,
        decoders: &mut [Option<SliceDecoder>],
    ) -> Result<Option<String>, RuntimeError> {
        self.check_rules(entry)?;
        for it in &entry.items {
            if let Item::Start { reader, partition, offset } = &it.item
                && let Some(reason) = self.begin_partition(reader, *partition, *offset)?
            {
                return Ok(Some(reason));
            }
        }
        for it in &entry.items {
            if let Item::Slice { reader, partition, to, .. } = &it.item
                && it.carried.is_none()
                && let Some(index) = self.readers.iter().position(|view| view.name == *reader)
                && let Ok(partition) = usize::try_from(*partition)
                && partition < self.readers[index].partitions.len()
            {
                self.inbox.allow(index, partition, *to);
            }
        }
        self.replay_items(&entry.items, decoders)?;
        Ok(None)
    }

    /// Whether the entry may be folded by this engine and plan.
    fn check_rules(&self, entry: &Entry) -> Result<(), RuntimeError> {
        for it in &entry.items {
            if let Item::Plan { fingerprint, .. } = &it.item
                && *fingerprint != self.plan.0
            {
                let (journal, now) = (fingerprint.clone(), self.plan.0.clone());
                return Err(RuntimeError::OtherPlan { journal, now });
            }
        }
        let journal = entry.header.fold_version;
        if !entry.is_renewal() && journal != FOLD_VERSION {
            return Err(RuntimeError::FoldVersion { journal, now: FOLD_VERSION });
        }
        Ok(())
    }

    /// The owner has begun to read a partition: it is waited for until the watch has seen it here.
    fn begin_partition(
        &mut self,
        reader: &stream::ReaderName,
        partition: i32,
        offset: i64,
    ) -> Result<Option<String>, RuntimeError> {
        let Some(index) = self.readers.iter().position(|view| view.name == *reader) else {
            return Ok(None);
        };
        let number = usize::try_from(partition).unwrap_or(usize::MAX);
        for _ in 0..GROWTH_LOOKS {
            self.check_failure()?;
            let known = self.readers[index].partitions.len();
            let grown = self.inbox.grown(index, known);
            self.readers[index].partitions.extend(grown.into_iter().map(PartitionView::new));
            if number < self.readers[index].partitions.len() {
                break;
            }
            self.inbox.wait(WAIT_MAX, |_| None::<()>);
        }
        let topic = self.readers[index].topic.clone();
        let Some(at) = self.readers[index].partitions.get_mut(number) else {
            return Ok(Some(format!("partition {partition} of topic `{topic}` is not seen here")));
        };
        if at.position != offset {
            let reason = format!("partition {partition} of topic `{topic}` begins elsewhere here");
            return Ok(Some(reason));
        }
        at.is_known = true;
        at.origin = offset;
        Ok(None)
    }

    /// Who owns the project after the epoch that is the journal's last. The fold itself cuts nothing
    /// before [`Driver::succeed`].
    pub(crate) fn own(&mut self, last: Epoch, topics: BTreeMap<String, String>) -> Identity {
        (self.first_epoch, self.committed) = (last, last);
        self.identity.epoch = last.next();
        self.identity.topics = Arc::new(topics);
        self.identity.clone()
    }

    /// Waits until an epoch is committed.
    pub(crate) fn await_committed(&mut self, epoch: Epoch) -> Result<(), RuntimeError> {
        while self.committed < epoch {
            self.check_failure()?;
            self.inbox.wait(WAIT_MAX, |shared| {
                shared.has_news = false;
                (shared.committed >= Some(epoch)).then_some(())
            });
            self.look_at_ends()?;
        }
        Ok(())
    }

    /// Folds what was written just before this process became the owner.
    pub(crate) fn fold_last(&mut self, entries: &[Entry]) -> Result<(), RuntimeError> {
        let mut decoders = self.decoders()?;
        for entry in entries {
            if let Some(reason) = self.fold_items(entry, &mut decoders)? {
                return Err(RuntimeError::Unfollowed { reason });
            }
        }
        Ok(())
    }

    /// Runs on as the owner, which has committed what `identity` says.
    pub(crate) fn succeed(
        mut self,
        identity: Identity,
        bounds: &[Vec<Bounds>],
        snapshots: Schedule,
    ) -> Result<RunReport, RuntimeError> {
        self.role = Role::Owner;
        self.identity = identity;
        self.last_cut = self.clock.monotonic();
        self.is_replaying = false;
        self.snapshots = snapshots;
        self.release(bounds);
        let epoch = self.committed;
        tracing::info!(%epoch, "this standby has taken over");
        self.board.update(|status| status.standby = None);
        self.go_live()
    }

    /// Whether a snapshot's state is one that ours went through.
    pub(crate) fn has_led_to(&self, about: &About) -> bool {
        about.journal_id == self.identity.journal_id
            && about.generation == self.identity.generation
            && about.epoch < self.identity.epoch
    }

    /// Readers go on by themselves from where the journal ends; what is there now is caught up with
    /// before a stream's row meets its versions.
    fn release(&mut self, bounds: &[Vec<Bounds>]) {
        for (view, bounds) in self.readers.iter_mut().zip(bounds) {
            for (at, bounds) in view.partitions.iter_mut().zip(bounds) {
                at.end_at_start = bounds.end;
                at.log_end = bounds.log_end;
            }
        }
        for at in self.readers.iter_mut().flat_map(|view| &mut view.partitions) {
            at.is_at_end = false;
            at.held_since = None;
        }
        let position = |view: &ReaderView| view.partitions.iter().map(|at| at.position).collect();
        let positions: Vec<Vec<i64>> = self.readers.iter().map(position).collect();
        self.inbox.release(&positions);
        self.started = (self.clock.now(), self.clock.monotonic());
    }

    fn show_standby(&mut self, ownership: &Ownership, silent: Duration) {
        let (owner, lease) = ownership.lease();
        let epochs_behind = ownership.entries_left();
        let behind = self.clock.now().0.saturating_sub(self.fold.dataflow().clock.get().0);
        let behind = Duration::from_millis(u64::try_from(behind).unwrap_or_default());
        let standby = StandbyStatus {
            owner: owner.cloned(),
            epochs_behind,
            behind: (epochs_behind > 0).then_some(behind),
            silent,
            lease,
        };
        self.board.update(|status| status.standby = Some(standby));
        self.show(false);
    }
}
