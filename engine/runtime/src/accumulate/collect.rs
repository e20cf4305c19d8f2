//! COLLECT: the multiset of the values that are not NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use planner::dataflow::AggregateCall;

use super::distinct::{entries_of, restored_table};
use super::{AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, unsupported};
use crate::key::{KeyCodec, KeyStore, KeyTable};
use crate::slots::{Selection, Slots};

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    let value_type = argument_type(call, 0)?;
    let fits = match map_types(&call.data_type) {
        Some((key, count)) => key == value_type && count == &DataType::Int32,
        None => false,
    };
    if !fits {
        return Err(unsupported(call));
    }
    Ok(Box::new(Collect {
        codec: Arc::new(KeyCodec::new(std::slice::from_ref(value_type))?),
        data_type: call.data_type.clone(),
        is_distinct: call.is_distinct,
        slot_count: 0,
        values: KeyTable::default(),
        counts: Slots::default(),
    }))
}

/// The types of a map's keys and values.
fn map_types(data_type: &DataType) -> Option<(&DataType, &DataType)> {
    let DataType::Map(entries, _) = data_type else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    match fields.iter().as_slice() {
        [key, value] => Some((key.data_type(), value.data_type())),
        _ => None,
    }
}

/// Values and how often each came; with DISTINCT once.
#[derive(Debug)]
struct Collect {
    codec: Arc<KeyCodec>,
    data_type: DataType,
    is_distinct: bool,
    slot_count: usize,
    /// One key a (slot, value), numbered as `counts`.
    values: KeyTable,
    counts: Slots<i32>,
}

impl SlotAccumulator for Collect {
    fn grow(&mut self, count: usize) {
        self.slot_count = self.slot_count.max(count);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let column = &arguments[0];
        let keys = self.codec.encode(&arguments[..1], column.len())?;
        selection.where_valid(column.nulls(), |selection| {
            self.values.find_or_add_all(&keys, selection, |_row, _slot, number, is_new| {
                if is_new {
                    self.counts.push(1);
                } else if !self.is_distinct {
                    let count = self.counts.get_mut(number);
                    *count = count.wrapping_add(1);
                }
            });
        });
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        let DataType::Map(entries_field, is_sorted) = &self.data_type else {
            return Err(ArrowError::SchemaError("a multiset is a map".to_owned()));
        };
        let DataType::Struct(fields) = entries_field.data_type() else {
            return Err(ArrowError::SchemaError("a map's entries are a struct".to_owned()));
        };
        let store = self.values.store();
        let (numbers, starts) = store.by_slot(self.slot_count);
        let values = numbers.iter().map(|number| store.bytes(*number)).collect();
        let keys = self.codec.decode(values)?.remove(0);
        let counts = numbers.iter().map(|number| *self.counts.get(*number));
        let counts: ArrayRef = Arc::new(Int32Array::from_iter_values(counts));
        let entries = StructArray::try_new(fields.clone(), vec![keys, counts], None)?;
        let offsets = offsets_of(&starts);
        let field = Arc::clone(entries_field);
        Ok(Arc::new(MapArray::try_new(field, offsets, entries, None, *is_sorted)?))
    }

    fn bytes(&self) -> usize {
        self.values.bytes() + self.counts.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(FrozenCollect {
            codec: Arc::clone(&self.codec),
            values: self.values.store().clone(),
            counts: self.counts.clone(),
        })
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        let entries = state.entries()?;
        self.values = restored_table(&self.codec, entries)?;
        self.counts = Slots::default();
        for count in entries.column(1)?.as_primitive::<Int32Type>().values() {
            self.counts.push(*count);
        }
        Ok(())
    }
}

struct FrozenCollect {
    codec: Arc<KeyCodec>,
    values: KeyStore,
    counts: Slots<i32>,
}

impl FrozenAccumulator for FrozenCollect {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let mut entries = entries_of(&self.codec, &self.values)?;
        let counts = Int32Array::from_iter_values(self.counts.iter().copied());
        entries.columns.push(("count", Arc::new(counts)));
        Ok(AccumulatorState { cells: Vec::new(), entries: Some(entries) })
    }
}

/// Where each slot's entries begin, as Arrow wants it.
pub(super) fn offsets_of(starts: &[usize]) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(starts.windows(2).map(|pair| pair[1] - pair[0]))
}
