//! The state of a temporal join whose kept columns were others before.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use state::Table;

use super::snapshot::{LEFT, VERSIONS, column, table};

/// After the kept columns of a waiting row: its partition and offset.
const ORIGIN_COLUMNS: usize = 2;

/// The tables whose empty ones are `shape`, from those of a predecessor. `left` and `right` name for
/// each kept column its place among those of the predecessor.
///
/// # Errors
/// If the old tables are not those of such a predecessor.
pub(crate) fn migrate(
    old: &[Table],
    left: &[usize],
    right: &[usize],
    shape: &[Table],
) -> Result<Vec<Table>, ArrowError> {
    let moved = |new: &Table| {
        let before = table(old, &new.name)?;
        let batches = before.batches.iter().map(|batch| {
            let stored = match new.name.as_str() {
                LEFT => {
                    let last = count(batch, "left_");
                    let origin = last.saturating_sub(ORIGIN_COLUMNS)..last;
                    named(batch, "left", left.iter().copied().chain(origin))?
                }
                VERSIONS => named(batch, "right", right.iter().copied())?,
                _ => Vec::new(),
            };
            let rest = new.schema.fields().iter().skip(stored.len());
            let rest = rest.map(|field| column(batch, field.name()).map(Arc::clone));
            let columns = stored.into_iter().map(Ok).chain(rest).collect::<Result<_, _>>()?;
            RecordBatch::try_new(Arc::clone(&new.schema), columns)
        });
        Ok(Table { batches: batches.collect::<Result<_, ArrowError>>()?, ..new.clone() })
    };
    shape.iter().map(moved).collect()
}

fn count(batch: &RecordBatch, prefix: &str) -> usize {
    batch.schema_ref().fields().iter().filter(|field| field.name().starts_with(prefix)).count()
}

fn named(
    batch: &RecordBatch,
    side: &str,
    places: impl Iterator<Item = usize>,
) -> Result<Vec<ArrayRef>, ArrowError> {
    places.map(|place| column(batch, &format!("{side}_{place}")).map(Arc::clone)).collect()
}
