//! Gathers what an operator emits between the advances that it passes on.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use stream::{Advance, Batch, Watermark};

use crate::operator::Output;

/// Rows in an emitted batch, unless one piece is larger: enough to encode well, few enough to start
/// encoding early.
const BATCH_ROWS: usize = 16 * 1024;

/// Rows and advances on their way out, in order.
#[derive(Debug)]
pub(crate) struct Emission {
    schema: SchemaRef,
    pieces: Vec<RecordBatch>,
    row_count: usize,
    advances: Vec<Advance>,
}

impl Emission {
    /// Nothing yet, of this schema.
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        let schema = SchemaRef::clone(schema);
        Self { schema, pieces: Vec::new(), row_count: 0, advances: Vec::new() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If rows have another schema.
    pub(crate) fn rows(
        &mut self,
        rows: &RecordBatch,
        output: &mut Output,
    ) -> Result<(), ArrowError> {
        let mut from = 0;
        while from < rows.num_rows() {
            let length = (rows.num_rows() - from).min(BATCH_ROWS - self.row_count);
            self.pieces.push(rows.slice(from, length));
            self.row_count += length;
            from += length;
            if self.row_count == BATCH_ROWS {
                self.flush(output)?;
            }
        }
        Ok(())
    }

    /// Passes on an advance, after the rows added so far.
    pub(crate) fn advance(&mut self, watermark: Watermark) {
        self.advances.push(Advance { position: self.row_count, watermark });
    }

    /// Emits what is gathered.
    ///
    /// # Errors
    /// If rows have another schema.
    pub(crate) fn flush(&mut self, output: &mut Output) -> Result<(), ArrowError> {
        let rows = match self.pieces.as_slice() {
            [] => RecordBatch::new_empty(SchemaRef::clone(&self.schema)),
            [piece] => piece.clone(),
            pieces => concat_batches(&self.schema, pieces)?,
        };
        self.pieces.clear();
        self.row_count = 0;
        let advances = std::mem::take(&mut self.advances);
        output.emit(Batch { advances, ..Batch::of(rows) });
        Ok(())
    }
}
