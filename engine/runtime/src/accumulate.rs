//! Aggregate functions over many groups at once: one slot a group, Flink's meaning.
//!
//! **Invariant:** an accumulator's result is a function of the values that its slot was given, in the
//! order in which they were given; no partial results are merged, so that a float sum is the same
//! bits however rows were batched and whether or not a snapshot came between. Absent: retraction and
//! merging of slots, which come with the operators that need them.

mod average;
mod collect;
mod count;
mod distinct;
mod extreme;
mod first_last;
mod list;
mod sum;
mod variance;

use std::fmt;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use planner::dataflow::{AggregateCall, AggregateFunction};

use crate::slots::{Selection, Slots};

/// One aggregate over many groups.
pub(crate) trait SlotAccumulator: Send + fmt::Debug {
    /// Adds empty slots until there are `count`.
    fn grow(&mut self, count: usize);

    /// Folds the selected rows of the arguments, in order.
    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError>;

    /// The results of all slots; changes nothing.
    fn evaluate(&self) -> Result<ArrayRef, ArrowError>;

    /// What it holds in memory, about.
    fn bytes(&self) -> usize;

    /// The state at this moment, by cloning pointers.
    fn freeze(&self) -> Box<dyn FrozenAccumulator>;

    /// Replaces the state by a frozen one's.
    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError>;
}

/// An accumulator's state at one moment.
pub(crate) trait FrozenAccumulator: Send {
    /// The state as columns.
    fn state(&self) -> Result<AccumulatorState, ArrowError>;
}

/// An accumulator's state as columns: always the same ones, whatever is in them.
#[derive(Debug, Default)]
pub(crate) struct AccumulatorState {
    /// One value a slot.
    pub(crate) cells: Vec<(&'static str, ArrayRef)>,
    /// Values of which a slot may have many.
    pub(crate) entries: Option<Entries>,
}

/// Values of which a slot may have many, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Entries {
    /// The slot of each entry.
    pub(crate) slots: UInt32Array,
    /// One value an entry.
    pub(crate) columns: Vec<(&'static str, ArrayRef)>,
}

impl AccumulatorState {
    /// A state that has a value a slot and nothing else.
    fn of_cells(cells: Vec<(&'static str, ArrayRef)>) -> Self {
        Self { cells, entries: None }
    }

    /// A column of the slots.
    fn cell(&self, index: usize) -> Result<&ArrayRef, ArrowError> {
        self.cells.get(index).map(|(_, column)| column).ok_or_else(|| missing("a column of slots"))
    }

    /// The entries.
    fn entries(&self) -> Result<&Entries, ArrowError> {
        self.entries.as_ref().ok_or_else(|| missing("the table of entries"))
    }
}

impl Entries {
    /// A column of the entries.
    fn column(&self, index: usize) -> Result<&ArrayRef, ArrowError> {
        let found = self.columns.get(index).map(|(_, column)| column);
        found.ok_or_else(|| missing("a column of entries"))
    }
}

/// What the texts of slots hold in memory beside the slots.
fn texts_bytes(texts: &Slots<Option<Box<[u8]>>>) -> usize {
    texts.iter().flatten().map(|text| text.len()).sum()
}

/// An accumulator for a call.
///
/// # Errors
/// If the function cannot take arguments of these types, or cannot give what was planned.
pub(crate) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    use AggregateFunction as F;
    let is_distinct = call.is_distinct;
    match call.function {
        F::Count if is_distinct => distinct::build(call, Box::new(count::Count::default())),
        F::Count => Ok(Box::new(count::Count::default())),
        F::Sum | F::Avg | F::StddevPop | F::StddevSamp | F::VarPop | F::VarSamp => {
            let all = number(call)?;
            if is_distinct { distinct::build(call, all) } else { Ok(all) }
        }
        // A value that came before changes neither the least nor the first.
        F::Min | F::Max => extreme::build(call),
        F::FirstValue | F::LastValue => first_last::build(call),
        F::Collect => collect::build(call),
        F::ListAgg | F::ArrayAgg => list::build(call),
    }
}

fn number(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    use AggregateFunction as F;
    match call.function {
        F::Sum => sum::build(call),
        F::Avg => average::build(call),
        _ => variance::build(call),
    }
}

/// The type of an argument.
fn argument_type(call: &AggregateCall, index: usize) -> Result<&DataType, ArrowError> {
    let found = call.arguments.get(index).map(|argument| &argument.data_type);
    found.ok_or_else(|| unsupported(call))
}

fn unsupported(call: &AggregateCall) -> ArrowError {
    let types: Vec<_> = call.arguments.iter().map(|one| one.data_type.to_string()).collect();
    ArrowError::NotYetImplemented(format!(
        "`{:?}` over `{}` giving `{}`",
        call.function,
        types.join(", "),
        call.data_type
    ))
}

fn missing(what: &str) -> ArrowError {
    ArrowError::SchemaError(format!("{what} is missing from an aggregate's state"))
}
