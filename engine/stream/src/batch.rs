//! A micro-batch: rows, and what happened between them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int8Array, Int32Array, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, filter, filter_record_batch};
use arrow::error::ArrowError;

use crate::{RowKind, Watermark};

/// "Before the row at `position` the watermark rose to `watermark`."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// Index of the row before which the watermark rose; the row count means after the last row.
    pub position: usize,
    /// The new watermark.
    pub watermark: Watermark,
}

/// Where each row of a batch came from, for dead letters.
///
/// # Shape
/// Both arrays have as many values as the batch has rows and no nulls.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Kafka partition of the source topic.
    pub partition: Int32Array,
    /// Kafka offset in that partition.
    pub offset: Int64Array,
}

/// Rows in arrival order, with the watermark's advances at their places between them.
///
/// **Invariant:** `advances` ascends in position (several may share one) and in watermark, and no
/// position exceeds the row count. A batch without rows may carry advances.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The user's columns.
    pub rows: RecordBatch,
    /// [`crate::RowKind`] codes, one a row, no nulls; `None` means that every row is an insert.
    pub kinds: Option<Int8Array>,
    /// Where the rows came from; `None` where rows have no single origin (window results).
    pub origin: Option<Origin>,
    /// The watermark's advances.
    pub advances: Vec<Advance>,
}

impl Batch {
    /// A batch of inserts without origin and without advances.
    pub fn of(rows: RecordBatch) -> Self {
        Self { rows, kinds: None, origin: None, advances: Vec::new() }
    }

    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there is neither a row nor an advance, so that nobody needs to see the batch.
    pub fn is_void(&self) -> bool {
        self.rows.num_rows() == 0 && self.advances.is_empty()
    }

    /// The last watermark that the batch announces.
    pub fn last_watermark(&self) -> Option<Watermark> {
        self.advances.last().map(|advance| advance.watermark)
    }

    /// The same rows with other columns, as a projection makes them.
    #[must_use]
    pub fn with_rows(self, rows: RecordBatch) -> Self {
        debug_assert_eq!(rows.num_rows(), self.rows.num_rows());
        Self { rows, ..self }
    }

    /// Keeps the rows for which `keep` is true (null counts as false) and **every** advance.
    ///
    /// # Errors
    /// Those of Arrow's filter kernel, if the lengths differ.
    pub fn filter(self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        if keep.null_count() == 0 && keep.true_count() == self.row_count() {
            return Ok(self);
        }
        let advances = moved_advances(&self.advances, keep);
        let kinds = self.kinds.map(|kinds| filtered(&kinds, keep)).transpose()?;
        let origin = match self.origin {
            Some(origin) => Some(Origin {
                partition: filtered(&origin.partition, keep)?,
                offset: filtered(&origin.offset, keep)?,
            }),
            None => None,
        };
        Ok(Self { rows: filter_record_batch(&self.rows, keep)?, kinds, origin, advances })
    }

    /// The rows `from..to`, without advances.
    #[must_use]
    pub fn slice_rows(&self, from: usize, to: usize) -> Self {
        let length = to - from;
        Self {
            rows: self.rows.slice(from, length),
            kinds: self.kinds.as_ref().map(|kinds| kinds.slice(from, length)),
            origin: self.origin.as_ref().map(|origin| Origin {
                partition: origin.partition.slice(from, length),
                offset: origin.offset.slice(from, length),
            }),
            advances: Vec::new(),
        }
    }

    /// The batches, one behind the other, as one. Rows have origins only if all have.
    ///
    /// # Errors
    /// Those of Arrow's concat kernel, if the columns differ.
    pub fn concat(mut batches: Vec<Self>) -> Result<Option<Self>, ArrowError> {
        if batches.len() <= 1 {
            return Ok(batches.pop());
        }
        let mut advances = Vec::with_capacity(batches.iter().map(|it| it.advances.len()).sum());
        let mut rows_before = 0;
        for batch in &batches {
            let moved = |advance: &Advance| Advance {
                position: advance.position + rows_before,
                ..*advance
            };
            advances.extend(batch.advances.iter().map(moved));
            rows_before += batch.row_count();
        }
        let schema = batches[0].rows.schema();
        let rows = concat_batches(&schema, batches.iter().map(|batch| &batch.rows))?;
        let kinds = batches.iter().any(|batch| batch.kinds.is_some()).then(|| {
            let insert = RowKind::Insert.code();
            let kinds = batches.iter().flat_map(|batch| {
                let kind = |row| batch.kinds.as_ref().map_or(insert, |kinds| kinds.value(row));
                (0..batch.row_count()).map(kind).collect::<Vec<_>>()
            });
            kinds.collect::<Vec<_>>().into()
        });
        batches.retain(|batch| batch.row_count() > 0);
        let origins: Option<Vec<&Origin>> = batches.iter().map(|it| it.origin.as_ref()).collect();
        let origin = origins.map(|origins| Origin {
            partition: origins.iter().flat_map(|it| it.partition.values()).copied().collect(),
            offset: origins.iter().flat_map(|it| it.offset.values()).copied().collect(),
        });
        Ok(Some(Self { rows, kinds, origin, advances }))
    }

    /// Columns of the rows, cheap to clone.
    pub fn columns(&self) -> &[ArrayRef] {
        self.rows.columns()
    }
}

/// Moves each advance to the number of kept rows before it.
fn moved_advances(advances: &[Advance], keep: &BooleanArray) -> Vec<Advance> {
    let mut kept = 0;
    let mut row = 0;
    advances
        .iter()
        .map(|advance| {
            while row < advance.position {
                kept += usize::from(keep.is_valid(row) && keep.value(row));
                row += 1;
            }
            Advance { position: kept, watermark: advance.watermark }
        })
        .collect()
}

fn filtered<T: Array + Clone + 'static>(array: &T, keep: &BooleanArray) -> Result<T, ArrowError> {
    let kept: Arc<dyn Array> = filter(array, keep)?;
    Ok(kept
        .as_any()
        .downcast_ref::<T>()
        .expect("a filtered array has the type of its input")
        .clone())
}

#[cfg(test)]
mod tests;
