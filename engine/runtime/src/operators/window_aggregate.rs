//! Aggregates per key and tumbling window.
//!
//! A window that has rows keeps a table of its groups, numbered in the order in which they came, and
//! one accumulator for each aggregate with a slot a group. It fires once, at the first advance to
//! `end - 1 ms + allowed_lateness`, and is then dropped whole. A row that comes later is discarded.
//!
//! **Invariant:** groups leave by (window end, arrival of their first row). Lateness and firing look
//! at the watermark at a row's own place, so they do not depend on how rows are cut into batches.
//! Absent: windows that overlap or merge; results before the window's end.

mod groups;
mod snapshot;
pub(super) mod migrate;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use planner::dataflow::{self, AggregateCall, Expression};
use state::Table;
use stream::{Batch, EventTime, RowKind, Watermark};

use super::emission::Emission;
use super::event_times::event_times;
use crate::evaluate::{Evaluated, Evaluator};
use crate::key::{EncodedKeys, KeyCodec};
use crate::operator::{
    DiscardReason, Discarded, FrozenState, OpenWindow, Operator, OperatorError, Output, StateSize,
};
use crate::slots::slot;
use groups::Groups;

/// Aggregates per key and tumbling window.
#[derive(Debug)]
pub(crate) struct WindowAggregate {
    spec: Arc<Spec>,
    evaluator: Evaluator,
    /// Open windows by their start.
    windows: BTreeMap<i64, Groups>,
    watermark: Watermark,
    /// The greatest end of a window that `end_of_input` fired.
    closed_until: i64,
}

/// What the operator was asked for.
#[derive(Debug)]
struct Spec {
    id: String,
    schema: SchemaRef,
    windows: Windows,
    time: usize,
    codec: KeyCodec,
    key_count: usize,
    calls: Vec<Call>,
}

/// How event time is cut.
#[derive(Debug, Clone, Copy)]
struct Windows {
    /// Milliseconds, above zero.
    size: i64,
    /// Milliseconds from the epoch.
    offset: i64,
    /// Milliseconds.
    allowed_lateness: i64,
}

/// An aggregate, with its expressions as columns of the evaluator.
#[derive(Debug)]
struct Call {
    function: AggregateCall,
    arguments: Vec<usize>,
    filter: Option<usize>,
}

impl Windows {
    /// The start of the window that holds `time`.
    fn start(self, time: i64) -> i64 {
        let shifted = time.saturating_sub(self.offset);
        time.saturating_sub(shifted.rem_euclid(self.size))
    }

    fn end(self, start: i64) -> i64 {
        start.saturating_add(self.size)
    }

    /// The watermark at which a window fires, and from which on its rows are late.
    fn closes_at(self, start: i64) -> Watermark {
        Watermark((self.end(start) - 1).saturating_add(self.allowed_lateness))
    }
}

/// What is gathered of a batch before it is folded into the windows.
#[derive(Default)]
struct Pending {
    /// Window start and the rows that belong to it, in order of first sight.
    windows: Vec<(i64, Vec<u32>)>,
    /// Index into `windows` of the last row's.
    last: usize,
    late: Vec<u32>,
    closed_by_user: Vec<u32>,
    without_time: Vec<u32>,
}

impl Pending {
    fn add(&mut self, start: i64, row: usize) {
        if self.windows.get(self.last).is_none_or(|(last, _)| *last != start) {
            let found = self.windows.iter().position(|(other, _)| *other == start);
            self.last = found.unwrap_or(self.windows.len());
            if found.is_none() {
                self.windows.push((start, Vec::new()));
            }
        }
        self.windows[self.last].1.push(slot(row));
    }
}

/// A batch, evaluated.
struct Input {
    batch: Batch,
    times: Int64Array,
    keys: EncodedKeys,
    columns: Vec<ArrayRef>,
}

impl WindowAggregate {
    /// The operator of a node whose columns are those of `schema`.
    pub(crate) fn new(
        id: &str,
        aggregate: &dataflow::WindowAggregate,
        schema: &SchemaRef,
    ) -> Result<Self, OperatorError> {
        let dataflow::Window::Tumbling { size_ms, offset_ms } = aggregate.window;
        assert!(size_ms > 0, "the planner refuses windows without length");
        let windows = Windows {
            size: size_ms,
            offset: offset_ms,
            allowed_lateness: aggregate.allowed_lateness_ms,
        };
        let mut expressions = aggregate.keys.clone();
        let calls = aggregate.aggregates.iter().map(|call| Call {
            arguments: call.arguments.iter().map(|one| place(&mut expressions, one)).collect(),
            filter: call.filter.as_ref().map(|one| place(&mut expressions, one)),
            function: call.clone(),
        });
        let calls = calls.collect();
        let build = |detail: String| OperatorError::Build { operator: id.to_owned(), detail };
        let key_types: Vec<_> = aggregate.keys.iter().map(|key| key.data_type.clone()).collect();
        let codec = KeyCodec::new(&key_types).map_err(|error| build(error.to_string()))?;
        let spec = Spec {
            id: id.to_owned(),
            schema: SchemaRef::clone(schema),
            windows,
            time: aggregate.time,
            codec,
            key_count: aggregate.keys.len(),
            calls,
        };
        Groups::new(&spec).map_err(|error| build(error.to_string()))?;
        Ok(Self {
            spec: Arc::new(spec),
            evaluator: Evaluator::new(id, 0, expressions),
            windows: BTreeMap::new(),
            watermark: Watermark::NONE,
            closed_until: i64::MIN,
        })
    }

    /// Folds the rows of a batch in order, firing windows where the watermark passes them.
    fn fold(&mut self, input: &Input, output: &mut Output) -> Result<(), ArrowError> {
        let windows = self.spec.windows;
        let mut emission = Emission::new(&self.spec.schema);
        let mut pending = Pending::default();
        let mut advances = input.batch.advances.iter().peekable();
        let mut next_to_close = self.next_to_close();
        for row in 0..=input.batch.row_count() {
            while let Some(advance) = advances.next_if(|advance| advance.position <= row) {
                self.watermark = self.watermark.max(advance.watermark);
                if self.watermark >= next_to_close {
                    self.fold_pending(&mut pending, input)?;
                    self.fire(&mut emission, output)?;
                    next_to_close = self.next_to_close();
                }
                emission.advance(advance.watermark);
            }
            if row == input.batch.row_count() {
                break;
            }
            if input.times.is_null(row) {
                pending.without_time.push(slot(row));
                continue;
            }
            let start = windows.start(input.times.value(row));
            let closes_at = windows.closes_at(start);
            if closes_at <= self.watermark {
                pending.late.push(slot(row));
            } else if windows.end(start) <= self.closed_until {
                pending.closed_by_user.push(slot(row));
            } else {
                pending.add(start, row);
                next_to_close = next_to_close.min(closes_at);
            }
        }
        self.fold_pending(&mut pending, input)?;
        discard(&pending, &input.batch, output)?;
        emission.flush(output)
    }

    /// The watermark at which the first open window closes.
    fn next_to_close(&self) -> Watermark {
        let first = self.windows.keys().next();
        first.map_or(Watermark(i64::MAX), |start| self.spec.windows.closes_at(*start))
    }

    /// Folds the gathered rows into their windows.
    fn fold_pending(&mut self, pending: &mut Pending, input: &Input) -> Result<(), ArrowError> {
        for (start, rows) in pending.windows.drain(..) {
            let groups = match self.windows.entry(start) {
                std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(Groups::new(&self.spec)?)
                }
            };
            groups.fold(&self.spec, &input.keys, rows, &input.columns)?;
        }
        pending.last = 0;
        Ok(())
    }

    /// Fires the windows that the watermark has passed, in order of their ends.
    fn fire(&mut self, emission: &mut Emission, output: &mut Output) -> Result<(), ArrowError> {
        while let Some(first) = self.windows.first_entry() {
            if self.spec.windows.closes_at(*first.key()) > self.watermark {
                break;
            }
            let (start, groups) = first.remove_entry();
            emission.rows(&groups.result(&self.spec, start)?, output)?;
        }
        Ok(())
    }

    fn evaluated(&self, batch: Batch, output: &mut Output) -> Result<Input, OperatorError> {
        assert!(is_append_only(&batch), "the planner gives windows rows without retractions");
        let Evaluated { batch, columns } = self.evaluator.evaluate(batch, output)?;
        let row_count = batch.row_count();
        let times = event_times(batch.rows.column(self.spec.time));
        let times = times.map_err(|error| self.evaluator.failed(error))?;
        let keys = self.spec.codec.encode(&columns[..self.spec.key_count], row_count);
        let keys = keys.map_err(|error| self.evaluator.failed(error))?;
        Ok(Input { batch, times, keys, columns })
    }
}

impl Operator for WindowAggregate {
    fn push(
        &mut self,
        _port: usize,
        batch: Batch,
        output: &mut Output,
    ) -> Result<(), OperatorError> {
        let input = self.evaluated(batch, output)?;
        self.fold(&input, output).map_err(|error| self.evaluator.failed(error))
    }

    fn end_of_input(&mut self, output: &mut Output) -> Result<(), OperatorError> {
        let mut emission = Emission::new(&self.spec.schema);
        while let Some((start, groups)) = self.windows.pop_first() {
            self.closed_until = self.closed_until.max(self.spec.windows.end(start));
            groups
                .result(&self.spec, start)
                .and_then(|rows| emission.rows(&rows, output))
                .map_err(|error| self.evaluator.failed(error))?;
        }
        emission.flush(output).map_err(|error| self.evaluator.failed(error))
    }

    fn open_window(&self) -> Option<OpenWindow> {
        let windows = self.spec.windows;
        self.windows.keys().next().map(|start| OpenWindow {
            end: EventTime(windows.end(*start)),
            closes_at: windows.closes_at(*start),
        })
    }

    fn size(&self) -> StateSize {
        let rows: usize = self.windows.values().map(|groups| groups.keys.store().count()).sum();
        let bytes: usize = self.windows.values().map(Groups::bytes).sum();
        StateSize { rows: rows as u64, bytes: bytes as u64 }
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

/// The column of an expression, added to the list if it is not there.
fn place(expressions: &mut Vec<Expression>, wanted: &Expression) -> usize {
    let found = expressions.iter().position(|expression| expression == wanted);
    found.unwrap_or_else(|| {
        expressions.push(wanted.clone());
        expressions.len() - 1
    })
}

/// Whether every row is an insert.
fn is_append_only(batch: &Batch) -> bool {
    let insert = RowKind::Insert.code();
    batch.kinds.as_ref().is_none_or(|kinds| kinds.values().iter().all(|kind| *kind == insert))
}

fn discard(pending: &Pending, batch: &Batch, output: &mut Output) -> Result<(), ArrowError> {
    let reasons = [
        (DiscardReason::Late, &pending.late, "its window is over"),
        (DiscardReason::ClosedByUser, &pending.closed_by_user, "closed by --close-windows"),
        (DiscardReason::Failed, &pending.without_time, "its event time is NULL"),
    ];
    for (reason, rows, detail) in reasons {
        if rows.is_empty() {
            continue;
        }
        let rows = UInt32Array::from(rows.clone());
        output.discarded.push(Discarded {
            port: 0,
            reason,
            rows: take_record_batch(&batch.rows, &rows)?,
            origin: batch.origin.as_ref().map(|origin| super::take_origin(origin, &rows)),
            detail: detail.to_owned(),
        });
    }
    Ok(())
}

/// The rows of a selection that a filter keeps: those for which it is true.
fn is_kept(filter: &BooleanArray, row: usize) -> bool {
    filter.is_valid(row) && filter.value(row)
}

#[cfg(test)]
mod tests;
