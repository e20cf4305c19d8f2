//! The temporal join's state as tables.
//!
//! Every table of rows ends in the key's columns and `_hash`. `progress`: one row, the next arrival
//! number. `left`: waiting rows in order of arrival. `versions`: the versions of each key in order of
//! time. `timers`: what versions have set.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{Field, Int64Type, Schema, UInt64Type};
use arrow::error::ArrowError;
use state::Table;

use super::keys::{KeyState, Keys, Timer, Version, VersionRow};
use super::timetable::{Timetable, Waiting};
use super::{Spec, TemporalJoin};
use crate::key::EncodedKeys;
use crate::operator::FrozenState;
use crate::row_store::RowStore;
use crate::slots::Slots;

const PROGRESS: &str = "progress";
pub(super) const LEFT: &str = "left";
pub(super) const VERSIONS: &str = "versions";
const TIMERS: &str = "timers";

/// The state at one moment.
pub(super) struct Frozen {
    spec: Arc<Spec>,
    states: Slots<Option<KeyState>>,
    left_rows: RowStore,
    version_rows: RowStore,
    waiting: Timetable,
    next_arrival: u64,
}

impl Frozen {
    pub(super) fn of(operator: &TemporalJoin) -> Self {
        Self {
            spec: Arc::clone(&operator.spec),
            states: operator.keys.states().clone(),
            left_rows: operator.left_rows.clone(),
            version_rows: operator.version_rows.clone(),
            waiting: operator.waiting.clone(),
            next_arrival: operator.next_arrival,
        }
    }

    fn try_tables(&self) -> Result<Vec<Table>, ArrowError> {
        let next: ArrayRef = Arc::new(UInt64Array::from(vec![self.next_arrival]));
        let progress = named(vec![("next_arrival".to_owned(), next)])?;
        Ok(vec![
            Table::of(PROGRESS, progress),
            Table::of(LEFT, self.left()?),
            Table::of(VERSIONS, self.versions()?),
            Table::of(TIMERS, self.timers()?),
        ])
    }

    fn left(&self) -> Result<RecordBatch, ArrowError> {
        let waiting = self.waiting.iter();
        let mut rows: Vec<(Waiting, u32)> =
            waiting.filter_map(|waiting| Some((waiting, waiting.row?))).collect();
        rows.sort_unstable_by_key(|(waiting, _)| waiting.arrival);
        let stored = self.left_rows.gather(rows.iter().map(|(_, row)| Some(*row)))?;
        let mut columns = numbered("left", stored);
        columns.push(("time".to_owned(), times(rows.iter().map(|(waiting, _)| waiting.time))));
        columns.push(("arrival".to_owned(), arrivals(rows.iter().map(|(one, _)| one.arrival))));
        let keys = rows.iter().filter_map(|(waiting, _)| self.states.get(waiting.key).as_ref());
        self.with_keys(columns, &keys.collect::<Vec<_>>())
    }

    fn versions(&self) -> Result<RecordBatch, ArrowError> {
        let mut rows: Vec<(&KeyState, Version, bool)> = Vec::new();
        for state in self.states.iter().flatten() {
            rows.extend(state.first.iter().map(|first| (state, *first, true)));
            rows.extend(state.versions.iter().map(|version| (state, *version, false)));
        }
        let stored = rows.iter().map(|(_, version, _)| match version.row {
            VersionRow::Row(row) => Some(row),
            VersionRow::Tombstone => None,
        });
        let is_tombstone = rows.iter().map(|row| row.1.row == VersionRow::Tombstone);
        let is_tombstone: BooleanArray = is_tombstone.map(Some).collect();
        let is_first: BooleanArray = rows.iter().map(|row| Some(row.2)).collect();
        let mut columns = numbered("right", self.version_rows.gather(stored)?);
        columns.push(("time".to_owned(), times(rows.iter().map(|(_, version, _)| version.time))));
        columns.push(("is_tombstone".to_owned(), Arc::new(is_tombstone)));
        columns.push(("is_first".to_owned(), Arc::new(is_first)));
        self.with_keys(columns, &rows.iter().map(|(state, _, _)| *state).collect::<Vec<_>>())
    }

    fn timers(&self) -> Result<RecordBatch, ArrowError> {
        let states = self.states.iter().flatten();
        let rows: Vec<(&KeyState, Timer)> =
            states.filter_map(|state| Some((state, state.timer?))).collect();
        let columns = vec![
            ("time".to_owned(), times(rows.iter().map(|(_, timer)| timer.time))),
            ("arrival".to_owned(), arrivals(rows.iter().map(|(_, timer)| timer.arrival))),
        ];
        self.with_keys(columns, &rows.iter().map(|(state, _)| *state).collect::<Vec<_>>())
    }

    fn with_keys(
        &self,
        mut columns: Vec<(String, ArrayRef)>,
        states: &[&KeyState],
    ) -> Result<RecordBatch, ArrowError> {
        let bytes = states.iter().map(|state| &*state.bytes).collect();
        columns.extend(numbered("key", self.spec.codec.decode(bytes)?));
        let hashes = states.iter().map(|state| state.hash).collect::<Vec<_>>();
        columns.push(("_hash".to_owned(), Arc::new(UInt64Array::from(hashes))));
        named(columns)
    }
}

impl FrozenState for Frozen {
    fn tables(&self) -> Vec<Table> {
        self.try_tables().expect("the state's own columns fit the state's own schema")
    }
}

fn numbered(name: &str, columns: Vec<ArrayRef>) -> Vec<(String, ArrayRef)> {
    columns.into_iter().enumerate().map(|(i, column)| (format!("{name}_{i}"), column)).collect()
}

fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn arrivals(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

/// A batch whose columns, but for those that begin with `_`, may be null.
fn named(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(name, column.data_type().clone(), !name.starts_with('_')));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect())
}

/// Replaces the operator's state by that of the tables.
pub(super) fn restore(operator: &mut TemporalJoin, tables: &[Table]) -> Result<(), ArrowError> {
    let spec = Arc::clone(&operator.spec);
    operator.keys = Keys::new(spec.before_first);
    operator.left_rows = spec.new_left_rows();
    operator.version_rows = spec.new_version_rows();
    operator.waiting = Timetable::new();
    for batch in &table(tables, PROGRESS)?.batches {
        let next = batch
            .column_by_name("next_arrival")
            .and_then(|one| one.as_primitive_opt::<UInt64Type>()?.values().first().copied());
        operator.next_arrival = next.ok_or_else(|| mismatch("no arrival number"))?;
    }
    for batch in &table(tables, VERSIONS)?.batches {
        restore_versions(operator, batch)?;
    }
    for batch in &table(tables, TIMERS)?.batches {
        restore_timers(operator, batch)?;
    }
    for batch in &table(tables, LEFT)?.batches {
        restore_left(operator, batch)?;
    }
    Ok(())
}

fn restore_versions(operator: &mut TemporalJoin, batch: &RecordBatch) -> Result<(), ArrowError> {
    let keys = keys_of(&operator.spec, batch)?;
    let stored = stored(batch, operator.spec.right_columns.len())?;
    let times = column(batch, "time")?.as_primitive::<Int64Type>();
    let is_tombstone = column(batch, "is_tombstone")?.as_boolean();
    let is_first = column(batch, "is_first")?.as_boolean();
    let slots = operator.version_rows.insert(stored, batch.num_rows());
    for (row, slot) in slots.into_iter().enumerate() {
        let key = operator.keys.find_or_add(keys.hash(row), keys.bytes(row));
        let time = times.value(row);
        let version = if is_tombstone.value(row) {
            operator.version_rows.free(slot);
            VersionRow::Tombstone
        } else {
            VersionRow::Row(slot)
        };
        if is_first.value(row) {
            operator.keys.restore_first(key, Version { time, row: version });
        } else {
            operator.keys.add_version(key, time, version);
        }
    }
    Ok(())
}

fn restore_timers(operator: &mut TemporalJoin, batch: &RecordBatch) -> Result<(), ArrowError> {
    let keys = keys_of(&operator.spec, batch)?;
    let times = column(batch, "time")?.as_primitive::<Int64Type>();
    let arrivals = column(batch, "arrival")?.as_primitive::<UInt64Type>();
    for row in 0..batch.num_rows() {
        let key = operator.keys.find_or_add(keys.hash(row), keys.bytes(row));
        let (time, arrival) = (times.value(row), arrivals.value(row));
        operator.keys.set_timer(key, Timer { time, arrival });
        operator.wait(Waiting { time, arrival, key, row: None });
    }
    Ok(())
}

fn restore_left(operator: &mut TemporalJoin, batch: &RecordBatch) -> Result<(), ArrowError> {
    let keys = keys_of(&operator.spec, batch)?;
    // The kept columns, then partition and offset.
    let stored = stored(batch, operator.spec.left_columns.len() + 2)?;
    let times = column(batch, "time")?.as_primitive::<Int64Type>();
    let arrivals = column(batch, "arrival")?.as_primitive::<UInt64Type>();
    let slots = operator.left_rows.insert(stored, batch.num_rows());
    for (row, slot) in slots.into_iter().enumerate() {
        let key = operator.keys.find_or_add(keys.hash(row), keys.bytes(row));
        let (time, arrival) = (times.value(row), arrivals.value(row));
        operator.wait(Waiting { time, arrival, key, row: Some(slot) });
    }
    Ok(())
}

/// The first columns of a table.
fn stored(batch: &RecordBatch, count: usize) -> Result<Vec<ArrayRef>, ArrowError> {
    let columns = batch.columns().get(..count);
    columns.map(<[ArrayRef]>::to_vec).ok_or_else(|| mismatch("too few columns"))
}

/// The keys of a table's rows.
fn keys_of(spec: &Spec, batch: &RecordBatch) -> Result<EncodedKeys, ArrowError> {
    let key_count = spec.codec.types().count();
    let columns = (0..key_count).map(|i| column(batch, &format!("key_{i}")).map(Arc::clone));
    spec.codec.encode(&columns.collect::<Result<Vec<_>, _>>()?, batch.num_rows())
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    let found = batch.column_by_name(name);
    found.ok_or_else(|| mismatch(&format!("there is no column `{name}`")))
}

pub(super) fn table<'a>(tables: &'a [Table], name: &str) -> Result<&'a Table, ArrowError> {
    let found = tables.iter().find(|table| table.name == name);
    found.ok_or_else(|| mismatch(&format!("there is no table `{name}`")))
}

fn mismatch(detail: &str) -> ArrowError {
    ArrowError::SchemaError(detail.to_owned())
}
