//! Runs a [`planner::dataflow::Dataflow`]: operators, the fold, epochs, commit, recovery.
//!
//! The data's road: a reader's thread fetches and decodes ([`reader`]), the fold's thread folds
//! ([`driver`], [`fold`]), the encoder's thread encodes ([`encode`]), the committer's thread
//! produces and commits ([`commit`]). They meet in the [`inbox`] and in two bounded channels.

mod names;
mod local;
mod promote;
mod prepare;
pub mod codec;
mod ownership;
mod lease;
mod journal;
mod history;
mod recover;
mod upgrade;

mod reader;
mod inbox;
mod topic_watch;
mod driver;
pub mod fold;
pub mod operator;
pub mod operators;
mod accumulate;
mod evaluate;
mod gather;
mod key;
mod row_store;
mod slots;

mod memory;
mod outbox;
mod encode;
mod commit;
mod snapshots;
mod dead_letters;

mod run;
mod ground;
mod standby;
mod replayed;
mod status;
mod error;

pub use dead_letters::{
    DeadLetter, Fate, REPLAYED, Redelivery, RedeliveryReport, Settled, read_dead_letters,
};
pub use error::RuntimeError;
pub use journal::{Entry, Header, JournalError, JournalItem};
pub use local::{LocalError, SnapshotRequest};
pub use names::Names;
pub use prepare::Note;
pub use promote::{PromoteRequest, Promotion};
pub use replayed::{ReplayedState, replay};
pub use run::{Delivery, RunOptions, RunPlan, RunReport, StopHandle, run};
pub use status::{
    Lag, ModelStatus, Phase, ReaderStatus, RebuildStatus, SnapshotStatus, SnapshotSummary,
    StandbyStatus, Status, StatusBoard, WaitReason, Waiting,
};
pub use upgrade::{Compile, PlanPicture, RebuildInput, UpgradeOptions, inspect};
