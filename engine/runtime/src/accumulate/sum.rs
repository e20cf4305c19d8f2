//! SUM: NULL if there was no value; integers wrap, as in Flink.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type,
};
use arrow::error::ArrowError;
use planner::dataflow::AggregateCall;

use super::{AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, unsupported};
use crate::slots::{Selection, Slots};

/// The greatest number of 38 digits: what a DECIMAL can hold.
const DECIMAL_MAX: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    argument_type(call, 0)?;
    let data_type = &call.data_type;
    Ok(match data_type {
        DataType::Int8 => Box::new(Sum::<Int8Type>::new(data_type)),
        DataType::Int16 => Box::new(Sum::<Int16Type>::new(data_type)),
        DataType::Int32 => Box::new(Sum::<Int32Type>::new(data_type)),
        DataType::Int64 => Box::new(Sum::<Int64Type>::new(data_type)),
        DataType::Float32 => Box::new(Sum::<Float32Type>::new(data_type)),
        DataType::Float64 => Box::new(Sum::<Float64Type>::new(data_type)),
        DataType::Decimal128(_, _) => Box::new(DecimalSum::new(data_type)),
        _ => return Err(unsupported(call)),
    })
}

/// A sum in the type of the result.
struct Sum<T: ArrowPrimitiveType> {
    data_type: DataType,
    sums: Slots<Option<T::Native>>,
}

impl<T: ArrowPrimitiveType> Sum<T> {
    fn new(data_type: &DataType) -> Self {
        Self { data_type: data_type.clone(), sums: Slots::default() }
    }

    fn column(&self) -> ArrayRef {
        Arc::new(self.sums.iter().copied().collect::<PrimitiveArray<T>>())
    }
}

impl<T: ArrowPrimitiveType> Clone for Sum<T> {
    fn clone(&self) -> Self {
        Self { data_type: self.data_type.clone(), sums: self.sums.clone() }
    }
}

impl<T: ArrowPrimitiveType> fmt::Debug for Sum<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sum({})", self.data_type)
    }
}

impl<T: ArrowPrimitiveType> SlotAccumulator for Sum<T> {
    fn grow(&mut self, count: usize) {
        self.sums.grow(count, &None);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = as_type(&arguments[0], &self.data_type)?;
        let values = values.as_primitive::<T>();
        self.sums.update(selection, |sum, row| {
            if values.is_valid(row) {
                let value = values.value(row);
                *sum = Some(sum.map_or(value, |sum| sum.add_wrapping(value)));
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        Ok(self.column())
    }

    fn bytes(&self) -> usize {
        self.sums.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.sums = Slots::default();
        for sum in state.cell(0)?.as_primitive::<T>() {
            self.sums.push(sum);
        }
        Ok(())
    }
}

impl<T: ArrowPrimitiveType> FrozenAccumulator for Sum<T> {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![("sum", self.column())]))
    }
}

/// The sum of a slot's decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalTotal {
    /// No value yet.
    Empty,
    /// A sum that 38 digits hold.
    Total(i128),
    /// A sum that they do not hold: NULL from then on.
    Overflow,
}

impl DecimalTotal {
    /// Adds a value.
    pub(super) fn add(&mut self, value: i128) {
        *self = match self {
            Self::Empty => Self::Total(value),
            Self::Overflow => Self::Overflow,
            Self::Total(total) => match total.checked_add(value) {
                Some(total) if (-DECIMAL_MAX..=DECIMAL_MAX).contains(&total) => Self::Total(total),
                Some(_) | None => Self::Overflow,
            },
        };
    }

    /// The sum, if there is one.
    pub(super) fn value(self) -> Option<i128> {
        match self {
            Self::Total(total) => Some(total),
            Self::Empty | Self::Overflow => None,
        }
    }

    /// The state from its two columns.
    pub(super) fn of(value: Option<i128>, has_overflown: bool) -> Self {
        if has_overflown { Self::Overflow } else { value.map_or(Self::Empty, Self::Total) }
    }
}

/// A sum of decimals.
#[derive(Debug, Clone)]
struct DecimalSum {
    data_type: DataType,
    totals: Slots<DecimalTotal>,
}

impl DecimalSum {
    fn new(data_type: &DataType) -> Self {
        Self { data_type: data_type.clone(), totals: Slots::default() }
    }

    fn column(&self) -> ArrayRef {
        let values = self.totals.iter().map(|total| total.value());
        let values: PrimitiveArray<Decimal128Type> = values.collect();
        Arc::new(values.with_data_type(self.data_type.clone()))
    }
}

impl SlotAccumulator for DecimalSum {
    fn grow(&mut self, count: usize) {
        self.totals.grow(count, &DecimalTotal::Empty);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = as_type(&arguments[0], &self.data_type)?;
        let values = values.as_primitive::<Decimal128Type>();
        self.totals.update(selection, |total, row| {
            if values.is_valid(row) {
                total.add(values.value(row));
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        Ok(self.column())
    }

    fn bytes(&self) -> usize {
        self.totals.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.totals = Slots::default();
        let totals = state.cell(0)?.as_primitive::<Decimal128Type>();
        let overflows = state.cell(1)?.as_boolean();
        for (total, has_overflown) in totals.iter().zip(overflows.iter()) {
            self.totals.push(DecimalTotal::of(total, has_overflown == Some(true)));
        }
        Ok(())
    }
}

impl FrozenAccumulator for DecimalSum {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let cells = vec![("sum", self.column()), ("overflow", overflows(self.totals.iter()))];
        Ok(AccumulatorState::of_cells(cells))
    }
}

/// Which totals have overflown.
pub(super) fn overflows<'a>(totals: impl Iterator<Item = &'a DecimalTotal>) -> ArrayRef {
    let values: Vec<bool> = totals.map(|total| *total == DecimalTotal::Overflow).collect();
    Arc::new(arrow::array::BooleanArray::from(values))
}

/// A column as another numeric type; decimals keep their digits.
pub(super) fn as_type(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type { Ok(Arc::clone(column)) } else { cast(column, data_type) }
}
