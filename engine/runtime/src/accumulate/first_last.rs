//! FIRST_VALUE and LAST_VALUE: NULLs are passed over, as in Flink.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::error::ArrowError;
use planner::dataflow::{AggregateCall, AggregateFunction};

use super::{
    AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, texts_bytes, unsupported,
};
use crate::key::KeyCodec;
use crate::slots::{Selection, Slots};

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    let data_type = argument_type(call, 0)?;
    if data_type != &call.data_type {
        return Err(unsupported(call));
    }
    let codec = Arc::new(KeyCodec::exact(std::slice::from_ref(data_type))?);
    let is_first = call.function == AggregateFunction::FirstValue;
    Ok(Box::new(FirstLast { codec, is_first, values: Slots::default() }))
}

/// A value of any type, as the codec writes it.
#[derive(Debug, Clone)]
struct FirstLast {
    codec: Arc<KeyCodec>,
    is_first: bool,
    values: Slots<Option<Box<[u8]>>>,
}

impl FirstLast {
    fn column(&self) -> Result<ArrayRef, ArrowError> {
        let values = self.values.iter().map(|value| value.as_deref().unwrap_or(KeyCodec::NULL));
        Ok(self.codec.decode(values.collect())?.remove(0))
    }
}

impl SlotAccumulator for FirstLast {
    fn grow(&mut self, count: usize) {
        self.values.grow(count, &None);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let column = &arguments[0];
        let values = self.codec.encode(&arguments[..1], column.len())?;
        let is_first = self.is_first;
        self.values.update(selection, |kept, row| {
            if column.is_valid(row) && (kept.is_none() || !is_first) {
                *kept = Some(values.bytes(row).into());
            }
        });
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
        let column = state.cell(0)?;
        let values = self.codec.encode(std::slice::from_ref(column), column.len())?;
        self.values = Slots::default();
        for slot in 0..column.len() {
            self.values.push(column.is_valid(slot).then(|| values.bytes(slot).into()));
        }
        Ok(())
    }
}

impl FrozenAccumulator for FirstLast {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        Ok(AccumulatorState::of_cells(vec![("value", self.column()?)]))
    }
}
