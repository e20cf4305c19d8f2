//! AVG: integers are summed as BIGINT and divided toward zero, floats as DOUBLE, decimals exactly.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, PrimitiveArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, i256};
use arrow::error::ArrowError;
use planner::dataflow::AggregateCall;

use super::sum::{DecimalTotal, as_type, overflows};
use super::{AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, unsupported};
use crate::slots::{Selection, Slots};

/// Digits of a DECIMAL sum.
const SUM_PRECISION: u8 = 38;

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    let result = call.data_type.clone();
    Ok(match (argument_type(call, 0)?, &result) {
        (argument, result_type) if argument.is_integer() && result_type.is_integer() => {
            Box::new(IntegerAverage { result, cells: Slots::default() })
        }
        (DataType::Decimal128(_, scale), DataType::Decimal128(_, _)) => {
            Box::new(DecimalAverage { scale: *scale, result, cells: Slots::default() })
        }
        (argument, DataType::Float32 | DataType::Float64) if argument.is_numeric() => {
            Box::new(FloatAverage { result, cells: Slots::default() })
        }
        _ => return Err(unsupported(call)),
    })
}

/// A sum and the number of values in it.
#[derive(Debug, Clone, Copy)]
struct Cell<T> {
    sum: T,
    count: i64,
}

fn counts<'a, T: 'a>(cells: impl Iterator<Item = &'a Cell<T>>) -> ArrayRef {
    Arc::new(cells.map(|cell| cell.count).collect::<Int64Array>())
}

#[derive(Debug, Clone)]
struct IntegerAverage {
    result: DataType,
    cells: Slots<Cell<i64>>,
}

impl SlotAccumulator for IntegerAverage {
    fn grow(&mut self, count: usize) {
        self.cells.grow(count, &Cell { sum: 0, count: 0 });
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = as_type(&arguments[0], &DataType::Int64)?;
        let values = values.as_primitive::<Int64Type>();
        self.cells.update(selection, |cell, row| {
            if values.is_valid(row) {
                cell.sum = cell.sum.wrapping_add(values.value(row));
                cell.count += 1;
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        let averages = self.cells.iter().map(|cell| cell.sum.checked_div(cell.count));
        let averages: ArrayRef = Arc::new(averages.collect::<Int64Array>());
        // A mean of values of a type lies within that type, except where the BIGINT sum wrapped.
        let wrapping = CastOptions { safe: true, ..CastOptions::default() };
        cast_with_options(&averages, &self.result, &wrapping)
    }

    fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.cells = Slots::default();
        let sums = state.cell(0)?.as_primitive::<Int64Type>().values();
        let counts = state.cell(1)?.as_primitive::<Int64Type>().values();
        for (sum, count) in sums.iter().zip(counts) {
            self.cells.push(Cell { sum: *sum, count: *count });
        }
        Ok(())
    }
}

impl FrozenAccumulator for IntegerAverage {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let sums: ArrayRef =
            Arc::new(self.cells.iter().map(|cell| cell.sum).collect::<Int64Array>());
        Ok(AccumulatorState::of_cells(vec![("sum", sums), ("count", counts(self.cells.iter()))]))
    }
}

#[derive(Debug, Clone)]
struct FloatAverage {
    result: DataType,
    cells: Slots<Cell<f64>>,
}

impl SlotAccumulator for FloatAverage {
    fn grow(&mut self, count: usize) {
        self.cells.grow(count, &Cell { sum: 0.0, count: 0 });
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = as_type(&arguments[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        self.cells.update(selection, |cell, row| {
            if values.is_valid(row) {
                cell.sum += values.value(row);
                cell.count += 1;
            }
        });
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "Flink divides by the count as a DOUBLE too")]
    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        let averages = self
            .cells
            .iter()
            .map(|cell| if cell.count == 0 { None } else { Some(cell.sum / cell.count as f64) });
        let averages: ArrayRef = Arc::new(averages.collect::<Float64Array>());
        cast(&averages, &self.result)
    }

    fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.cells = Slots::default();
        let sums = state.cell(0)?.as_primitive::<Float64Type>().values();
        let counts = state.cell(1)?.as_primitive::<Int64Type>().values();
        for (sum, count) in sums.iter().zip(counts) {
            self.cells.push(Cell { sum: *sum, count: *count });
        }
        Ok(())
    }
}

impl FrozenAccumulator for FloatAverage {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let sums = self.cells.iter().map(|cell| cell.sum).collect::<Vec<_>>();
        let sums: ArrayRef = Arc::new(Float64Array::from(sums));
        Ok(AccumulatorState::of_cells(vec![("sum", sums), ("count", counts(self.cells.iter()))]))
    }
}

#[derive(Debug, Clone)]
struct DecimalAverage {
    scale: i8,
    result: DataType,
    cells: Slots<Cell<DecimalTotal>>,
}

impl DecimalAverage {
    fn sum_type(&self) -> DataType {
        DataType::Decimal128(SUM_PRECISION, self.scale)
    }

    fn sums(&self) -> ArrayRef {
        let sums = self.cells.iter().map(|cell| cell.sum.value());
        let sums: PrimitiveArray<Decimal128Type> = sums.collect();
        Arc::new(sums.with_data_type(self.sum_type()))
    }
}

impl SlotAccumulator for DecimalAverage {
    fn grow(&mut self, count: usize) {
        self.cells.grow(count, &Cell { sum: DecimalTotal::Empty, count: 0 });
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = arguments[0].as_primitive::<Decimal128Type>();
        self.cells.update(selection, |cell, row| {
            if values.is_valid(row) {
                cell.sum.add(values.value(row));
                cell.count += 1;
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        let DataType::Decimal128(_, result_scale) = self.result else {
            return Err(ArrowError::SchemaError("the average of decimals is a decimal".to_owned()));
        };
        let shift = result_scale - self.scale;
        let averages = self.cells.iter().map(|cell| {
            let sum = cell.sum.value()?;
            divided(sum, shift, cell.count)
        });
        let averages: PrimitiveArray<Decimal128Type> = averages.collect();
        Ok(Arc::new(averages.with_data_type(self.result.clone())))
    }

    fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.cells = Slots::default();
        let sums = state.cell(0)?.as_primitive::<Decimal128Type>();
        let overflows = state.cell(1)?.as_boolean();
        let counts = state.cell(2)?.as_primitive::<Int64Type>().values();
        for ((sum, has_overflown), count) in sums.iter().zip(overflows.iter()).zip(counts) {
            let sum = DecimalTotal::of(sum, has_overflown == Some(true));
            self.cells.push(Cell { sum, count: *count });
        }
        Ok(())
    }
}

impl FrozenAccumulator for DecimalAverage {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![
            ("sum", self.sums()),
            ("overflow", overflows(self.cells.iter().map(|cell| &cell.sum))),
            ("count", counts(self.cells.iter())),
        ]))
    }
}

/// `sum * 10^shift / count`, rounded half away from zero; NULL if it does not fit.
fn divided(sum: i128, shift: i8, count: i64) -> Option<i128> {
    let ten = i256::from_i128(10);
    let sum = (0..shift).try_fold(i256::from_i128(sum), |sum, _| sum.checked_mul(ten))?;
    let count = (shift..0)
        .try_fold(i256::from_i128(i128::from(count)), |count, _| count.checked_mul(ten))?;
    let quotient = sum.checked_div(count)?;
    let rest = sum.checked_sub(quotient.checked_mul(count)?)?;
    let twice = rest.checked_mul(i256::from_i128(2))?;
    let is_half = twice >= count || twice <= count.checked_neg()?;
    let away = if sum < i256::ZERO { -1 } else { 1 };
    let rounded = if is_half { quotient.checked_add(i256::from_i128(away))? } else { quotient };
    rounded.to_i128()
}
