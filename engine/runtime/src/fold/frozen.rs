//! The whole fold's state: frozen at one moment, and put back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use state::{OperatorTables, Table};
use stream::ProcessingTime;

use super::{Fold, FoldError, source};
use crate::operator::{FrozenState, OperatorError};

/// What belongs to no operator stands under this id.
pub(super) const WHOLE: &str = "";

/// Name of the table that holds the step's clock.
const CLOCK: &str = "clock";

/// The state of a fold at one moment, to be written on another thread.
pub struct FrozenFold {
    whole: Vec<Table>,
    operators: Vec<(String, Box<dyn FrozenState>)>,
}

impl FrozenFold {
    /// The state as tables, operator by operator, each made when it is asked for; those that keep
    /// none are left out.
    pub fn tables(self) -> impl Iterator<Item = OperatorTables> {
        let operators = self.operators.into_iter().map(|(id, frozen)| (id, frozen.tables()));
        let operators = operators.filter(|(_, tables)| !tables.is_empty());
        std::iter::once((WHOLE.to_owned(), self.whole)).chain(operators)
    }
}

impl Fold {
    /// The state at this moment, by cloning pointers: the fold goes on at once.
    pub fn freeze(&self) -> FrozenFold {
        let operators = self.dataflow.nodes.iter().zip(&self.operators);
        FrozenFold {
            whole: self.whole(),
            operators: operators
                .filter_map(|(node, operator)| {
                    Some((node.id.0.clone(), operator.as_ref()?.freeze()))
                })
                .collect(),
        }
    }

    /// A copy of the state: the tables of each operator, and of the fold as a whole.
    pub fn snapshot(&self) -> Vec<OperatorTables> {
        self.freeze().tables().collect()
    }

    /// Replaces the state of a new fold by a snapshot of a fold of the same dataflow.
    ///
    /// # Errors
    /// [`OperatorError::State`] if the snapshot is of another dataflow; the fold must not be used.
    pub fn restore(&mut self, snapshot: Vec<OperatorTables>) -> Result<(), FoldError> {
        let expected = self.snapshot();
        let same_length = expected.len() == snapshot.len();
        let same = expected.iter().zip(&snapshot).all(|(ours, theirs)| ours.0 == theirs.0);
        if !same_length || !same {
            let names = |tables: &[OperatorTables]| {
                let names = tables.iter().map(|(operator, _)| operator.as_str());
                names.filter(|name| *name != WHOLE).collect::<Vec<_>>().join(", ")
            };
            let (theirs, ours) = (names(&snapshot), names(&expected));
            let detail = format!("the snapshot is of the operators {theirs}, the plan has {ours}");
            return Err(misfit("the dataflow", detail).into());
        }
        for ((operator, ours), (_, theirs)) in expected.iter().zip(&snapshot) {
            check_tables(operator, ours, theirs)?;
        }
        let mut snapshot: BTreeMap<String, Vec<Table>> = snapshot.into_iter().collect();
        let whole = snapshot.remove(WHOLE).unwrap_or_default();
        for (node, operator) in self.dataflow.nodes.iter().zip(&mut self.operators) {
            if let Some(operator) = operator {
                operator.restore(snapshot.remove(&node.id.0).unwrap_or_default())?;
            }
        }
        for table in &whole {
            match table.name.as_str() {
                source::TABLE => source::restore(&mut self.sources, table)?,
                CLOCK => {}
                _ => self.counters.restore(table)?,
            }
        }
        // The clock is shared with whoever tries again after an error: it goes last.
        whole
            .iter()
            .filter(|table| table.name == CLOCK)
            .for_each(|table| self.restore_clock(table));
        Ok(())
    }

    fn whole(&self) -> Vec<Table> {
        let now: ArrayRef = Arc::new(Int64Array::from(vec![self.dataflow.clock.get().0]));
        let schema = Schema::new(vec![Field::new("now_ms", DataType::Int64, false)]);
        let clock = RecordBatch::try_new(Arc::new(schema), vec![now]);
        let clock = Table::of(CLOCK, clock.expect("one column of one row"));
        vec![source::table(&self.sources), self.counters.table(), clock]
    }

    fn restore_clock(&self, table: &Table) {
        let values = table.batches.iter().filter_map(|batch| batch.columns().first());
        for value in values.filter_map(|column| column.as_primitive_opt::<Int64Type>()) {
            if let Some(now) = value.values().first() {
                self.dataflow.clock.set(ProcessingTime(*now));
            }
        }
    }
}

/// Whether tables are those that an operator would give: an operator trusts the types of its own.
fn check_tables(operator: &str, ours: &[Table], theirs: &[Table]) -> Result<(), OperatorError> {
    if ours.len() != theirs.len() {
        let detail = format!("it has {} tables instead of {}", theirs.len(), ours.len());
        return Err(misfit(operator, detail));
    }
    for (ours, theirs) in ours.iter().zip(theirs) {
        if ours.name != theirs.name {
            let detail = format!("table `{}` stands for `{}`", theirs.name, ours.name);
            return Err(misfit(operator, detail));
        }
        let is_whole = theirs.batches.iter().all(|batch| batch.schema() == theirs.schema);
        if !is_whole || ours.schema != theirs.schema {
            return Err(misfit(operator, format!("table `{}` has other columns", ours.name)));
        }
    }
    Ok(())
}

pub(super) fn misfit(operator: &str, detail: String) -> OperatorError {
    let operator = if operator == WHOLE { "the fold" } else { operator };
    OperatorError::State { operator: operator.to_owned(), detail }
}
