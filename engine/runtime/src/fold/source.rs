//! Event time of a source: which rows it admits, and how its watermark rises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use planner::dataflow::{OperatorId, Source};
use state::{Table, TableFile};
use stream::{Advance, Batch, EventTime, Origin, ProcessingTime, ReaderName, SliceRows, Watermark};

use super::frozen::WHOLE;
use super::{DeadLetterReason, DeadLetters};
use crate::operator::OperatorError;

/// Name of the table that holds all partitions of all sources.
pub(super) const TABLE: &str = "sources";

/// Partitions and watermark of one reader.
#[derive(Debug)]
pub(super) struct SourceState {
    node: usize,
    time_column: usize,
    out_of_orderness_ms: i64,
    max_future_ms: i64,
    partitions: BTreeMap<i32, Partition>,
    watermark: Watermark,
}

#[derive(Debug, Clone, Copy)]
struct Partition {
    watermark: Watermark,
    is_idle: bool,
}

/// A slice after the event-time check.
pub(super) struct Admitted {
    /// The good rows, with the advances they cause.
    pub(super) batch: Batch,
    /// The others.
    pub(super) refused: Vec<Refused>,
}

/// Rows without a usable event time.
pub(super) struct Refused {
    pub(super) reason: DeadLetterReason,
    pub(super) rows: RecordBatch,
    origin: Option<Origin>,
    detail: String,
}

impl Refused {
    pub(super) fn into_letters(self, source: &Source) -> DeadLetters {
        DeadLetters::Rows {
            reason: self.reason,
            operator: OperatorId(source.source.clone()),
            topic: source.topic.clone(),
            rows: self.rows,
            origin: self.origin,
            detail: self.detail,
        }
    }
}

impl SourceState {
    pub(super) fn new(node: usize, source: &Source) -> Self {
        Self {
            node,
            time_column: source.event_time.column,
            out_of_orderness_ms: source.event_time.out_of_orderness_ms,
            max_future_ms: source.event_time.max_future_ms,
            partitions: BTreeMap::new(),
            watermark: Watermark::NONE,
        }
    }

    pub(super) fn node(&self) -> usize {
        self.node
    }

    pub(super) fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The greatest event time that moved a watermark.
    pub(super) fn newest_event(&self) -> Option<EventTime> {
        let greatest = self.partitions.values().map(|it| it.watermark).max()?;
        greatest.is_some().then(|| EventTime(greatest.0.saturating_add(self.out_of_orderness_ms)))
    }

    pub(super) fn partition_watermark(&self, partition: i32) -> Watermark {
        self.partitions.get(&partition).map_or(Watermark::NONE, |it| it.watermark)
    }

    pub(super) fn is_idle(&self, partition: i32) -> bool {
        self.partitions.get(&partition).is_some_and(|it| it.is_idle)
    }

    pub(super) fn add_partition(&mut self, partition: i32) {
        self.partitions
            .entry(partition)
            .or_insert(Partition { watermark: Watermark::NONE, is_idle: false });
    }

    /// Marks a partition; what that does to the watermark.
    pub(super) fn set_idle(&mut self, partition: i32, is_idle: bool) -> Option<Advance> {
        self.add_partition(partition);
        if let Some(it) = self.partitions.get_mut(&partition) {
            it.is_idle = is_idle;
        }
        let least = self.partitions.values().filter(|it| !it.is_idle).map(|it| it.watermark).min();
        // All idle: the source keeps the greatest of their watermarks.
        let target = least.or_else(|| self.partitions.values().map(|it| it.watermark).max());
        target.and_then(|target| self.raise(target))
    }

    /// Raises the watermark to `target`, if that is a rise.
    pub(super) fn raise(&mut self, target: Watermark) -> Option<Advance> {
        (target > self.watermark).then(|| {
            self.watermark = target;
            Advance { position: 0, watermark: target }
        })
    }

    /// Lets in the rows that have a usable event time, and notes after each row whether the
    /// watermark rose.
    pub(super) fn admit(
        &mut self,
        partition: i32,
        batch: Batch,
        now: ProcessingTime,
    ) -> Result<Admitted, ArrowError> {
        self.set_idle(partition, false);
        let times = event_times(batch.rows.column(self.time_column))?;
        let latest = now.0.saturating_add(self.max_future_ms);
        let is_good = |row: usize| times.is_valid(row) && times.value(row) <= latest;
        if (0..times.len()).all(is_good) {
            let advances = self.advances(partition, times.values());
            return Ok(Admitted { batch: Batch { advances, ..batch }, refused: Vec::new() });
        }
        let null_time = refuse(&batch, DeadLetterReason::NullTime, |row| times.is_null(row))?;
        let future = refuse(&batch, DeadLetterReason::Future, |row| {
            times.is_valid(row) && times.value(row) > latest
        })?;
        let keep: BooleanArray = (0..times.len()).map(|row| Some(is_good(row))).collect();
        let batch = batch.filter(&keep)?;
        let times = event_times(batch.rows.column(self.time_column))?;
        let advances = self.advances(partition, times.values());
        let refused = [null_time, future].into_iter().flatten().collect();
        Ok(Admitted { batch: Batch { advances, ..batch }, refused })
    }

    fn advances(&mut self, partition: i32, times: &[i64]) -> Vec<Advance> {
        let others = self
            .partitions
            .iter()
            .filter(|(number, it)| **number != partition && !it.is_idle)
            .map(|(_, it)| it.watermark)
            .min()
            .unwrap_or(Watermark(i64::MAX));
        let Some(it) = self.partitions.get_mut(&partition) else { return Vec::new() };
        let mut advances = Vec::with_capacity(times.len());
        for (row, time) in times.iter().enumerate() {
            let own = Watermark::after(EventTime(*time), self.out_of_orderness_ms);
            if own > it.watermark {
                it.watermark = own;
                let least = own.min(others);
                if least > self.watermark {
                    self.watermark = least;
                    advances.push(Advance { position: row + 1, watermark: least });
                }
            }
        }
        advances
    }
}

/// Why a source would not let in the only row of a slice, if it would not.
///
/// # Errors
/// Arrow's, if the event time cannot be read: a planner's bug.
pub(crate) fn refusal(
    source: &Source,
    rows: SliceRows,
    now: ProcessingTime,
) -> Result<Option<String>, ArrowError> {
    if let Some(rejected) = rows.rejected.into_iter().next() {
        return Ok(Some(rejected.detail));
    }
    if rows.batch.row_count() == 0 {
        return Ok(Some("it has no value".to_owned()));
    }
    let admitted = SourceState::new(0, source).admit(0, rows.batch, now)?;
    Ok(admitted.refused.into_iter().next().map(|refused| refused.detail))
}

fn refuse(
    batch: &Batch,
    reason: DeadLetterReason,
    is_bad: impl Fn(usize) -> bool,
) -> Result<Option<Refused>, ArrowError> {
    let bad: BooleanArray = (0..batch.row_count()).map(|row| Some(is_bad(row))).collect();
    if bad.true_count() == 0 {
        return Ok(None);
    }
    let Batch { rows, origin, .. } = batch.clone().filter(&bad)?;
    let detail = match reason {
        DeadLetterReason::Future => "the event time lies beyond `event_time.max_future`",
        _ => "the event time is null",
    };
    Ok(Some(Refused { reason, rows, origin, detail: detail.to_owned() }))
}

/// Event times in milliseconds; finer ones are cut downward.
fn event_times(column: &ArrayRef) -> Result<PrimitiveArray<Int64Type>, ArrowError> {
    let per_milli = match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            return Ok(column
                .as_primitive::<TimestampMillisecondType>()
                .reinterpret_cast::<Int64Type>());
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000,
        _ => 1,
    };
    let numbers = cast(column, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    if let DataType::Timestamp(TimeUnit::Second, _) = column.data_type() {
        return Ok(numbers.unary(|seconds| seconds.saturating_mul(1_000)));
    }
    Ok(numbers.unary(|number| number.div_euclid(per_milli)))
}

/// A row of [`table`]: reader, partition, and what is known of them.
type Row = (ReaderName, i32, Partition, Watermark);

/// All partitions of all sources.
///
/// # Shape
/// `reader` Utf8, `partition` Int32, `watermark` Int64 (milliseconds), `is_idle` Boolean,
/// `source_watermark` Int64; none null; ordered by reader and partition.
pub(super) fn table(sources: &BTreeMap<ReaderName, SourceState>) -> Table {
    let rows = sources.iter().flat_map(|(reader, source)| {
        let partitions = source.partitions.iter();
        partitions.map(|(number, it)| (reader.clone(), *number, *it, source.watermark))
    });
    table_of(&rows.collect::<Vec<_>>())
}

fn table_of(rows: &[Row]) -> Table {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0.0))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2.watermark.0))),
        Arc::new(rows.iter().map(|row| Some(row.2.is_idle)).collect::<BooleanArray>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.3.0))),
    ];
    let schema = Arc::new(Schema::new(vec![
        Field::new("reader", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("watermark", DataType::Int64, false),
        Field::new("is_idle", DataType::Boolean, false),
        Field::new("source_watermark", DataType::Int64, false),
    ]));
    let batch = RecordBatch::try_new(schema, columns).expect("the columns are those of the schema");
    Table::of(TABLE, batch)
}

/// The table with other readers: `name_of` gives the new name of each, or none if it is gone. Of
/// two that become one, the greater watermarks count, and a partition is idle where the one that had
/// the name before says so.
pub(super) fn renamed(
    table: &Table,
    name_of: impl Fn(&ReaderName) -> Option<ReaderName>,
) -> Result<Table, OperatorError> {
    let mut partitions: BTreeMap<(ReaderName, i32), Partition> = BTreeMap::new();
    let mut watermarks: BTreeMap<ReaderName, Watermark> = BTreeMap::new();
    for (reader, number, partition, watermark) in rows_of(table)? {
        let Some(name) = name_of(&reader) else { continue };
        let whole = watermarks.entry(name.clone()).or_insert(watermark);
        *whole = watermark.max(*whole);
        let had_name = name == reader;
        let entry = partitions.entry((name, number)).or_insert(partition);
        entry.watermark = partition.watermark.max(entry.watermark);
        if had_name {
            entry.is_idle = partition.is_idle;
        }
    }
    let rows = partitions.into_iter().map(|((reader, number), partition)| {
        let watermark = watermarks.get(&reader).copied().unwrap_or(Watermark::NONE);
        (reader, number, partition, watermark)
    });
    Ok(table_of(&rows.collect::<Vec<_>>()))
}

/// Takes the partitions back from [`table`].
pub(super) fn restore(
    sources: &mut BTreeMap<ReaderName, SourceState>,
    table: &Table,
) -> Result<(), OperatorError> {
    for (reader, number, partition, watermark) in rows_of(table)? {
        let source = sources.get_mut(&reader);
        let source =
            source.ok_or_else(|| misfit("it names a reader that the plan does not have"))?;
        source.watermark = watermark;
        source.partitions.insert(number, partition);
    }
    Ok(())
}

/// The partitions that are left out of their reader's watermark, in a snapshot's [`table`].
///
/// # Errors
/// [`OperatorError::State`] if it is another table.
pub(crate) fn idle_partitions(table: &Table) -> Result<BTreeSet<(ReaderName, i32)>, OperatorError> {
    if table.schema != table_of(&[]).schema {
        return Err(misfit("its columns are others"));
    }
    let rows = rows_of(table)?.into_iter().filter(|(_, _, partition, _)| partition.is_idle);
    Ok(rows.map(|(reader, number, _, _)| (reader, number)).collect())
}

/// Whether a snapshot's table is the [`table`] of its sources.
pub(crate) fn is_sources_table(entry: &TableFile) -> bool {
    entry.operator == WHOLE && entry.name == TABLE
}

fn rows_of(table: &Table) -> Result<Vec<Row>, OperatorError> {
    let mut rows = Vec::new();
    for batch in &table.batches {
        let readers = batch.column(0).as_string_opt::<i32>();
        let partitions = batch.column(1).as_primitive_opt::<arrow::datatypes::Int32Type>();
        let watermarks = batch.column(2).as_primitive_opt::<Int64Type>();
        let idle = batch.column(3).as_boolean_opt();
        let source_watermarks = batch.column(4).as_primitive_opt::<Int64Type>();
        let (Some(readers), Some(partitions), Some(watermarks), Some(idle), Some(own)) =
            (readers, partitions, watermarks, idle, source_watermarks)
        else {
            return Err(misfit("its columns have other types"));
        };
        rows.extend((0..batch.num_rows()).map(|row| {
            let watermark = Watermark(watermarks.value(row));
            let partition = Partition { watermark, is_idle: idle.value(row) };
            let reader = ReaderName(Arc::from(readers.value(row)));
            (reader, partitions.value(row), partition, Watermark(own.value(row)))
        }));
    }
    Ok(rows)
}

fn misfit(detail: &str) -> OperatorError {
    OperatorError::State { operator: TABLE.to_owned(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests;
