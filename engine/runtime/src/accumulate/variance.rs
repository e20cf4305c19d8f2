//! VAR_POP, VAR_SAMP, STDDEV_POP and STDDEV_SAMP.
//!
//! Welford's algorithm in DOUBLE whatever the argument's type, as Flink 2 does; the result is cast to
//! the planned type as Java casts: toward zero and saturating, then wrapping below INT.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;
use planner::dataflow::{AggregateCall, AggregateFunction};

use super::sum::as_type;
use super::{AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, unsupported};
use crate::slots::{Selection, Slots};

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    if !argument_type(call, 0)?.is_numeric() || !call.data_type.is_numeric() {
        return Err(unsupported(call));
    }
    let (is_sample, is_deviation) = match call.function {
        AggregateFunction::VarPop => (false, false),
        AggregateFunction::VarSamp => (true, false),
        AggregateFunction::StddevPop => (false, true),
        AggregateFunction::StddevSamp => (true, true),
        _ => return Err(unsupported(call)),
    };
    let result = call.data_type.clone();
    Ok(Box::new(Variance { is_sample, is_deviation, result, cells: Slots::default() }))
}

#[derive(Debug, Clone)]
struct Variance {
    is_sample: bool,
    is_deviation: bool,
    result: DataType,
    cells: Slots<Cell>,
}

/// Welford's running mean and sum of squared distances from it.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    count: i64,
    mean: f64,
    squares: f64,
}

impl Cell {
    #[expect(clippy::cast_precision_loss, reason = "Flink divides by the count as a DOUBLE too")]
    fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    #[expect(clippy::cast_precision_loss, reason = "Flink divides by the count as a DOUBLE too")]
    fn variance(self, is_sample: bool) -> Option<f64> {
        let divisor = if is_sample { self.count - 1 } else { self.count };
        (divisor > 0).then(|| self.squares / divisor as f64)
    }
}

impl SlotAccumulator for Variance {
    fn grow(&mut self, count: usize) {
        self.cells.grow(count, &Cell::default());
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = as_type(&arguments[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        self.cells.update(selection, |cell, row| {
            if values.is_valid(row) {
                cell.add(values.value(row));
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        let values = self.cells.iter().map(|cell| {
            let variance = cell.variance(self.is_sample)?;
            Some(if self.is_deviation { variance.sqrt() } else { variance })
        });
        as_java_casts(values.collect(), &self.result)
    }

    fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.cells = Slots::default();
        let counts = state.cell(0)?.as_primitive::<Int64Type>().values();
        let means = state.cell(1)?.as_primitive::<Float64Type>().values();
        let squares = state.cell(2)?.as_primitive::<Float64Type>().values();
        for ((count, mean), squares) in counts.iter().zip(means).zip(squares) {
            self.cells.push(Cell { count: *count, mean: *mean, squares: *squares });
        }
        Ok(())
    }
}

impl FrozenAccumulator for Variance {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let counts = self.cells.iter().map(|cell| cell.count);
        let means = self.cells.iter().map(|cell| cell.mean);
        let squares = self.cells.iter().map(|cell| cell.squares);
        Ok(AccumulatorState::of_cells(vec![
            ("count", Arc::new(Int64Array::from_iter_values(counts))),
            ("mean", Arc::new(Float64Array::from_iter_values(means))),
            ("squares", Arc::new(Float64Array::from_iter_values(squares))),
        ]))
    }
}

/// Doubles as another numeric type, cast as Java casts them.
#[expect(clippy::cast_possible_truncation, reason = "that is what Java's casts do")]
fn as_java_casts(values: Float64Array, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let integers = values.iter();
    Ok(match data_type {
        DataType::Int64 => Arc::new(integers.map(|v| Some(v? as i64)).collect::<Int64Array>()),
        DataType::Int32 => Arc::new(integers.map(|v| Some(v? as i32)).collect::<Int32Array>()),
        DataType::Int16 => {
            Arc::new(integers.map(|v| Some(v? as i32 as i16)).collect::<Int16Array>())
        }
        DataType::Int8 => Arc::new(integers.map(|v| Some(v? as i32 as i8)).collect::<Int8Array>()),
        other => {
            let values: ArrayRef = Arc::new(values);
            cast(&values, other)?
        }
    })
}
