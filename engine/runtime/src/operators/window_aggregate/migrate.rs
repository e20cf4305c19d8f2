//! The state of windows whose aggregates were others before: values move to their new places, new
//! aggregates begin empty.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use planner::dataflow::WindowAggregate;
use state::Table;

use super::snapshot::{GROUPS, aggregate_table, table};
use crate::accumulate;

/// The tables of `now`, whose empty ones are `shape`, from those of its predecessor. `aggregates`
/// names for each aggregate the one before whose values it takes.
///
/// # Errors
/// If the old tables are not those of such a predecessor.
pub(crate) fn migrate(
    old: &[Table],
    now: &WindowAggregate,
    aggregates: &[Option<usize>],
    shape: &[Table],
) -> Result<Vec<Table>, ArrowError> {
    let moved = |new: &Table| match new.name.as_str() {
        GROUPS => {
            let batches = &table(old, GROUPS)?.batches;
            let batches = batches.iter().map(|batch| groups(batch, now, aggregates, new));
            Ok(Table { batches: batches.collect::<Result<_, _>>()?, ..new.clone() })
        }
        name => {
            let entries = (0..aggregates.len()).find(|index| aggregate_table(*index) == name);
            let from = match entries {
                None => Some(name.to_owned()),
                Some(index) => aggregates[index].map(aggregate_table),
            };
            match from {
                Some(from) => {
                    let batches = table(old, &from)?.batches.clone();
                    Ok(Table { batches, ..new.clone() })
                }
                None => Ok(new.clone()),
            }
        }
    };
    shape.iter().map(moved).collect()
}

/// One window's groups.
fn groups(
    batch: &RecordBatch,
    now: &WindowAggregate,
    aggregates: &[Option<usize>],
    shape: &Table,
) -> Result<RecordBatch, ArrowError> {
    let old = |name: &str| {
        let found = batch.column_by_name(name).map(Arc::clone);
        found.ok_or_else(|| ArrowError::SchemaError(format!("there is no column `{name}`")))
    };
    let fields = shape.schema.fields().iter().map(|field| field.name().as_str());
    let mut columns: Vec<ArrayRef> =
        fields.filter(|name| !name.starts_with("aggregate_")).map(old).collect::<Result<_, _>>()?;
    for (call, from) in now.aggregates.iter().zip(aggregates) {
        let mut empty = accumulate::build(call)?;
        empty.grow(batch.num_rows());
        for (cell, values) in empty.freeze().state()?.cells {
            columns.push(match from {
                Some(from) => old(&format!("{}_{cell}", aggregate_table(*from)))?,
                None => values,
            });
        }
    }
    RecordBatch::try_new(Arc::clone(&shape.schema), columns)
}
