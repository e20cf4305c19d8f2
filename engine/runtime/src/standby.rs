//! A standby: a start that waits with warm state.
//!
//! It restores what a start would, folds on what the owner commits, and when the owner's lease has
//! run out, or somebody asks for it, does the rest of a start: fence, say so in the journal, go on.
//! Where the journal takes a turn that its state does not (`--fresh`, a trimmed journal or input),
//! it begins anew from what is there then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use state::{Listed, Manifest};

use crate::driver::{Driver, Followed, Identity, Outlet, Schedule};
use crate::error::RuntimeError;
use crate::ground::Ground;
use crate::history::History;
use crate::inbox::Inbox;
use crate::lease::LeaseKeeper;
use crate::local::LocalState;
use crate::ownership::{Ownership, jitter, new_instance};
use crate::promote::StandbyPost;
use crate::recover::journal_offset;
use crate::run::{self, Readers, RunPlan, RunReport, Stages, Threads};
use crate::status::{Phase, StandbyStatus};

/// How often it is looked whether the project runs for the first time.
const FIRST_RUN_POLL: Duration = Duration::from_millis(500);

/// How many attempts one after the other may fail before one that succeeds.
const ATTEMPTS_MAX: u32 = 5;

/// How an attempt to stand by ended.
enum Outcome {
    /// The run is over.
    Ended(Box<RunReport>),
    /// The journal or the input has taken a turn.
    StartOver { reason: String },
    /// There is nothing to take over: the project has never run.
    BeginProject,
}

/// Stands by, takes over, runs.
///
/// # Errors
/// As [`run::run`].
pub(crate) fn run(plan: &RunPlan) -> Result<RunReport, RuntimeError> {
    let mut post = StandbyPost::open(&plan.state_folder)?;
    let mut failed = 0;
    loop {
        let reason = match attempt(plan, &mut post) {
            Ok(Outcome::Ended(report)) => return Ok(*report),
            Ok(Outcome::BeginProject) => {
                post.leave();
                return run::run_as_owner(plan);
            }
            Ok(Outcome::StartOver { reason }) => {
                failed = 0;
                reason
            }
            // The input is gone that the state lacks; a newer snapshot may be there, or come.
            Err(
                error @ (RuntimeError::InputGone { .. }
                | RuntimeError::Gap { .. }
                | RuntimeError::JournalTrimmed { .. }),
            ) if post.is_kept() => {
                failed += 1;
                if failed == ATTEMPTS_MAX {
                    return Err(error);
                }
                error.to_string()
            }
            // Another standby was faster, or the owner was not gone after all.
            Err(RuntimeError::OwnedByOther { owner }) if post.is_kept() => {
                format!("`{owner}` owns the project now")
            }
            Err(error) => return Err(error),
        };
        tracing::warn!(reason, "this standby begins anew");
        // The attempt's threads have ended; a stop is seen by the next one.
        Inbox::default().wait_closing(jitter()?);
    }
}

fn attempt(plan: &RunPlan, post: &mut StandbyPost) -> Result<Outcome, RuntimeError> {
    let ground = Ground::prepare(plan)?;
    ground.inbox.follow();
    let mut threads = Threads::new(&ground.inbox);
    let result = stand_by(plan, &ground, (&mut threads, post));
    threads.finish(result)
}

fn stand_by(
    plan: &RunPlan,
    ground: &Ground,
    (threads, post): (&mut Threads, &mut StandbyPost),
) -> Result<Outcome, RuntimeError> {
    let instance = new_instance()?;
    let local = LocalState::unlocked(&plan.state_folder);
    let from = journal_offset(plan, &ground.snapshots, &local)?;
    let mut ownership = ground.ownership(plan, Vec::new(), (&instance, from))?;
    let history = match await_first_run(plan, ground, (&mut ownership, post))? {
        Awaited::History(history) => history,
        Awaited::Promoted => return Ok(Outcome::BeginProject),
        Awaited::Stopped => return Ok(Outcome::Ended(Box::new(RunReport::of_nothing()))),
    };
    let identity = Identity::new(instance, &history, &plan.options)?;
    let start = ownership.start_of_journal();
    let (fold, past) = ground.recover((plan, None), &local, (&start, history), None)?;
    let mut readers = Readers::open(plan, ground)?;
    readers.place(plan, &past)?;
    let topics = readers.topics();
    let views = readers.start(threads, &ground.inbox, plan)?;
    let stages = Stages::open();
    let outlet = Outlet {
        to_encode: stages.to_encode.clone(),
        kept_bytes: Arc::clone(&stages.kept_bytes),
        inbox: Arc::clone(&ground.inbox),
        snapshots: Schedule::off(plan.options.snapshot_interval),
    };
    let mut driver = Driver::new(plan, fold, views, (identity, local), outlet);
    driver.warm_up(past.replay)?;
    let warm = Warm { driver, ownership, stages, topics };
    take_turn(plan, ground, warm, (threads, post))
}

/// A standby that has folded all that the journal said at its start.
struct Warm {
    driver: Driver,
    ownership: Ownership,
    stages: Stages,
    /// Ids of the topics that are read, by name.
    topics: BTreeMap<String, String>,
}

/// Follows until it is this process' turn, and runs.
fn take_turn(
    plan: &RunPlan,
    ground: &Ground,
    warm: Warm,
    (threads, post): (&mut Threads, &mut StandbyPost),
) -> Result<Outcome, RuntimeError> {
    let Warm { mut driver, mut ownership, stages, topics } = warm;
    loop {
        let is_pushing = match driver.follow(&mut ownership, post)? {
            Followed::Stopped => return Ok(Outcome::Ended(Box::new(driver.report(true)))),
            Followed::StartOver { reason } => return Ok(Outcome::StartOver { reason }),
            Followed::TakeOver { is_pushing } => is_pushing,
        };
        tracing::info!(is_pushing, "taking over");
        let (producer, entries) = match ownership.take_over(is_pushing) {
            Ok(taken) => taken,
            Err(RuntimeError::Connector(error)) if error.is_retriable() => {
                tracing::warn!(%error, "the project cannot be taken over, trying again");
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(reason) = driver.check_following(&entries) {
            return Ok(Outcome::StartOver { reason });
        }
        let Some(producer) = producer else {
            // The owner lives; it finds out by itself that nobody took over.
            if let Some(reason) = driver.fold_entries(&entries)? {
                return Ok(Outcome::StartOver { reason });
            }
            ground.inbox.wait_closing(jitter()?);
            continue;
        };
        let (last, journal_offset) = (ownership.epoch(), ownership.end());
        let to_encode = stages.to_encode.clone();
        stages.start(plan, ground, (ownership, producer), threads)?;
        // What follows asks the broker and the store, which may take longer than the lease.
        let identity = driver.own(last, topics);
        let keeper = LeaseKeeper::start(identity, &to_encode, &ground.inbox)?;
        driver.await_committed(last.next())?;
        post.leave();
        driver.fold_last(&entries)?;
        let newest = newest_snapshot(ground, &driver)?;
        let snapshots = ground.snapshot_thread(plan, journal_offset, newest)?;
        let snapshots = Schedule::new(snapshots, plan.options.snapshot_interval);
        let notes = plan.board.read().notes;
        let bounds = run::bounds(plan)?;
        let identity = keeper.release(&ground.inbox)?;
        drop(to_encode);
        let report = driver.succeed(identity, &bounds, snapshots)?;
        return Ok(Outcome::Ended(Box::new(RunReport { notes, ..report })));
    }
}

/// The newest snapshot that a start would use now.
fn newest_snapshot(ground: &Ground, driver: &Driver) -> Result<Option<Manifest>, RuntimeError> {
    let listed = ground.snapshots.list()?;
    let mut manifests = listed.iter().filter_map(Listed::manifest);
    Ok(manifests.find(|one| driver.has_led_to(&one.about)).cloned())
}

/// What the journal says, once it says something.
enum Awaited {
    History(History),
    Promoted,
    Stopped,
}

fn await_first_run(
    plan: &RunPlan,
    ground: &Ground,
    (ownership, post): (&mut Ownership, &StandbyPost),
) -> Result<Awaited, RuntimeError> {
    loop {
        let history = ownership.history()?;
        if history.journal_id.is_some() {
            return Ok(Awaited::History(history));
        }
        if ground.inbox.lock().is_stopping {
            return Ok(Awaited::Stopped);
        }
        if post.is_promoted() {
            return Ok(Awaited::Promoted);
        }
        plan.board.update(|status| {
            status.phase = Phase::Standby;
            status.standby = Some(StandbyStatus {
                owner: None,
                epochs_behind: 0,
                behind: None,
                silent: Duration::ZERO,
                lease: Duration::ZERO,
            });
        });
        ground.inbox.wait_closing(FIRST_RUN_POLL);
    }
}
