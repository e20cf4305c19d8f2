//! A start with another plan than the one before: what is kept, what is rebuilt, and in which order.
//!
//! A run is a sequence of *stages*, each a plan of its own that begins where the one before has
//! left its snapshot. A tail of the journal is settled by the plan that wrote it; then models are
//! rebuilt beside those that go on, in rounds ([`round`]) of which each is a stage; then the project's
//! own plan goes on. **Invariant:** a plan changes only where a snapshot ends the journal. So the way
//! from one plan to the next is the same when it is gone again after a crash: the snapshot is
//! migrated anew, and what the journal has after it is replayed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use planner::dataflow::upgrade::{Reason, Upgrade, Verdict, Weight};
use planner::dataflow::{Dataflow, Rebuild, shadow_of};
use state::{About, Manifest, Snapshots, StateError};
use stream::{Fingerprint, ReaderName};

use crate::error::RuntimeError;
use crate::fold;
use crate::history::History;
use crate::prepare::Note;
use crate::run::RunPlan;

mod inspect;
mod course;
mod round;
mod text;

pub(crate) use course::{Course, IdlePartitions};
pub(crate) use round::{Before, Round};

pub use inspect::{PlanPicture, RebuildInput, inspect};

/// Plans the text of a plan again: the runtime itself reads no SQL.
pub type Compile = Arc<dyn Fn(&str) -> Result<Dataflow, String> + Send + Sync>;

/// What the user said of a changed plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeOptions {
    /// All that the comparison says is accepted.
    pub accepts_plan: bool,
    /// These models are rebuilt, changed or not, with all that read them.
    pub rebuild: BTreeSet<String>,
    /// What is rebuilt writes its rows again.
    pub re_emits: bool,
}

/// What a part of a run is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The project's plan goes on. May find that another stage has to come first.
    Live,
    /// The plan that wrote the journal's tail replays it, takes a snapshot and ends.
    Settle,
    /// A round of a rebuild.
    Rebuild { course: Course, before: Before },
    /// As `Live`, after a rebuild: what was asked for has been done.
    Join,
}

impl Stage {
    /// Whether another stage follows.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Live | Self::Join => false,
            Self::Settle | Self::Rebuild { .. } => true,
        }
    }

    /// What is rebuilt in it, and what came before it.
    pub(crate) fn rebuild(&self) -> Option<(&Course, Before)> {
        match self {
            Self::Rebuild { course, before } => Some((course, *before)),
            Self::Live | Self::Settle | Self::Join => None,
        }
    }

    /// What the user should know of it; of a rebuild once.
    pub(crate) fn note(&self) -> Option<Note> {
        let (Course { rebuild, .. }, _) =
            self.rebuild().filter(|(_, before)| *before == Before::Start)?;
        Some(Note::Rebuilding {
            models: rebuild.models.iter().cloned().collect(),
            silent: rebuild.silent.iter().cloned().collect(),
        })
    }
}

/// A stage and its plan.
pub(crate) struct Next {
    pub(crate) plan: RunPlan,
    pub(crate) stage: Stage,
}

/// The plan by which the journal ends.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) text: String,
}

impl InForce {
    /// The journal's last plan; of a journal that was trimmed the newest snapshot's.
    pub(crate) fn of(history: &History, newest: Option<&Manifest>) -> Option<Self> {
        let of_snapshot = newest.map(|manifest| Self {
            fingerprint: manifest.about.fingerprint.clone(),
            text: manifest.about.project.clone(),
        });
        let of_journal = history.plan().map(|(fingerprint, text)| Self {
            fingerprint: fingerprint.clone(),
            text: text.to_owned(),
        });
        of_journal.or(of_snapshot)
    }

    /// What is being rebuilt by it.
    fn course(&self) -> Option<Course> {
        text::split(&self.text).0
    }
}

/// The dataflow of a plan that was written.
///
/// # Errors
/// [`RuntimeError::PlanUnreadable`].
pub(crate) fn dataflow_of(
    plan: &RunPlan,
    fingerprint: &Fingerprint,
    written: &str,
) -> Result<Dataflow, RuntimeError> {
    let unreadable = |reason: String| RuntimeError::PlanUnreadable { reason };
    let (course, project) = text::split(written);
    let mut dataflow = (plan.compile)(project).map_err(unreadable)?;
    if let Some(course) = course {
        dataflow = dataflow.rebuilding(&course.rebuild);
    }
    if dataflow.fingerprint() != *fingerprint {
        return Err(unreadable("this engine makes another dataflow of it".to_owned()));
    }
    Ok(dataflow)
}

/// How the state of a snapshot becomes that of another plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Both rebuild the same, and of what was silent some writes from here on: all state stays.
    GoesOn,
    /// The plans are compared. These models begin empty whatever the comparison says, and so do
    /// all shadows.
    Migrates { dropped: BTreeSet<String> },
}

impl Passage {
    /// The way from what a snapshot is about to a plan.
    ///
    /// # Errors
    /// [`RuntimeError::PlanUnreadable`].
    pub(crate) fn to(plan: &RunPlan, from: &About) -> Result<Self, RuntimeError> {
        let (Some(now), project) = text::split(&plan.project_text) else {
            return Ok(Self::Migrates { dropped: BTreeSet::new() });
        };
        if let (Some(then), _) = text::split(&from.project) {
            let is_same = then.rebuild.models == now.rebuild.models
                && then.rebuild.readers == now.rebuild.readers;
            let unreadable = |reason: String| RuntimeError::PlanUnreadable { reason };
            let project = (plan.compile)(project).map_err(unreadable)?;
            if is_same && project.rebuilding(&then.rebuild).fingerprint() == from.fingerprint {
                return Ok(Self::GoesOn);
            }
        }
        Ok(Self::Migrates { dropped: now.rebuild.models })
    }
}

/// What a start knows of the past before it restores anything.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// What the journal says.
    pub(crate) history: &'a History,
    /// The snapshot that a start would use.
    pub(crate) newest: Option<&'a Manifest>,
    /// Where its tables are.
    pub(crate) snapshots: &'a Snapshots,
}

impl Known<'_> {
    fn has_tail(&self) -> bool {
        !self.newest.is_some_and(|manifest| self.history.ends_with(manifest.about.epoch))
    }

    /// Which partitions were idle at the moment of the newest snapshot. What cannot be read is
    /// found, and told, where that is restored.
    ///
    /// # Errors
    /// [`RuntimeError::State`] if the store does not answer.
    fn idle(&self) -> Result<IdlePartitions, RuntimeError> {
        let Some(manifest) = self.newest else { return Ok(IdlePartitions::new()) };
        let Some(entry) = manifest.tables.iter().find(|table| fold::is_sources_table(table)) else {
            return Ok(IdlePartitions::new());
        };
        match self.snapshots.read_table(manifest, entry) {
            Ok(table) => Ok(fold::idle_partitions(&table).unwrap_or_default()),
            Err(StateError::Damaged { .. }) => Ok(IdlePartitions::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Which stage has to come before this one, if any.
///
/// # Errors
/// [`RuntimeError::PlanChanged`] if the change is not accepted; [`RuntimeError::PlanUnreadable`];
/// those of the store.
pub(crate) fn before(
    (plan, stage): (&RunPlan, &Stage),
    in_force: &InForce,
    known: Known<'_>,
) -> Result<Option<Next>, RuntimeError> {
    let is_same = in_force.fingerprint == plan.fingerprint;
    let has_tail = known.has_tail();
    match stage {
        Stage::Settle => return Ok(None),
        Stage::Rebuild { .. } | Stage::Join if is_same || !has_tail => return Ok(None),
        Stage::Live if is_same && plan.options.upgrade.rebuild.is_empty() => return Ok(None),
        Stage::Live | Stage::Rebuild { .. } | Stage::Join => {}
    }
    let old = dataflow_of(plan, &in_force.fingerprint, &in_force.text)?;
    let unfinished = in_force.course();
    if *stage == Stage::Live
        && let Some(course) = &unfinished
        && plan.dataflow.rebuilding(&course.rebuild).fingerprint() == in_force.fingerprint
    {
        // The project is the same: the rebuild goes on where it was.
        return Ok(Some(rebuilding(plan, marked(course.clone(), known)?, Before::Start)));
    }
    let decided = match stage {
        Stage::Live => decide(plan, &old, unfinished.as_ref())?,
        Stage::Settle | Stage::Rebuild { .. } | Stage::Join => None,
    };
    if has_tail {
        return Ok(Some(settling(plan, old, in_force)));
    }
    let (Some((rebuild, reset)), Some(newest)) = (decided, known.newest) else { return Ok(None) };
    let unfinished = unfinished.map(|course| marked(course, known)).transpose()?;
    let course = Course::begin(rebuild, unfinished.as_ref(), (newest, &known.idle()?));
    let topics = (course::topics(&old), course::topics(&plan.dataflow));
    let course = course.adapted((&topics.0, &topics.1), &reset);
    Ok(Some(rebuilding(plan, course, Before::Start)))
}

/// A rebuild with its marks, also if it was written without.
fn marked(course: Course, known: Known<'_>) -> Result<Course, RuntimeError> {
    match known.newest {
        Some(newest) if course.marks.is_empty() && !course.rebuild.silent.is_empty() => {
            // The others stood still since it began.
            Ok(Course::begin(course.rebuild, None, (newest, &known.idle()?)))
        }
        Some(_) | None => Ok(course),
    }
}

/// A stage of the project's plan.
pub(crate) fn staged(plan: &RunPlan, stage: Stage) -> Next {
    match stage {
        Stage::Rebuild { course, before } => rebuilding(plan, course, before),
        Stage::Live | Stage::Settle | Stage::Join => Next { plan: plan.clone(), stage },
    }
}

/// What comes first if the snapshot at the journal's end turns out to be unusable: the plan in force
/// replays to there and writes another.
///
/// # Errors
/// [`RuntimeError::PlanUnreadable`].
pub(crate) fn settle_first(
    plan: &RunPlan,
    in_force: &InForce,
) -> Result<Option<Next>, RuntimeError> {
    if in_force.fingerprint == plan.fingerprint {
        return Ok(None);
    }
    let old = dataflow_of(plan, &in_force.fingerprint, &in_force.text)?;
    Ok(Some(settling(plan, old, in_force)))
}

/// The plan in force, to its end.
fn settling(plan: &RunPlan, dataflow: Dataflow, in_force: &InForce) -> Next {
    let plan = RunPlan {
        dataflow,
        fingerprint: in_force.fingerprint.clone(),
        project_text: in_force.text.clone(),
        ..plan.clone()
    };
    Next { plan, stage: Stage::Settle }
}

/// A round of the rebuild of models of this plan.
fn rebuilding(plan: &RunPlan, course: Course, before: Before) -> Next {
    let dataflow = plan.dataflow.rebuilding(&course.rebuild);
    let mut plan = RunPlan {
        fingerprint: dataflow.fingerprint(),
        project_text: text::with_rebuild(&plan.project_text, &course),
        dataflow,
        ..plan.clone()
    };
    // Its end is a place in the input, not the input's.
    (plan.options.is_once, plan.options.closes_windows) = (false, false);
    Next { plan, stage: Stage::Rebuild { course, before } }
}

/// What is rebuilt of an edit that the user accepts, and readers whose event time means something
/// else from here on.
fn decide(
    plan: &RunPlan,
    old: &Dataflow,
    unfinished: Option<&Course>,
) -> Result<Option<(Rebuild, BTreeSet<ReaderName>)>, RuntimeError> {
    let upgrade = compare(old, &plan.dataflow, unfinished);
    let options = &plan.options.upgrade;
    let rebuild = rebuild_of(&upgrade, old, (&plan.dataflow, options));
    let refused: Vec<String> = upgrade
        .models
        .iter()
        .filter(|change| change.verdict.needs_acceptance() && !options.accepts_plan)
        .map(|change| change.model.clone())
        .filter(|model| !plan.dataflow.downstream(&options.rebuild).contains(model))
        .collect();
    if !refused.is_empty() {
        return Err(RuntimeError::PlanChanged { upgrade: Box::new(upgrade), refused });
    }
    let dataflow = plan.dataflow.rebuilding(&rebuild);
    let has_shadows = dataflow.sources().any(|(_, source)| shadow_of(&source.reader).is_some());
    let is_needed = has_shadows || !rebuild.silent.is_empty();
    Ok(is_needed.then_some((rebuild, upgrade.reset)))
}

/// What an edit does to the state, that of an unfinished rebuild included.
pub(crate) fn compare(old: &Dataflow, new: &Dataflow, unfinished: Option<&Course>) -> Upgrade {
    let mut upgrade = Upgrade::between(old, new);
    for change in &mut upgrade.models {
        let is_unfinished =
            unfinished.is_some_and(|one| one.rebuild.models.contains(&change.model));
        if is_unfinished && change.verdict != Verdict::Removed {
            change.verdict = Verdict::Rebuild;
            let text = "its rebuild had not ended when the project was changed".to_owned();
            change.reasons.insert(0, Reason { weight: Weight::Rebuild, text });
        }
    }
    upgrade
}

/// What has to be built up: what is new or changed too much, what the user names, and all that read
/// one of these.
pub(crate) fn rebuild_of(
    upgrade: &Upgrade,
    old: &Dataflow,
    (new, options): (&Dataflow, &UpgradeOptions),
) -> Rebuild {
    let added: BTreeSet<&str> = upgrade.with(Verdict::Added).collect();
    let mut models: BTreeSet<String> = upgrade.with(Verdict::Rebuild).map(str::to_owned).collect();
    models.extend(added.iter().map(|model| (*model).to_owned()));
    models.extend(options.rebuild.iter().cloned());
    let models = new.downstream(&models);
    let is_silent = |model: &&String| !options.re_emits && !added.contains(model.as_str());
    let readers = old.sources().map(|(_, source)| source.reader.clone());
    Rebuild {
        silent: models.iter().filter(is_silent).cloned().collect(),
        models,
        readers: readers.filter(|reader| shadow_of(reader).is_none()).collect(),
    }
}

/// What stands against a start with a changed plan, for people.
pub(crate) struct Refusal<'a>(pub(crate) &'a Upgrade, pub(crate) &'a [String]);

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for model in self.1 {
            let Some(change) = self.0.of(model) else { continue };
            let reason = match change.reasons.first() {
                Some(reason) => reason.text.as_str(),
                None => "its state would be forgotten, its topic stays",
            };
            write!(f, "\n  {model}: {}, {reason}", change.verdict.word())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
