//! The snapshots' thread: writes frozen state beside the fold, keeps the newest, trims the journal,
//! and watches whether the inputs still hold what a start would read again.
//!
//! **Invariant:** nothing here delays a commit. A store that is slow makes snapshots rarer, one that
//! is down leaves the last one; both are told.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use connectors::admin::Admin;
use connectors::{Cluster, ConnectorError};
use state::{About, Manifest, ReaderProgress, Retained, Snapshots, StateError};
use stream::{Clock, ProcessingTime, failpoint};

use crate::error::RuntimeError;
use crate::fold::FrozenFold;
use crate::inbox::{Inbox, PanicGuard};
use crate::local::SnapshotRequest;
use crate::recover::SNAPSHOTS_KEPT;
use crate::status::{SnapshotSummary, StatusBoard};

/// A topic should hold its records so many times as long as the newest snapshot is old.
const RETENTION_FACTOR: u64 = 2;

/// State on its way to the store.
pub(crate) struct Frozen {
    pub(crate) about: About,
    pub(crate) state: FrozenFold,
    /// Who asked for it, if somebody did.
    pub(crate) request: Option<SnapshotRequest>,
}

/// What the thread needs.
pub(crate) struct SnapshotPlan {
    pub(crate) snapshots: Snapshots,
    pub(crate) cluster: Cluster,
    pub(crate) cluster_id: Option<String>,
    /// The journal's topic.
    pub(crate) journal: String,
    /// The journal's end before the next state is frozen: later entries begin there or behind.
    pub(crate) journal_offset: i64,
    /// The newest snapshot that a start would use.
    pub(crate) newest: Option<Manifest>,
    pub(crate) board: Arc<StatusBoard>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The thread, as the fold sees it. It ends with this, after what it is writing.
pub(crate) struct SnapshotThread {
    to: SyncSender<Frozen>,
    work: Arc<Work>,
}

/// Whether the thread has something to do.
#[derive(Debug, Default)]
struct Work {
    is_busy: Mutex<bool>,
    idle: Condvar,
}

impl SnapshotThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`RuntimeError::Thread`]; those of the connectors, if their settings make no client.
    pub(crate) fn start(plan: SnapshotPlan, inbox: &Arc<Inbox>) -> Result<Self, RuntimeError> {
        let admin = Admin::open(&plan.cluster)?;
        let work = Arc::new(Work::default());
        let turn =
            Turn { work: Arc::clone(&work), guard: Some(PanicGuard::new(inbox, "snapshots")) };
        let writer = Writer { plan, admin, failing_since: None };
        // One waits at most: nothing is sent while the thread is busy.
        let (to, from) = sync_channel(1);
        let thread = std::thread::Builder::new().name("engine-snapshots".to_owned());
        // Nobody joins it: a store that does not answer must not keep the run from ending.
        thread.spawn(move || writer.run(&from, &turn)).map_err(RuntimeError::Thread)?;
        Ok(Self { to, work })
    }

    /// Whether the thread has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        !*self.work.lock()
    }

    /// Has a state written.
    pub(crate) fn write(&self, frozen: Frozen) {
        *self.work.lock() = true;
        if self.to.try_send(frozen).is_err() {
            // The thread has panicked, which its guard has told.
            self.work.rest();
        }
    }

    /// Waits until the thread has nothing to do, but not longer than `timeout`. Whether it has.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        let busy = self.work.lock();
        let waited = self.work.idle.wait_timeout_while(busy, timeout, |is_busy| *is_busy);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Work {
    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.is_busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self) {
        *self.lock() = false;
        self.idle.notify_all();
    }
}

/// Ends with the thread: after a panic, too, nobody waits for it.
struct Turn {
    work: Arc<Work>,
    guard: Option<PanicGuard>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The panic is told before anybody stops waiting.
        drop(self.guard.take());
        self.work.rest();
    }
}

struct Writer {
    plan: SnapshotPlan,
    admin: Admin,
    failing_since: Option<ProcessingTime>,
}

impl Writer {
    fn run(mut self, from: &Receiver<Frozen>, turn: &Turn) {
        for frozen in from {
            self.write(frozen);
            turn.work.rest();
        }
    }

    fn write(&mut self, frozen: Frozen) {
        let Frozen { mut about, state, request } = frozen;
        about.journal_offset = self.plan.journal_offset;
        about.cluster_id.clone_from(&self.plan.cluster_id);
        let readers = about.readers.clone();
        match self.plan.snapshots.write(about, state.tables()) {
            Ok(manifest) => self.note_written(manifest, request.as_ref()),
            Err(error) => self.note_failure(&error),
        }
        // The next state is frozen only after this.
        match self.bounds(&self.plan.journal) {
            Ok(bounds) => self.plan.journal_offset = bounds.first().map_or(0, |(_, end)| *end),
            Err(error) => tracing::warn!(%error, "the journal's end cannot be asked for"),
        }
        if let Err(error) = self.watch_inputs(&readers) {
            tracing::warn!(%error, "the inputs' retention cannot be looked at");
            self.connect_again();
        }
    }

    /// A client for administration may have lost its brokers for good.
    fn connect_again(&mut self) {
        match Admin::open(&self.plan.cluster) {
            Ok(admin) => self.admin = admin,
            Err(error) => tracing::warn!(%error, "the client for administration stays as it is"),
        }
    }

    fn note_written(&mut self, manifest: Manifest, request: Option<&SnapshotRequest>) {
        let (id, epoch) = (&manifest.id, manifest.about.epoch);
        tracing::info!(%id, rows = manifest.rows(), bytes = manifest.bytes(), "snapshot written");
        if let Some(since) = self.failing_since.take() {
            let failed_ms = self.since(since);
            tracing::warn!(failed_ms, %epoch, "snapshots can be written again");
        }
        if let Some(request) = request {
            match self.plan.snapshots.pin(&manifest.id, request.name()) {
                Ok(()) => request.close(),
                Err(error) => {
                    tracing::warn!(error = told(&error), %id, "the snapshot that was asked for cannot be pinned; it is tried again with the next");
                }
            }
        }
        self.plan.board.update(|status| {
            status.snapshots.written += 1;
            status.snapshots.newest = Some(SnapshotSummary::of(&manifest));
            status.snapshots.failing = None;
        });
        match self.plan.snapshots.retain(&manifest.about.journal_id, SNAPSHOTS_KEPT) {
            Ok(retained) => self.trim(&retained),
            Err(error) => tracing::warn!(error = told(&error), "old snapshots cannot be removed"),
        }
        self.plan.newest = Some(manifest);
    }

    fn note_failure(&mut self, error: &StateError) {
        let now = self.plan.clock.now();
        let since = *self.failing_since.get_or_insert(now);
        let error = told(error);
        let failing_ms = self.since(since);
        tracing::warn!(
            error,
            failing_ms,
            "no snapshot can be written: commits go on, and the next start replays what came since the last one"
        );
        self.plan.board.update(|status| status.snapshots.failing = Some((since, error)));
    }

    fn since(&self, then: ProcessingTime) -> i64 {
        self.plan.clock.now().0.saturating_sub(then.0)
    }

    /// Deletes the part of the journal that no start can use: everything before the oldest of the
    /// kept snapshots, once the inputs have forgotten what its first entries name. Until then the
    /// journal alone can still bring the state back.
    fn trim(&self, retained: &Retained) {
        let Some(oldest) = retained.newest.get(SNAPSHOTS_KEPT - 1) else { return };
        let trimmed = self.has_forgotten(&oldest.about.readers).and_then(|has_forgotten| {
            if !has_forgotten {
                return Ok(());
            }
            failpoint::reach("retention.trim.before")?;
            self.admin.delete_records(&self.plan.journal, 0, oldest.about.journal_offset)?;
            Ok(failpoint::reach("retention.trim.after")?)
        });
        if let Err(error) = trimmed {
            tracing::warn!(%error, "the journal cannot be trimmed");
        }
    }

    /// Whether some input no longer holds all that the generation has read of it.
    fn has_forgotten(&self, readers: &[ReaderProgress]) -> Result<bool, ConnectorError> {
        for reader in readers.iter().filter(|reader| !reader.is_carried) {
            let bounds = self.bounds(&reader.topic)?;
            let mut partitions = reader.partitions.iter();
            if partitions.any(|at| first(&bounds, at.partition) > Some(at.start)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Warns where a start after a crash would not find what it has to read again, or soon will not.
    fn watch_inputs(&self, readers: &[ReaderProgress]) -> Result<(), ConnectorError> {
        let (readers, created) = match &self.plan.newest {
            Some(newest) => (&newest.about.readers[..], newest.about.created),
            None => (readers, self.failing_since.unwrap_or_else(|| self.plan.clock.now())),
        };
        let age_ms = u64::try_from(self.since(created)).unwrap_or_default();
        for reader in readers.iter().filter(|reader| !reader.is_carried) {
            let topic = &reader.topic;
            let bounds = self.bounds(topic)?;
            for at in &reader.partitions {
                let needed = if self.plan.newest.is_some() { at.position } else { at.start };
                if let Some(first) = first(&bounds, at.partition).filter(|first| *first > needed) {
                    let partition = at.partition;
                    tracing::warn!(
                        topic,
                        partition,
                        first,
                        needed,
                        "the topic no longer holds what a start would read again: do not stop the engine before the next snapshot is written"
                    );
                }
            }
            let settings = self.admin.settings(topic)?;
            let retention = settings.get("retention.ms").and_then(|it| it.value.as_ref());
            if let Some(retention_ms) = retention.and_then(|text| text.parse::<u64>().ok())
                && age_ms.saturating_mul(RETENTION_FACTOR) > retention_ms
            {
                tracing::warn!(
                    topic,
                    retention_ms,
                    snapshot_age_ms = age_ms,
                    "the topic will soon forget what a start would read again: raise its retention, or repair the store of the snapshots"
                );
            }
        }
        Ok(())
    }

    /// First and end offset of each partition of a topic; nothing if it does not exist.
    fn bounds(&self, topic: &str) -> Result<Vec<(i64, i64)>, ConnectorError> {
        match self.admin.topic(topic)? {
            Some(description) => self.admin.bounds(&description),
            None => Ok(Vec::new()),
        }
    }
}

/// The first offset that a partition still holds.
fn first(bounds: &[(i64, i64)], partition: i32) -> Option<i64> {
    bounds.get(usize::try_from(partition).ok()?).map(|(first, _end)| *first)
}

/// An error and what lies behind it.
fn told(error: &StateError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
