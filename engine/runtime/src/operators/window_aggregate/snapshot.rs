//! The window aggregate's state as tables.
//!
//! `progress`: one row, the watermark and `closed_until`. `groups`: one batch a window, one row a
//! group in order: window start, number, key columns, `_hash`, then the accumulators' cells.
//! `aggregate_N`: for aggregates with many values a group, one batch a window: window start, the
//! group's number and `_hash`, the values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use state::Table;
use stream::Watermark;

use super::groups::Groups;
use super::{Spec, WindowAggregate};
use crate::accumulate::{AccumulatorState, Entries, FrozenAccumulator};
use crate::key::KeyStore;
use crate::operator::FrozenState;
use crate::slots::slot;

const PROGRESS: &str = "progress";
pub(super) const GROUPS: &str = "groups";

/// Columns of `groups` before the keys: window start and number.
const LEADING: usize = 2;

/// The state at one moment.
pub(super) struct Frozen {
    spec: Arc<Spec>,
    watermark: Watermark,
    closed_until: i64,
    windows: Vec<(i64, FrozenGroups)>,
}

struct FrozenGroups {
    keys: KeyStore,
    accumulators: Vec<Box<dyn FrozenAccumulator>>,
}

impl FrozenGroups {
    fn of(groups: &Groups) -> Self {
        let accumulators = groups.accumulators.iter().map(|one| one.freeze()).collect();
        Self { keys: groups.keys.store().clone(), accumulators }
    }
}

impl Frozen {
    pub(super) fn of(operator: &WindowAggregate) -> Self {
        let windows = operator.windows.iter();
        Self {
            spec: Arc::clone(&operator.spec),
            watermark: operator.watermark,
            closed_until: operator.closed_until,
            windows: windows.map(|(start, groups)| (*start, FrozenGroups::of(groups))).collect(),
        }
    }

    fn try_tables(&self) -> Result<Vec<Table>, ArrowError> {
        let progress = named(vec![
            (
                "watermark".to_owned(),
                Arc::new(Int64Array::from(vec![self.watermark.0])) as ArrayRef,
            ),
            ("closed_until".to_owned(), Arc::new(Int64Array::from(vec![self.closed_until]))),
        ])?;
        // An empty window gives every table its schema, also where no window is open.
        let empty = FrozenGroups::of(&Groups::new(&self.spec)?);
        let mut tables = vec![Table::of(PROGRESS, progress)];
        let first = window_tables(&self.spec, 0, &empty)?;
        tables.extend(first.iter().map(|(name, batch)| Table {
            name: name.clone(),
            schema: batch.schema(),
            batches: Vec::new(),
        }));
        for (start, groups) in &self.windows {
            let batches = window_tables(&self.spec, *start, groups)?;
            for (table, (_, batch)) in tables.iter_mut().skip(1).zip(batches) {
                table.batches.push(batch);
            }
        }
        Ok(tables)
    }
}

impl FrozenState for Frozen {
    fn tables(&self) -> Vec<Table> {
        self.try_tables().expect("the state's own columns fit the state's own schema")
    }
}

/// Name of the table of an aggregate's entries, and how its columns of `groups` begin.
pub(super) fn aggregate_table(index: usize) -> String {
    format!("aggregate_{index}")
}

/// One window's batch of `groups`, then of each `aggregate_N`.
fn window_tables(
    spec: &Spec,
    start: i64,
    groups: &FrozenGroups,
) -> Result<Vec<(String, RecordBatch)>, ArrowError> {
    let count = groups.keys.count();
    let hashes: ArrayRef = Arc::new(groups.keys.hashes().collect::<UInt64Array>());
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("window_start".to_owned(), Arc::new(Int64Array::from(vec![start; count]))),
        ("number".to_owned(), Arc::new((0..slot(count)).collect::<UInt32Array>())),
    ];
    let keys = spec.codec.decode(groups.keys.all_bytes())?;
    columns.extend(keys.into_iter().enumerate().map(|(i, key)| (format!("key_{i}"), key)));
    columns.push(("_hash".to_owned(), Arc::clone(&hashes)));
    let mut entry_tables = Vec::new();
    for (index, accumulator) in groups.accumulators.iter().enumerate() {
        let state = accumulator.state()?;
        columns.extend(
            state
                .cells
                .into_iter()
                .map(|(name, cell)| (format!("{}_{name}", aggregate_table(index)), cell)),
        );
        if let Some(entries) = state.entries {
            let name = aggregate_table(index);
            entry_tables.push((name, entry_table(start, &hashes, entries)?));
        }
    }
    let mut tables = vec![(GROUPS.to_owned(), named(columns)?)];
    tables.extend(entry_tables);
    Ok(tables)
}

fn entry_table(start: i64, hashes: &ArrayRef, entries: Entries) -> Result<RecordBatch, ArrowError> {
    let count = entries.slots.len();
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("window_start".to_owned(), Arc::new(Int64Array::from(vec![start; count]))),
        ("_hash".to_owned(), take(hashes, &entries.slots, None)?),
        ("number".to_owned(), Arc::new(entries.slots)),
    ];
    columns.extend(entries.columns.into_iter().map(|(name, column)| (name.to_owned(), column)));
    named(columns)
}

/// A batch whose columns, but for those that begin with `_`, may be null.
fn named(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(name, column.data_type().clone(), !name.starts_with('_')));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect())
}

/// Replaces the operator's state by that of the tables.
pub(super) fn restore(operator: &mut WindowAggregate, tables: &[Table]) -> Result<(), ArrowError> {
    let progress = table(tables, PROGRESS)?.batches.first();
    let progress = progress.ok_or_else(|| mismatch("`progress` is empty".to_owned()))?;
    operator.watermark = Watermark(number(progress, "watermark")?);
    operator.closed_until = number(progress, "closed_until")?;
    operator.windows.clear();
    for batch in &table(tables, GROUPS)?.batches {
        let start = number(batch, "window_start")?;
        let groups = restored_groups(operator, batch, start, tables)?;
        operator.windows.insert(start, groups);
    }
    Ok(())
}

fn restored_groups(
    operator: &WindowAggregate,
    batch: &RecordBatch,
    start: i64,
    tables: &[Table],
) -> Result<Groups, ArrowError> {
    let spec = &operator.spec;
    let mut groups = Groups::new(spec)?;
    let key_end = LEADING + spec.key_count;
    let columns = batch.columns();
    if columns.len() <= key_end {
        return Err(mismatch("`groups` has too few columns".to_owned()));
    }
    let mut next_cell = key_end + 1;
    let mut states = Vec::with_capacity(groups.accumulators.len());
    for (index, accumulator) in groups.accumulators.iter().enumerate() {
        let shape = accumulator.freeze().state()?;
        let mut state = AccumulatorState::default();
        for (name, _) in &shape.cells {
            let cell = columns.get(next_cell);
            let cell = cell.ok_or_else(|| mismatch("`groups` has too few columns".to_owned()))?;
            state.cells.push((name, Arc::clone(cell)));
            next_cell += 1;
        }
        if shape.entries.is_some() {
            let table = table(tables, &aggregate_table(index))?;
            state.entries = Some(restored_entries(table, start)?);
        }
        states.push(state);
    }
    let keys = (&spec.codec, &columns[LEADING..key_end], batch.num_rows());
    groups.restore(keys, &states)?;
    Ok(groups)
}

/// The entries of one window.
fn restored_entries(table: &Table, start: i64) -> Result<Entries, ArrowError> {
    let found =
        table.batches.iter().find(|batch| number(batch, "window_start").ok() == Some(start));
    let empty = RecordBatch::new_empty(Arc::clone(&table.schema));
    let batch = found.unwrap_or(&empty);
    let slots = batch
        .column_by_name("number")
        .and_then(|column| column.as_primitive_opt::<UInt32Type>().cloned());
    let slots = slots.ok_or_else(|| mismatch(format!("`{}` has no numbers", table.name)))?;
    let columns = batch.columns().iter().skip(LEADING + 1);
    Ok(Entries { slots, columns: columns.map(|column| ("", Arc::clone(column))).collect() })
}

pub(super) fn table<'a>(tables: &'a [Table], name: &str) -> Result<&'a Table, ArrowError> {
    let found = tables.iter().find(|table| table.name == name);
    found.ok_or_else(|| mismatch(format!("there is no table `{name}`")))
}

/// The first value of a column of milliseconds.
fn number(batch: &RecordBatch, column: &str) -> Result<i64, ArrowError> {
    let found = batch.column_by_name(column).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let value = found.and_then(|values| values.values().first().copied());
    value.ok_or_else(|| mismatch(format!("there is no `{column}`")))
}

fn mismatch(detail: String) -> ArrowError {
    ArrowError::SchemaError(detail)
}
