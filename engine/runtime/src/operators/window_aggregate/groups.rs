//! The groups of one window.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::error::ArrowError;

use super::Spec;
use crate::accumulate::{self, AccumulatorState, SlotAccumulator};
use crate::key::{EncodedKeys, KeyCodec, KeyTable};
use crate::operators::event_times::timestamps;
use crate::slots::Selection;

/// All keys of a group stand under one slot.
const NO_SLOT: u32 = 0;

/// The groups of one window, numbered in the order in which their first rows came.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) keys: KeyTable,
    /// One an aggregate, with a slot a group.
    pub(super) accumulators: Vec<Box<dyn SlotAccumulator>>,
}

impl Groups {
    /// No group yet.
    ///
    /// # Errors
    /// If an aggregate cannot be computed.
    pub(super) fn new(spec: &Spec) -> Result<Self, ArrowError> {
        let accumulators = spec.calls.iter().map(|call| accumulate::build(&call.function));
        let accumulators = accumulators.collect::<Result<_, _>>()?;
        Ok(Self { keys: KeyTable::default(), accumulators })
    }

    /// Folds rows in order; `columns` are those of the operator's evaluator.
    pub(super) fn fold(
        &mut self,
        spec: &Spec,
        keys: &EncodedKeys,
        rows: Vec<u32>,
        columns: &[ArrayRef],
    ) -> Result<(), ArrowError> {
        let mut slots = Vec::with_capacity(rows.len());
        let all = Selection { slots: vec![NO_SLOT; rows.len()], rows };
        self.keys.find_or_add_all(keys, &all, |_row, _, number, _is_new| slots.push(number));
        let selection = Selection { slots, ..all };
        let count = self.keys.store().count();
        for (call, accumulator) in spec.calls.iter().zip(&mut self.accumulators) {
            let arguments: Vec<_> =
                call.arguments.iter().map(|index| Arc::clone(&columns[*index])).collect();
            accumulator.grow(count);
            match call.filter {
                None => accumulator.update(&arguments, &selection)?,
                Some(filter) => {
                    let filter = columns[filter].as_boolean();
                    let kept = selection.filtered(|row| super::is_kept(filter, row));
                    accumulator.update(&arguments, &kept)?;
                }
            }
        }
        Ok(())
    }

    /// What they hold in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let accumulators = self.accumulators.iter().map(|accumulator| accumulator.bytes());
        self.keys.bytes() + accumulators.sum::<usize>()
    }

    /// The results, one row a group in order.
    pub(super) fn result(&self, spec: &Spec, start: i64) -> Result<RecordBatch, ArrowError> {
        let store = self.keys.store();
        let mut columns = spec.codec.decode(store.all_bytes())?;
        let end = spec.windows.end(start);
        for time in [start, end, end - 1] {
            let times = Int64Array::from(vec![time; store.count()]);
            columns.push(timestamps(&times, spec.schema.field(columns.len()).data_type())?);
        }
        for accumulator in &self.accumulators {
            columns.push(accumulator.evaluate()?);
        }
        RecordBatch::try_new(Arc::clone(&spec.schema), columns)
    }

    /// Puts back what a snapshot has: groups in the order of their keys, and the state of each
    /// aggregate.
    pub(super) fn restore(
        &mut self,
        (codec, keys, count): (&KeyCodec, &[ArrayRef], usize),
        states: &[AccumulatorState],
    ) -> Result<(), ArrowError> {
        let Self { keys: table, accumulators } = self;
        // A million groups take a second; another core has half of it.
        std::thread::scope(|scope| {
            let restoring = scope.spawn(|| {
                let mut both = accumulators.iter_mut().zip(states);
                both.try_for_each(|(accumulator, state)| {
                    accumulator.restore(state)?;
                    accumulator.grow(count);
                    Ok(())
                })
            });
            let keys = codec.encode(keys, count)?;
            table.add_all(&keys, &vec![NO_SLOT; count]);
            restoring.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
