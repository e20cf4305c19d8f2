//! What a run, a standby and a replay stand on: topics, snapshots, and the way from them to a state.

use std::sync::Arc;

use planner::dataflow::Dataflow;
use state::{Manifest, Snapshots};
use stream::InstanceName;

use crate::error::RuntimeError;
use crate::fold::Fold;
use crate::history::History;
use crate::inbox::Inbox;
use crate::local::LocalState;
use crate::ownership::{Ownership, StartOfJournal};
use crate::prepare::{Prepared, look, prepare};
use crate::recover::{Ahead, Past, newest_of, recover};
use crate::run::{RunPlan, claim};
use crate::snapshots::{SnapshotPlan, SnapshotThread};
use crate::status::SnapshotSummary;
use crate::upgrade::{self, InForce, Known, Next, Stage};

/// What a run stands on before it knows whether the project is its own.
pub(crate) struct Ground {
    pub(crate) snapshots: Snapshots,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) prepared: Prepared,
    pub(crate) dataflow: Arc<Dataflow>,
}

impl Ground {
    /// Makes the topics ready, and takes stops from here on.
    ///
    /// # Errors
    /// Those of Kafka and of the snapshots' place.
    pub(crate) fn prepare(plan: &RunPlan) -> Result<Self, RuntimeError> {
        let snapshots = Snapshots::open(&plan.snapshots)?;
        let interval = plan.options.snapshot_interval;
        let prepared = prepare(&plan.cluster, &plan.dataflow, &plan.names, interval)?;
        plan.board.update(|status| status.notes.clone_from(&prepared.notes));
        tracing::debug!("topics are ready");
        Ok(Self::new(plan, snapshots, prepared))
    }

    /// As [`Ground::prepare`], for who only reads: nothing is created.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn look(plan: &RunPlan) -> Result<Self, RuntimeError> {
        let snapshots = Snapshots::open(&plan.snapshots)?;
        Ok(Self::new(plan, snapshots, look(&plan.cluster, &plan.dataflow, &plan.names)?))
    }

    fn new(plan: &RunPlan, snapshots: Snapshots, prepared: Prepared) -> Self {
        let inbox = Arc::new(Inbox::default());
        plan.stop.attach(&inbox);
        Self { snapshots, inbox, prepared, dataflow: Arc::new(plan.dataflow.clone()) }
    }

    /// Opens the journal at an offset; `former` instances are gone.
    ///
    /// # Errors
    /// Those of the connectors.
    pub(crate) fn ownership(
        &self,
        plan: &RunPlan,
        former: Vec<InstanceName>,
        at: (&InstanceName, i64),
    ) -> Result<Ownership, RuntimeError> {
        Ownership::open(claim(plan, &self.prepared, former, at))
    }

    /// Which stage has to come before this one, if any; and the plan in force.
    pub(crate) fn stage_before(
        &self,
        Next { plan, stage }: &Next,
        history: &History,
    ) -> Result<(Option<Next>, Option<InForce>), RuntimeError> {
        if plan.options.is_fresh || history.journal_id.is_none() {
            return Ok((None, None));
        }
        let listed = self.snapshots.list()?;
        let newest = newest_of(&listed, history);
        let Some(in_force) = InForce::of(history, newest) else { return Ok((None, None)) };
        let known = Known { history, newest, snapshots: &self.snapshots };
        let before = upgrade::before((plan, stage), &in_force, known)?;
        Ok((before, Some(in_force)))
    }

    /// Finds what the run continues: a fold with its state, and what is to be replayed. Without a
    /// stage the plan must be the one by which the state was kept.
    ///
    /// # Errors
    /// As [`recover`].
    pub(crate) fn recover(
        &self,
        (plan, stage): (&RunPlan, Option<&Stage>),
        local: &LocalState,
        past: (&StartOfJournal, History),
        ahead: Option<Ahead>,
    ) -> Result<(Fold, Past), RuntimeError> {
        let mut fold = Fold::new(&self.dataflow)?;
        let cluster_id = self.prepared.cluster_id.as_deref();
        let known = (local, &self.snapshots, ahead);
        let past = recover((plan, stage), known, past, cluster_id, &mut fold)?;
        tracing::debug!("the state is restored");
        plan.board.update(|status| {
            status.committing = None;
            status.notes.clone_from(&self.prepared.notes);
            status.notes.extend(past.notes.iter().cloned());
            status.snapshots.newest = past.snapshot.as_ref().map(SnapshotSummary::of);
        });
        Ok((fold, past))
    }

    /// Starts the thread that writes snapshots; later entries begin at `journal_offset` or behind.
    ///
    /// # Errors
    /// As [`SnapshotThread::start`].
    pub(crate) fn snapshot_thread(
        &self,
        plan: &RunPlan,
        journal_offset: i64,
        newest: Option<Manifest>,
    ) -> Result<SnapshotThread, RuntimeError> {
        let snapshots = SnapshotPlan {
            snapshots: Snapshots::open(&plan.snapshots)?,
            cluster: plan.cluster.clone(),
            cluster_id: self.prepared.cluster_id.clone(),
            journal: plan.names.journal(),
            journal_offset,
            newest,
            board: Arc::clone(&plan.board),
            clock: Arc::clone(&plan.clock),
        };
        SnapshotThread::start(snapshots, &self.inbox)
    }
}
