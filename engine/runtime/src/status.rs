//! What a running engine shows of itself; written by the fold's and the snapshot's thread, read by
//! anybody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stream::{Epoch, EventTime, InstanceName, ProcessingTime, Watermark};

use crate::fold::Counters;
use crate::prepare::Note;

/// A picture of a running engine.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// What happens now.
    pub phase: Phase,
    /// The last committed epoch.
    pub epoch: Epoch,
    /// The first epoch whose commit is under way, and since when.
    pub committing: Option<(Epoch, ProcessingTime)>,
    /// What was counted since this run began (a replay does not count).
    pub counters: Counters,
    /// By reader: where it stands.
    pub readers: BTreeMap<String, ReaderStatus>,
    /// By model: what it waits for.
    pub models: BTreeMap<String, ModelStatus>,
    /// The wall clock.
    pub now: Option<ProcessingTime>,
    /// What the start found out about topics.
    pub notes: Vec<Note>,
    /// Records replayed at the start.
    pub replayed_records: u64,
    /// Time from the start to the first commit of new rows.
    pub first_output_after: Option<Duration>,
    /// Snapshots of this run.
    pub snapshots: SnapshotStatus,
    /// Of a standby: whom it stands by for.
    pub standby: Option<StandbyStatus>,
    /// While models are rebuilt: how far that is.
    pub rebuild: Option<RebuildStatus>,
}

/// How far a round of a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildStatus {
    /// At most so many records are left to read in it.
    pub records_left: u64,
    /// Whether the other models go on meanwhile: all but the last round let them.
    pub others_go_on: bool,
}

/// Where a standby stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyStatus {
    /// Who owns the project; none after a clean end, and before the first run.
    pub owner: Option<InstanceName>,
    /// About how many epochs are committed and not folded here.
    pub epochs_behind: u64,
    /// How far its state lies behind the clock, while there is something to fold.
    pub behind: Option<Duration>,
    /// How long the owner has written nothing.
    pub silent: Duration,
    /// After so long it takes over.
    pub lease: Duration,
}

/// How snapshots fare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// How many were written.
    pub written: u64,
    /// The newest, which this run wrote or began with.
    pub newest: Option<SnapshotSummary>,
    /// The longest time that the fold stood still to have its state taken.
    pub pause_max: Duration,
    /// Since when none could be written, and why.
    pub failing: Option<(ProcessingTime, String)>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// The last epoch in its state.
    pub epoch: Epoch,
    /// When its state was taken.
    pub created: ProcessingTime,
    /// Rows of state.
    pub rows: u64,
    /// Bytes of its tables.
    pub bytes: u64,
}

impl SnapshotSummary {
    pub(crate) fn of(manifest: &state::Manifest) -> Self {
        Self {
            epoch: manifest.about.epoch,
            created: manifest.about.created,
            rows: manifest.rows(),
            bytes: manifest.bytes(),
        }
    }
}

/// Where a reader stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReaderStatus {
    /// What waits in its topic.
    pub lag: Lag,
    /// Its watermark; none before the first record.
    pub watermark: Option<Watermark>,
    /// The greatest event time that it has seen.
    pub newest_event: Option<EventTime>,
    /// How long all of its partitions have been idle, if they are.
    pub silent_for: Option<Duration>,
    /// Partitions whose next records belong to a transaction that is still open, and for how long.
    pub held: Vec<(i32, Duration)>,
}

/// What waits in topics: records that are there and not folded yet, those of open transactions
/// included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// How many, as far as fetches have told.
    pub records: u64,
    /// Age of what was folded last, while something waits.
    pub behind: Option<Duration>,
}

impl Lag {
    /// What waits in both: all records, the greater age.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { records: self.records + other.records, behind: self.behind.max(other.behind) }
    }
}

/// What a model waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelStatus {
    /// What waits in the topics of its sources.
    pub lag: Lag,
    /// The least watermark of the sources that count for it.
    pub watermark: Option<Watermark>,
    /// The end of its open window that closes next.
    pub open_until: Option<EventTime>,
    /// That window, if nothing closes it as long as the sources stay as they are.
    pub waiting: Option<Waiting>,
}

/// Why a window stays open: a source on which it depends is silent, or held by a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The end of the window that closes next.
    pub window_end: EventTime,
    /// The source's name.
    pub source: String,
    /// Its greatest event time.
    pub newest_event: Option<EventTime>,
    /// The window closes with an event at or after this.
    pub needed_event: EventTime,
    /// What is the matter with the source.
    pub reason: WaitReason,
}

/// What keeps a watermark from rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Nothing has come for so long.
    Silent(Duration),
    /// A transaction has been open on this partition for so long.
    OpenTransaction {
        /// The partition.
        partition: i32,
        /// How long.
        open_for: Duration,
    },
}

/// What a run does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Topics, ownership.
    #[default]
    Starting,
    /// The journal's entries are folded again.
    Replaying,
    /// Models are built up again; the others go on, but for a last moment.
    Rebuilding,
    /// What another process has committed is folded again, as it comes.
    Standby,
    /// Rows are folded as they come.
    Running,
    /// The last epoch is committed.
    Finishing,
    /// All done.
    Ended,
}

/// The picture, shared.
#[derive(Debug, Default)]
pub struct StatusBoard {
    status: Mutex<Status>,
}

impl StatusBoard {
    /// The picture as it is now.
    pub fn read(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
