//! Evaluating expressions on a batch, where a row that fails fails alone.
//!
//! **Invariant:** the result of an expression on a row is its result on a batch of that row alone. So
//! an expression that fails on a batch is evaluated again row by row, and `x <> 0 AND 100 / x > 1`
//! does not depend on its neighbours.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_empty_array};
use arrow::compute::concat;
use datafusion::error::DataFusionError;
use planner::dataflow::Expression;
use stream::Batch;

use crate::operator::{DiscardReason, Discarded, OperatorError, Output};

/// The expressions of one operator over its input.
#[derive(Debug)]
pub(crate) struct Evaluator {
    operator: String,
    port: usize,
    expressions: Vec<Expression>,
}

/// The rows on which no expression failed, and what the expressions gave.
#[derive(Debug)]
pub(crate) struct Evaluated {
    /// The rows, with every advance.
    pub(crate) batch: Batch,
    /// One column an expression, as long as the batch.
    pub(crate) columns: Vec<ArrayRef>,
}

impl Evaluator {
    /// An evaluator for what arrives at `port` of `operator`.
    pub(crate) fn new(operator: &str, port: usize, expressions: Vec<Expression>) -> Self {
        Self { operator: operator.to_owned(), port, expressions }
    }

    /// Evaluates all expressions; rows that fail are discarded.
    ///
    /// # Errors
    /// [`OperatorError::Compute`] where no row is to blame.
    pub(crate) fn evaluate(
        &self,
        batch: Batch,
        output: &mut Output,
    ) -> Result<Evaluated, OperatorError> {
        if batch.row_count() == 0 {
            let types = self.expressions.iter().map(|expression| &expression.data_type);
            return Ok(Evaluated { batch, columns: types.map(new_empty_array).collect() });
        }
        match self.columns_of(&batch.rows) {
            Ok(columns) => {
                self.check_types(&columns)?;
                Ok(Evaluated { batch, columns })
            }
            Err(_) => self.evaluate_rows(batch, output),
        }
    }

    /// Wraps an error for which no row is to blame.
    pub(crate) fn failed(&self, source: impl Into<DataFusionError>) -> OperatorError {
        OperatorError::Compute { operator: self.operator.clone(), source: source.into() }
    }

    fn columns_of(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>, DataFusionError> {
        let count = rows.num_rows();
        let evaluated = self
            .expressions
            .iter()
            .map(|expression| expression.physical.evaluate(rows)?.into_array(count));
        evaluated.collect()
    }

    /// A column of another type than planned is our bug, not the row's.
    fn check_types(&self, columns: &[ArrayRef]) -> Result<(), OperatorError> {
        for (expression, column) in self.expressions.iter().zip(columns) {
            if column.data_type() != &expression.data_type {
                return Err(self.failed(DataFusionError::Internal(format!(
                    "`{}` gives `{}` instead of `{}`",
                    expression.text,
                    column.data_type(),
                    expression.data_type
                ))));
            }
        }
        Ok(())
    }

    fn evaluate_rows(&self, batch: Batch, output: &mut Output) -> Result<Evaluated, OperatorError> {
        let mut is_good = Vec::with_capacity(batch.row_count());
        let mut pieces = vec![Vec::new(); self.expressions.len()];
        for row in 0..batch.row_count() {
            let one = batch.slice_rows(row, row + 1);
            match self.columns_of(&one.rows) {
                Ok(columns) => {
                    self.check_types(&columns)?;
                    for (piece, column) in pieces.iter_mut().zip(columns) {
                        piece.push(column);
                    }
                    is_good.push(true);
                }
                Err(error) => {
                    output.discarded.push(Discarded {
                        port: self.port,
                        reason: DiscardReason::Failed,
                        rows: one.rows,
                        origin: one.origin,
                        detail: error.strip_backtrace(),
                    });
                    is_good.push(false);
                }
            }
        }
        let columns = self.expressions.iter().zip(&pieces).map(|(expression, pieces)| {
            if pieces.is_empty() {
                return Ok(new_empty_array(&expression.data_type));
            }
            concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>())
        });
        let columns = columns.collect::<Result<_, _>>().map_err(|error| self.failed(error))?;
        let batch = batch.filter(&BooleanArray::from(is_good));
        Ok(Evaluated { batch: batch.map_err(|error| self.failed(error))?, columns })
    }
}
