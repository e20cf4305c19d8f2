//! When the fold's state is taken: at a cut, once the interval has passed; and at the end.
//!
//! **Invariant:** the state of an epoch leaves this thread only once the epoch is committed: a
//! snapshot of what never was must not exist.

use std::time::Duration;

use state::{About, PartitionProgress, ReaderProgress};
use stream::{Epoch, Item, Watermark, failpoint};

use super::{Driver, partition_number};
use crate::error::RuntimeError;
use crate::journal::{FOLD_VERSION, JournalItem};
use crate::snapshots::{Frozen, SnapshotThread};

/// How long the end of a run waits for its last snapshot: without it the next start only replays.
const FINAL_WAIT: Duration = Duration::from_secs(30);

/// When snapshots are taken.
pub(crate) struct Schedule {
    /// None where nothing is written.
    thread: Option<SnapshotThread>,
    interval: Duration,
    /// When the state was last taken; none if it shall be at the next cut.
    last: Option<Duration>,
    /// Whether the fold's state is that of the open epoch; during a replay it is not.
    is_live: bool,
    /// Whether there is something to snapshot.
    has_news: bool,
    /// A state whose epoch is not committed yet.
    pending: Option<Frozen>,
    /// The last epoch that the thread was given.
    written: Option<Epoch>,
}

impl Schedule {
    pub(crate) fn new(thread: SnapshotThread, interval: Duration) -> Self {
        Self { thread: Some(thread), ..Self::off(interval) }
    }

    /// No snapshots are taken.
    pub(crate) fn off(interval: Duration) -> Self {
        Self {
            thread: None,
            interval,
            last: Some(Duration::ZERO),
            is_live: false,
            has_news: false,
            pending: None,
            written: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.thread.as_ref().is_some_and(SnapshotThread::is_idle)
    }

    /// Waits until nothing is being written, but not for ever. Whether nothing is.
    fn wait_idle(&self) -> bool {
        self.thread.as_ref().is_none_or(|thread| thread.wait_idle(FINAL_WAIT))
    }

    fn write(&mut self, frozen: Frozen) {
        if let Some(thread) = &self.thread {
            self.written = Some(frozen.about.epoch);
            thread.write(frozen);
        }
    }

    /// Waits for the snapshot that is being written, but not for ever.
    pub(super) fn rest(&self) {
        self.wait_idle();
    }

    /// Whether items change the state: an owner's renewals do not.
    pub(super) fn note(&mut self, items: &[JournalItem]) {
        self.has_news |= items.iter().any(|it| !matches!(it.item, Item::Owner(_)));
    }
}

impl Driver {
    /// From here on the fold's state is that of the open epoch. What was replayed is worth a
    /// snapshot at once, lest a crash in a loop replays it again and again.
    pub(super) fn begin_snapshots(&mut self) {
        let now = self.clock.monotonic();
        self.snapshots.is_live = true;
        self.snapshots.last = (self.replayed_records == 0).then_some(now);
        self.snapshots.has_news |= self.replayed_records > 0;
    }

    /// Takes the state of an epoch that was just cut, if it is time to.
    pub(super) fn freeze_if_due(&mut self, epoch: Epoch) -> Result<(), RuntimeError> {
        let schedule = &self.snapshots;
        if !schedule.is_live || schedule.pending.is_some() || !schedule.is_idle() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let is_due = schedule.has_news
            && schedule.last.is_none_or(|last| now.saturating_sub(last) >= schedule.interval);
        if is_due || self.local.snapshot_request().is_some() {
            let frozen = self.freeze(epoch)?;
            self.snapshots.pending = Some(frozen);
        }
        Ok(())
    }

    /// Hands a state over once its epoch is committed.
    pub(super) fn hand_over(&mut self) {
        let committed = self.committed;
        let is_ready = |frozen: &mut Frozen| frozen.about.epoch <= committed;
        if let Some(frozen) = self.snapshots.pending.take_if(is_ready) {
            self.snapshots.write(frozen);
        }
    }

    /// After the last commit: its state is written, so that the next start replays nothing.
    pub(super) fn finish_snapshots(&mut self) -> Result<(), RuntimeError> {
        self.hand_over();
        let is_idle = self.snapshots.wait_idle();
        if is_idle && self.snapshots.written != Some(self.committed) {
            let frozen = self.freeze(self.committed)?;
            self.snapshots.write(frozen);
        }
        if !self.snapshots.wait_idle() {
            let waited_s = FINAL_WAIT.as_secs();
            tracing::warn!(
                waited_s,
                "the last snapshot is not finished and not waited for: the next start replays what came since the one before"
            );
        }
        self.check_failure()
    }

    fn freeze(&mut self, epoch: Epoch) -> Result<Frozen, RuntimeError> {
        failpoint::reach("snapshot.freeze.before")?;
        let before = self.clock.monotonic();
        let state = self.fold.freeze();
        let after = self.clock.monotonic();
        let pause = after.saturating_sub(before);
        tracing::debug!(%epoch, ?pause, "state taken");
        self.board.update(|status| {
            status.snapshots.pause_max = status.snapshots.pause_max.max(pause);
        });
        self.snapshots.last = Some(after);
        self.snapshots.has_news = false;
        let request = self.local.snapshot_request();
        failpoint::reach("snapshot.freeze.after")?;
        Ok(Frozen { about: self.about(epoch), state, request })
    }

    fn about(&self, epoch: Epoch) -> About {
        let (fingerprint, project) = self.plan.clone();
        About {
            journal_id: self.identity.journal_id.clone(),
            generation: self.identity.generation,
            epoch,
            // The thread knows these two.
            journal_offset: 0,
            cluster_id: None,
            fold_version: FOLD_VERSION,
            fingerprint,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            created: self.clock.now(),
            readers: self.readers.iter().map(|view| self.progress(view)).collect(),
            project,
        }
    }

    fn progress(&self, view: &super::ReaderView) -> ReaderProgress {
        let partitions = view.partitions.iter().enumerate();
        ReaderProgress {
            reader: view.name.clone(),
            topic: view.topic.clone(),
            watermark: self.fold.watermark(&view.name).unwrap_or(Watermark::NONE),
            is_carried: view.carried.is_some(),
            partitions: partitions
                .map(|(partition, at)| PartitionProgress {
                    partition: partition_number(partition),
                    start: at.origin,
                    position: at.position,
                })
                .collect(),
        }
    }
}
