//! A run from start to end: topics, ownership, threads, and the fold's loop between them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use connectors::{Bounds, Cluster, ConnectorError, KafkaSource, TransactionalProducer};
use planner::dataflow::{Dataflow, OnGap, Source, shadow_of};
use state::Location;
use stream::{Clock, Fingerprint, InstanceName, failpoint};

use crate::codec;
use crate::commit::{Committer, Outputs, Producers, transactions};
use crate::driver::{Driver, Identity, Outlet, ReaderView, Schedule};
use crate::encode::EncodeStage;
use crate::error::RuntimeError;
use crate::fold::Counters;
use crate::ground::Ground;
use crate::history::{History, Positions};
use crate::inbox::{Inbox, PanicGuard};
use crate::lease::LeaseKeeper;
use crate::local::LocalState;
use crate::names::Names;
use crate::outbox::ToEncode;
use crate::ownership::{Claim, Ownership, new_instance};
use crate::prepare::{Note, Prepared};
use crate::reader::{Limits, Reader, TopicView, gathering};
use crate::recover::{Ahead, Past, check_topics, journal_offset};
use crate::standby;
use crate::status::{SnapshotStatus, StatusBoard};
use crate::topic_watch::TopicWatch;
use crate::upgrade::{self, Compile, Next, Round, Stage, UpgradeOptions};

/// How many messages may wait between the fold, the encoder and the committer: a few megabytes.
const STAGE_MESSAGES: usize = 2;

/// How long a run waits before it begins a stage again that Kafka has kept from beginning.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// How often it is looked whether a thread has ended, and how many times after a failure: for five
/// seconds in all.
const END_LOOK: Duration = Duration::from_millis(10);
const END_LOOKS: u32 = 500;

/// Everything a run needs to know.
#[derive(Clone)]
pub struct RunPlan {
    /// What runs.
    pub dataflow: Dataflow,
    /// Hash of the dataflow.
    pub fingerprint: Fingerprint,
    /// The resolved project, for the journal; secrets by reference.
    pub project_text: String,
    /// Plans such a text again, where the journal was written by another project.
    pub compile: Compile,
    /// Where the topics are.
    pub cluster: Cluster,
    /// Names of our own topics.
    pub names: Names,
    /// Folder for lock, OWNER and HINT.
    pub state_folder: PathBuf,
    /// Where snapshots are kept.
    pub snapshots: Location,
    /// How it runs.
    pub options: RunOptions,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where it shows what it does.
    pub board: Arc<StatusBoard>,
    /// How it is stopped.
    pub stop: StopHandle,
}

/// How a run runs.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line, independent")]
pub struct RunOptions {
    /// Read to the end offsets found at start, commit, end.
    pub is_once: bool,
    /// With `is_once`: the end is the end of input.
    pub closes_windows: bool,
    /// Begin a new generation: state is forgotten, outputs are written again.
    pub is_fresh: bool,
    /// Push a living owner aside.
    pub is_taking_over: bool,
    /// Follow another process, and take over when it is gone.
    pub is_standby: bool,
    /// Time between commits.
    pub commit_interval: Duration,
    /// Time between snapshots of the state.
    pub snapshot_interval: Duration,
    /// How long this process counts as alive after an entry.
    pub lease: Duration,
    /// A transaction that is open for longer is aborted by the broker.
    pub transaction_timeout: Duration,
    /// How sure an output is written once.
    pub delivery: Delivery,
    /// What may become of the state when the project has changed.
    pub upgrade: UpgradeOptions,
    /// Bytes of memory that the process may hold; the run ends in order when it holds more.
    pub memory_limit: Option<u64>,
}

/// How sure an output is written once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// In the epoch's transaction: visible with its commit, exactly once.
    #[default]
    ExactlyOnce,
    /// Before its epoch is committed: visible at once, and again where an epoch is written anew.
    AtLeastOnce,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            is_once: false,
            closes_windows: false,
            is_fresh: false,
            is_taking_over: false,
            is_standby: false,
            commit_interval: Duration::from_secs(1),
            snapshot_interval: Duration::from_mins(1),
            lease: Duration::from_secs(10),
            transaction_timeout: connectors::TRANSACTION_TIMEOUT,
            delivery: Delivery::default(),
            upgrade: UpgradeOptions::default(),
            memory_limit: None,
        }
    }
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// What was counted in this run; a replay does not count.
    pub counters: Counters,
    /// Epochs committed.
    pub epochs: u64,
    /// Records replayed at the start.
    pub replayed_records: u64,
    /// What the start found out about topics and snapshots.
    pub notes: Vec<Note>,
    /// Snapshots of this run.
    pub snapshots: SnapshotStatus,
    /// Whether the user stopped it.
    pub is_stopped: bool,
}

impl RunReport {
    /// What a stage did, and those before it.
    fn after(before: Option<Self>, report: Self) -> Self {
        let Some(before) = before else { return report };
        let mut notes = before.notes;
        let new: Vec<Note> =
            report.notes.iter().filter(|note| !notes.contains(note)).cloned().collect();
        notes.extend(new);
        Self {
            counters: before.counters.plus(&report.counters),
            epochs: before.epochs + report.epochs,
            replayed_records: before.replayed_records + report.replayed_records,
            notes,
            ..report
        }
    }

    /// Of a run that was stopped before it did anything.
    pub(crate) fn of_nothing() -> Self {
        Self {
            counters: Counters::default(),
            epochs: 0,
            replayed_records: 0,
            notes: Vec::new(),
            snapshots: SnapshotStatus::default(),
            is_stopped: true,
        }
    }
}

/// Stops a run from another thread: the epoch is finished, no window fires.
#[derive(Debug, Clone, Default)]
pub struct StopHandle {
    shared: Arc<StopShared>,
}

#[derive(Debug, Default)]
struct StopShared {
    is_stopped: AtomicBool,
    inbox: Mutex<Option<Arc<Inbox>>>,
}

impl StopHandle {
    /// Stops the run, also one that has not begun yet.
    pub fn stop(&self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        if let Some(inbox) = &*self.shared.inbox.lock().unwrap_or_else(PoisonError::into_inner) {
            inbox.stop();
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.is_stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn attach(&self, inbox: &Arc<Inbox>) {
        let mut attached = self.shared.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        *attached = Some(Arc::clone(inbox));
        if self.is_stopped() {
            inbox.stop();
        }
    }
}

/// A reader before its thread starts.
pub(crate) struct OpenReader {
    pub(crate) view: ReaderView,
    source: KafkaSource,
    /// By partition.
    pub(crate) limits: Vec<Limits>,
}

/// Runs a dataflow until its end or a stop.
///
/// # Errors
/// [`RuntimeError`]: what was committed stands, a later run goes on from there.
pub fn run(plan: &RunPlan) -> Result<RunReport, RuntimeError> {
    if plan.options.is_standby { standby::run(plan) } else { run_as_owner(plan) }
}

/// How a stage ended.
enum Ended {
    /// It did what it is for.
    Done {
        report: Box<RunReport>,
        /// The stage that follows, where the project's plan does not go on.
        then: Option<Stage>,
    },
    /// Another one has to come before it.
    Before(Box<Next>),
}

/// A start: it goes on once the project is ours. Where the project has changed since the last run,
/// other plans come first.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_as_owner(plan: &RunPlan) -> Result<RunReport, RuntimeError> {
    let instance = new_instance()?;
    // Nobody else has the folder between two stages.
    let local = LocalState::open(&plan.state_folder)?;
    let mut next = Next { plan: plan.clone(), stage: Stage::Live };
    // What goes on once another plan has settled its tail.
    let mut postponed: Option<Next> = None;
    let mut has_settled = false;
    // A start fails where Kafka does; a run goes on when it can.
    let mut has_run = false;
    let mut total: Option<RunReport> = None;
    loop {
        let ended = match run_stage(&next, &instance, local.clone()) {
            // What the journal says is so, also where this process remembers more. A new generation
            // would be begun once more.
            Err(undone @ RuntimeError::CommitUndone { .. }) if !plan.options.is_fresh => {
                tracing::warn!(%undone, "the run goes back to the journal's end");
                has_run = true;
                continue;
            }
            Err(RuntimeError::Connector(error @ ConnectorError::Kafka(_)))
                if has_run && error.is_retriable() && !plan.stop.is_stopped() =>
            {
                tracing::warn!(%error, "the run cannot go on yet, trying again");
                std::thread::park_timeout(RETRY_WAIT);
                continue;
            }
            ended => ended?,
        };
        has_run = true;
        match ended {
            Ended::Before(before) => {
                tracing::info!(stage = ?before.stage, "the plan has changed");
                if before.stage == Stage::Settle {
                    if has_settled {
                        return Err(RuntimeError::NotSettled { place: plan.snapshots.to_string() });
                    }
                    postponed = Some(next);
                }
                next = *before;
            }
            Ended::Done { report, then } => {
                let is_last = !next.stage.is_passing() || report.is_stopped;
                has_settled = next.stage == Stage::Settle;
                next = match postponed.take() {
                    Some(postponed) => postponed,
                    None => upgrade::staged(plan, then.unwrap_or(Stage::Join)),
                };
                let report = RunReport::after(total.take(), *report);
                if is_last {
                    return Ok(report);
                }
                total = Some(report);
            }
        }
    }
}

fn run_stage(
    next: &Next,
    instance: &InstanceName,
    local: LocalState,
) -> Result<Ended, RuntimeError> {
    let plan = &next.plan;
    let ahead = Ahead::start(plan, &local);
    let ground = Ground::prepare(plan)?;
    let from = journal_offset(plan, &ground.snapshots, &local)?;
    let mut ownership = ground.ownership(plan, local.owners(), (instance, from))?;
    let (history, producer) = ownership.acquire(&ground.inbox)?;
    tracing::debug!(%instance, epoch = %history.epoch, "the journal is read and ours");
    let in_force = match ground.stage_before(next, &history)? {
        (Some(before), _) => return Ok(Ended::Before(Box::new(before))),
        (None, in_force) => in_force,
    };
    local.add_owner(instance)?;
    let identity = Identity::new(instance.clone(), &history, &plan.options)?;
    let owned = Owned { local, identity, ownership, history, ahead, producer };
    let mut threads = Threads::new(&ground.inbox);
    let result = go_on(next, ground, owned, &mut threads);
    let result = threads.finish(result);
    // The snapshot at the journal's end is there and cannot be used.
    if let (Err(RuntimeError::PlansMixed { .. }), Some(in_force)) = (&result, in_force)
        && let Some(settle) = upgrade::settle_first(plan, &in_force)?
    {
        return Ok(Ended::Before(Box::new(settle)));
    }
    result.map(|(report, then)| Ended::Done { report: Box::new(report), then })
}

/// What a start has once the project is its own.
struct Owned {
    local: LocalState,
    identity: Identity,
    ownership: Ownership,
    history: History,
    ahead: Option<Ahead>,
    producer: TransactionalProducer,
}

/// Says in the journal who the owner is, restores what is continued, and runs. Gives the stage after
/// it, as [`Ended`] has it.
fn go_on(
    Next { plan, stage }: &Next,
    ground: Ground,
    owned: Owned,
    threads: &mut Threads,
) -> Result<(RunReport, Option<Stage>), RuntimeError> {
    let Owned { local, mut identity, ownership, history, ahead, producer } = owned;
    let (start, journal_offset) = (ownership.start_of_journal(), ownership.end());
    let stages = Stages::open();
    let (to_encode, kept_bytes) = (stages.to_encode.clone(), Arc::clone(&stages.kept_bytes));
    stages.start(plan, &ground, (ownership, producer), threads)?;
    // The first entry of a journal says more than who the owner is, and follows nothing that would
    // have to be restored before.
    let is_first = history.journal_id.is_none();
    let keeper = (!is_first)
        .then(|| LeaseKeeper::start(identity.clone(), &to_encode, &ground.inbox))
        .transpose()?;
    // Only an owner looks at the topics: who waits for another one's end would know them as they
    // were before it. The state may still be on its way meanwhile.
    let mut readers = Readers::open(plan, &ground)?;
    let (fold, past) = ground.recover((plan, Some(stage)), &local, (&start, history), ahead)?;
    readers.place(plan, &past)?;
    let rebuild = stage.rebuild();
    let round = rebuild.map(|rebuild| Round::begin(rebuild, &mut readers.open, &past.positions));
    let then = rebuild.zip(round.as_ref()).map(|((course, _), round)| round.next_stage(course));
    if let Some(keeper) = keeper {
        identity = keeper.release(&ground.inbox)?;
    }
    identity.begin(&past, readers.topics());
    let views = readers.start(threads, &ground.inbox, plan)?;
    let snapshots = ground.snapshot_thread(plan, journal_offset, past.snapshot)?;
    let snapshots = Schedule::new(snapshots, plan.options.snapshot_interval);
    plan.board.update(|status| status.notes.extend(stage.note()));
    let notes = plan.board.read().notes;
    let outlet = Outlet { to_encode, kept_bytes, inbox: ground.inbox, snapshots };
    let driver = Driver::new(plan, fold, views, (identity, local), outlet);
    let report = driver.of_stage(stage.clone(), round).run(past.replay)?;
    Ok((RunReport { notes, ..report }, then))
}

/// The way from the fold to Kafka: encoder and committer, and what goes between.
pub(crate) struct Stages {
    pub(crate) to_encode: SyncSender<ToEncode>,
    pub(crate) kept_bytes: Arc<AtomicU64>,
    from_fold: Receiver<ToEncode>,
}

impl Stages {
    /// The way, with nobody at its end yet.
    pub(crate) fn open() -> Self {
        let (to_encode, from_fold) = sync_channel(STAGE_MESSAGES);
        Self { to_encode, kept_bytes: Arc::default(), from_fold }
    }

    /// Starts encoder and committer.
    ///
    /// # Errors
    /// [`RuntimeError::Thread`]; those of the codecs.
    pub(crate) fn start(
        self,
        plan: &RunPlan,
        ground: &Ground,
        (ownership, producer): (Ownership, TransactionalProducer),
        threads: &mut Threads,
    ) -> Result<(), RuntimeError> {
        let Self { to_encode: _, kept_bytes, from_fold } = self;
        let Ground { inbox, prepared, dataflow, .. } = ground;
        let (to_commit, from_encoder) = sync_channel(STAGE_MESSAGES);
        let encoder = EncodeStage::new(dataflow, prepared.limits.clone(), &kept_bytes)?;
        let outputs = match plan.options.delivery {
            Delivery::ExactlyOnce => None,
            Delivery::AtLeastOnce => Some(Outputs::open(&plan.cluster, &prepared.topics)?),
        };
        let producers = Producers { transactional: producer, outputs };
        let committer =
            Committer::new(producers, ownership, plan.names.group(), &kept_bytes, inbox);
        let encoder_inbox = Arc::clone(inbox);
        threads.spawn("encode", move || encoder.run(&from_fold, &to_commit, &encoder_inbox))?;
        threads.spawn("commit", move || committer.run(&from_encoder))
    }
}

/// All readers before their threads start, and the watch over their topics.
pub(crate) struct Readers {
    open: Vec<OpenReader>,
    watch: TopicWatch,
    topics: BTreeMap<String, String>,
}

impl Readers {
    /// Opens all readers.
    ///
    /// # Errors
    /// Those of the connectors.
    pub(crate) fn open(plan: &RunPlan, ground: &Ground) -> Result<Self, RuntimeError> {
        let open = open_readers(plan, &ground.prepared, &ground.inbox)?;
        tracing::debug!(readers = open.len(), "readers are open");
        let watch = watch_topics(plan, &open)?;
        let topics = watch.ids();
        Ok(Self { open, watch, topics })
    }

    /// Ids of the topics by name.
    pub(crate) fn topics(&self) -> BTreeMap<String, String> {
        self.topics.clone()
    }

    /// Puts each reader where it starts. The topics must still be those that were read.
    ///
    /// # Errors
    /// [`RuntimeError::TopicRecreated`]; [`RuntimeError`] if a topic does not hold what is to be
    /// read.
    pub(crate) fn place(&mut self, plan: &RunPlan, past: &Past) -> Result<(), RuntimeError> {
        check_topics(&past.topics, &self.topics)?;
        place_readers(plan, &mut self.open, &past.positions)?;
        for reader in &mut self.open {
            let (generation, origins) = reader.view.copies(past.generation_now());
            reader.source.skip_copies(generation, origins);
        }
        Ok(())
    }

    /// Starts their threads, and the watch's.
    ///
    /// # Errors
    /// [`RuntimeError::Thread`]; those of the connectors.
    pub(crate) fn start(
        self,
        threads: &mut Threads,
        inbox: &Arc<Inbox>,
        plan: &RunPlan,
    ) -> Result<Vec<ReaderView>, RuntimeError> {
        let views = start_readers(self.open, &self.topics, (threads, plan))?;
        let (watch, watched) = (self.watch, Arc::clone(inbox));
        threads.spawn("watch", move || watch.run(&watched))?;
        Ok(views)
    }
}

/// What the partitions of all readers hold now.
///
/// # Errors
/// Those of the connectors.
pub(crate) fn bounds(plan: &RunPlan) -> Result<Vec<Vec<Bounds>>, RuntimeError> {
    let sources = plan.dataflow.sources();
    let bounds = sources.map(|(_, source)| {
        let source = KafkaSource::open(&plan.cluster, codec::source_spec(source, false))?;
        Ok(source.bounds()?)
    });
    bounds.collect()
}

/// The threads beside the fold's. They end when the inbox closes and the fold's channel is dropped.
pub(crate) struct Threads {
    inbox: Arc<Inbox>,
    handles: Vec<(&'static str, JoinHandle<()>)>,
}

impl Threads {
    /// None yet.
    pub(crate) fn new(inbox: &Arc<Inbox>) -> Self {
        Self { inbox: Arc::clone(inbox), handles: Vec::new() }
    }

    /// Waits for the end of all threads after what the fold's thread has come to.
    ///
    /// # Errors
    /// That of `result`, else [`RuntimeError::Panicked`].
    pub(crate) fn finish<T>(self, result: Result<T, RuntimeError>) -> Result<T, RuntimeError> {
        let joined = self.join(result.is_err());
        let result = result?;
        joined.map(|()| result)
    }

    /// Starts a thread whose name tools like `top -H` show.
    fn spawn(
        &mut self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), RuntimeError> {
        let guard = PanicGuard::new(&self.inbox, name);
        let thread = std::thread::Builder::new().name(format!("engine-{name}"));
        let handle = thread.spawn(move || {
            work();
            drop(guard);
        });
        self.handles.push((name, handle.map_err(RuntimeError::Thread)?));
        Ok(())
    }

    /// Waits for all threads to end. After a failure not for ever: one may be inside a call that
    /// librdkafka does not return from, which ends with the process.
    fn join(mut self, has_failed: bool) -> Result<(), RuntimeError> {
        self.inbox.close();
        let mut patience = END_LOOKS;
        for (thread, handle) in self.handles.drain(..) {
            while has_failed && !handle.is_finished() && patience > 0 {
                patience -= 1;
                std::thread::park_timeout(END_LOOK);
            }
            if has_failed && !handle.is_finished() {
                tracing::warn!(thread, "it does not end, and is left behind");
                continue;
            }
            handle.join().map_err(|_panic| RuntimeError::Panicked { thread })?;
        }
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

pub(crate) fn claim(
    plan: &RunPlan,
    prepared: &Prepared,
    former: Vec<InstanceName>,
    (instance, journal_offset): (&InstanceName, i64),
) -> Claim {
    Claim {
        cluster: plan.cluster.clone(),
        journal: plan.names.journal(),
        journal_offset,
        transactions: transactions(plan.names.group(), &plan.options),
        topics: prepared.topics.clone(),
        instance: instance.clone(),
        former,
        is_taking_over: plan.options.is_taking_over,
        is_waiting: !plan.options.is_once,
    }
}

/// Starts a thread for each reader.
fn start_readers(
    readers: Vec<OpenReader>,
    topics: &BTreeMap<String, String>,
    (threads, plan): (&mut Threads, &RunPlan),
) -> Result<Vec<ReaderView>, RuntimeError> {
    let mut views = Vec::new();
    for (index, reader) in readers.into_iter().enumerate() {
        let starts = reader.view.partitions.iter().map(|at| at.position);
        let starts = starts.zip(reader.limits).collect();
        let topic = TopicView {
            id: topics.get(&reader.view.topic).cloned(),
            topic: reader.view.topic.clone(),
            on_gap: reader.view.on_gap,
        };
        views.push(reader.view);
        let pace = (gathering(&plan.options), &plan.clock);
        let is_shadow = shadow_of(&views[index].name).is_some();
        let reader = Reader::start(index, (topic, reader.source), starts, &threads.inbox, pace)?;
        let inbox = Arc::clone(&threads.inbox);
        threads.spawn("read", move || {
            // A test may let a rebuild wait for what it reads.
            if is_shadow && let Err(error) = failpoint::reach("rebuild.read.before") {
                inbox.fail(error.into());
                return;
            }
            reader.run();
        })?;
    }
    Ok(views)
}

fn open_readers(
    plan: &RunPlan,
    prepared: &Prepared,
    inbox: &Inbox,
) -> Result<Vec<OpenReader>, RuntimeError> {
    let readers = plan
        .dataflow
        .sources()
        .map(|(_, source)| {
            let is_carrying = is_carrying(prepared, source);
            let spec = codec::source_spec(source, is_carrying);
            let kafka = KafkaSource::open(&plan.cluster, spec.clone())?;
            let bounds = kafka.bounds()?;
            let spec = is_carrying.then_some(spec);
            Ok(OpenReader {
                view: ReaderView::new(source, spec, &bounds),
                source: kafka,
                limits: Vec::new(),
            })
        })
        .collect::<Result<Vec<OpenReader>, RuntimeError>>()?;
    let partitions: Vec<usize> =
        readers.iter().map(|reader| reader.view.partitions.len()).collect();
    inbox.add_readers(&partitions);
    Ok(readers)
}

fn watch_topics(plan: &RunPlan, readers: &[OpenReader]) -> Result<TopicWatch, RuntimeError> {
    let topics: Vec<_> = readers
        .iter()
        .map(|reader| (reader.view.topic.clone(), reader.view.partitions.len()))
        .collect();
    TopicWatch::open(&plan.cluster, &topics, !plan.options.is_once)
}

fn is_carrying(prepared: &Prepared, source: &Source) -> bool {
    prepared.is_compacted.get(&source.source).copied().unwrap_or(false)
}

/// Where each reader starts, and how far it may read.
fn place_readers(
    plan: &RunPlan,
    readers: &mut [OpenReader],
    positions: &Positions,
) -> Result<(), RuntimeError> {
    for reader in readers {
        let known = positions.keys().filter(|(name, _)| *name == reader.view.name).count();
        let now = reader.view.partitions.len();
        if known > now {
            let topic = reader.view.topic.clone();
            return Err(RuntimeError::PartitionsGone { topic, journal: known, now });
        }
        for (number, at) in (0..).zip(&mut reader.view.partitions) {
            let replayed = positions.get(&(reader.view.name.clone(), number));
            let mut limits = Limits::default();
            if let Some(replayed) = replayed {
                if at.end_at_start < replayed.end {
                    let topic = reader.view.topic.clone();
                    let (position, end) = (replayed.end, at.end_at_start);
                    return Err(RuntimeError::LogShrunk {
                        topic,
                        partition: number,
                        position,
                        end,
                    });
                }
                at.origin = replayed.origin;
                at.position =
                    if replayed.slices.is_empty() { replayed.end } else { replayed.start };
                limits.replayed.clone_from(&replayed.slices);
            }
            at.is_known = replayed.is_some();
            if at.position < at.first_at_start {
                let is_replayed = !limits.replayed.is_empty();
                if is_replayed || reader.view.on_gap == OnGap::Stop {
                    return Err(RuntimeError::Gap {
                        topic: reader.view.topic.clone(),
                        partition: number,
                        position: at.position,
                        first: at.first_at_start,
                    });
                }
                let lost = at.first_at_start.abs_diff(at.position);
                tracing::warn!(
                    topic = reader.view.topic,
                    partition = number,
                    lost,
                    "a gap is passed over"
                );
                at.position = at.first_at_start;
                reader.view.passed_over += lost;
            }
            limits.last = plan.options.is_once.then_some(at.end_at_start);
            reader.limits.push(limits);
        }
    }
    Ok(())
}
