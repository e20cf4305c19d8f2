//! What ends a run before its time.

use connectors::ConnectorError;
use planner::dataflow::upgrade::Upgrade;
use state::StateError;
use stream::{Epoch, Fingerprint, InstanceName};

use crate::fold::FoldError;
use crate::journal::JournalError;
use crate::local::LocalError;
use crate::upgrade::Refusal;

/// What ends a run before its time. Nothing committed is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Kafka failed, or refused.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The fold stopped.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state folder cannot be used.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// Snapshots cannot be listed or read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system gives no more threads.
    #[error("a thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// Another process owns the project.
    #[error("`{owner}` owns this project: stop it, or start with `--take-over`")]
    OwnedByOther {
        /// The other process.
        owner: InstanceName,
    },
    /// There is no journal.
    #[error("the project has never run: there is nothing in its journal `{topic}`")]
    NeverRan {
        /// The journal's topic.
        topic: String,
    },
    /// The project was changed since its last run, in a way that has to be accepted.
    #[error(
        "the project has changed since its last run:{}\n`engine plan` shows all of it; accept it with `--accept-plan`, rebuild models with `--rebuild MODEL` (`--re-emit` writes their rows again), or start anew with `--fresh`", Refusal(.upgrade, .refused)
    )]
    PlanChanged {
        /// What the change does to the state.
        upgrade: Box<Upgrade>,
        /// Models whose change was not accepted.
        refused: Vec<String>,
    },
    /// The state is another plan's, and who asks may not change it.
    #[error(
        "the journal is written by another plan than this project's ({journal} there, {now} here): start with the project that runs"
    )]
    OtherPlan {
        /// Fingerprint in the journal.
        journal: Fingerprint,
        /// Fingerprint of the project as it is.
        now: Fingerprint,
    },
    /// The plan by which the state was kept cannot be read.
    #[error(
        "the plan of the last run cannot be compared with the project: {reason}; run the project once as it was then with this engine, or start anew with `--fresh`, which writes all outputs again"
    )]
    PlanUnreadable {
        /// Why not.
        reason: String,
    },
    /// What would be replayed was written by another plan.
    #[error(
        "the snapshot of epoch {before}, where the project was changed, is gone, and another plan wrote what the journal has after epoch {after}: put the snapshot back with `engine state restore DIR`, or start anew with `--fresh`, which writes all outputs again"
    )]
    PlansMixed {
        /// The last epoch of the other plan.
        before: Epoch,
        /// The epoch of the snapshot that could be used.
        after: Epoch,
    },
    /// The state of the last run could not be written, so no other plan can take it over.
    #[error(
        "the state of the last run could not be written as a snapshot to `{place}`, which a changed project begins with: repair the store, or run the project once as it was"
    )]
    NotSettled {
        /// Where snapshots are kept.
        place: String,
    },
    /// The broker has undone a transaction that it had acknowledged.
    #[error(
        "the broker has lost the transaction of epoch {epoch}, which it had acknowledged: the journal `{topic}` ends with epoch {last}. Its rows are undone with it, and are written anew after epoch {last} by whoever starts without `--fresh`"
    )]
    CommitUndone {
        /// The journal's topic.
        topic: String,
        /// The first epoch that is missing.
        epoch: Epoch,
        /// The last epoch that is there.
        last: Epoch,
    },
    /// The journal was written by a fold with other rules.
    #[error(
        "the journal was written by fold version {journal}, this engine has {now}: stop the old version gracefully first, or start with `--fresh`"
    )]
    FoldVersion {
        /// The journal's.
        journal: u32,
        /// Ours.
        now: u32,
    },
    /// There was a journal, and now there is none.
    #[error(
        "the journal `{topic}` is gone, but {evidence}: if that is intended, start with `--fresh`"
    )]
    JournalGone {
        /// The journal's topic.
        topic: String,
        /// What says that there was one.
        evidence: String,
    },
    /// The start of the journal is no longer kept, and no snapshot stands for it.
    #[error(
        "the journal `{topic}` is kept from offset {offset} on, and no snapshot in `{place}` leads to that{reasons}: put one back with `engine state restore DIR`, or start with `--fresh`, which writes all outputs again"
    )]
    JournalTrimmed {
        /// The journal's topic.
        topic: String,
        /// Its first offset.
        offset: i64,
        /// Where snapshots are kept.
        place: String,
        /// What is wrong with those that are there.
        reasons: String,
    },
    /// The journal is that of the snapshot, but not its cluster.
    #[error(
        "the snapshots belong to cluster `{then}`, and the journal `{topic}` is on cluster `{now}`: a copy of a cluster has other offsets; connect to the first one, or start with `--fresh`"
    )]
    ClusterChanged {
        /// The journal's topic.
        topic: String,
        /// The snapshot's cluster.
        then: String,
        /// The cluster as it is.
        now: String,
    },
    /// The input no longer holds what the journal says was read.
    #[error(
        "topic `{topic}` partition {partition}: the journal says that offsets {from} to {to} held {expected} records, now there are {found}; the input was trimmed or the topic created anew: start with `--fresh`"
    )]
    InputGone {
        /// Kafka topic.
        topic: String,
        /// Kafka partition.
        partition: i32,
        /// First offset of the slice.
        from: i64,
        /// End of the slice.
        to: i64,
        /// Records in the journal.
        expected: u64,
        /// Records found.
        found: u64,
    },
    /// The records that come next are no longer kept.
    #[error(
        "topic `{topic}` partition {partition} is kept from offset {first} on, but reading goes on at {position}: what lies between is gone; start with `--fresh`, or, where nothing has been read yet, set `on_gap: earliest` on its source"
    )]
    Gap {
        /// Kafka topic.
        topic: String,
        /// Kafka partition.
        partition: i32,
        /// Next offset to read.
        position: i64,
        /// First offset that is kept.
        first: i64,
    },
    /// The topic is another one than the one that was read.
    #[error(
        "topic `{topic}` was deleted and created anew (its id was {known}, now it is {now}): its offsets mean other records; start with `--fresh`"
    )]
    TopicRecreated {
        /// Kafka topic.
        topic: String,
        /// Its id when it was read.
        known: String,
        /// Its id now.
        now: String,
    },
    /// A topic that is read was deleted.
    #[error(
        "topic `{topic}` does not exist any more: create it anew and start with `--fresh`, or take its source out of the project"
    )]
    TopicGone {
        /// Kafka topic.
        topic: String,
    },
    /// The log ends before the place where reading stopped.
    #[error(
        "topic `{topic}` partition {partition} ends at offset {end}, but it was read up to {position}: the broker has lost records or the topic was created anew; start with `--fresh`"
    )]
    LogShrunk {
        /// Kafka topic.
        topic: String,
        /// Kafka partition.
        partition: i32,
        /// Next offset to read.
        position: i64,
        /// Its end.
        end: i64,
    },
    /// The run ended while it was not known whether the last epoch was committed.
    #[error(
        "stopped while the last epoch could not be committed ({reason}); a later run settles it"
    )]
    Unsettled {
        /// Why not.
        reason: String,
    },
    /// The broker refuses what the engine writes, and will again.
    #[error("{source}: change the topic or its rights, then start again; nothing is lost")]
    Refused {
        /// What was refused, with its topic.
        source: ConnectorError,
    },
    /// A topic lost partitions.
    #[error(
        "topic `{topic}` has {now} partitions, the journal knows {journal}: it was created anew; start with `--fresh`"
    )]
    PartitionsGone {
        /// Kafka topic.
        topic: String,
        /// Partitions that the journal knows.
        journal: usize,
        /// Partitions now.
        now: usize,
    },
    /// A standby took over, and the last entries cannot be folded on its state.
    #[error("this standby took over, but cannot go on from its state: {reason}; start again")]
    Unfollowed {
        /// Why.
        reason: String,
    },
    /// An epoch was asked for that is not in the journal yet.
    #[error("epoch {epoch} is not in the journal `{topic}` yet: its last one is {last}")]
    EpochAhead {
        /// The epoch.
        epoch: Epoch,
        /// The journal's topic.
        topic: String,
        /// The journal's last epoch.
        last: Epoch,
    },
    /// An epoch was asked for that can no longer be replayed.
    #[error(
        "epoch {epoch} cannot be replayed: the journal `{topic}` is kept from offset {offset} on, and no snapshot in `{place}` stands for what came before{reasons}"
    )]
    EpochGone {
        /// The epoch.
        epoch: Epoch,
        /// The journal's topic.
        topic: String,
        /// Its first offset.
        offset: i64,
        /// Where snapshots are kept.
        place: String,
        /// What is wrong with those that are there.
        reasons: String,
    },
    /// An epoch was asked for that another plan has written.
    #[error(
        "epoch {epoch} was written by plan {journal}, the project as it is has {now}: replay it with the project as it was then"
    )]
    EpochOfOtherPlan {
        /// The epoch.
        epoch: Epoch,
        /// Fingerprint in the journal.
        journal: Fingerprint,
        /// Fingerprint of the project as it is.
        now: Fingerprint,
    },
    /// A dataflow asks for what no codec can do: a planner's bug.
    #[error("`{node}` cannot be run: {detail}")]
    Unsupported {
        /// The node.
        node: String,
        /// What it asks for.
        detail: String,
    },
    /// The process holds more memory than it may.
    #[error(
        "the engine holds {} MiB of memory, its limit is {} MiB; the largest operators: {largest}. Everything up to now is committed. Raise `runtime.engine.memory_limit`, or keep less: shorter windows, fewer keys, less lateness; then start again",
        .held.div_ceil(1 << 20), .limit.div_ceil(1 << 20)
    )]
    MemoryLimit {
        /// Bytes that the system cannot take back.
        held: u64,
        /// Bytes that it may be.
        limit: u64,
        /// The largest operators, with rows and sizes.
        largest: String,
    },
    /// A test asked for it.
    #[error(transparent)]
    Injected(#[from] stream::failpoint::Injected),
    /// A thread of the engine panicked: our bug.
    #[error("the thread `{thread}` panicked; the last commit stands: please report this")]
    Panicked {
        /// Its name.
        thread: &'static str,
    },
    /// The random generator of the system failed.
    #[error("the system gives no random numbers")]
    Random,
}
