//! The event-time temporal join: each left row meets the version that was valid at its time.
//!
//! A left row waits until the watermark reaches its time; then its key fires: the key's left rows up
//! to the watermark leave, each with the version of the greatest time at or before its own, and the
//! versions that a newer one has superseded at the watermark are deleted. A version sets the key's
//! timer too, so a key whose versions succeed one another is tidied without left rows.
//!
//! Only the left side's watermark counts, and its advances are passed on. That versions are read
//! first is the caller's duty.
//!
//! **Invariant:** what leaves depends on the order of rows and advances alone. Keys fired by one
//! advance go in order of (timer, arrival number), a key's rows in order of arrival.

mod keys;
mod snapshot;
mod timetable;
pub(super) mod migrate;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, UInt32Array,
};
use arrow::compute::{nullif, take_record_batch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use planner::dataflow::{self, BeforeFirst, Expression, JoinColumn};
use state::Table;
use stream::{Advance, Batch, Origin, RowKind, Watermark};

use super::event_times::event_times;
use crate::evaluate::{Evaluated, Evaluator};
use crate::key::{EncodedKeys, KeyCodec};
use crate::operator::{
    DiscardReason, Discarded, FrozenState, Operator, OperatorError, Output, StateSize,
};
use crate::row_store::RowStore;
use crate::slots::slot;
use keys::{Found, Keys, Timer, VersionRow};
use timetable::{Timetable, Waiting};

/// Port of the left side.
const LEFT: usize = 0;
/// Port of the versions.
const VERSIONS: usize = 1;

/// Joins each left row with the version of its key at its time.
#[derive(Debug)]
pub(crate) struct TemporalJoin {
    spec: Arc<Spec>,
    left_keys: Evaluator,
    right_keys: Evaluator,
    condition: Option<Evaluator>,
    keys: Keys,
    left_rows: RowStore,
    version_rows: RowStore,
    /// Left rows that wait, and the timers that versions have set.
    waiting: Timetable,
    /// Number of the next row, of either side.
    next_arrival: u64,
    fired: Fired,
}

/// What the operator was asked for.
#[derive(Debug)]
struct Spec {
    id: String,
    schema: SchemaRef,
    left_schema: SchemaRef,
    right_schema: SchemaRef,
    keep_unmatched: bool,
    before_first: BeforeFirst,
    left_time: usize,
    right_time: usize,
    codec: KeyCodec,
    /// Left columns that are kept, by their index in the input.
    left_columns: Vec<usize>,
    /// The same of the versions.
    right_columns: Vec<usize>,
    output: Vec<JoinColumn>,
}

/// What one advance fires: scratch that is kept for its memory.
#[derive(Debug, Default)]
struct Fired {
    due: Vec<Waiting>,
    /// Fired keys in order.
    keys: Vec<u32>,
    /// (place of the key in `keys`, arrival, row, time).
    rows: Vec<(u32, u64, u32, i64)>,
}

/// Joined rows on their way out.
#[derive(Debug, Default)]
struct Joined {
    /// Left row and version.
    rows: Vec<(u32, Option<u32>)>,
    advances: Vec<Advance>,
    /// Left rows that leave without output.
    unmatched: Vec<u32>,
    superseded: Vec<u32>,
    without_version: u64,
}

impl TemporalJoin {
    /// The operator of a node whose columns are those of `schema`.
    pub(crate) fn new(
        id: &str,
        join: &dataflow::TemporalJoin,
        schema: &SchemaRef,
        inputs: &[SchemaRef],
    ) -> Result<Self, OperatorError> {
        let build = |detail: String| OperatorError::Build { operator: id.to_owned(), detail };
        let [left_schema, right_schema] = inputs else {
            return Err(build(format!("a join has two inputs, not {}", inputs.len())));
        };
        let types = |keys: &[Expression]| -> Vec<DataType> {
            keys.iter().map(|key| key.data_type.clone()).collect()
        };
        let key_types = types(&join.left_key);
        if key_types != types(&join.right_key) {
            return Err(build("the keys of its two sides have different types".to_owned()));
        }
        let condition = join.condition.clone().map(|one| Evaluator::new(id, LEFT, vec![one]));
        let spec = Spec {
            id: id.to_owned(),
            schema: SchemaRef::clone(schema),
            left_columns: join.kept_left(left_schema.fields().len()),
            right_columns: join.kept_right(right_schema.fields().len()),
            left_schema: SchemaRef::clone(left_schema),
            right_schema: SchemaRef::clone(right_schema),
            keep_unmatched: join.keep_unmatched,
            before_first: join.before_first,
            left_time: join.left_time,
            right_time: join.right_time,
            codec: KeyCodec::new(&key_types).map_err(|error| build(error.to_string()))?,
            output: join.output.clone(),
        };
        let spec = Arc::new(spec);
        Ok(Self {
            left_keys: Evaluator::new(id, LEFT, join.left_key.clone()),
            right_keys: Evaluator::new(id, VERSIONS, join.right_key.clone()),
            condition,
            keys: Keys::new(join.before_first),
            left_rows: spec.new_left_rows(),
            version_rows: spec.new_version_rows(),
            waiting: Timetable::new(),
            next_arrival: 0,
            fired: Fired::default(),
            spec,
        })
    }

    fn push_left(&mut self, batch: Batch, output: &mut Output) -> Result<(), OperatorError> {
        let insert = RowKind::Insert.code();
        let is_append_only =
            batch.kinds.as_ref().is_none_or(|kinds| kinds.values().iter().all(|k| *k == insert));
        assert!(is_append_only, "the planner gives temporal joins left rows without retractions");
        let Evaluated { batch, columns } = self.left_keys.evaluate(batch, output)?;
        self.fold_left(&batch, &columns, output).map_err(|error| self.left_keys.failed(error))
    }

    fn fold_left(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
        output: &mut Output,
    ) -> Result<(), ArrowError> {
        let row_count = batch.row_count();
        let keys = self.spec.codec.encode(keys, row_count)?;
        let times = event_times(batch.rows.column(self.spec.left_time))?;
        let slots = self.left_rows.insert(self.spec.left_row_columns(batch), row_count);
        let mut joined = Joined::default();
        let mut without_time = Vec::new();
        let mut advances = batch.advances.iter().peekable();
        for (row, stored) in slots.into_iter().enumerate() {
            while let Some(advance) = advances.next_if(|advance| advance.position <= row) {
                self.advance(advance.watermark, &mut joined);
            }
            if times.is_null(row) {
                without_time.push(slot(row));
                self.left_rows.free(stored);
                continue;
            }
            let key = self.keys.find_or_add(keys.hash(row), keys.bytes(row));
            self.wait(Waiting {
                time: times.value(row),
                arrival: self.next_arrival,
                key,
                row: Some(stored),
            });
            self.next_arrival += 1;
        }
        for advance in advances {
            self.advance(advance.watermark, &mut joined);
        }
        discard_without_time(LEFT, &without_time, batch, output)?;
        self.emit(joined, output)
    }

    fn wait(&mut self, waiting: Waiting) {
        if waiting.row.is_some() {
            self.keys.add_waiting(waiting.key);
        }
        self.waiting.push(waiting);
    }

    /// Fires what the watermark has reached, then passes it on.
    fn advance(&mut self, watermark: Watermark, joined: &mut Joined) {
        self.fire(watermark, joined);
        joined.advances.push(Advance { position: joined.rows.len(), watermark });
    }

    /// Fires every key whose timer the watermark has reached.
    fn fire(&mut self, watermark: Watermark, joined: &mut Joined) {
        let mut fired = std::mem::take(&mut self.fired);
        self.waiting.take_due(watermark, &mut fired.due);
        if !fired.due.is_empty() {
            self.release(&mut fired, joined);
            for key in &fired.keys {
                self.keys.supersede(*key, watermark.0, &mut joined.superseded);
                self.keys.forget_if_unused(*key);
            }
        }
        self.fired = fired;
    }

    /// Joins what is due, key by key.
    fn release(&mut self, fired: &mut Fired, joined: &mut Joined) {
        let Fired { due, keys, rows } = fired;
        keys.clear();
        rows.clear();
        for waiting in due.drain(..) {
            let timer = Timer { time: waiting.time, arrival: waiting.arrival };
            if waiting.row.is_none() && self.keys.timer(waiting.key) != Some(timer) {
                // The key has fired since this timer was set.
                continue;
            }
            let place = self.keys.place_in(keys, waiting.key);
            if let Some(row) = waiting.row {
                rows.push((place, waiting.arrival, row, waiting.time));
            }
        }
        if rows.len() > 1 {
            rows.sort_unstable_by_key(|(place, arrival, _, _)| (*place, *arrival));
        }
        for (place, _, row, time) in rows.iter() {
            let key = keys[*place as usize];
            self.keys.remove_waiting(key);
            match self.keys.version_at(key, *time) {
                Found::Version(version) => joined.rows.push((*row, Some(version))),
                Found::Tombstone => self.spec.unmatched(*row, joined),
                Found::Nothing => {
                    joined.without_version += 1;
                    self.spec.unmatched(*row, joined);
                }
            }
        }
    }

    /// Gathers the joined rows, then lets go what nothing points to any more.
    fn emit(&mut self, joined: Joined, output: &mut Output) -> Result<(), ArrowError> {
        output.rows_without_version += joined.without_version;
        let left = self.left_rows.gather(joined.rows.iter().map(|(left, _)| Some(*left)))?;
        let right = self.version_rows.gather(joined.rows.iter().map(|(_, version)| *version))?;
        let matched = joined.rows.iter().map(|(left, _)| left);
        for left in matched.chain(&joined.unmatched) {
            self.left_rows.free(*left);
        }
        for version in &joined.superseded {
            self.version_rows.free(*version);
        }
        self.left_rows.tidy()?;
        self.version_rows.tidy()?;
        let sides = Sides { left, right, row_count: joined.rows.len(), advances: joined.advances };
        self.emit_sides(sides, output)
    }

    fn emit_sides(&self, mut sides: Sides, output: &mut Output) -> Result<(), ArrowError> {
        let offsets = sides.left.pop().expect("the store's last columns are the origin");
        let partitions = sides.left.pop().expect("the store's last columns are the origin");
        let origin = origin_of(&partitions, &offsets);
        let Some(condition) = &self.condition else {
            let rows = self.spec.output_rows(&sides.left, &sides.right, sides.row_count)?;
            let advances = sides.advances;
            output.emit(Batch { rows, kinds: None, origin, advances });
            return Ok(());
        };
        let rows = self.spec.both_sides(&sides)?;
        let both = Batch { rows, kinds: None, origin, advances: sides.advances };
        let mut failed = Output::default();
        let evaluated = condition.evaluate(both, &mut failed).map_err(external)?;
        let left_count = self.spec.left_schema.fields().len();
        for mut discarded in failed.discarded {
            let columns = discarded.rows.columns()[..left_count].to_vec();
            discarded.rows = RecordBatch::try_new(Arc::clone(&self.spec.left_schema), columns)?;
            output.discarded.push(discarded);
        }
        output.emit(self.spec.under_condition(evaluated)?);
        Ok(())
    }

    fn push_versions(&mut self, batch: Batch, output: &mut Output) -> Result<(), OperatorError> {
        let Evaluated { batch, columns } = self.right_keys.evaluate(batch, output)?;
        self.fold_versions(&batch, &columns, output).map_err(|error| self.right_keys.failed(error))
    }

    fn fold_versions(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
        output: &mut Output,
    ) -> Result<(), ArrowError> {
        let row_count = batch.row_count();
        let keys: EncodedKeys = self.spec.codec.encode(keys, row_count)?;
        let times = event_times(batch.rows.column(self.spec.right_time))?;
        let columns = selected(&batch.rows, &self.spec.right_columns);
        let slots = self.version_rows.insert(columns, row_count);
        let mut without_time = Vec::new();
        for (row, stored) in slots.into_iter().enumerate() {
            let kind = batch.kinds.as_ref().and_then(|kinds| RowKind::from_code(kinds.value(row)));
            let version = match kind {
                None | Some(RowKind::Insert | RowKind::UpdateAfter) => VersionRow::Row(stored),
                Some(RowKind::Delete) => VersionRow::Tombstone,
                // The new content follows.
                Some(RowKind::UpdateBefore) => {
                    self.version_rows.free(stored);
                    continue;
                }
            };
            if version == VersionRow::Tombstone || times.is_null(row) {
                self.version_rows.free(stored);
            }
            if times.is_null(row) {
                without_time.push(slot(row));
                continue;
            }
            let key = self.keys.find_or_add(keys.hash(row), keys.bytes(row));
            let timer = Timer { time: times.value(row), arrival: self.next_arrival };
            self.next_arrival += 1;
            if let Some(replaced) = self.keys.add_version(key, timer.time, version) {
                self.version_rows.free(replaced);
            }
            if self.keys.set_timer(key, timer) {
                let Timer { time, arrival } = timer;
                self.wait(Waiting { time, arrival, key, row: None });
            }
        }
        self.version_rows.tidy()?;
        discard_without_time(VERSIONS, &without_time, batch, output)
    }
}

impl Operator for TemporalJoin {
    fn push(
        &mut self,
        port: usize,
        batch: Batch,
        output: &mut Output,
    ) -> Result<(), OperatorError> {
        if port == LEFT { self.push_left(batch, output) } else { self.push_versions(batch, output) }
    }

    fn end_of_input(&mut self, output: &mut Output) -> Result<(), OperatorError> {
        let mut fired = std::mem::take(&mut self.fired);
        let all = std::mem::replace(&mut self.waiting, Timetable::new());
        fired.due.extend(all.iter());
        fired.due.sort_unstable();
        // Rows leave at the present watermark: no version is deleted and no timer is spent.
        let timers = fired.due.iter().filter(|waiting| waiting.row.is_none());
        timers.for_each(|timer| self.waiting.push(*timer));
        let mut joined = Joined::default();
        self.release(&mut fired, &mut joined);
        for key in &fired.keys {
            self.keys.forget_if_unused(*key);
        }
        self.fired = fired;
        self.emit(joined, output).map_err(|error| self.left_keys.failed(error))
    }

    fn size(&self) -> StateSize {
        let rows = self.left_rows.live_rows() + self.version_rows.live_rows();
        let bytes = self.left_rows.bytes() + self.version_rows.bytes() + self.keys.bytes();
        let waiting = self.waiting.len() * size_of::<Waiting>();
        StateSize { rows: rows as u64, bytes: (bytes + waiting) as u64 }
    }

    fn freeze(&self) -> Box<dyn FrozenState> {
        Box::new(snapshot::Frozen::of(self))
    }

    fn restore(&mut self, tables: Vec<Table>) -> Result<(), OperatorError> {
        snapshot::restore(self, &tables).map_err(|error| OperatorError::State {
            operator: self.spec.id.clone(),
            detail: error.to_string(),
        })
    }
}

/// Joined rows, gathered.
struct Sides {
    /// The kept left columns, then partition and offset.
    left: Vec<ArrayRef>,
    right: Vec<ArrayRef>,
    row_count: usize,
    advances: Vec<Advance>,
}

impl Spec {
    fn new_left_rows(&self) -> RowStore {
        let kept = self.left_columns.iter().map(|index| self.left_schema.field(*index).data_type());
        RowStore::new(kept.chain([&DataType::Int32, &DataType::Int64]))
    }

    fn new_version_rows(&self) -> RowStore {
        let kept = self.right_columns.iter();
        RowStore::new(kept.map(|index| self.right_schema.field(*index).data_type()))
    }

    /// What is kept of left rows: their columns, partition and offset.
    fn left_row_columns(&self, batch: &Batch) -> Vec<ArrayRef> {
        let mut columns = selected(&batch.rows, &self.left_columns);
        match &batch.origin {
            Some(origin) => {
                columns.push(Arc::new(origin.partition.clone()));
                columns.push(Arc::new(origin.offset.clone()));
            }
            None => {
                columns.push(Arc::new(Int32Array::new_null(batch.row_count())));
                columns.push(Arc::new(Int64Array::new_null(batch.row_count())));
            }
        }
        columns
    }

    /// A left row without a version.
    fn unmatched(&self, row: u32, joined: &mut Joined) {
        if self.keep_unmatched {
            joined.rows.push((row, None));
        } else {
            joined.unmatched.push(row);
        }
    }

    /// The output's columns out of those that are kept.
    fn output_rows(
        &self,
        left: &[ArrayRef],
        right: &[ArrayRef],
        row_count: usize,
    ) -> Result<RecordBatch, ArrowError> {
        let column = |kept: &[usize], columns: &[ArrayRef], wanted: usize| {
            let place = kept.iter().position(|index| *index == wanted);
            Arc::clone(&columns[place.expect("output columns are kept")])
        };
        let columns = self.output.iter().map(|output| match output {
            JoinColumn::Left(index) => column(&self.left_columns, left, *index),
            JoinColumn::Right(index) => column(&self.right_columns, right, *index),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(row_count));
        let schema = SchemaRef::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, columns.collect(), &options)
    }

    /// All columns of both sides, as the condition reads them; those of the right may be null.
    fn both_sides(&self, sides: &Sides) -> Result<RecordBatch, ArrowError> {
        use arrow::datatypes::{FieldRef, Schema};
        let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
        let left = self.left_schema.fields().iter().map(Arc::clone);
        let right = self.right_schema.fields().iter().map(nullable);
        let schema = Schema::new(left.chain(right).collect::<Vec<_>>());
        let columns = sides.left.iter().chain(&sides.right).map(Arc::clone).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(sides.row_count));
        RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
    }

    /// What is left of joined rows where the condition holds for some only.
    fn under_condition(&self, evaluated: Evaluated) -> Result<Batch, ArrowError> {
        let Evaluated { batch, columns } = evaluated;
        let holds = columns[0].as_boolean();
        let left_count = self.left_columns.len();
        let batch = if self.keep_unmatched { batch } else { batch.filter(holds)? };
        let (left, right) = batch.rows.columns().split_at(left_count);
        let mut right = right.to_vec();
        if self.keep_unmatched {
            let fails = |holds: Option<bool>| Some(holds != Some(true));
            let fails: BooleanArray = holds.iter().map(fails).collect();
            for column in &mut right {
                *column = nullif(column, &fails)?;
            }
        }
        let rows = self.output_rows(left, &right, batch.row_count())?;
        Ok(batch.with_rows(rows))
    }
}

fn selected(rows: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|index| Arc::clone(rows.column(*index))).collect()
}

/// Where rows came from; `None` if that is not known of all.
fn origin_of(partitions: &ArrayRef, offsets: &ArrayRef) -> Option<Origin> {
    let is_known = partitions.null_count() == 0 && offsets.null_count() == 0;
    is_known.then(|| Origin {
        partition: partitions.as_primitive::<Int32Type>().clone(),
        offset: offsets.as_primitive::<Int64Type>().clone(),
    })
}

fn discard_without_time(
    port: usize,
    rows: &[u32],
    batch: &Batch,
    output: &mut Output,
) -> Result<(), ArrowError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = UInt32Array::from(rows.to_vec());
    output.discarded.push(Discarded {
        port,
        reason: DiscardReason::Failed,
        rows: take_record_batch(&batch.rows, &rows)?,
        origin: batch.origin.as_ref().map(|origin| super::take_origin(origin, &rows)),
        detail: "its event time is NULL".to_owned(),
    });
    Ok(())
}

fn external(error: OperatorError) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

#[cfg(test)]
mod tests;
