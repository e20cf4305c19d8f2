//! COUNT.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;

use super::{AccumulatorState, FrozenAccumulator, SlotAccumulator};
use crate::slots::{Selection, Slots};

/// Rows in which no argument is NULL; all rows where there is no argument.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    counts: Slots<i64>,
}

impl Count {
    fn column(&self) -> ArrayRef {
        Arc::new(self.counts.iter().copied().collect::<Int64Array>())
    }
}

impl SlotAccumulator for Count {
    fn grow(&mut self, count: usize) {
        self.counts.grow(count, &0);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        match nulls_of(arguments) {
            None => self.counts.update(selection, |count, _| *count += 1),
            Some(nulls) => self.counts.update(selection, |count, row| {
                *count += i64::from(nulls.is_valid(row));
            }),
        }
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        Ok(self.column())
    }

    fn bytes(&self) -> usize {
        self.counts.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.counts = Slots::default();
        for count in state.cell(0)?.as_primitive::<Int64Type>().values() {
            self.counts.push(*count);
        }
        Ok(())
    }
}

impl FrozenAccumulator for Count {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![("count", self.column())]))
    }
}

/// Where any of the columns is NULL; `None` if nowhere.
pub(super) fn nulls_of(columns: &[ArrayRef]) -> Option<NullBuffer> {
    columns.iter().fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.nulls()))
}
