//! What a running engine shows of itself; written by the fold's and the snapshot's thread, read by
//! anybody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stream::{Epoch, ProcessingTime, Watermark};

use crate::fold::Counters;
use crate::prepare::Note;

/// A picture of a running engine.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// What happens now.
    pub phase: Phase,
    /// The last committed epoch.
    pub epoch: Epoch,
    /// What was counted since this run began (a replay does not count).
    pub counters: Counters,
    /// By reader: its watermark.
    pub watermarks: BTreeMap<String, Watermark>,
    /// By reader: records that are there and not yet folded, as far as known.
    pub lag: BTreeMap<String, u64>,
    /// The step's clock.
    pub clock: Option<ProcessingTime>,
    /// What the start found out about topics.
    pub notes: Vec<Note>,
    /// Records replayed at the start.
    pub replayed_records: u64,
    /// Time from the start to the first commit of new rows.
    pub first_output_after: Option<Duration>,
    /// Snapshots of this run.
    pub snapshots: SnapshotStatus,
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

/// What a run does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Topics, ownership.
    #[default]
    Starting,
    /// The journal's entries are folded again.
    Replaying,
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
