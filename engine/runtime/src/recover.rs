//! What a start continues: the newest snapshot that can be used, and the journal's entries after it.
//!
//! The checks come in the order in which they can be answered: the journal, the plan, the cluster,
//! the snapshot; the inputs follow in [`crate::run`]. **Invariant:** a check that fails is told; none
//! is answered by starting elsewhere, but for a damaged snapshot, for which an older one and a
//! longer replay give the same state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use connectors::JournalTopic;
use connectors::admin::Admin;
use planner::dataflow::upgrade::Upgrade;
use planner::dataflow::{Dataflow, shadow_of};
use state::{Condition, Listed, Manifest, SnapshotId, Snapshots, StateError};
use stream::{Epoch, Generation, failpoint};

use crate::error::RuntimeError;
use crate::fold::Fold;
use crate::history::{History, Positions};
use crate::journal::{Entry, JournalError};
use crate::local::LocalState;
use crate::ownership::StartOfJournal;
use crate::prepare::Note;
use crate::run::RunPlan;
use crate::upgrade::{InForce, Passage, Stage, dataflow_of};

/// How many complete snapshots are kept, beside the pinned ones.
pub(crate) const SNAPSHOTS_KEPT: usize = 3;

/// What a start continues.
pub(crate) struct Past {
    /// The last generation.
    pub(crate) generation: Generation,
    /// Whether nothing is continued.
    pub(crate) is_new: bool,
    /// Whether the journal does not name the plan yet.
    pub(crate) has_new_plan: bool,
    /// Ids of the topics that were read, by name.
    pub(crate) topics: Arc<BTreeMap<String, String>>,
    /// Where the readers stand after the replay.
    pub(crate) positions: Positions,
    /// The snapshot that was restored.
    pub(crate) snapshot: Option<Manifest>,
    /// The entries to replay.
    pub(crate) replay: Option<Replay>,
    /// For the user.
    pub(crate) notes: Vec<Note>,
}

impl Past {
    /// The generation that the run writes.
    pub(crate) fn generation_now(&self) -> Generation {
        Generation(self.generation.0 + u64::from(self.is_new))
    }
}

/// Entries of the journal, read one by one.
pub(crate) struct Replay {
    journal: JournalTopic,
    generation: Generation,
    /// The last epoch that came.
    last: Option<Epoch>,
    after: Option<Epoch>,
    until: Epoch,
}

impl Replay {
    /// The next entry; none after the last.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] if an entry is missing; those of the connectors.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, RuntimeError> {
        while self.last < Some(self.until) {
            let Some(raw) = self.journal.next_entry()? else {
                return Err(missing(self.until));
            };
            let entry = Entry::from_bytes(&raw.bytes)?;
            let epoch = entry.header.epoch;
            if entry.header.generation != self.generation || Some(epoch) <= self.after {
                continue;
            }
            if let Some(last) = self.last.or(self.after)
                && epoch != last.next()
            {
                return Err(missing(last.next()));
            }
            self.last = Some(epoch);
            return Ok(Some(entry));
        }
        Ok(None)
    }
}

fn missing(epoch: Epoch) -> RuntimeError {
    JournalError::Corrupt { detail: format!("the entry of epoch {epoch} is missing") }.into()
}

/// Where the journal must be read from: the oldest of the snapshots that a start may fall back to.
///
/// Only a guess, which saves reading what came before: [`recover`] reads from the start where it
/// turns out wrong.
///
/// # Errors
/// [`RuntimeError::State`] if the store does not answer.
pub(crate) fn journal_offset(
    plan: &RunPlan,
    snapshots: &Snapshots,
    local: &LocalState,
) -> Result<i64, RuntimeError> {
    if plan.options.is_fresh {
        return Ok(0);
    }
    let listed = snapshots.list()?;
    let mut complete: Vec<&Manifest> = listed.iter().filter_map(Listed::manifest).collect();
    let known = local.hint().map(|hint| hint.journal_id);
    let journal = known.or_else(|| complete.first().map(|one| one.about.journal_id.clone()));
    complete.retain(|one| Some(&one.about.journal_id) == journal.as_ref());
    let newest = complete.iter().take(SNAPSHOTS_KEPT);
    Ok(newest.map(|one| one.about.journal_offset).min().unwrap_or(0))
}

/// Finds what the run continues, and puts its state into `fold`.
///
/// # Errors
/// [`RuntimeError`]: one of the checks failed, or the store or Kafka did not answer.
pub(crate) fn recover(
    (plan, stage): (&RunPlan, Option<&Stage>),
    (local, snapshots, ahead): (&LocalState, &Snapshots, Option<Ahead>),
    (journal, mut history): (&StartOfJournal, History),
    cluster_id: Option<&str>,
    fold: &mut Fold,
) -> Result<Past, RuntimeError> {
    if plan.options.is_fresh || history.journal_id.is_none() {
        if !plan.options.is_fresh {
            check_never_ran(plan, local)?;
        }
        return Ok(Past {
            generation: history.generation,
            is_new: true,
            has_new_plan: true,
            topics: Arc::default(),
            positions: Positions::new(),
            snapshot: None,
            replay: None,
            notes: Vec::new(),
        });
    }
    // Who replays an epoch of long ago looks at a part of the journal.
    if journal.until.is_none() {
        check_hint(plan, local, &history)?;
    }
    // Again: while another owner's lease was waited for, it may have written more.
    failpoint::reach("restore.list.before")?;
    let listed = snapshots.list()?;
    failpoint::reach("restore.list.after")?;
    if stage.is_some() {
        remove_undone(snapshots, &listed, &history)?;
    }
    let mut notes = Vec::new();
    let mut search = Search { plan, stage, snapshots, listed: &listed, cluster_id, ahead };
    let mut found = search.restore(&history, fold, &mut notes)?;
    if found.is_none() && !history.is_whole {
        history = journal.reread()?;
        found = search.restore(&history, fold, &mut notes)?;
    }
    if found.is_none() && !history.is_whole {
        return Err(RuntimeError::JournalTrimmed {
            topic: plan.names.journal(),
            offset: journal.first_offset,
            place: plan.snapshots.to_string(),
            reasons: notes.iter().flat_map(|note| ["; ".to_owned(), note.to_string()]).collect(),
        });
    }
    let after = found.map_or(Epoch(0), |one| one.about.epoch);
    match history.check(&plan.fingerprint, after) {
        Err(RuntimeError::PlansMixed { .. }) if stage.is_none() => {
            let journal = history.plan().map(|(journal, _)| journal.clone());
            let now = plan.fingerprint.clone();
            return Err(RuntimeError::OtherPlan { journal: journal.unwrap_or(now.clone()), now });
        }
        checked => checked?,
    }
    let taken_over = found.map(|found| taken_over(plan, found)).transpose()?;
    let in_force = InForce::of(&history, found);
    let is_named =
        |one: &InForce| one.fingerprint == plan.fingerprint && one.text == plan.project_text;
    Ok(Past {
        has_new_plan: !in_force.as_ref().is_some_and(is_named),
        positions: history.positions(taken_over.as_ref()),
        replay: replay(plan, &history, found)?,
        snapshot: found.cloned(),
        generation: history.generation,
        is_new: false,
        topics: history.topics,
        notes,
    })
}

/// Removes the snapshots of epochs that a broker had acknowledged and has lost: other epochs will
/// get their numbers.
fn remove_undone(
    snapshots: &Snapshots,
    listed: &[Listed],
    history: &History,
) -> Result<(), RuntimeError> {
    for one in listed {
        let is_undone = history.journal_id.as_ref() == Some(&one.id.journal_id)
            && one.id.generation == history.generation
            && one.id.epoch > history.epoch;
        if is_undone {
            let (id, end) = (one.id.to_string(), history.epoch);
            tracing::warn!(%id, %end, "the journal ends before this snapshot, which is removed");
            snapshots.remove(one)?;
        }
    }
    Ok(())
}

/// The newest complete snapshot that the journal led to.
pub(crate) fn newest_of<'a>(listed: &'a [Listed], history: &History) -> Option<&'a Manifest> {
    let mut complete = listed.iter().filter_map(Listed::manifest);
    complete.find(|manifest| history.has_led_to(manifest))
}

/// A snapshot without the readers that begin anew with another plan: shadows, unless the same rebuild
/// goes on, and those that have got another topic.
fn taken_over(plan: &RunPlan, snapshot: &Manifest) -> Result<Manifest, RuntimeError> {
    let mut snapshot = snapshot.clone();
    if snapshot.about.fingerprint == plan.fingerprint
        || Passage::to(plan, &snapshot.about)? == Passage::GoesOn
    {
        return Ok(snapshot);
    }
    snapshot.about.readers.retain(|then| {
        let now = plan.dataflow.sources().find(|(_, source)| source.reader == then.reader);
        let is_other = now.is_some_and(|(_, now)| now.topic != then.topic);
        !is_other && shadow_of(&then.reader).is_none()
    });
    Ok(snapshot)
}

/// Whether the topics are still those that were read.
///
/// # Errors
/// [`RuntimeError::TopicRecreated`].
pub(crate) fn check_topics(
    known: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Result<(), RuntimeError> {
    let other = known.iter().find_map(|(topic, known)| {
        let now = now.get(topic).filter(|now| *now != known)?;
        Some((topic.clone(), known.clone(), now.clone()))
    });
    match other {
        Some((topic, known, now)) => Err(RuntimeError::TopicRecreated { topic, known, now }),
        None => Ok(()),
    }
}

fn replay(
    plan: &RunPlan,
    history: &History,
    snapshot: Option<&Manifest>,
) -> Result<Option<Replay>, RuntimeError> {
    let after = snapshot.map(|one| one.about.epoch);
    if after == Some(history.epoch) {
        return Ok(None);
    }
    let offset = snapshot.map_or(0, |one| one.about.journal_offset);
    let journal = JournalTopic::open(&plan.cluster, &plan.names.journal(), offset)?;
    let generation = history.generation;
    Ok(Some(Replay { journal, generation, last: None, after, until: history.epoch }))
}

/// The search for a snapshot.
struct Search<'a> {
    plan: &'a RunPlan,
    /// None for who may not change the plan.
    stage: Option<&'a Stage>,
    snapshots: &'a Snapshots,
    listed: &'a [Listed],
    cluster_id: Option<&'a str>,
    ahead: Option<Ahead>,
}

impl<'a> Search<'a> {
    /// Restores the newest snapshot that can be used. Those that cannot are noted.
    fn restore(
        &mut self,
        history: &History,
        fold: &mut Fold,
        notes: &mut Vec<Note>,
    ) -> Result<Option<&'a Manifest>, RuntimeError> {
        notes.clear();
        for one in self.listed {
            let unusable =
                |reason: String| Note::SnapshotUnusable { id: one.id.to_string(), reason };
            let manifest = match &one.condition {
                Condition::Unfinished => continue,
                Condition::Broken { reason } => {
                    if history.journal_id.as_ref() == Some(&one.id.journal_id)
                        && one.id.generation == history.generation
                    {
                        notes.push(unusable(reason.clone()));
                    }
                    continue;
                }
                Condition::Complete(manifest) => manifest,
            };
            // Entries that lead from it to the end must all have been read.
            let is_reached = history.first_epoch <= Some(manifest.about.epoch.next());
            if !history.has_led_to(manifest) || !is_reached {
                continue;
            }
            self.check(manifest)?;
            let is_other = manifest.about.fingerprint != self.plan.fingerprint;
            if is_other && !history.may_switch_at(manifest.about.epoch, &self.plan.fingerprint) {
                notes.push(unusable("the project was changed after it".to_owned()));
                continue;
            }
            match self.read(manifest, fold.dataflow())? {
                Ok(restored) => {
                    *fold = restored;
                    return Ok(Some(manifest));
                }
                Err(reason) => notes.push(unusable(reason)),
            }
        }
        Ok(None)
    }

    /// Whether the cluster is that of the snapshot, and the plan where that matters.
    fn check(&self, manifest: &Manifest) -> Result<(), RuntimeError> {
        let about = &manifest.about;
        if self.stage.is_none() && about.fingerprint != self.plan.fingerprint {
            let (journal, now) = (about.fingerprint.clone(), self.plan.fingerprint.clone());
            return Err(RuntimeError::OtherPlan { journal, now });
        }
        match (&about.cluster_id, self.cluster_id) {
            (Some(then), Some(now)) if then != now => Err(RuntimeError::ClusterChanged {
                topic: self.plan.names.journal(),
                then: then.clone(),
                now: now.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// A fold with the snapshot's state, or what is wrong with it.
    fn read(&mut self, manifest: &Manifest, dataflow: &Arc<Dataflow>) -> Restored {
        // One that is not wanted has ended before another begins: they share the step's clock.
        if let Some(restored) = self.ahead.take().and_then(|ahead| ahead.finish(&manifest.id)) {
            return restored;
        }
        let about = &manifest.about;
        if about.fingerprint == self.plan.fingerprint {
            return restore(self.snapshots, manifest, dataflow);
        }
        let dropped = match Passage::to(self.plan, about)? {
            // Only sinks come, which keep nothing.
            Passage::GoesOn => return restore(self.snapshots, manifest, dataflow),
            Passage::Migrates { dropped } => dropped,
        };
        let old = Arc::new(dataflow_of(self.plan, &about.fingerprint, &about.project)?);
        Ok(restore(self.snapshots, manifest, &old)?.and_then(|fold| {
            let upgrade = Upgrade::between(&old, dataflow);
            let migrated = Fold::migrated(dataflow, fold.snapshot(), &upgrade, &dropped);
            migrated.map_err(|error| error.to_string())
        }))
    }
}

/// A fold, or why the snapshot cannot be used.
type Restored = Result<Result<Fold, String>, RuntimeError>;

/// A fold with the state of a snapshot that was written of the same dataflow.
fn restore(snapshots: &Snapshots, manifest: &Manifest, dataflow: &Arc<Dataflow>) -> Restored {
    let tables = match snapshots.read(manifest) {
        Ok(tables) => tables,
        Err(StateError::Damaged { path, reason }) => {
            return Ok(Err(format!("`{path}`: {reason}")));
        }
        Err(error) => return Err(error.into()),
    };
    failpoint::reach("restore.state.before")?;
    let mut fold = Fold::new(dataflow)?;
    let restored = fold.restore(tables).map_err(|error| error.to_string());
    failpoint::reach("restore.state.after")?;
    Ok(restored.map(|()| fold))
}

/// The state that a start will most likely continue from, restored on a thread of its own while the
/// start talks with the broker.
pub(crate) struct Ahead {
    thread: JoinHandle<Option<(SnapshotId, Restored)>>,
}

impl Ahead {
    /// Begins, if the folder knows a journal.
    pub(crate) fn start(plan: &RunPlan, local: &LocalState) -> Option<Self> {
        let hint = local.hint().filter(|_| !plan.options.is_fresh)?;
        let (place, fingerprint) = (plan.snapshots.clone(), plan.fingerprint.clone());
        let dataflow = Arc::new(plan.dataflow.clone());
        let thread =
            std::thread::Builder::new().name("engine-restore".to_owned()).spawn(move || {
                // What goes wrong here is found again, and told, by who does not get a state.
                let snapshots = Snapshots::open(&place).ok()?;
                let listed = snapshots.list().ok()?;
                let mut complete = listed.iter().filter_map(Listed::manifest);
                let newest = complete.find(|one| one.about.journal_id == hint.journal_id)?;
                (newest.about.fingerprint == fingerprint)
                    .then(|| (newest.id.clone(), restore(&snapshots, newest, &dataflow)))
            });
        thread.ok().map(|thread| Self { thread })
    }

    /// Waits for the state; none if there is none, or it is that of another snapshot.
    fn finish(self, wanted: &SnapshotId) -> Option<Restored> {
        match self.thread.join() {
            Ok(found) => found.filter(|(id, _)| id == wanted).map(|(_, restored)| restored),
            Err(_panic) => Some(Err(RuntimeError::Panicked { thread: "restore" })),
        }
    }
}

/// Whether the journal is the one that was last written from here.
fn check_hint(plan: &RunPlan, local: &LocalState, history: &History) -> Result<(), RuntimeError> {
    let (Some(hint), Some(journal_id)) = (local.hint(), &history.journal_id) else {
        return Ok(());
    };
    let folder = plan.state_folder.display();
    let evidence = if hint.journal_id != *journal_id {
        format!("`{folder}` names journal {}, this is {journal_id}", hint.journal_id)
    } else if hint.generation > history.generation {
        let (then, now) = (hint.generation, history.generation);
        format!("`{folder}` names generation {then}, this one ends with {now}")
    } else {
        return Ok(());
    };
    Err(RuntimeError::JournalGone { topic: plan.names.journal(), evidence })
}

/// An empty journal is a first start only if neither HINT nor our consumer group knows another.
fn check_never_ran(plan: &RunPlan, local: &LocalState) -> Result<(), RuntimeError> {
    let topic = plan.names.journal();
    if let Some(hint) = local.hint() {
        let evidence =
            format!("`{}` names journal {}", plan.state_folder.display(), hint.journal_id);
        return Err(RuntimeError::JournalGone { topic, evidence });
    }
    let admin = Admin::open(&plan.cluster)?;
    let group = plan.names.group();
    for (_, source) in plan.dataflow.sources() {
        let Some(read) = admin.topic(&source.topic)? else { continue };
        if admin.committed(&group, &read)?.iter().any(Option::is_some) {
            let evidence = format!("group `{group}` has read topic `{}`", source.topic);
            return Err(RuntimeError::JournalGone { topic, evidence });
        }
    }
    Ok(())
}
