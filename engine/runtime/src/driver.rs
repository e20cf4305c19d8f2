//! The fold's thread: chooses what is folded next, journals it, and cuts epochs.
//!
//! **Invariant:** an item is journalled in the epoch whose transaction carries its outputs, and in
//! the order in which it was folded. All choices that depend on time or arrival are made here and
//! become items; the fold itself sees only items.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use arrow_kafka::PartitionOffset;
use connectors::{Bounds, Fetched, SourceSpec};
use planner::dataflow::{OnGap, Source, SourceRole, shadow_of};
use stream::{
    Clock, Epoch, Fingerprint, Generation, Item, ProcessingTime, ReaderName, Watermark, failpoint,
};

use crate::error::RuntimeError;
use crate::fold::{Counters, Fold, Step};
use crate::inbox::{Inbox, Piece, Shared};
use crate::journal::JournalItem;
use crate::local::{Hint, LocalState};
use crate::memory::Memory;
use crate::outbox::{Cut, ToEncode};
use crate::recover::Replay;
use crate::run::{RunOptions, RunPlan, RunReport};
use crate::status::{Phase, StatusBoard};
use crate::upgrade::{Round, Stage};
use picture::Lineage;

mod follow;
mod grow;
mod identity;
mod idle;
mod memory;
mod picture;
mod rebuild;
mod replay;
mod snapshots;

pub(crate) use follow::Followed;
pub(crate) use identity::Identity;
pub(crate) use snapshots::Schedule;

/// An epoch is cut when this many bytes wait for its commit.
const EPOCH_BYTES: u64 = 32 << 20;

/// An epoch is cut when it has this many items.
const EPOCH_ITEMS: usize = 10_000;

/// An owner renews its lease this many times while it lasts.
pub(crate) const RENEWALS_PER_LEASE: u32 = 3;

/// The lease lasts at least this many commit intervals.
const LEASE_COMMIT_INTERVALS: u32 = 3;

/// Pieces are folded together until they have so many records: alone, each would cost its own way
/// through all operators.
const TOGETHER_RECORDS: u64 = 2_048;

/// Where commits take longer than their interval, one after the other would leave broker and client
/// no time for anything else: the next waits half as long as the last took, but no longer than this.
const PAUSE_AFTER_COMMIT_MAX: Duration = Duration::from_millis(25);

/// The first rows after a pause, or of a run, do not wait for a commit interval; but while more is
/// there already, so long a part of it.
const BACKLOG_WAITS_PER_INTERVAL: u32 = 10;

/// How long the fold waits at most before it looks at its timers.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How often the status board is written at most.
const BOARD_INTERVAL: Duration = Duration::from_millis(50);

/// What the driver knows of a reader.
#[derive(Debug)]
pub(crate) struct ReaderView {
    pub(crate) name: ReaderName,
    source: String,
    pub(crate) topic: String,
    pub(crate) on_gap: OnGap,
    is_versioned: bool,
    out_of_orderness_ms: i64,
    idle_timeout: Duration,
    /// After this long wholly idle, the watermark moves with time.
    idle_advance: Option<Duration>,
    /// Watermark and monotonic time at which the reader became wholly idle.
    idle_since: Option<(Watermark, Duration)>,
    /// Offsets that retention took before they were read.
    pub(crate) passed_over: u64,
    /// Read for models that are rebuilt, up to a limit, and not for the others.
    pub(crate) is_rebuilt: bool,
    /// How carried records are decoded, if the journal carries them.
    carried: Option<SourceSpec>,
    pub(crate) partitions: Vec<PartitionView>,
}

/// What the driver knows of a partition.
#[derive(Debug)]
pub(crate) struct PartitionView {
    /// The offset at which the generation began to read.
    pub(crate) origin: i64,
    /// Next offset to fold.
    pub(crate) position: i64,
    /// First offset that was there at the start.
    pub(crate) first_at_start: i64,
    /// End offset that was there at the start; where a round of a rebuild ends, if it ends there.
    pub(crate) end_at_start: i64,
    /// Whether the journal knows the partition.
    pub(crate) is_known: bool,
    is_idle: bool,
    is_at_end: bool,
    /// End of the log as far as known, uncommitted records included.
    log_end: i64,
    /// When an open transaction was first seen at the position, while it is.
    held_since: Option<Duration>,
    newest_timestamp_ms: Option<i64>,
    quiet_since: Duration,
}

impl ReaderView {
    pub(crate) fn new(source: &Source, carried: Option<SourceSpec>, bounds: &[Bounds]) -> Self {
        let millis = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        Self {
            name: source.reader.clone(),
            source: source.source.clone(),
            topic: source.topic.clone(),
            on_gap: source.on_gap,
            is_versioned: matches!(source.role, SourceRole::Versioned { .. }),
            out_of_orderness_ms: source.event_time.out_of_orderness_ms,
            idle_timeout: millis(source.event_time.idle_timeout_ms),
            idle_advance: source.event_time.idle_advance_ms.map(millis),
            idle_since: None,
            passed_over: 0,
            is_rebuilt: false,
            carried,
            partitions: bounds.iter().map(|bounds| PartitionView::new(*bounds)).collect(),
        }
    }

    /// What [`connectors::SliceDecoder::skip_copies`] asks for. A rebuild reads originals with the
    /// project as it is now, as a later generation would, so it counts no copy of this one either.
    pub(crate) fn copies(&self, generation: Generation) -> (u64, Vec<i64>) {
        let is_rebuild = shadow_of(&self.name).is_some();
        let origins = self.partitions.iter().map(|at| at.origin).collect();
        (generation.0 + u64::from(is_rebuild), origins)
    }
}

impl PartitionView {
    /// A partition that holds this.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            origin: bounds.first,
            position: bounds.first,
            first_at_start: bounds.first,
            end_at_start: bounds.end,
            is_known: false,
            is_idle: false,
            is_at_end: false,
            log_end: bounds.log_end,
            held_since: None,
            newest_timestamp_ms: None,
            quiet_since: Duration::ZERO,
        }
    }

    /// Whether everything that was there at the start has been folded.
    fn is_caught_up(&self) -> bool {
        self.left() == 0
    }

    /// How many offsets of what was there at the start are left to fold.
    fn left(&self) -> u64 {
        u64::try_from(self.end_at_start - self.position).unwrap_or_default()
    }

    /// Whether records of an open transaction lie after everything committed: more is coming.
    fn is_held(&self) -> bool {
        self.is_at_end && self.log_end > self.position
    }
}

/// The fold's thread.
pub(crate) struct Driver {
    fold: Fold,
    lineage: Lineage,
    inbox: Arc<Inbox>,
    readers: Vec<ReaderView>,
    identity: Identity,
    local: LocalState,
    has_hint: bool,
    options: RunOptions,
    plan: (Fingerprint, String),
    clock: Arc<dyn Clock>,
    board: Arc<StatusBoard>,
    to_encode: SyncSender<ToEncode>,
    kept_bytes: Arc<AtomicU64>,
    snapshots: Schedule,
    items: Vec<JournalItem>,
    /// Since when the open epoch has had records or rows.
    rows_since: Option<Duration>,
    /// Whether it has rows for an output.
    has_outputs: bool,
    /// When the last epoch that had some was cut.
    last_outputs_cut: Option<Duration>,
    carried_bytes: usize,
    started: (ProcessingTime, Duration),
    last_cut: Duration,
    /// When rows were last cut: the first rows after a pause, or of a run, do not wait.
    last_rows_cut: Option<Duration>,
    last_board: Duration,
    first_epoch: Epoch,
    committed: Epoch,
    /// When it was, and how long after its cut, as far as it is known.
    committed_at: Duration,
    commit_took: Duration,
    base: Counters,
    replayed_records: u64,
    /// The journal's items are folded again, and no other may come between them.
    is_replaying: bool,
    role: Role,
    stage: Stage,
    /// Of a rebuild.
    round: Option<Round>,
    memory: Memory,
}

/// Whether a process commits, or folds what another one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Owner,
    Standby,
}

/// How the driver reaches the other threads.
pub(crate) struct Outlet {
    pub(crate) to_encode: SyncSender<ToEncode>,
    pub(crate) kept_bytes: Arc<AtomicU64>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) snapshots: Schedule,
}

/// Decoded records of a reader's partition, both by index.
type Chosen = (usize, usize, Box<Fetched>);

impl Driver {
    pub(crate) fn new(
        plan: &RunPlan,
        fold: Fold,
        readers: Vec<ReaderView>,
        (identity, local): (Identity, LocalState),
        outlet: Outlet,
    ) -> Self {
        let Outlet { to_encode, kept_bytes, inbox, snapshots } = outlet;
        let committed = identity.start;
        Self {
            lineage: Lineage::of(fold.dataflow()),
            fold,
            inbox,
            readers,
            first_epoch: committed,
            committed,
            committed_at: Duration::ZERO,
            commit_took: Duration::ZERO,
            identity,
            local,
            has_hint: false,
            options: plan.options.clone(),
            plan: (plan.fingerprint.clone(), plan.project_text.clone()),
            started: (plan.clock.now(), plan.clock.monotonic()),
            last_cut: plan.clock.monotonic(),
            last_rows_cut: None,
            last_board: Duration::ZERO,
            clock: Arc::clone(&plan.clock),
            board: Arc::clone(&plan.board),
            to_encode,
            kept_bytes,
            snapshots,
            items: Vec::new(),
            rows_since: None,
            has_outputs: false,
            last_outputs_cut: None,
            carried_bytes: 0,
            base: Counters::default(),
            replayed_records: 0,
            is_replaying: false,
            role: Role::Owner,
            stage: Stage::Live,
            round: None,
            memory: Memory::new(plan.options.memory_limit),
        }
    }

    /// The driver of another stage than the last; of a rebuild, in this round.
    #[must_use]
    pub(crate) fn of_stage(self, stage: Stage, round: Option<Round>) -> Self {
        Self { stage, round, ..self }
    }

    /// Runs to the end: replay, live, last commit.
    pub(crate) fn run(mut self, replay: Option<Replay>) -> Result<RunReport, RuntimeError> {
        if self.identity.is_new {
            self.open_generation()?;
            self.cut()?;
        } else if self.identity.has_new_plan {
            self.name_plan();
            self.push(self.identity.renewal());
            self.cut()?;
        }
        self.catch_up(replay)?;
        self.go_live()
    }

    /// Folds what the journal says again.
    fn catch_up(&mut self, replay: Option<Replay>) -> Result<(), RuntimeError> {
        let Some(replay) = replay else { return Ok(()) };
        self.board.update(|status| status.phase = Phase::Replaying);
        self.is_replaying = true;
        failpoint::reach("restore.replay.before")?;
        self.replay(replay)?;
        failpoint::reach("restore.replay.after")?;
        self.is_replaying = false;
        tracing::info!(records = self.replayed_records, "the journal was replayed");
        Ok(())
    }

    /// Folds what comes, to the end.
    fn go_live(mut self) -> Result<RunReport, RuntimeError> {
        self.begin_snapshots();
        self.base = self.fold.counters().clone();
        let is_stopped = self.work()?;
        self.board.update(|status| status.phase = Phase::Finishing);
        if !is_stopped && self.options.closes_windows && !self.stage.is_passing() {
            self.fold_item(Item::EndOfInput)?;
        }
        // Who has more to do stays the owner.
        let goes_on = self.stage.is_passing() && !is_stopped;
        self.push(if goes_on { self.identity.renewal() } else { Item::Owner(None) });
        self.cut()?;
        self.wait_committed()?;
        self.finish_snapshots()?;
        self.show(true);
        self.board.update(|status| status.phase = Phase::Ended);
        Ok(RunReport {
            counters: self.counted(),
            epochs: self.committed.0 - self.first_epoch.0,
            replayed_records: self.replayed_records,
            notes: Vec::new(),
            snapshots: self.board.read().snapshots,
            is_stopped,
        })
    }

    /// What the stage is for. Whether it was stopped.
    fn work(&mut self) -> Result<bool, RuntimeError> {
        let (phase, is_settling) = match self.stage {
            Stage::Live | Stage::Join => (Phase::Running, false),
            Stage::Rebuild { .. } => (Phase::Rebuilding, false),
            Stage::Settle => (Phase::Finishing, true),
        };
        self.board.update(|status| status.phase = phase);
        if is_settling {
            return Ok(false);
        }
        let Some(round) = self.round.clone() else {
            self.start_partitions()?;
            return self.live();
        };
        // What is idle where a round begins is so before its partitions are looked at again.
        let idle = self.idle_at_limits(&round);
        self.start_partitions()?;
        self.rebuild(&round, &idle)
    }

    /// What a new generation begins with.
    fn open_generation(&mut self) -> Result<(), RuntimeError> {
        self.push(Item::Generation(self.identity.generation));
        self.name_plan();
        self.push(self.identity.renewal());
        self.start_new_partitions()
    }

    /// From here on, the journal is written by this plan.
    fn name_plan(&mut self) {
        let (fingerprint, project) = self.plan.clone();
        self.push(Item::Plan { fingerprint, project });
    }

    fn start_new_partitions(&mut self) -> Result<(), RuntimeError> {
        for reader in 0..self.readers.len() {
            self.note_growth(reader)?;
            for partition in 0..self.readers[reader].partitions.len() {
                let name = self.readers[reader].name.clone();
                let at = &mut self.readers[reader].partitions[partition];
                if !at.is_known {
                    at.is_known = true;
                    let partition = partition_number(partition);
                    let offset = at.first_at_start;
                    self.fold_item(Item::Start { reader: name, partition, offset })?;
                }
            }
        }
        Ok(())
    }

    /// Folds what comes until the end (`--once`) or a stop. Whether it was a stop.
    fn live(&mut self) -> Result<bool, RuntimeError> {
        loop {
            if self.look_around()? {
                return Ok(true);
            }
            self.grow()?;
            if self.options.is_once && self.is_all_caught_up() {
                return Ok(false);
            }
            let now = self.clock.monotonic();
            if !self.options.is_once {
                self.note_idle(now)?;
                self.advance_idle(now)?;
            }
            self.fold_next(now)?;
        }
    }

    /// Takes over what the other threads have said. Whether the run shall stop.
    fn look_around(&mut self) -> Result<bool, RuntimeError> {
        self.check_failure()?;
        self.look_at_ends()?;
        self.watch_memory()?;
        Ok(self.inbox.lock().is_stopping)
    }

    /// Ends the epoch if it is time to, and folds the next piece that comes.
    fn fold_next(&mut self, now: Duration) -> Result<(), RuntimeError> {
        self.cut_if_due(now)?;
        self.show(false);
        let wait = self.next_timer(now);
        let chosen = self.choose(wait);
        if chosen.is_empty() {
            return Ok(());
        }
        self.tick()?;
        self.fold_fetched(chosen)
    }

    /// Takes what is folded next: versions first, then the partition whose event time is least; small
    /// pieces of several partitions at once. What is rebuilt has a share of its own behind that of the
    /// others: neither waits for the other, nor for the other's versions. Nothing where ends, commits,
    /// a failure or a stop came.
    fn choose(&self, wait: Duration) -> Vec<Chosen> {
        let is_blocked = (self.is_epoch_full()
            || self.is_memory_tight() && self.rows_since.is_some())
            && self.is_commit_under_way();
        let mut order: Vec<(bool, bool, i64, usize, usize)> = Vec::new();
        for (reader, view) in self.readers.iter().enumerate() {
            for partition in 0..view.partitions.len() {
                let number = partition_number(partition);
                let watermark = self.fold.partition_watermark(&view.name, number);
                let is_stream = !view.is_versioned;
                order.push((view.is_rebuilt, is_stream, watermark.0, reader, partition));
            }
        }
        order.sort_unstable();
        let are_versions_read = [false, true].map(|is_rebuilt| {
            let views = self.readers.iter().filter(|view| view.is_rebuilt == is_rebuilt);
            let mut versions = views.filter(|view| view.is_versioned);
            versions.all(|view| view.partitions.iter().all(PartitionView::is_caught_up))
        });
        let inbox = Arc::clone(&self.inbox);
        let chosen = self.inbox.wait(wait, |shared: &mut Shared| {
            if std::mem::take(&mut shared.has_news) {
                return Some(Vec::new());
            }
            if is_blocked {
                return None;
            }
            let (mut chosen, mut records) = (Vec::new(), [0, 0]);
            for (is_rebuilt, is_stream, _, reader, partition) in &order {
                let share = usize::from(*is_rebuilt);
                let are_versions_read = are_versions_read[share];
                if (*is_stream && !are_versions_read) || records[share] >= TOGETHER_RECORDS {
                    continue;
                }
                let piece = shared.readers[*reader][*partition].pieces.pop_front();
                let Some(piece) = piece else { continue };
                inbox.pieces_were_taken(shared, *reader, *partition);
                if let Piece::Rows(fetched) = piece {
                    records[share] += fetched.records;
                    chosen.push((*reader, *partition, fetched));
                }
            }
            (!chosen.is_empty()).then_some(chosen)
        });
        chosen.unwrap_or_default()
    }

    /// Opens a step: the clock's item, if time has passed.
    fn tick(&mut self) -> Result<(), RuntimeError> {
        let now = self.clock.now();
        if now > self.fold.dataflow().clock.get() {
            self.fold_item(Item::Clock(now))?;
        }
        Ok(())
    }

    fn fold_fetched(&mut self, chosen: Vec<Chosen>) -> Result<(), RuntimeError> {
        let mut items = Vec::with_capacity(chosen.len());
        for (reader, partition, fetched) in chosen {
            let fetched = *fetched;
            let item = Item::Slice {
                reader: self.readers[reader].name.clone(),
                partition: fetched.partition,
                from: fetched.from,
                to: fetched.to,
                records: fetched.records,
            };
            items.push((item.clone(), Some(fetched.rows)));
            let carried = fetched.carried;
            self.carried_bytes += carried.as_ref().map_or(0, arrow_kafka::OwnedMessages::bytes);
            self.items.push(JournalItem { item, carried });
            self.rows_since.get_or_insert(self.clock.monotonic());
            let at = &mut self.readers[reader].partitions[partition];
            at.position = fetched.to;
            at.is_idle = false;
            at.is_at_end = false;
            at.newest_timestamp_ms = at.newest_timestamp_ms.max(fetched.newest_timestamp_ms);
            at.quiet_since = self.clock.monotonic();
        }
        let step = self.fold.run(items)?;
        self.send(step)
    }

    /// Folds and journals an item without rows.
    fn fold_item(&mut self, item: Item) -> Result<(), RuntimeError> {
        let step = self.fold.step(&item, None)?;
        self.push(item);
        self.send(step)
    }

    fn push(&mut self, item: Item) {
        self.items.push(JournalItem::of(item));
    }

    fn send(&mut self, step: Step) -> Result<(), RuntimeError> {
        if !step.outputs.is_empty() {
            self.rows_since.get_or_insert(self.clock.monotonic());
            self.has_outputs = true;
        }
        let epoch = self.identity.epoch;
        let rows = step.outputs.into_iter().map(ToEncode::Rows);
        let letters =
            step.dead_letters.into_iter().map(|letters| ToEncode::Letters(letters, epoch));
        for message in rows.chain(letters) {
            self.send_message(message)?;
        }
        Ok(())
    }

    fn send_message(&mut self, message: ToEncode) -> Result<(), RuntimeError> {
        if self.to_encode.send(message).is_err() {
            // The encoder ends before its channel only if it, or the committer, has failed.
            self.check_failure()?;
            return Err(RuntimeError::Panicked { thread: "encode" });
        }
        Ok(())
    }

    fn check_failure(&self) -> Result<(), RuntimeError> {
        self.inbox.take_failure().map_or(Ok(()), Err)
    }

    /// Takes over what the readers said of ends.
    fn look_at_ends(&mut self) -> Result<(), RuntimeError> {
        let mut reached = Vec::new();
        let now = self.clock.monotonic();
        {
            let mut shared = self.inbox.lock();
            if let Some(committed) = shared.committed.filter(|epoch| *epoch > self.committed) {
                self.committed = committed;
                self.committed_at = now;
                self.commit_took = now.saturating_sub(self.last_cut);
                let now = self.clock.now();
                let next = self.is_commit_under_way().then(|| (committed.next(), now));
                self.board.update(|status| status.committing = next);
            }
            for (reader, view) in self.readers.iter_mut().enumerate() {
                for (partition, at) in view.partitions.iter_mut().enumerate() {
                    let inbox = &mut shared.readers[reader][partition];
                    view.passed_over += std::mem::take(&mut inbox.passed_over);
                    at.log_end = inbox.log_end.unwrap_or(at.log_end);
                    if let Some(end) = inbox.end.filter(|_| inbox.pieces.is_empty()) {
                        at.position = at.position.max(end);
                        if !at.is_at_end {
                            at.is_at_end = true;
                            reached.push((reader, partition));
                        }
                    }
                    at.held_since = at.is_held().then(|| at.held_since.unwrap_or(now));
                }
            }
        }
        self.write_hint()?;
        self.hand_over();
        // Ends that the replay reaches are looked at when it is over (`start_partitions`).
        if self.options.is_once && !self.is_replaying {
            for (reader, partition) in reached {
                self.note_old_end(reader, partition)?;
            }
        }
        Ok(())
    }

    /// A standby that took over did not have the state folder's lock. Who was pushed aside gives it
    /// up when it notices; from then on a restart may know us by it.
    fn lock_folder(&mut self) -> Result<(), RuntimeError> {
        if self.local.lock_if_free()? {
            self.local.add_owner(&self.identity.instance)?;
        }
        Ok(())
    }

    /// Notes which journal is written, once it surely exists: a note of a journal that never was
    /// would stop the next start.
    fn write_hint(&mut self) -> Result<(), RuntimeError> {
        if !self.has_hint && self.committed > self.first_epoch {
            let journal_id = self.identity.journal_id.clone();
            self.local.set_hint(&Hint { journal_id, generation: self.identity.generation })?;
            self.has_hint = true;
        }
        Ok(())
    }

    fn is_all_caught_up(&self) -> bool {
        self.readers.iter().all(|view| view.partitions.iter().all(PartitionView::is_caught_up))
    }

    fn is_epoch_full(&self) -> bool {
        self.items.len() >= EPOCH_ITEMS
            || self.kept_bytes.load(Ordering::Relaxed) + self.carried_bytes as u64 >= EPOCH_BYTES
    }

    fn is_commit_under_way(&self) -> bool {
        self.committed.next() < self.identity.epoch
    }

    fn cut_if_due(&mut self, now: Duration) -> Result<(), RuntimeError> {
        if self.role == Role::Standby || self.is_commit_under_way() {
            return Ok(());
        }
        let since = now.saturating_sub(self.last_cut);
        if since >= self.identity.lease / RENEWALS_PER_LEASE {
            self.push(self.identity.renewal());
            return self.cut();
        }
        let is_due = self
            .until_rows_are_due(now)
            .is_some_and(|wait| wait.is_zero() || self.is_memory_tight());
        if is_due || self.is_epoch_full() { self.cut() } else { Ok(()) }
    }

    /// When something must be looked at again though nothing arrives.
    fn next_timer(&self, now: Duration) -> Duration {
        if self.is_commit_under_way() {
            return WAIT_MAX;
        }
        let renewal = self.last_cut + self.identity.lease / RENEWALS_PER_LEASE;
        let wait = renewal.saturating_sub(now).min(WAIT_MAX);
        self.until_rows_are_due(now).map_or(wait, |rows| wait.min(rows))
    }

    /// How long what the open epoch has may wait for its cut; none if it has nothing.
    fn until_rows_are_due(&self, now: Duration) -> Option<Duration> {
        let since = self.rows_since?;
        let interval = self.options.commit_interval;
        let until = |moment: Option<Duration>| {
            moment.map_or(Duration::ZERO, |moment| moment.saturating_sub(now))
        };
        let after = |last: Option<Duration>| until(last.map(|last| last + interval));
        // Records that gave nothing to see keep the first row to see from nobody.
        let outputs = if self.has_outputs { after(self.last_outputs_cut) } else { Duration::MAX };
        let wait = after(self.last_rows_cut).min(outputs);
        if self.commit_took > interval {
            let pause = (self.commit_took / 2).min(PAUSE_AFTER_COMMIT_MAX);
            return Some(wait.max(until(Some(self.committed_at + pause))));
        }
        if wait.is_zero() && self.inbox.has_pieces() {
            // What is there already goes along, as far as that does not take long.
            return Some(until(Some(since + interval / BACKLOG_WAITS_PER_INTERVAL)));
        }
        Some(wait)
    }

    /// Ends the epoch: its entry goes to the encoder behind its outputs.
    fn cut(&mut self) -> Result<(), RuntimeError> {
        failpoint::reach("commit.1.before")?;
        let epoch = self.identity.epoch;
        let entry = self.identity.entry(std::mem::take(&mut self.items));
        self.snapshots.note(&entry.items);
        let cut = Cut { entry, offsets: self.offsets() };
        self.send_message(ToEncode::Cut(cut))?;
        failpoint::reach("commit.1.after")?;
        self.freeze_if_due(epoch)?;
        self.lock_folder()?;
        self.last_cut = self.clock.monotonic();
        let now = self.clock.now();
        self.board.update(|status| {
            status.committing.get_or_insert((epoch, now));
        });
        if std::mem::take(&mut self.has_outputs) {
            self.last_outputs_cut = Some(self.last_cut);
        }
        if self.rows_since.take().is_some() {
            self.last_rows_cut = Some(self.last_cut);
        }
        self.carried_bytes = 0;
        Ok(())
    }

    /// The positions for tools: of two readers of one topic the lower one.
    fn offsets(&self) -> Vec<PartitionOffset> {
        let mut offsets: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for view in &self.readers {
            for (partition, at) in view.partitions.iter().enumerate() {
                let offset = offsets
                    .entry((&view.topic, partition_number(partition)))
                    .or_insert(at.position);
                *offset = at.position.min(*offset);
            }
        }
        offsets
            .into_iter()
            .map(|((topic, partition), offset)| PartitionOffset {
                topic: topic.to_owned(),
                partition,
                offset,
            })
            .collect()
    }

    fn wait_committed(&mut self) -> Result<(), RuntimeError> {
        while self.is_commit_under_way() {
            self.check_failure()?;
            let committed = self.committed;
            self.inbox.wait(WAIT_MAX, |shared| {
                shared.has_news = false;
                (shared.committed > Some(committed)).then_some(())
            });
            self.look_at_ends()?;
        }
        self.check_failure()
    }
}

fn partition_number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}
