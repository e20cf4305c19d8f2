//! The fold: `step(state, item) -> (state, outputs)`.
//!
//! **Invariant:** state and outputs are a function of the list of items (and the records that the
//! slices name) alone: not of batch cuts, threads, wall clock, hash seeds or restarts. The fold
//! reads no clock and no Kafka; who drives it hands it the decoded rows of each slice.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use planner::dataflow::{Dataflow, Node, OnError, Operator as NodeOperator, Source, shadow_of};
use stream::{Batch, EventTime, Item, ReaderName, SliceRows};

mod counters;
mod dead_letters;
mod frozen;
mod migrate;
mod source;

use crate::operator::{
    DiscardReason, Discarded, OpenWindow, Operator, OperatorError, Output, StateSize,
};
use crate::operators;
use source::SourceState;

pub use counters::{Counters, ModelCounters, SourceCounters};
pub use dead_letters::{DeadLetterReason, DeadLetters};
pub use frozen::FrozenFold;
pub(crate) use source::{idle_partitions, is_sources_table, refusal};

/// The state of a running dataflow.
pub struct Fold {
    dataflow: Arc<Dataflow>,
    /// One a node; `None` for sources and sinks.
    operators: Vec<Option<Box<dyn Operator>>>,
    /// For each node the (node, port) pairs that read it.
    readers: Vec<Vec<(usize, usize)>>,
    /// For each node the node of the source whose rows arrive at port 0, and at port 1.
    origins: Vec<[usize; 2]>,
    sources: BTreeMap<ReaderName, SourceState>,
    counters: Counters,
    /// For each node the source or model under whose name it is counted.
    names: Vec<String>,
    /// For each node whether what it discards was dead-lettered before: it is rebuilt without
    /// outputs, or is a shadow.
    is_silent: Vec<bool>,
    /// Whether rows depend on the step's time.
    reads_clock: bool,
}

/// What one step gives.
#[derive(Debug, Default)]
pub struct Step {
    /// Rows for the sinks, in order; rows of one sink are in the order in which they are written.
    pub outputs: Vec<SinkRows>,
    /// What goes no further.
    pub dead_letters: Vec<DeadLetters>,
}

/// Batches of one source that go through the operators together.
#[derive(Default)]
struct Gathered {
    node: usize,
    batches: Vec<Batch>,
}

/// Rows for one sink.
#[derive(Debug, Clone)]
pub struct SinkRows {
    /// Index of the sink's node.
    pub node: usize,
    /// Columns of the sink's input.
    pub rows: RecordBatch,
}

/// What stops a fold.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// An operator failed where no row can be blamed.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// Arrow failed where no row can be blamed: our bug.
    #[error("cannot fold `{reader}`")]
    Compute {
        /// The reader.
        reader: ReaderName,
        /// What Arrow said.
        source: ArrowError,
    },
    /// A source with `on_error: fail` met a record that cannot be processed.
    #[error(
        "source `{source_name}` has `on_error: fail`, and {topic}/{partition}@{offset} cannot be processed: {detail}"
    )]
    BadRecord {
        /// The source.
        source_name: String,
        /// Kafka topic.
        topic: String,
        /// Kafka partition.
        partition: i32,
        /// Kafka offset.
        offset: i64,
        /// Why.
        detail: String,
    },
    /// An item names a reader that the plan does not have.
    #[error("the plan has no reader `{reader}`")]
    UnknownReader {
        /// The reader.
        reader: ReaderName,
    },
    /// A slice came without its rows.
    #[error("no rows were given for the slice of `{reader}`")]
    MissingRows {
        /// The reader.
        reader: ReaderName,
    },
}

impl Fold {
    /// A fold with empty state.
    ///
    /// # Errors
    /// [`FoldError::Operator`] if the dataflow asks for what no operator can do: a planner's bug.
    pub fn new(dataflow: &Arc<Dataflow>) -> Result<Self, FoldError> {
        let mut operators = Vec::with_capacity(dataflow.nodes.len());
        for (index, node) in dataflow.nodes.iter().enumerate() {
            operators.push(match &node.operator {
                NodeOperator::Source(_) | NodeOperator::Sink(_) => None,
                NodeOperator::Filter(_)
                | NodeOperator::Project(_)
                | NodeOperator::TemporalJoin(_)
                | NodeOperator::WindowAggregate(_) => {
                    let inputs: Vec<_> = (0..node.inputs.len())
                        .map(|port| dataflow.input_schema(index, port))
                        .collect();
                    Some(operators::build(node, &inputs)?)
                }
            });
        }
        let sources = dataflow
            .sources()
            .map(|(node, source)| (source.reader.clone(), SourceState::new(node, source)))
            .collect();
        let (counters, names) = Counters::of(dataflow);
        Ok(Self {
            dataflow: Arc::clone(dataflow),
            readers: dataflow.readers(),
            is_silent: silent(dataflow),
            reads_clock: dataflow.reads_clock(),
            origins: origins(dataflow),
            operators,
            sources,
            counters,
            names,
        })
    }

    /// The dataflow that is folded.
    pub fn dataflow(&self) -> &Arc<Dataflow> {
        &self.dataflow
    }

    /// What was counted since the state was empty.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The watermark of a reader.
    pub fn watermark(&self, reader: &ReaderName) -> Option<stream::Watermark> {
        self.sources.get(reader).map(SourceState::watermark)
    }

    /// The watermark of one partition of a reader.
    pub fn partition_watermark(&self, reader: &ReaderName, partition: i32) -> stream::Watermark {
        self.sources
            .get(reader)
            .map_or(stream::Watermark::NONE, |source| source.partition_watermark(partition))
    }

    /// The greatest event time that a reader has seen.
    pub fn newest_event(&self, reader: &ReaderName) -> Option<EventTime> {
        self.sources.get(reader).and_then(SourceState::newest_event)
    }

    /// For each open window that closes next in its operator: the operator's node, and the window.
    pub fn open_windows(&self) -> impl Iterator<Item = (usize, OpenWindow)> {
        self.operators.iter().enumerate().filter_map(|(node, operator)| {
            operator.as_ref().and_then(|it| it.open_window()).map(|window| (node, window))
        })
    }

    /// How much each operator keeps, by its id.
    pub fn sizes(&self) -> Vec<(&str, StateSize)> {
        let operators = self.dataflow.nodes.iter().zip(&self.operators);
        operators
            .filter_map(|(node, operator)| Some((node.id.0.as_str(), operator.as_ref()?.size())))
            .collect()
    }

    /// Whether a partition is left out of its reader's watermark.
    pub fn is_idle(&self, reader: &ReaderName, partition: i32) -> bool {
        self.sources.get(reader).is_some_and(|source| source.is_idle(partition))
    }

    /// Folds one item. A slice comes with its `rows`, no other item does.
    ///
    /// # Errors
    /// [`FoldError`]: the fold must not be used after one.
    pub fn step(&mut self, item: &Item, rows: Option<SliceRows>) -> Result<Step, FoldError> {
        self.run([(item, rows)])
    }

    /// Folds items in their order, with the outcome of a step for each: what follows one another
    /// from one source goes through the operators as one batch.
    ///
    /// # Errors
    /// Those of [`Fold::step`].
    pub fn run<I: Borrow<Item>>(
        &mut self,
        items: impl IntoIterator<Item = (I, Option<SliceRows>)>,
    ) -> Result<Step, FoldError> {
        let mut step = Step::default();
        let mut gathered = Gathered::default();
        for (item, rows) in items {
            let next = match item.borrow() {
                Item::Slice { reader, partition, .. } => {
                    let missing = || FoldError::MissingRows { reader: reader.clone() };
                    let rows = rows.ok_or_else(missing)?;
                    Some(self.admit(reader, *partition, rows, &mut step)?)
                }
                other => {
                    if self.is_seen_below(other) {
                        self.flow_gathered(&mut gathered, &mut step)?;
                    }
                    self.note(other, &mut step)?
                }
            };
            let Some((node, batch)) = next else { continue };
            if gathered.node != node {
                self.flow_gathered(&mut gathered, &mut step)?;
                gathered.node = node;
            }
            gathered.batches.push(batch);
        }
        self.flow_gathered(&mut gathered, &mut step)?;
        Ok(step)
    }

    /// Whether operators look at what the item changes, so that it must not come before the rows
    /// ahead of it.
    fn is_seen_below(&self, item: &Item) -> bool {
        match item {
            Item::Clock(_) => self.reads_clock,
            Item::EndOfInput => true,
            _ => false,
        }
    }

    /// Folds an item that is no slice; gives the watermark that a source passes on, if it rose.
    fn note(&mut self, item: &Item, step: &mut Step) -> Result<Option<(usize, Batch)>, FoldError> {
        let (reader, advance) = match item {
            Item::Start { reader, partition, .. } => {
                self.source(reader)?.add_partition(*partition);
                return Ok(None);
            }
            Item::Partitions { reader, count } => {
                let source = self.source(reader)?;
                (0..*count).for_each(|partition| source.add_partition(partition));
                return Ok(None);
            }
            Item::Clock(now) => {
                if *now > self.dataflow.clock.get() {
                    self.dataflow.clock.set(*now);
                }
                return Ok(None);
            }
            Item::Active { reader, partition } => {
                self.source(reader)?.set_idle(*partition, false);
                return Ok(None);
            }
            Item::EndOfInput => {
                self.end_of_input(step)?;
                return Ok(None);
            }
            Item::Idle { reader, partition } => {
                (reader, self.source(reader)?.set_idle(*partition, true))
            }
            Item::Advance { reader, watermark } => (reader, self.source(reader)?.raise(*watermark)),
            Item::Slice { .. }
            | Item::Skip { .. }
            | Item::Plan { .. }
            | Item::Generation(_)
            | Item::Owner(_) => return Ok(None),
        };
        let Some(advance) = advance else { return Ok(None) };
        let node = self.source(reader)?.node();
        let rows = RecordBatch::new_empty(Arc::clone(&self.dataflow.nodes[node].schema));
        Ok(Some((node, Batch { advances: vec![advance], ..Batch::of(rows) })))
    }

    fn flow_gathered(&mut self, gathered: &mut Gathered, step: &mut Step) -> Result<(), FoldError> {
        let batches = std::mem::take(&mut gathered.batches);
        let node = gathered.node;
        let batch = Batch::concat(batches).map_err(|source| {
            let reader = source_at(&self.dataflow, node).reader.clone();
            FoldError::Compute { reader, source }
        })?;
        batch.map_or(Ok(()), |batch| self.flow(node, &batch, step))
    }

    fn source(&mut self, reader: &ReaderName) -> Result<&mut SourceState, FoldError> {
        self.sources
            .get_mut(reader)
            .ok_or_else(|| FoldError::UnknownReader { reader: reader.clone() })
    }

    /// The rows of a slice that its source lets in, with the source's node.
    fn admit(
        &mut self,
        reader: &ReaderName,
        partition: i32,
        rows: SliceRows,
        step: &mut Step,
    ) -> Result<(usize, Batch), FoldError> {
        let now = self.dataflow.clock.get();
        let SliceRows { batch, rejected, nulls_skipped } = rows;
        let source = self.source(reader)?;
        let node = source.node();
        let admitted = source
            .admit(partition, batch, now)
            .map_err(|error| FoldError::Compute { reader: reader.clone(), source: error })?;
        let counters = self.counters.source(&self.names[node]);
        counters.records += admitted.batch.row_count() as u64
            + rejected.len() as u64
            + nulls_skipped
            + admitted.refused.iter().map(|refused| refused.rows.num_rows() as u64).sum::<u64>();
        counters.nulls_skipped += nulls_skipped;
        counters.rejected += rejected.len() as u64;
        for refused in &admitted.refused {
            match refused.reason {
                DeadLetterReason::Future => counters.future += refused.rows.num_rows() as u64,
                _ => counters.null_time += refused.rows.num_rows() as u64,
            }
        }
        let dataflow = Arc::clone(&self.dataflow);
        let source = source_at(&dataflow, node);
        let mut letters = Vec::new();
        if !rejected.is_empty() {
            letters.push(DeadLetters::of_records(source, rejected));
        }
        letters.extend(admitted.refused.into_iter().map(|refused| refused.into_letters(source)));
        letters.retain(|_| !self.is_silent[node]);
        for letter in letters {
            file(source, letter, step)?;
        }
        Ok((node, admitted.batch))
    }

    /// Hands what a node gave to all that read it.
    fn flow(&mut self, from: usize, batch: &Batch, step: &mut Step) -> Result<(), FoldError> {
        if batch.is_void() {
            return Ok(());
        }
        for at in 0..self.readers[from].len() {
            let (node, port) = self.readers[from][at];
            if port == 0 && self.names[from] != self.names[node] {
                self.counters.model(&self.names[node]).rows_in += batch.row_count() as u64;
            }
            match &mut self.operators[node] {
                None => {
                    if batch.row_count() > 0 {
                        self.counters.model(&self.names[node]).rows_out += batch.row_count() as u64;
                        step.outputs.push(SinkRows { node, rows: batch.rows.clone() });
                    }
                }
                Some(operator) => {
                    let mut output = Output::default();
                    operator.push(port, batch.clone(), &mut output)?;
                    self.flow_output(node, output, step)?;
                }
            }
        }
        Ok(())
    }

    fn flow_output(
        &mut self,
        node: usize,
        output: Output,
        step: &mut Step,
    ) -> Result<(), FoldError> {
        self.counters.discarded(&self.names[node], &output);
        for discarded in output.discarded {
            self.discard(node, discarded, step)?;
        }
        output.batches.iter().try_for_each(|batch| self.flow(node, batch, step))
    }

    fn discard(&self, node: usize, discarded: Discarded, step: &mut Step) -> Result<(), FoldError> {
        if self.is_silent[node] {
            return Ok(());
        }
        let origin = self.origins[node][discarded.port.min(1)];
        let source = source_at(&self.dataflow, origin);
        let is_late = discarded.reason != DiscardReason::Failed;
        let letters = DeadLetters::of_discarded(source, &self.dataflow.nodes[node].id, discarded);
        if is_late && source.on_error == OnError::Fail {
            step.dead_letters.push(letters);
            return Ok(());
        }
        file(source, letters, step)
    }

    fn end_of_input(&mut self, step: &mut Step) -> Result<(), FoldError> {
        for node in 0..self.operators.len() {
            if let Some(operator) = &mut self.operators[node] {
                let mut output = Output::default();
                operator.end_of_input(&mut output)?;
                self.flow_output(node, output, step)?;
            }
        }
        Ok(())
    }
}

/// The source of a node at which rows begin.
fn source_at(dataflow: &Dataflow, node: usize) -> &Source {
    match &dataflow.nodes[node].operator {
        NodeOperator::Source(source) => source,
        _ => unreachable!("rows come from a source's node"),
    }
}

/// Does with dead letters what their source asks for.
fn file(source: &Source, letters: DeadLetters, step: &mut Step) -> Result<(), FoldError> {
    match source.on_error {
        OnError::Skip => Ok(()),
        OnError::DeadLetter => {
            step.dead_letters.push(letters);
            Ok(())
        }
        OnError::Fail => {
            let (partition, offset, detail) = letters.first();
            Err(FoldError::BadRecord {
                source_name: source.source.clone(),
                topic: source.topic.clone(),
                partition,
                offset,
                detail,
            })
        }
    }
}

/// Nodes whose dead letters are there already: shadows, and models that are rebuilt without a sink.
fn silent(dataflow: &Dataflow) -> Vec<bool> {
    let is_rebuilding = dataflow.sources().any(|(_, source)| shadow_of(&source.reader).is_some());
    let has_sink = |model: &str| dataflow.sinks().any(|(_, sink)| sink.model == model);
    let is_silent = |node: &Node| match &node.operator {
        NodeOperator::Source(source) => shadow_of(&source.reader).is_some(),
        NodeOperator::Filter(_)
        | NodeOperator::Project(_)
        | NodeOperator::TemporalJoin(_)
        | NodeOperator::WindowAggregate(_)
        | NodeOperator::Sink(_) => {
            node.id.is_shadow() || (is_rebuilding && !has_sink(node.id.model()))
        }
    };
    dataflow.nodes.iter().map(is_silent).collect()
}

/// For each node the source whose rows arrive at its ports 0 and 1 (along port 0 from there).
fn origins(dataflow: &Dataflow) -> Vec<[usize; 2]> {
    let mut origins: Vec<[usize; 2]> = Vec::with_capacity(dataflow.nodes.len());
    for (index, node) in dataflow.nodes.iter().enumerate() {
        let origin_of = |port: usize| match node.inputs.get(port).or(node.inputs.first()) {
            Some(input) => origins[*input][0],
            None => index,
        };
        let both = [origin_of(0), origin_of(1)];
        origins.push(both);
    }
    origins
}
