//! What a start with the project as it is would do, without doing it.

use std::collections::BTreeMap;

use connectors::admin::Admin;
use planner::dataflow::shadow_of;
use planner::dataflow::upgrade::Upgrade;
use state::Snapshots;
use stream::{Epoch, ReaderName};

use super::{InForce, UpgradeOptions, compare, dataflow_of, rebuild_of};
use crate::error::RuntimeError;
use crate::history::History;
use crate::recover::newest_of;
use crate::run::RunPlan;

/// What a start with a project would do.
#[derive(Debug, Clone)]
pub struct PlanPicture {
    /// The epoch that the state is of; none if the project never ran.
    pub epoch: Option<Epoch>,
    /// What becomes of the state; empty if the project never ran.
    pub upgrade: Upgrade,
    /// What is read again by what is rebuilt or new.
    pub inputs: Vec<RebuildInput>,
    /// Models of which a rebuild has begun and not ended.
    pub unfinished: Vec<String>,
}

/// What of one topic is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildInput {
    /// The reader that stands further on.
    pub reader: ReaderName,
    /// Kafka topic.
    pub topic: String,
    /// Partition, first offset, end offset.
    pub partitions: Vec<(i32, i64, i64)>,
    /// Models that read it.
    pub models: Vec<String>,
}

impl RebuildInput {
    /// How many offsets that are; there are at most so many records.
    pub fn records(&self) -> u64 {
        let lengths = self.partitions.iter().map(|(_, first, end)| end - first);
        lengths.map(|length| u64::try_from(length).unwrap_or_default()).sum()
    }
}

/// Compares a plan with the state that there is.
///
/// # Errors
/// [`RuntimeError::PlanUnreadable`] if the state's plan cannot be read; those of the store and of
/// Kafka.
pub fn inspect(plan: &RunPlan) -> Result<PlanPicture, RuntimeError> {
    let admin = Admin::open(&plan.cluster)?;
    let nothing = PlanPicture {
        epoch: None,
        upgrade: Upgrade::between(&plan.dataflow, &plan.dataflow),
        inputs: Vec::new(),
        unfinished: Vec::new(),
    };
    let journal = plan.names.journal();
    if admin.topic(&journal)?.is_none() {
        return Ok(nothing);
    }
    let history = History::read(&plan.cluster, &journal, (0, None))?;
    let listed = Snapshots::open(&plan.snapshots)?.list()?;
    let newest = newest_of(&listed, &history);
    let Some(in_force) = InForce::of(&history, newest) else { return Ok(nothing) };
    let old = dataflow_of(plan, &in_force.fingerprint, &in_force.text)?;
    let unfinished = in_force.course();
    let goes_on = unfinished.as_ref().is_some_and(|course| {
        plan.dataflow.rebuilding(&course.rebuild).fingerprint() == in_force.fingerprint
    });
    let upgrade = compare(&old, &plan.dataflow, unfinished.as_ref().filter(|_| !goes_on));
    let options = UpgradeOptions::default();
    let rebuild = match &unfinished {
        Some(unfinished) if goes_on => unfinished.rebuild.clone(),
        _ => rebuild_of(&upgrade, &old, (&plan.dataflow, &options)),
    };
    let positions = history.positions(newest);
    let dataflow = plan.dataflow.rebuilding(&rebuild);
    let mut inputs = Vec::new();
    for (node, source) in dataflow.sources() {
        let Some(reader) = shadow_of(&source.reader) else { continue };
        let Some(topic) = admin.topic(&source.topic)? else { continue };
        let bounds = (0..).zip(admin.bounds(&topic)?);
        let partitions = bounds.filter_map(|(partition, (first, _))| {
            let at = positions.get(&(reader.clone(), partition))?;
            (at.end > first).then_some((partition, first, at.end))
        });
        let readers = readers_of(&dataflow, node);
        let models = rebuild.models.iter().filter(|model| readers.contains_key(model.as_str()));
        inputs.push(RebuildInput {
            partitions: partitions.collect(),
            topic: source.topic.clone(),
            models: models.cloned().collect(),
            reader,
        });
    }
    let unfinished = unfinished.map(|course| course.rebuild.models.into_iter().collect());
    Ok(PlanPicture {
        epoch: Some(history.epoch),
        upgrade,
        inputs,
        unfinished: unfinished.unwrap_or_default(),
    })
}

/// The models that a node's rows reach.
fn readers_of(dataflow: &planner::dataflow::Dataflow, node: usize) -> BTreeMap<&str, usize> {
    let readers = dataflow.readers();
    let mut reached = BTreeMap::new();
    let mut open = vec![node];
    while let Some(next) = open.pop() {
        for (reader, _) in &readers[next] {
            reached.insert(dataflow.nodes[*reader].id.model(), *reader);
            open.push(*reader);
        }
    }
    reached
}
