//! The state at any epoch: the nearest snapshot before it, and the journal's entries up to it.
//!
//! **Invariant:** nothing is written, created or committed, and no transactional id touched: it can
//! be done beside a running engine.

use std::sync::Arc;

use state::{Listed, OperatorTables};
use stream::{Epoch, Generation};

use crate::driver::{Driver, Identity, Outlet, Schedule};
use crate::error::RuntimeError;
use crate::ground::Ground;
use crate::local::LocalState;
use crate::ownership::new_instance;
use crate::prepare::Note;
use crate::run::{Readers, RunPlan, Stages, Threads};

/// The state at the end of an epoch.
#[derive(Debug)]
pub struct ReplayedState {
    /// The epoch.
    pub epoch: Epoch,
    /// Its generation.
    pub generation: Generation,
    /// The epoch of the snapshot from which the replay began, if it did from one.
    pub snapshot: Option<Epoch>,
    /// Records that were folded again.
    pub records: u64,
    /// The tables of each operator, and under an empty name those of the fold as a whole.
    pub operators: Vec<OperatorTables>,
    /// What the replay found out about snapshots.
    pub notes: Vec<Note>,
}

/// Makes the state at the end of epoch `to` again; without it, at the journal's end.
///
/// # Errors
/// [`RuntimeError::EpochAhead`], [`RuntimeError::EpochGone`], [`RuntimeError::EpochOfOtherPlan`];
/// those of a start that reads the same input.
pub fn replay(plan: &RunPlan, to: Option<Epoch>) -> Result<ReplayedState, RuntimeError> {
    let ground = Ground::look(plan)?;
    ground.inbox.follow();
    let mut threads = Threads::new(&ground.inbox);
    let result = replay_on(plan, &ground, (to, &mut threads));
    threads.finish(result)
}

fn replay_on(
    plan: &RunPlan,
    ground: &Ground,
    (to, threads): (Option<Epoch>, &mut Threads),
) -> Result<ReplayedState, RuntimeError> {
    let instance = new_instance()?;
    let local = LocalState::unlocked(&plan.state_folder);
    let listed = ground.snapshots.list()?;
    let from = offset_before(&listed, to);
    let ownership = ground.ownership(plan, Vec::new(), (&instance, from))?;
    let mut start = ownership.start_of_journal();
    start.until = to;
    let mut history = start.read_from(from)?;
    // The journal, or a generation of it, may begin behind the snapshot that was chosen.
    if history.journal_id.is_none() {
        history = start.reread()?;
    }
    let (last, topic) = (history.epoch, plan.names.journal());
    let epoch = to.unwrap_or(last);
    if history.journal_id.is_none() || last != epoch {
        let is_trimmed = start.first_offset > 0 && history.journal_id.is_none();
        return Err(if is_trimmed {
            gone(plan, (epoch, start.first_offset), String::new())
        } else {
            RuntimeError::EpochAhead { epoch, topic, last }
        });
    }
    let identity = Identity::new(instance, &history, &plan.options)?;
    let generation = history.generation;
    let (fold, past) = match ground.recover((plan, None), &local, (&start, history), None) {
        Err(RuntimeError::JournalTrimmed { offset, reasons, .. }) => {
            return Err(gone(plan, (epoch, offset), reasons));
        }
        Err(RuntimeError::OtherPlan { journal, now }) => {
            return Err(RuntimeError::EpochOfOtherPlan { epoch, journal, now });
        }
        recovered => recovered?,
    };
    let mut readers = Readers::open(plan, ground)?;
    readers.place(plan, &past)?;
    let views = readers.start(threads, &ground.inbox, plan)?;
    let stages = Stages::open();
    let outlet = Outlet {
        to_encode: stages.to_encode,
        kept_bytes: stages.kept_bytes,
        inbox: Arc::clone(&ground.inbox),
        snapshots: Schedule::off(plan.options.snapshot_interval),
    };
    let mut driver = Driver::new(plan, fold, views, (identity, local), outlet);
    driver.warm_up(past.replay)?;
    let (records, operators) = driver.into_state();
    let snapshot = past.snapshot.map(|one| one.about.epoch);
    Ok(ReplayedState { epoch, generation, snapshot, records, operators, notes: past.notes })
}

/// Where the journal must be read from: the newest complete snapshot at or before the epoch.
fn offset_before(listed: &[Listed], to: Option<Epoch>) -> i64 {
    let manifests = listed.iter().filter_map(Listed::manifest);
    let before = manifests.filter(|one| to.is_none_or(|to| one.about.epoch <= to));
    before.max_by_key(|one| one.about.epoch).map_or(0, |one| one.about.journal_offset)
}

fn gone(plan: &RunPlan, (epoch, offset): (Epoch, i64), reasons: String) -> RuntimeError {
    let place = plan.snapshots.to_string();
    RuntimeError::EpochGone { epoch, topic: plan.names.journal(), offset, place, reasons }
}
