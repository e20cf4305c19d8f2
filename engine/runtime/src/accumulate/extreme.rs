//! MIN and MAX.
//!
//! A value replaces the one before only if it compares as smaller (or greater), as Flink's code does:
//! so NaN stays if it came first and is passed over later, and of equal values the first stays.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, PrimitiveArray, StringArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use planner::dataflow::{AggregateCall, AggregateFunction};

use super::{
    AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, texts_bytes, unsupported,
};
use crate::slots::{Selection, Slots};

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    let is_max = call.function == AggregateFunction::Max;
    let data_type = argument_type(call, 0)?;
    if data_type != &call.data_type {
        return Err(unsupported(call));
    }
    Ok(match data_type {
        DataType::Int8 => primitive::<Int8Type>(data_type, is_max),
        DataType::Int16 => primitive::<Int16Type>(data_type, is_max),
        DataType::Int32 => primitive::<Int32Type>(data_type, is_max),
        DataType::Int64 => primitive::<Int64Type>(data_type, is_max),
        DataType::Float32 => primitive::<Float32Type>(data_type, is_max),
        DataType::Float64 => primitive::<Float64Type>(data_type, is_max),
        DataType::Decimal128(_, _) => primitive::<Decimal128Type>(data_type, is_max),
        DataType::Date32 => primitive::<Date32Type>(data_type, is_max),
        DataType::Time32(TimeUnit::Millisecond) => {
            primitive::<Time32MillisecondType>(data_type, is_max)
        }
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => primitive::<TimestampSecondType>(data_type, is_max),
            TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(data_type, is_max),
            TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(data_type, is_max),
            TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(data_type, is_max),
        },
        DataType::Boolean => Box::new(BooleanExtreme { is_max, values: Slots::default() }),
        DataType::Utf8 | DataType::Binary => Box::new(BytesExtreme {
            is_max,
            is_text: data_type == &DataType::Utf8,
            values: Slots::default(),
        }),
        _ => return Err(unsupported(call)),
    })
}

fn primitive<T: ArrowPrimitiveType>(
    data_type: &DataType,
    is_max: bool,
) -> Box<dyn SlotAccumulator> {
    Box::new(Extreme::<T> { is_max, data_type: data_type.clone(), values: Slots::default() })
}

/// Puts `value` in place of what is there if it is more extreme.
fn replace<V: PartialOrd>(extreme: &mut Option<V>, value: V, is_max: bool) {
    let is_better = match extreme {
        None => true,
        Some(extreme) => {
            if is_max {
                value > *extreme
            } else {
                value < *extreme
            }
        }
    };
    if is_better {
        *extreme = Some(value);
    }
}

struct Extreme<T: ArrowPrimitiveType> {
    is_max: bool,
    data_type: DataType,
    values: Slots<Option<T::Native>>,
}

impl<T: ArrowPrimitiveType> Extreme<T> {
    fn column(&self) -> ArrayRef {
        let values = self.values.iter().copied().collect::<PrimitiveArray<T>>();
        Arc::new(values.with_data_type(self.data_type.clone()))
    }
}

impl<T: ArrowPrimitiveType> Clone for Extreme<T> {
    fn clone(&self) -> Self {
        let data_type = self.data_type.clone();
        Self { is_max: self.is_max, data_type, values: self.values.clone() }
    }
}

impl<T: ArrowPrimitiveType> fmt::Debug for Extreme<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extreme({}, is_max: {})", self.data_type, self.is_max)
    }
}

impl<T: ArrowPrimitiveType> SlotAccumulator for Extreme<T> {
    fn grow(&mut self, count: usize) {
        self.values.grow(count, &None);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = arguments[0].as_primitive::<T>();
        let is_max = self.is_max;
        self.values.update(selection, |extreme, row| {
            if values.is_valid(row) {
                replace(extreme, values.value(row), is_max);
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        Ok(self.column())
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.values = Slots::default();
        for value in state.cell(0)?.as_primitive::<T>() {
            self.values.push(value);
        }
        Ok(())
    }
}

impl<T: ArrowPrimitiveType> FrozenAccumulator for Extreme<T> {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![("value", self.column())]))
    }
}

#[derive(Debug, Clone)]
struct BooleanExtreme {
    is_max: bool,
    values: Slots<Option<bool>>,
}

impl BooleanExtreme {
    fn column(&self) -> ArrayRef {
        Arc::new(self.values.iter().copied().collect::<BooleanArray>())
    }
}

impl SlotAccumulator for BooleanExtreme {
    fn grow(&mut self, count: usize) {
        self.values.grow(count, &None);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let values = arguments[0].as_boolean();
        let is_max = self.is_max;
        self.values.update(selection, |extreme, row| {
            if values.is_valid(row) {
                replace(extreme, values.value(row), is_max);
            }
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        Ok(self.column())
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.values = Slots::default();
        for value in state.cell(0)?.as_boolean() {
            self.values.push(value);
        }
        Ok(())
    }
}

impl FrozenAccumulator for BooleanExtreme {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![("value", self.column())]))
    }
}

/// Strings and bytes, by their bytes.
#[derive(Debug, Clone)]
struct BytesExtreme {
    is_max: bool,
    is_text: bool,
    values: Slots<Option<Box<[u8]>>>,
}

impl BytesExtreme {
    fn column(&self) -> Result<ArrayRef, ArrowError> {
        let values = self.values.iter().map(|value| value.as_deref());
        let bytes: BinaryArray = values.collect();
        if !self.is_text {
            return Ok(Arc::new(bytes));
        }
        let (offsets, values, nulls) = bytes.into_parts();
        Ok(Arc::new(StringArray::try_new(offsets, values, nulls)?))
    }

    fn offer(extreme: &mut Option<Box<[u8]>>, value: &[u8], is_max: bool) {
        let is_better = match extreme.as_deref() {
            None => true,
            Some(extreme) if is_max => value > extreme,
            Some(extreme) => value < extreme,
        };
        if is_better {
            *extreme = Some(value.into());
        }
    }
}

impl SlotAccumulator for BytesExtreme {
    fn grow(&mut self, count: usize) {
        self.values.grow(count, &None);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let column = &arguments[0];
        let is_max = self.is_max;
        if let Some(text) = column.as_string_opt::<i32>() {
            self.values.update(selection, |extreme, row| {
                if text.is_valid(row) {
                    Self::offer(extreme, text.value(row).as_bytes(), is_max);
                }
            });
        } else {
            let bytes = column.as_binary::<i32>();
            self.values.update(selection, |extreme, row| {
                if bytes.is_valid(row) {
                    Self::offer(extreme, bytes.value(row), is_max);
                }
            });
        }
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        self.column()
    }

    fn bytes(&self) -> usize {
        self.values.bytes() + texts_bytes(&self.values)
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(self.clone())
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.values = Slots::default();
        let column = state.cell(0)?;
        if self.is_text {
            for value in column.as_string::<i32>() {
                self.values.push(value.map(|value| value.as_bytes().into()));
            }
        } else {
            for value in column.as_binary::<i32>() {
                self.values.push(value.map(Into::into));
            }
        }
        Ok(())
    }
}

impl FrozenAccumulator for BytesExtreme {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![("value", self.column()?)]))
    }
}
