//! One table of an operator's state.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// One named table of an operator's state.
///
/// # Shape
/// All batches have `schema`; their order is the order in which the operator restores them. A table
/// may have no batches. Tables keyed by groups carry each key's 64-bit hash in a column `_hash`
/// (UInt64, not null), so that sharding can split them.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Unique within the operator, e.g. `groups`.
    pub name: String,
    /// Columns of every batch.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of one batch.
    pub fn of(name: &str, batch: RecordBatch) -> Self {
        Self { name: name.to_owned(), schema: batch.schema(), batches: vec![batch] }
    }

    /// Number of rows in all batches.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}
