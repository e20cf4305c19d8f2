//! The state of one dataflow as that of another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use planner::dataflow::upgrade::Upgrade;
use planner::dataflow::{Dataflow, shadow_of};
use state::{OperatorTables, Table};
use stream::ReaderName;

use super::frozen::{WHOLE, misfit};
use super::{Fold, FoldError, counters, source};
use crate::operators;

impl Fold {
    /// A fold of `new` with the state `old`, as far as it may be taken over. Models in `dropped`
    /// begin empty whatever the comparison says.
    ///
    /// # Errors
    /// [`FoldError::Operator`] if the state is not that of the dataflow that was compared.
    pub fn migrated(
        new: &Arc<Dataflow>,
        old: Vec<OperatorTables>,
        upgrade: &Upgrade,
        dropped: &BTreeSet<String>,
    ) -> Result<Self, FoldError> {
        let mut fold = Self::new(new)?;
        let mut old: BTreeMap<String, Vec<Table>> = old.into_iter().collect();
        let mut tables = Vec::new();
        for (operator, shape) in fold.snapshot() {
            if operator == WHOLE {
                let whole = old.remove(WHOLE).unwrap_or_default();
                tables.push((operator, migrated_whole(new, whole, upgrade, dropped)?));
                continue;
            }
            let position = new.nodes.iter().position(|node| node.id.0 == operator);
            let node = position.map(|index| (&new.nodes[index], &upgrade.operators[index]));
            let migrated = match (node, old.remove(&operator)) {
                (Some((node, Some(kept))), Some(old)) if !dropped.contains(node.id.model()) => {
                    operators::migrate(node, kept, &old, &shape)?
                }
                _ => shape,
            };
            tables.push((operator, migrated));
        }
        fold.restore(tables)?;
        Ok(fold)
    }
}

/// What belongs to no operator: watermarks, counters, the clock.
fn migrated_whole(
    new: &Dataflow,
    old: Vec<Table>,
    upgrade: &Upgrade,
    dropped: &BTreeSet<String>,
) -> Result<Vec<Table>, FoldError> {
    let readers: BTreeSet<&ReaderName> = new.sources().map(|(_, source)| &source.reader).collect();
    let models = new.models();
    let mut tables = Vec::new();
    for table in old {
        tables.push(match table.name.as_str() {
            source::TABLE => source::renamed(&table, |reader| {
                match shadow_of(reader) {
                    // One that is still needed is another rebuild's, which begins empty.
                    Some(_) if readers.contains(reader) => None,
                    // One that is not needed any more has caught up with its reader.
                    Some(main) => readers.contains(&main).then_some(main),
                    None => {
                        let is_kept = readers.contains(reader) && !upgrade.reset.contains(reader);
                        is_kept.then(|| reader.clone())
                    }
                }
            })?,
            counters::TABLE => rows_of(&table, |owner| match owner.strip_prefix("model ") {
                Some(model) => models.contains(&model) && !dropped.contains(model),
                None => {
                    let source = owner.strip_prefix("source ");
                    source.is_some_and(|name| readers.iter().any(|one| *one.0 == *name))
                }
            })?,
            _ => table,
        });
    }
    Ok(tables)
}

/// The rows whose first column, a text, is wanted.
fn rows_of(table: &Table, is_wanted: impl Fn(&str) -> bool) -> Result<Table, FoldError> {
    let failed = |detail: String| FoldError::from(misfit(&table.name, detail));
    let kept = |batch: &RecordBatch| {
        let owners = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        let owners = owners.ok_or_else(|| failed("its first column is no text".to_owned()))?;
        let wanted: BooleanArray =
            owners.iter().map(|one| Some(one.is_some_and(&is_wanted))).collect();
        filter_record_batch(batch, &wanted).map_err(|error| failed(error.to_string()))
    };
    let batches = table.batches.iter().map(kept).collect::<Result<_, _>>()?;
    Ok(Table { batches, ..table.clone() })
}
