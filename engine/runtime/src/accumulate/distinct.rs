//! DISTINCT: passes on each value of a slot once.
//!
//! One table keyed by (slot, value) for all groups: a set a group would cost kilobytes each.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::error::ArrowError;
use planner::dataflow::AggregateCall;

use super::count::nulls_of;
use super::{AccumulatorState, Entries, FrozenAccumulator, SlotAccumulator, missing};
use crate::key::{KeyCodec, KeyStore, KeyTable};
use crate::slots::Selection;

/// Names of the columns that hold the values; more arguments than this are refused.
const VALUE_COLUMNS: [&str; 8] =
    ["value", "value_1", "value_2", "value_3", "value_4", "value_5", "value_6", "value_7"];

/// Feeds another accumulator each value of a slot once; NULLs never.
#[derive(Debug)]
struct Distinct {
    codec: Arc<KeyCodec>,
    seen: KeyTable,
    inner: Box<dyn SlotAccumulator>,
}

/// The inner accumulator keeps cells only, so that `entries` is free for the values.
pub(super) fn build(
    call: &AggregateCall,
    inner: Box<dyn SlotAccumulator>,
) -> Result<Box<dyn SlotAccumulator>, ArrowError> {
    if call.arguments.is_empty() || call.arguments.len() > VALUE_COLUMNS.len() {
        return Err(super::unsupported(call));
    }
    let types: Vec<_> = call.arguments.iter().map(|one| one.data_type.clone()).collect();
    let codec = Arc::new(KeyCodec::new(&types)?);
    Ok(Box::new(Distinct { codec, seen: KeyTable::default(), inner }))
}

impl SlotAccumulator for Distinct {
    fn grow(&mut self, count: usize) {
        self.inner.grow(count);
    }

    fn update(&mut self, arguments: &[ArrayRef], selection: &Selection) -> Result<(), ArrowError> {
        let nulls = nulls_of(arguments);
        let keys = self.codec.encode(arguments, arguments[0].len())?;
        let mut fresh = Selection::default();
        selection.where_valid(nulls.as_ref(), |selection| {
            self.seen.find_or_add_all(&keys, selection, |row, slot, _number, is_new| {
                if is_new {
                    fresh.rows.push(crate::slots::slot(row));
                    fresh.slots.push(slot);
                }
            });
        });
        self.inner.update(arguments, &fresh)
    }

    fn evaluate(&self) -> Result<ArrayRef, ArrowError> {
        self.inner.evaluate()
    }

    fn bytes(&self) -> usize {
        self.seen.bytes() + self.inner.bytes()
    }

    fn freeze(&self) -> Box<dyn FrozenAccumulator> {
        Box::new(FrozenDistinct {
            codec: Arc::clone(&self.codec),
            seen: self.seen.store().clone(),
            inner: self.inner.freeze(),
        })
    }

    fn restore(&mut self, state: &AccumulatorState) -> Result<(), ArrowError> {
        self.inner.restore(state)?;
        self.seen = restored_table(&self.codec, state.entries()?)?;
        Ok(())
    }
}

struct FrozenDistinct {
    codec: Arc<KeyCodec>,
    seen: KeyStore,
    inner: Box<dyn FrozenAccumulator>,
}

impl FrozenAccumulator for FrozenDistinct {
    fn state(&self) -> Result<AccumulatorState, ArrowError> {
        let mut state = self.inner.state()?;
        state.entries = Some(entries_of(&self.codec, &self.seen)?);
        Ok(state)
    }
}

/// The values of a store, in the order in which they came.
pub(super) fn entries_of(codec: &KeyCodec, store: &KeyStore) -> Result<Entries, ArrowError> {
    let values = codec.decode(store.all_bytes())?;
    let slots: UInt32Array = store.slots().collect::<Vec<_>>().into();
    Ok(Entries { slots, columns: VALUE_COLUMNS.into_iter().zip(values).collect() })
}

/// The table that `entries_of` was taken from.
pub(super) fn restored_table(codec: &KeyCodec, entries: &Entries) -> Result<KeyTable, ArrowError> {
    let mut table = KeyTable::default();
    let columns: Vec<_> = entries
        .columns
        .iter()
        .take(codec.types().count())
        .map(|(_, c)| ArrayRef::clone(c))
        .collect();
    if columns.len() != codec.types().count() {
        return Err(missing("a column of values"));
    }
    let keys = codec.encode(&columns, entries.slots.len())?;
    table.add_all(&keys, entries.slots.values());
    Ok(table)
}
