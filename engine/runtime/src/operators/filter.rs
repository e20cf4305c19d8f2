//! Keeps the rows for which a predicate is true, and every advance.

use arrow::array::AsArray;
use planner::dataflow::Expression;
use state::Table;
use stream::Batch;

use crate::evaluate::{Evaluated, Evaluator};
use crate::operator::{FrozenState, NoState, Operator, OperatorError, Output, expect_no_state};

/// Keeps the rows for which a predicate is true; NULL is not true.
#[derive(Debug)]
pub(crate) struct Filter {
    id: String,
    predicate: Evaluator,
}

impl Filter {
    /// A filter with this predicate.
    pub(crate) fn new(id: &str, predicate: &Expression) -> Self {
        let predicate = Evaluator::new(id, 0, vec![predicate.clone()]);
        Self { id: id.to_owned(), predicate }
    }
}

impl Operator for Filter {
    fn push(
        &mut self,
        _port: usize,
        batch: Batch,
        output: &mut Output,
    ) -> Result<(), OperatorError> {
        let Evaluated { batch, columns } = self.predicate.evaluate(batch, output)?;
        let kept = batch.filter(columns[0].as_boolean());
        output.emit(kept.map_err(|error| self.predicate.failed(error))?);
        Ok(())
    }

    fn end_of_input(&mut self, _output: &mut Output) -> Result<(), OperatorError> {
        Ok(())
    }

    fn freeze(&self) -> Box<dyn FrozenState> {
        Box::new(NoState)
    }

    fn restore(&mut self, tables: Vec<Table>) -> Result<(), OperatorError> {
        expect_no_state(&self.id, &tables)
    }
}

#[cfg(test)]
mod tests;
