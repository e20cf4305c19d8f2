//! `TemporalJoin`: each row with the version that was valid at its time.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{DFSchema, DFSchemaRef, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::tables::RECORD_TIMESTAMP;

/// `left [LEFT] JOIN right FOR SYSTEM_TIME AS OF left_time ON …`. Columns: the left ones, then those
/// of the versions but for their hidden time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TemporalJoin {
    pub(crate) left: LogicalPlan,
    pub(crate) right: LogicalPlan,
    /// Position of the versioned source in the project.
    pub(crate) source: usize,
    pub(crate) keep_unmatched: bool,
    /// Pairs of key expressions: left, right.
    pub(crate) on: Vec<(Expr, Expr)>,
    pub(crate) left_time: Expr,
    pub(crate) right_time: Expr,
    /// What else must hold, over both sides.
    pub(crate) condition: Option<Expr>,
    pub(crate) schema: DFSchemaRef,
}

impl TemporalJoin {
    /// The node with the schema that follows from its inputs.
    pub(crate) fn with_schema(mut self) -> Result<Self> {
        self.schema = joined_schema(&self.left, &self.right, self.keep_unmatched)?;
        Ok(self)
    }
}

/// The columns that the join gives.
pub(crate) fn joined_schema(
    left: &LogicalPlan,
    right: &LogicalPlan,
    keep_unmatched: bool,
) -> Result<DFSchemaRef> {
    let left_fields =
        left.schema().iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
    let right_fields =
        right.schema().iter().filter(|(_, field)| field.name() != RECORD_TIMESTAMP).map(
            |(qualifier, field)| {
                let is_nullable = keep_unmatched || field.is_nullable();
                let field = Field::clone(field).with_nullable(is_nullable);
                (qualifier.cloned(), Arc::new(field))
            },
        );
    let fields = left_fields.chain(right_fields).collect();
    Ok(Arc::new(DFSchema::new_with_metadata(fields, left.schema().metadata().clone())?))
}

impl PartialOrd for TemporalJoin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for TemporalJoin {
    fn name(&self) -> &'static str {
        "TemporalJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let pairs = self.on.iter().flat_map(|(left, right)| [left, right]);
        pairs.chain([&self.left_time, &self.right_time]).chain(&self.condition).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.keep_unmatched { "Left" } else { "Inner" };
        let on: Vec<String> =
            self.on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        write!(
            f,
            "TemporalJoin: {kind}, {} at {} <= {}",
            on.join(" AND "),
            self.right_time,
            self.left_time
        )?;
        match &self.condition {
            Some(condition) => write!(f, ", condition {condition}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([left, right]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return plan_err!("TemporalJoin has two inputs");
        };
        let mut exprs = exprs.into_iter();
        let mut on = Vec::with_capacity(self.on.len());
        for _ in &self.on {
            let (Some(left), Some(right)) = (exprs.next(), exprs.next()) else {
                return plan_err!("TemporalJoin has two expressions a key column");
            };
            on.push((left, right));
        }
        let (Some(left_time), Some(right_time)) = (exprs.next(), exprs.next()) else {
            return plan_err!("TemporalJoin has two times");
        };
        let schema = joined_schema(&left, &right, self.keep_unmatched)?;
        let condition = exprs.next();
        Ok(Self { left, right, on, left_time, right_time, condition, schema, ..*self })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left.schema().fields().len();
        let mut left = Vec::new();
        let mut right = Vec::new();
        for output in output_columns {
            if *output < width {
                left.push(*output);
                continue;
            }
            let (qualifier, field) = self.schema.qualified_field(*output);
            right.push(self.right.schema().index_of_column_by_name(qualifier, field.name())?);
        }
        Some(vec![left, right])
    }
}
