//! ARRAY_AGG and LISTAGG: the values in the order in which they came.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringBuilder};
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;
use datafusion::physical_expr::expressions::Literal;
use planner::dataflow::{AggregateCall, AggregateFunction};

use super::collect::offsets_of;
use super::distinct::{entries_of, restored_table};
use super::{AccumulatorState, FrozenAccumulator, SlotAccumulator, argument_type, unsupported};
use crate::key::{KeyCodec, KeyStore, KeyTable};
use crate::slots::Selection;

/// What stands between LISTAGG's values if nothing is said.
const DEFAULT_SEPARATOR: &str = ",";

pub(super) fn build(call: &AggregateCall) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    let value_type = argument_type(call, 0)?;
    let result = match (call.function, &call.data_type) {
        (AggregateFunction::ArrayAgg, DataType::List(item)) if item.data_type() == value_type => {
            ListResult::Array(Arc::clone(item))
        }
        (AggregateFunction::ListAgg, DataType::Utf8) if value_type == &DataType::Utf8 => {
            ListResult::Text { separator: separator(call)? }
        }
        _ => return Err(unsupported(call)),
    };
    let types = std::slice::from_ref(value_type);
    let values = if call.is_distinct {
        Values::Distinct(KeyTable::default())
    } else {
        Values::All(KeyStore::default())
    };
    let codec = if call.is_distinct { KeyCodec::new(types)? } else { KeyCodec::exact(types)? };
    Ok(Box::new(List { codec: Arc::new(codec), result, slot_count: 0, values }))
}

/// The constant separator of a LISTAGG.
fn separator(call: &AggregateCall) -> Result<String, ArrowError> {
    let Some(argument) = call.arguments.get(1) else { return Ok(DEFAULT_SEPARATOR.to_owned()) };
    let any: &dyn std::any::Any = argument.physical.as_ref();
    let text = any.downcast_ref::<Literal>().and_then(|literal| literal.value().try_as_str());
    match text.flatten() {
        Some(text) => Ok(text.to_owned()),
        None => Err(unsupported(call)),
    }
}

/// The values of all slots.
#[derive(Debug)]
struct List {
    codec: Arc<KeyCodec>,
    result: ListResult,
    slot_count: usize,
    values: Values,
}

#[derive(Debug)]
enum ListResult {
    /// Every value, NULLs too; NULL if there is none.
    Array(FieldRef),
    /// The values that are not NULL as one text; NULL if there is none.
    Text { separator: String },
}

#[derive(Debug)]
enum Values {
    All(KeyStore),
    Distinct(KeyTable),
}

impl Values {
    fn store(&self) -> &KeyStore {
        match self {
            Self::All(store) => store,
            Self::Distinct(table) => table.store(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::All(store) => store.heap_bytes(),
            Self::Distinct(table) => table.bytes(),
        }
    }
}

impl SlotAccumulator for List {
    fn grow(&mut self, count: usize) {
        self.slot_count = self.slot_count.max(count);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let column = &arguments[0];
        let skips_nulls = matches!(self.result, ListResult::Text { .. });
        let keys = self.codec.encode(&arguments[..1], column.len())?;
        for (row, slot) in selection.iter() {
            if skips_nulls && column.is_null(row) {
                continue;
            }
            match &mut self.values {
                Values::All(store) => {
                    store.append(keys.hash(row), slot, keys.bytes(row));
                }
                Values::Distinct(table) => {
                    table.find_or_add(keys.hash(row), slot, keys.bytes(row));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        let store = self.values.store();
        let (numbers, starts) = store.by_slot(self.slot_count);
        let bytes = numbers.iter().map(|number| store.bytes(*number)).collect();
        let values = self.codec.decode(bytes)?.remove(0);
        match &self.result {
            ListResult::Array(item) => {
                let nulls = starts.windows(2).map(|pair| pair[0] < pair[1]).collect::<Vec<_>>();
                let offsets = offsets_of(&starts);
                let list =
                    ListArray::try_new(Arc::clone(item), offsets, values, Some(nulls.into()))?;
                Ok(Arc::new(list))
            }
            ListResult::Text { separator } => Ok(joined(&values, &starts, separator)),
        }
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        let values = self.values.store().clone();
        Box::new(FrozenList { codec: Arc::clone(&self.codec), values })
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        let entries = state.entries()?;
        match &mut self.values {
            Values::Distinct(table) => *table = restored_table(&self.codec, entries)?,
            Values::All(store) => {
                let column = entries.column(0)?;
                let keys = self.codec.encode(std::slice::from_ref(column), column.len())?;
                *store = KeyStore::default();
                for (entry, slot) in entries.slots.values().iter().enumerate() {
                    store.append(keys.hash(entry), *slot, keys.bytes(entry));
                }
            }
        }
        Ok(())
    }
}

struct FrozenList {
    codec: Arc<KeyCodec>,
    values: KeyStore,
}

impl FrozenAccumulator for FrozenList {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let entries = entries_of(&self.codec, &self.values)?;
        Ok(AccumulatorState { cells: Vec::new(), entries: Some(entries) })
    }
}

/// The texts of each slot with a separator between them.
fn joined(values: &ArrayRef, starts: &[usize], separator: &str) -> ArrayRef {
    let values = values.as_string::<i32>();
    let mut result = StringBuilder::new();
    let mut text = String::new();
    for pair in starts.windows(2) {
        if pair[0] == pair[1] {
            result.append_null();
            continue;
        }
        text.clear();
        for value in pair[0]..pair[1] {
            if value > pair[0] {
                text.push_str(separator);
            }
            text.push_str(values.value(value));
        }
        result.append_value(&text);
    }
    Arc::new(result.finish())
}
