//! Computes columns.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use planner::dataflow::Expression;
use state::Table;
use stream::Batch;

use crate::evaluate::{Evaluated, Evaluator};
use crate::operator::{FrozenState, NoState, Operator, OperatorError, Output, expect_no_state};

/// Gives one column for each expression.
#[derive(Debug)]
pub(crate) struct Project {
    id: String,
    columns: Evaluator,
    schema: SchemaRef,
}

impl Project {
    /// A projection to these columns, named and typed by `schema`.
    pub(crate) fn new(id: &str, columns: &[Expression], schema: &SchemaRef) -> Self {
        let columns = Evaluator::new(id, 0, columns.to_vec());
        Self { id: id.to_owned(), columns, schema: SchemaRef::clone(schema) }
    }
}

impl Operator for Project {
    fn push(
        &mut self,
        _port: usize,
        batch: Batch,
        output: &mut Output,
    ) -> Result<(), OperatorError> {
        let Evaluated { batch, columns } = self.columns.evaluate(batch, output)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.row_count()));
        let schema = SchemaRef::clone(&self.schema);
        let rows = RecordBatch::try_new_with_options(schema, columns, &options);
        output.emit(batch.with_rows(rows.map_err(|error| self.columns.failed(error))?));
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
